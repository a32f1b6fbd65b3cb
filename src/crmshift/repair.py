"""Hands the keys that drifted to the writers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from crmshift import backfill, db, sync
from crmshift.batch import MOST_FOR_REPAIR, BatchSize
from crmshift.db import Connection
from crmshift.errors import CrmshiftError, LockNotObtained
from crmshift.validation.checks import require_installed

ATTEMPTS = 4
"""Tries of a batch that meets locks, with half the keys each time, before those that stay locked are queued for a drain."""


@dataclass(frozen=True)
class Repair:
    """What a repair did: keys handed to the writers by mapping, keys settled from the queue, keys that failed."""

    handed: dict[str, int]
    drained: int
    failed: int


def run(conn: Connection, workspace: UUID | None = None) -> Repair:
    """Settle the queue, then hand every drifted key to the writer of its mapping: legacy is taken to be right.

    Rows are brought up to date parents first; rows that legacy does not have are taken away children first, archived where
    they hold what legacy cannot.
    """
    require_installed(conn)
    settled = sync.drain(conn)
    failed = settled.failed
    order = [
        row[0]
        for row in db.fetch_all(
            conn, "select name from crmshift.mapping where direction = 'to_target' order by position"
        )
    ]
    handed = dict.fromkeys(order, 0)
    for mapping in order:
        failed += _hand_over(conn, mapping, workspace, ["missing", "differs"], handed)
    for mapping in reversed(order):
        failed += _hand_over(conn, mapping, workspace, ["extra"], handed)
    return Repair(handed, settled.settled, failed)


def _hand_over(conn: Connection, mapping: str, workspace: UUID | None, kinds: list[str], handed: dict[str, int]) -> int:
    keys = [
        row[0]
        for row in db.fetch_all(
            conn,
            """
            select d.key from crmshift.drift(%(mapping)s, %(workspace)s) as d
             where d.kind = any (%(kinds)s)
               and not crmshift.is_outstanding(%(mapping)s, d.key)
            """,
            {"mapping": mapping, "workspace": workspace, "kinds": kinds},
        )
    ]
    size, done, failed = BatchSize(), 0, 0
    target = db.fetch_value(conn, "select batch_seconds from crmshift.backfill_control")
    while done < len(keys):
        size = size.within(MOST_FOR_REPAIR)
        taken = _Repairing(conn, mapping, keys[done : done + size.rows], size)
        started = time.monotonic()
        failed += taken.batch()
        done, size = done + taken.taken, taken.size
        if taken.tries == 1:
            size = size.after(taken.taken, time.monotonic() - started, target)
    handed[mapping] += len(keys)
    return failed


class _Repairing:
    """One batch of drifted keys: what a batch of the backfill is for new ones."""

    def __init__(self, conn: Connection, mapping: str, keys: list[Any], size: BatchSize) -> None:
        self.size = size
        self.taken = 0
        self.tries = 0
        self._conn = conn
        self._mapping = mapping
        self._keys = keys

    def batch(self) -> int:
        """Hand over as many keys as are taken; returns how many had to be queued."""
        try:
            return db.with_lock_retry(self._try, on_wait=self._smaller, attempts=ATTEMPTS)
        except LockNotObtained:
            return self._hand_over("select crmshift.sync_or_queue(%s, %s)")

    def _smaller(self, error: CrmshiftError, pause: float) -> None:
        self.size = self.size.after_trouble()

    def _try(self) -> int:
        self.tries += 1
        return self._hand_over("select crmshift.repair_batch(%s, %s)")

    def _hand_over(self, statement: LiteralString) -> int:
        batch = self._keys[: self.size.rows]
        with db.transaction(self._conn, lock_timeout=backfill.LOCK_TIMEOUT):
            queued: int = db.fetch_value(self._conn, statement, [self._mapping, Jsonb(batch)])
        self.taken = len(batch)
        return queued
