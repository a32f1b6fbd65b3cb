"""crmshift status: where the migration stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from crmshift.cli.options import DEFAULT_PLAN, Dsn, Format, OutputFormat, PlanName, ProjectFolder, connected
from crmshift.errors import ExitStatus

if TYPE_CHECKING:
    from crmshift.validation.runs import Stored

EXAMPLES = """
[bold]Examples[/bold]\n
crmshift status\n
crmshift status --format json
"""


def status(
    dsn: Dsn = None, name: PlanName = DEFAULT_PLAN, project: ProjectFolder = None, format: OutputFormat = Format.TEXT
) -> None:
    """Show the phase, the backfills, the sync queue, the last validation, and what to type next. Reads only."""
    from rich.markup import escape

    from crmshift import overview
    from crmshift.cli.output import console, held_by, print_json, print_next_steps, table, walk_name
    from crmshift.plan import load
    from crmshift.project import Project

    opened = Project.open(project)
    plan = load(opened.plan(name))
    with connected(dsn, "status", read_only=True) as conn:
        seen = overview.read(conn, plan)

    if format is Format.JSON:
        print_json("status", ExitStatus.OK, overview.as_json(seen), seen.next_steps)
        raise typer.Exit
    out = console()
    phases = table("", "phase", ">steps", "")
    for phase in seen.phases:
        mark = "[green]✓[/green]" if phase.applied == phase.steps else "[yellow]…[/yellow]" if phase.applied else "·"
        remark = (
            f"[yellow]{phase.trouble}[/yellow]"
            if phase.trouble
            else "[bold]you are here[/bold]"
            if phase.name == seen.phase
            else ""
        )
        phases.add_row(mark, phase.name, f"{phase.applied} of {phase.steps}", remark)
    out.print(phases)
    if seen.backfills:
        backfills = table("backfill from", ">rows", ">of", ">written", ">queued", "")
        for b in seen.backfills:
            backfills.add_row(
                walk_name(b),
                f"{b.rows_done:,}",
                f"{b.rows_total:,}",
                f"{b.written:,}",
                f"{b.queued:,}",
                "[green]complete[/green]" if b.finished else "[yellow]to be continued[/yellow]",
            )
        out.print(backfills)
    for hold in seen.holds:
        out.print(f"Backfill:   [yellow]held[/yellow]: {escape(held_by(hold))}")
    if seen.installed:
        queued = ", ".join(f"{n:,} {reason}" for reason, n in seen.queue.items())
        if seen.paused:
            out.print(f"Sync:       [yellow]paused[/yellow] for {', '.join(seen.paused)}")
        out.print(f"Sync queue: {f'[yellow]{queued}[/yellow]' if queued else '[green]empty[/green]'}")
        if seen.open_conflicts:
            out.print(
                f"Conflicts:  [yellow]{seen.open_conflicts:,} to be decided[/yellow], see crmshift conflicts list"
            )
        if seen.validated is None:
            out.print("Validation: [yellow]never[/yellow] of everything")
        else:
            out.print(f"Validation: {_validation(seen.validated)}")
        if seen.validated_last is not None and not seen.validated_last.complete:
            out.print(f"            the last, of a part: {_validation(seen.validated_last)}")
    if seen.driver:
        out.print(f"At work:    {seen.driver}")
    print_next_steps(seen.next_steps)


def _validation(stored: Stored) -> str:
    from crmshift.reports import words

    verdict = (
        "[green]clean[/green]" if stored.clean else f"[red]not clean[/red], {words.of_percent(stored.accuracy)} agree"
    )
    return f"{verdict}, {stored.at:%Y-%m-%d %H:%M:%S %Z} ({stored.stale})"
