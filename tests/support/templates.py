"""Databases with crmshift installed, to be cloned by tests, and what installs it: the library, not a subprocess.

legacy → synced    the legacy schema, empty, with everything of the phase sync-layer
legacy → seeded    the legacy schema with the few rows of seed.sql
seeded → parallel  those rows on both sides: everything up to the phase parallel-operation
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psycopg

from crmshift import apply, db, rollback
from crmshift.backfill import StopSignal
from crmshift.plan import Plan, load
from crmshift.progress import Progress
from crmshift.project import Project
from crmshift.steps import Compiled, Step, compile_plan
from tests.support.databases import register_template

PLAN = "lead_centric"

WORKSPACE, OTHER_WORKSPACE = (f"00000000-0000-0000-0000-0000000000a{n}" for n in (1, 2))
FIELD, OTHER_FIELD, FIELD_OF_OTHER_WORKSPACE = (f"00000000-0000-0000-0000-0000000000f{n}" for n in (1, 2, 3))
ADA, BEN, CLEO, DORA, EMIL = (f"00000000-0000-0000-0000-0000000000c{n}" for n in (1, 2, 3, 4, 5))
NOBODY = "00000000-0000-0000-0000-0000000000cf"
"""The ids in seed.sql; `NOBODY` is free."""


def load_plan(project: Path | None = None, name: str = PLAN) -> tuple[Plan, Project]:
    """A plan, and the project it is found in."""
    opened = Project.open(project)
    return load(opened.plan(name)), opened


def compiled(dsn: str, project: Path | None = None, name: str = PLAN) -> Compiled:
    """The plan with all its steps made out."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        return compile_plan(*load_plan(project, name), connection)


def only_up_to(plan: Compiled, step: str) -> Compiled:
    """The plan as if it ended with this step."""
    phases = []
    for phase in plan.plan.phases:
        names = [s.name for s in phase.steps]
        if step in names:
            phases.append(replace(phase, steps=phase.steps[: names.index(step) + 1]))
            break
        phases.append(phase)
    return replace(plan, plan=replace(plan.plan, phases=tuple(phases)))


def apply_to(dsn: str, phase: str, project: Path | None = None, name: str = PLAN) -> None:
    """Carry out everything up to a phase; every validation on the way must pass."""
    apply_compiled(dsn, compiled(dsn, project, name), phase)


def apply_compiled(dsn: str, plan: Compiled, phase: str) -> tuple[Step, ...]:
    """Carry out everything of a plan up to a phase; every validation on the way must pass."""
    connection = db.connect(dsn, "tests")
    try:
        done = apply.run(connection, plan, phase, Progress(), StopSignal())
    finally:
        connection.close()
    failed = done.failed_validation
    assert failed is None, [(c.name, c.findings) for c in failed.checks if not c.passed]
    return done.steps


def roll_back_to(dsn: str, target: str, accepted: int = 0, plan: Compiled | None = None) -> None:
    """Go back to a phase, a step, or `legacy`."""
    connection = db.connect(dsn, "tests")
    try:
        rollback.run(connection, plan or compiled(dsn), target, accepted, Progress())
    finally:
        connection.close()


def _seed(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(Path(__file__).with_name("seed.sql").read_text())


register_template("synced", base="legacy", build=lambda dsn: apply_to(dsn, "sync-layer"))
register_template("seeded", base="legacy", build=_seed)
register_template("unmoved", base="seeded", build=lambda dsn: apply_to(dsn, "sync-layer"))
register_template("parallel", base="seeded", build=lambda dsn: apply_to(dsn, "parallel-operation"))
