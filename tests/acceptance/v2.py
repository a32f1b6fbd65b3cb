"""What v2 applications do: they write the lead-centric tables, and the record gets what that means to legacy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from psycopg import sql

from tests.acceptance.crm import (
    CONTACT_COLUMNS,
    LEAD,
    PERSON,
    Session,
    assignments,
    record_appointment,
)


@dataclass(frozen=True)
class Lead:
    """A lead as a v2 application sees it."""

    id: UUID
    is_primary: bool
    facts: dict[str, Any]  # by the names of legacy


@dataclass(frozen=True)
class Customer:
    """A customer as a v2 application sees it: its leads, the primary one first, the others in the order they succeed it."""

    id: UUID
    workspace: UUID
    leads: list[Lead]
    neighbours: list[UUID]  # other customers of the workspace, taken too

    @property
    def primary(self) -> Lead | None:
        return self.leads[0] if self.leads else None

    @property
    def others(self) -> list[Lead]:
        return self.leads[1:]


@contextmanager
def _customer(s: Session, n: int = 1) -> Iterator[Customer]:
    """Take a customer, and others, and open a transaction on both databases, within its workspace."""
    with s.people.take(s.rng, n) as ids, s.record.transaction(), s.live.transaction():
        # Which workspace a customer is in, a v2 application knows from its own session; here the record says.
        row = s.record.execute("select workspace_id from contacts where id = %s", [ids[0]]).fetchone()
        assert row is not None
        s.live.execute("select set_config('app.workspace_id', %s, true)", [str(row[0])])
        leads = s.live.execute(
            """
            select id, is_primary, source, disposition, appointment_status from leads
             where customer_id = %s order by is_primary desc, entrydate, id
            """,
            [ids[0]],
        ).fetchall()
        assert sum(lead[1] for lead in leads) == (1 if leads else 0), "a customer with leads has one primary lead"
        neighbours = s.live.execute("select cst_id from customers where cst_id = any(%s)", [ids[1:]]).fetchall()
        yield Customer(
            ids[0],
            row[0],
            [Lead(lead[0], lead[1], dict(zip(LEAD, lead[2:], strict=True))) for lead in leads],
            [neighbour[0] for neighbour in neighbours],
        )


def _means(s: Session, customer: UUID, values: dict[str, Any]) -> None:
    """What a v2 write means to legacy: these columns of the contact."""
    if values:
        query = sql.SQL("update contacts set {} where id = %s").format(assignments(values))
        assert s.record.execute(query, [*values.values(), customer]).rowcount == 1


def v2_update_person(s: Session) -> None:
    with _customer(s) as c:
        values = s.words(PERSON)
        clock = {"updated_at": s.clock()} if s.chance(0.8) else {}
        query = sql.SQL("update customers set {} where cst_id = %s").format(
            assignments(values | clock, PERSON | {"updated_at": "lastchanged"})
        )
        assert s.live.execute(query, [*(values | clock).values(), c.id]).rowcount == 1
        _means(s, c.id, values | clock)


def _update_lead(s: Session, lead: Lead, values: dict[str, Any]) -> None:
    query = sql.SQL("update leads set {} where id = %s").format(
        assignments(values, LEAD | {"updated_at": "lastchangedon"})
    )
    assert s.live.execute(query, [*values.values(), lead.id]).rowcount == 1


def v2_update_lead(s: Session) -> None:
    with _customer(s) as c:
        if c.primary is None:
            _insert_lead(s, c)
        else:
            values = s.words(LEAD) | ({"updated_at": s.clock()} if s.chance(0.8) else {})
            _update_lead(s, c.primary, values)
            _means(s, c.id, values)


def v2_update_both(s: Session) -> None:
    with _customer(s) as c:
        person, lead = s.words(PERSON), s.words(LEAD) | {"updated_at": s.clock()}
        query = sql.SQL("update customers set {} where cst_id = %s").format(assignments(person, PERSON))
        assert s.live.execute(query, [*person.values(), c.id]).rowcount == 1
        _means(s, c.id, person)
        if c.primary is not None:
            _update_lead(s, c.primary, lead)
            _means(s, c.id, lead)


def _insert_lead(s: Session, c: Customer) -> UUID:
    """The first lead of a customer is its primary one, whatever the application says; legacy sees it."""
    key, facts, now = s.uuid(), {column: s.word() for column in LEAD}, s.clock()
    first = c.primary is None
    s.live.execute(
        """
        insert into leads (id, customer_id, workspace_id, source, disposition, appointment_status, is_primary, entrydate,
                           lastchangedon, productid)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        [key, c.id, c.workspace, *facts.values(), first and s.chance(0.5), now, now, s.word()],
    )
    if first:
        _means(s, c.id, facts | {"updated_at": now})
    return key


def v2_insert_lead(s: Session) -> None:
    with _customer(s) as c:
        _insert_lead(s, c)


def v2_insert_customer(s: Session) -> None:
    workspace = s.rng.choice(s.workspaces)
    person, now = {column: s.word() for column in PERSON}, s.clock()
    c = Customer(s.uuid(), workspace, [], [])
    with s.record.transaction(), s.live.transaction():
        s.live.execute("select set_config('app.workspace_id', %s, true)", [str(workspace)])
        s.live.execute(
            """
            insert into customers (cst_id, workspace_id, firstname, lastname, email, phone1, address1, city, state, zip,
                                   dateadded, lastchanged)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            [c.id, workspace, *person.values(), now, now],
        )
        s.record.execute(
            f"insert into contacts ({CONTACT_COLUMNS}) values ({', '.join(['%s'] * 15)})",
            [c.id, workspace, *person.values(), None, None, None, now, now],
        )
        if s.chance(0.7):
            lead = _insert_lead(s, c)
            if s.chance(0.5):
                c.leads.append(Lead(lead, True, {}))
                _insert_lead(s, c)
    s.people.born(c.id)


def v2_update_other_lead(s: Session) -> None:
    with _customer(s) as c:
        if not c.others:
            _insert_lead(s, c)
        else:
            _update_lead(s, s.rng.choice(c.others), s.words(LEAD) | {"updated_at": s.clock()})


def _delete_lead(s: Session, lead: Lead) -> None:
    """Its appointments go with it; the custom fields of both have to be taken away first."""
    s.live.execute(
        """
        delete from appointment_custom_fields as f using lead_appointments as a
         where a.id = f.appointment_id and a.lead_id = %s
        """,
        [lead.id],
    )
    s.live.execute("delete from lead_custom_fields where lead_id = %s", [lead.id])
    assert s.live.execute("delete from leads where id = %s", [lead.id]).rowcount == 1


def v2_delete_other_lead(s: Session) -> None:
    with _customer(s) as c:
        if c.others:
            _delete_lead(s, s.rng.choice(c.others))


def v2_delete_primary_lead(s: Session) -> None:
    """The first of the others takes its place in legacy, with its appointments; where there is none, legacy has no lead."""
    with _customer(s) as c:
        if c.primary is None:
            return
        heir, now = (c.others[0] if c.others else None), s.clock()
        seen = [] if heir is None else _appointments(s, heir)
        _delete_lead(s, c.primary)
        s.live.execute("update customers set lastchanged = %s where cst_id = %s", [now, c.id])
        _means(s, c.id, (heir.facts if heir else dict.fromkeys(LEAD)) | {"updated_at": now})
        s.record.execute("delete from appointments where contact_id = %s", [c.id])
        for appointment in seen:
            record_appointment(s, appointment[0], c.id, *appointment[1:])


def v2_delete_customer(s: Session) -> None:
    with _customer(s) as c:
        for lead in c.leads:  # the primary one first: for a moment another takes its place
            _delete_lead(s, lead)
        assert s.live.execute("delete from customers where cst_id = %s", [c.id]).rowcount == 1
        assert s.record.execute("delete from contacts where id = %s", [c.id]).rowcount == 1
    s.people.gone(c.id)


def v2_bulk_update(s: Session) -> None:
    with _customer(s, 15) as c:
        ids = [c.id, *c.neighbours]
        values = [s.word(), s.clock(), ids]
        for connection, query in (
            (s.live, "update customers set city = %s, lastchanged = %s where cst_id = any(%s)"),
            (s.record, "update contacts set city = %s, updated_at = %s where id = any(%s)"),
        ):
            assert connection.execute(query, values).rowcount == len(ids)


def v2_savepoint(s: Session) -> None:
    with _customer(s) as c:
        with s.live.transaction(force_rollback=True):
            s.live.execute("update customers set lastname = 'never' where cst_id = %s", [c.id])
            for lead in c.leads:
                _delete_lead(s, lead)
        now = s.clock()
        s.live.execute("update customers set zip = 'after', lastchanged = %s where cst_id = %s", [now, c.id])
        _means(s, c.id, {"zip": "after", "updated_at": now})


def v2_beyond_legacy(s: Session) -> None:
    """What legacy has no place for; it must not touch legacy."""
    with _customer(s) as c:
        s.live.execute("update customers set address2 = %s where cst_id = %s", [s.word(), c.id])
        for lead in c.leads:
            s.live.execute(
                "update leads set stg_id = %s, lastchangedby = 'somebody' where id = %s", [s.rng.randrange(9), lead.id]
            )
            if s.fields[c.workspace]:
                s.live.execute(
                    """
                    insert into lead_custom_fields (lead_id, field_id, workspace_id, value) values (%s, %s, %s, %s)
                    on conflict (lead_id, field_id) do update set value = excluded.value
                    """,
                    [lead.id, s.rng.choice(s.fields[c.workspace]), c.workspace, s.word()],
                )
                s.live.execute(
                    """
                    insert into appointment_custom_fields (appointment_id, field_id, workspace_id, value)
                    select id, %s, %s, %s from lead_appointments where lead_id = %s
                    on conflict (appointment_id, field_id) do update set value = excluded.value
                    """,
                    [s.rng.choice(s.fields[c.workspace]), c.workspace, s.word(), lead.id],
                )


def v2_set_field(s: Session) -> None:
    with _customer(s) as c:
        if s.fields[c.workspace]:
            values = [c.id, s.rng.choice(s.fields[c.workspace]), s.word(), s.clock()]
            s.live.execute(
                """
                insert into customer_custom_fields (customer_id, field_id, value, created_at, workspace_id)
                values (%s, %s, %s, %s, %s) on conflict (customer_id, field_id) do update set value = excluded.value
                """,
                [*values, c.workspace],
            )
            s.record.execute(
                """
                insert into contact_custom_fields (contact_id, field_id, value, created_at)
                values (%s, %s, %s, %s) on conflict (contact_id, field_id) do update set value = excluded.value
                """,
                values,
            )


def v2_delete_field(s: Session) -> None:
    with _customer(s) as c:
        row = s.one(
            "select field_id from customer_custom_fields where customer_id = %s order by random() limit 1", [c.id]
        )
        if row is not None:
            s.live.execute(
                "delete from customer_custom_fields where customer_id = %s and field_id = %s", [c.id, row[0]]
            )
            s.record.execute(
                "delete from contact_custom_fields where contact_id = %s and field_id = %s", [c.id, row[0]]
            )


def _appointments(s: Session, lead: Lead) -> list[tuple[Any, ...]]:
    return s.live.execute(
        "select id, scheduled_at, apptdate, status, reminder_sent from lead_appointments where lead_id = %s order by id",
        [lead.id],
    ).fetchall()


def v2_insert_appointment(s: Session) -> None:
    with _customer(s) as c:
        if not c.leads:
            return
        lead = s.rng.choice(c.leads)
        values = [s.clock(), s.clock(), s.word(), s.rng.choice((None, True, False))]
        row = s.one(
            """
            insert into lead_appointments (lead_id, workspace_id, scheduled_at, apptdate, status, reminder_sent)
            values (%s, %s, %s, %s, %s, %s) returning id
            """,
            [lead.id, c.workspace, *values],
        )
        assert row is not None
        if lead.is_primary:
            record_appointment(s, row[0], c.id, *values)


def v2_update_appointment(s: Session) -> None:
    with _customer(s) as c:
        for lead in c.leads:
            for appointment in _appointments(s, lead)[:1]:
                values = [s.word(), s.rng.choice((None, True, False)), appointment[0]]
                query: LiteralString = "status = %s, reminder_sent = %s where id = %s"
                assert s.live.execute(f"update lead_appointments set {query}", values).rowcount == 1
                assert s.record.execute(f"update appointments set {query}", values).rowcount == lead.is_primary


def v2_delete_appointment(s: Session) -> None:
    with _customer(s) as c:
        for lead in c.leads[:1]:
            for appointment in _appointments(s, lead)[:1]:
                s.live.execute("delete from appointment_custom_fields where appointment_id = %s", [appointment[0]])
                s.live.execute("delete from lead_appointments where id = %s", [appointment[0]])
                s.record.execute("delete from appointments where id = %s", [appointment[0]])


def v2_move_appointment(s: Session) -> None:
    """From the primary lead to another it leaves legacy; the other way round it comes to light there."""
    with _customer(s) as c:
        if not c.others or c.primary is None:
            return
        other = c.others[0]
        leaving, coming = _appointments(s, c.primary)[:1], _appointments(s, other)[:1]
        for appointment in leaving:
            s.live.execute("update lead_appointments set lead_id = %s where id = %s", [other.id, appointment[0]])
            s.record.execute("delete from appointments where id = %s", [appointment[0]])
        for appointment in coming:
            s.live.execute("update lead_appointments set lead_id = %s where id = %s", [c.primary.id, appointment[0]])
            record_appointment(s, appointment[0], c.id, *appointment[1:])


V2: dict[Callable[[Session], None], int] = {
    v2_update_person: 10,
    v2_update_lead: 10,
    v2_update_both: 4,
    v2_insert_lead: 8,
    v2_insert_customer: 6,
    v2_update_other_lead: 3,
    v2_delete_other_lead: 3,
    v2_delete_primary_lead: 3,
    v2_delete_customer: 3,
    v2_bulk_update: 2,
    v2_savepoint: 2,
    v2_beyond_legacy: 4,
    v2_set_field: 8,
    v2_delete_field: 4,
    v2_insert_appointment: 8,
    v2_update_appointment: 4,
    v2_delete_appointment: 2,
    v2_move_appointment: 2,
}
"""What v2 applications do, and how often."""
