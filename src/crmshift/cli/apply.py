"""crmshift apply: carry out the pending steps up to a phase."""

from __future__ import annotations

from typing import Annotated

import typer

from crmshift.cli.options import (
    DEFAULT_PLAN,
    Dsn,
    Format,
    OutputFormat,
    PlanName,
    ProjectFolder,
    Yes,
    compiled_plan,
    confirm,
    connected,
)
from crmshift.errors import ExitStatus

EXAMPLES = """
[bold]Examples[/bold]\n
crmshift apply --to sync-layer · the tables and the triggers, no history yet\n
crmshift apply --to parallel-operation --yes · in a pipeline
"""


def apply(
    to: Annotated[str, typer.Option("--to", metavar="PHASE", help="The phase to reach.", show_default=False)],
    yes: Yes = False,
    dsn: Dsn = None,
    name: PlanName = DEFAULT_PLAN,
    project: ProjectFolder = None,
    format: OutputFormat = Format.TEXT,
) -> None:
    """Carry out every pending step up to a phase. Can be killed at any moment; the same command goes on.

    Each step waits for a lock at most its lock_timeout (2 s), gives way, and tries again.
    """
    from crmshift import apply as applying
    from crmshift import ledger
    from crmshift.backfill import StopSignal
    from crmshift.cli.output import console, count, print_json, print_next_steps, watcher
    from crmshift.cli.validation_output import next_steps_after, print_validation
    from crmshift.repair import last_word
    from crmshift.reports.document import as_json

    with connected(dsn, "apply") as conn:
        compiled = compiled_plan(conn, name, project)
        pending = applying.pending(compiled, ledger.applied(conn), to)
        if pending:
            confirm(f"Carry out {count(len(pending), 'step')} on {conn.info.dbname}?", yes)
        with watcher() as progress, StopSignal().listening(progress.note) as stop:
            done = applying.run(conn, compiled, to, progress, stop)
        changed = ledger.changed(conn, compiled.steps)
        failed = done.failed_validation
        side = last_word(conn) if failed else None

    status = ExitStatus.NO if failed else ExitStatus.OK
    next_steps = (
        [*next_steps_after(failed, False, None, side), f"crmshift apply --to {to}"] if failed else ["crmshift status"]
    )
    if format is Format.JSON:
        data = {"phase": to, "applied": [s.name for s in done.steps], "validation": as_json(failed) if failed else None}
        print_json("apply", status, data, next_steps)
    else:
        out = console()
        if failed:
            print_validation(out, failed)
            out.print(f"[red]Stopped before {to} was reached:[/red] the validation above is not clean.")
        elif done.steps:
            out.print(f"[green]Reached {to}[/green]: {count(len(done.steps), 'step')} carried out.")
        else:
            out.print(f"Nothing to do: {to} is reached.")
            if changed:
                out.print(f"[yellow]≠ changed since it was applied:[/yellow] {', '.join(changed)}. See crmshift plan.")
        print_next_steps(next_steps)
    raise typer.Exit(status)
