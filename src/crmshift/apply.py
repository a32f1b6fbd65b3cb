"""Carries out pending steps: each committed together with its row in the ledger."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from crmshift import backfill, db, ledger, preflight, sync
from crmshift.backfill import StopSignal
from crmshift.db import Connection
from crmshift.errors import CrmshiftError
from crmshift.plan import Verb
from crmshift.progress import Progress
from crmshift.steps import Compiled, Step
from crmshift.validation import checks
from crmshift.validation.result import Validation


@dataclass(frozen=True)
class Applied:
    """Outcome of an apply: the steps carried out, and the validation that stopped it, if one did."""

    steps: tuple[Step, ...]
    failed_validation: Validation | None = None


def pending(compiled: Compiled, applied: frozenset[str], phase: str) -> tuple[Step, ...]:
    """Steps up to and with a phase that are not applied, in order. Raises `UsageError` for an unknown phase."""
    return tuple(compiled.step(s.name) for s in compiled.plan.up_to(phase) if s.name not in applied)


def run(conn: Connection, compiled: Compiled, phase: str, progress: Progress, stop: StopSignal) -> Applied:
    """Apply everything pending up to a phase.

    Raises `Refused` before anything is changed where a precondition is not met, `LockNotObtained` where another crmshift is
    at work or a table stays locked, `Stopped` part-way on a signal; what is committed stays, and the same call goes on.
    """
    run_id = uuid4()
    with db.single_driver(conn):
        steps = pending(compiled, ledger.applied(conn), phase)
        if not steps:
            return Applied(())
        preflight.check(conn, compiled, ledger.applied(conn))
        for done, step in enumerate(steps):
            failed = _carry_out(conn, run_id, step, progress, stop)
            if failed is not None:
                return Applied(steps[:done], failed)
    return Applied(tuple(steps))


def _carry_out(conn: Connection, run_id: UUID, step: Step, progress: Progress, stop: StopSignal) -> Validation | None:
    progress.step_started(step, "apply")
    started = time.monotonic()
    try:
        if step.planned.verb is Verb.BACKFILL:
            ledger.record(conn, run_id, step, action="apply", event="started")
            backfill.run(conn, step.planned.subject, step.planned.batch, progress, stop)
        elif step.planned.verb is Verb.VALIDATE:
            if not sync.is_paused(conn):
                sync.drain(conn)  # crossing writes under live traffic may have left keys that only need another try
            result = checks.run(conn)
            if not result.clean:
                return result
        else:
            db.with_lock_retry(lambda: _in_one_transaction(conn, run_id, step), on_wait=progress.waiting)
            progress.step_finished(step, "apply", time.monotonic() - started)
            return None
    except CrmshiftError as error:
        _record_failure(conn, run_id, step, error)
        error.message = f"Step {step.name}: {error.message}"
        raise
    took = time.monotonic() - started
    ledger.record(conn, run_id, step, action="apply", event="finished", duration=timedelta(seconds=took))
    progress.step_finished(step, "apply", took)
    return None


def _in_one_transaction(conn: Connection, run_id: UUID, step: Step) -> None:
    started = time.monotonic()
    with db.transaction(conn, lock_timeout=step.planned.lock_timeout):
        execute(conn, [s.sql for s in step.statements])
        ledger.record_objects(conn, step)
        ledger.record(
            conn, run_id, step, action="apply", event="finished", duration=timedelta(seconds=time.monotonic() - started)
        )


def execute(conn: Connection, statements: Sequence[str]) -> None:
    """Execute statements as they were shown, in the transaction that is open."""
    for statement in statements:
        db.execute_script(conn, statement)


def _record_failure(conn: Connection, run_id: UUID, step: Step, error: CrmshiftError) -> None:
    if not conn.closed and ledger.exists(conn):
        ledger.record(conn, run_id, step, action="apply", event="failed", error=error)
