"""Whatever an application does on one side, the other side follows: every kind of write, on every mapped table."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql

from tests.support.agreement import assert_agreement, assert_in_sync
from tests.support.databases import Databases
from tests.support.servers import Server
from tests.support.templates import ADA, BEN, CLEO, DORA, EMIL, FIELD, NOBODY, OTHER_FIELD, OTHER_WORKSPACE, WORKSPACE

Db = Callable[[str], psycopg.Connection]

_NAMES = {
    ":ada": ADA,
    ":ben": BEN,
    ":cleo": CLEO,
    ":dora": DORA,
    ":emil": EMIL,
    ":nobody": NOBODY,
    ":alpha": WORKSPACE,
    ":beta": OTHER_WORKSPACE,
    ":colour": FIELD,
    ":size": OTHER_FIELD,
}


def named(statement: str) -> str:
    """The statement with ids for the names of seed.sql."""
    for name, value in _NAMES.items():
        statement = statement.replace(name, f"'{value}'")
    return statement


def answer(conn: psycopg.Connection, query: str) -> list[tuple[object, ...]]:
    return conn.execute(named(query)).fetchall()


# What an application writes; what it then finds on the other side; and the answer.
WRITES = {
    # --- contacts
    "a contact that is a lead is inserted": (
        "insert into contacts (id, workspace_id, firstname, lead_status) values (:nobody, :alpha, 'Nora', 'new')",
        "select c.firstname, l.disposition, l.is_primary from customers c join leads l on l.customer_id = c.cst_id where cst_id = :nobody",
        [("Nora", "new", True)],
    ),
    "a contact that is no lead is inserted": (
        "insert into contacts (id, workspace_id, firstname) values (:nobody, :alpha, 'Nora')",
        "select c.firstname, l.id from customers c left join leads l on l.customer_id = c.cst_id where cst_id = :nobody",
        [("Nora", None)],
    ),
    "two contacts are inserted by one statement": (
        "insert into contacts (workspace_id, firstname, city) values (:alpha, 'Nora', 'Nizza'), (:beta, 'Otto', 'Nizza')",
        "select workspace_id::text, firstname from customers where city = 'Nizza' order by 2",
        [(WORKSPACE, "Nora"), (OTHER_WORKSPACE, "Otto")],
    ),
    "a contact is renamed": (
        "update contacts set lastname = 'Lovelace' where id = :ada",
        "select lastname from customers where cst_id = :ada",
        [("Lovelace",)],
    ),
    "every column of a contact is changed": (
        """update contacts set firstname = 'f', lastname = 'l', email = 'e', phone_number = 'p', st_address = 's', city = 'c', state = 't',
                  zip = 'z', lead_source = 'o', lead_status = 'u', appointment_status = 'a', created_at = '2020-01-01Z',
                  updated_at = '2026-01-01Z' where id = :ada""",
        """select firstname, lastname, email, phone1, address1, city, state, zip, source, disposition, appointment_status,
                  dateadded = '2020-01-01Z', lastchangedon = '2026-01-01Z' from customers join leads on customer_id = cst_id where cst_id = :ada""",
        [("f", "l", "e", "p", "s", "c", "t", "z", "o", "u", "a", True, True)],
    ),
    "a contact's columns are cleared": (
        "update contacts set firstname = null, email = '', created_at = null where id = :ada",
        "select firstname, email, dateadded from customers where cst_id = :ada",
        [(None, "", None)],
    ),
    "a contact becomes a lead": (
        "update contacts set lead_status = 'new', lead_source = 'fair' where id = :ben",
        "select disposition, source, is_primary from leads where customer_id = :ben",
        [("new", "fair", True)],
    ),
    "a lead status is set back to NULL: the lead stays": (
        "update contacts set lead_status = null where id = :cleo",
        "select disposition, is_primary from leads where customer_id = :cleo",
        [(None, True)],
    ),
    "a contact is deleted": (
        "delete from contacts where id = :ada",
        """select count(*) from (select cst_id from customers union all select customer_id from leads
             union all select customer_id from customer_custom_fields) as t (id) where id = :ada""",
        [(0,)],
    ),
    "all contacts of a workspace are deleted": (
        "delete from contacts where workspace_id = :alpha",
        "select count(*) filter (where workspace_id = :alpha), count(*) from customers",
        [(0, 1)],
    ),
    "an upsert meets the contact": (
        """insert into contacts (id, workspace_id, city) values (:ada, :alpha, 'Rom'), (:nobody, :alpha, 'Rom')
           on conflict (id) do update set city = excluded.city""",
        "select cst_id::text, firstname from customers where city = 'Rom' order by 1",
        [(ADA, "Ada"), (NOBODY, None)],
    ),
    "an insert does nothing on conflict": (
        "insert into contacts (id, workspace_id, city) values (:ada, :alpha, 'Rom') on conflict do nothing",
        "select city from customers where cst_id = :ada",
        [("Bonn",)],
    ),
    "a contact moves to another workspace": (
        "update contacts set workspace_id = :beta where id = :ada",
        """select c.workspace_id::text, l.workspace_id::text, f.workspace_id::text, a.workspace_id::text
             from customers c join leads l on l.customer_id = cst_id join customer_custom_fields f on f.customer_id = cst_id
             join lead_appointments a on a.lead_id = l.id where cst_id = :ada group by 1, 2, 3, 4""",
        [(OTHER_WORKSPACE,) * 4],
    ),
    "a contact changes its primary key": (
        "update contacts set id = :nobody where id = :ben",
        "select cst_id::text, firstname from customers where firstname = 'Ben'",
        [(NOBODY, "Ben")],
    ),
    "the keys of two contacts are swapped": (
        """alter table contacts drop constraint contacts_pkey cascade;
           alter table contacts add constraint contacts_pkey primary key (id) deferrable;
           update contacts set id = case id when :ben then :cleo else :ben end::uuid where id in (:ben, :cleo)""",
        "select cst_id::text, firstname, (select count(*) from leads where customer_id = cst_id) from customers where cst_id in (:ben, :cleo) order by 2",
        [(CLEO, "Ben", 1), (BEN, "Cleo", 1)],
    ),
    "a contact's clock moves forward": (
        "update contacts set updated_at = '2030-01-01Z' where id = :ada",
        "select greatest(lastchanged, lastchangedon) = '2030-01-01Z' from customers join leads on customer_id = cst_id where cst_id = :ada",
        [(True,)],
    ),
    "a contact's clock moves backward": (
        "update contacts set updated_at = '2001-01-01Z' where id = :ada",
        "select greatest(lastchanged, lastchangedon) = '2001-01-01Z' from customers join leads on customer_id = cst_id where cst_id = :ada",
        [(True,)],
    ),
    "a contact's clock is lost": (
        "update contacts set updated_at = null where id = :ada",
        "select lastchanged, lastchangedon from customers join leads on customer_id = cst_id where cst_id = :ada",
        [(None, None)],
    ),
    "a contact's clock is found": (
        "update contacts set updated_at = '2024-01-01Z' where id = :cleo",
        "select greatest(lastchanged, lastchangedon) = '2024-01-01Z' from customers join leads on customer_id = cst_id where cst_id = :cleo",
        [(True,)],
    ),
    "the clock of a contact that is no lead moves backward": (
        "update contacts set updated_at = '2001-01-01Z' where id = :ben",
        "select lastchanged = '2001-01-01Z' from customers where cst_id = :ben",
        [(True,)],
    ),
    "a contact's clock is infinite": (
        "update contacts set updated_at = 'infinity', created_at = '-infinity' where id in (:ada, :ben)",
        "select dateadded = '-infinity', lastchanged <= 'infinity', created_at = '-infinity' from customers where cst_id in (:ada, :ben)",
        [(True, True, True)] * 2,
    ),
    "the contacts are truncated": (
        "truncate contacts cascade",
        """select (select count(*) from customers), (select count(*) from leads), (select count(*) from customer_custom_fields),
                  (select count(*) from lead_appointments)""",
        [(0, 0, 0, 0)],
    ),
    "contacts are merged": (
        """merge into contacts as c using (values (:ada::uuid, 'Rom'), (:nobody::uuid, 'Bari'), (:ben::uuid, null)) as s (id, city) on c.id = s.id
           when matched and s.city is null then delete
           when matched then update set city = s.city
           when not matched then insert (id, workspace_id, city) values (s.id, :alpha, s.city)""",
        "select cst_id::text, city from customers where cst_id in (:ada, :ben, :nobody) order by 1",
        [(ADA, "Rom"), (NOBODY, "Bari")],
    ),
    "one statement writes two contacts tables": (
        """with a as (update contacts set city = 'Rom' where id = :ada returning id)
           insert into contact_custom_fields (contact_id, field_id, value) values (:ben, :colour, 'blue')""",
        """select (select city from customers where cst_id = :ada), value from customer_custom_fields where customer_id = :ben""",
        [("Rom", "blue")],
    ),
    # --- contact_custom_fields
    "a custom field is inserted": (
        "insert into contact_custom_fields (contact_id, field_id, value) values (:ben, :colour, 'blue')",
        "select value, workspace_id::text from customer_custom_fields where customer_id = :ben",
        [("blue", WORKSPACE)],
    ),
    "a custom field is changed": (
        "update contact_custom_fields set value = 'blue' where contact_id = :ada and field_id = :colour",
        "select value from customer_custom_fields where customer_id = :ada and field_id = :colour",
        [("blue",)],
    ),
    "a custom field is cleared": (
        "update contact_custom_fields set value = null, created_at = null where contact_id = :ada",
        "select distinct value, created_at from customer_custom_fields where customer_id = :ada",
        [(None, None)],
    ),
    "a custom field is deleted": (
        "delete from contact_custom_fields where contact_id = :ada and field_id = :colour",
        "select field_id::text from customer_custom_fields where customer_id = :ada",
        [(OTHER_FIELD,)],
    ),
    "a custom field is upserted": (
        """insert into contact_custom_fields (contact_id, field_id, value) values (:ada, :colour, 'blue'), (:ben, :colour, 'blue')
           on conflict (contact_id, field_id) do update set value = excluded.value""",
        "select customer_id::text from customer_custom_fields where value = 'blue' order by 1",
        [(ADA,), (BEN,)],
    ),
    "a custom field passes to another contact": (
        "update contact_custom_fields set contact_id = :ben where contact_id = :ada and field_id = :colour",
        "select customer_id::text from customer_custom_fields where value = 'red'",
        [(BEN,)],
    ),
    "a definition is deleted, and its values with it": (
        "delete from custom_fields where id = :colour",
        "select count(*) from customer_custom_fields where field_id = :colour",
        [(0,)],
    ),
    "the custom fields are truncated": (
        "truncate contact_custom_fields",
        "select (select count(*) from customer_custom_fields), (select count(*) from customers)",
        [(0, 5)],
    ),
    # --- appointments
    "an appointment of a lead is inserted": (
        "insert into appointments (contact_id, status) values (:ada, 'third')",
        "select a.status, l.customer_id::text, a.workspace_id::text from lead_appointments a join leads l on l.id = lead_id where a.status = 'third'",
        [("third", ADA, WORKSPACE)],
    ),
    "an appointment makes a lead": (
        "insert into appointments (contact_id, status) values (:ben, 'first')",
        "select a.status, l.is_primary, l.disposition from lead_appointments a join leads l on l.id = lead_id where customer_id = :ben",
        [("first", True, None)],
    ),
    "an appointment is changed": (
        "update appointments set status = 'moved', reminder_sent = null, apptdate = 'infinity' where id = 1",
        "select status, reminder_sent, apptdate = 'infinity' from lead_appointments where id = 1",
        [("moved", None, True)],
    ),
    "an appointment is deleted": (
        "delete from appointments where id = 1",
        "select id from lead_appointments order by id",
        [(2,), (3,)],
    ),
    "an appointment passes to another contact": (
        "update appointments set contact_id = :ben where id = 1",
        "select customer_id::text from lead_appointments a join leads l on l.id = lead_id where a.id = 1",
        [(BEN,)],
    ),
    "an appointment changes its primary key": (
        "update appointments set id = 100 where id = 1",
        "select id from lead_appointments order by id",
        [(2,), (3,), (100,)],
    ),
    "an appointment is upserted": (
        """insert into appointments (id, contact_id, status) values (1, :ada, 'again'), (100, :ada, 'again')
           on conflict (id) do update set status = excluded.status""",
        "select id from lead_appointments where status = 'again' order by id",
        [(1,), (100,)],
    ),
    "the appointments are truncated": (
        "truncate appointments",
        "select (select count(*) from lead_appointments), (select count(*) from leads where customer_id = :dora)",
        [(0, 1)],
    ),
    # --- customers
    "a customer is inserted": (
        "insert into customers (cst_id, workspace_id, firstname, address2) values (:nobody, :alpha, 'Nora', 'c/o')",
        "select firstname, lead_status from contacts where id = :nobody",
        [("Nora", None)],
    ),
    "a customer is renamed": (
        "update customers set lastname = 'Lovelace' where cst_id = :ada",
        "select lastname, lead_status from contacts where id = :ada",
        [("Lovelace", "new")],
    ),
    "a customer changes what legacy has no column for": (
        "update customers set address2 = 'c/o' where cst_id = :ada",
        "select st_address from contacts where id = :ada",
        [("Markt 1",)],
    ),
    "a customer's clock moves forward": (
        "update customers set lastchanged = '2030-01-01Z' where cst_id = :ada",
        "select updated_at = '2030-01-01Z' from contacts where id = :ada",
        [(True,)],
    ),
    "a customer's clock moves backward: the lead's counts": (
        "update customers set lastchanged = '2001-01-01Z' where cst_id = :ada",
        "select updated_at = '2024-02-01 10:00Z' from contacts where id = :ada",
        [(True,)],
    ),
    "a customer's clock is lost: the lead's counts": (
        "update customers set lastchanged = null where cst_id = :ada",
        "select updated_at = '2024-02-01 10:00Z' from contacts where id = :ada",
        [(True,)],
    ),
    "the clocks of a customer and its lead are lost": (
        "update leads set lastchangedon = null where customer_id = :ada; update customers set lastchanged = null where cst_id = :ada",
        "select updated_at from contacts where id = :ada",
        [(None,)],
    ),
    "a customer that is no lead is deleted": (
        "delete from customers where cst_id = :ben",
        "select count(*) from contacts where id = :ben",
        [(0,)],
    ),
    "a customer is deleted with its leads": (
        "delete from leads where customer_id = :ada; delete from customers where cst_id = :ada",
        "select (select count(*) from contacts where id = :ada), (select count(*) from appointments where contact_id = :ada)",
        [(0, 0)],
    ),
    "a customer is upserted": (
        """insert into customers (cst_id, workspace_id, city) values (:ada, :alpha, 'Rom'), (:nobody, :alpha, 'Rom')
           on conflict (cst_id) do update set city = excluded.city""",
        "select id::text, firstname from contacts where city = 'Rom' order by 1",
        [(ADA, "Ada"), (NOBODY, None)],
    ),
    "a customer moves to another workspace": (
        "update customers set workspace_id = :beta where cst_id = :ada",
        "select workspace_id::text from contacts where id = :ada",
        [(OTHER_WORKSPACE,)],
    ),
    "a customer that is no lead changes its primary key": (
        "update customers set cst_id = :nobody where cst_id = :ben",
        "select id::text from contacts where firstname = 'Ben'",
        [(NOBODY,)],
    ),
    "a customer with leads, fields and appointments changes its primary key": (
        "update customers set cst_id = :nobody where cst_id = :ada",
        """select id::text, lead_status, (select count(*) from contact_custom_fields f where f.contact_id = c.id),
                  (select count(*) from appointments a where a.contact_id = c.id) from contacts c where firstname = 'Ada'""",
        [(NOBODY, "new", 2, 2)],
    ),
    "the customers are truncated": (
        "truncate customers cascade",
        "select (select count(*) from contacts), (select count(*) from contact_custom_fields), (select count(*) from appointments)",
        [(0, 0, 0)],
    ),
    "customers are merged": (
        """merge into customers as c using (values (:ada::uuid, 'Rom'), (:nobody::uuid, 'Bari'), (:ben::uuid, null)) as s (id, city) on c.cst_id = s.id
           when matched and s.city is null then delete
           when matched then update set city = s.city
           when not matched then insert (cst_id, workspace_id, city) values (s.id, :alpha, s.city)""",
        "select id::text, city from contacts where id in (:ada, :ben, :nobody) order by 1",
        [(ADA, "Rom"), (NOBODY, "Bari")],
    ),
    "one statement makes a customer, its lead and an appointment": (
        """with c as (insert into customers (cst_id, workspace_id, firstname) values (:nobody, :alpha, 'Nora') returning cst_id, workspace_id),
                l as (insert into leads (id, customer_id, workspace_id, disposition) select :nobody, cst_id, workspace_id, 'new' from c returning id, workspace_id)
           insert into lead_appointments (lead_id, workspace_id, status) select id, workspace_id, 'first' from l""",
        "select c.firstname, c.lead_status, a.status from contacts c join appointments a on a.contact_id = c.id where c.id = :nobody",
        [("Nora", "new", "first")],
    ),
    # --- leads
    "the first lead of a customer is inserted: it becomes the primary one": (
        "insert into leads (customer_id, workspace_id, disposition, source) values (:ben, :alpha, 'new', 'fair')",
        "select lead_status, lead_source, (select bool_and(is_primary) from leads where customer_id = c.id) from contacts c where id = :ben",
        [("new", "fair", True)],
    ),
    "two first leads are inserted by one statement: the earlier becomes the primary one": (
        """insert into leads (customer_id, workspace_id, disposition, entrydate) values
           (:ben, :alpha, 'later', '2024-02-02Z'), (:ben, :alpha, 'earlier', '2024-01-01Z')""",
        "select lead_status, (select string_agg(disposition, ' ') from leads where customer_id = c.id and is_primary) from contacts c where id = :ben",
        [("earlier", "earlier")],
    ),
    "a second lead is inserted: legacy does not see it": (
        "insert into leads (customer_id, workspace_id, disposition) values (:ada, :alpha, 'second')",
        "select lead_status from contacts where id = :ada",
        [("new",)],
    ),
    "the primary lead changes": (
        "update leads set disposition = 'won', source = null, appointment_status = 'kept' where customer_id = :ada",
        "select lead_status, lead_source, appointment_status from contacts where id = :ada",
        [("won", None, "kept")],
    ),
    "the lead's clock moves forward": (
        "update leads set lastchangedon = '2030-01-01Z' where customer_id = :ada",
        "select updated_at = '2030-01-01Z' from contacts where id = :ada",
        [(True,)],
    ),
    "the lead's clock is lost: the customer's counts": (
        "update leads set lastchangedon = null where customer_id = :ada",
        "select updated_at = '2024-02-01 10:00Z' from contacts where id = :ada",
        [(True,)],
    ),
    "the lead changes what legacy has no column for": (
        "update leads set stg_id = 3, productid = 'p', entrydate = '2020-01-01Z' where customer_id = :ada",
        "select lead_status from contacts where id = :ada",
        [("new",)],
    ),
    "the only lead is deleted": (
        "delete from leads where customer_id = :ada",
        "select lead_status, lead_source, (select count(*) from appointments where contact_id = c.id) from contacts c where id = :ada",
        [(None, None, 0)],
    ),
    "the primary lead is demoted: there is one all the same": (
        "update leads set is_primary = false where customer_id = :ada",
        "select lead_status, (select count(*) from leads where customer_id = contacts.id and is_primary) from contacts where id = :ada",
        [("new", 1)],
    ),
    "the leads are truncated": (
        "truncate leads cascade",
        """select count(*), count(lead_status), count(lead_source), (select count(*) from appointments),
                  (select count(*) from contact_custom_fields) from contacts""",
        [(5, 0, 0, 0, 3)],
    ),
    "a lead passes to another customer": (
        "update leads set customer_id = :ben where customer_id = :ada",
        "select id::text, lead_status, (select count(*) from appointments a where a.contact_id = c.id) from contacts c where id in (:ada, :ben) order by 1",
        [(ADA, None, 0), (BEN, "new", 2)],
    ),
    # --- customer_custom_fields
    "a customer's field is inserted": (
        "insert into customer_custom_fields (customer_id, field_id, workspace_id, value) values (:ben, :colour, :alpha, 'blue')",
        "select value from contact_custom_fields where contact_id = :ben",
        [("blue",)],
    ),
    "a customer's field is changed": (
        "update customer_custom_fields set value = 'blue' where customer_id = :ada and field_id = :colour",
        "select value from contact_custom_fields where contact_id = :ada and field_id = :colour",
        [("blue",)],
    ),
    "a customer's field is deleted": (
        "delete from customer_custom_fields where customer_id = :ada and field_id = :colour",
        "select field_id::text from contact_custom_fields where contact_id = :ada",
        [(OTHER_FIELD,)],
    ),
    "a customer's field is upserted": (
        """insert into customer_custom_fields (customer_id, field_id, workspace_id, value) values (:ada, :colour, :alpha, 'blue'), (:ben, :colour, :alpha, 'blue')
           on conflict (customer_id, field_id) do update set value = excluded.value""",
        "select contact_id::text from contact_custom_fields where value = 'blue' order by 1",
        [(ADA,), (BEN,)],
    ),
    "a customer's field passes to another customer": (
        "update customer_custom_fields set customer_id = :ben where customer_id = :ada and field_id = :colour",
        "select contact_id::text from contact_custom_fields where value = 'red'",
        [(BEN,)],
    ),
    "the customers' fields are truncated": (
        "truncate customer_custom_fields",
        "select (select count(*) from contact_custom_fields), (select count(*) from contacts)",
        [(0, 5)],
    ),
    # --- lead_appointments
    "an appointment of the primary lead is inserted": (
        "insert into lead_appointments (lead_id, workspace_id, status) select id, workspace_id, 'third' from leads where customer_id = :ada",
        "select contact_id::text from appointments where status = 'third'",
        [(ADA,)],
    ),
    "an appointment of a second lead is inserted: legacy does not see it": (
        """insert into leads (id, customer_id, workspace_id) values (:nobody, :ada, :alpha);
           insert into lead_appointments (lead_id, workspace_id, status) values (:nobody, :alpha, 'third')""",
        "select count(*) from appointments where contact_id = :ada",
        [(2,)],
    ),
    "an appointment passes to a second lead: legacy sees it no more": (
        """insert into leads (id, customer_id, workspace_id) values (:nobody, :ada, :alpha);
           update lead_appointments set lead_id = :nobody where id = 1""",
        "select id from appointments where contact_id = :ada",
        [(2,)],
    ),
    "an appointment passes to a second lead and back": (
        """insert into leads (id, customer_id, workspace_id) values (:nobody, :ada, :alpha);
           update lead_appointments set lead_id = :nobody where id = 1;
           update lead_appointments set lead_id = (select id from leads where customer_id = :ada and is_primary), status = 'back' where id = 1""",
        "select id, status from appointments where contact_id = :ada order by 1",
        [(1, "back"), (2, "done")],
    ),
    "an appointment of the primary lead is changed": (
        "update lead_appointments set status = 'moved', apptdate = null where id = 1",
        "select status, apptdate from appointments where id = 1",
        [("moved", None)],
    ),
    "an appointment of the primary lead is deleted": (
        "delete from lead_appointments where id = 1",
        "select id from appointments order by id",
        [(2,), (3,)],
    ),
    "an appointment of the primary lead changes its primary key": (
        "update lead_appointments set id = 100 where id = 1",
        "select id from appointments order by id",
        [(2,), (3,), (100,)],
    ),
    "the appointments of leads are truncated": (
        "truncate lead_appointments cascade",
        "select (select count(*) from appointments), (select count(*) from contacts)",
        [(0, 5)],
    ),
}


@pytest.fixture(scope="module")
def shared(server: Server, databases: Databases) -> Iterator[psycopg.Connection]:
    """One seeded database for many tests: each rolls back what it wrote."""
    name = databases.clone("parallel")
    with psycopg.connect(server.dsn(name), autocommit=True) as connection:
        yield connection
    databases.drop(name)


@pytest.mark.parametrize("what", WRITES)
@pytest.mark.shows("mission P3")
def test_a_write_on_one_side_reaches_the_other(shared: psycopg.Connection, what: str) -> None:
    write, query, expected = WRITES[what]
    with shared.transaction(force_rollback=True):
        shared.execute(named(write))
        shared.execute("set constraints all immediate")  # as COMMIT would: that is when a primary lead is elected
        assert answer(shared, query) == expected
        assert_in_sync(shared)


def test_all_writes_in_one_transaction_reach_the_other_side(db: Db) -> None:
    """In savepoints: a write that takes away the rows of the next is rolled back, the others stay."""
    conn = db("parallel")
    kept = 0
    with conn.transaction():
        for what, (write, *_) in WRITES.items():
            try:
                takes_away = any(word in what for word in ("deleted", "truncated", "merged", "key", "swapped"))
                with conn.transaction(force_rollback=takes_away):
                    conn.execute(named(write))
                    conn.execute("set constraints all immediate; set constraints all deferred")
                    assert_agreement(conn)
                kept += not takes_away
            except psycopg.IntegrityError:  # the application's own error, after what the writes before left
                pass
    assert kept > 40
    assert_in_sync(conn)


def test_copy_reaches_the_other_side(db: Db) -> None:
    conn = db("parallel")
    with conn.cursor().copy("copy contacts (workspace_id, firstname, lead_status) from stdin") as copy:
        for n in range(100):
            copy.write_row((WORKSPACE, f"copied {n}", "new"))
    assert answer(
        conn, "select count(*) from leads join customers on cst_id = customer_id where firstname like 'copied%'"
    ) == [(100,)]
    with conn.cursor().copy("copy customers (workspace_id, firstname) from stdin") as copy:
        for n in range(100):
            copy.write_row((WORKSPACE, f"copied over {n}"))
    assert answer(conn, "select count(*) from contacts where firstname like 'copied over%'") == [(100,)]
    assert_in_sync(conn)


BULK = {
    "contacts": (
        "insert into contacts (workspace_id, lastname, lead_status) select :alpha, n, 'new' from generate_series(1, 5000) n",
        "update contacts set lead_status = 'won', zip = '1'",
        "delete from contacts",
    ),
    "contact_custom_fields": (
        """insert into contacts (workspace_id) select :alpha from generate_series(1, 5000);
           insert into contact_custom_fields (contact_id, field_id, value) select id, :colour, 'x' from contacts where firstname is null""",
        "update contact_custom_fields set value = 'y'",
        "delete from contact_custom_fields",
    ),
    "appointments": (
        "insert into appointments (contact_id, status) select :ben, 'x' from generate_series(1, 5000)",
        "update appointments set status = 'y'",
        "delete from appointments",
    ),
    "customers": (
        "insert into customers (workspace_id, lastname) select :alpha, n from generate_series(1, 5000) n",
        "update customers set zip = '1'",
        "delete from customers where not exists (select from leads where customer_id = cst_id)",
    ),
    "leads": (
        """insert into customers (workspace_id) select :alpha from generate_series(1, 5000);
           insert into leads (customer_id, workspace_id, disposition) select cst_id, workspace_id, 'new' from customers""",
        "update leads set disposition = 'won'",
        "delete from leads",
    ),
    "customer_custom_fields": (
        """insert into customers (workspace_id) select :alpha from generate_series(1, 5000);
           insert into customer_custom_fields (customer_id, field_id, workspace_id, value) select cst_id, :colour, :alpha, 'x'
             from customers where firstname is null""",
        "update customer_custom_fields set value = 'y'",
        "delete from customer_custom_fields",
    ),
    "lead_appointments": (
        """insert into lead_appointments (lead_id, workspace_id, status) select id, workspace_id, 'x'
             from leads, generate_series(1, 5000) where customer_id = :ada""",
        "update lead_appointments set status = 'y'",
        "delete from lead_appointments",
    ),
}


@pytest.mark.parametrize("table", BULK)
def test_five_thousand_rows_in_one_statement_reach_the_other_side(db: Db, table: str) -> None:
    conn = db("parallel")
    for statement in BULK[table]:
        before = _written(conn)
        conn.execute(named(statement))
        assert _written(conn) != before
        assert_in_sync(conn)


def _written(conn: psycopg.Connection) -> list[tuple[object, ...]]:
    """A digest of every mapped row of either side."""
    parts = [
        sql.SQL("(select md5(string_agg(t::text, '' order by t::text)) from {} as t)").format(
            sql.Identifier(*target.split("."))
        )
        for (target,) in conn.execute("select target from crmshift.mapping order by 1").fetchall()
    ]
    return conn.execute(sql.SQL("select {}").format(sql.SQL(", ").join(parts))).fetchall()


def test_two_writes_in_one_transaction_both_reach_the_other_side(db: Db) -> None:
    conn = db("parallel")
    with conn.transaction():
        conn.execute(named("update contacts set city = 'Rom' where id = :ada"))
        conn.execute(named("update contacts set city = 'Bari' where id = :ada"))
        conn.execute(named("update leads set disposition = 'won' where customer_id = :ada"))
        conn.execute(named("update contacts set zip = '70121' where id = :ada"))
    assert answer(conn, "select city, zip from customers where cst_id = :ada") == [("Bari", "70121")]
    assert answer(conn, "select lead_status from contacts where id = :ada") == [("won",)]
    assert_in_sync(conn)


def test_a_savepoint_rolled_back_takes_the_other_side_with_it(db: Db) -> None:
    conn = db("parallel")
    with conn.transaction():
        conn.execute(named("update contacts set city = 'Rom' where id = :ada"))
        with pytest.raises(psycopg.errors.DivisionByZero), conn.transaction():
            conn.execute(named("update contacts set city = 'Bari', lead_status = 'lost' where id = :ada"))
            conn.execute(named("delete from contacts where id = :ben"))
            conn.execute("select 1/0")
        assert_in_sync(conn)
        conn.execute(named("update contacts set zip = '00100' where id = :ada"))
    assert answer(conn, "select city, zip from customers where cst_id = :ada") == [("Rom", "00100")]
    assert answer(conn, "select count(*) from customers where cst_id = :ben") == [(1,)]
    assert_in_sync(conn)


def test_a_contact_that_owns_second_leads_is_deleted_and_they_are_archived(db: Db) -> None:
    conn = db("parallel")
    conn.execute(
        named("""
        insert into leads (id, customer_id, workspace_id, disposition, productid) values (:nobody, :ada, :alpha, 'second', 'p');
        insert into lead_appointments (id, lead_id, workspace_id, status) values (77, :nobody, :alpha, 'second');
        insert into lead_custom_fields (lead_id, field_id, workspace_id, value) values (:nobody, :colour, :alpha, 'of the second');
        insert into appointment_custom_fields (appointment_id, field_id, workspace_id, value) values (77, :colour, :alpha, 'of the second');
        insert into appointment_custom_fields (appointment_id, field_id, workspace_id, value) values (1, :colour, :alpha, 'of the first');
        """)
    )
    assert_in_sync(conn)
    conn.execute(named("delete from contacts where id = :ada"))
    assert answer(conn, "select count(*) from customers where cst_id = :ada") == [(0,)]
    assert answer(conn, "select table_name, row_data ->> 'value' from crmshift.archive order by 1, 2") == [
        ("public.appointment_custom_fields", "of the first"),
        ("public.appointment_custom_fields", "of the second"),
        ("public.lead_appointments", None),
        ("public.lead_custom_fields", "of the second"),
        ("public.leads", None),
    ]
    assert answer(conn, "select row_data ->> 'productid' from crmshift.archive where table_name = 'public.leads'") == [
        ("p",)
    ]
    assert_in_sync(conn)


def test_a_deleted_contact_leaves_in_the_archive_what_legacy_never_had_of_it(db: Db) -> None:
    conn = db("parallel")
    conn.execute(
        named("""
        update customers set address2 = 'c/o Babbage' where cst_id = :ada;
        update leads set productid = 'engine', stg_id = 3 where customer_id = :ada;
        """)
    )
    conn.execute(named("delete from contacts where id = :ada"))
    archived = str(answer(conn, "select row_data from crmshift.archive"))
    assert "c/o Babbage" in archived
    assert "engine" in archived
    assert_in_sync(conn)


def test_when_the_primary_lead_is_deleted_the_next_is_promoted_and_legacy_sees_its_appointments(db: Db) -> None:
    conn = db("parallel")
    conn.execute(
        named("""
        insert into leads (id, customer_id, workspace_id, disposition, entrydate) values
               (:nobody, :ada, :alpha, 'second', '2024-05-01Z'), (:dora, :ada, :alpha, 'third', '2024-06-01Z');
        insert into lead_appointments (id, lead_id, workspace_id, status) values (77, :nobody, :alpha, 'of the second'), (78, :dora, :alpha, 'of the third');
        """)
    )
    conn.execute(named("delete from leads where customer_id = :ada and is_primary"))
    assert answer(conn, "select lead_status from contacts where id = :ada") == [("second",)]
    assert answer(conn, "select status from appointments where contact_id = :ada") == [("of the second",)]
    assert_in_sync(conn)


def test_a_cascade_within_legacy_reaches_the_target(db: Db) -> None:
    conn = db("parallel")
    conn.execute("alter table contacts drop constraint contacts_workspace_id_fkey")
    conn.execute("alter table contacts add foreign key (workspace_id) references workspaces (id) on delete cascade")
    conn.execute(
        named("delete from custom_fields where workspace_id = :alpha; delete from workspaces where id = :alpha")
    )
    assert answer(conn, "select count(*) from customers where workspace_id = :alpha") == [(0,)]
    assert answer(conn, "select count(*) from lead_appointments") == [(0,)]
    assert_in_sync(conn)


LEGACY_WRITES = """
insert into contacts (id, workspace_id, lead_status) values (:nobody, :alpha, 'new');
insert into contact_custom_fields (contact_id, field_id, value) values (:nobody, :colour, 'blue');
insert into appointments (contact_id) values (:nobody);
update contacts set city = 'Rom' where id = :nobody;
update appointments set status = 'x' where contact_id = :nobody;
delete from contacts where id = :ada;
"""
TARGET_WRITES = """
insert into customers (cst_id, workspace_id) values (:nobody, :alpha);
insert into leads (id, customer_id, workspace_id, disposition) values (:nobody, :nobody, :alpha, 'new');
insert into customer_custom_fields (customer_id, field_id, workspace_id, value) values (:nobody, :colour, :alpha, 'blue');
insert into lead_appointments (lead_id, workspace_id) values (:nobody, :alpha);
update leads set disposition = 'won' where customer_id = :nobody;
delete from leads where customer_id = :ada;
delete from customers where cst_id = :ada;
"""


APPLICATION = f"application_{os.getpid()}"


@pytest.fixture
def application(db: Db) -> Iterator[psycopg.Connection]:
    """A role without any rights, in a seeded database; gone with the database."""
    conn = db("parallel")
    conn.execute(f"create role {APPLICATION}")
    yield conn
    conn.execute(f"reset role; drop owned by {APPLICATION}; drop role {APPLICATION}")


@pytest.mark.parametrize(
    ("tables", "writes"),
    [
        (("contacts", "contact_custom_fields", "appointments"), LEGACY_WRITES),
        (("customers", "leads", "customer_custom_fields", "lead_appointments"), TARGET_WRITES),
    ],
    ids=["legacy", "target"],
)
def test_an_application_needs_no_rights_on_the_other_side(
    application: psycopg.Connection, tables: tuple[str, ...], writes: str
) -> None:
    conn = application
    conn.execute(f"grant select, insert, update, delete on {', '.join(tables)} to {APPLICATION}")
    conn.execute(f"grant usage on sequence appointments_id_seq to {APPLICATION}")
    conn.execute(f"set role {APPLICATION}")
    conn.execute(f"set app.workspace_id = '{WORKSPACE}'")
    conn.execute(named(writes))
    for elsewhere in {"contacts", "customers", "crmshift.sync_queue"} - set(tables):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(sql.SQL("select from {}").format(sql.Identifier(*elsewhere.split("."))))
    conn.execute("reset role")
    assert answer(conn, "select count(*) from contacts where id in (:nobody, :ada)") == [(1,)]
    assert answer(conn, "select count(*) from customers where cst_id in (:nobody, :ada)") == [(1,)]
    assert_in_sync(conn)


@pytest.mark.shows("trap direction by session", "peer 5.3")
def test_the_callers_search_path_does_not_matter(db: Db) -> None:
    conn = db("parallel")
    conn.execute("create schema decoy")
    for decoy in ("contacts", "customers", "leads", "sync_queue"):
        conn.execute(f"create table decoy.{decoy} (id text); create temp table {decoy} (id text)")
    for decoy in ("set_config(text, text, boolean)", "pg_trigger_depth()", "cardinality(uuid[])"):
        conn.execute(
            f"create function decoy.{decoy} returns integer language plpgsql as $$ begin raise 'a decoy'; end $$"
        )
    for path in ("", "decoy", "pg_temp, decoy, pg_catalog", "decoy, pg_catalog, public", "nowhere"):
        conn.execute("select set_config('search_path', %s, false)", [path])
        conn.execute(
            named(
                LEGACY_WRITES.replace("into ", "into public.")
                .replace("update ", "update public.")
                .replace("from ", "from public.")
            )
        )
        conn.execute("set search_path to pg_catalog, public")
        assert answer(conn, "select city from public.customers where cst_id = :nobody") == [("Rom",)]
        assert_in_sync(conn)
        conn.execute(named("delete from public.contacts where id = :nobody"))


@pytest.mark.shows("mission P15")
def test_a_workspace_role_sees_and_writes_its_own_rows_only(application: psycopg.Connection) -> None:
    conn = application
    tables = ("customers", "leads", "customer_custom_fields", "lead_appointments")
    conn.execute(f"grant select, insert, update, delete on {', '.join(tables)} to {APPLICATION}")
    conn.execute(f"grant usage on sequence appointments_id_seq to {APPLICATION}")
    conn.execute(f"set role {APPLICATION}")

    def seen() -> list[object]:
        return [answer(conn, f"select count(*) from {table}")[0][0] for table in tables]

    assert seen() == [0, 0, 0, 0], "without the setting nothing is seen"
    conn.execute(f"set app.workspace_id = '{OTHER_WORKSPACE}'")
    assert seen() == [1, 1, 1, 0]
    conn.execute(f"set app.workspace_id = '{WORKSPACE}'")
    assert seen() == [4, 3, 2, 3]
    conn.execute("update customers set city = 'Rom'")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(named("insert into customers (workspace_id) values (:beta)"))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(named("update customers set workspace_id = :beta"))
    conn.execute("reset app.workspace_id")
    assert seen() == [0, 0, 0, 0], "after RESET the setting is '', and no error"
    conn.execute("reset role")
    assert answer(conn, "select workspace_id::text, count(*) from contacts where city = 'Rom' group by 1") == [
        (WORKSPACE, 4)
    ]
    assert_in_sync(conn)


def test_a_statement_that_changes_no_mapped_column_does_nothing_on_the_other_side(db: Db) -> None:
    """Not even a statement that finds nothing to do."""
    conn = db("parallel")
    conn.execute(
        """
        alter table contacts add column score integer; alter table customers add column score integer;
        create table counted (table_name text);
        create function count_it() returns trigger language plpgsql as
        $$ begin insert into public.counted values (tg_table_name); return null; end $$;
        """
    )
    for table in ("contacts", "customers", "leads"):
        conn.execute(
            f"create trigger count_it before insert or update or delete on {table} for each statement execute function count_it()"
        )
    for table in ("contacts", "customers"):
        conn.execute(
            f"update {table} set score = 7; update {table} set city = city; update {table} set city = 'Rom' where false"
        )
        assert conn.execute("delete from counted returning table_name").fetchall() == [(table,)] * 3


def test_disagreement_is_noticed(db: Db) -> None:
    """The assertion the other tests rely on does fail, in either direction, and says where."""
    conn = db("parallel")
    conn.execute("set session_replication_role = replica")
    conn.execute(
        named(
            "update contacts set city = 'Rom', lead_status = 'won' where id = :ada; delete from appointments where id = 3"
        )
    )
    with pytest.raises(AssertionError) as failed:
        assert_agreement(conn)
    text = str(failed.value)
    assert "public.customers {'cst_id': '" + ADA + "'} differs city" in text
    assert "public.leads {'customer_id': '" + ADA + "'} differs disposition" in text
    assert "public.contacts {'id': '" + ADA + "'} differs city, lead_status" in text
    assert "public.lead_appointments {'id': 3} extra" in text
    assert "public.appointments {'id': 3} missing" in text
