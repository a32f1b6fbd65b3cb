"""Histories of many sessions, as many as there is time for: `make histories`, or CRMSHIFT_HISTORIES for the number."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from crmshift.embedded import EmbeddedServer
from tests.properties.histories import Crashing, Histories
from tests.properties.promises import NotInAgreement
from tests.properties.script import read, replay
from tests.properties.stage import Stage
from tests.properties.writes import Statement
from tests.support.agreement import assert_agreement
from tests.support.databases import Databases
from tests.support.servers import Server
from tests.support.templates import ADA, BEN, WORKSPACE

NUMBER = int(os.environ.get("CRMSHIFT_HISTORIES", "1000"))
"""For the default version of PostgreSQL; a quarter of it for each of the others."""
PLAYED = settings(
    max_examples=NUMBER,
    stateful_step_count=20,
    deadline=None,
    report_multiple_bugs=not os.environ.get("ONE"),
    derandomize="CRMSHIFT_HISTORIES"
    not in os.environ,  # a pipeline plays the same ones every time, make histories new ones
    print_blob=True,  # what reproduces a failure that was found elsewhere
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),  # they time what a server does
)

Make = Callable[[str], str]


@pytest.fixture
def stage(make_database: Make) -> Iterator[Stage]:
    with Stage(make_database("parallel")) as made:
        yield made


def on(stage: Stage) -> type[Histories]:
    return type("Histories", (Histories,), {"stage": stage})


@pytest.mark.slow
def test_whatever_applications_do_crmshift_keeps_its_promises(stage: Stage, server: Server) -> None:
    number = NUMBER if server.version == 18 else max(NUMBER // 4, 1)
    run_state_machine_as_test(on(stage), settings=settings(PLAYED, max_examples=number))


@pytest.mark.slow
@pytest.mark.default_pg
def test_what_was_committed_survives_a_crash_in_agreement(make_server: Callable[..., EmbeddedServer]) -> None:
    server = make_server(synchronous_commit="on")  # else the crash may also take back what the script has committed
    databases = Databases(Server(server.version, server.bin_dir, server.dsn, server.dsn(), server.stop))
    dsn = server.dsn(databases.clone("parallel"))
    databases.close()
    with Stage(dsn) as stage:
        crashing = type("Crashing", (Crashing,), {"stage": stage, "server": server})
        run_state_machine_as_test(crashing, settings=settings(PLAYED, max_examples=max(NUMBER // 50, 1)))


def test_a_broken_promise_prints_a_script_that_breaks_it_again(stage: Stage, make_database: Make) -> None:
    history = on(stage)()
    history.settle_habits({"A": "autocommit", "B": "read committed", "C": "autocommit"})
    history.write("A", Statement(f"update contacts set city = '$T' where id = '{ADA}'"))
    history.write("B", Statement("copy contacts (workspace_id, city) from stdin", f"{WORKSPACE}\t$T\n"))
    history.commit("B")
    stage.dba_execute("set session_replication_role = replica")  # somebody writes behind the triggers
    stage.dba_execute(f"update customers set city = 'Rom' where cst_id = '{BEN}'")
    with pytest.raises(NotInAgreement) as broken:
        history.check()
    dsn = make_database("parallel")
    replay(str(broken.value), dsn)
    with psycopg.connect(dsn) as conn:
        assert conn.execute("select city from contacts where city like 'V%' order by 1").fetchall() == [
            ("V1",),
            ("V2",),
        ]
        with pytest.raises(AssertionError, match=rf"(?s)^2 rows disagree.*customers .*{BEN}.* differs city"):
            assert_agreement(conn)


def test_a_script_holds_every_session_and_what_it_met(stage: Stage) -> None:
    stage.execute("A", "begin")
    stage.execute("A", f"update contacts set city = '$T'\n where id = '{ADA}'")
    stage.execute("B", f"update customers set city = '$T' where cst_id = '{ADA}'")
    stage.execute("A", "commit")
    stage.execute("B", Statement("copy contacts (workspace_id, city) from stdin", f"{WORKSPACE}\t$T\n"))
    script = str(stage.script)
    assert "--   ERROR 55P03" in script
    assert list(read(script)) == [
        ("A", "begin", None),
        ("A", f"update contacts set city = 'V1'\n where id = '{ADA}'", None),
        ("B", f"update customers set city = 'V2' where cst_id = '{ADA}'", None),
        ("A", "commit", None),
        ("B", "copy contacts (workspace_id, city) from stdin", f"{WORKSPACE}\tV3\n"),
    ]
