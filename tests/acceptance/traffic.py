"""Applications at work on a database under migration, and an independent record of what legacy must hold afterwards.

Every committed write goes to two databases: the one crmshift works on, and a record that has the legacy schema alone and
has never seen crmshift. A v1 application writes the legacy tables, so the record gets the very same statement. A v2
application writes the lead-centric tables, so the record gets what that means to legacy, written out here by hand.

The record must learn the writes of one contact in the order they were committed. So a write takes the contacts it is about
for itself until both databases have it: writes about one contact are serial, writes about different contacts are not.
What happens when two applications do write one contact at once is what `cross` is for; it needs no record.

Every timestamp is given, from a clock that never repeats: a default of now() would differ between the two databases.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql

Connection = psycopg.Connection[tuple[Any, ...]]

TABLES = {
    "contacts": ("id",),
    "contact_custom_fields": ("contact_id", "field_id"),
    "appointments": ("id",),
}
"""The legacy tables crmshift maps, with their keys."""

PERSON = {
    "firstname": "firstname",
    "lastname": "lastname",
    "email": "email",
    "phone_number": "phone1",
    "st_address": "address1",
    "city": "city",
    "state": "state",
    "zip": "zip",
}
"""Columns of contacts, and of customers."""

LEAD = {"lead_source": "source", "lead_status": "disposition", "appointment_status": "appointment_status"}
"""Columns of contacts, and of leads."""

WORDS = (
    "",
    " ",
    "New",
    "new",
    "Zoë",
    "O'Brien",
    "Ærøskøbing",
    "東京",
    "50%",
    "two\nlines",
    "tab\there",
    '"quoted"',
    "{a,b}",
    "\\N",
    "NULL",
)


class Clock:
    """Microseconds that never repeat and never go back, later than anything in a data set."""

    def __init__(self) -> None:
        self._ticks = itertools.count()

    def __call__(self) -> datetime:
        return datetime(2040, 1, 1, tzinfo=UTC) + timedelta(microseconds=next(self._ticks))


class People:
    """The contacts there are. Whoever writes about one takes it first, and finds another where it is taken.

    Two in five takes go to somebody of late, so that writes of both generations meet on the same contacts.
    """

    def __init__(self, ids: list[UUID]) -> None:
        self._ids = list(ids)
        self._places = {key: place for place, key in enumerate(self._ids)}
        self._taken: set[UUID] = set()
        self._of_late: deque[UUID] = deque(maxlen=100)
        self._guard = threading.Lock()

    def __len__(self) -> int:
        return len(self._ids)

    @contextmanager
    def take(self, rng: random.Random, n: int = 1) -> Iterator[list[UUID]]:
        """Take n contacts that nobody else has."""
        mine: list[UUID] = []
        with self._guard:
            for _ in range(1000):
                if len(mine) == n:
                    break
                late = self._of_late and rng.random() < 0.4
                key = rng.choice(self._of_late if late else self._ids)
                if key in self._places and key not in self._taken:
                    self._taken.add(key)
                    mine.append(key)
        try:
            assert len(mine) == n, f"{len(self)} contacts are too few for so many sessions"
            yield mine
        finally:
            with self._guard:
                self._taken.difference_update(mine)
                self._of_late.extend(mine)

    def born(self, *keys: UUID) -> None:
        """Contacts that are committed on both databases."""
        with self._guard:
            for key in keys:
                self._places[key] = len(self._ids)
                self._ids.append(key)
            self._of_late.extend(keys)

    def gone(self, key: UUID) -> None:
        """A contact that was deleted from both."""
        with self._guard:
            last = self._ids.pop()
            place = self._places.pop(key)
            if last != key:
                self._ids[place] = last
                self._places[last] = place


@dataclass
class Session:
    """One application: its connection, its own connection to the record, and its dice."""

    live: Connection
    record: Connection
    people: People
    clock: Clock
    rng: random.Random
    workspaces: list[UUID]
    fields: dict[UUID, list[UUID]]
    done: Counter[str] = field(default_factory=Counter)

    def both(self, query: LiteralString, params: list[Any]) -> None:
        """A statement of a v1 application: the record gets the same one, and they must agree on how many rows."""
        ours, theirs = self.live.execute(query, params).rowcount, self.record.execute(query, params).rowcount
        assert ours == theirs, f"{ours} rows here, {theirs} in the record: {query}"

    def one(self, query: LiteralString, params: list[Any]) -> tuple[Any, ...] | None:
        return self.live.execute(query, params).fetchone()

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def uuid(self) -> UUID:
        return UUID(int=self.rng.getrandbits(128), version=4)

    def word(self) -> str | None:
        kind = self.rng.random()
        if kind < 0.1:
            return None
        if kind < 0.3:
            return self.rng.choice(WORDS)
        if kind < 0.35:
            return "x" * 255  # as long as legacy can hold
        return f"{self.rng.choice(WORDS)}{self.rng.randrange(10**6)}"

    def words(self, columns: dict[str, str]) -> dict[str, str | None]:
        """New values for some columns of a contact, by their names in legacy."""
        chosen = self.rng.sample(sorted(columns), self.rng.randint(1, min(3, len(columns))))
        return {column: self.word() for column in chosen}


def _assignments(values: dict[str, Any], names: dict[str, str] | None = None) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("{} = %s").format(sql.Identifier(names[column] if names else column)) for column in values
    )


# --- v1: the legacy tables ---------------------------------------------------------------------------------------------


def _update_contacts(s: Session, ids: list[UUID], values: dict[str, Any]) -> None:
    query = sql.SQL("update contacts set {} where id = any(%s)").format(_assignments(values))
    for connection in (s.live, s.record):
        assert connection.execute(query, [*values.values(), ids]).rowcount == len(ids)


def _touched(s: Session) -> dict[str, Any]:
    """What an application writes into updated_at: mostly the time, sometimes nothing, seldom something odd."""
    dice = s.rng.random()
    if dice < 0.8:
        return {"updated_at": s.clock()}
    if dice < 0.9:
        return {}
    return {"updated_at": None if dice < 0.95 else datetime(2001, 1, 1, tzinfo=UTC) + timedelta(s.rng.randrange(3650))}


def v1_update_person(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        _update_contacts(s, ids, s.words(PERSON) | _touched(s))


def v1_update_status(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        _update_contacts(s, ids, s.words(LEAD) | _touched(s))


def v1_update_everything(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        _update_contacts(s, ids, s.words(LEAD) | s.words(PERSON) | _touched(s))


def v1_update_nothing(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        s.both("update contacts set city = city, updated_at = updated_at where id = any(%s)", [ids])


def v1_bulk_update(s: Session) -> None:
    with s.people.take(s.rng, 20) as ids:
        _update_contacts(s, ids, {"lead_status": s.word(), "updated_at": s.clock()})


def v1_update_twice(s: Session) -> None:
    with s.people.take(s.rng) as ids, s.record.transaction(), s.live.transaction():
        _update_contacts(s, ids, s.words(PERSON))
        _update_contacts(s, ids, s.words(LEAD))
        _update_contacts(s, ids, s.words(PERSON) | {"updated_at": s.clock()})


def v1_savepoint(s: Session) -> None:
    with s.people.take(s.rng, 2) as ids, s.record.transaction(), s.live.transaction():
        _update_contacts(s, ids[:1], s.words(PERSON))
        with s.record.transaction(force_rollback=True), s.live.transaction(force_rollback=True):
            _update_contacts(s, ids, s.words(LEAD) | s.words(PERSON))
            s.both("delete from contacts where id = %s", [ids[1]])
        _update_contacts(s, ids[1:], s.words(LEAD))


def v1_change_of_mind(s: Session) -> None:
    with s.people.take(s.rng) as ids, s.live.transaction(force_rollback=True):
        s.live.execute("update contacts set lastname = 'never', lead_status = 'never' where id = any(%s)", [ids])
        s.live.execute("delete from contacts where id = any(%s)", [ids])


def _contact(s: Session, key: UUID) -> list[Any]:
    born = None if s.chance(0.1) else s.clock()
    facts = [s.word() if s.chance(0.5) else None for _ in LEAD]
    return [key, s.rng.choice(s.workspaces), *(s.word() for _ in PERSON), *facts, born, None if s.chance(0.2) else born]


_CONTACT_COLUMNS: LiteralString = """
    id, workspace_id, firstname, lastname, email, phone_number, st_address, city, state, zip,
    lead_source, lead_status, appointment_status, created_at, updated_at
"""


def v1_insert(s: Session) -> None:
    key = s.uuid()
    s.both(f"insert into contacts ({_CONTACT_COLUMNS}) values ({', '.join(['%s'] * 15)})", _contact(s, key))
    s.people.born(key)


def v1_insert_with_all(s: Session) -> None:
    row = _contact(s, s.uuid())
    key, workspace = row[0], row[1]
    with s.record.transaction(), s.live.transaction():
        s.both(f"insert into contacts ({_CONTACT_COLUMNS}) values ({', '.join(['%s'] * 15)})", row)
        for defined in s.rng.sample(s.fields[workspace], min(3, len(s.fields[workspace]))):
            s.both(
                "insert into contact_custom_fields (contact_id, field_id, value, created_at) values (%s, %s, %s, %s)",
                [key, defined, s.word(), s.clock()],
            )
        _insert_appointment(s, key)
    s.people.born(key)


def v1_copy(s: Session) -> None:
    rows = [_contact(s, s.uuid()) for _ in range(5)]
    with s.record.transaction(), s.live.transaction():
        for connection in (s.live, s.record):
            with connection.cursor().copy(f"copy contacts ({_CONTACT_COLUMNS}) from stdin") as copy:
                for row in rows:
                    copy.write_row(row)
    s.people.born(*(row[0] for row in rows))


def v1_upsert(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        row = _contact(s, s.uuid() if s.chance(0.3) else ids[0])
        s.both(
            f"""
            insert into contacts ({_CONTACT_COLUMNS}) values ({", ".join(["%s"] * 15)})
            on conflict (id) do update set email = excluded.email, lead_source = excluded.lead_source,
                                           updated_at = excluded.updated_at
            """,
            row,
        )
        if row[0] != ids[0]:
            s.people.born(row[0])


def v1_merge(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        new = s.uuid()
        s.both(
            """
            merge into contacts as c using (values (%s::uuid), (%s::uuid)) as v (id) on c.id = v.id
             when matched then update set state = %s, lead_status = %s, updated_at = %s
             when not matched then insert (id, workspace_id, lastname, created_at, updated_at) values (v.id, %s, %s, %s, %s)
            """,
            [ids[0], new, s.word(), s.word(), s.clock(), s.rng.choice(s.workspaces), s.word(), s.clock(), s.clock()],
        )
        s.people.born(new)


def v1_delete(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        s.both("delete from contacts where id = %s", ids)
        s.people.gone(ids[0])


def v1_move_to_workspace(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        _update_contacts(s, ids, {"workspace_id": s.rng.choice(s.workspaces), "updated_at": s.clock()})


def v1_change_key(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        new = s.uuid()
        query: LiteralString = """
            update contacts as c set id = %s where id = %s
               and not exists (select from contact_custom_fields as f where f.contact_id = c.id)
               and not exists (select from appointments as a where a.contact_id = c.id)
        """
        s.both(query, [new, ids[0]])
        if s.one("select from contacts where id = %s", [new]) is not None:
            s.people.gone(ids[0])
            s.people.born(new)


def v1_set_field(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        row = s.one("select workspace_id from contacts where id = %s", ids)
        assert row is not None
        if s.fields[row[0]]:
            s.both(
                """
                insert into contact_custom_fields (contact_id, field_id, value, created_at) values (%s, %s, %s, %s)
                on conflict (contact_id, field_id) do update set value = excluded.value
                """,
                [ids[0], s.rng.choice(s.fields[row[0]]), s.word(), s.clock()],
            )


def v1_delete_field(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        row = s.one("select field_id from contact_custom_fields where contact_id = %s order by random() limit 1", ids)
        if row is not None:
            s.both("delete from contact_custom_fields where contact_id = %s and field_id = %s", [ids[0], row[0]])


def v1_move_fields(s: Session) -> None:
    with s.people.take(s.rng, 2) as ids:
        s.both(
            """
            update contact_custom_fields as f set contact_id = %s where contact_id = %s
               and not exists (select from contact_custom_fields as o where o.contact_id = %s and o.field_id = f.field_id)
            """,
            [ids[1], ids[0], ids[1]],
        )


def _insert_appointment(s: Session, contact: UUID) -> None:
    values = [contact, s.clock(), s.clock(), s.word(), s.rng.choice((None, True, False))]
    row = s.one(
        """
        insert into appointments (contact_id, scheduled_at, apptdate, status, reminder_sent) values (%s, %s, %s, %s, %s)
        returning id
        """,
        values,
    )
    assert row is not None
    _record_appointment(s, row[0], *values)


def _record_appointment(s: Session, *values: Any) -> None:
    s.record.execute(
        """
        insert into appointments (id, contact_id, scheduled_at, apptdate, status, reminder_sent)
        values (%s, %s, %s, %s, %s, %s)
        """,
        list(values),
    )


def v1_insert_appointment(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        _insert_appointment(s, ids[0])


def _any_appointment(s: Session, contact: UUID) -> int | None:
    row = s.one("select id from appointments where contact_id = %s order by random() limit 1", [contact])
    return row[0] if row else None


def v1_update_appointment(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        found = _any_appointment(s, ids[0])
        if found is None:
            _insert_appointment(s, ids[0])
        else:
            s.both("update appointments set status = %s, apptdate = %s where id = %s", [s.word(), s.clock(), found])


def v1_delete_appointment(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        found = _any_appointment(s, ids[0])
        if found is not None:
            s.both("delete from appointments where id = %s", [found])


def v1_move_appointment(s: Session) -> None:
    with s.people.take(s.rng, 2) as ids:
        found = _any_appointment(s, ids[0])
        if found is not None:
            s.both("update appointments set contact_id = %s where id = %s", [ids[1], found])


V1: dict[Callable[[Session], None], int] = {
    v1_update_person: 10,
    v1_update_status: 10,
    v1_update_everything: 6,
    v1_update_nothing: 1,
    v1_bulk_update: 2,
    v1_update_twice: 4,
    v1_savepoint: 3,
    v1_change_of_mind: 2,
    v1_insert: 5,
    v1_insert_with_all: 4,
    v1_copy: 1,
    v1_upsert: 3,
    v1_merge: 2,
    v1_delete: 4,
    v1_move_to_workspace: 2,
    v1_change_key: 2,
    v1_set_field: 8,
    v1_delete_field: 4,
    v1_move_fields: 1,
    v1_insert_appointment: 6,
    v1_update_appointment: 5,
    v1_delete_appointment: 2,
    v1_move_appointment: 2,
}
"""What v1 applications do, and how often."""


# --- v2: the lead-centric tables ----------------------------------------------------------------------------------------


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
        query = sql.SQL("update contacts set {} where id = %s").format(_assignments(values))
        assert s.record.execute(query, [*values.values(), customer]).rowcount == 1


def v2_update_person(s: Session) -> None:
    with _customer(s) as c:
        values = s.words(PERSON)
        clock = {"updated_at": s.clock()} if s.chance(0.8) else {}
        query = sql.SQL("update customers set {} where cst_id = %s").format(
            _assignments(values | clock, PERSON | {"updated_at": "lastchanged"})
        )
        assert s.live.execute(query, [*(values | clock).values(), c.id]).rowcount == 1
        _means(s, c.id, values | clock)


def _update_lead(s: Session, lead: Lead, values: dict[str, Any]) -> None:
    query = sql.SQL("update leads set {} where id = %s").format(
        _assignments(values, LEAD | {"updated_at": "lastchangedon"})
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
        query = sql.SQL("update customers set {} where cst_id = %s").format(_assignments(person, PERSON))
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
            f"insert into contacts ({_CONTACT_COLUMNS}) values ({', '.join(['%s'] * 15)})",
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
            _record_appointment(s, appointment[0], c.id, *appointment[1:])


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
            _record_appointment(s, row[0], c.id, *values)


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
            _record_appointment(s, appointment[0], c.id, *appointment[1:])


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


# --- all together -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Databases:
    """Where the applications work: the DSN of each generation, and that of the record."""

    v1: str
    v2: str
    record: str


class Traffic:
    """Applications of both generations on one database."""

    def __init__(self, databases: Databases, seed: int) -> None:
        self._databases = databases
        self._seed = seed
        self.clock = Clock()
        self.done: Counter[str] = Counter()
        with psycopg.connect(databases.record) as record:
            self.people = People([row[0] for row in record.execute("select id from contacts order by id")])
            self.workspaces = [row[0] for row in record.execute("select id from workspaces order by id")]
            self.fields: dict[UUID, list[UUID]] = {w: [] for w in self.workspaces}
            for workspace, defined in record.execute("select workspace_id, id from custom_fields order by id"):
                self.fields[workspace].append(defined)

    def run(self, writes: int, v1: int = 2, v2: int = 2, until: threading.Event | None = None) -> Counter[str]:
        """Let so many sessions of each generation do so many writes in all, or stop when `until` is set.

        Raises what an application met: an error is the sync's doing, for these applications make none by themselves.
        """
        self._seed += 1
        with ThreadPoolExecutor(v1 + v2) as pool:
            futures = [
                pool.submit(self._work, number, V1 if number < v1 else V2, writes // (v1 + v2), until)
                for number in range(v1 + v2)
            ]
            done = sum((future.result() for future in futures), Counter())
        self.done += done
        return done

    def _work(
        self, number: int, repertoire: dict[Callable[[Session], None], int], writes: int, until: threading.Event | None
    ) -> Counter[str]:
        generation = "v1" if repertoire is V1 else "v2"
        dsn = self._databases.v1 if repertoire is V1 else self._databases.v2
        with (
            psycopg.connect(dsn, autocommit=True, application_name=f"crm/{generation}") as live,
            psycopg.connect(self._databases.record, autocommit=True) as record,
        ):
            rng = random.Random(f"{self._seed} {number}")
            s = Session(live, record, self.people, self.clock, rng, self.workspaces, self.fields)
            for write in rng.choices(list(repertoire), list(repertoire.values()), k=writes):
                if until is not None and until.is_set():
                    break
                try:
                    write(s)
                except Exception as error:
                    error.add_note(f"in {write.__name__}, seed {self._seed}")
                    raise
                s.done[write.__name__] += 1
        return s.done


@dataclass(frozen=True)
class Crossing:
    """One of several applications that write the same contacts at once, each a column of its own."""

    generation: str
    column: str  # in legacy
    statement: LiteralString  # value, time, contact


CROSSINGS = (
    Crossing("v1", "firstname", "update contacts set firstname = %s, updated_at = %s where id = %s"),
    Crossing("v1", "lead_status", "update contacts set lead_status = %s, updated_at = %s where id = %s"),
    Crossing("v2", "city", "update customers set city = %s, lastchanged = %s where cst_id = %s"),
    Crossing(
        "v2", "lead_source", "update leads set source = %s, lastchangedon = %s where customer_id = %s and is_primary"
    ),
)


def cross(databases: Databases, contacts: dict[UUID, UUID], writes: int, seed: int) -> dict[tuple[UUID, str], str]:
    """Let all of `CROSSINGS` write the same contacts (each with its workspace) at once, with nothing to keep them apart.

    Returns the last value that each committed, by contact and column. As a column has one writer, that is the value it
    must have in the end, or the conflict log must tell what became of it.
    """
    clock = Clock()

    def work(crossing: Crossing) -> dict[tuple[UUID, str], str]:
        last = {}
        rng = random.Random(f"{seed} {crossing.column}")
        dsn = databases.v1 if crossing.generation == "v1" else databases.v2
        with psycopg.connect(dsn, autocommit=True) as connection:
            for n in range(writes):
                contact = rng.choice(sorted(contacts))
                value = f"{crossing.column} number {n}"
                with connection.transaction():
                    connection.execute("select set_config('app.workspace_id', %s, true)", [str(contacts[contact])])
                    assert connection.execute(crossing.statement, [value, clock(), contact]).rowcount == 1
                last[contact, crossing.column] = value
        return last

    with ThreadPoolExecutor(len(CROSSINGS)) as pool:
        return {key: value for last in pool.map(work, CROSSINGS) for key, value in last.items()}


def differences(migrated: Connection, record: Connection) -> list[str]:
    """How the legacy tables differ from the record, row by row: table, key and columns, the first of them."""
    found = []
    for table, key in TABLES.items():
        query = sql.SQL("select * from {} order by {}").format(
            sql.Identifier("public", table), sql.SQL(", ").join(map(sql.Identifier, key))
        )
        ours, theirs = (_rows(connection, query, key) for connection in (migrated, record))
        found += [f"{table} {k}: missing" for k in theirs.keys() - ours.keys()]
        found += [f"{table} {k}: extra" for k in ours.keys() - theirs.keys()]
        for k in ours.keys() & theirs.keys():
            columns = {c: (ours[k][c], theirs[k][c]) for c in ours[k] if ours[k][c] != theirs[k][c]}
            if columns:
                found.append(f"{table} {k}: {columns}")
    return found


def _rows(connection: Connection, query: sql.Composed, key: tuple[str, ...]) -> dict[Any, dict[str, Any]]:
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return {tuple(str(row[c]) for c in key): row for row in cursor.execute(query)}
