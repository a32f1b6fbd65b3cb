"""Runs the checks, collects what they find, and hands drifted keys to the writers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

from psycopg.types.json import Jsonb

from crmshift import db, sync
from crmshift.db import Connection
from crmshift.errors import Refused, UsageError

SAMPLE = 20
"""Findings of a check that are listed; all are counted."""

REPAIR_BATCH = 500


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
    failed = 0
    for start in range(0, len(keys), REPAIR_BATCH):
        batch = keys[start : start + REPAIR_BATCH]
        with db.transaction(conn, lock_timeout=sync.LOCK_TIMEOUT):
            failed += db.fetch_value(conn, "select crmshift.sync_or_queue(%s, %s)", [mapping, Jsonb(batch)])
        handed[mapping] += len(batch)
    return failed


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
