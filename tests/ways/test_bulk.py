"""A hundred thousand rows in one statement: the other side follows within one subtransaction, and the time grows as the rows do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.support.agreement import assert_in_sync
from tests.support.databases import Databases
from tests.support.servers import Server
from tests.support.tables import MAPPED
from tests.support.writing import rows, value, write

Db = Callable[[str], psycopg.Connection]

# Insert, change and delete: the statement, how many rows, and what the other side holds of them.
BULK = {
    "contacts": (
        100_000,
        "insert into contacts (workspace_id, lastname, lead_status) select :alpha, n, 'new' from generate_series(1, :n) n",
        "update contacts set lead_status = 'won', zip = '1' where lastname ~ '^[0-9]+$'",
        "select count(*) from customers as c join leads as l on l.customer_id = c.cst_id where c.zip = '1' and l.disposition = 'won'",
        "delete from contacts where lastname ~ '^[0-9]+$'",
    ),
    "customers and their leads": (
        100_000,
        """with c as (insert into customers (cst_id, workspace_id, lastname) select gen_random_uuid(), :alpha, n from generate_series(1, :n) n
                      returning cst_id)
           insert into leads (customer_id, workspace_id, disposition) select cst_id, :alpha, 'bulk' from c""",
        """with c as (update customers set zip = '1' where lastname ~ '^[0-9]+$' returning cst_id)
           update leads set disposition = 'won' where disposition = 'bulk'""",
        "select count(*) from contacts where zip = '1' and lead_status = 'won'",
        "with l as (delete from leads where disposition = 'won') delete from customers where zip = '1'",
    ),
    "appointments": (
        20_000,
        "insert into appointments (contact_id, status) select id, 'bulk' from contacts, generate_series(1, :n / 5) n",
        "update appointments set status = 'moved' where status = 'bulk'",
        "select count(*) from lead_appointments where status = 'moved'",
        "delete from appointments where status = 'moved'",
    ),
    "customer_custom_fields": (
        20_000,
        """with c as (insert into customers (cst_id, workspace_id, lastname) select gen_random_uuid(), :alpha, n from generate_series(1, :n) n
                      returning cst_id)
           insert into customer_custom_fields (customer_id, field_id, workspace_id, value) select cst_id, :colour, :alpha, 'bulk' from c""",
        "update customer_custom_fields set value = 'moved' where value = 'bulk'",
        "select count(*) from contact_custom_fields where value = 'moved'",
        "delete from customer_custom_fields where value = 'moved'",
    ),
    "lead_appointments": (
        20_000,
        "insert into lead_appointments (lead_id, workspace_id, status) select id, workspace_id, 'bulk' from leads, generate_series(1, :n / 4) n",
        "update lead_appointments set status = 'moved' where status = 'bulk'",
        "select count(*) from appointments where status = 'moved'",
        "delete from lead_appointments where status = 'moved'",
    ),
}


@pytest.mark.slow
@pytest.mark.default_pg
@pytest.mark.parametrize("table", BULK)
@pytest.mark.shows("E13")
def test_a_statement_of_many_rows_is_followed_within_one_subtransaction(db: Db, table: str) -> None:
    """One for each statement and table, however many rows: more than 64 would overflow what a snapshot keeps of them."""
    n, insert, update, moved, delete = BULK[table]
    conn = db("parallel")
    for statement, there in ((insert, 0), (update, n), (delete, 0)):
        before = value(conn, "select pg_current_xact_id()::text::bigint")
        write(conn, statement.replace(":n", str(n)))
        assert value(conn, "select pg_current_xact_id()::text::bigint") - before < 50  # autovacuum has some, too
        assert value(conn, moved) == there
        assert_in_sync(conn)


@pytest.mark.slow
@pytest.mark.default_pg
def test_many_rows_after_few_are_not_written_by_the_plan_for_few(db: Db) -> None:
    """The session has planned while the tables were all but empty, and their statistics say so still."""
    conn = db("parallel")
    conn.execute("vacuum analyze leads")
    conn.execute("set statement_timeout = '15s'")  # 2 s on a slow machine
    write(conn, "insert into customers (workspace_id, zip) select :alpha, 'x' from generate_series(1, 30000)")
    write(
        conn, "insert into leads (customer_id, workspace_id) select cst_id, workspace_id from customers where zip = 'x'"
    )
    conn.execute("reset statement_timeout")
    assert_in_sync(conn)


# --- one row of many

SINGLE = {
    "a contact": "update contacts set city = 'Rom' where id = :ada",
    "a status": "update contacts set lead_status = 'won' where id = :ada",
    "a new contact": "insert into contacts (workspace_id, lead_status) values (:alpha, 'new')",
    "a contact's field": "update contact_custom_fields set value = 'x' where contact_id = :ada and field_id = :colour",
    "a contact's appointment": "insert into appointments (contact_id) values (:ada)",
    "a deleted appointment": "delete from appointments where id = 1",
    "a deleted contact": "delete from contacts where id = :ada",
    "a customer": "update customers set city = 'Rom' where cst_id = :ada",
    "a lead": "update leads set disposition = 'won' where id = (select id from leads where customer_id = :ada and is_primary)",
    "a second lead": "insert into leads (customer_id, workspace_id) values (:ada, :alpha)",
    "a first lead": "insert into leads (customer_id, workspace_id) values (:ben, :alpha)",
    "a deleted customer": "delete from customers where cst_id = :ben",
    "a customer's field": "update customer_custom_fields set value = 'x' where customer_id = :ada and field_id = :colour",
    "a lead's appointment": "update lead_appointments set status = 'x' where id = 1",
}


@pytest.fixture(scope="module")
def large(server: Server, databases: Databases) -> Iterator[str]:
    """A seeded database with some thousand rows on both sides, and statistics of them."""
    name = databases.clone("parallel")
    with psycopg.connect(server.dsn(name), autocommit=True) as conn:
        write(
            conn, "insert into contacts (workspace_id, lead_status) select :alpha, 'new' from generate_series(1, 20000)"
        )
        write(
            conn,
            "insert into contact_custom_fields (contact_id, field_id) select id, :colour from contacts where firstname is null",
        )
        write(conn, "insert into appointments (contact_id) select id from contacts where firstname is null")
        conn.execute("vacuum analyze")
    yield server.dsn(name)
    databases.drop(name)


@pytest.mark.parametrize("what", SINGLE)
@pytest.mark.shows("mission P16")
def test_a_write_of_one_row_reads_no_table_from_end_to_end(large: str, what: str) -> None:
    """Else the time of a write would grow with the tables."""
    with psycopg.connect(large) as conn:
        # Its children go by keys in jsonb, which are taken for a hundred: worth a scan in tables as small as these.
        if what == "a deleted contact":
            conn.execute("set local enable_seqscan = off")
        write(conn, SINGLE[what])
        read = rows(
            conn,
            f"select relname, seq_tup_read from pg_stat_xact_user_tables where relname in {MAPPED} and seq_tup_read > 1000",
        )
        assert read == []
        conn.rollback()
