"""What goes wrong is said in one error, with what to do about it and the right exit status; and it changes nothing."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg.conninfo import make_conninfo

from tests.acceptance.catalogue import catalogue, changes
from tests.acceptance.commandline import REPOSITORY, Answer, crmshift, must, start
from tests.acceptance.conftest import LEGACY_TABLES, as_role, grant
from tests.support.templates import NOBODY, WORKSPACE

pytestmark = pytest.mark.default_pg

PASSWORD = "tr0ub4dor-and-3"


def fails(status: int, *command: str, dsn: str | None = None, timeout: float = 120.0) -> Answer:
    """Runs a command that must fail, clearly: an error line, no traceback, nothing from Python's side, no password."""
    answer = must(status, *command, dsn=dsn, timeout=timeout)
    assert answer.error.endswith((".", ")")) or answer.error, answer
    for noise in ("Traceback", "psycopg", "NoneType", 'File "', PASSWORD):
        assert noise not in answer.out + answer.err, answer
    return answer


@pytest.fixture
def seeded(make_database: Callable[[str], str]) -> str:
    return make_database("seeded")


@pytest.fixture
def parallel(make_database: Callable[[str], str]) -> str:
    return make_database("parallel")


@contextmanager
def unchanged(dsn: str) -> Iterator[None]:
    """Nothing in the catalogue changes meanwhile."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        before = catalogue(connection)
        yield
        assert not changes(before, catalogue(connection))


def execute(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


# --- the connection -----------------------------------------------------------------------------------------------------

COMMANDS = (
    ["plan"],
    ["apply", "--to", "sync-layer", "--yes"],
    ["backfill", "run"],
    ["backfill", "status"],
    ["sync", "status"],
    ["sync", "drain"],
    ["validate"],
    ["rollback", "--to", "legacy", "--yes"],
    ["status"],
    ["log"],
)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_nobody_listens(command: list[str]) -> None:
    port = _free_port()
    answer = fails(2, *command, dsn=f"postgresql://app:{PASSWORD}@127.0.0.1:{port}/crm")
    assert answer.error.startswith("Cannot connect to the database: ")
    assert "--dsn" in answer.hint
    assert not answer.out


def test_nobody_listens_and_the_error_says_where() -> None:
    port = _free_port()
    answer = fails(2, "status", dsn=f"postgresql://app:{PASSWORD}@127.0.0.1:{port}/crm")
    assert "127.0.0.1" in answer.error
    assert str(port) in answer.error
    assert "refused" in answer.error


def test_there_is_no_such_database(legacy_db: str) -> None:
    answer = fails(2, "status", dsn=make_conninfo(legacy_db, dbname="no_such_crm", password=PASSWORD))
    assert 'database "no_such_crm" does not exist' in answer.error


def test_there_is_no_such_host() -> None:
    answer = fails(2, "status", dsn=f"postgresql://app:{PASSWORD}@crm.invalid/crm")
    assert "crm.invalid" in answer.error


@pytest.mark.parametrize(
    "dsn",
    [
        pytest.param(f"postgresql://app:{PASSWORD}@[::1/crm", id="bracket"),
        pytest.param(f"postgresql://app:{PASSWORD}%zz@localhost/crm", id="percent"),
        pytest.param(f"postgresql://app@localhost/crm?port={PASSWORD}", id="port"),
        pytest.param(f"host=localhost password=x {PASSWORD}", id="space"),
        pytest.param(f"host=localhost password='{PASSWORD}", id="quote"),
        pytest.param(f"host=localhost pasword={PASSWORD}", id="option"),
        pytest.param(f"postgresql://app@localhost/crm?pasword={PASSWORD}", id="parameter"),
        pytest.param(PASSWORD, id="nothing but a password"),
    ],
)
def test_a_malformed_dsn_is_refused_without_being_shown(dsn: str) -> None:
    for answer in (fails(2, "status", dsn=dsn), fails(2, "status", "--dsn", dsn)):
        assert answer.hint


@pytest.mark.parametrize("variable", ["CRMSHIFT_DSN", "DATABASE_URL"])
def test_where_the_dsn_comes_from(legacy_db: str, variable: str) -> None:
    assert crmshift("status", env={variable: legacy_db}).status == 0
    wrong = make_conninfo(legacy_db, dbname="no_such_crm")
    assert crmshift("status", "--dsn", legacy_db, env={variable: wrong}).status == 0
    assert crmshift("status", "--dsn", wrong, env={variable: legacy_db}).status == 2


# --- the command line, plans and files ----------------------------------------------------------------------------------


def test_unknown_phases_and_steps(seeded: str) -> None:
    with unchanged(seeded):
        answer = fails(2, "apply", "--to", "paralel-operation", "--yes", dsn=seeded)
        assert "'paralel-operation'" in answer.error
        assert "parallel-operation" in answer.hint
        answer = fails(2, "plan", "--to", "nowhere", dsn=seeded)
        assert "'nowhere'" in answer.error
        answer = fails(2, "rollback", "--to", "mapping/nothing", "--yes", dsn=seeded)
        assert "'mapping/nothing'" in answer.error
        assert "sync-layer" in answer.hint


def test_apply_wants_a_phase_where_a_step_was_given(seeded: str) -> None:
    answer = fails(2, "apply", "--to", "schema/customers", "--yes", dsn=seeded)
    assert "sync-layer" in answer.hint


def _plan(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> str:
    document = yaml.safe_load((REPOSITORY / "plans" / "lead_centric.yaml").read_text())
    change(document)
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return str(path)


def _first_step(document: dict[str, Any]) -> dict[str, Any]:
    step: dict[str, Any] = document["phases"][0]["steps"][0]
    return step


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lambda d: d.update(owner="me"), "unknown key 'owner'", id="at the top"),
        pytest.param(lambda d: d["phases"][1].update(when="now"), "unknown key 'when'", id="in a phase"),
        pytest.param(lambda d: _first_step(d).update(retries=3), "unknown key 'retries'", id="in a step"),
        pytest.param(lambda d: d["mappings"].update(both=[]), "unknown key 'both'", id="in the mappings"),
        pytest.param(lambda d: d["phases"][0].pop("why"), "missing key 'why'", id="missing"),
        pytest.param(lambda d: _first_step(d).update(install="customers"), "one verb", id="two verbs"),
        pytest.param(lambda d: d["phases"][0]["steps"].append({"batch": 3}), "one verb", id="no verb"),
        pytest.param(
            lambda d: d["phases"][1]["steps"][0].update(batch=0), "batch must be a whole number", id="empty batches"
        ),
        pytest.param(lambda d: d["phases"].append(d["phases"][0]), "two phases are named sync-layer", id="twice"),
        pytest.param(
            lambda d: d["phases"][1]["steps"].append({"install": "orders"}),
            "'orders' is not among the mappings",
            id="mapping",
        ),
        pytest.param(
            lambda d: d["phases"][0]["steps"].append({"run": "schema/orders"}),
            "no file sql/schema/orders.sql",
            id="file",
        ),
    ],
)
def test_what_a_plan_may_not_say(
    seeded: str, tmp_path: Path, change: Callable[[dict[str, Any]], None], says: str
) -> None:
    plan = _plan(tmp_path, change)
    with unchanged(seeded):
        answer = fails(2, "apply", "--to", "sync-layer", "--plan", plan, "--yes", dsn=seeded)
    assert says in answer.error


def test_a_plan_that_cannot_be_read(seeded: str, tmp_path: Path) -> None:
    answer = fails(2, "plan", "--plan", str(tmp_path / "none.yaml"), dsn=seeded)
    assert str(tmp_path / "none.yaml") in answer.error

    answer = fails(2, "plan", "--plan", "lead_zentric", dsn=seeded)
    assert "lead_zentric" in answer.error
    assert "lead_centric" in answer.hint

    folder = tmp_path / "folder.yaml"
    folder.mkdir()
    assert str(folder) in fails(2, "plan", "--plan", str(folder), dsn=seeded).error

    broken = tmp_path / "broken.yaml"
    for text in ("phases: [", "\tname: x", "just a sentence", "[1, 2]", "name: !!python/object:os.system {}"):
        broken.write_text(text)
        assert str(broken) in fails(2, "plan", "--plan", str(broken), dsn=seeded).error
    broken.write_bytes(b"name: \xff\xfe")
    assert str(broken) in fails(2, "status", "--plan", str(broken), dsn=seeded).error


def test_an_empty_plan(seeded: str, tmp_path: Path) -> None:
    empty = tmp_path / "empty.yaml"
    empty.touch()
    assert str(empty) in fails(2, "plan", "--plan", str(empty), dsn=seeded).error


def test_a_project_folder_that_is_not_there(seeded: str, tmp_path: Path) -> None:
    for command in (["plan"], ["apply", "--to", "sync-layer", "--yes"], ["rollback", "--to", "legacy"], ["status"]):
        answer = fails(2, *command, "--project", str(tmp_path / "none"), dsn=seeded)
        assert str(tmp_path / "none") in answer.error
        assert "--project" in answer.hint


def _project(tmp_path: Path, name: str, change: Callable[[str], str]) -> str:
    """A project folder that holds one changed file."""
    path = tmp_path / "project" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(change((REPOSITORY / name).read_text()))
    return str(tmp_path / "project")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lambda t: t.replace("as cst_id,", "as cst_id,, ("), "cannot be read as SQL", id="syntax"),
        pytest.param(lambda t: t.replace("c.city::text ", "city "), "city with the alias of its table", id="no alias"),
        pytest.param(
            lambda t: t.replace("from public.contacts as c", "from contacts as c"), "with its schema", id="no schema"
        ),
        pytest.param(
            lambda t: t.replace("crmshift.customers_expected", "crmshift.other"), "customers_expected", id="name"
        ),
        pytest.param(lambda t: "", "one view", id="empty"),
        pytest.param(
            lambda t: t.split("insert into crmshift.mapping")[0], "one row for crmshift.mapping", id="unregistered"
        ),
    ],
)
def test_a_broken_mapping(seeded: str, tmp_path: Path, change: Callable[[str], str], says: str) -> None:
    project = _project(tmp_path, "sql/mapping/customers.sql", change)
    with unchanged(seeded):
        for command in (["plan"], ["apply", "--to", "sync-layer", "--yes"]):
            answer = fails(2, *command, "--project", project, dsn=seeded)
            assert says in answer.error
            assert "sql/mapping/customers.sql" in answer.error


def test_a_statement_that_fails_is_rolled_back_and_told(seeded: str, tmp_path: Path) -> None:
    project = _project(tmp_path, "sql/schema/leads.sql", lambda t: t + "\ncreate table public.leads ();\n")
    answer = fails(2, "apply", "--to", "sync-layer", "--project", project, "--yes", dsn=seeded)
    assert "schema/leads" in answer.error
    assert "42P07" in answer.error
    with psycopg.connect(seeded) as connection:
        assert connection.execute("select to_regclass('public.leads')").fetchone() == (None,)
    status = must(0, "status", "--format", "json", dsn=seeded).document
    assert "schema/leads" in status["phases"][0]["trouble"]
    assert "42P07" in must(0, "log", dsn=seeded).out
    must(0, "apply", "--to", "sync-layer", "--yes", dsn=seeded)


def test_workspaces_that_do_not_exist(parallel: str) -> None:
    answer = fails(2, "validate", "--workspace", NOBODY, dsn=parallel)
    assert NOBODY in answer.error
    assert "workspaces" in answer.hint
    must(0, "validate", "--workspace", WORKSPACE, dsn=parallel)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["validate", "--workspace", "alpha"], id="not a UUID"),
        pytest.param(["validate", "--format", "xml"], id="no such format"),
        pytest.param(["apply", "--yes"], id="no phase"),
        pytest.param(["rollback", "--to", "legacy", "--accept-loss", "all"], id="not a number"),
        pytest.param(["rollback", "--to", "legacy", "--accept-loss", "-1"], id="below zero"),
        pytest.param(["backfill", "run", "--batch", "0"], id="empty batches"),
        pytest.param(["log", "--limit", "0"], id="no lines"),
        pytest.param(["status", "--verbose"], id="no such option"),
        pytest.param(["migrate"], id="no such command"),
        pytest.param(["sync", "stop"], id="no such subcommand"),
    ],
)
class TestUsage:
    def test_is_told_with_status_2(self, parallel: str, command: list[str]) -> None:
        answer = must(2, *command, dsn=parallel)
        assert answer.err
        assert not answer.out

    def test_is_one_error_line(self, parallel: str, command: list[str]) -> None:
        fails(2, *command, dsn=parallel)

    def test_is_a_document_where_one_was_asked_for(self, parallel: str, command: list[str]) -> None:
        if "--format" not in command:
            assert fails(2, *command, "--format", "json", dsn=parallel).document["exit_code"] == 2


def test_reports_that_cannot_be_written(parallel: str, tmp_path: Path) -> None:
    missing = tmp_path / "none" / "crmshift.xml"
    answer = fails(2, "validate", "--report", f"junit={missing}", dsn=parallel)
    assert str(missing) in answer.error
    assert not answer.out, "told before the work, not after it"
    answer = fails(2, "validate", "--report", str(missing), dsn=parallel)
    assert "junit=FILE" in answer.error
    answer = fails(2, "validate", "--report", f"junit={tmp_path}", dsn=parallel)
    assert str(tmp_path) in answer.error


# --- the state of the database ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [["validate"], ["backfill", "run"], ["sync", "status"], ["sync", "drain"]], ids=" ".join
)
def test_nothing_is_installed(seeded: str, command: list[str]) -> None:
    with unchanged(seeded):
        answer = fails(3, *command, dsn=seeded)
        assert "not installed" in answer.error
        assert answer.hint == "Run: crmshift apply --to sync-layer"


def test_nothing_is_installed_and_that_is_no_trouble(seeded: str) -> None:
    with unchanged(seeded):
        assert must(0, "status", dsn=seeded).out
        assert "empty" in must(0, "log", dsn=seeded).out
        assert "No backfill" in must(0, "backfill", "status", dsn=seeded).out
        assert "Nothing to do" in must(0, "rollback", "--to", "legacy", "--yes", dsn=seeded).out


def test_without_a_terminal_nobody_is_asked(seeded: str, parallel: str) -> None:
    with unchanged(seeded):
        answer = fails(2, "apply", "--to", "sync-layer", dsn=seeded)
        assert "--yes" in answer.hint
    with unchanged(parallel):
        answer = fails(2, "rollback", "--to", "legacy", dsn=parallel)
        assert "--yes" in answer.hint


def test_legacy_lacks_a_mapped_column(seeded: str) -> None:
    execute(seeded, "alter table contacts drop column zip")
    with unchanged(seeded):
        for command in (["plan"], ["apply", "--to", "sync-layer", "--yes"]):
            answer = fails(3, *command, dsn=seeded)
            assert "public.contacts" in answer.error
            assert "zip" in answer.error
            assert "sql/mapping/" in answer.hint


@pytest.mark.parametrize("table", ["contacts", "contact_custom_fields", "appointments"])
def test_legacy_has_a_column_that_nobody_maps(seeded: str, tmp_path: Path, table: str) -> None:
    execute(seeded, f"alter table {table} add column shoe_size text default '42'")
    with unchanged(seeded):
        for command in (["plan"], ["apply", "--to", "sync-layer", "--yes"]):
            answer = fails(3, *command, dsn=seeded)
            assert "shoe_size" in answer.error
            assert f"public.{table}" in answer.error
            assert f"left_behind: public.{table}:" in answer.hint

    # The hint is right, and the column outlives the way there and back.
    project = tmp_path / "project"
    (project / "plans").mkdir(parents=True)
    shutil.copy(
        _plan(tmp_path, lambda d: d.update(left_behind={f"public.{table}": ["shoe_size"]})),
        project / "plans" / "lead_centric.yaml",
    )
    must(0, "apply", "--to", "parallel-operation", "--project", str(project), "--yes", dsn=seeded)
    must(0, "validate", dsn=seeded)
    execute(seeded, f"update {table} set shoe_size = '43'")
    execute(seeded, "update customers set city = 'Rome'")
    must(0, "validate", dsn=seeded)
    must(0, "rollback", "--to", "legacy", "--project", str(project), "--yes", dsn=seeded)
    with psycopg.connect(seeded) as connection:
        found = connection.execute(f"select distinct shoe_size from {table}").fetchall()
    assert found == [("43",)]


def test_the_key_of_a_legacy_table_is_not_unique(seeded: str) -> None:
    execute(seeded, "alter table appointments drop constraint appointments_pkey")
    with unchanged(seeded):
        for command in (["plan"], ["apply", "--to", "sync-layer", "--yes"]):
            answer = fails(3, *command, dsn=seeded)
            assert "The key id of public.appointments is not unique" in answer.error
            assert "create unique index concurrently on public.appointments (id);" in answer.hint
    execute(seeded, "create unique index concurrently on public.appointments (id)")
    must(0, "apply", "--to", "parallel-operation", "--yes", dsn=seeded)


def test_a_legacy_table_is_missing(seeded: str, make_database: Callable[[str], str]) -> None:
    empty = make_database("empty")
    with unchanged(empty):
        for command in (["plan"], ["apply", "--to", "sync-layer", "--yes"]):
            answer = fails(3, *command, dsn=empty)
            assert "does not exist" in answer.error
            assert answer.hint
    execute(seeded, "alter table appointments rename to meetings")
    with unchanged(seeded):
        assert "public.appointments" in fails(3, "apply", "--to", "sync-layer", "--yes", dsn=seeded).error


@pytest.mark.parametrize("table", ["workspaces", "custom_fields"])
def test_a_shared_table_is_missing(seeded: str, table: str) -> None:
    """Nothing maps it; yet crmshift reads it."""
    execute(seeded, f"alter table {table} rename to something_else")
    with unchanged(seeded):
        answer = fails(3, "apply", "--to", "sync-layer", "--yes", dsn=seeded)
        assert f"public.{table}" in answer.error


def test_the_target_is_taken(seeded: str) -> None:
    execute(seeded, "create table leads (id int)")
    with unchanged(seeded):
        answer = fails(3, "apply", "--to", "sync-layer", "--yes", dsn=seeded)
        assert "public.leads" in answer.error
    execute(seeded, "drop table leads", "create schema crmshift")
    with unchanged(seeded):
        answer = fails(3, "apply", "--to", "sync-layer", "--yes", dsn=seeded)
        assert "crmshift" in answer.error
        assert answer.hint


def test_losses_are_accepted_by_their_number(parallel: str) -> None:
    execute(
        parallel,
        "insert into leads (customer_id, workspace_id, disposition) select cst_id, workspace_id, 'second' from customers",
    )
    preview = must(0, "rollback", "--to", "legacy", "--preview", "--format", "json", dsn=parallel).document
    lost = preview["loss"]
    assert lost >= 4
    with unchanged(parallel):
        for wrong in (0, 1, lost - 1, lost + 1):
            answer = fails(3, "rollback", "--to", "legacy", "--accept-loss", str(wrong), "--yes", dsn=parallel)
            assert str(lost) in answer.error
            assert f"--accept-loss {lost}" in answer.hint
        document = must(3, "rollback", "--to", "legacy", "--yes", "--format", "json", dsn=parallel).document
        assert document["exit_code"] == 3
        assert str(lost) in document["error"]["message"]
    must(0, "rollback", "--to", "legacy", "--accept-loss", str(lost), "--yes", dsn=parallel)


# --- rights -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", ["seeded", "parallel"])
def test_a_role_that_only_reads_can_plan_and_look(
    make_database: Callable[[str], str], make_role: Callable[..., str], template: str
) -> None:
    dsn, reader = make_database(template), make_role("reader")
    if template == "parallel":
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"grant usage on schema crmshift to {reader}")
            connection.execute(f"grant select on all tables in schema crmshift to {reader}")
    with unchanged(dsn):
        must(0, "plan", dsn=as_role(dsn, reader))
        must(0, "plan", "--sql", dsn=as_role(dsn, reader))
        must(1, "plan", "--check", dsn=as_role(dsn, reader))
        must(0, "status", dsn=as_role(dsn, reader))
        must(0, "log", dsn=as_role(dsn, reader))
        must(0, "backfill", "status", dsn=as_role(dsn, reader))


def test_a_role_without_rights_is_told(seeded: str, make_role: Callable[..., str]) -> None:
    role = make_role("nobody")
    with unchanged(seeded):
        answer = fails(2, "apply", "--to", "sync-layer", "--yes", dsn=as_role(seeded, role))
        assert "permission denied" in answer.error


def test_a_role_without_rights_on_the_ledger_is_told(parallel: str, make_role: Callable[..., str]) -> None:
    role = make_role("nobody")
    for command in (["status"], ["plan"], ["log"], ["sync", "status"], ["validate"]):
        assert "permission denied" in fails(2, *command, dsn=as_role(parallel, role)).error


def test_a_role_from_whom_rows_are_hidden_is_refused(seeded: str, make_role: Callable[..., str]) -> None:
    role = make_role("tenant")
    grant(seeded, role, "all", *LEGACY_TABLES)
    execute(
        seeded,
        f"grant create on schema public to {role}",
        f"""do $$ begin execute format('grant create on database %I to {role}', current_database()); end $$""",
        "alter table contacts enable row level security",
        f"create policy own on contacts using (workspace_id = '{WORKSPACE}')",
    )
    with unchanged(seeded):
        answer = fails(3, "apply", "--to", "sync-layer", "--yes", dsn=as_role(seeded, role))
        assert "Row-level security hides rows of public.contacts" in answer.error
        assert "BYPASSRLS" in answer.hint
    must(0, "apply", "--to", "parallel-operation", "--yes", dsn=seeded)  # from a superuser nothing is hidden
    must(0, "validate", dsn=seeded)


def test_a_role_from_whom_rows_are_hidden_does_not_validate(parallel: str, make_role: Callable[..., str]) -> None:
    """It would compare what it sees, and call clean what it does not."""
    role = make_role("tenant")
    grant(parallel, role, "select", *LEGACY_TABLES, "customers", "leads", "customer_custom_fields", "lead_appointments")
    grant(parallel, role, "select", "lead_custom_fields", "appointment_custom_fields")
    execute(
        parallel,
        f"grant usage on schema crmshift to {role}",
        f"grant all on all tables in schema crmshift to {role}",
        f"grant usage on all sequences in schema crmshift to {role}",
        "set session_replication_role = replica",
        "update customers set city = 'elsewhere'",
    )
    answer = crmshift("validate", dsn=as_role(parallel, role))
    assert answer.status != 0, answer


# --- locks --------------------------------------------------------------------------------------------------------------


def test_a_second_apply_names_the_first(seeded: str, make_role: Callable[..., str]) -> None:
    """The first waits for a lock; the second does not wait for the first."""
    with psycopg.connect(seeded) as blocker:
        blocker.execute("lock table contacts in access exclusive mode")
        first = start("apply", "--to", "sync-layer", "--yes", dsn=seeded)
        try:
            _wait_for_driver(seeded)
            for command in (
                ["apply", "--to", "sync-layer", "--yes"],
                ["apply", "--to", "parallel-operation", "--yes", "--format", "json"],
                ["rollback", "--to", "legacy", "--yes"],
            ):
                answer = fails(4, *command, dsn=seeded)
                assert answer.seconds < 20
                assert "Another crmshift is at work" in answer.error
                assert "crmshift/apply" in answer.error
                assert answer.hint
            looked = must(0, "status", "--format", "json", dsn=seeded)
            assert "crmshift/apply" in looked.document["driver"]
            blocker.rollback()
            out, err = first.communicate(timeout=60)
            assert first.returncode == 0, out + err
        finally:
            first.kill()
            first.communicate()
    must(0, "apply", "--to", "parallel-operation", "--yes", dsn=seeded)


def _wait_for_driver(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        deadline = time.monotonic() + 30
        while connection.execute("select count(*) from pg_locks where locktype = 'advisory'").fetchone() == (0,):
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.shows("peer 5.2")
def test_a_table_that_stays_locked(seeded: str) -> None:
    """Bounded, harmless to others, nothing half done; and the same command goes on afterwards."""
    with psycopg.connect(seeded) as blocker:
        blocker.execute("lock table contacts in access exclusive mode")
        answer = fails(4, "apply", "--to", "parallel-operation", "--yes", dsn=seeded, timeout=100)
        assert answer.seconds < 90
        assert "pg_stat_activity" in answer.hint
        blocker.rollback()
        # No trigger without its function, no ledger row without its change.
        steps = must(0, "plan", "--format", "json", dsn=seeded).document["steps"]
        stuck = [s["name"] for s in steps if s["state"] == "failed"]
        assert len(stuck) <= 1
        half = blocker.execute(
            """
            select tgrelid::regclass::text, count(*) from pg_trigger where tgname like 'crmshift_sync%' group by 1
            having count(*) <> 4
            """
        ).fetchall()
        assert not half
        blocker.rollback()
        must(0, "apply", "--to", "parallel-operation", "--yes", dsn=seeded)
        must(0, "validate", dsn=seeded)

        blocker.execute("lock table contacts in access exclusive mode")
        with unchanged(seeded):
            answer = fails(4, "rollback", "--to", "legacy", "--yes", dsn=seeded, timeout=100)
            assert answer.seconds < 90
        blocker.rollback()
    must(0, "validate", dsn=seeded)
    must(0, "rollback", "--to", "legacy", "--yes", dsn=seeded)


# --- documents ----------------------------------------------------------------------------------------------------------


def test_an_error_is_a_document_where_one_was_asked_for(seeded: str, parallel: str, tmp_path: Path) -> None:
    for status, dsn, *command in (
        (2, f"postgresql://app:{PASSWORD}@127.0.0.1:{_free_port()}/crm", "status"),
        (2, seeded, "apply", "--to", "nowhere", "--yes"),
        (2, seeded, "plan", "--project", str(tmp_path / "none")),
        (2, seeded, "apply", "--to", "sync-layer"),
        (3, seeded, "validate"),
        (3, seeded, "backfill", "run"),
        (3, seeded, "sync", "drain"),
        (2, parallel, "validate", "--workspace", NOBODY),
    ):
        answer = fails(status, *command, "--format", "json", dsn=dsn)
        document = json.loads(answer.out)
        assert document["exit_code"] == status
        assert document["format_version"]
        assert document["next_steps"] == []
        assert document["error"]["message"] == answer.error
        assert (document["error"]["hint"] or "") == answer.hint
        equals = crmshift(*command, "--format=json", dsn=dsn)
        assert equals.document["exit_code"] == status


def test_the_document_of_an_error_names_the_command(seeded: str) -> None:
    assert fails(3, "sync", "drain", "--format", "json", dsn=seeded).document["command"] == "sync drain"
