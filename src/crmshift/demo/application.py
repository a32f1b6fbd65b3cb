"""An application in the demo: its clock, the contacts it may write, its connections, and the count of its statements.

Beside its connection to the database each session has one to the record, a copy of legacy made before crmshift came, with
no triggers and no crmshift. After a commit it repeats there what the transaction means to legacy; v1's statements mean
themselves. In the end legacy must equal the record row by row, or the migration has lost or changed something.

Two sessions never write the same contact at once: only so is the order of its writes known, and the record exact. They do
meet in the same few hundred contacts all the time. What happens when writes cross is for the tests of concurrency.
"""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.conninfo import make_conninfo

from crmshift.demo.seed import V1_ROLE, V2_ROLE


@dataclass(frozen=True)
class Contact:
    """A contact and its workspace."""

    id: UUID
    workspace: UUID


class Clock:
    """The applications' clock: no two writes carry the same time, so a later write always looks later."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = datetime.now(UTC)

    def now(self) -> datetime:
        with self._lock:
            self._last = max(datetime.now(UTC), self._last + timedelta(microseconds=1))
            return self._last


class Desk:
    """Hands out contacts, each to one writer at a time."""

    def __init__(self, contacts: Sequence[Contact]) -> None:
        self._changed = threading.Condition()
        self._free = list(contacts)

    @contextmanager
    def some(self, rng: random.Random, most: int = 1) -> Iterator[list[Contact]]:
        """Contacts nobody else writes meanwhile: as many as are free, up to `most`; none after a second without any.

        Those the block removes from the list are gone for good, those it adds are there for all.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._free, timeout=1.0)
            taken = [self._free.pop(rng.randrange(len(self._free))) for _ in range(min(most, len(self._free)))]
        try:
            yield taken
        finally:
            with self._changed:
                self._free.extend(taken)
                self._changed.notify_all()


@dataclass
class Tally:
    """What became of one side's statements during one chapter of the story."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def run(self) -> int:
        return len(self.seconds) + len(self.failures)

    @property
    def longest(self) -> float:
        return max(self.seconds, default=0.0)

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.seconds, n=20)[18] if len(self.seconds) > 1 else self.longest


class Tallies:
    """What was counted, by chapter of the story and side."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str], Tally] = {}
        self.chapter = ""

    def of(self, side: str, chapter: str | None = None) -> Tally:
        """The tally of a side, in this chapter or a named one."""
        return self._tallies.setdefault((self.chapter if chapter is None else chapter, side), Tally())

    def total(self, side: str | None = None) -> Tally:
        """All chapters together, of one side or both."""
        mine = [t for (_, s), t in list(self._tallies.items()) if side in (None, s)]
        return Tally([x for t in mine for x in t.seconds], [x for t in mine for x in t.failures])

    @property
    def chapters(self) -> list[str]:
        return list(dict.fromkeys(chapter for chapter, _ in self._tallies))


class Session:
    """One connection of an application, and beside it one to the record.

    Statements of a transaction go through `run`; what they mean to legacy goes through `means` and is repeated in the
    record once the transaction has committed, never before: a write that fails means nothing.
    """

    def __init__(
        self, side: str, dsn: str, record: str, clock: Clock, tallies: Tallies, fields: Sequence[UUID]
    ) -> None:
        role = V1_ROLE if side == "v1" else V2_ROLE
        self.side = side
        self.clock = clock
        self.fields = fields
        self.conn = psycopg.connect(make_conninfo(dsn, user=role), autocommit=True, application_name=f"crm-{side}")
        self._record = psycopg.connect(record, autocommit=True, application_name="record")
        self._tallies = tallies
        self._meanings: list[tuple[LiteralString, list[Any]]] = []

    @contextmanager
    def transaction(self, workspace: UUID) -> Iterator[None]:
        """One transaction of the application, recorded when it has committed. A failure is tallied, not raised."""
        self._meanings = []
        tally = self._tallies.of(self.side)
        try:
            with self.conn.transaction():
                # v2 must say which workspace it is about: row-level security hides all others.
                self.conn.execute("select set_config('app.workspace_id', %s, true)", [str(workspace)])
                yield
        except psycopg.Error as error:
            tally.failures.append(error.sqlstate or type(error).__name__)
            return
        with self._record.transaction():
            for statement, params in self._meanings:
                self._record.execute(statement, params)

    def run(self, statement: LiteralString, params: list[Any]) -> list[Any]:
        """Execute one statement of the application; the rows it returns."""
        started = time.perf_counter()
        cursor = self.conn.execute(statement, params)
        rows = cursor.fetchall() if cursor.description else [()] * cursor.rowcount
        self._tallies.of(self.side).seconds.append(time.perf_counter() - started)
        return rows

    def means(self, statement: LiteralString, params: list[Any]) -> None:
        """What the transaction means to legacy, once it has committed."""
        self._meanings.append((statement, params))

    def both(self, statement: LiteralString, params: list[Any]) -> list[Any]:
        """A statement of v1: it means itself, if it found its row."""
        rows = self.run(statement, params)
        if rows:
            self.means(statement, params)
        return rows

    def close(self) -> None:
        self.conn.close()
        self._record.close()
