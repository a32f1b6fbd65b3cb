"""Takes steps back, in reverse order, in one transaction; first says what would be lost."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from psycopg import sql

from crmshift import db, ledger, sync
from crmshift.apply import execute
from crmshift.db import Connection
from crmshift.errors import Refused
from crmshift.progress import Progress
from crmshift.steps import Compiled, Step

FENCE_LOCK_TIMEOUT = "250ms"
"""Longest wait for each table; there are seven, and whoever waits for the first waits for all of them."""


@dataclass(frozen=True)
class Loss:
    """A kind of thing legacy cannot hold, and how many there are."""

    table: str
    column: str | None
    what: str
    count: int


@dataclass(frozen=True)
class Rollback:
    """What a rollback will take back, and what would be lost by it. `reached`: everything up to the target is applied."""

    target: str
    steps: tuple[Step, ...]
    losses: tuple[Loss, ...]
    reached: bool

    @property
    def lost(self) -> int:
        """How many rows and values would be lost; the number to accept."""
        return sum(loss.count for loss in self.losses)

    @property
    def deletes_data(self) -> bool:
        return any(step.undo_deletes_data for step in self.steps)


def preview(conn: Connection, compiled: Compiled, target: str) -> Rollback:
    """What going back to a phase, a step, or `legacy` would undo and lose. Changes nothing.

    Raises `UsageError` where the plan knows no such target.
    """
    states = ledger.states(conn)
    steps = tuple(
        ledger.as_applied(conn, compiled.step(planned.name))
        for planned in compiled.plan.after(target)
        if planned.name in states and _holds(compiled.step(planned.name), states[planned.name].state)
    )
    deletes = any(step.undo_deletes_data for step in steps)
    undone = {planned.name for planned in compiled.plan.after(target)}
    kept = [planned.name for planned in compiled.plan.steps if planned.name not in undone]
    reached = all(name in states and states[name].state == "applied" for name in kept)
    return Rollback(target, steps, _losses(conn) if deletes else (), reached)


def _holds(step: Step, state: str) -> bool:
    """Whether there is something to take back: a failed step of one transaction left nothing, a backfill may have."""
    return state in ("applied", "running") or (state == "failed" and not step.transactional)


def run(conn: Connection, compiled: Compiled, target: str, accepted: int, progress: Progress) -> Rollback:
    """Go back.

    Where tables of the target go, everybody is kept from writing both sides for the moment it takes; what is outstanding
    in the queue is brought to legacy, and the losses are counted once more under the lock.

    Raises `Refused`, with nothing changed, where the losses are not `accepted` in number or a write made on the target
    cannot be brought to legacy; `LockNotObtained` where a table stays locked.
    """
    with db.single_driver(conn):
        plan = preview(conn, compiled, target)
        if not plan.steps:
            return plan
        refuse_unaccepted(plan, accepted)
        if plan.deletes_data:
            sync.drain(conn)
        return db.with_lock_retry(
            lambda: _in_one_transaction(conn, compiled, target, accepted, progress), on_wait=progress.waiting
        )


def refuse_unaccepted(plan: Rollback, accepted: int) -> None:
    """Raises `Refused` where the number accepted is not the number that would be lost."""
    if plan.lost != accepted:
        raise Refused(
            f"Going back to {plan.target} would lose {plan.lost} {'thing' if plan.lost == 1 else 'rows and values'} that legacy cannot hold"
            + (f", not {accepted}." if accepted else "."),
            hint=f"To accept that: --accept-loss {plan.lost}",
        )


def _in_one_transaction(
    conn: Connection, compiled: Compiled, target: str, accepted: int, progress: Progress
) -> Rollback:
    with db.transaction(conn, lock_timeout=FENCE_LOCK_TIMEOUT):
        plan = preview(conn, compiled, target)
        if plan.deletes_data:
            _fence(conn, compiled)
            plan = preview(conn, compiled, target)
            refuse_unaccepted(plan, accepted)
        run_id = uuid4()
        for step in plan.steps:
            started = time.monotonic()
            progress.step_started(step, "undo")
            execute(conn, [s.sql for s in step.undo])
            ledger.forget_objects(conn, step)
            took = time.monotonic() - started
            if ledger.exists(conn):
                ledger.record(conn, run_id, step, action="undo", event="finished", duration=timedelta(seconds=took))
            progress.step_finished(step, "undo", took)
    return plan


def _fence(conn: Connection, compiled: Compiled) -> None:
    """Keep writers off both sides until the end of the transaction, and bring outstanding target writes to legacy."""
    for direction in ("to_legacy", "to_target"):  # legacy first: the order in which writers take them
        for mapping in compiled.in_direction(direction):
            table = sql.Identifier(*mapping.target.split("."))
            if db.fetch_value(conn, "select to_regclass(%s)", [mapping.target]) is not None:
                conn.execute(sql.SQL("lock table {} in access exclusive mode").format(table))
    if db.fetch_value(conn, "select to_regproc('crmshift.drain')") is None:
        return
    conn.execute("select crmshift.drain(2147483647)")
    outstanding = db.fetch_value(conn, "select count(*) from crmshift.sync_queue where side = 'target'")
    if outstanding:
        raise Refused(
            f"Writes made on the lead-centric side have not reached legacy and would be lost: {outstanding}.",
            hint="See why with crmshift sync status, and settle them with crmshift sync drain.",
        )


def _losses(conn: Connection) -> tuple[Loss, ...]:
    if db.fetch_value(conn, "select to_regclass('crmshift.beyond_legacy')") is None:
        return ()
    rows = db.fetch_all(
        conn,
        """
        select table_name, column_name, what, count(*) from crmshift.beyond_legacy group by 1, 2, 3
        union all
        select 'crmshift.archive', null, 'archived row of ' || table_name, count(*) from crmshift.archive group by table_name
        order by 1, 2 nulls first, 3
        """,
    )
    return tuple(Loss(*row) for row in rows)
