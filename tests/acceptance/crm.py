"""A CRM's contacts, and an application at work on them with a record beside it; see `traffic`."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter, deque
from collections.abc import Iterator
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


def assignments(values: dict[str, Any], names: dict[str, str] | None = None) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("{} = %s").format(sql.Identifier(names[column] if names else column)) for column in values
    )


CONTACT_COLUMNS: LiteralString = """
    id, workspace_id, firstname, lastname, email, phone_number, st_address, city, state, zip,
    lead_source, lead_status, appointment_status, created_at, updated_at
"""


def record_appointment(s: Session, *values: Any) -> None:
    s.record.execute(
        """
        insert into appointments (id, contact_id, scheduled_at, apptdate, status, reminder_sent)
        values (%s, %s, %s, %s, %s, %s)
        """,
        list(values),
    )
