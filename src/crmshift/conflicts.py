"""The conflict log: what both sides wrote while they could not agree, and deciding what waits for a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from crmshift import db
from crmshift.db import Connection
from crmshift.errors import UsageError
from crmshift.sync import LOCK_TIMEOUT


@dataclass(frozen=True)
class Conflict:
    """One conflict. `winner` is None while it is open; `columns` is empty where it is about the whole row."""

    id: int
    subject: str
    key: dict[str, Any]
    kind: str
    columns: tuple[str, ...]
    policy: str
    winner: str | None
    at: datetime
    decision: str | None
    decided_by: str | None


@dataclass(frozen=True)
class Shown:
    """A conflict with the values behind it: what stood before and was lost, and what either side says now."""

    conflict: Conflict
    losing: dict[str, list[Any]]
    legacy: dict[str, Any]
    target: dict[str, Any]


def listed(conn: Connection, *, only_open: bool, limit: int) -> tuple[int, tuple[Conflict, ...]]:
    """How many there are, and the latest of them."""
    rows = db.fetch_all(
        conn,
        """
        select count(*) over (), id, subject, key, kind, columns, policy, winner, at, decision, decided_by
          from crmshift.conflict_log
         where winner is null or not %s order by winner is null desc, id desc limit %s
        """,
        [only_open, limit],
    )
    return (rows[0][0] if rows else 0), tuple(_conflict(row[1:]) for row in rows)


def about(conn: Connection, subject: str, key: dict[str, Any], limit: int) -> tuple[Conflict, ...]:
    """Those about one row, open ones first, then the latest."""
    rows = db.fetch_all(
        conn,
        """
        select id, subject, key, kind, columns, policy, winner, at, decision, decided_by
          from crmshift.conflict_log where subject = %s and key = %s order by winner is not null, id desc limit %s
        """,
        [subject, Jsonb(key), limit],
    )
    return tuple(map(_conflict, rows))


def losing(conn: Connection, ids: list[int]) -> dict[int, dict[str, list[Any]]]:
    """The values that do not stand, of those conflicts that have any."""
    return dict(
        db.fetch_all(
            conn, "select id, losing from crmshift.conflict_log where id = any (%s) and losing is not null", [ids]
        )
    )


def show(conn: Connection, conflict_id: int) -> Shown:
    """One conflict with its values. Raises `UsageError` where there is none of that number."""
    row = db.fetch_one(
        conn,
        """
        select id, subject, key, kind, columns, policy, winner, at, decision, decided_by, losing
          from crmshift.conflict_log where id = %s
        """,
        [conflict_id],
    )
    if row is None:
        raise UsageError(f"There is no conflict {conflict_id}.", hint="crmshift conflicts list shows their numbers.")
    conflict = _conflict(row[:-1])
    sides = [
        db.fetch_value(
            conn, "select crmshift.legacy_row(%s, %s, %s)", [conflict.subject, Jsonb(conflict.key), from_view]
        )
        for from_view in (False, True)
    ]
    columns = conflict.columns or tuple(sides[0] or sides[1] or row[-1] or ())
    legacy, target = ({c: side.get(c) for c in columns} if side else {} for side in sides)
    return Shown(conflict, row[-1] or {}, legacy, target)


def resolve(conn: Connection, conflict_id: int, winner: str) -> str:
    """Decide an open conflict for `legacy` or `target`; returns what came of it, for people.

    Raises `UsageError` where no open conflict has that number, and what kept the row from being settled.
    """
    with db.transaction(conn, lock_timeout=LOCK_TIMEOUT):
        result: str = db.fetch_value(conn, "select crmshift.resolve(%s, %s)", [conflict_id, winner])
    return result


def _conflict(row: Any) -> Conflict:
    number, subject, key, kind, columns, policy, winner, at, decision, decided_by = row
    return Conflict(number, subject, key, kind, tuple(columns), policy, winner, at, decision, decided_by)
