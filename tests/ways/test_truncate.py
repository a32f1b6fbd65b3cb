"""TRUNCATE leaves no keys to follow: alone, of several tables, cascading, restarting sequences, undone, and followed by inserts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.support.agreement import assert_agreement, assert_in_sync, drain, queue
from tests.support.databases import Databases
from tests.support.servers import Server
from tests.support.writing import named, rows, value, write

Db = Callable[[str], psycopg.Connection]

# What is truncated, and how many contacts, statuses, fields and appointments there are afterwards, on either side.
TRUNCATED = {
    "truncate contacts cascade": (0, 0, 0, 0),
    "truncate only contacts cascade": (0, 0, 0, 0),
    "truncate contacts, contact_custom_fields, appointments": (0, 0, 0, 0),
    "truncate appointments, contacts, contact_custom_fields restart identity": (0, 0, 0, 0),
    "truncate contact_custom_fields": (5, 3, 0, 3),
    "truncate appointments": (5, 3, 3, 0),
    "truncate appointments restart identity": (5, 3, 3, 0),
    "truncate contact_custom_fields, appointments": (5, 3, 0, 0),
    "truncate custom_fields cascade": (5, 3, 0, 3),
    "truncate workspaces cascade": (0, 0, 0, 0),
    "truncate customers cascade": (0, 0, 0, 0),
    "truncate leads cascade": (5, 0, 3, 0),
    "truncate lead_appointments cascade": (5, 3, 3, 0),
    "truncate lead_appointments, appointment_custom_fields restart identity": (5, 3, 3, 0),
    "truncate customer_custom_fields": (5, 3, 0, 3),
    "truncate customers, leads, customer_custom_fields, lead_custom_fields, lead_appointments, appointment_custom_fields": (0, 0, 0, 0),
    "truncate leads, lead_custom_fields, lead_appointments, appointment_custom_fields": (5, 0, 3, 0),
    "truncate customers, contacts cascade": (0, 0, 0, 0),
    "truncate contacts, leads cascade": (0, 0, 0, 0),
    "truncate customer_custom_fields, appointments": (5, 3, 0, 0),
}  # fmt: skip

THERE = {
    "legacy": "select (select count(*) from contacts), (select count(lead_status) from contacts), (select count(*) from contact_custom_fields), (select count(*) from appointments)",
    "target": "select (select count(*) from customers), (select count(disposition) from leads), (select count(*) from customer_custom_fields), (select count(*) from lead_appointments)",
}


@pytest.fixture(scope="module")
def shared(server: Server, databases: Databases) -> Iterator[psycopg.Connection]:
    """One seeded database for many tests: each rolls back what it wrote."""
    name = databases.clone("parallel")
    with psycopg.connect(server.dsn(name), autocommit=True) as connection:
        connection.execute("set client_min_messages = error")
        yield connection
    databases.drop(name)


@pytest.mark.parametrize("statement", TRUNCATED)
@pytest.mark.shows("C8")
def test_the_other_side_loses_the_same(shared: psycopg.Connection, statement: str) -> None:
    with shared.transaction(force_rollback=True):
        shared.execute(statement)
        assert_in_sync(shared)
        assert [rows(shared, query) for query in THERE.values()] == [[TRUNCATED[statement]]] * 2


@pytest.mark.parametrize(
    "statement", ["truncate contacts cascade", "truncate customers cascade", "truncate appointments restart identity"]
)
def test_undone_with_its_savepoint_both_sides_have_their_rows_again(shared: psycopg.Connection, statement: str) -> None:
    with shared.transaction(force_rollback=True):
        before = [rows(shared, query) for query in THERE.values()]
        with shared.transaction(force_rollback=True):
            shared.execute(statement)
        assert [rows(shared, query) for query in THERE.values()] == before
        assert_in_sync(shared)


def test_truncated_and_filled_again_in_one_transaction(db: Db) -> None:
    """How dumps are loaded: the rows come back under their keys, what legacy cannot hold is gone as it would be by DELETE."""
    conn = db("parallel")
    with conn.transaction():
        conn.execute(
            "create temp table kept as select * from contacts; create temp table kept_too as select * from appointments"
        )
        conn.execute("truncate contacts cascade")
        conn.execute(
            "insert into contacts select * from kept; insert into appointments overriding system value select * from kept_too"
        )
        write(conn, "update contacts set city = 'Rom' where id = :ada")
    assert rows(conn, THERE["legacy"]) == rows(conn, THERE["target"]) == [(5, 3, 0, 3)]
    assert value(conn, "select city from customers where cst_id = :ada") == "Rom"
    assert_in_sync(conn)


def test_restarted_numbers_do_not_meet_those_of_second_leads(db: Db) -> None:
    """Legacy counts from one again, while an appointment of a second lead still has that number."""
    conn = db("parallel")
    write(
        conn,
        """insert into leads (id, customer_id, workspace_id) values (:nobody, :ada, :alpha);
           update lead_appointments set lead_id = :nobody, status = 'of the second lead' where id = 1""",
    )
    assert_in_sync(conn)
    conn.execute("truncate appointments restart identity")
    write(conn, "insert into appointments (contact_id, status) values (:ada, 'counted anew')")
    kept = value(conn, "select count(*) from lead_appointments where status = 'of the second lead'")
    recorded = value(
        conn,
        """select count(*) from (select row_data::text from crmshift.archive union all select losing::text from crmshift.conflict_log
                                 union all select changed::text from crmshift.sync_queue) as t (x) where x like '%of the second lead%'""",
    )
    assert kept or recorded
    assert_agreement(conn)
    drain(conn)
    assert_agreement(conn)


@pytest.mark.parametrize(
    ("statement", "holder"),
    [("truncate appointments", "lead_appointments"), ("truncate customers cascade", "contacts")],
)
def test_where_the_other_side_is_forbidden_to_lose_rows_they_wait_in_the_queue(
    db: Db, statement: str, holder: str
) -> None:
    conn = db("parallel")
    conn.execute("set client_min_messages = error")
    conn.execute(
        f"""create function keep() returns trigger language plpgsql as $$ begin raise exception 'not now'; end $$;
            create trigger keep before delete on {holder} for each row execute function keep()"""
    )
    conn.execute(statement)
    assert queue(conn)
    assert_agreement(conn)
    conn.execute(f"drop trigger keep on {holder}")
    drain(conn)
    assert_in_sync(conn)
    side = "legacy" if holder in ("contacts", "appointments") else "target"
    assert rows(conn, THERE[side]) == [TRUNCATED[statement]]


@pytest.mark.parametrize("trigger_of", ["before", "after"])
def test_triggers_of_the_application_for_truncate_run_too(db: Db, trigger_of: str) -> None:
    conn = db("parallel")
    conn.execute(
        named(f"""create function say() returns trigger language plpgsql as
            $$ begin update contacts set city = 'emptied' where id = :ada; return null; end $$;
            create trigger say {trigger_of} truncate on appointments for each statement execute function say()""")
    )
    conn.execute("truncate appointments")
    assert value(conn, "select city from customers where cst_id = :ada") == "emptied"
    assert_in_sync(conn)
