"""Faults that were measured on prototypes or reproduced in peers, and have no place of their own elsewhere. The list is in tests/house/test_named.py."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from crmshift import backfill, db, overview
from crmshift.backfill import StopSignal
from crmshift.errors import DatabaseError, UsageError
from crmshift.progress import Progress
from crmshift.project import packaged_root
from crmshift.validation import checks
from tests.support.agreement import assert_agreement, assert_in_sync, drain, queue
from tests.support.sessions import sessions
from tests.support.templates import ADA, apply_to, compiled, load_plan, roll_back_to
from tests.support.writing import rows, trigger, value, write

Db = Callable[[str], psycopg.Connection]
Make = Callable[[str], str]


# --- experiments with sync triggers


@pytest.mark.shows("E6")
def test_a_transaction_sees_its_own_write_on_the_other_side_before_it_commits(db: Db) -> None:
    """With deferred constraint triggers the sides converged, but only at COMMIT."""
    conn = db("parallel")
    with conn.transaction():
        write(conn, "update contacts set city = 'Rom' where id = :ada")
        assert value(conn, "select city from customers where cst_id = :ada") == "Rom"
        write(conn, "update leads set disposition = 'won' where customer_id = :ada")
        assert value(conn, "select lead_status from contacts where id = :ada") == "won"


@pytest.mark.shows("E7", "experiments/t.sql")
@pytest.mark.parametrize(
    ("table", "write_other"), [("customers", "insert into contacts"), ("contacts", "insert into customers")]
)
def test_a_unique_index_on_the_other_side_fails_no_insert_of_the_application(
    db: Db, table: str, write_other: str
) -> None:
    conn = db("parallel")
    conn.execute(f"create unique index one_email on {table} (email)")
    write(
        conn,
        f"{write_other} (workspace_id, email, city) values (:alpha, 'ada@example.com', 'Rom'), (:alpha, 'other@example.com', 'Rom')",
    )
    assert value(conn, f"select count(*) from {write_other.split()[-1]} where city = 'Rom'") == 2
    assert value(conn, f"select count(*) from {table} where city = 'Rom'") == 1
    assert {state for *_, state in queue(conn)} == {"23505"}
    assert_agreement(conn)
    conn.execute("drop index one_email")
    drain(conn)
    assert_in_sync(conn)


@pytest.mark.shows("E12", "trap now()", "experiments/e10_e12.sh")
def test_a_long_transaction_that_writes_last_wins_though_it_began_first(make_database: Make) -> None:
    """now() is when a transaction began, not when it wrote: the one that writes later carries the earlier time."""
    dsn = make_database("parallel")
    with sessions(dsn, "long", "short") as (long, short), psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("alter table customers add constraint no_rome check (city <> 'Rom') not valid")
        conn.execute("alter table contacts add constraint no_bari check (city <> 'Bari') not valid")
        long("begin")
        began = long("select now()")[0][0]
        short("update customers set city = 'Bari' where cst_id = %s", ADA)
        long("update contacts set city = 'Rom' where id = %s", ADA)
        long.commit()
        assert value(conn, "select min(at) from crmshift.sync_queue where side = 'target'") > began
        conn.execute("alter table customers drop constraint no_rome")
        conn.execute("alter table contacts drop constraint no_bari")
        drain(conn)
        assert (
            rows(
                conn,
                "select city from contacts where id = :ada union all select city from customers where cst_id = :ada",
            )
            == [("Rom",)] * 2
        )
        assert rows(conn, "select winner from crmshift.conflict_log where losing ? 'city'") == [("legacy",)]
        assert_in_sync(conn)


@pytest.mark.shows("C7")
def test_a_batch_does_not_overwrite_a_newer_value_of_the_target(make_database: Make) -> None:
    """Written on the target while the batch that has read the old one is open."""
    dsn = make_database("unmoved")
    with (
        sessions(dsn, "application", "backfill") as (application, walker),
        psycopg.connect(dsn, autocommit=True) as conn,
    ):
        walker("select crmshift.backfill_start('public.contacts')")
        application("update contacts set zip = '1' where id = %s", ADA)  # Ada is there already
        walker("begin")
        walker("select crmshift.backfill_batch('public.contacts', 1000)")
        newer = application.start("update customers set city = 'newer' where cst_id = %s", ADA)
        newer.blocked(timeout=0.3)
        walker.commit()
        newer.result()
        drain(conn)
        assert value(conn, "select city from customers where cst_id = :ada") == "newer"
        assert value(conn, "select city from contacts where id = :ada") == "newer"
        assert value(conn, "select count(*) from crmshift.drift('contacts')") == 0


@pytest.mark.shows("C3", "C4")
@pytest.mark.slow
def test_sessions_that_hammer_one_entity_from_both_sides_never_fail_and_never_lose_a_write(make_database: Make) -> None:
    """Two hundred times from either side at once: naive triggers deadlocked again and again."""
    dsn = make_database("parallel")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("alter table contacts add column n integer; alter table customers add column n integer")
        failed: list[BaseException] = []

        def hammer(statement: str) -> None:
            try:
                with psycopg.connect(dsn, autocommit=True) as own:
                    for i in range(200):
                        own.execute(statement, {"i": str(i), "ada": ADA})
            except BaseException as error:
                failed.append(error)

        threads = [
            threading.Thread(target=hammer, args=[statement])
            for statement in (
                "update contacts set city = 'legacy ' || %(i)s, n = %(i)s::int where id = %(ada)s",
                "update customers set email = 'target ' || %(i)s, n = %(i)s::int where cst_id = %(ada)s",
            )
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert_agreement(conn)
        drain(conn)
        assert_in_sync(conn)
        assert rows(conn, "select city, email from contacts where id = :ada") == [("legacy 199", "target 199")]
        assert (
            rows(conn, "select n from contacts where id = :ada union all select n from customers where cst_id = :ada")
            == [(199,)] * 2
        )


@pytest.mark.shows("experiments/perf.sql")
def test_a_statement_of_a_thousand_rows_writes_the_other_side_by_one_statement_for_each_table(db: Db) -> None:
    """Not by one for each row."""
    conn = db("parallel")
    conn.execute(
        """create table counted (table_name text, rows int);
           create function count_it() returns trigger language plpgsql as
           $$ begin insert into public.counted select tg_table_name, count(*) from changed; return null; end $$;
           create trigger count_it after insert on customers referencing new table as changed for each statement execute function count_it();
           create trigger count_it after insert on leads referencing new table as changed for each statement execute function count_it()"""
    )
    write(conn, "insert into contacts (workspace_id, lead_status) select :alpha, 'new' from generate_series(1, 1000)")
    assert rows(conn, "select * from counted order by 1") == [("customers", 1000), ("leads", 1000)]


# --- what the documents' own SQL got wrong


@pytest.mark.shows("mission P8")
def test_a_lead_of_another_workspace_than_its_customers_is_refused(db: Db) -> None:
    """And so for all that hangs on leads and customers."""
    conn = db("parallel")
    for statement in (
        "insert into leads (customer_id, workspace_id) values (:ada, :beta)",
        "insert into customer_custom_fields (customer_id, field_id, workspace_id) values (:ben, :colour, :beta)",
        "insert into lead_appointments (lead_id, workspace_id) select id, :beta from leads where customer_id = :ada",
        "update leads set workspace_id = :beta where customer_id = :ada",
    ):
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            write(conn, statement)


@pytest.mark.shows("mission P13")
def test_a_rollback_leaves_the_applications_triggers_and_foreign_keys_as_they_were(make_database: Make) -> None:
    """Switched off, always on, or ordinary: DISABLE TRIGGER ALL and back would have changed them all."""
    dsn = make_database("seeded")
    states = "select tgname, tgenabled from pg_trigger where tgrelid = 'contacts'::regclass order by 1"
    with psycopg.connect(dsn, autocommit=True) as conn:
        for name in ("ordinary", "switched_off", "always_on", "in_replicas"):
            trigger(conn, name, "after update on contacts for each row", "return null;")
        conn.execute(
            """alter table contacts disable trigger switched_off; alter table contacts enable always trigger always_on;
               alter table contacts enable replica trigger in_replicas"""
        )
        before = rows(conn, states)
    for there_and_back in range(2):
        apply_to(dsn, "parallel-operation")
        roll_back_to(dsn, "legacy")
        with psycopg.connect(dsn, autocommit=True) as conn:
            assert rows(conn, states) == before, there_and_back
            with pytest.raises(psycopg.errors.ForeignKeyViolation):
                write(conn, "insert into contacts (workspace_id) values (:nobody)")


# --- peers


@pytest.mark.shows("peer 5.1")
def test_an_error_while_a_trigger_is_created_stops_there_and_nothing_is_reported_as_done(make_database: Make) -> None:
    """A name that is taken: of the four triggers of the table none is left, and no backfill begins."""
    dsn = make_database("seeded")
    with psycopg.connect(dsn, autocommit=True) as conn:
        trigger(conn, "theirs", "after update on contacts for each row", "return null;")
        conn.execute("alter trigger theirs on contacts rename to crmshift_sync_update")
        with pytest.raises(DatabaseError, match="42710"):
            apply_to(dsn, "parallel-operation")
        assert rows(
            conn, "select tgname from pg_trigger where tgrelid = 'contacts'::regclass and tgname like 'crmshift%'"
        ) == [("crmshift_sync_update",)]
        assert rows(conn, "select state from crmshift.step_state where step = 'attach/contacts'") == [("failed",)]
        assert rows(conn, "select sqlstate, message is not null from crmshift.step_run where event = 'failed'") == [
            ("42710", True)
        ]
        assert value(conn, "select count(*) from crmshift.backfill") == 0
        assert value(conn, "select count(*) from customers") == 0
        assert overview.read(conn, load_plan()[0]).phase == "legacy", "the phase is not reached"
        conn.execute("alter trigger crmshift_sync_update on contacts rename to theirs")
        apply_to(dsn, "parallel-operation")
        assert_in_sync(conn)


@pytest.mark.shows("peer 5.1")
def test_an_error_in_a_mapping_is_told_before_any_trigger_could_lack(make_database: Make, tmp_path: Path) -> None:
    dsn = make_database("seeded")
    (tmp_path / "sql" / "mapping").mkdir(parents=True)
    text = (packaged_root() / "sql" / "mapping" / "customers.sql").read_text()
    (tmp_path / "sql" / "mapping" / "customers.sql").write_text(text.replace("c.city", "upper(c.city", 1))
    with pytest.raises(UsageError):
        apply_to(dsn, "parallel-operation", tmp_path)
    with psycopg.connect(dsn, autocommit=True) as conn:
        assert value(conn, "select to_regnamespace('crmshift')") is None


WATCHED = """
create table public.watched (command text, lock_timeout text, application text);
create function public.watch() returns event_trigger language plpgsql as $$
begin
    insert into public.watched values (tg_tag, current_setting('lock_timeout'), current_setting('application_name'));
end $$;
create event trigger watch on ddl_command_start execute function public.watch();
"""


@pytest.mark.shows("peer 5.2")
def test_no_ddl_statement_of_apply_or_rollback_runs_without_a_lock_timeout(make_database: Make) -> None:
    dsn = make_database("seeded")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(WATCHED)
        apply_to(dsn, "legacy-deprecation")
        roll_back_to(dsn, "legacy")
        conn.execute("drop event trigger watch")
        commands = {row[0] for row in rows(conn, "select command from watched")}
        assert {"CREATE TABLE", "CREATE TRIGGER", "DROP TRIGGER", "DROP TABLE", "ALTER TABLE"} <= commands
        assert (
            rows(
                conn,
                "select command, lock_timeout from watched where lock_timeout in ('0', '') or lock_timeout::interval > interval '2 s'",
            )
            == []
        )


@contextmanager
def reading(dsn: str, table: str) -> Iterator[list[float]]:
    """An application that reads a table again and again; how long each took."""
    times: list[float] = []
    enough = threading.Event()

    def read() -> None:
        with psycopg.connect(dsn, autocommit=True) as conn:
            while not enough.is_set():
                began = time.monotonic()
                conn.execute(f"select count(*) from {table}")
                times.append(time.monotonic() - began)
                time.sleep(0.01)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield times
    finally:
        enough.set()
        thread.join()


@pytest.mark.shows("peer 5.2")
def test_readers_do_not_queue_behind_a_rollback_that_waits_for_a_long_reader(make_database: Make) -> None:
    """DROP TRIGGER wants the table for itself; it waits 250 ms at most, and whoever comes meanwhile no longer."""
    dsn = make_database("parallel")
    with psycopg.connect(dsn) as long_reader, reading(dsn, "contacts") as times:
        long_reader.execute("select from contacts")
        going_back = threading.Thread(target=roll_back_to, args=[dsn, "legacy"])
        going_back.start()
        time.sleep(1.5)
        long_reader.rollback()
        going_back.join()
    with psycopg.connect(dsn) as conn:
        assert value(conn, "select to_regnamespace('crmshift')") is None
    assert len(times) > 20
    assert max(times) < 1.2, "250 ms, on a slow machine"


@pytest.mark.shows("peer 5.4")
def test_writers_that_come_in_the_middle_of_a_rollback_find_trigger_and_function_or_neither(
    make_database: Make,
) -> None:
    """Held up half-way, when some triggers are gone and no function is: the writer waits, and then writes legacy alone."""
    dsn = make_database("parallel")
    with sessions(dsn, "gate", "writer") as (gate, writer), psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(
            """create function public.halt() returns event_trigger language plpgsql as $$
               begin
                   if exists (select from pg_event_trigger_dropped_objects() as d where d.object_type = 'function' and d.original) then
                       perform pg_advisory_xact_lock(42);
                   end if;
               end $$;
               create event trigger halt on sql_drop execute function public.halt()"""
        )
        gate("select pg_advisory_lock(42)")
        going_back = threading.Thread(target=roll_back_to, args=[dsn, "legacy"])
        going_back.start()
        deadline = time.monotonic() + 20
        while not value(
            conn, "select count(*) from pg_locks where locktype = 'advisory' and objid = 42 and not granted"
        ):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        legacy = writer.start("update contacts set city = 'Rom' where id = %s", ADA)
        assert legacy.blocked()
        gate("select pg_advisory_unlock(42)")
        legacy.result()
        going_back.join()
        assert value(conn, "select city from contacts where id = :ada") == "Rom"
        assert value(conn, "select to_regnamespace('crmshift')") is None
        conn.execute("drop event trigger halt")


@pytest.mark.shows("peer 5.6")
@pytest.mark.parametrize("deferred", ["not deferrable", "deferrable initially deferred"])
def test_a_foreign_key_from_the_new_table_to_the_old_one_fails_no_insert(db: Db, deferred: str) -> None:
    """The row of the other side is written after the application's: its parent is there by then."""
    conn = db("parallel")
    conn.execute(
        f"alter table customers add constraint is_a_contact foreign key (cst_id) references contacts on delete cascade {deferred}"
    )
    write(conn, "insert into contacts (id, workspace_id, lead_status) values (:nobody, :alpha, 'new')")
    assert value(conn, "select count(*) from leads where customer_id = :nobody") == 1
    assert_in_sync(conn)
    write(conn, "delete from contacts where id = :ben")
    assert value(conn, "select count(*) from customers where cst_id = :ben") == 0
    assert_in_sync(conn)


@pytest.mark.shows("peer 5.6")
def test_crmshift_puts_no_foreign_key_between_the_sides(db: Db) -> None:
    """It would block deletes of the application that the sync has not followed yet."""
    conn = db("parallel")
    assert (
        rows(
            conn,
            """select conname from pg_constraint
                where contype = 'f' and (conrelid in (select target::regclass from crmshift.mapping where direction = 'to_target')
                                         and confrelid in (select target::regclass from crmshift.mapping where direction = 'to_legacy')
                                      or conrelid in (select target::regclass from crmshift.mapping where direction = 'to_legacy')
                                         and confrelid in (select target::regclass from crmshift.mapping where direction = 'to_target'))""",
        )
        == []
    )


@pytest.mark.shows("peer 5.7")
@pytest.mark.default_pg
@pytest.mark.parametrize(
    "command", [["status"], ["backfill", "status"], ["log"], ["sync", "status"], ["plan"], ["validate"]]
)
def test_looking_works_while_a_backfill_runs(make_database: Make, command: list[str]) -> None:
    """With the driver's lock held and a batch open, that is."""
    dsn = make_database("unmoved")
    with psycopg.connect(dsn, autocommit=True) as lock, psycopg.connect(dsn) as batch:
        lock.execute("select pg_advisory_lock(%s, %s)", db.DRIVER_LOCK)
        batch.execute("select crmshift.backfill_start('public.contacts')")
        batch.commit()
        batch.execute("select crmshift.backfill_batch('public.contacts', 2)")
        done = subprocess.run(
            [sys.executable, "-m", "crmshift", *command],
            env={**os.environ, "CRMSHIFT_DSN": dsn, "PGOPTIONS": "-c lock_timeout=5s"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode in ((1,) if command == ["validate"] else (0,)), done.stdout + done.stderr
        batch.rollback()


@pytest.mark.shows("peer 5.8")
def test_every_batch_of_a_backfill_is_a_transaction_of_its_own(make_database: Make) -> None:
    """One that lasted to the end would hold back vacuum in the whole cluster."""
    dsn = make_database("unmoved")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("set session_replication_role = replica")
        write(conn, "insert into contacts (workspace_id) select :alpha from generate_series(1, 95)")
        conn.execute("set session_replication_role = origin; create table seen (began timestamptz, rows bigint)")
        conn.execute(
            """create function look() returns trigger language plpgsql as
               $$ begin insert into public.seen select now(), count(*) from changed; return null; end $$;
               create trigger look after insert on customers referencing new table as changed for each statement execute function look()"""
        )
        own = db.connect(dsn, "tests")
        try:
            backfill.run(own, "public.contacts", 10, Progress(), StopSignal())
        finally:
            own.close()
        assert rows(conn, "select count(*), count(distinct began), max(rows) from seen") == [(10, 10, 10)]


@pytest.mark.shows("peer 5.8")
def test_every_check_of_a_validation_is_a_transaction_of_its_own(make_database: Make) -> None:
    dsn = make_database("parallel")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("create table seen (name text, began timestamptz)")
        for name in ("a", "b", "c"):
            conn.execute(
                f"""create function crmshift.check_{name}(of_workspace uuid default null) returns table (subject text, key jsonb, detail text)
                    language plpgsql as $$ begin insert into public.seen values ('{name}', now()); end $$"""
            )
        own = db.connect(dsn, "tests")
        try:
            assert checks.run(own).clean
        finally:
            own.close()
        assert rows(conn, "select count(*), count(distinct began) from seen") == [(3, 3)]


LEGACY = ("workspaces", "custom_fields", "contacts", "contact_custom_fields", "appointments")
STRONG = ("ACCESS EXCLUSIVE", "EXCLUSIVE", "SHARE ROW EXCLUSIVE", "SHARE", "SHARE UPDATE EXCLUSIVE")


def strong_locks(conn: psycopg.Connection) -> dict[str, str]:
    """The strongest lock this transaction holds on each legacy table, as far as it is one that others could notice."""
    held = conn.execute(
        """select c.relname, l.mode from pg_locks as l join pg_class as c on c.oid = l.relation
            where l.pid = pg_backend_pid() and c.relnamespace = 'public'::regnamespace and c.relname = any (%s)""",
        [list(LEGACY)],
    ).fetchall()
    named = {
        (table, mode.removesuffix("Lock").replace("RowE", "ROW E").replace("UpdateE", "UPDATE E"))
        for table, mode in held
    }
    found = {}
    for mode in reversed(STRONG):
        found.update({table: mode for table, m in named if "".join(m.upper().split()) == "".join(mode.split())})
    return found


@pytest.mark.shows("C10")
def test_the_locks_on_legacy_tables_that_plan_names_are_those_that_are_taken(make_database: Make) -> None:
    """Every step and its undo, carried out and looked at while it is open."""
    dsn = make_database("seeded")
    taken, named = [], []
    with psycopg.connect(dsn) as conn:
        for step in compiled(dsn).steps:
            if not step.transactional:
                continue
            forward, back = (step.statements, step.locks), (step.undo, step.undo_locks)
            for statements, locks in (forward, back, forward):
                for statement in statements:
                    conn.execute(statement.sql)  # type: ignore[call-overload]
                taken += [(step.name, *lock) for lock in sorted(strong_locks(conn).items())]
                named += [
                    (step.name, t, mode)
                    for t, mode in sorted((k.table.removeprefix("public."), k.mode) for k in locks)
                    if t in LEGACY
                ]
                conn.commit()
    assert taken == named
    assert {mode for *_, mode in taken} == {"ACCESS EXCLUSIVE", "SHARE ROW EXCLUSIVE"}
