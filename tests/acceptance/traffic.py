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

import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql

from tests.acceptance.crm import (
    TABLES,
    Clock,
    Connection,
    People,
    Session,
)
from tests.acceptance.v1 import V1
from tests.acceptance.v2 import V2


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
