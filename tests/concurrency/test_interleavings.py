"""Two sessions at once, step by step in a fixed order: whatever the order, both sides agree in the end and nothing is lost unrecorded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.support.agreement import assert_agreement, assert_in_sync, drain, queue
from tests.support.sessions import Session, sessions
from tests.support.templates import ADA, BEN, CLEO, NOBODY, WORKSPACE

Make = Callable[[str], str]


SOURCES = ("public.contacts", "public.contact_custom_fields", "public.appointments")
BACKFILL = " union all ".join(f"select (crmshift.backfill_batch('{source}', 1000)).rows_done" for source in SOURCES)


@contextmanager
def before_the_backfill(make_database: Make) -> Iterator[tuple[Session, Session, psycopg.Connection]]:
    """An application, a backfill that has frozen its bounds, and a look from outside."""
    dsn = make_database("unmoved")
    with sessions(dsn, "application", "backfill") as (application, backfill):
        for source in SOURCES:
            backfill("select crmshift.backfill_start(%s)", source)
        with psycopg.connect(dsn, autocommit=True) as conn:
            yield application, backfill, conn


# --- backfill against live writes

WRITES = {
    "an update": "update contacts set city = 'Rom', lead_status = 'won' where id = %s",
    "a clock": "update contacts set updated_at = '2030-01-01Z' where id = %s",
    "a delete": "delete from contacts where id = %s",
    "a field": "update contact_custom_fields set value = 'blue' where contact_id = %s",
    "a deleted field": "delete from contact_custom_fields where contact_id = %s",
    "an appointment": "insert into appointments (contact_id, status) values (%s, 'live')",
    "an appointment moved": f"update appointments set contact_id = '{BEN}' where contact_id = %s",
    "deleted appointments": "delete from appointments where contact_id = %s",
}


@pytest.mark.default_pg
@pytest.mark.parametrize("write", WRITES)
@pytest.mark.shows("interleaving before")
def test_a_live_write_before_the_batch(make_database: Make, write: str) -> None:
    with before_the_backfill(make_database) as (application, backfill, conn):
        application(WRITES[write], ADA)
        backfill(BACKFILL)
        assert_in_sync(conn)


@pytest.mark.default_pg
@pytest.mark.parametrize("write", WRITES)
@pytest.mark.shows("interleaving after")
def test_a_live_write_after_the_batch(make_database: Make, write: str) -> None:
    with before_the_backfill(make_database) as (application, backfill, conn):
        backfill(BACKFILL)
        application(WRITES[write], ADA)
        assert_in_sync(conn)


@pytest.mark.parametrize("end", ["commit", "rollback"])
@pytest.mark.parametrize("write", WRITES)
@pytest.mark.shows("trap unlocked source", "interleaving inside", "interleaving rolled back")
def test_a_live_write_that_is_open_while_the_batch_runs(make_database: Make, write: str, end: str) -> None:
    """The write comes first and commits, or not, while the batch is under way; the batch may have to wait for it."""
    with before_the_backfill(make_database) as (application, backfill, conn):
        application("begin")
        application(WRITES[write], ADA)
        batch = backfill.start(BACKFILL)
        batch.blocked(timeout=0.2)
        application(end)
        batch.result()
        assert_in_sync(conn)


@pytest.mark.parametrize("end", ["commit", "rollback"])
@pytest.mark.parametrize("write", WRITES)
@pytest.mark.shows("interleaving inside", "interleaving rolled back")
def test_a_live_write_while_the_batch_is_open(make_database: Make, write: str, end: str) -> None:
    """The batch has written and not committed; the write comes, waits or does not, and finds what the batch did, or not."""
    with before_the_backfill(make_database) as (application, backfill, conn):
        backfill("begin")
        backfill(BACKFILL)
        live = application.start(WRITES[write], ADA)
        live.blocked(timeout=0.2)
        backfill(end)
        live.result()
        if end == "rollback":
            backfill(BACKFILL)
        assert_agreement(conn)
        drain(conn)
        assert_in_sync(conn)


@pytest.mark.default_pg
@pytest.mark.parametrize("write", WRITES)
@pytest.mark.shows("interleaving between")
def test_a_live_write_between_two_batches_of_one_table(make_database: Make, write: str) -> None:
    with before_the_backfill(make_database) as (application, backfill, conn):
        backfill("select crmshift.backfill_batch('public.contacts', 2)")
        backfill("select crmshift.backfill_batch('public.appointments', 1)")
        application(WRITES[write], ADA)
        backfill(BACKFILL)
        assert_in_sync(conn)


@pytest.mark.shows("C6")
def test_a_contact_deleted_while_the_batch_waits_for_it_leaves_no_ghost(make_database: Make) -> None:
    with before_the_backfill(make_database) as (application, backfill, conn):
        application("begin")
        application("delete from contacts where id = %s", ADA)
        batch = backfill.start(BACKFILL)
        assert batch.blocked()
        application.commit()
        batch.result()
        assert conn.execute("select count(*) from customers where cst_id = %s", [ADA]).fetchone() == (0,)
        assert_in_sync(conn)


def test_an_ordinary_update_does_not_hold_up_a_batch_nor_a_batch_a_reader_of_the_row(make_database: Make) -> None:
    """FOR KEY SHARE: an open update of another row is no reason to wait, and a batch blocks no update of a row that is there already."""
    with before_the_backfill(make_database) as (application, backfill, conn):
        application("update contacts set city = 'Rom' where id = %s", ADA)  # Ada is there already
        backfill("begin")
        backfill("select crmshift.backfill_batch('public.contacts', 1000)")
        assert not application.start("update contacts set zip = '1' where id = %s", ADA).blocked(timeout=0.3)
        backfill.commit()
        backfill(BACKFILL)
        assert_in_sync(conn)


@pytest.mark.shows("C9")
def test_two_backfills_at_once_write_nothing_twice(make_database: Make) -> None:
    with before_the_backfill(make_database) as (second, first, conn):
        first("begin")
        first("select crmshift.backfill_batch('public.contacts', 2)")
        waiting = second.start("select (crmshift.backfill_batch('public.contacts', 2)).rows_done")
        assert waiting.blocked()
        first.commit()
        assert waiting.result() == [(4,)]
        first(BACKFILL)
        done = conn.execute(
            "select rows_done, written, rows_total from crmshift.backfill where source = 'public.contacts'"
        ).fetchone()
        assert done == (5, 9, 5), "a customer for each, and a lead for four"
        first(BACKFILL)
        assert_in_sync(conn)


# --- both sides at once


def wait_long(conn: psycopg.Connection) -> None:
    """Let the sync wait for a lock as long as a test needs to let go of it."""
    for (name,) in conn.execute(
        "select oid::regprocedure::text from pg_proc where pronamespace = 'crmshift'::regnamespace and proname like 'tg\\_%'"
    ).fetchall():
        conn.execute(f"alter function {name} set lock_timeout = '8s'")


@pytest.mark.shows("E11", "trap crossing deadlock")
def test_crossing_writes_to_one_contact_both_commit_and_the_queue_settles_them(make_database: Make) -> None:
    """A comes from legacy, B from the target; each has its own row and wants the other's."""
    dsn = make_database("parallel")
    with sessions(dsn, "A", "B") as (a, b), psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("create table gate ()")
        conn.execute(
            """
            create function wait_at_gate() returns trigger language plpgsql as
            $$ begin perform from pg_locks where false; lock table public.gate in share mode; return null; end $$;
            create trigger aaa_gate after update on contacts for each statement execute function wait_at_gate();
            create trigger aaa_gate after update on leads for each statement execute function wait_at_gate();
            """
        )
        conn.execute("begin")
        conn.execute("lock table gate")
        began = time.monotonic()
        legacy = a.start("update contacts set lead_status = 'from A', city = 'Rom' where id = %s", ADA)
        target = b.start("update leads set disposition = 'from B' where customer_id = %s and is_primary", ADA)
        assert legacy.blocked() and target.blocked()
        conn.execute("commit")  # both hold their own row; now the sync of each wants the other's
        legacy.result()
        target.result()
        assert time.monotonic() - began < 4
        assert_agreement(conn)
        conn.execute("drop trigger aaa_gate on contacts; drop trigger aaa_gate on leads")
        drain(conn)
        assert_in_sync(conn)
        status = conn.execute("select lead_status from contacts where id = %s", [ADA]).fetchone()
        assert status in (("from A",), ("from B",))


@pytest.mark.shows("E11", "trap crossing deadlock")
def test_crossing_writes_in_open_transactions_lose_neither_side_unrecorded(make_database: Make) -> None:
    """B's sync cannot reach the contact that A holds; then A's cannot reach the lead that B holds."""
    dsn = make_database("parallel")
    with sessions(dsn, "A", "B") as (a, b), psycopg.connect(dsn, autocommit=True) as conn:
        a("begin")
        a("select from contacts where id = %s for update", ADA)
        b("begin")
        b("update leads set disposition = 'from B' where customer_id = %s", ADA)
        assert [(m, s) for m, _, _, s in queue(b.connection)] == [("contacts", "55P03")]
        a("update contacts set lead_status = 'from A' where id = %s", ADA)
        assert {(m, s) for m, _, _, s in queue(a.connection)} == {("contacts", "55P03")}
        b.commit()
        a.commit()
        assert_agreement(conn)
        drain(conn)
        assert_in_sync(conn)
        assert conn.execute("select lead_status from contacts where id = %s", [ADA]).fetchone() == ("from A",)
        assert conn.execute("select winner, losing -> 'lead_status' ->> 1 from crmshift.conflict_log").fetchall() == [
            ("legacy", "from B")
        ]


def test_a_write_that_timed_out_is_not_overwritten_by_the_one_it_waited_for(make_database: Make) -> None:
    """A times out on the customer that B holds and is queued; B then rewrites the contact from the target."""
    dsn = make_database("parallel")
    with sessions(dsn, "A", "B") as (a, b), psycopg.connect(dsn, autocommit=True) as conn:
        b("begin")
        b("select from customers where cst_id = %s for update", ADA)
        a("update contacts set city = 'Rom' where id = %s", ADA)
        assert {m for m, *_ in queue(conn)} == {"contacts"}
        b("update customers set zip = '00100' where cst_id = %s", ADA)
        b.commit()
        assert_agreement(conn)
        drain(conn)
        assert_in_sync(conn)
        row = conn.execute("select city, zip from customers where cst_id = %s", [ADA]).fetchone()
        logged = conn.execute("select count(*) from crmshift.conflict_log").fetchone()
        assert row == ("Rom", "00100") or logged != (0,)


def test_two_first_leads_at_once_give_one_primary_lead(make_database: Make) -> None:
    dsn = make_database("parallel")
    with sessions(dsn, "A", "B") as (a, b), psycopg.connect(dsn, autocommit=True) as conn:
        wait_long(conn)
        insert = "insert into leads (customer_id, workspace_id, disposition) values (%s, %s, %s)"
        a("begin")
        a(insert, BEN, WORKSPACE, "from A")
        second = b.start(insert, BEN, WORKSPACE, "from B")
        assert second.blocked()
        a.commit()
        second.result()
        assert_agreement(conn)
        drain(conn)
        assert_in_sync(conn)
        assert conn.execute(
            "select count(*), count(*) filter (where is_primary) from leads where customer_id = %s", [BEN]
        ).fetchone() == (2, 1)
        assert conn.execute("select lead_status from contacts where id = %s", [BEN]).fetchone() == ("from A",)


def test_two_first_leads_at_once_where_one_waits_too_long_give_one_primary_lead(make_database: Make) -> None:
    dsn = make_database("parallel")
    with sessions(dsn, "A", "B") as (a, b), psycopg.connect(dsn, autocommit=True) as conn:
        insert = "insert into leads (customer_id, workspace_id, disposition) values (%s, %s, %s)"
        a("begin")
        a(insert, BEN, WORKSPACE, "from A")
        b(insert, BEN, WORKSPACE, "from B")  # gives up after the lock timeout, and is queued
        a.commit()
        assert_agreement(conn)
        drain(conn)
        assert_in_sync(conn)
        assert conn.execute(
            "select count(*), count(*) filter (where is_primary) from leads where customer_id = %s", [BEN]
        ).fetchone() == (2, 1)


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_customer_and_its_lead_written_at_once_both_reach_legacy(make_database: Make, end: str) -> None:
    """Two tables feed one contact: who comes second must not write what it read before the first committed."""
    dsn = make_database("parallel")
    with sessions(dsn, "A", "B") as (a, b), psycopg.connect(dsn, autocommit=True) as conn:
        wait_long(conn)
        a("begin")
        a("update customers set city = 'Rom' where cst_id = %s", ADA)
        second = b.start("update leads set disposition = 'won' where customer_id = %s", ADA)
        assert second.blocked()
        a(end)
        second.result()
        assert_in_sync(conn)
        city = "Rom" if end == "commit" else "Bonn"
        assert conn.execute("select city, lead_status from contacts where id = %s", [ADA]).fetchone() == (city, "won")


def test_in_repeatable_read_a_stale_snapshot_is_not_written(make_database: Make) -> None:
    dsn = make_database("parallel")
    with sessions(dsn, "A", "B") as (a, b), psycopg.connect(dsn, autocommit=True) as conn:
        b("begin isolation level repeatable read")
        b("select count(*) from customers")
        a("update customers set city = 'Rom' where cst_id = %s", ADA)
        b("update leads set disposition = 'won' where customer_id = %s", ADA)
        b.commit()
        assert_agreement(conn)
        drain(conn)
        assert_in_sync(conn)
        assert conn.execute("select city, lead_status from contacts where id = %s", [ADA]).fetchone() == ("Rom", "won")


def test_in_repeatable_read_a_legacy_write_over_a_stale_snapshot_keeps_both(make_database: Make) -> None:
    dsn = make_database("parallel")
    with sessions(dsn, "A", "B") as (a, b), psycopg.connect(dsn, autocommit=True) as conn:
        b("begin isolation level repeatable read")
        b("select count(*) from customers")
        a("insert into leads (customer_id, workspace_id, disposition) values (%s, %s, 'from A')", BEN, WORKSPACE)
        b("insert into appointments (contact_id, status) values (%s, 'from B')", BEN)
        b.commit()
        assert_agreement(conn)
        drain(conn)
        assert_in_sync(conn)
        assert conn.execute("select count(*) from leads where customer_id = %s", [BEN]).fetchone() == (1,)
        assert conn.execute(
            "select status from lead_appointments join leads l on l.id = lead_id where customer_id = %s", [BEN]
        ).fetchall() == [("from B",)]


@pytest.mark.parametrize("person", [ADA, BEN], ids=["of a lead", "of a person who is no lead yet"])
def test_appointments_inserted_on_both_sides_at_once_are_both_there(make_database: Make, person: str) -> None:
    dsn = make_database("parallel")
    with sessions(dsn, "A", "B") as (a, b), psycopg.connect(dsn, autocommit=True) as conn:
        wait_long(conn)
        a("begin")
        a("insert into appointments (contact_id, status) values (%s, 'from A')", person)
        opposite = b.start(
            """
            with found as (select id, workspace_id from leads where customer_id = %s),
                 made as (insert into leads (customer_id, workspace_id) select cst_id, workspace_id from customers
                           where cst_id = %s and not exists (select from found) returning id, workspace_id)
            insert into lead_appointments (lead_id, workspace_id, status) select id, workspace_id, 'from B' from (table found union all table made) as l
            """,
            person,
            person,
        )
        opposite.blocked(timeout=0.3)
        a.commit()
        opposite.result()
        assert_agreement(conn)
        drain(conn)
        assert_in_sync(conn)
        both = conn.execute(
            "select a.status from lead_appointments a join leads l on l.id = lead_id where customer_id = %s and a.status like 'from%%' order by 1",
            [person],
        ).fetchall()
        assert both == [("from A",), ("from B",)]
        leads = conn.execute(
            "select count(*) filter (where is_primary) from leads where customer_id = %s", [person]
        ).fetchone()
        assert leads == (1,)


def test_one_appointment_deleted_on_one_side_and_changed_on_the_other_at_once(make_database: Make) -> None:
    dsn = make_database("parallel")
    with sessions(dsn, "A", "B") as (a, b), psycopg.connect(dsn, autocommit=True) as conn:
        wait_long(conn)
        a("begin")
        a("delete from appointments where id = 1")
        change = b.start("update lead_appointments set status = 'changed' where id = 1")
        assert change.blocked()
        a.commit()
        change.result()
        assert conn.execute("select count(*) from appointments where id = 1").fetchone() == (0,)
        assert_in_sync(conn)


def test_a_contact_deleted_while_its_customer_is_changed(make_database: Make) -> None:
    dsn = make_database("parallel")
    with sessions(dsn, "A", "B") as (a, b), psycopg.connect(dsn, autocommit=True) as conn:
        b("begin")
        b("update customers set address2 = 'c/o' where cst_id = %s", ADA)  # not mapped: only the customer's row is held
        a("delete from contacts where id = %s", ADA)
        assert {m for m, *_ in queue(conn)} >= {"contacts"}
        b.commit()
        assert_agreement(conn)
        drain(conn)
        assert_in_sync(conn)
        assert conn.execute("select count(*) from customers where cst_id = %s", [ADA]).fetchone() == (0,)


def test_a_customer_gets_a_lead_while_its_contact_is_deleted(make_database: Make) -> None:
    dsn = make_database("parallel")
    with sessions(dsn, "A", "B") as (a, b), psycopg.connect(dsn, autocommit=True) as conn:
        wait_long(conn)
        b("begin")
        b("insert into leads (customer_id, workspace_id, disposition) values (%s, %s, 'second')", ADA, WORKSPACE)
        deleted = a.start("delete from contacts where id = %s", ADA)
        assert deleted.blocked(), "B has written the contact too"
        b.commit()
        deleted.result()
        assert_agreement(conn)
        drain(conn)
        assert_in_sync(conn)


def test_an_appointment_is_made_while_the_lead_is_deleted(make_database: Make) -> None:
    dsn = make_database("parallel")
    with sessions(dsn, "A", "B") as (a, b), psycopg.connect(dsn, autocommit=True) as conn:
        wait_long(conn)
        b("begin")
        b("delete from leads where customer_id = %s", CLEO)
        made = a.start("insert into appointments (contact_id, status) values (%s, 'new')", CLEO)
        assert made.blocked()
        b.commit()
        made.result()
        assert_agreement(conn)
        drain(conn)
        assert_in_sync(conn)
        assert conn.execute("select count(*) from appointments where contact_id = %s", [CLEO]).fetchone() == (1,)


def test_a_second_lead_is_promoted_while_legacy_changes_the_status(make_database: Make) -> None:
    dsn = make_database("parallel")
    with sessions(dsn, "A", "B") as (a, b), psycopg.connect(dsn, autocommit=True) as conn:
        wait_long(conn)
        conn.execute(
            "insert into leads (id, customer_id, workspace_id, disposition) values (%s, %s, %s, 'second')",
            [NOBODY, ADA, WORKSPACE],
        )
        b("begin")
        b("delete from leads where customer_id = %s and is_primary", ADA)
        status = a.start("update contacts set lead_status = 'from A' where id = %s", ADA)
        assert status.blocked()
        b.commit()
        status.result()
        assert_agreement(conn)
        drain(conn)
        assert_in_sync(conn)
        assert conn.execute(
            "select count(*), count(*) filter (where is_primary) from leads where customer_id = %s", [ADA]
        ).fetchone() == (1, 1)


def test_a_drain_and_a_live_write_of_the_same_row_agree(make_database: Make) -> None:
    dsn = make_database("parallel")
    with sessions(dsn, "A", "drain") as (a, drainer), psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("alter table customers add constraint no_rome check (city <> 'Rom')")
        a("update contacts set city = 'Rom' where id = %s", ADA)
        conn.execute("alter table customers drop constraint no_rome")
        drainer("begin")
        drainer("select * from crmshift.drain()")
        live = a.start("update contacts set city = 'Bari' where id = %s", ADA)
        assert live.blocked()
        drainer.commit()
        live.result()
        assert_in_sync(conn)
        assert conn.execute("select city from customers where cst_id = %s", [ADA]).fetchone() == ("Bari",)


def test_a_live_write_that_is_open_when_the_drain_comes_is_waited_for(make_database: Make) -> None:
    dsn = make_database("parallel")
    with sessions(dsn, "A", "drain") as (a, drainer), psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("alter table customers add constraint no_rome check (city <> 'Rom')")
        a("update contacts set city = 'Rom' where id = %s", ADA)
        conn.execute("alter table customers drop constraint no_rome")
        a("begin")
        a("update contacts set city = 'Bari' where id = %s", ADA)
        waiting = drainer.start("select settled, failed from crmshift.drain()")
        assert waiting.blocked()
        a.commit()
        assert waiting.result() == [(1, 0)]
        assert_in_sync(conn)
        assert conn.execute("select city from customers where cst_id = %s", [ADA]).fetchone() == ("Bari",)
