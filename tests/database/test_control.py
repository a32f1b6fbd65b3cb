"""Steering the sync by rows: pause and resume, later instead of at once, errors raised instead of queued."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from crmshift import sync
from tests.support.agreement import assert_agreement, assert_in_sync, drain, queue
from tests.support.sessions import sessions
from tests.support.templates import ADA, BEN, CLEO, FIELD, WORKSPACE

Db = Callable[[str], psycopg.Connection]
Make = Callable[[str], str]

EVERY_WRITE = {
    "contacts": "update contacts set city = 'Rom' where id = %(ada)s",
    "customers": "update customers set city = 'Rom' where cst_id = %(ada)s",
    "leads": "update leads set disposition = 'won' where customer_id = %(ada)s",
    "a new contact": "insert into contacts (workspace_id, firstname, lead_status) values (%(alpha)s, 'Nora', 'new')",
    "a new customer": "insert into customers (workspace_id, firstname) values (%(alpha)s, 'Nora')",
    "a first lead": "insert into leads (customer_id, workspace_id, disposition) values (%(ben)s, %(alpha)s, 'new')",
    "a deleted contact": "delete from contacts where id = %(cleo)s",
    "a contact's id": "update contacts set id = '00000000-0000-0000-0000-0000000000cf' where id = %(ben)s",
    "a custom field": "insert into contact_custom_fields (contact_id, field_id, value) values (%(cleo)s, %(field)s, 'x')",
    "a customer's field": "insert into customer_custom_fields (customer_id, field_id, workspace_id, value) values (%(ben)s, %(field)s, %(alpha)s, 'x')",
    "an appointment of who has no lead": "insert into appointments (contact_id, status) values (%(ben)s, 'made')",
    "a lead's appointment": "insert into lead_appointments (lead_id, workspace_id, status) select id, workspace_id, 'made' from leads where customer_id = %(ada)s",
    "another primary lead": """
        with second as (insert into leads (customer_id, workspace_id, disposition) values (%(ada)s, %(alpha)s, 'second') returning id)
        insert into lead_appointments (lead_id, workspace_id, status) select id, %(alpha)s, 'of the second' from second""",
    "a truncated table": "truncate appointments",
    "a truncated table of the target": "truncate customer_custom_fields",
    "truncated leads": "truncate leads cascade",
    "truncated contacts": "truncate contacts cascade",
}


def written(conn: psycopg.Connection, what: str) -> None:
    names = {"ada": ADA, "ben": BEN, "cleo": CLEO, "alpha": WORKSPACE, "field": FIELD}
    conn.execute(EVERY_WRITE[what], names)


def both_sides(conn: psycopg.Connection) -> list[Any]:
    tables = ("contacts", "contact_custom_fields", "appointments", "customers", "leads", "lead_appointments")
    return [conn.execute(f"select t::text from {table} as t order by 1").fetchall() for table in tables]


@pytest.mark.parametrize("how", ["paused", "queued"])
@pytest.mark.parametrize("what", EVERY_WRITE)
def test_a_write_while_the_sync_waits_is_queued_and_settled_afterwards(db: Db, what: str, how: str) -> None:
    conn = db("parallel")
    if how == "paused":
        conn.execute("call crmshift.pause('a test')")
    else:
        conn.execute(
            "select crmshift.set_mode(m.entity, 'queued') from (select distinct entity from crmshift.mapping) as m"
        )
    written(conn, what)
    assert {reason for _, _, reason, _ in queue(conn)} <= {"paused", "parent"}
    assert queue(conn)
    assert_agreement(conn)
    conn.execute("select crmshift.resume()")
    drain(conn)
    assert_in_sync(conn)
    assert conn.execute("select count(*) from crmshift.conflict_log").fetchone() == (0,)


def test_all_of_them_while_paused_come_out_as_if_it_had_not_been_paused(make_database: Make) -> None:
    """But for what legacy alone decides while both sides are apart: left out here are the truncated tables."""
    seen = []
    for pause in (False, True):
        with psycopg.connect(make_database("parallel"), autocommit=True) as conn:
            if pause:
                conn.execute("call crmshift.pause()")
            for what in (
                "contacts",
                "leads",
                "a custom field",
                "a deleted contact",
                "an appointment of who has no lead",
            ):
                written(conn, what)
            if pause:
                assert_agreement(conn)
                conn.execute("select crmshift.resume()")
            drain(conn)
            assert_in_sync(conn)
            seen.append(
                conn.execute(
                    "select firstname, city, lead_status, (select count(*) from appointments as a where a.contact_id = c.id) "
                    "from contacts as c order by id"
                ).fetchall()
            )
    assert seen[0] == seen[1]


def test_a_pause_writes_nothing_on_the_other_side(db: Db) -> None:
    conn = db("parallel")
    conn.execute("call crmshift.pause()")
    before = both_sides(conn)[3:]
    for what in ("contacts", "a custom field", "a deleted contact"):
        written(conn, what)
    assert both_sides(conn)[3:] == before


def test_one_entity_is_paused_and_the_others_go_on(db: Db) -> None:
    conn = db("parallel")
    conn.execute("call crmshift.pause(entity => 'appointment')")
    written(conn, "an appointment of who has no lead")
    written(conn, "contacts")
    assert {subject for subject, _, _, _ in queue(conn)} == {"appointments", "contacts"}  # a parent, too
    assert conn.execute("select city from customers where cst_id = %s", [ADA]).fetchone() == ("Rom",)
    assert_agreement(conn)
    conn.execute("select crmshift.resume('appointment')")
    drain(conn)
    assert_in_sync(conn)


def test_a_pause_takes_no_lock_on_a_table_and_waits_for_writers_under_way(make_database: Make) -> None:
    with sessions(make_database("parallel"), "writer", "operator", "other") as (writer, operator, other):
        writer("begin")
        writer("update contacts set city = 'Rom' where id = %s", ADA)
        pausing = operator.start("call crmshift.pause('fence', patience => '5s')")
        for _ in range(200):
            if other("select count(*) from crmshift.sync_control where paused") == [(4,)]:
                break
            other("select pg_sleep(0.01)")
        else:
            pytest.fail("the pause was not seen")
        assert not pausing.done()
        assert other(
            "select count(*) from pg_locks where pid = %s and locktype = 'relation' and mode <> 'AccessShareLock' "
            "and relation in (select source::regclass from crmshift.feed)",
            operator.pid,
        ) == [(0,)]
        other("update contacts set city = 'Bari' where id = %s", BEN)  # the very next statement sees it
        assert other("select city is distinct from 'Bari' from customers where cst_id = %s", BEN) == [(True,)]
        assert not pausing.done()
        writer.commit()
        pausing.result()
        assert_agreement(other.connection)


def test_a_pause_that_cannot_wait_says_who_is_under_way_and_holds_all_the_same(make_database: Make) -> None:
    with sessions(make_database("parallel"), "slow writer", "other") as (writer, other):
        writer("begin")
        writer("update contacts set city = 'Rom' where id = %s", ADA)
        left = sync.pause(other.connection, "no patience", None, 0.05)
        assert left is not None
        assert f"{writer.pid} (slow writer)" in left
        assert sync.is_paused(other.connection)
        writer.rollback()
        assert sync.pause(other.connection, None, None, 5) is None


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_a_transaction_with_an_old_snapshot_does_not_sync_past_a_pause(make_database: Make, isolation: str) -> None:
    with sessions(make_database("parallel"), "old", "operator") as (old, operator):
        old(f"begin isolation level {isolation}")
        old("select count(*) from contacts")
        operator("call crmshift.pause()")
        before = operator("select city from customers where cst_id = %s", ADA)
        old("update contacts set city = 'Rom' where id = %s", ADA)
        old.commit()
        assert operator("select city from customers where cst_id = %s", ADA) == before
        assert_agreement(operator.connection)
        operator("select crmshift.resume()")
        drain(operator.connection)
        assert_in_sync(operator.connection)


def test_the_other_side_of_a_queued_row_is_merged_at_once(db: Db) -> None:
    conn = db("parallel")
    conn.execute("select crmshift.set_mode('customer', 'queued')")
    conn.execute("update contacts set email = 'new@x' where id = %s", [ADA])
    conn.execute("select crmshift.set_mode('customer', 'immediate')")
    conn.execute("update customers set phone1 = '1' where cst_id = %s", [ADA])
    assert_in_sync(conn)
    assert conn.execute("select email, phone1 from customers where cst_id = %s", [ADA]).fetchone() == ("new@x", "1")


def test_a_pause_that_is_rolled_back_is_none(db: Db) -> None:
    conn = db("parallel")
    with conn.transaction(force_rollback=True):
        conn.execute("select crmshift.set_control(null, true, null, null, null)")
    conn.execute("update contacts set city = 'Rom' where id = %s", [ADA])
    assert_in_sync(conn)


def test_an_entity_that_does_not_exist_is_named_with_those_that_do(db: Db) -> None:
    conn = db("parallel")
    with pytest.raises(psycopg.Error, match="There is no entity nobody") as error:
        conn.execute("select crmshift.set_mode('nobody', 'queued')")
    assert error.value.sqlstate == "SH001"
    assert error.value.diag.message_hint == "Entities: appointment, custom field, customer, lead."
    with pytest.raises(psycopg.errors.CheckViolation):
        conn.execute("select crmshift.set_mode('customer', 'sometimes')")


# --- on_error


def test_on_error_raise_fails_the_applications_statement_and_queues_nothing(db: Db) -> None:
    conn = db("parallel")
    conn.execute("alter table customers add constraint no_rome check (city <> 'Rom') not valid")
    conn.execute("select crmshift.set_on_error('customer', 'raise')")
    with pytest.raises(psycopg.errors.CheckViolation) as error:
        conn.execute("update contacts set city = 'Rom' where id in (%s, %s)", [ADA, BEN])
    assert error.value.diag.constraint_name == "no_rome"
    assert conn.execute("select city from contacts where id = %s", [ADA]).fetchone() == ("Bonn",)
    assert_in_sync(conn)
    conn.execute("update contacts set city = 'Bari' where id in (%s, %s)", [ADA, BEN])  # what can be synced is
    assert_in_sync(conn)
    conn.execute("select crmshift.set_on_error('customer', 'queue')")
    conn.execute("update contacts set city = 'Rom' where id = %s", [ADA])
    assert [(s, state) for s, _, _, state in queue(conn)] == [("contacts", "23514")]


@pytest.mark.parametrize(
    ("fault", "write"),
    [
        ("alter table contacts add check (city <> 'Rom') not valid", "update customers set city = 'Rom'"),
        ("alter table appointments add check (status <> 'x') not valid", "update lead_appointments set status = 'x'"),
        ("alter table customers add check (false) not valid", "update contacts set city = 'Rom'"),
        (
            "create function no() returns trigger language plpgsql as 'begin raise exception ''no''; end'; "
            "create trigger no before delete on leads for each row execute function no()",
            "truncate contacts cascade",
        ),
        ("alter table leads drop column source cascade", "update contacts set lead_source = 'fair'"),
    ],
)
def test_on_error_raise_holds_on_either_side_for_every_kind_of_write(db: Db, fault: str, write: str) -> None:
    conn = db("parallel")
    conn.execute(
        "select crmshift.set_on_error(m.entity, 'raise') from (select distinct entity from crmshift.mapping) as m"
    )
    conn.execute(fault)
    before = both_sides(conn)
    with pytest.raises(psycopg.Error):
        conn.execute(write)
    assert both_sides(conn) == before
    assert queue(conn) == []


def test_on_error_raise_is_no_reason_to_refuse_a_merge(db: Db) -> None:
    conn = db("parallel")
    conn.execute("call crmshift.pause()")
    conn.execute("update contacts set email = 'new@x' where id = %s", [ADA])
    conn.execute("select crmshift.resume()")
    conn.execute("select crmshift.set_on_error('customer', 'raise')")
    conn.execute("update customers set phone1 = '1' where cst_id = %s", [ADA])
    assert_in_sync(conn)


# --- draining


def test_what_passes_by_itself_is_due_again_later_and_later_and_the_rest_waits_for_a_person(
    make_database: Make,
) -> None:
    with sessions(make_database("parallel"), "holder", "drainer") as (holder, drainer):
        conn = drainer.connection
        drainer("alter table leads add constraint no_x check (disposition <> 'x') not valid")
        drainer("update contacts set lead_status = 'x' where id = %s", CLEO)  # permanent
        holder("begin")
        holder("select from customers where cst_id = %s for update", ADA)
        drainer("update contacts set city = 'Rom' where id = %s", ADA)  # transient
        assert sorted(state for *_, state in queue(conn)) == ["23514", "55P03"]

        def due() -> Any:
            with conn.transaction():
                conn.execute("set local lock_timeout = '50ms'")
                return conn.execute("select * from crmshift.drain(only_due => true)").fetchone()

        assert due() == (0, 1, 0), "the locked one was tried, the refused one was not"
        assert due() == (0, 0, 0), "and is not due yet"
        waits = []
        for _ in range(4):
            conn.execute("update crmshift.sync_queue set retry_at = clock_timestamp() where retry_at is not null")
            assert due() == (0, 1, 0)
            waits.append(
                drainer(
                    "select extract(epoch from retry_at - clock_timestamp())::float8 from crmshift.sync_queue where retry_at is not null"
                )[0][0]
            )
        assert waits[-1] > 3
        holder.rollback()
        conn.execute("update crmshift.sync_queue set retry_at = clock_timestamp() where retry_at is not null")
        assert due() == (1, 0, 0)
        assert [
            (state, attempts) for state, attempts in drainer("select sqlstate, attempts from crmshift.sync_queue")
        ] == [("23514", 0)]
        drainer("alter table leads drop constraint no_x")
        drain(conn)
        assert_in_sync(conn)


def test_nothing_is_due_while_paused(db: Db) -> None:
    conn = db("parallel")
    conn.execute("call crmshift.pause()")
    conn.execute("update contacts set city = 'Rom' where id = %s", [ADA])
    assert conn.execute("select * from crmshift.drain(only_due => true)").fetchone() == (0, 0, 0)
    conn.execute("select crmshift.resume()")
    assert conn.execute("select * from crmshift.drain(only_due => true)").fetchone() == (1, 0, 0)
    assert_in_sync(conn)


def test_ten_thousand_queued_rows_are_drained_in_sets(db: Db) -> None:
    conn = db("parallel")
    conn.execute("call crmshift.pause()")
    conn.execute(
        "insert into contacts (workspace_id, firstname, lead_status) select %s, n, 'new' from generate_series(1, 10000) as n",
        [WORKSPACE],
    )
    assert_agreement(conn)
    conn.execute("select crmshift.resume()")
    with conn.transaction():
        before = conn.execute("select pg_current_xact_id()::text::bigint").fetchone()
        conn.execute("select crmshift.drain(10000)")
    after = conn.execute("select pg_current_xact_id()::text::bigint").fetchone()
    assert before and after
    assert after[0] - before[0] < 100, "one subtransaction for many rows"
    assert_in_sync(conn)


def test_one_bad_row_among_many_queued_ones_is_the_only_one_left(db: Db) -> None:
    conn = db("parallel")
    conn.execute("alter table customers add constraint zip_is_short check (length(zip) <= 5) not valid")
    conn.execute("call crmshift.pause()")
    conn.execute(
        "insert into contacts (workspace_id, zip) select %s, case n when 50 then 'too long' else '1' end from generate_series(1, 100) as n",
        [WORKSPACE],
    )
    conn.execute("select crmshift.resume()")
    done = sync.drain(conn)
    assert (done.settled, done.failed) == (99, 1)
    assert [(s, r, state) for s, _, r, state in queue(conn)] == [("contacts", "paused", "23514")]
    assert_agreement(conn)
