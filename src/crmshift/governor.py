"""The controls and signals of a backfill: rows in the database, read and changed here and by any psql."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from crmshift import db
from crmshift.db import Connection
from crmshift.errors import UsageError
from crmshift.progress import Hold

CONTROLS = "crmshift.backfill_control"

READ_TIMEOUT = "1s"
"""Longest time that all signals together may take to be read."""


@dataclass(frozen=True)
class Control:
    """crmshift.backfill_control."""

    workers: int
    batch_seconds: float
    batch_rows: int
    rest: float
    throttle_query: str | None
    paused: bool
    paused_at: datetime | None
    why: str | None
    changed_by: str
    changed_at: datetime


@dataclass(frozen=True)
class Signal:
    """A signal, what was last read of it, and since when it holds the backfill. failures: readings missed in a row."""

    signal: str
    measures: str
    unit: str
    pauses_at: float
    resumes_at: float
    at_most: timedelta | None
    enabled: bool
    reading: float | None
    read_at: datetime | None
    failures: int
    sqlstate: str | None
    trouble: str | None
    held_since: datetime | None
    passed_over: bool


def control(conn: Connection) -> Control:
    """The controls as they are now."""
    row = db.fetch_one(
        conn,
        """
        select workers, batch_seconds, batch_rows, rest, throttle_query, paused, paused_at, why, changed_by, changed_at
          from crmshift.backfill_control
        """,
    )
    if row is None:
        raise UsageError(
            "crmshift.backfill_control has no row.", hint="insert into crmshift.backfill_control default values"
        )
    return Control(*row)


def forget_readings(conn: Connection) -> None:
    """What an earlier run last read holds nobody now."""
    with db.translated():
        conn.execute("delete from crmshift.backfill_reading")


def check(conn: Connection) -> tuple[Hold, ...]:
    """Read all signals; what holds the backfill by them, or by the operator's word."""
    with db.transaction(conn, lock_timeout=READ_TIMEOUT):
        conn.execute(
            "select set_config('statement_timeout', %s, true), set_config('synchronous_commit', 'off', true)",
            [READ_TIMEOUT],
        )
        return tuple(Hold(*row) for row in db.fetch_all(conn, "select * from crmshift.backfill_check()"))


def is_in_the_way(conn: Connection) -> bool:
    """Whether somebody waits for a batch, right now; the one signal that is looked at between checks, and not noted."""
    return bool(
        db.fetch_value(
            conn,
            """
            select crmshift.signal_blocked_sessions() >= pauses_at
              from crmshift.backfill_signal where signal = 'blocked_sessions' and enabled
            """,
        )
    )


def holds(conn: Connection) -> tuple[Hold, ...]:
    """What holds the backfill by what was last read; where nobody is at work that is an operator's word alone."""
    if not db.is_installed(conn, CONTROLS):
        return ()
    held = tuple(Hold(*row) for row in db.fetch_all(conn, "select * from crmshift.backfill_hold"))
    return held if db.driver(conn) else tuple(h for h in held if h.signal == "paused")


def signals(conn: Connection) -> tuple[Signal, ...]:
    """All signals, in order."""
    rows = db.fetch_all(
        conn,
        """
        select s.signal, s.measures, s.unit, s.pauses_at, s.resumes_at, s.at_most, s.enabled,
               r.reading, r.read_at, coalesce(r.failures, 0), r.sqlstate, r.trouble, r.held_since, coalesce(r.passed_over, false)
          from crmshift.backfill_signal as s left join crmshift.backfill_reading as r using (signal) order by s.position, s.signal
        """,
    )
    return tuple(Signal(*row) for row in rows)


def pause(conn: Connection, why: str | None) -> None:
    """No further batch begins."""
    with db.translated():
        conn.execute("select crmshift.backfill_pause(%s)", [why])


def resume(conn: Connection) -> None:
    """Batches begin again."""
    with db.translated():
        conn.execute("select crmshift.backfill_resume()")


def set_control(conn: Connection, values: Mapping[str, object]) -> None:
    """Change columns of the controls. Raises `UsageError` for a value that is out of bounds."""
    _update(conn, "backfill_control", values, sql.SQL("true"), [])


def set_signal(conn: Connection, signal: str, values: Mapping[str, object]) -> None:
    """Change columns of a signal. Raises `UsageError` for one that does not exist, and for a value that is out of bounds."""
    if not _update(conn, "backfill_signal", values, sql.SQL("signal = %s"), [signal]):
        known = ", ".join(s.signal for s in signals(conn))
        raise UsageError(f"There is no signal {signal!r}.", hint=f"Signals: {known}.")


def _update(conn: Connection, table: str, values: Mapping[str, object], where: sql.SQL, params: list[Any]) -> int:
    assignments = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(column)) for column in values)
    statement = sql.SQL("update {} set {} where {}").format(sql.Identifier("crmshift", table), assignments, where)
    try:
        return conn.execute(statement, [*values.values(), *params]).rowcount
    except psycopg.errors.CheckViolation as error:
        rule = (error.diag.constraint_name or "").replace("_", " ")
        raise UsageError(f"Not changed: {rule}.", hint=f"See \\d+ crmshift.{table}.") from error
    except psycopg.Error as error:
        raise db.translate(error) from error
