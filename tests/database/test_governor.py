"""What holds a backfill: each signal pauses it and lets it go, and what cannot be read stops it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from crmshift import backfill, db, governor
from crmshift.embedded import EmbeddedServer
from crmshift.embedded.account import home, server_account
from crmshift.errors import UsageError
from tests.support import history
from tests.support.agreement import assert_in_sync
from tests.support.history import control, running, signal, soon
from tests.support.sessions import sessions
from tests.support.templates import WORKSPACE, apply_to

Make = Callable[[str], str]
Strain = Callable[[str], "Iterator[None]"]


def open_(dsn: str) -> psycopg.Connection:
    return psycopg.connect(dsn, autocommit=True)


def reading(conn: psycopg.Connection, name: str) -> float | None:
    row = conn.execute(f"select crmshift.signal_{name}()").fetchone()
    assert row is not None
    return row[0]  # type: ignore[no-any-return]


def done(conn: psycopg.Connection) -> int:
    row = conn.execute("select coalesce(sum(rows_done), 0)::int from crmshift.backfill").fetchone()
    assert row is not None
    return int(row[0])


# --- strains, each as applications or the server make them


@contextmanager
def blocked_sessions(dsn: str) -> Iterator[None]:
    """Somebody deletes a contact that stands in a batch under way."""
    with sessions(dsn, "batch", "application") as (batch, application):
        batch("begin")
        batch("select crmshift.backfill_start('public.contacts')")
        batch("commit")
        batch("begin")
        batch("select crmshift.backfill_batch('public.contacts', 1, null, 3)")
        waiting = application.start(
            """delete from contacts where id = (select c.id from contacts as c join crmshift.backfill_range as r on r.number = 2
                and c.id > r.high_key[1]::uuid order by c.id limit 1)"""
        )
        assert waiting.blocked()
        yield
        batch("commit")
        waiting.result()


@contextmanager
def lock_waiters(dsn: str) -> Iterator[None]:
    """One application waits for another."""
    with sessions(dsn, "one", "other") as (one, other):
        one("begin")
        one("update workspaces set name = 'Aleph' where id = %s", WORKSPACE)
        waiting = other.start("update workspaces set name = 'Alpha' where id = %s", WORKSPACE)
        assert waiting.blocked()
        yield
        one("rollback")
        waiting.result()


@contextmanager
def oldest_transaction(dsn: str) -> Iterator[None]:
    with sessions(dsn, "reader") as (reader,):
        reader("begin")
        reader("select count(*) from leads")
        time.sleep(0.6)
        yield
        reader("rollback")


@contextmanager
def autovacuum(dsn: str) -> Iterator[None]:
    """The lock by which a vacuum is told."""
    with sessions(dsn, "vacuum") as (vacuum,):
        vacuum("begin")
        vacuum("lock table customers in share update exclusive mode")
        yield
        vacuum("rollback")


@contextmanager
def queue_growth(dsn: str) -> Iterator[None]:
    with open_(dsn) as conn:
        conn.execute(
            "insert into crmshift.sync_queue (subject, key, side, reason) select 'appointments', jsonb_build_object('id', -n), 'legacy', 'paused' from generate_series(1, 5) as n"
        )
        yield
        conn.execute("delete from crmshift.sync_queue")


@contextmanager
def throttle_query(dsn: str) -> Iterator[None]:
    with open_(dsn) as conn:
        conn.execute("create table if not exists public.brake as select true as pulled")
        conn.execute("update public.brake set pulled = true")
        control(conn, throttle_query="select pulled from public.brake")
        yield
        conn.execute("update public.brake set pulled = false")


STRAINS = {
    "blocked_sessions": (blocked_sessions, 1, 0),
    "lock_waiters": (lock_waiters, 1, 0),
    "oldest_transaction": (oldest_transaction, 0.5, 0.1),
    "autovacuum": (autovacuum, 1, 0),
    "queue_growth": (queue_growth, 5, 2),
    "throttle_query": (throttle_query, 1, 0),
}


@pytest.mark.parametrize("name", STRAINS)
def test_a_signal_pauses_the_backfill_and_lets_it_go_on(make_database: Make, name: str) -> None:
    dsn = make_database("history")
    strain, pauses_at, resumes_at = STRAINS[name]
    with open_(dsn) as conn:
        signal(conn, name, pauses_at, resumes_at)
        control(conn, batch_rows=5)
        with running(dsn) as its:
            soon(lambda: done(conn) > 50)
            assert its.seen.holding == set()
            with strain(dsn):
                soon(lambda: its.seen.holding == {name})
                stood = settled(conn)
                time.sleep(1.5)  # more than one check later
                assert done(conn) == stood
                assert its.seen.pace is not None
                hold = its.seen.pace.holds[0]
                assert hold.reading is not None and hold.reading >= pauses_at
                assert (hold.pauses_at, hold.resumes_at) == (pauses_at, resumes_at)
                assert conn.execute("select signal, since from crmshift.backfill_hold").fetchall() == [
                    (name, hold.since)
                ]
            soon(lambda: its.seen.holding == set())
            soon(lambda: done(conn) > stood)
            control(conn, batch_rows=5000)
            its.end()
        assert its.seen.held == [name]
        assert_in_sync(conn)


def settled(conn: psycopg.Connection) -> int:
    """How far it is when the batches in hand have ended."""
    time.sleep(0.3)
    return done(conn)


def test_who_waits_for_a_batch_is_seen_while_it_runs_and_the_next_one_is_half_as_large(
    make_database: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "CHECK_EVERY", 3.0)  # it must not take so long
    dsn = make_database("history")
    with sessions(dsn, "application") as (application,), open_(dsn) as conn:
        signal(conn, "blocked_sessions", 1, 0)
        conn.execute(
            """create function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(0.4); return null; end $$;
               create trigger dawdle before insert on customers for each statement execute function dawdle()"""
        )
        control(conn, batch_rows=100)
        with running(dsn) as its:
            soon(lambda: done(conn) >= 200)
            soon(lambda: conn.execute("select cardinality(crmshift.backfill_backends())").fetchone() == (1,))
            waiting = application.start(
                "delete from contacts where id = (select id from contacts order by id offset %s limit 1)",
                done(conn) + 50,
            )
            soon(lambda: "blocked_sessions" in its.seen.held, timeout=1.5)
            waiting.result()
            stood = settled(conn)
            soon(lambda: done(conn) > stood)
            assert done(conn) - stood == 50
            conn.execute("drop trigger dawdle on customers")
            control(conn, batch_rows=5000)
            its.end()
        assert_in_sync(conn)


# --- those that need a server of their own


@pytest.mark.slow
def test_a_replica_that_falls_behind_pauses_the_backfill(
    make_server: Callable[..., EmbeddedServer], choice: object
) -> None:
    same = {
        "wal_level": "replica",
        "max_wal_senders": "4",
        "wal_receiver_status_interval": "1s",
        "max_connections": "200",
    }
    primary = make_server(**same)
    with open_(primary.dsn()) as conn:
        conn.execute("create database crm")
    dsn = primary.dsn("crm")
    history_on(dsn)
    account = server_account()
    place = home(account)
    copy = place / "standby"
    try:
        done_, said = account.run(
            [
                primary.bin_dir / "pg_basebackup",
                "--pgdata",
                copy,
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--dbname",
                primary.dsn(),
            ]
        )
        assert done_ == 0, said
        with (
            EmbeddedServer.start(data_dir=copy, bin_dir=primary.bin_dir, settings=same) as standby,
            open_(dsn) as conn,
            open_(standby.dsn()) as replica,
        ):
            soon(
                lambda: (
                    conn.execute("select count(*) from pg_stat_replication where state = 'streaming'").fetchone()
                    == (1,)
                )
            )
            signal(conn, "replica_lag", 1, 0.5)
            control(conn, batch_rows=5)
            with running(dsn) as its:
                soon(lambda: done(conn) > 50)
                replica.execute("select pg_wal_replay_pause()")
                soon(lambda: its.seen.holding == {"replica_lag"}, timeout=30)
                stood = settled(conn)
                time.sleep(1.5)
                assert done(conn) == stood
                replica.execute("select pg_wal_replay_resume()")
                soon(lambda: done(conn) > stood, timeout=30)
                control(conn, batch_rows=5000)
                its.end()
    finally:
        shutil.rmtree(place, ignore_errors=True)


def history_on(dsn: str) -> None:
    """A legacy database with a history, and all that crmshift installs, on a server of its own."""
    from tests.support.databases import SQL

    with open_(dsn) as conn:
        conn.execute((SQL / "legacy" / "schema.sql").read_text(encoding="utf-8"))
        conn.execute((SQL.parent / "tests" / "support" / "seed.sql").read_text(encoding="utf-8"))
    apply_to(dsn, "sync-layer")
    history.load(dsn)


@pytest.mark.slow
def test_wal_that_is_not_archived_pauses_the_backfill(make_server: Callable[..., EmbeddedServer]) -> None:
    server = make_server(wal_level="replica", archive_mode="on", archive_command="false", max_wal_senders="1")
    dsn = server.dsn()
    history_on(dsn)
    with open_(dsn) as conn:
        signal(conn, "archive_backlog", 3, 1)
        control(conn, batch_rows=5)
        conn.execute("alter system set archive_command = 'true'")
        conn.execute("select pg_reload_conf()")
        conn.execute("select pg_switch_wal()")
        soon(lambda: reading(conn, "archive_backlog") == 0, timeout=30)
        with running(dsn) as its:
            soon(lambda: done(conn) > 50)
            conn.execute("alter system set archive_command = 'false'")
            conn.execute("select pg_reload_conf()")
            for _ in range(4):
                conn.execute("create table filler (); drop table filler")
                conn.execute("select pg_switch_wal()")
            soon(lambda: its.seen.holding == {"archive_backlog"}, timeout=30)
            # Whoever is not in pg_monitor counts from what was archived last: the same, give or take the segment in hand.
            conn.execute("create role plain login")
            conn.execute("grant usage on schema crmshift to plain")
            full = reading(conn, "archive_backlog")
            conn.execute("set role plain")
            plain = reading(conn, "archive_backlog")
            conn.execute("reset role")
            assert full is not None and plain is not None and abs(full - plain) <= 1 and plain >= 3
            stood = settled(conn)
            conn.execute("alter system set archive_command = 'true'")
            conn.execute("select pg_reload_conf()")
            soon(lambda: done(conn) > stood, timeout=90)
            control(conn, batch_rows=5000)
            its.end()


# --- readings


def test_a_signal_has_hysteresis(make_database: Make) -> None:
    conn = db.connect(make_database("unmoved"), "tests")
    signal(conn, "throttle_query", 10, 5)
    for value, held in ((9, False), (10, True), (9, True), (6, True), (5, False), (9, False), (11, True)):
        control(conn, throttle_query=f"select {value}")
        assert bool(governor.check(conn)) is held, value
    conn.close()


def test_a_signal_that_cannot_be_read_three_times_in_a_row_holds_until_it_can(make_database: Make) -> None:
    conn = db.connect(make_database("unmoved"), "tests")
    signal(conn, "lock_waiters", 5, 1)
    broken = "create or replace function crmshift.signal_lock_waiters() returns double precision language plpgsql as $$ begin raise exception 'no such luck' using errcode = '42501'; end $$"
    works = (
        "create or replace function crmshift.signal_lock_waiters() returns double precision language sql as 'select 0'"
    )
    for statement, held in (
        (broken, False),
        (broken, False),
        (works, False),
        (broken, False),
        (broken, False),
        (broken, True),
        (broken, True),
        (works, False),
    ):
        conn.execute(statement)
        holds = governor.check(conn)
        assert bool(holds) is held
        if holds:
            assert holds[0].why == "cannot be read: no such luck (42501)"
    conn.close()


def test_a_run_stops_at_a_signal_that_cannot_be_read(make_database: Make) -> None:
    dsn = make_database("history")
    with open_(dsn) as conn:
        control(conn, batch_rows=5, throttle_query="select pulled from no_such_table")
        with running(dsn) as its:
            soon(lambda: its.seen.holding == {"throttle_query"})
            stood = settled(conn)
            time.sleep(1.2)
            assert 0 < done(conn) == stood
            assert its.seen.pace is not None and "cannot be read (42P01)" in str(its.seen.pace.holds[0].why)
            control(conn, throttle_query=None, batch_rows=5000)
            its.end()


@pytest.mark.parametrize(
    ("query", "sqlstate"),
    [
        ("insert into public.workspaces (name) values ('x') returning true", "25006"),
        ("select 'often'", "22P02"),
        ("select null::int", "22004"),
        ("select 1 where false", "22004"),
        ("select pg_sleep(5)", "57014"),
        ("nonsense", "42601"),
    ],
)
def test_a_throttle_query_can_do_no_harm(make_database: Make, query: str, sqlstate: str) -> None:
    conn = db.connect(make_database("unmoved"), "tests")
    control(conn, throttle_query=query)
    started = time.monotonic()
    governor.check(conn)
    assert time.monotonic() - started < 3
    row = conn.execute(
        "select sqlstate, failures, trouble from crmshift.backfill_reading where signal = 'throttle_query'"
    ).fetchone()
    assert row == (sqlstate, 1, None), "and what it said, which may be values, is not kept"
    others = conn.execute("select count(*) from crmshift.backfill_reading where failures = 0").fetchone()
    assert others == (7,)
    assert conn.execute("select count(*) from workspaces").fetchone() == (2,)
    conn.close()


@pytest.mark.parametrize(
    ("query", "value"),
    [("select true", 1), ("select false", 0), ("select 3.5", 3.5), ("select count(*) from contacts", 5), ("", None)],
)
def test_a_throttle_query_gives_a_number_or_a_boolean(make_database: Make, query: str, value: float | None) -> None:
    with open_(make_database("unmoved")) as conn:
        control(conn, throttle_query=query)
        assert reading(conn, "throttle_query") == value


def test_a_bounded_signal_holds_no_longer_than_it_may_and_not_again_before_it_was_down(make_database: Make) -> None:
    dsn = make_database("unmoved")
    with sessions(dsn, "vacuum") as (vacuum,):
        conn = db.connect(dsn, "tests")
        signal(conn, "autovacuum", 1, 0)
        conn.execute("update crmshift.backfill_signal set at_most = '0.5 s' where signal = 'autovacuum'")
        for _ in range(2):
            vacuum("begin")
            vacuum("lock table leads in share update exclusive mode")
            assert governor.check(conn)
            time.sleep(0.6)
            assert not governor.check(conn)
            assert not governor.check(conn)
            vacuum("rollback")
            assert not governor.check(conn)
        conn.close()


def test_a_vacuum_is_told_by_its_lock(make_database: Make) -> None:
    """A real one, slowed down."""
    dsn = make_database("history")
    history.run(dsn)
    with sessions(dsn, "vacuum") as (vacuum,), open_(dsn) as conn:
        assert reading(conn, "autovacuum") == 0
        vacuum("set vacuum_cost_delay = 20; set vacuum_cost_limit = 1")
        running_ = vacuum.start("vacuum customers")
        soon(lambda: reading(conn, "autovacuum") == 1)
        vacuum.connection.cancel_safe()
        with pytest.raises(psycopg.errors.QueryCanceled):
            running_.result()


def test_what_waits_for_a_person_is_no_growth_of_the_queue(make_database: Make) -> None:
    with open_(make_database("unmoved")) as conn:
        for sqlstate, counts in (("23505", 0), ("22001", 0), ("42P01", 0), ("55P03", 1), ("40P01", 1), (None, 1)):
            conn.execute("truncate crmshift.sync_queue")
            conn.execute(
                "insert into crmshift.sync_queue (subject, key, side, reason, sqlstate) values ('contacts', '{}', 'legacy', 'failed', %s)",
                [sqlstate],
            )
            assert reading(conn, "queue_growth") == counts
        conn.execute("update crmshift.sync_queue set at = at - interval '2 min'")
        assert reading(conn, "queue_growth") == 0


def test_a_batch_does_not_count_among_those_that_wait_or_are_old(make_database: Make) -> None:
    dsn = make_database("history")
    with sessions(dsn, "batch", "other", "application") as (batch, other, application), open_(dsn) as conn:
        batch("select crmshift.backfill_start('public.contacts')")
        batch("begin")
        batch("select crmshift.backfill_batch('public.contacts', 10)")
        time.sleep(0.2)
        assert reading(conn, "oldest_transaction") == 0
        application("begin")
        application("select from contacts where lastname = '17' for update")
        waiting = other.start("select crmshift.backfill_batch('public.contacts', 5000, null, 1)")
        other_waits = (
            "select count(*) from pg_stat_activity where application_name = 'other' and wait_event_type = 'Lock'"
        )
        for number in range(2, 7):
            if conn.execute(other_waits).fetchone() == (1,):
                break
            waiting.result()
            waiting = other.start(f"select crmshift.backfill_batch('public.contacts', 5000, null, {number})")
            waiting.blocked(timeout=0.5)
        assert reading(conn, "lock_waiters") == 0
        assert reading(conn, "blocked_sessions") == 0
        assert (reading(conn, "oldest_transaction") or 0) > 0, "the application's is old"
        application("rollback")
        waiting.result()
        batch("commit")


def test_a_batch_that_waits_for_another_is_nobody_it_keeps_waiting(make_database: Make) -> None:
    dsn = make_database("unmoved")
    with sessions(dsn, "one", "other") as (one, other), open_(dsn) as conn:
        one("select crmshift.backfill_start('public.contacts')")
        one("begin")
        one("select crmshift.backfill_batch('public.contacts', 1)")
        waiting = other.start("select crmshift.backfill_batch('public.contacts', 1)")
        assert waiting.blocked()
        assert reading(conn, "blocked_sessions") == 0
        one("commit")
        waiting.result()


def test_a_role_that_may_not_look_is_told_what_it_lacks(make_database: Make) -> None:
    """Readings that only pg_monitor may have are errors, not zeros."""
    dsn = make_database("unmoved")
    with open_(dsn) as conn, psycopg.connect(dsn) as old:
        old.execute("select from contacts")
        role = "plain_" + conn.info.dbname
        conn.execute(f"create role {role}")
        try:
            conn.execute(
                f"grant usage on schema crmshift to {role}; grant select on all tables in schema crmshift to {role}"
            )
            conn.execute(f"set role {role}")
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="pg_monitor"):
                conn.execute("select crmshift.signal_oldest_transaction()")
            for name in (
                "blocked_sessions",
                "lock_waiters",
                "archive_backlog",
                "autovacuum",
                "queue_growth",
                "replica_lag",
            ):
                assert reading(conn, name) == 0, name
            conn.execute("reset role")
            conn.execute(f"grant pg_monitor to {role}")
            conn.execute(f"set role {role}")
            assert (reading(conn, "oldest_transaction") or 0) > 0
        finally:
            conn.execute("reset role")
            conn.execute(f"drop owned by {role}; drop role {role}")


def test_a_signal_of_ones_own(make_database: Make) -> None:
    conn = db.connect(make_database("unmoved"), "tests")
    conn.execute("create function crmshift.signal_tea_time() returns double precision language sql as 'select 4'")
    conn.execute(
        "insert into crmshift.backfill_signal (signal, position, measures, pauses_at, resumes_at) values ('tea_time', 99, 'cups', 4, 1)"
    )
    assert [h.signal for h in governor.check(conn)] == ["tea_time"]
    governor.set_signal(conn, "tea_time", {"enabled": False})
    assert governor.check(conn) == ()
    conn.close()


# --- controls


@pytest.mark.parametrize(
    "values",
    [
        {"workers": 0},
        {"workers": 65},
        {"batch_seconds": 0},
        {"batch_seconds": 0.6},
        {"batch_seconds": float("nan")},
        {"batch_rows": 0},
        {"rest": -1},
        {"rest": 21},
        {"rest": float("nan")},
    ],
)
def test_controls_out_of_bounds_are_refused(make_database: Make, values: dict[str, object]) -> None:
    conn = db.connect(make_database("unmoved"), "tests")
    with pytest.raises(UsageError, match="Not changed"):
        governor.set_control(conn, values)
    conn.close()


@pytest.mark.parametrize(
    "values",
    [{"pauses_at": 1, "resumes_at": 1}, {"resumes_at": -1}, {"pauses_at": float("inf")}, {"pauses_at": float("nan")}],
)
def test_signals_out_of_bounds_are_refused(make_database: Make, values: dict[str, object]) -> None:
    conn = db.connect(make_database("unmoved"), "tests")
    with pytest.raises(UsageError, match="resumes below where it pauses"):
        governor.set_signal(conn, "replica_lag", values)
    with pytest.raises(UsageError, match="There is no signal 'weather'"):
        governor.set_signal(conn, "weather", {"enabled": True})
    conn.close()


def test_a_plain_update_notes_who_and_since_when(make_database: Make) -> None:
    with open_(make_database("unmoved")) as conn:
        conn.execute("update crmshift.backfill_control set paused = true")
        first = governor.control(conn)
        assert first.paused_at == first.changed_at and first.changed_by == "postgres"
        conn.execute("update crmshift.backfill_control set workers = 2")
        second = governor.control(conn)
        assert second.paused_at == first.paused_at < second.changed_at
        conn.execute("select crmshift.backfill_resume()")
        assert governor.control(conn).paused_at is None
        with pytest.raises(psycopg.errors.CheckViolation):
            conn.execute("insert into crmshift.backfill_control (only_row) values (false)")
