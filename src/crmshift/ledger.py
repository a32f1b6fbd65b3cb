"""The only reader and writer of the ledger, crmshift.step_run; and of what each step made, crmshift.installed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from crmshift import __version__
from crmshift.db import Connection, fetch_all, fetch_value, translated
from crmshift.errors import CrmshiftError
from crmshift.steps import Statement, Step


@dataclass(frozen=True)
class StepState:
    """Where a step stands: applied, running, failed, pending or undo failed."""

    phase: str
    step: str
    state: str
    checksum: str | None
    at: datetime


@dataclass(frozen=True)
class Entry:
    """One row of the ledger."""

    at: datetime
    phase: str
    step: str
    action: str
    event: str
    duration: timedelta | None
    sqlstate: str | None
    message: str | None
    actor: str


def exists(conn: Connection) -> bool:
    """Whether this database has a ledger, i.e. whether anything was ever applied."""
    return fetch_value(conn, "select to_regclass('crmshift.step_run')") is not None


def states(conn: Connection) -> dict[str, StepState]:
    """State of each step that is or was applied, by name; empty where there is no ledger."""
    if not exists(conn):
        return {}
    rows = fetch_all(conn, "select phase, step, state, checksum, at from crmshift.step_state order by at")
    return {row[1]: StepState(*row) for row in rows}


def applied(conn: Connection) -> frozenset[str]:
    """Names of the steps that are applied."""
    return frozenset(name for name, state in states(conn).items() if state.state == "applied")


def changed(conn: Connection, steps: Iterable[Step]) -> list[str]:
    """Names of the steps that are applied, but whose statements are others by now."""
    now = states(conn)
    return [
        s.name for s in steps if s.name in now and now[s.name].state == "applied" and now[s.name].checksum != s.checksum
    ]


def as_applied(conn: Connection, step: Step) -> Step:
    """The step with the undo it had when it was applied: files may have changed since, what is installed has not."""
    undo = fetch_value(
        conn,
        """
        select undo from crmshift.step_run
         where step = %s and action = 'apply' and event in ('started', 'finished') order by id desc limit 1
        """,
        [step.name],
    )
    return replace(step, undo=tuple(Statement(step.name, text) for text in undo or ()))


def record(
    conn: Connection,
    run_id: UUID,
    step: Step,
    *,
    action: str,
    event: str,
    duration: timedelta | None = None,
    error: CrmshiftError | None = None,
) -> None:
    """Append one row, in the transaction that is open. `action` is apply or undo, `event` started, finished or failed."""
    statements: tuple[Statement, ...] = step.undo if action == "undo" else step.statements
    with translated():
        conn.execute(
            """
            insert into crmshift.step_run
                   (run_id, phase, step, action, event, duration,
                    checksum, statements, undo, sqlstate, message, hint, version)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            [
                run_id,
                step.planned.phase,
                step.name,
                action,
                event,
                duration,
                step.checksum,
                [s.sql for s in statements],
                [s.sql for s in step.undo] if action == "apply" else None,
                error.sqlstate if error else None,
                error.message if error else None,
                error.hint if error else None,
                __version__,
            ],
        )


def record_objects(conn: Connection, step: Step) -> None:
    """Record what the open transaction has written to the catalogue: the step's objects, as `validate` will expect them."""
    if _records_objects(conn):
        with translated():
            conn.execute("select crmshift.record_objects(%s)", [step.name])


def forget_objects(conn: Connection, step: Step) -> None:
    """Expect the objects of the step no more: it is taken back."""
    if _records_objects(conn):
        with translated():
            conn.execute("delete from crmshift.installed where step = %s", [step.name])


def _records_objects(conn: Connection) -> bool:
    return fetch_value(conn, "select to_regclass('crmshift.installed')") is not None


def entries(conn: Connection, limit: int) -> list[Entry]:
    """The latest rows, newest last; empty where there is no ledger."""
    if not exists(conn):
        return []
    rows = fetch_all(
        conn,
        """
        select at, phase, step, action, event, duration, sqlstate, message, actor
          from (select * from crmshift.step_run order by id desc limit %s) as latest order by id
        """,
        [limit],
    )
    return [Entry(*row) for row in rows]
