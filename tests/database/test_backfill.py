"""The backfill: ranges that workers share, one workspace, bad rows, and every way it can be broken off."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from crmshift import apply, backfill, db, repair
from crmshift.backfill import StopSignal
from crmshift.embedded import EmbeddedServer
from crmshift.errors import LockNotObtained, Stopped, UsageError
from crmshift.validation import checks
from tests.database.test_resume import crmshift, finish
from tests.support import history
from tests.support.agreement import assert_agreement, assert_in_sync
from tests.support.databases import SQL
from tests.support.history import CONTACTS, assert_moved, control, moved, running, soon
from tests.support.templates import ADA, OTHER_WORKSPACE, WORKSPACE, apply_to

Make = Callable[[str], str]
KILLS = int(os.environ.get("CRMSHIFT_KILLS", "4"))


def open_(dsn: str) -> psycopg.Connection:
    return psycopg.connect(dsn, autocommit=True)


@pytest.fixture(scope="module")
def undisturbed(databases: Any, server: Any) -> Iterator[dict[str, Any]]:
    """What one worker makes of the history when nothing gets in its way."""
    name = databases.clone("history")
    history.run(server.dsn(name))
    with open_(server.dsn(name)) as conn:
        assert_in_sync(conn)
        assert conn.execute("select count(*) from customers").fetchone() == (CONTACTS + 5,)
        yield moved(conn)
    databases.drop(name)


def test_what_was_filled_has_statistics(make_database: Make) -> None:
    """A plan that a session made while the tables were empty would read all of them from now on."""
    dsn = make_database("history")
    with open_(dsn) as conn:
        before = conn.execute("select relname from pg_class where relname in ('customers', 'leads') and reltuples > 0")
        assert before.fetchall() == []
        history.run(dsn)
        found = conn.execute(
            "select relname, reltuples from pg_class where relname in ('customers', 'leads') and relkind = 'r' order by 1"
        ).fetchall()
    assert found[0] == ("customers", CONTACTS + 5)
    assert found[1][1] > 0


# --- ranges


def pieces(conn: psycopg.Connection, source: str) -> list[tuple[Any, ...]]:
    return conn.execute(
        """select r.low_key, r.high_key, r.rows_total from crmshift.backfill_range as r join crmshift.backfill_walk as w on w.id = r.walk
            where w.source = %s order by r.number""",
        [source],
    ).fetchall()


@pytest.mark.parametrize(
    ("rows", "ranges"), [(0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2), (2000, 2), (64_000, 64), (64_001, 33)]
)
def test_ranges_cover_every_row_once(make_database: Make, rows: int, ranges: int) -> None:
    with open_(make_database("synced")) as conn:
        conn.execute("set session_replication_role = replica")
        conn.execute("insert into workspaces (id, name) values (%s, 'A')", [WORKSPACE])
        conn.execute(
            "insert into contacts (id, workspace_id) select md5(n::text)::uuid, %s from generate_series(1, %s) as n",
            [WORKSPACE, rows],
        )
        started = conn.execute(
            "select rows_total, ranges, finished_at is not null from crmshift.backfill_start('public.contacts')"
        ).fetchone()
        assert started == (rows, ranges, rows == 0)
        found = pieces(conn, "public.contacts")
        assert [low for low, _, _ in found] == [None, *(high for _, high, _ in found)][:-1] if found else True
        for low, high, total in found:
            counted = conn.execute(
                "select count(*) from contacts where id > coalesce(%s::uuid, '00000000-0000-0000-0000-000000000000') and id <= %s::uuid",
                [low and low[0], high[0]],
            ).fetchone()
            assert counted == (total,)
        assert sum(total for _, _, total in found) == rows


def test_ranges_of_a_composite_key_and_of_a_number(make_database: Make) -> None:
    with open_(make_database("history")) as conn:
        conn.execute("set session_replication_role = replica")
        conn.execute(
            "insert into contact_custom_fields (contact_id, field_id) select c.id, f.id from contacts as c cross join custom_fields as f on conflict do nothing"
        )
        conn.execute("insert into appointments (contact_id) select contact_id from contact_custom_fields limit 2500")
        for source, key in (("contact_custom_fields", "contact_id, field_id"), ("appointments", "id")):
            conn.execute("select crmshift.backfill_start(%s)", [f"public.{source}"])
            found = pieces(conn, f"public.{source}")
            assert len(found) > 2
            types = "uuid, uuid" if "," in key else "bigint"
            for low, high, total in found:
                bounds = [("<=", high)] + ([(">", low)] if low else [])
                where = " and ".join(
                    f"({key}) {op} ({', '.join(f'''%s::{t}''' for t in types.split(', '))})" for op, _ in bounds
                )
                counted = conn.execute(
                    f"select count(*) from {source} where {where}", [v for _, b in bounds for v in b]
                ).fetchone()
                assert counted == (total,)
            assert conn.execute(f"select count(*) from {source}").fetchone() == (sum(t for _, _, t in found),)


def test_tables_are_walked_in_the_order_of_what_they_build_on(make_database: Make) -> None:
    conn = db.connect(make_database("unmoved"), "tests")
    assert backfill.sources(conn) == ["public.contacts", "public.contact_custom_fields", "public.appointments"]
    conn.close()


def test_a_plan_that_backfills_children_first_is_refused(make_database: Make, tmp_path: Any) -> None:
    from tests.support.templates import compiled

    plans = tmp_path / "plans"
    plans.mkdir()
    text = (SQL.parent / "plans" / "lead_centric.yaml").read_text()
    steps = "      - backfill: public.contacts\n", "      - backfill: public.appointments\n"
    text = text.replace(steps[0], "X").replace(steps[1], steps[0]).replace("X", steps[1])
    (plans / "lead_centric.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"from public.appointments comes before that from public.contacts"):
        compiled(make_database("empty"), tmp_path)


@pytest.mark.parametrize("workers", [2, 5])
def test_workers_share_the_ranges_and_make_what_one_makes(
    make_database: Make, undisturbed: dict[str, Any], workers: int
) -> None:
    dsn = make_database("history")
    with open_(dsn) as conn:
        control(conn, workers=workers, batch_rows=50)
        seen = history.Recorder()
        history.run(dsn, progress=seen)
        assert_moved(conn, undisturbed)
        assert seen.most_workers == workers
        assert_in_sync(conn)


def test_two_sessions_never_have_the_same_range(make_database: Make) -> None:
    dsn = make_database("history")
    with psycopg.connect(dsn) as one, psycopg.connect(dsn) as two:
        one.execute("select crmshift.backfill_start('public.contacts')")
        one.commit()
        take = "select range, rows from crmshift.backfill_batch('public.contacts', 10, null, %s, false)"
        assert one.execute(take, [1]).fetchone() == (1, 10)
        assert two.execute(take, [1]).fetchone() == (2, 10), "the one asked for is taken: one not begun"
        two.commit()
        assert two.execute(take, [2]).fetchone() == (2, 10), "the one it had"
        two.commit()
        one.commit()
        assert two.execute(take, [None]).fetchone() == (3, 10), "one not begun before one that another is at"


def test_a_run_that_was_stopped_goes_on_with_another_number_of_workers(
    make_database: Make, undisturbed: dict[str, Any]
) -> None:
    dsn = make_database("history")
    with open_(dsn) as conn:
        for workers in (3, 1, 4):
            control(conn, workers=workers, batch_rows=20)
            before = done(conn)
            with running(dsn) as its:
                soon(lambda before=before: done(conn) > before + 200)  # type: ignore[misc]
                its.stop.raised = True
                with pytest.raises(Stopped):
                    its.end()
        assert done(conn) < CONTACTS
        control(conn, workers=2, batch_rows=10_000)
        history.run(dsn)
        assert_moved(conn, undisturbed)


def done(conn: psycopg.Connection) -> int:
    row = conn.execute("select coalesce(sum(rows_done), 0)::int from crmshift.backfill").fetchone()
    assert row is not None
    return int(row[0])


def test_a_run_is_steered_from_another_session(make_database: Make, undisturbed: dict[str, Any]) -> None:
    """Paused, resumed, more workers, fewer, larger batches: at once, by rows alone."""
    dsn = make_database("history")
    with open_(dsn) as conn:
        control(conn, batch_rows=2)
        with running(dsn) as its:
            soon(lambda: done(conn) > 20)
            conn.execute("select crmshift.backfill_pause('lunch')")
            soon(lambda: its.seen.holding == {"paused"})
            assert its.seen.pace is not None and its.seen.pace.holds[0].why == "lunch"
            stood = done(conn)
            time.sleep(0.5)
            assert done(conn) == stood < CONTACTS
            conn.execute("select crmshift.backfill_resume()")
            soon(lambda: done(conn) > stood)
            conn.execute("update crmshift.backfill_control set workers = 3")
            soon(lambda: workers(conn) == 3)
            conn.execute("update crmshift.backfill_control set workers = 1")
            soon(lambda: workers(conn) == 1)
            assert done(conn) < CONTACTS, "by our word, not because only one range was left"
            conn.execute("update crmshift.backfill_control set batch_rows = 5000")
            its.end()
        assert_moved(conn, undisturbed)


def test_a_worker_rests_as_long_as_it_is_told(make_database: Make, undisturbed: dict[str, Any]) -> None:
    dsn = make_database("history")
    with open_(dsn) as conn:
        conn.execute(
            "create function dawdle() returns trigger language plpgsql as 'begin perform pg_sleep(0.2); return null; end'"
        )
        conn.execute("create trigger dawdle before insert on customers for each statement execute function dawdle()")
        control(conn, batch_rows=100, rest=10)
        with running(dsn) as its:
            soon(lambda: done(conn) > 0)
            stood = done(conn)
            time.sleep(1)  # of two that it rests
            assert done(conn) == stood
            assert conn.execute("select cardinality(crmshift.backfill_backends())").fetchone() == (0,)
            conn.execute("drop trigger dawdle on customers")
            control(conn, batch_rows=5000, rest=0)
            its.end()
        assert_moved(conn, undisturbed)


def workers(conn: psycopg.Connection) -> int:
    row = conn.execute(
        "select count(*) from pg_stat_activity where application_name like '%/worker %' and datname = current_database()"
    ).fetchone()
    assert row is not None
    return int(row[0])


# --- one workspace


def test_one_workspace_first_and_the_rest_later(make_database: Make, undisturbed: dict[str, Any]) -> None:
    dsn = make_database("history")
    with open_(dsn) as conn:
        control(conn, batch_rows=300)
        history.run(dsn, workspace="Beta")
        own = CONTACTS // 5 + 1
        assert conn.execute(
            "select count(*), count(*) filter (where workspace_id = %s) from customers", [OTHER_WORKSPACE]
        ).fetchone() == (own, own)
        assert conn.execute("select count(*) from crmshift.check_backfill_complete()").fetchone() == (3,)
        assert conn.execute("select count(*) from crmshift.check_backfill_complete(%s)", [WORKSPACE]).fetchone() == (3,)
        assert conn.execute(
            "select count(*) from crmshift.check_backfill_complete(%s)", [OTHER_WORKSPACE]
        ).fetchone() == (0,)
        checking = db.connect(dsn, "tests")
        assert [
            c.name for c in checks.run(checking, backfill.find_workspace(checking, "Beta")).checks if not c.passed
        ] == []
        checking.close()
        history.run(dsn)
        whole = conn.execute(
            "select source, rows_total, rows_done from crmshift.backfill where workspace_id is null order by 1"
        ).fetchall()
        beta = conn.execute(
            "select source, rows_total, rows_done from crmshift.backfill where workspace_id is not null order by 1"
        ).fetchall()
        for (source, total, walked), (_, of_beta, walked_beta) in zip(whole, beta, strict=True):
            counted = conn.execute(f"select count(*) from {source}").fetchone()
            assert (total, of_beta) == (walked, walked_beta)
            assert counted == (total + of_beta,), "what was complete is left out of the rest"
        assert_moved(conn, {name: rows for name, rows in undisturbed.items() if name != "walks"})
        assert_in_sync(conn)


def test_a_workspace_half_done_is_done_when_the_whole_is(make_database: Make) -> None:
    dsn = make_database("history")
    with open_(dsn) as conn:
        conn.execute("select crmshift.backfill_start('public.contacts', %s)", [OTHER_WORKSPACE])
        conn.execute("select crmshift.backfill_batch('public.contacts', 10, %s)", [OTHER_WORKSPACE])
        history.run(dsn)
        assert conn.execute("select count(*) from crmshift.backfill where finished_at is null").fetchone() == (0,)
        assert_in_sync(conn)


def test_a_workspace_by_its_id_and_one_that_is_not_there(make_database: Make) -> None:
    conn = db.connect(make_database("unmoved"), "tests")
    assert str(backfill.find_workspace(conn, OTHER_WORKSPACE.upper())) == OTHER_WORKSPACE
    assert str(backfill.find_workspace(conn, "Beta")) == OTHER_WORKSPACE
    with pytest.raises(UsageError, match="no workspace Gamma"):
        backfill.find_workspace(conn, "Gamma")
    conn.execute("insert into workspaces (name) values ('Beta')")
    with pytest.raises(UsageError, match="More than one"):
        backfill.find_workspace(conn, "Beta")
    conn.close()


def test_a_table_whose_rows_tell_no_workspace_is_refused(make_database: Make) -> None:
    with open_(make_database("unmoved")) as conn:
        conn.execute("delete from crmshift.feed where source = 'public.appointments' and mode = 'fill'")
        with pytest.raises(psycopg.Error, match="do not tell their workspace") as raised:
            conn.execute("select crmshift.backfill_start('public.appointments', %s)", [WORKSPACE])
        assert raised.value.sqlstate == "SH001"


# --- bad rows

POISON = """
create function spit() returns trigger language plpgsql as $$ begin
    if new.lastname like '%99' then raise exception 'no' using errcode = '23514'; end if; return new; end $$;
create trigger spit before insert on customers for each row execute function spit();
"""


def test_bad_rows_are_queued_one_by_one_and_the_rest_goes_on(make_database: Make) -> None:
    dsn = make_database("history")
    with open_(dsn) as conn:
        conn.execute(POISON)
        control(conn, workers=2)
        bad = [str(r[0]) for r in conn.execute("select id from contacts where lastname like '%99'").fetchall()]
        assert len(bad) == 50
        history.run(dsn)
        assert conn.execute("select count(*) from customers").fetchone() == (CONTACTS + 5 - len(bad),)
        queued = {
            r[0]["id"]
            for r in conn.execute("select key from crmshift.sync_queue where subject = 'contacts'").fetchall()
        }
        assert queued == set(bad)
        written = """select (select sum(written) from crmshift.backfill) - (select count(*) from customers) - (select count(*) from leads)
                          - (select count(*) from customer_custom_fields) - (select count(*) from lead_appointments)"""
        assert conn.execute(written).fetchone() == (0,), "what was written beside them is counted"
        assert_agreement(conn)
        conn.execute("drop trigger spit on customers")
        settling = db.connect(dsn, "tests")
        repaired = repair.run(settling)
        assert repaired.failed == 0
        settling.close()
        assert_in_sync(conn)


# --- locks


def test_a_batch_that_meets_a_lock_is_halved_and_tried_again(make_database: Make, undisturbed: dict[str, Any]) -> None:
    dsn = make_database("history")
    with open_(dsn) as conn, psycopg.connect(dsn) as application:
        application.execute("select from contacts where lastname = '17' for update")
        with running(dsn) as its:
            soon(lambda: its.seen.waits >= 2)
            application.rollback()
            its.end()
        assert_moved(conn, undisturbed)


def test_a_row_that_stays_locked_ends_the_run_in_time(make_database: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db.with_lock_retry, "__kwdefaults__", {**db.with_lock_retry.__kwdefaults__, "attempts": 3})  # type: ignore[arg-type]
    dsn = make_database("history")
    with psycopg.connect(dsn) as application:
        application.execute("select from contacts order by id limit 1 for update")
        with pytest.raises(LockNotObtained, match="3 times"):
            history.run(dsn)


def test_a_batch_that_takes_too_long_is_halved(make_database: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "STATEMENT_TIMEOUT", "100ms")
    dsn = make_database("unmoved")
    with open_(dsn) as conn:
        conn.execute(
            """create function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(0.06); return new; end $$;
               create trigger dawdle before insert on customers for each row execute function dawdle()"""
        )
        seen = history.Recorder()
        history.run(dsn, progress=seen)
        assert seen.waits > 0
        assert_in_sync(conn)


def test_rows_of_legacy_are_only_locked_against_deletes(make_database: Make) -> None:
    dsn = make_database("unmoved")
    with psycopg.connect(dsn) as batch, open_(dsn) as conn:
        batch.execute("select crmshift.backfill_start('public.contacts')")
        before = conn.execute("select xmin, ctid from contacts where id = %s", [ADA]).fetchone()
        batch.execute("select crmshift.backfill_batch('public.contacts', 100)")
        assert conn.execute(
            "select count(*) from contacts where id in (select id from contacts for no key update skip locked)"
        ).fetchone() == (5,)
        assert conn.execute(
            "select count(*) from (select from contacts for update skip locked) as free"
        ).fetchone() == (0,)
        batch.commit()
        assert conn.execute("select xmin, ctid from contacts where id = %s", [ADA]).fetchone() == before


# --- repair by the same path


def test_repair_splits_off_bad_rows_and_mends_the_rest(make_database: Make) -> None:
    dsn = make_database("history")
    history.run(dsn)
    with open_(dsn) as conn:
        conn.execute("set session_replication_role = replica")
        conn.execute("update contacts set city = 'Rome'")
        conn.execute(
            "delete from customer_custom_fields where customer_id in (select customer_id from customer_custom_fields limit 40)"
        )
        conn.execute("reset session_replication_role")
        conn.execute(POISON.replace("before insert", "before update"))
        repairing = db.connect(dsn, "tests")
        repaired = repair.run(repairing)
        assert repaired.failed == 50
        assert repaired.handed["customers"] == CONTACTS + 5
        assert conn.execute("select count(*) from customers where city is distinct from 'Rome'").fetchone() == (50,)
        assert_agreement(conn)
        conn.execute("drop trigger spit on customers")
        assert repair.run(repairing).failed == 0
        repairing.close()
        assert_in_sync(conn)


def test_repair_tries_again_where_a_row_is_locked_for_a_moment(make_database: Make) -> None:
    dsn = make_database("parallel")
    with open_(dsn) as conn, psycopg.connect(dsn) as application:
        conn.execute("set session_replication_role = replica")
        conn.execute("update contacts set city = 'Rome'")
        application.execute("select from contacts where id = %s for update", [ADA])
        threading.Timer(0.5, application.rollback).start()
        repairing = db.connect(dsn, "tests")
        assert repair.run(repairing).failed == 0
        repairing.close()
        assert_in_sync(conn)


def test_repair_goes_round_a_row_that_stays_locked(make_database: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "ATTEMPTS", 2)
    dsn = make_database("history")
    history.run(dsn)
    with open_(dsn) as conn, psycopg.connect(dsn) as application:
        conn.execute("set session_replication_role = replica")
        conn.execute("update contacts set city = 'Rome' where firstname = 'Jo'")
        application.execute("select from contacts where lastname = '17' for update")
        repairing = db.connect(dsn, "tests")
        assert repair.run(repairing).failed == 1
        assert conn.execute("select sqlstate from crmshift.sync_queue").fetchall() == [("55P03",)]
        application.rollback()
        assert repair.run(repairing).failed == 0
        repairing.close()
        assert_in_sync(conn)


# --- killed


class _Death(Exception):
    pass


def _mortal(conn: Any, at: int, before: bool) -> Any:
    """A connection that is gone before or after its nth exchange with the server, as when its process is killed there."""
    exchange, seen = conn.wait, 0

    def wait(generator: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == at and before:
            conn.pgconn.finish()
            raise _Death
        answer = exchange(generator, *arguments, **named)
        if seen == at:
            conn.pgconn.finish()
            raise _Death
        return answer

    conn.wait = wait
    return conn


@pytest.mark.parametrize("number_of_workers", [1, 2])
def test_killed_at_every_statement_boundary_of_a_batch(
    make_database: Make, undisturbed: dict[str, Any], monkeypatch: pytest.MonkeyPatch, number_of_workers: int
) -> None:
    dsn = make_database("history")
    sibling, exchanges = db.sibling, 14  # twice the six of a batch, and what comes before
    deaths = 0
    with open_(dsn) as conn:
        control(conn, batch_rows=40, workers=number_of_workers)
        for at in range(1, exchanges + 1):
            for before in (True, False):
                monkeypatch.setattr(
                    db,
                    "sibling",
                    lambda c, name, at=at, before=before: _mortal(sibling(c, name), at, before),  # type: ignore[misc]
                )
                with pytest.raises(_Death):
                    history.run(dsn)
                deaths += 1
        monkeypatch.setattr(db, "sibling", sibling)
        assert deaths == 2 * exchanges
        assert 0 < done(conn) < CONTACTS, "killed in the middle"
        history.run(dsn)
        assert_moved(conn, undisturbed)
        assert_in_sync(conn)


@pytest.mark.slow
def test_the_server_is_killed_again_and_again(
    make_server: Callable[..., EmbeddedServer], undisturbed: dict[str, Any]
) -> None:
    """At random moments, and the driver every other time; CRMSHIFT_KILLS says how often."""
    server = make_server(fsync="on", synchronous_commit="on", full_page_writes="on")
    dsn = server.dsn()
    with open_(dsn) as conn:
        conn.execute((SQL / "legacy" / "schema.sql").read_text(encoding="utf-8"))
        conn.execute((SQL.parent / "tests" / "support" / "seed.sql").read_text(encoding="utf-8"))
    apply_to(dsn, "sync-layer")
    history.load(dsn)
    rng = random.Random(KILLS)
    with open_(dsn) as conn:
        control(conn, workers=2, batch_rows=max(1, CONTACTS // (KILLS * 30)))
        conn.execute(
            """create function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(0.03); return null; end $$;
               create trigger dawdle before insert on customers for each statement execute function dawdle()"""
        )
    for kill in range(KILLS):
        process = crmshift(dsn, "backfill", "run")
        with open_(dsn) as conn:
            soon(lambda conn=conn: workers(conn) > 0)  # type: ignore[misc]
        time.sleep(rng.uniform(0.0, 0.4))
        if kill % 2:
            process.send_signal(signal.SIGKILL)
            finish(process)
        else:
            server.crash()
            status, output = finish(process)
            assert status == 2, output
            assert "same command again" in output or "Cannot connect" in output, "it may have been about to"
            server.restart()
    with open_(dsn) as conn:
        assert 0 < done(conn) < CONTACTS
        conn.execute("drop trigger dawdle on customers")
        control(conn, batch_rows=1000)
        status, output = finish(crmshift(dsn, "backfill", "run"))
        assert status == 0, output
        assert_moved(conn, undisturbed)
        assert_in_sync(conn)


def test_a_batch_does_not_read_all_that_was_written_before_it(make_database: Make) -> None:
    """Plans made when the target was empty go on being used as it grows; nothing has analyzed it."""
    dsn = make_database("history")
    with open_(dsn) as conn:
        for table in ("customers", "leads"):
            conn.execute(f"alter table {table} set (autovacuum_enabled = off)")
        control(conn, batch_rows=100)
        history.run(dsn)
        read = "select sum(seq_tup_read)::int from pg_stat_user_tables where relname in ('customers', 'leads')"
        soon(
            lambda: (
                conn.execute("select n_tup_ins from pg_stat_user_tables where relname = 'customers'").fetchone()
                == (CONTACTS + 5,)
            )
        )
        row = conn.execute(read).fetchone()
        assert row is not None and row[0] < 100 * CONTACTS, row


def test_a_large_batch_does_not_read_the_whole_source(make_database: Make) -> None:
    """By PostgreSQL's own figures a thousand rows by key cost more than twenty thousand in a row."""
    dsn = make_database("history")
    with open_(dsn) as conn:
        conn.execute("set session_replication_role = replica")
        conn.execute(
            """insert into contacts (id, workspace_id, firstname, lead_status)
               select md5('more' || n)::uuid, %s, repeat('x', 200), 'new' from generate_series(1, 20000) as n""",
            [WORKSPACE],
        )
        conn.execute("vacuum analyze contacts")
        conn.execute("select crmshift.backfill_start('public.contacts')")
        many, key = 1000, "00000000-0000-0000-0000-000000000000"
        conn.execute("select pg_stat_force_next_flush()")
        before = conn.execute("select seq_scan from pg_stat_user_tables where relname = 'contacts'").fetchone()
        plan = conn.execute(
            "explain select from contacts join (select md5('more' || n)::uuid as id from generate_series(1, %s) as n) as k using (id) where id > %s::uuid",
            [many, key],
        ).fetchall()
        assert "Seq Scan on contacts" in str(plan), "else there is nothing to see here"
        for _ in range(5):
            assert conn.execute(
                "select rows from crmshift.backfill_batch('public.contacts', %s)", [many]
            ).fetchone() == (many,)
        conn.execute("select pg_stat_force_next_flush()")
        assert conn.execute("select seq_scan from pg_stat_user_tables where relname = 'contacts'").fetchone() == before


def test_apply_runs_the_same_with_workers(make_database: Make, undisturbed: dict[str, Any]) -> None:
    from tests.support.templates import compiled

    dsn = make_database("history")
    with open_(dsn) as conn:
        control(conn, workers=3)
        own = db.connect(dsn, "apply")
        seen = history.Recorder()
        apply.run(own, compiled(dsn), "parallel-operation", seen, StopSignal())
        own.close()
        assert seen.most_workers == 3
        assert_moved(conn, undisturbed)


def test_nothing_is_walked_twice_once_it_is_done(make_database: Make) -> None:
    dsn = make_database("history")
    history.run(dsn)
    with open_(dsn) as conn:
        batches = conn.execute("select sum(batches) from crmshift.backfill").fetchone()
        history.run(dsn)
        assert conn.execute("select sum(batches) from crmshift.backfill").fetchone() == batches
