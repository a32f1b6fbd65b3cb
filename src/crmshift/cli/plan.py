"""crmshift plan: what would run. Reads only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crmshift.cli.options import (
    DEFAULT_PLAN,
    Dsn,
    Format,
    OutputFormat,
    PlanName,
    ProjectFolder,
    compiled_plan,
    connected,
)
from crmshift.errors import ExitStatus

if TYPE_CHECKING:
    from crmshift.db import Connection
    from crmshift.ledger import StepState
    from crmshift.steps import Compiled, Step

EXAMPLES = """
[bold]Examples[/bold]\n
crmshift plan · every step, what it locks, how to undo it\n
crmshift plan --to sync-layer --sql · the statements, as apply executes them\n
crmshift plan --check · exit 1 where anything is pending
"""


def plan(
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="PHASE", help="Only the steps up to and with this phase.", show_default=False),
    ] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements of the pending steps.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 where steps are pending.")] = False,
    dsn: Dsn = None,
    name: PlanName = DEFAULT_PLAN,
    project: ProjectFolder = None,
    format: OutputFormat = Format.TEXT,
) -> None:
    """Show what would run: steps, statements, locks, rows, and the undo.

    The session is read-only, and nothing needs to be installed: a role that may read the catalogue is enough.
    """
    from crmshift import ledger, preflight
    from crmshift.cli.output import print_json

    with connected(dsn, "plan", read_only=True) as conn:
        compiled = compiled_plan(conn, name, project)
        target = to or compiled.plan.phases[-1].name
        names = [s.name for s in compiled.plan.up_to(target)]
        states = ledger.states(conn)
        preflight.check(conn, compiled, ledger.applied(conn))
        steps = [compiled.step(n) for n in names]
        pending = [s for s in steps if _state(s, states) != "applied"]
        rows = _row_estimates(conn, compiled)

    status = ExitStatus.NO if check and pending else ExitStatus.OK
    next_steps = [f"crmshift apply --to {pending[0].planned.phase}"] if pending else []
    if format is Format.JSON:
        print_json(
            "plan",
            status,
            {"plan": compiled.plan.name, "pending": len(pending), "steps": [_as_json(s, states, rows) for s in steps]},
            next_steps,
        )
    elif sql:
        _print_sql(pending)
    else:
        _print_table(compiled, steps, states, rows, next_steps)
    raise typer.Exit(status)


def _state(step: Step, states: dict[str, StepState]) -> str:
    known = states.get(step.name)
    if known is None:
        return "pending"
    if known.state == "applied" and known.checksum != step.checksum:
        return "changed"
    return known.state


def _row_estimates(conn: Connection, compiled: Compiled) -> dict[str, int]:
    from crmshift.db import fetch_value

    estimates = {}
    for mapping in compiled.in_direction("to_target"):
        source = next(f.source for f in mapping.feeds if f.mode == "sync")
        query = "select greatest(c.reltuples, 0)::bigint from pg_class as c where c.oid = to_regclass(%s)"
        estimates[mapping.name] = fetch_value(conn, query, [source]) or 0
    return estimates


def _as_json(step: Step, states: dict[str, StepState], rows: dict[str, int]) -> dict[str, Any]:
    return {
        "name": step.name,
        "phase": step.planned.phase,
        "verb": step.planned.verb.value,
        "state": _state(step, states),
        "transactional": step.transactional,
        "lock_timeout": step.planned.lock_timeout,
        "locks": [{"table": lock.table, "mode": lock.mode} for lock in step.locks],
        "hazards": list(step.hazards),
        "estimated_rows": rows.get(step.planned.subject) if step.planned.verb.value == "backfill" else None,
        "checksum": step.checksum,
        "statements": [s.sql for s in step.statements],
        "undo": [s.sql for s in step.undo],
        "undo_deletes_data": step.undo_deletes_data,
    }


def _print_sql(pending: list[Step]) -> None:
    for step in pending:
        print(f"-- step {step.name}, phase {step.planned.phase}, lock_timeout {step.planned.lock_timeout}")
        for statement in step.statements:
            print(f"{statement.sql.rstrip().rstrip(';')};\n")


def _print_table(
    compiled: Compiled, steps: list[Step], states: dict[str, StepState], rows: dict[str, int], next_steps: list[str]
) -> None:
    from crmshift.cli.output import console, count, print_next_steps, table

    out = console()
    marks = {
        "applied": "[green]✓[/green]",
        "pending": "·",
        "changed": "[yellow]≠[/yellow]",
        "running": "[yellow]…[/yellow]",
        "failed": "[red]✗[/red]",
    }
    for phase in compiled.plan.phases:
        mine = [s for s in steps if s.planned.phase == phase.name]
        if not mine:
            continue
        done = sum(_state(s, states) == "applied" for s in mine)
        out.print(f"[bold]{phase.name}[/bold]  [dim]{done} of {len(mine)} applied[/dim]\n  {phase.why}")
        if phase.incomplete:
            out.print(f"  [yellow]{phase.incomplete}[/yellow]")
        listed = table("", "step", "does", "locks", "undo")
        for step in mine:
            state = _state(step, states)
            locks = "\n".join(f"{lock.table}: {lock.mode} (blocks {lock.blocks})" for lock in step.locks)
            listed.add_row(
                marks.get(state, state),
                step.name,
                _does(step, rows, count),
                locks or "[dim]none in use[/dim]",
                _undo(step, count),
            )
        out.print(listed)
    out.print(
        "[dim]Each step commits with its row in the ledger. A lock is waited for at most 2 s (the step's lock_timeout), then tried again. --sql prints the statements.[/dim]"
    )
    print_next_steps(next_steps)


def _does(step: Step, rows: dict[str, int], count: Callable[[int, str], str]) -> str:
    verb = step.planned.verb.value
    if verb == "run":
        return f"sql/{step.name}.sql"
    if verb == "backfill":
        return f"about {count(rows[step.planned.subject], 'row')}, {step.planned.batch:,} a batch"
    if verb == "validate":
        return "every check; stops here where one fails"
    return count(len(step.statements), "derived statement")


def _undo(step: Step, count: Callable[[int, str], str]) -> str:
    if not step.undo:
        return "[dim]nothing to undo[/dim]"
    if step.undo_deletes_data:
        return "drops the table"
    if step.planned.verb.value == "run":
        return f"sql/rollback/{step.name}.sql"
    return f"[dim]{count(len(step.undo), 'statement')}[/dim]"
