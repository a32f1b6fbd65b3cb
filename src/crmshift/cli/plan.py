"""crmshift plan: what would run. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, LiteralString

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
    from rich.console import Console
    from rich.table import Table

    from crmshift.db import Connection
    from crmshift.ledger import StepState
    from crmshift.steps import Compiled, Lock, Step

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
    every_step: Annotated[
        bool, typer.Option("--every-step", help="List also the steps that lock nothing in use.")
    ] = False,
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
        pending = [s for s in steps if _state(s, states) not in ("applied", "changed")]
        rows = _row_estimates(conn, compiled)

    status = ExitStatus.NO if check and pending else ExitStatus.OK
    next_steps = [f"crmshift apply --to {to or pending[0].planned.phase}"] if pending else []
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
        _print_table(compiled, steps, states, rows, every_step, next_steps)
    raise typer.Exit(status)


def _state(step: Step, states: dict[str, StepState]) -> str:
    known = states.get(step.name)
    if known is None:
        return "pending"
    if known.state == "applied" and known.checksum != step.checksum:
        return "changed"
    return known.state


def _row_estimates(conn: Connection, compiled: Compiled) -> dict[str, int | None]:
    """Rows each backfill will walk, as of the last analyze; None where there was none."""
    from crmshift.db import fetch_value
    from crmshift.plan import Verb

    query: LiteralString = "select nullif(c.reltuples, -1)::bigint from pg_class as c where c.oid = to_regclass(%s)"
    sources = [s.planned.subject for s in compiled.steps if s.planned.verb is Verb.BACKFILL]
    return {source: fetch_value(conn, query, [source]) for source in sources}


def _as_json(step: Step, states: dict[str, StepState], rows: dict[str, int | None]) -> dict[str, Any]:
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
    compiled: Compiled,
    steps: list[Step],
    states: dict[str, StepState],
    rows: dict[str, int | None],
    every_step: bool,
    next_steps: list[str],
) -> None:
    from crmshift.cli.output import console, print_next_steps

    out = console()
    for phase in compiled.plan.phases:
        mine = [s for s in steps if s.planned.phase == phase.name]
        if not mine:
            continue
        done = sum(_state(s, states) == "applied" for s in mine)
        out.print(f"[bold]{phase.name}[/bold]  [dim]{done} of {len(mine)} applied[/dim]")
        out.print(f"  {phase.why}")
        if phase.incomplete:
            out.print(f"  [yellow]{phase.incomplete}[/yellow]")
        harmless = [] if every_step else [s for s in mine if s.transactional and not s.locks]
        if harmless:
            _print_harmless(out, harmless, states)
        listed = [s for s in mine if s not in harmless]
        if listed:
            out.print(_listed(listed, states, rows))
    changed = [s.name for s in steps if _state(s, states) == "changed"]
    if changed:
        out.print(
            f"[yellow]≠ changed since it was applied:[/yellow] {', '.join(changed)}. "
            "What is installed is the former version; to take up the new one, roll back to the step before and apply again."
        )
    out.print(
        "[dim]SHARE ROW EXCLUSIVE makes writers wait, ACCESS EXCLUSIVE readers too: for the step, and at most its "
        "lock_timeout (2 s) before it gives way and tries again. A step commits together with its row in the ledger. "
        "--sql prints the statements, --every-step lists all steps.[/dim]"
    )
    print_next_steps(next_steps)


def _print_harmless(out: Console, steps: list[Step], states: dict[str, StepState]) -> None:
    """Steps that only create what nobody uses yet, in a few lines."""
    from rich.padding import Padding

    from crmshift.cli.output import count

    marks = {state: sum(_state(s, states) == state for s in steps) for state in ("pending", "changed")}
    mark = "·" if marks["pending"] else "[yellow]≠[/yellow]" if marks["changed"] else "[green]✓[/green]"
    out.print(f"\n {mark}   {count(len(steps), 'step')} that lock nothing in use:")
    for verb in dict.fromkeys(s.planned.verb for s in steps):
        names = ", ".join(s.planned.subject for s in steps if s.planned.verb is verb)
        out.print(Padding(f"[dim]{verb.value}[/dim] {names}", (0, 0, 0, 5)))
    dropped = [s.planned.subject.rpartition("/")[2] for s in steps if s.undo_deletes_data]
    undo = "undone by the files of the same names under sql/rollback/, or by dropping what was derived"
    if dropped:
        undo += f"; that drops {', '.join(dropped)}, after counting what legacy cannot hold"
    out.print(Padding(f"[dim]{undo}[/dim]", (0, 0, 0, 5)))


def _listed(steps: list[Step], states: dict[str, StepState], rows: dict[str, int | None]) -> Table:
    from crmshift.cli.output import table

    marks = {
        "applied": "[green]✓[/green]",
        "pending": "·",
        "changed": "[yellow]≠[/yellow]",
        "running": "[yellow]…[/yellow]",
        "failed": "[red]✗[/red]",
    }
    listed = table("", "=step", "does", "locks", "undo")
    for step in steps:
        state = _state(step, states)
        listed.add_row(marks.get(state, state), step.name, _does(step, rows), _lock_lines(step.locks), _undo(step))
    return listed


def _lock_lines(locks: tuple[Lock, ...]) -> str:
    lines = [f"{lock.mode} on {lock.table.removeprefix('public.')}" for lock in locks]
    return "\n".join(lines) or "[dim]none[/dim]"


def _does(step: Step, rows: dict[str, int | None]) -> str:
    from crmshift.cli.output import count
    from crmshift.plan import Verb

    if step.planned.verb is Verb.BACKFILL:
        known = rows[step.planned.subject]
        about = "rows not counted yet (analyze)" if known is None else f"about {count(known, 'row')}"
        return f"{about}, {step.planned.batch:,} a batch at most" if step.planned.batch else f"{about}, in batches"
    if step.planned.verb is Verb.VALIDATE:
        return "every check"
    if step.planned.verb is Verb.ATTACH:
        return "triggers"
    return "runs the file" if step.planned.verb is Verb.RUN else "functions"


def _undo(step: Step) -> str:
    from crmshift.plan import Verb

    if not step.undo:
        return "[dim]nothing[/dim]"
    if step.undo_deletes_data:
        return "drop table"
    if step.planned.verb is Verb.BACKFILL:
        return "its checkpoint"
    if step.planned.verb is Verb.RUN:
        return "\n".join(["sql/rollback/, same name", *([_lock_lines(step.undo_locks)] if step.undo_locks else [])])
    modes = ", ".join(dict.fromkeys(lock.mode for lock in step.undo_locks))
    return f"drop{f' ({modes})' if modes else ''}"
