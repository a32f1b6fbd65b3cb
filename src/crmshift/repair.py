"""Hands the keys that drifted to the writers, and takes a repair back.

Which keys there are, and what became of the rows, is kept in the database: a page of numbers passes through here at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from crmshift import backfill, db, sync
from crmshift.batch import MOST_FOR_REPAIR, BatchSize
from crmshift.db import Connection
from crmshift.errors import CrmshiftError, LockNotObtained, Refused, UsageError

ATTEMPTS = 4
"""Tries of a batch that meets locks, with half the keys each time, before those that stay locked are queued for a drain."""


@dataclass(frozen=True)
class Planned:
    """Keys of a mapping that drifted, by kind: missing, extra, differs."""

    mapping: str
    table: str
    kind: str
    keys: int


@dataclass(frozen=True)
class Preview:
    """What a repair would do, this side taken to be right: queued writes it would try to settle first, and keys it would hand to the writers."""

    side: str
    queued: int
    planned: tuple[Planned, ...]

    @property
    def keys(self) -> int:
        return sum(p.keys for p in self.planned)


@dataclass(frozen=True)
class Repair:
    """What a repair did: keys handed to the writers by mapping, keys settled from the queue, keys that failed, rows changed.

    run: its number, by which it can be taken back.
    """

    run: int
    side: str
    handed: dict[str, int]
    drained: int
    failed: int
    changed: int


@dataclass(frozen=True)
class Run:
    """A repair that was: keys that had drifted, rows it changed, rows that were taken back, rows that were left when it was."""

    number: int
    at: datetime
    side: str
    workspace: UUID | None
    actor: str
    keys: int
    changed: int
    undone: int
    left: int
    finished_at: datetime | None
    undone_at: datetime | None


@dataclass(frozen=True)
class Left:
    """A row that could not be taken back, and why."""

    table: str
    key: dict[str, Any]
    why: str
    sqlstate: str | None


def authority(conn: Connection, chosen: str | None = None) -> str:
    """The side to be taken to be right: the one chosen, else the one that has the last word now.

    Raises `Refused` where nothing is installed, rows are hidden from the role, or no side has it: while applications move over.
    """
    db.require_all_rows(conn)
    side = chosen or last_word(conn)
    if side is None:
        raise Refused(
            "Applications are moving over: neither side is known to be right.",
            hint="Say which: --from legacy or --from target.",
        )
    return side


def last_word(conn: Connection) -> str | None:
    """The side that has the last word now; None while applications move over, when a repair has to be told."""
    side: str | None = db.fetch_value(conn, "select crmshift.authority()")
    return side


def commands(side: str | None, workspace: UUID | None = None) -> tuple[str, ...]:
    """What to type to repair: one command; where no side has the last word one for each, to choose from."""
    command = f"crmshift validate --repair{f' --workspace {workspace}' if workspace else ''}"
    return (command,) if side else tuple(f"{command} --from {each}" for each in ("legacy", "target"))


def preview(conn: Connection, side: str, workspace: UUID | None = None) -> Preview:
    """Count what `run` would do. Reads only."""
    rows = db.fetch_all(
        conn,
        """
        select d.mapping, m.target, d.kind, count(*)
          from crmshift.repair_drift(%s, %s) as d join crmshift.mapping as m on m.name = d.mapping
         group by d.mapping, m.target, d.kind, d.position order by d.position, d.kind
        """,
        [side, workspace],
    )
    queued = db.fetch_value(conn, "select count(*) from crmshift.sync_queue")
    return Preview(side, queued, tuple(Planned(*row) for row in rows))


def run(conn: Connection, workspace: UUID | None = None, side: str | None = None) -> Repair:
    """Settle the queue, then hand every drifted key to the writer of its mapping; by authority one side is taken to be right.

    Rows are brought up to date parents first; rows that this side does not have are taken away children first, archived where
    they hold what legacy cannot. Interrupted, it is begun anew: what is done has drifted no more.
    """
    right = authority(conn, side)
    settled = sync.drain(conn)
    failed = settled.failed
    with db.transaction(conn):
        number: int = db.fetch_value(conn, "select crmshift.repair_start(%s, %s)", [right, workspace])
    order = [
        row[0]
        for row in db.fetch_all(
            conn,
            "select name from crmshift.mapping where direction = %s order by position",
            ["to_target" if right == "legacy" else "to_legacy"],
        )
    ]
    handed = dict.fromkeys(order, 0)
    for mapping, kinds in [(m, ["missing", "differs"]) for m in order] + [(m, ["extra"]) for m in reversed(order)]:
        for taken, queued in _hand_over(conn, number, mapping, kinds):
            handed[mapping] += taken
            failed += queued
    changed = db.fetch_value(
        conn,
        """
        update crmshift.repair_run set finished_at = clock_timestamp() where id = %(run)s
        returning (select count(*) from crmshift.repair_log where run = %(run)s)
        """,
        {"run": number},
    )
    return Repair(number, right, handed, settled.settled, failed, changed)


def _hand_over(conn: Connection, number: int, mapping: str, kinds: list[str]) -> Iterator[tuple[int, int]]:
    """Batch after batch, as the backfill's: how many keys each took, and how many of them had to be queued."""
    size = BatchSize()
    target = db.fetch_value(conn, "select batch_seconds from crmshift.backfill_control")
    while True:
        batch = _Batch(conn, number, mapping, kinds, size.within(MOST_FOR_REPAIR))
        started = time.monotonic()
        taken, queued = batch.hand_over()
        if taken == 0:
            return
        yield taken, queued
        size = batch.size
        if batch.tries == 1:
            size = size.after(taken, time.monotonic() - started, target)


class _Batch:
    """One batch of drifted keys: what a batch of the backfill is for new ones."""

    def __init__(self, conn: Connection, number: int, mapping: str, kinds: list[str], size: BatchSize) -> None:
        self.size = size
        self.tries = 0
        self._conn = conn
        self._number = number
        self._mapping = mapping
        self._kinds = kinds

    def hand_over(self) -> tuple[int, int]:
        try:
            return db.with_lock_retry(self._try, on_wait=self._smaller, attempts=ATTEMPTS)
        except LockNotObtained:
            return self._call(one_by_one=True)

    def _smaller(self, error: CrmshiftError, pause: float) -> None:
        self.size = self.size.after_trouble()

    def _try(self) -> tuple[int, int]:
        self.tries += 1
        return self._call(one_by_one=False)

    def _call(self, *, one_by_one: bool) -> tuple[int, int]:
        with db.transaction(self._conn, lock_timeout=backfill.LOCK_TIMEOUT):
            row = db.fetch_one(
                self._conn,
                "select taken, queued from crmshift.repair_batch(%s, %s, %s, %s, %s)",
                [self._number, self._mapping, self._kinds, self.size.rows, one_by_one],
            )
        assert row is not None
        return row[0], row[1]


def runs(conn: Connection, limit: int, number: int | None = None) -> tuple[Run, ...]:
    """The latest repairs, newest first, or that of a number. Raises `Refused` where nothing is installed."""
    db.require_installed(conn, "crmshift.repair_run")
    rows = db.fetch_all(
        conn,
        """
        select r.id, r.at, r.side, r.workspace_id, r.actor,
               (select coalesce(sum(n.value::bigint), 0)::bigint from jsonb_each(r.planned) as m, jsonb_each_text(m.value) as n),
               count(g.id), count(g.id) filter (where g.outcome = 'undone'), count(g.id) filter (where g.outcome <> 'undone'),
               r.finished_at, r.undone_at
          from (select * from crmshift.repair_run where id = %(number)s or %(number)s::bigint is null order by id desc limit %(limit)s) as r
          left join crmshift.repair_log as g on g.run = r.id
         group by r.id, r.at, r.side, r.workspace_id, r.actor, r.planned, r.finished_at, r.undone_at order by r.id desc
        """,
        {"number": number, "limit": limit},
    )
    return tuple(Run(*row) for row in rows)


def find(conn: Connection, number: int) -> Run:
    """The repair of this number. Raises `UsageError` where there is none."""
    found = runs(conn, 1, number)
    if not found:
        raise UsageError(f"There is no repair {number}.", hint="crmshift repair list shows their numbers.")
    return found[0]


def undo(conn: Connection, number: int, on_wait: Callable[[CrmshiftError, float], None] | None = None) -> Run:
    """Write every row that a repair changed as it was, batch by batch, the latest first; the other side does not follow.

    Rows that somebody has changed since are left, see `left`. Interrupted, it goes on where it was.
    """
    find(conn, number)

    def batch() -> bool:
        with db.transaction(conn, lock_timeout=backfill.LOCK_TIMEOUT):
            return db.fetch_value(conn, "select undone from crmshift.undo_repair_batch(%s)", [number]) is not None

    while db.with_lock_retry(batch, on_wait=on_wait):
        pass
    return find(conn, number)


def left(conn: Connection, number: int, limit: int) -> tuple[Left, ...]:
    """Rows that could not be taken back, the first of them."""
    rows = db.fetch_all(
        conn,
        """
        select table_name, key, outcome, sqlstate from crmshift.repair_log
         where run = %s and outcome <> 'undone' order by id limit %s
        """,
        [number, limit],
    )
    return tuple(Left(*row) for row in rows)
