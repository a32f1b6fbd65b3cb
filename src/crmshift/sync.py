"""Steers the sync by its control rows, and empties its queue."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from crmshift import db
from crmshift.db import Connection

LOCK_TIMEOUT = "200ms"
"""Longest wait of a drain or repair for a lock: as for a batch of the backfill, below deadlock_timeout."""


@dataclass(frozen=True)
class Control:
    """How the sync of an entity works; the last three are None where nobody ever changed it."""

    entity: str
    paused: bool
    mode: str
    on_error: str
    why: str | None
    changed_by: str | None
    changed_at: datetime | None


@dataclass(frozen=True)
class Outstanding:
    """Queued writes of one kind, and what is to be done about them. `retry_at` is the earliest time of another try."""

    subject: str
    side: str
    reason: str
    sqlstate: str | None
    constraint: str | None
    table: str | None
    column: str | None
    rows: int
    oldest: datetime
    attempts: int
    transient: bool
    retry_at: datetime | None


@dataclass(frozen=True)
class Drained:
    """What a drain did: rows settled, rows that still cannot be, conflicts that were found."""

    settled: int
    failed: int
    conflicts: int


def controls(conn: Connection) -> tuple[Control, ...]:
    """How the sync of each entity works."""
    rows = db.fetch_all(
        conn,
        """
        select m.entity, coalesce(c.paused, false), coalesce(c.mode, 'immediate'), coalesce(c.on_error, 'queue'),
               c.why, c.changed_by, c.changed_at
          from (select entity, min(position) as position from crmshift.mapping group by entity) as m
          left join crmshift.sync_control as c using (entity)
         order by m.position, m.entity
        """,
    )
    return tuple(Control(*row) for row in rows)


def is_paused(conn: Connection) -> bool:
    """Whether the sync of any entity is paused."""
    return bool(db.fetch_value(conn, "select exists (select from crmshift.sync_control where paused)"))


def outstanding(conn: Connection) -> tuple[Outstanding, ...]:
    """The queue by subject, side and cause; the greatest group first."""
    rows = db.fetch_all(
        conn,
        """
        select subject, side, reason, sqlstate, constraint_name, table_name, column_name, count(*), min(at), max(attempts),
               coalesce(crmshift.is_transient(sqlstate), false), min(retry_at)
          from crmshift.sync_queue
         group by subject, side, reason, sqlstate, constraint_name, table_name, column_name
         order by count(*) desc, subject, side
        """,
    )
    return tuple(Outstanding(*row) for row in rows)


def pause(conn: Connection, why: str | None, entity: str | None, patience: float) -> str | None:
    """Queue writes from now on instead of syncing them.

    Waits up to `patience` seconds for the transactions under way, and returns what is left of them, for people; or None.
    """
    warnings: list[str] = []

    def note(diagnostic: object) -> None:
        warnings.append(str(getattr(diagnostic, "message_primary", "")))

    conn.add_notice_handler(note)
    try:
        with db.translated():
            conn.execute("call crmshift.pause(%s, %s, make_interval(secs => %s))", [why, entity, patience])
    finally:
        conn.remove_notice_handler(note)
    return warnings[-1] if warnings else None


def resume(conn: Connection, entity: str | None) -> None:
    """Sync writes again. Raises `UsageError` for an entity that does not exist."""
    with db.translated():
        conn.execute("select crmshift.resume(%s)", [entity])


def set_mode(conn: Connection, entity: str, mode: str) -> None:
    """`immediate` or `queued`. Raises `UsageError` for an entity that does not exist."""
    with db.translated():
        conn.execute("select crmshift.set_mode(%s, %s)", [entity, mode])


def set_on_error(conn: Connection, entity: str, on_error: str) -> None:
    """`queue` or `raise`. Raises `UsageError` for an entity that does not exist."""
    with db.translated():
        conn.execute("select crmshift.set_on_error(%s, %s)", [entity, on_error])


def drain(conn: Connection, rounds: int = 5) -> Drained:
    """Try everything that is queued. A row may have to wait for its parent's, so it goes round while that helps."""
    settled = conflicts = failed = 0
    for _ in range(rounds):
        before = settled
        while True:
            done = _drain_once(conn, only_due=False)
            settled, failed, conflicts = settled + done.settled, done.failed, conflicts + done.conflicts
            if done.settled == 0 or (failed == 0 and _is_empty(conn)):
                break
        if failed == 0 or settled == before:
            break
    return Drained(settled, failed, conflicts)


def follow(conn: Connection, stop: Callable[[], bool], on_round: Callable[[Drained], None], every: float) -> None:
    """Settle what is due, again and again, until `stop`; `every` seconds between two looks at an idle queue."""
    while not stop():
        done = _drain_once(conn, only_due=True)
        if done.settled or done.failed:
            on_round(done)
        if not done.settled:
            until = time.monotonic() + every
            while not stop() and time.monotonic() < until:
                time.sleep(min(0.1, every))


def _drain_once(conn: Connection, *, only_due: bool) -> Drained:
    with db.transaction(conn, lock_timeout=LOCK_TIMEOUT):
        row = db.fetch_one(conn, "select settled, failed, conflicts from crmshift.drain(only_due => %s)", [only_due])
    assert row is not None
    return Drained(*row)


def _is_empty(conn: Connection) -> bool:
    return not db.fetch_value(conn, "select exists (select from crmshift.sync_queue where reason <> 'manual')")
