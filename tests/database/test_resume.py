"""P8: killed at any moment, driver or server: the same command again finishes, with nothing lost and nothing doubled."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg
import pytest

from crmshift.embedded import EmbeddedServer
from tests.support.agreement import assert_agreement, assert_in_sync
from tests.support.databases import SQL
from tests.support.templates import WORKSPACE, apply_to

CONTACTS = 3000
KILLS = 5

# Slow enough to be met half-way, however fast the machine.
SLOW = """
create function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(0.01); return null; end $$;
create trigger dawdle before insert on customers for each statement execute function dawdle();
"""
MANY = f"""
insert into contacts (workspace_id, lastname, lead_status)
select '{WORKSPACE}', n, case when n % 2 = 0 then 'new' end from generate_series(1, {CONTACTS}) as n;
insert into appointments (contact_id, status) select id, 'open' from contacts where lastname like '%7';
"""


def crmshift(dsn: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "crmshift", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "CRMSHIFT_DSN": dsn},
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


def rows_done(conn: psycopg.Connection) -> int:
    """How far all backfills have come; none where they are not installed yet."""
    with suppress(psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        row = conn.execute("select coalesce(sum(rows_done), 0)::integer from crmshift.backfill").fetchone()
        return row[0] if row else 0
    return 0


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert process.poll() is None, f"it ended before it could be killed: {process.communicate()[0]}"
        assert time.monotonic() < deadline
        time.sleep(0.002)


def assert_moved_once(conn: psycopg.Connection) -> None:
    """Every row is there, and was counted once."""
    assert_in_sync(conn)
    counts = conn.execute(
        """
        select (select count(*) from contacts) - (select count(*) from customers),
               (select sum(rows_total) - sum(rows_done) from crmshift.backfill),
               (select sum(written) from crmshift.backfill)
                 - (select count(*) from customers) - (select count(*) from leads) - (select count(*) from lead_appointments)
                 - (select count(*) from customer_custom_fields),
               (select count(*) from crmshift.backfill where finished_at is null)
        """
    ).fetchone()
    assert counts == (0, 0, 0, 0)


def test_a_backfill_killed_five_times_is_finished_by_the_next_run(make_database: Callable[[str], str]) -> None:
    dsn = make_database("unmoved")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("set session_replication_role = replica")
        conn.execute(MANY)
        conn.execute(SLOW)
        for _ in range(KILLS):
            goal = rows_done(conn) + random.randrange(1, CONTACTS // (KILLS + 2))
            process = crmshift(dsn, "backfill", "run", "--batch", "23")
            wait_for(lambda goal=goal: rows_done(conn) >= goal, process)  # type: ignore[misc]
            process.kill()
            assert finish(process)[0] == -signal.SIGKILL
            assert_only_what_is_done_is_there(conn)
        conn.execute("drop trigger dawdle on customers")
        status, output = finish(crmshift(dsn, "backfill", "run"))
        assert status == 0, output
        assert_moved_once(conn)
        done = conn.execute("select sum(batches) from crmshift.backfill").fetchone()
        assert finish(crmshift(dsn, "backfill", "run"))[0] == 0
        assert conn.execute("select sum(batches) from crmshift.backfill").fetchone() == done, (
            "a further run does nothing"
        )


def assert_only_what_is_done_is_there(conn: psycopg.Connection) -> None:
    """A batch and its checkpoint are one: customers are exactly the contacts up to the checkpoints of the ranges."""
    row = conn.execute(
        """
        select (select count(*) from customers), b.rows_done,
               (select count(*) from contacts as c
                 where exists (select from crmshift.backfill_range as r join crmshift.backfill_walk as w on w.id = r.walk
                                where w.source = b.source and c.id > coalesce(r.low_key[1]::uuid, '00000000-0000-0000-0000-000000000000') and c.id <= r.last_key[1]::uuid))
          from crmshift.backfill as b where source = 'public.contacts'
        """
    ).fetchone()
    assert row is not None
    assert row[0] == row[1] == row[2]


def test_an_apply_killed_at_any_step_is_finished_by_the_next_run(make_database: Callable[[str], str]) -> None:
    dsn = make_database("seeded")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(MANY)
        for _ in range(KILLS):
            goal = steps_applied(conn) + random.randrange(1, 7)
            process = crmshift(dsn, "apply", "--to", "parallel-operation", "--yes")
            wait_for(lambda goal=goal: steps_applied(conn) >= goal, process)  # type: ignore[misc]
            process.kill()
            assert finish(process)[0] == -signal.SIGKILL
        status, output = finish(crmshift(dsn, "apply", "--to", "parallel-operation", "--yes"))
        assert status == 0, output
        assert_moved_once(conn)
        twice = conn.execute(
            "select step from crmshift.step_run where event = 'finished' group by step having count(*) > 1"
        ).fetchall()
        assert twice == []


def steps_applied(conn: psycopg.Connection) -> int:
    with suppress(psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        row = conn.execute("select count(*) from crmshift.step_state where state = 'applied'").fetchone()
        return row[0] if row else 0
    return 0


@pytest.mark.slow
def test_a_backfill_goes_on_after_the_server_was_killed(make_server: Callable[..., EmbeddedServer]) -> None:
    server = make_server(fsync="on", synchronous_commit="on", full_page_writes="on")
    dsn = server.dsn()
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute((SQL / "legacy" / "schema.sql").read_text(encoding="utf-8"))
        conn.execute("insert into workspaces (id, name) values (%s, 'Alpha')", [WORKSPACE])
        conn.execute(MANY)
    apply_to(dsn, "sync-layer")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(SLOW)
        process = crmshift(dsn, "backfill", "run", "--batch", "23")
        wait_for(lambda: rows_done(conn) > CONTACTS // 3, process)
    server.crash()
    status, output = finish(process)
    assert status == 2
    assert "same command again" in output
    server.restart()
    with psycopg.connect(dsn, autocommit=True) as conn:
        assert 0 < rows_done(conn) < CONTACTS
        assert_only_what_is_done_is_there(conn)
        conn.execute("drop trigger dawdle on customers")
        conn.execute("update contacts set city = 'Rom' where lastname like '%3'")
        status, output = finish(crmshift(dsn, "backfill", "run", "--batch", "500"))
        assert status == 0, output
        assert_agreement(conn)
        assert conn.execute("select count(*) from customers").fetchone() == (CONTACTS,)


def test_a_first_interrupt_finishes_the_batch_and_says_how_to_go_on(make_database: Callable[[str], str]) -> None:
    dsn = make_database("unmoved")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("set session_replication_role = replica")
        conn.execute(MANY)
        conn.execute(SLOW)
        process = crmshift(dsn, "backfill", "run", "--batch", "23")
        wait_for(lambda: rows_done(conn) > 100, process)
        process.send_signal(signal.SIGINT)
        status, output = finish(process)
        assert status == 5, output
        assert "Run the same command again" in output
        assert_only_what_is_done_is_there(conn)
        conn.execute("drop trigger dawdle on customers")
        assert finish(crmshift(dsn, "backfill", "run"))[0] == 0
        assert_moved_once(conn)
