"""The bench runs, at a scale at which its figures mean nothing; and a case whose work was not done has no figure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import psycopg
import pytest

from bench import machine, report, runner
from bench.agreement import require_settled, require_synced
from bench.case import BenchFailed, Case, Result, ratio
from bench.cases import cases
from bench.databases import Databases, Template, connect, without_sync
from bench.scale import TOY
from crmshift.embedded import EmbeddedServer

pytestmark = pytest.mark.slow

LEFT_OUT = (
    "transactions beside",
    "processor-bound",
)  # waits for long transactions on purpose; runs the same as durable


@pytest.fixture(scope="module")
def databases() -> Iterator[Databases]:
    with EmbeddedServer.start(18, settings={"fsync": "off"}) as server:
        yield Databases(server)


def test_every_case_runs(databases: Databases) -> None:
    chosen = [case for case in cases(databases, TOY) if not any(some in case.name for some in LEFT_OUT)]
    outcome = runner.run(chosen, TOY)
    assert outcome.failed == {}
    assert [result.case for result in outcome.results] == [case.name for case in chosen]
    printed = report.table(outcome.results) + report.absolute_table(outcome.results)
    assert all(case.name in printed for case in chosen)


def test_work_that_was_not_done_is_noticed(databases: Databases) -> None:
    dsn = databases.clone(Template(TOY.contacts, True, "parallel-operation"), "not_done")
    require_synced(dsn)
    without_sync(dsn)
    with connect(dsn) as conn:
        conn.execute("update public.contacts set city = 'elsewhere' where id = md5('1')::uuid")
    for require in (require_synced, require_settled):
        with pytest.raises(BenchFailed, match="drift of c"):
            require(dsn)


def test_a_case_that_fails_is_left_out_and_said_to_have_failed() -> None:
    def fails(number: int) -> dict[str, float]:
        raise BenchFailed("half of it is missing")

    def falls_over(number: int) -> dict[str, float]:
        raise psycopg.OperationalError("the server is gone")

    def lies() -> None:
        raise BenchFailed("none of it was written")

    good = Case("good", "s", lambda number: {"a": 1.0 + number, "b": 2.0}, (ratio("a", "b", 1.0),))
    bad = [
        Case("fails", "s", fails, ()),
        Case("falls over", "s", falls_over, ()),
        dataclasses.replace(good, name="lies", verify=lies),
    ]
    outcome = runner.run([*bad, good], dataclasses.replace(TOY, rounds=3))
    assert outcome.failed == {
        "fails": "half of it is missing",
        "falls over": "the server is gone",
        "lies": "none of it was written",
    }
    assert [result.case for result in outcome.results] == ["good"]


def test_a_figure_is_the_median_of_the_ratios_within_a_round() -> None:
    case = Case(
        "x", "s", lambda number: {}, (ratio("a", "b", 2.0), ratio("a", "b", 3.0), ratio("a", "b", 2.5, at_least=True))
    )
    result = Result.of(case, [{"a": 1.0, "b": 1.0}, {"a": 100.0, "b": 50.0}, {"a": 9.0, "b": 1.0}])
    assert [(f.median, f.lowest, f.highest, f.met) for f in result.figures] == [
        (2.0, 1.0, 9.0, True),
        (2.0, 1.0, 9.0, True),
        (2.0, 1.0, 9.0, False),
    ]
    before = {"commit": "abc", "cases": [{"case": "x", "figures": [{"name": "a / b", "median": 4.0}]}]}
    assert "| x | a / b | 4.00 | 2.00 | -50 % |" in report.side_by_side(before, [result])


def test_the_machine_is_described(databases: Databases) -> None:
    described = machine.describe(databases.server, load=0.1)
    assert described.settings["fsync"] == "off"
    assert not described.busy
    assert dataclasses.replace(described, load=float(described.cores)).busy
