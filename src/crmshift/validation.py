"""Runs the checks, collects what they find, and hands drifted keys to the writers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from crmshift import backfill, db, sync
from crmshift.batch import MOST_FOR_REPAIR, BatchSize
from crmshift.db import Connection
from crmshift.errors import CrmshiftError, LockNotObtained, Refused, UsageError

SAMPLE = 20
"""Findings of a check that are listed; all are counted."""

REPAIR_ATTEMPTS = 4
"""Tries of a batch that meets locks, with half the keys each time, before those that stay locked are queued for a drain."""


@dataclass(frozen=True)
class Finding:
    """One thing a check found: the table or mapping, the key, and which columns differ or what is wrong. No values."""

    subject: str
    key: dict[str, object] | None
    detail: str


@dataclass(frozen=True)
class Check:
    """A check and its outcome. `findings` holds the first ones, `count` how many there are."""

    name: str
    title: str
    count: int
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        return self.count == 0


@dataclass(frozen=True)
class Validation:
    """All checks of one run."""

    workspace: UUID | None
    checks: tuple[Check, ...]
    seconds: float

    @property
    def clean(self) -> bool:
        """True where every check passed, and there was one."""
        return bool(self.checks) and all(c.passed for c in self.checks)


@dataclass(frozen=True)
class Repair:
    """What a repair did: keys handed to the writers by mapping, keys settled from the queue, keys that failed."""

    handed: dict[str, int]
    drained: int
    failed: int


def run(conn: Connection, workspace: UUID | None = None) -> Validation:
    """Run every check and store the outcome.

    Raises `Refused` where nothing is installed, `UsageError` for a workspace that does not exist.
    """
    _require_installed(conn)
    if workspace is not None and not db.fetch_value(
        conn, "select exists (select from public.workspaces where id = %s)", [workspace]
    ):
        raise UsageError(f"There is no workspace {workspace}.", hint="select id, name from workspaces lists them.")
    started = time.monotonic()
    names = db.fetch_all(conn, "select name, title from crmshift.check_list order by rank, name")
    checks = tuple(_check(conn, name, title, workspace) for name, title in names)
    result = Validation(workspace, checks, time.monotonic() - started)
    _store(conn, result)
    return result


def repair(conn: Connection, workspace: UUID | None = None) -> Repair:
    """Settle the queue, then hand every drifted key to the writer of its mapping: legacy is taken to be right.

    Rows are brought up to date parents first; rows that legacy does not have are taken away children first, archived where
    they hold what legacy cannot.
    """
    _require_installed(conn)
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
            return db.with_lock_retry(self._try, on_wait=self._smaller, attempts=REPAIR_ATTEMPTS)
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


def _check(conn: Connection, name: str, title: str, workspace: UUID | None) -> Check:
    started = time.monotonic()
    rows = db.fetch_all(
        conn,
        "select count(*) over (), subject, key, detail from crmshift.run_check(%s, %s) limit %s",
        [name, workspace, SAMPLE],
    )
    findings = tuple(Finding(row[1], row[2], row[3]) for row in rows)
    return Check(name, title, rows[0][0] if rows else 0, findings, time.monotonic() - started)


def _store(conn: Connection, result: Validation) -> None:
    with db.translated():
        conn.execute(
            """
            insert into crmshift.validation_run (workspace_id, clean, findings, duration)
            values (%s, %s, %s, make_interval(secs => %s))
            """,
            [result.workspace, result.clean, Jsonb({c.name: c.count for c in result.checks}), result.seconds],
        )


def _require_installed(conn: Connection) -> None:
    if db.fetch_value(conn, "select to_regclass('crmshift.check_list')") is None:
        raise Refused(
            "There is nothing to validate: crmshift is not installed in this database.",
            hint="Run: crmshift apply --to sync-layer",
        )
