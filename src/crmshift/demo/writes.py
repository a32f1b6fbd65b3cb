"""What users do to contacts in the demo: the writes of v1 on legacy, those of v2 on the lead-centric tables.

Each write of v2 says beside its own statement what it means to legacy, in legacy's terms: this is the mapping once more,
written by hand and independently, so that the comparison with the record can find a mapping wrong.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from uuid import UUID

import psycopg

from crmshift.demo.application import Contact, Desk, Session

Kind = Callable[[Session, Contact, random.Random], None]

STATUSES = ["New", "Contacted", "Qualified", "Proposal sent", "Won", "Lost", "No answer", None, ""]
SOURCES = ["website", "referral", "trade fair", "Empfehlung", "phone"]
CITIES = ["Tromsø", "Málaga", "Łódź", "Portland", "", None]
OUTCOMES = ["scheduled", "kept", "missed", "moved"]
VALUES = ["Deutsch", "4", "", None, "prefers e-mail; mornings", "日本語"]
PRODUCTS = ["roof panels", "battery", "kitchen", "heat pump"]
MANY = 20
"""Most contacts in one statement of `recycle_all`."""


def one(session: Session, desk: Desk, rng: random.Random) -> None:
    """One write, of a kind and on a contact that chance picks."""
    kinds = V1 if session.side == "v1" else V2
    kind = rng.choices(list(kinds), list(kinds.values()))[0]
    with desk.some(rng, MANY if kind is recycle else 1) as taken:
        if not taken:
            return
        contact = taken[0]
        if kind in (new_contact, new_customer):
            contact = Contact(UUID(int=rng.getrandbits(128), version=4), contact.workspace)
        with session.transaction(contact.workspace):
            if kind is recycle:
                recycle_all(session, taken)
            else:
                kind(session, contact, rng)
        if kind is delete_contact:
            taken.clear()
        elif contact not in taken:
            taken.append(contact)


# v1: the legacy tables.


def set_status(app: Session, contact: Contact, rng: random.Random) -> None:
    app.both(
        "update contacts set lead_status = %s, updated_at = %s where id = %s returning id",
        [rng.choice(STATUSES), app.clock.now(), contact.id],
    )


def move_house(app: Session, contact: Contact, rng: random.Random) -> None:
    app.both(
        "update contacts set city = %s, st_address = %s, phone_number = %s, updated_at = %s where id = %s returning id",
        [rng.choice(CITIES), f"{rng.randrange(900)} Mill Lane", _phone(rng), app.clock.now(), contact.id],
    )


def change_one_mind(app: Session, contact: Contact, rng: random.Random) -> None:
    """Half of a transaction is taken back: the sync must forget it too."""
    app.both(
        "update contacts set lead_source = %s, updated_at = %s where id = %s returning id",
        [rng.choice(SOURCES), app.clock.now(), contact.id],
    )
    with app.conn.transaction():
        app.run("update contacts set firstname = 'Nobody', lead_status = 'Nothing' where id = %s", [contact.id])
        raise psycopg.Rollback


def new_contact(app: Session, contact: Contact, rng: random.Random) -> None:
    now = app.clock.now()
    app.both(
        """
        insert into contacts (id, workspace_id, firstname, lastname, email, phone_number, lead_source, lead_status,
                              created_at, updated_at)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning id
        """,
        [contact.id, contact.workspace, rng.choice(["Ana", "Ægir", None]), "Newcomer", f"{contact.id.hex[:8]}@example.com",
         _phone(rng), rng.choice(SOURCES), rng.choice(STATUSES), now, now],
    )  # fmt: skip
    set_field(app, contact, rng)
    make_appointment(app, contact, rng)


def set_field(app: Session, contact: Contact, rng: random.Random) -> None:
    if app.fields:
        app.both(
            """
            insert into contact_custom_fields (contact_id, field_id, value, created_at) values (%s, %s, %s, %s)
            on conflict (contact_id, field_id) do update set value = excluded.value returning contact_id
            """,
            [contact.id, rng.choice(app.fields), rng.choice(VALUES), app.clock.now()],
        )


def make_appointment(app: Session, contact: Contact, rng: random.Random) -> None:
    values = [contact.id, app.clock.now(), app.clock.now(), rng.choice(OUTCOMES), rng.choice([True, False, None])]
    ((number,),) = app.run(
        """
        insert into appointments (contact_id, scheduled_at, apptdate, status, reminder_sent)
        values (%s, %s, %s, %s, %s) returning id
        """,
        [*values],
    )
    app.means(_APPOINTMENT_IN_LEGACY, [number, *values])


def keep_appointment(app: Session, contact: Contact, rng: random.Random) -> None:
    for (number,) in app.run("select id from appointments where contact_id = %s order by id limit 1", [contact.id]):
        app.both("update appointments set status = %s where id = %s returning id", [rng.choice(OUTCOMES), number])


def cancel_appointment(app: Session, contact: Contact, rng: random.Random) -> None:
    for (number,) in app.run("select id from appointments where contact_id = %s order by id limit 1", [contact.id]):
        app.both("delete from appointments where id = %s returning id", [number])


def delete_contact(app: Session, contact: Contact, rng: random.Random) -> None:
    app.both("delete from contacts where id = %s returning id", [contact.id])


def recycle(app: Session, contact: Contact, rng: random.Random) -> None:
    recycle_all(app, [contact])


def recycle_all(app: Session, contacts: list[Contact]) -> None:
    """Many contacts in one statement."""
    app.both(
        "update contacts set lead_status = 'Recycled', updated_at = %s where id = any (%s) returning id",
        [app.clock.now(), [c.id for c in contacts]],
    )


# v2: the lead-centric tables, and what that means to legacy.


def set_disposition(app: Session, contact: Contact, rng: random.Random) -> None:
    status, now = rng.choice(STATUSES), app.clock.now()
    if app.run(
        "update leads set disposition = %s, lastchangedon = %s where customer_id = %s and is_primary returning id",
        [status, now, contact.id],
    ):
        app.means("update contacts set lead_status = %s, updated_at = %s where id = %s", [status, now, contact.id])


def set_stage(app: Session, contact: Contact, rng: random.Random) -> None:
    """Legacy knows neither stage nor product: it only sees that something changed."""
    now = app.clock.now()
    if app.run(
        """
        update leads set stg_id = %s, productid = %s, lastchangedon = %s where customer_id = %s and is_primary returning id
        """,
        [rng.randrange(1, 6), rng.choice(PRODUCTS), now, contact.id],
    ):
        app.means("update contacts set updated_at = %s where id = %s", [now, contact.id])


def correct_customer(app: Session, contact: Contact, rng: random.Random) -> None:
    phone, city, now = _phone(rng), rng.choice(CITIES), app.clock.now()
    if app.run(
        "update customers set phone1 = %s, city = %s, lastchanged = %s where cst_id = %s returning cst_id",
        [phone, city, now, contact.id],
    ):
        app.means(
            "update contacts set phone_number = %s, city = %s, updated_at = %s where id = %s",
            [phone, city, now, contact.id],
        )


def new_customer(app: Session, contact: Contact, rng: random.Random) -> None:
    added, entered = app.clock.now(), app.clock.now()
    name, phone, source, status = (
        rng.choice(["Þóra", "Wei", ""]),
        _phone(rng),
        rng.choice(SOURCES),
        rng.choice(STATUSES),
    )
    app.run(
        """
        insert into customers (cst_id, workspace_id, firstname, lastname, phone1, dateadded, lastchanged)
        values (%s, %s, %s, 'Latecomer', %s, %s, %s)
        """,
        [contact.id, contact.workspace, name, phone, added, added],
    )
    app.run(
        """
        insert into leads (customer_id, workspace_id, productid, source, disposition, entrydate, lastchangedon)
        values (%s, %s, %s, %s, %s, %s, %s)
        """,
        [contact.id, contact.workspace, rng.choice(PRODUCTS), source, status, entered, entered],
    )
    app.means(
        """
        insert into contacts (id, workspace_id, firstname, lastname, phone_number, lead_source, lead_status, created_at, updated_at)
        values (%s, %s, %s, 'Latecomer', %s, %s, %s, %s, %s)
        """,
        [contact.id, contact.workspace, name, phone, source, status, added, entered],
    )
    set_customer_field(app, contact, rng)


def first_lead(app: Session, contact: Contact, rng: random.Random) -> None:
    """A customer that had none gets a lead: legacy sees its source and status."""
    source, status, now = rng.choice(SOURCES), rng.choice(STATUSES), app.clock.now()
    if app.run(
        """
        insert into leads (customer_id, workspace_id, source, disposition, entrydate, lastchangedon)
        select cst_id, workspace_id, %s, %s, %s, %s from customers
         where cst_id = %s and not exists (select from leads where customer_id = cst_id) returning id
        """,
        [source, status, now, now, contact.id],
    ):
        app.means(
            "update contacts set lead_source = %s, lead_status = %s, updated_at = %s where id = %s",
            [source, status, now, contact.id],
        )


def second_lead(app: Session, contact: Contact, rng: random.Random) -> None:
    """One more lead, its appointment and its own field: nothing of it has a place in legacy."""
    for (lead,) in app.run(
        """
        insert into leads (customer_id, workspace_id, productid, source, disposition, entrydate, lastchangedon)
        select cst_id, workspace_id, %s, %s, %s, %s, %s from customers
         where cst_id = %s and exists (select from leads where customer_id = cst_id and is_primary) returning id
        """,
        [rng.choice(PRODUCTS), rng.choice(SOURCES), "New", app.clock.now(), app.clock.now(), contact.id],
    ):
        app.run(
            "insert into lead_appointments (lead_id, workspace_id, apptdate, status) values (%s, %s, %s, 'scheduled')",
            [lead, contact.workspace, app.clock.now()],
        )
        if app.fields:
            app.run(
                "insert into lead_custom_fields (lead_id, field_id, workspace_id, value) values (%s, %s, %s, %s)",
                [lead, rng.choice(app.fields), contact.workspace, rng.choice(VALUES)],
            )


def win_second_lead(app: Session, contact: Contact, rng: random.Random) -> None:
    app.run(
        "update leads set disposition = 'Won', lastchangedon = %s where customer_id = %s and not is_primary returning id",
        [app.clock.now(), contact.id],
    )


def set_customer_field(app: Session, contact: Contact, rng: random.Random) -> None:
    """Never NULL: before history has moved this is an insert, and an insert that gives no value takes none from legacy."""
    if app.fields:
        field = rng.choice(app.fields)
        for value, created in app.run(
            """
            insert into customer_custom_fields as f (customer_id, field_id, workspace_id, value, created_at)
            select cst_id, %s, workspace_id, %s, %s from customers where cst_id = %s
            on conflict (customer_id, field_id) do update set value = excluded.value returning f.value, f.created_at
            """,
            [field, rng.choice([v for v in VALUES if v is not None]), app.clock.now(), contact.id],
        ):
            app.means(
                """
                insert into contact_custom_fields (contact_id, field_id, value, created_at) values (%s, %s, %s, %s)
                on conflict (contact_id, field_id) do update set value = excluded.value, created_at = excluded.created_at
                """,
                [contact.id, field, value, created],
            )


def make_lead_appointment(app: Session, contact: Contact, rng: random.Random) -> None:
    scheduled, takes_place, status = app.clock.now(), app.clock.now(), rng.choice(OUTCOMES)
    for (number,) in app.run(
        """
        insert into lead_appointments (lead_id, workspace_id, scheduled_at, apptdate, status)
        select id, workspace_id, %s, %s, %s from leads where customer_id = %s and is_primary returning id
        """,
        [scheduled, takes_place, status, contact.id],
    ):
        app.means(_APPOINTMENT_IN_LEGACY, [number, contact.id, scheduled, takes_place, status, None])


def keep_lead_appointment(app: Session, contact: Contact, rng: random.Random) -> None:
    status = rng.choice(OUTCOMES)
    for (number,) in app.run(
        f"update lead_appointments set status = %s, reminder_sent = true where id = ({_FIRST_OF_PRIMARY}) returning id",
        [status, contact.id],
    ):
        app.means("update appointments set status = %s, reminder_sent = true where id = %s", [status, number])


def cancel_lead_appointment(app: Session, contact: Contact, rng: random.Random) -> None:
    for (number,) in app.run(
        f"delete from lead_appointments where id = ({_FIRST_OF_PRIMARY}) returning id", [contact.id]
    ):
        app.means("delete from appointments where id = %s", [number])


_APPOINTMENT_IN_LEGACY = """
    insert into appointments (id, contact_id, scheduled_at, apptdate, status, reminder_sent) values (%s, %s, %s, %s, %s, %s)
"""
_FIRST_OF_PRIMARY = """
    select min(a.id) from lead_appointments as a join leads as l on l.id = a.lead_id where l.customer_id = %s and l.is_primary
"""


def _phone(rng: random.Random) -> str:
    return f"+1 503 555 01{rng.randrange(100):02}"


V1: dict[Kind, int] = {
    set_status: 8, move_house: 5, set_field: 4, new_contact: 2, make_appointment: 3, keep_appointment: 3,
    cancel_appointment: 1, change_one_mind: 2, recycle: 1, delete_contact: 1,
}  # fmt: skip
V2: dict[Kind, int] = {
    set_disposition: 8, correct_customer: 4, set_customer_field: 4, new_customer: 2, second_lead: 2, win_second_lead: 1,
    set_stage: 2, make_lead_appointment: 2, keep_lead_appointment: 2, cancel_lead_appointment: 1, first_lead: 1,
}  # fmt: skip
