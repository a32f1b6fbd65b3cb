"""Where the migration stands, read from the ledger and the control tables in one go."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from crmshift import backfill, db, governor, ledger
from crmshift.db import Connection
from crmshift.plan import BEFORE_EVERYTHING, Plan
from crmshift.progress import BackfillState, Hold
from crmshift.validation import runs
from crmshift.validation.runs import Stored


@dataclass(frozen=True)
class PhaseState:
    """How many steps of a phase are applied, and what is wrong with one of the others."""

    name: str
    steps: int
    applied: int
    trouble: str | None


@dataclass(frozen=True)
class Overview:
    """phase: the last one that is reached, or `legacy`. queue: outstanding rows by reason. paused: entities whose sync is.

    holds: what keeps the backfill from going on. validated: the last validation of everything; validated_last: the last of
    any scope. driver: who is at work.
    """

    phase: str
    phases: tuple[PhaseState, ...]
    installed: bool
    backfills: tuple[BackfillState, ...]
    holds: tuple[Hold, ...]
    queue: dict[str, int]
    paused: tuple[str, ...]
    open_conflicts: int
    validated: Stored | None
    validated_last: Stored | None
    driver: str | None
    next_steps: tuple[str, ...]


def read(conn: Connection, plan: Plan) -> Overview:
    """Read it all; nothing needs to be installed."""
    states = ledger.states(conn)
    phases = []
    for phase in plan.phases:
        mine = [states[s.name] for s in phase.steps if s.name in states]
        bad = [s for s in mine if s.state in ("failed", "running", "undo failed")]
        trouble = (
            f"{bad[0].step}: {'interrupted or running' if bad[0].state == 'running' else bad[0].state}" if bad else None
        )
        phases.append(PhaseState(phase.name, len(phase.steps), sum(s.state == "applied" for s in mine), trouble))
    reached = BEFORE_EVERYTHING
    for p in phases:
        if p.applied < p.steps:
            break
        reached = p.name
    installed = db.fetch_value(conn, "select to_regclass('crmshift.sync_queue')") is not None
    queue: dict[str, int] = {}
    paused: tuple[str, ...] = ()
    open_conflicts = 0
    if installed:
        queue = dict(db.fetch_all(conn, "select reason, count(*) from crmshift.sync_queue group by 1 order by 1"))
        paused = tuple(
            row[0]
            for row in db.fetch_all(conn, "select entity from crmshift.sync_control where paused order by entity")
        )
        open_conflicts = db.fetch_value(conn, "select count(*) from crmshift.conflict_log where winner is null")
    return Overview(
        phase=reached,
        phases=tuple(phases),
        installed=installed,
        backfills=(backfills := tuple(backfill.states(conn))),
        holds=governor.holds(conn) if any(not b.finished for b in backfills) else (),
        queue=queue,
        paused=paused,
        open_conflicts=open_conflicts,
        validated=(validated := runs.last(conn, complete=True)),
        validated_last=runs.last(conn),
        driver=db.driver(conn),
        next_steps=_next_steps(phases, reached, queue, bool(paused), validated),
    )


def _next_steps(
    phases: list[PhaseState], reached: str, queue: dict[str, int], paused: bool, validated: Stored | None
) -> tuple[str, ...]:
    if paused:
        return ("crmshift sync status", "crmshift sync resume")
    if queue:
        return ("crmshift sync status", "crmshift sync drain")
    following = next((p.name for p in phases if p.applied < p.steps), None)
    if reached == BEFORE_EVERYTHING:
        return ("crmshift plan", f"crmshift apply --to {following}")
    if validated is not None and not validated.clean:
        return ("crmshift validate",)
    return (f"crmshift apply --to {following}",) if following else ()


def as_json(seen: Overview) -> dict[str, Any]:
    """For a JSON document."""
    return {
        "phase": seen.phase,
        "phases": [{"name": p.name, "steps": p.steps, "applied": p.applied, "trouble": p.trouble} for p in seen.phases],
        "backfills": [
            {
                "source": b.source,
                "workspace": b.workspace,
                "rows_total": b.rows_total,
                "rows_done": b.rows_done,
                "written": b.written,
                "queued": b.queued,
                "finished": b.finished,
            }
            for b in seen.backfills
        ],
        "backfill_held_by": [asdict(h) for h in seen.holds],
        "queue": seen.queue,
        "paused": list(seen.paused),
        "open_conflicts": seen.open_conflicts,
        "validation": _validation_as_json(seen.validated),
        "last_validation": _validation_as_json(seen.validated_last),
        "driver": seen.driver,
    }


def _validation_as_json(stored: Stored | None) -> dict[str, Any] | None:
    if stored is None:
        return None
    return {
        "number": stored.number,
        "at": stored.at,
        "clean": stored.clean,
        "complete": stored.complete,
        "accuracy": stored.accuracy,
        "age_seconds": round(stored.age.total_seconds()),
        "writes_since": stored.writes_since,
        "same_plan": stored.same_plan,
    }
