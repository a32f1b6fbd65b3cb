"""Ways a DBA goes: forward, halfway back, forward again, killed, beside others, on a database with habits of its own."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from crmshift.embedded import EmbeddedServer
from tests.acceptance.catalogue import catalogue, changes
from tests.acceptance.commandline import REPOSITORY, crmshift, must, start
from tests.acceptance.conftest import LEGACY_TABLES, Crm, as_role, grant
from tests.acceptance.crm import Connection
from tests.acceptance.traffic import Traffic, differences
from tests.support.databases import register_template
from tests.support.sessions import Session, sessions
from tests.support.templates import ADA, BEN, EMIL, FIELD, WORKSPACE

pytestmark = pytest.mark.default_pg


def _crowd(contacts: int) -> Callable[[str], None]:
    """Invented people, the same every time: some without dates, some without a lead, some with appointments."""

    def build(dsn: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(
                """
                insert into workspaces (id, name) select md5('w' || n)::uuid, 'Workspace ' || n from generate_series(0, 4) as n;
                insert into custom_fields (id, workspace_id, name)
                select md5('f' || n)::uuid, md5('w' || n % 5)::uuid, 'field ' || n from generate_series(0, 19) as n;
                """
            )
            connection.execute(
                """
                insert into contacts (id, workspace_id, firstname, lastname, email, phone_number, lead_source, lead_status,
                                      created_at, updated_at)
                select md5('c' || n)::uuid, md5('w' || n %% 5)::uuid, 'Jo', 'No ' || n, n || '@example.com',
                       case when n %% 7 > 0 then '+49 ' || n end, case when n %% 3 > 0 then 'web' end,
                       case when n %% 4 > 0 then 'new' end, case when n %% 5 > 0 then timestamptz '2020-01-01Z' + n * interval '1 min' end,
                       case when n %% 6 > 0 then timestamptz '2021-01-01Z' + n * interval '1 min' end
                  from generate_series(1, %s) as n
                """,
                [contacts],
            )
            connection.execute(
                """
                insert into contact_custom_fields (contact_id, field_id, value, created_at)
                select c.id, f.id, left(c.lastname, 5) || f.name, c.created_at
                  from contacts as c join custom_fields as f on f.workspace_id = c.workspace_id;
                insert into appointments (contact_id, scheduled_at, apptdate, status)
                select id, updated_at, updated_at + interval '1 day', 'kept' from contacts where firstname || right(lastname, 1) = 'Jo7';
                """
            )
            connection.execute("vacuum analyze")

    return build


register_template("crowd", base="legacy", build=_crowd(2_000))
register_template("multitude", base="legacy", build=_crowd(15_000))


@contextmanager
def connected(crm: Crm) -> Iterator[tuple[Connection, Connection]]:
    """Superuser's connections to the database and to the record."""
    with psycopg.connect(crm.dsn, autocommit=True) as live, psycopg.connect(crm.record, autocommit=True) as record:
        yield live, record


@contextmanager
def meanwhile(traffic: Traffic, v1: int = 1, v2: int = 0) -> Iterator[None]:
    """Let applications write while the block runs. Raises what they met."""
    enough = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(traffic.run, 10**6, v1, v2, enough)
        try:
            yield
        finally:
            enough.set()
        assert running.result().total() > 0


def settled(crm: Crm) -> None:
    """Both sides agree, once what has crossed is drained."""
    must(0, "sync", "drain", dsn=crm.dsn)
    must(0, "validate", dsn=crm.dsn)


def all_the_way_back(crm: Crm) -> None:
    """Accept what would be lost; where applications at work have changed the number by then, the number the hint names."""
    lost = must(0, "rollback", "--to", "legacy", "--preview", "--format", "json", dsn=crm.dsn).document["loss"]
    for _ in range(20):
        answer = crmshift("rollback", "--to", "legacy", "--accept-loss", str(lost), "--yes", dsn=crm.dsn)
        if answer.status == 0:
            return
        assert answer.status == 3, answer
        lost = answer.hint.rpartition(" ")[2]
    raise AssertionError(answer)


# --- forward and back ---------------------------------------------------------------------------------------------------


def test_second_thoughts_under_live_writes(make_crm: Callable[[str], Crm]) -> None:
    crm = make_crm("crowd")
    with connected(crm) as (live, record):
        before = catalogue(live)
        traffic = Traffic(crm.databases, seed=1)
        with meanwhile(traffic):
            must(0, "apply", "--to", "sync-layer", "--yes", dsn=crm.dsn)
        traffic.run(300, v1=2, v2=0)
        assert not differences(live, record)
        with meanwhile(traffic):
            must(0, "apply", "--to", "parallel-operation", "--yes", dsn=crm.dsn)
        settled(crm)

        crm.admit_v2()
        with meanwhile(traffic, v1=1, v2=1):
            must(0, "rollback", "--to", "sync-layer", "--yes", dsn=crm.dsn)
            time.sleep(1)
            assert must(1, "validate", "--format", "json", dsn=crm.dsn).document["next_steps"] == [
                "crmshift apply --to parallel-operation"
            ]
            must(0, "apply", "--to", "parallel-operation", "--yes", dsn=crm.dsn)
        settled(crm)
        assert not differences(live, record)

        with meanwhile(traffic):  # v1 goes on while the other side is taken away
            all_the_way_back(crm)
        assert not differences(live, record)
        assert not changes(before, catalogue(live))


def test_there_and_back_twice(make_crm: Callable[[str], Crm]) -> None:
    crm = make_crm("crowd")
    with connected(crm) as (live, record):
        before = catalogue(live)
        traffic = Traffic(crm.databases, seed=2)
        for _ in range(2):
            must(0, "apply", "--to", "parallel-operation", "--yes", dsn=crm.dsn)
            crm.admit_v2()
            traffic.run(400)
            settled(crm)
            all_the_way_back(crm)
            assert not differences(live, record)
            assert not changes(before, catalogue(live))


@pytest.mark.slow
def test_back_to_any_step(make_database: Callable[[str], str]) -> None:
    dsn = make_database("seeded")
    must(0, "apply", "--to", "parallel-operation", "--yes", dsn=dsn)
    steps = [
        s["name"] for s in must(0, "plan", "--format", "json", dsn=dsn).document["steps"] if s["state"] == "applied"
    ]
    for target in [*steps[::6], steps[-1]]:
        answer = must(0, "rollback", "--to", target, "--yes", "--format", "json", dsn=dsn)
        kept = steps[: steps.index(target) + 1]
        assert answer.document["undone"] == steps[: len(kept) - 1 : -1]
        states = {s["name"]: s["state"] for s in must(0, "plan", "--format", "json", dsn=dsn).document["steps"]}
        assert [name for name in steps if states[name] == "applied"] == kept
        again = must(0, "apply", "--to", "parallel-operation", "--yes", "--format", "json", dsn=dsn)
        assert again.document["applied"] == steps[len(kept) :]
        must(0, "validate", dsn=dsn)
    must(0, "rollback", "--to", "legacy", "--yes", dsn=dsn)


def test_the_phases_that_are_there_in_part(make_crm: Callable[[str], Crm]) -> None:
    crm = make_crm("crowd")
    with connected(crm) as (live, record):
        before = catalogue(live)
        must(0, "apply", "--to", "parallel-operation", "--yes", dsn=crm.dsn)
        crm.admit_v2()
        traffic = Traffic(crm.databases, seed=3)
        for phase in ("traffic-migration", "legacy-deprecation"):
            with meanwhile(traffic, v1=1, v2=1):
                must(0, "apply", "--to", phase, "--yes", dsn=crm.dsn)
            traffic.run(200)
            settled(crm)
            assert not differences(live, record)
            with pytest.raises(psycopg.errors.ForeignKeyViolation):
                live.execute("delete from workspaces where id = (select workspace_id from customers limit 1)")
        status = must(0, "status", "--format", "json", dsn=crm.dsn).document
        assert status["phase"] == "legacy-deprecation"
        must(0, "rollback", "--to", "traffic-migration", "--yes", dsn=crm.dsn)
        with meanwhile(traffic, v1=1, v2=1):
            must(0, "rollback", "--to", "parallel-operation", "--yes", dsn=crm.dsn)
        settled(crm)
        assert must(0, "status", "--format", "json", dsn=crm.dsn).document["phase"] == "parallel-operation"
        all_the_way_back(crm)
        assert not differences(live, record)
        assert not changes(before, catalogue(live))


# --- killed -------------------------------------------------------------------------------------------------------------


def _kill_when(dsn: str, reached: Callable[[Connection], bool], *command: str) -> bool:
    """Start a command and kill it as soon as the database shows a state; False where it ended before that."""
    with start(*command, dsn=dsn) as process, psycopg.connect(dsn, autocommit=True) as connection:
        while not reached(connection):
            if process.poll() is not None:
                out, err = process.communicate()
                assert process.returncode == 0, out + err
                return False
            time.sleep(0.002)
        process.kill()
        process.communicate()
    return True


def _progress(connection: Connection) -> int:
    """How far an apply has come: steps that are applied, and rows that are walked."""
    if connection.execute("select to_regclass('crmshift.backfill')").fetchone() == (None,):
        return 0
    row = connection.execute("select count(*) from crmshift.step_state where state = 'applied'").fetchone()
    assert row is not None
    return int(row[0]) + _walked(connection)


def _undoing(connection: Connection) -> bool:
    """Whether a rollback is in the middle of its transaction."""
    found = connection.execute(
        """
        select from pg_stat_activity as a join pg_locks as l using (pid)
         where a.application_name = 'crmshift/rollback' and a.datname = current_database()
           and l.granted and l.mode = 'AccessExclusiveLock' and l.relation > 16384
        """
    )
    return found.fetchone() is not None


@pytest.mark.slow
def test_killed_again_and_again(make_crm: Callable[[str], Crm]) -> None:
    """kill -9 at any moment, with applications at work: the same command goes on, and nothing is lost or doubled."""
    crm = make_crm("multitude")
    rng = random.Random(4)
    with connected(crm) as (live, record):
        before = catalogue(live)
        traffic = Traffic(crm.databases, seed=4)
        with meanwhile(traffic):
            stood = []
            for point in (*sorted(rng.sample(range(5, 46), 3)), *sorted(rng.sample(range(1_000, 60_000), 2))):
                command = ["apply", "--to", "parallel-operation", "--yes"]
                assert _kill_when(crm.dsn, lambda c, p=point: _progress(c) >= p, *command)  # type: ignore[misc]
                stood.append(_progress(live))
            must(0, "apply", "--to", "parallel-operation", "--yes", dsn=crm.dsn)
        print(f"killed with so many steps and rows done: {stood}")
        settled(crm)
        assert not differences(live, record)

        kills = sum(_kill_when(crm.dsn, _undoing, "rollback", "--to", "legacy", "--yes") for _ in range(3))
        print(f"killed {kills} times while going back")
        must(0, "rollback", "--to", "legacy", "--yes", dsn=crm.dsn)
        assert not differences(live, record)
        assert not changes(before, catalogue(live))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_finishes_its_batch(make_database: Callable[[str], str], number: signal.Signals) -> None:
    dsn = make_database("multitude")
    must(0, "apply", "--to", "sync-layer", "--yes", dsn=dsn)
    with start("backfill", "run", "--batch", "50", dsn=dsn) as process, psycopg.connect(dsn, autocommit=True) as live:
        while not _walked(live) and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 5, out + err
        assert "Run the same command again" in err
        assert 0 < _walked(live) < 15_000
    must(0, "backfill", "run", dsn=dsn)
    must(0, "apply", "--to", "parallel-operation", "--yes", dsn=dsn)
    must(0, "validate", dsn=dsn)


def test_a_key_changed_under_a_batch_leaves_no_gap(make_database: Callable[[str], str]) -> None:
    """A batch waits for a row whose key then is another one, far ahead."""
    dsn = make_database("crowd")
    must(0, "apply", "--to", "sync-layer", "--yes", dsn=dsn)
    with sessions(dsn, "v1", "looker") as (v1, looker):
        first, far = (
            "select id from contacts order by id limit 1",
            "select id from contacts order by id desc offset 1 limit 1",
        )
        v1(f"update contacts set city = 'Rome' where id in (({first}), ({far}))")  # makes them customers already
        v1(f"delete from contact_custom_fields where contact_id = ({far})")
        v1("begin")
        v1(f"update contact_custom_fields set contact_id = ({far}) where contact_id = ({first})")
        with start("backfill", "run", "--batch", "50", dsn=dsn) as process:
            _wait_for_a_lock(looker, process)
            v1.commit()
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, out + err
    must(0, "apply", "--to", "parallel-operation", "--yes", dsn=dsn)
    must(0, "validate", dsn=dsn)


def _wait_for_a_lock(looker: Session, process: subprocess.Popen[str]) -> None:
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    while looker(waiting) == [(0,)] and process.poll() is None:
        pass


@pytest.mark.parametrize("rows", [1, 50, 120])
def test_rows_deleted_under_a_batch_do_not_end_the_backfill(make_database: Callable[[str], str], rows: int) -> None:
    """A batch waits for rows that are then gone: one, all of a batch, more than a batch."""
    dsn = make_database("crowd")
    must(0, "apply", "--to", "sync-layer", "--yes", dsn=dsn)
    with sessions(dsn, "v1", "looker") as (v1, looker):
        v1("begin")
        v1("delete from contacts where id in (select id from contacts order by id limit %s)", rows)
        with start("backfill", "run", "--batch", "50", dsn=dsn) as process:
            _wait_for_a_lock(looker, process)
            v1.commit()
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, out + err
        assert looker("select count(*) from contacts") == looker("select count(*) from customers") == [(2_000 - rows,)]
    must(0, "apply", "--to", "parallel-operation", "--yes", dsn=dsn)
    must(0, "validate", dsn=dsn)


def _walked(connection: Connection) -> int:
    row = connection.execute("select coalesce(sum(rows_done), 0)::int from crmshift.backfill").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.slow
def test_the_server_crashes(make_server: Callable[..., EmbeddedServer]) -> None:
    server = make_server(synchronous_commit="on")
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as admin:
        admin.execute("create database crm")
    dsn = server.dsn("crm")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute((REPOSITORY / "sql" / "legacy" / "schema.sql").read_text())
    _crowd(15_000)(dsn)
    for point in (7, 30, 20_000):
        with start("apply", "--to", "parallel-operation", "--yes", dsn=dsn) as process:
            with psycopg.connect(dsn, autocommit=True) as connection:
                while _progress(connection) < point:
                    assert process.poll() is None
                    time.sleep(0.002)
            server.crash()
            out, err = process.communicate(timeout=60)
        assert process.returncode == 2, out + err
        assert "Traceback" not in err
        assert "error:" in err
        assert "Run the same command again" in err
        server.restart()
    must(0, "apply", "--to", "parallel-operation", "--yes", dsn=dsn)
    must(0, "validate", dsn=dsn)
    must(0, "rollback", "--to", "legacy", "--yes", dsn=dsn)


# --- beside others ------------------------------------------------------------------------------------------------------


def test_two_databases_of_one_cluster(make_database: Callable[[str], str]) -> None:
    """Each has its own driver's lock: neither waits for the other, nor knows of it."""
    dsns = [make_database("multitude"), make_database("multitude")]
    for command in (
        ["apply", "--to", "parallel-operation", "--yes"],
        ["validate"],
        ["rollback", "--to", "legacy", "--yes"],
    ):
        processes = [start(*command, dsn=dsn) for dsn in dsns]
        for process in processes:
            out, err = process.communicate(timeout=120)
            assert process.returncode == 0, out + err

    stuck, free = dsns
    with psycopg.connect(stuck) as blocker:
        blocker.execute("lock table contacts in access exclusive mode")
        waiting = start("apply", "--to", "sync-layer", "--yes", dsn=stuck)
        must(0, "apply", "--to", "sync-layer", "--yes", dsn=free)
        assert must(0, "status", "--format", "json", dsn=free).document["driver"] is None
        assert waiting.poll() is None
        blocker.rollback()
        out, err = waiting.communicate(timeout=60)
        assert waiting.returncode == 0, out + err


@pytest.mark.shows("mission P12")
def test_an_owner_of_the_tables_needs_to_be_no_superuser(
    make_crm: Callable[[str], Crm], make_role: Callable[..., str]
) -> None:
    crm, owner = make_crm("crowd"), make_role("owner")
    dsn = as_role(crm.dsn, owner)
    with connected(crm) as (live, record):
        live.execute(f"grant create on schema public to {owner}")
        live.execute(
            sql.SQL("grant create on database {} to {}").format(sql.Identifier(live.info.dbname), sql.Identifier(owner))
        )
        for table in LEGACY_TABLES:
            live.execute(f"alter table {table} owner to {owner}")
        before = catalogue(live)
        must(0, "apply", "--to", "parallel-operation", "--yes", dsn=dsn)
        crm.admit_v2()
        Traffic(crm.databases, seed=6).run(600)
        must(0, "sync", "drain", dsn=dsn)
        must(0, "validate", dsn=dsn)
        must(0, "apply", "--to", "legacy-deprecation", "--yes", dsn=dsn)
        assert not differences(live, record)
        lost = must(0, "rollback", "--to", "legacy", "--preview", "--format", "json", dsn=dsn).document["loss"]
        must(0, "rollback", "--to", "legacy", "--accept-loss", str(lost), "--yes", dsn=dsn)
        assert not differences(live, record)
        assert not changes(before, catalogue(live))


# --- databases with habits of their own ---------------------------------------------------------------------------------

UPDATED_AT = """
    create function touch() returns trigger language plpgsql as $$
    begin
        new.updated_at := clock_timestamp();
        return new;
    end $$;
    create trigger touch before update on contacts for each row execute function touch();
"""
TIDY = """
    create function tidy() returns trigger language plpgsql as $$
    begin
        new.email := lower(new.email);
        return new;
    end $$;
    create trigger tidy before insert or update on contacts for each row execute function tidy();
"""
AUDIT = """
    create table audit_log (id bigint generated always as identity, contact uuid, was text, is_now text, whom text);
    create function audit() returns trigger language plpgsql as $$
    begin
        insert into audit_log (contact, was, is_now, whom)
        select coalesce(new.id, old.id), old.lead_status, new.lead_status, w.name from workspaces as w
         where w.id = coalesce(new.workspace_id, old.workspace_id);
        return null;
    end $$;
    create trigger audit after insert or update or delete on contacts for each row execute function audit();
"""


@pytest.fixture
def with_triggers(make_database: Callable[[str], str], make_role: Callable[..., str]) -> Iterator[Crm]:
    """A CRM whose contacts have triggers that stamp, tidy and audit, written long before anyone thought of crmshift."""
    crm = Crm(make_database("seeded"), make_database("seeded"), make_role("crm_v1"), make_role("crm_v2"))
    with psycopg.connect(crm.dsn, autocommit=True) as connection:
        for text in (UPDATED_AT, TIDY, AUDIT):
            connection.execute(text)
    role = psycopg.conninfo.conninfo_to_dict(crm.databases.v1)["options"]
    grant(crm.dsn, str(role).partition("role=")[2], "insert, select", "audit_log")
    yield crm


def test_triggers_of_the_application(with_triggers: Crm) -> None:
    crm = with_triggers
    with connected(crm) as (live, _):
        before = catalogue(live)
        rows = live.execute("select * from contacts order by id").fetchall()
        must(0, "apply", "--to", "parallel-operation", "--yes", dsn=crm.dsn)
        crm.admit_v2()
        assert live.execute("select * from contacts order by id").fetchall() == rows, (
            "moving history touches no contact"
        )
        assert live.execute("select count(*) from audit_log").fetchone() == (0,)

        with psycopg.connect(crm.databases.v1, autocommit=True) as v1:
            v1.execute("update contacts set lead_status = 'called', email = 'ADA@Example.com' where id = %s", [ADA])
            v1.execute("delete from contacts where id = %s", [EMIL])
        with psycopg.connect(crm.databases.v2, autocommit=True) as v2:
            v2.execute("select set_config('app.workspace_id', %s, false)", [WORKSPACE])
            v2.execute("update customers set email = 'BEN@Example.com' where cst_id = %s", [BEN])
            v2.execute("update leads set disposition = 'won' where customer_id = %s and is_primary", [ADA])
            v2.execute(
                "insert into customers (cst_id, workspace_id, email) values (gen_random_uuid(), %s, 'NEW@Example.com')",
                [WORKSPACE],
            )
            v2.execute(
                """
                insert into customer_custom_fields (customer_id, field_id, workspace_id, value) values (%s, %s, %s, 'x')
                on conflict (customer_id, field_id) do update set value = excluded.value
                """,
                [BEN, FIELD, WORKSPACE],
            )
        must(0, "validate", dsn=crm.dsn)
        assert must(0, "sync", "status", dsn=crm.dsn)

        # What the application's triggers make of a value, both sides have.
        for table, column in (("contacts", "email"), ("customers", "email")):
            found = {row[0] for row in live.execute(f"select {column} from {table}")}
            assert {"ada@example.com", "ben@example.com", "new@example.com"} <= found
        stamped = "select count(*) from {} where {} > now() - interval '10 min'"
        assert live.execute(stamped.format("contacts", "updated_at")).fetchone() == (3,)
        # And the audit tells of every change, whichever side it was made on.
        told = live.execute("select contact::text, was, is_now, whom from audit_log order by id").fetchall()
        assert (ADA, "new", "called", "Alpha") in told
        assert (ADA, "called", "won", "Alpha") in told
        assert (EMIL, "won", None, "Beta") in told
        assert all(row[3] for row in told)
        assert len([row for row in told if row[0] == ADA]) <= 4, "a change is told once or twice, not forever"

        must(0, "validate", dsn=crm.dsn)
        all_the_way_back(crm)
        assert not changes(before, catalogue(live))


def test_an_audit_that_trusts_the_search_path(make_database: Callable[[str], str]) -> None:
    """It fails where the path does not lead to its table. Then the sync waits, the application does not, and no row is lost."""
    dsn = make_database("seeded")
    with psycopg.connect(dsn, autocommit=True) as live:
        live.execute("create schema app")
        live.execute("set search_path = app, public")
        live.execute(AUDIT)
        must(0, "apply", "--to", "parallel-operation", "--yes", dsn=dsn)
        live.execute("update contacts set city = 'Rome' where id = %s", [ADA])  # its own path is right
        live.execute("update customers set city = 'Oslo' where cst_id = %s", [BEN])
        status = crmshift("sync", "status", "--format", "json", dsn=dsn)
        if status.status == 1:
            assert status.document["queue"][0]["sqlstate"] == "42P01"
            must(1, "validate", dsn=dsn)
            live.execute("alter function app.audit() set search_path = app, public")
            must(0, "sync", "drain", dsn=dsn)
        must(0, "validate", dsn=dsn)
        assert live.execute("select city from contacts where id = %s", [BEN]).fetchone() == ("Oslo",)


# --- two writers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", ["update", "no key update", "share"])
def test_a_write_that_had_to_wait_is_not_forgotten(make_database: Callable[[str], str], lock: str) -> None:
    """v1 holds a contact, v2 writes its customer, then v1 writes another column: neither write is lost."""
    dsn = make_database("parallel")
    with psycopg.connect(dsn) as v1, psycopg.connect(dsn, autocommit=True) as v2:
        v1.execute(sql.SQL("select from contacts where id = %s for {}").format(sql.SQL(lock)), [ADA])
        began = time.monotonic()
        v2.execute("update customers set city = 'Oslo' where cst_id = %s", [ADA])
        v2.execute("update leads set disposition = 'won' where customer_id = %s and is_primary", [ADA])
        assert time.monotonic() - began < 3
        v1.execute("update contacts set firstname = 'Ida' where id = %s", [ADA])
        v1.commit()
        must(0, "sync", "drain", dsn=dsn)
        must(0, "validate", dsn=dsn)
        found = v2.execute("select firstname, city, lead_status from contacts where id = %s", [ADA]).fetchone()
        assert found == ("Ida", "Oslo", "won")


def test_a_write_that_is_queued_while_the_other_side_waits_is_not_forgotten(
    make_database: Callable[[str], str],
) -> None:
    """v1 holds the contact, v2 the lead; v1's sync waits for v2, and v2's gives up waiting for v1."""
    dsn = make_database("parallel")
    with sessions(dsn, "v1", "v2") as (v1, v2):
        v1("begin")
        v1("select from contacts where id = %s for update", ADA)
        v2.start("update leads set source = 'fair trade' where customer_id = %s and is_primary", ADA)
        v2.steps[-1].blocked()  # its sync wants the contact, and does not wait for long
        v1("update contacts set lead_status = 'called' where id = %s", ADA)
        v1.commit()
        v2.steps[-1].result()
        v2("update customers set city = 'Oslo' where cst_id = %s", ADA)
        must(0, "sync", "drain", dsn=dsn)
        must(0, "validate", dsn=dsn)
        assert v1("select lead_source, lead_status, city from contacts where id = %s", ADA) == [
            ("fair trade", "called", "Oslo")
        ]


def test_a_write_that_is_queued_while_a_drain_waits_is_not_forgotten(make_database: Callable[[str], str]) -> None:
    dsn = make_database("parallel")
    with sessions(dsn, "v1", "v2", "looker") as (v1, v2, looker):
        v2("begin")
        v2("select from customers where cst_id = %s for update", ADA)
        v1("update contacts set lastname = 'Waits' where id = %s", ADA)
        v2.rollback()
        assert looker("select count(*) from crmshift.sync_queue where subject = 'contacts'") == [(1,)]

        v1("begin")
        v1("select from contacts where id = %s for update", ADA)
        with start("sync", "drain", dsn=dsn) as drain:
            waiting = """
                select count(*) from pg_stat_activity
                 where datname = current_database() and wait_event_type = 'Lock' and application_name = %s
            """
            while looker(waiting, "crmshift/sync drain") == [(0,)] and drain.poll() is None:
                pass
            v2.start("update customers set city = 'Oslo' where cst_id = %s", ADA)
            v2.steps[-1].blocked()  # its sync wants the contact too, after the drain
            v1.rollback()
            v2.steps[-1].result()
            out, err = drain.communicate(timeout=30)
            assert drain.returncode in (0, 1), out + err
        must(0, "sync", "drain", dsn=dsn)
        must(0, "validate", dsn=dsn)
        for side in (
            "select lastname, city from contacts where id = %s",
            "select lastname, city from customers where cst_id = %s",
        ):
            assert looker(side, ADA) == [("Waits", "Oslo")]


def test_of_two_writes_to_one_column_the_loser_is_logged(make_database: Callable[[str], str]) -> None:
    dsn = make_database("parallel")
    with psycopg.connect(dsn) as v1, psycopg.connect(dsn, autocommit=True) as v2:
        v1.execute("select from contacts where id = %s for update", [ADA])
        v2.execute("update customers set city = 'Oslo' where cst_id = %s", [ADA])
        v1.execute("update contacts set city = 'Rome' where id = %s", [ADA])
        v1.commit()
        must(0, "sync", "drain", dsn=dsn)
        must(0, "validate", dsn=dsn)
        row = v2.execute("select city from contacts where id = %s", [ADA]).fetchone()
        assert row in (("Oslo",), ("Rome",))
        loser = "Rome" if row == ("Oslo",) else "Oslo"
        logged = v2.execute("select count(*) from crmshift.conflict_log where losing::text like %s", [f"%{loser}%"])
        assert logged.fetchone() == (1,)
        status = must(0, "status", dsn=dsn)
        assert loser not in status.out


def test_an_application_can_choose_the_primary_lead(make_crm: Callable[[str], Crm]) -> None:
    crm = make_crm("seeded")
    must(0, "apply", "--to", "parallel-operation", "--yes", dsn=crm.dsn)
    crm.admit_v2()
    with psycopg.connect(crm.databases.v2, autocommit=True) as v2, connected(crm) as (live, _):
        v2.execute("select set_config('app.workspace_id', %s, false)", [WORKSPACE])
        first = v2.execute("select id from leads where customer_id = %s", [ADA]).fetchone()
        second = v2.execute(
            "insert into leads (customer_id, workspace_id, disposition) values (%s, %s, 'second') returning id",
            [ADA, WORKSPACE],
        ).fetchone()
        assert first is not None
        assert second is not None
        with v2.transaction():
            v2.execute("update leads set is_primary = false where id = %s", first)
            v2.execute("update leads set is_primary = true where id = %s", second)
        assert live.execute("select lead_status from contacts where id = %s", [ADA]).fetchone() == ("second",)
        must(0, "validate", dsn=crm.dsn)
