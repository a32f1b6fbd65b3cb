"""crmshift rollback: take steps back, after saying what that would lose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from crmshift.rollback import Rollback

EXAMPLES = """
[bold]Examples[/bold]\n
crmshift rollback --to sync-layer · forget the backfill, keep syncing\n
crmshift rollback --to legacy --preview · what would be undone and lost\n
crmshift rollback --to legacy --accept-loss 12 --yes · the state before everything
"""


def rollback(
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="PHASE|STEP",
            help="Where to go back to; legacy is the state before everything.",
            show_default=False,
        ),
    ],
    accept_loss: Annotated[
        int,
        typer.Option(
            "--accept-loss",
            metavar="N",
            min=0,
            help="How many rows and values may be lost: the number the preview shows.",
        ),
    ] = 0,
    preview: Annotated[bool, typer.Option("--preview", help="Only show what would be undone and lost.")] = False,
    yes: Yes = False,
    dsn: Dsn = None,
    name: PlanName = DEFAULT_PLAN,
    project: ProjectFolder = None,
    format: OutputFormat = Format.TEXT,
) -> None:
    """Go back to a phase or step. First lists and counts what legacy cannot hold.

    All of it is one transaction: it happens whole, or not at all. Where tables of the lead-centric side are dropped, stop the
    applications that use them first; those that use legacy may go on, and wait at most for the moment it takes.
    """
    from crmshift import rollback as rolling
    from crmshift.cli.output import console, count, print_json, watcher

    with connected(dsn, "rollback") as conn:
        compiled = compiled_plan(conn, name, project)
        plan = rolling.preview(conn, compiled, to)
        if format is Format.TEXT:
            _print_preview(plan)
        if not preview and plan.steps:
            rolling.refuse_unaccepted(plan, accept_loss)
            confirm(f"Undo {count(len(plan.steps), 'step')} on {conn.info.dbname}?", yes)
            with watcher() as progress:
                plan = rolling.run(conn, compiled, to, accept_loss, progress)

    if format is Format.JSON:
        losses = [
            {"table": loss.table, "column": loss.column, "what": loss.what, "count": loss.count} for loss in plan.losses
        ]
        data = {
            "to": to,
            "preview": preview,
            "undone": [s.name for s in plan.steps],
            "loss": plan.lost,
            "losses": losses,
        }
        print_json("rollback", ExitStatus.OK, data)
    elif not preview and plan.steps:
        console().print(f"[green]Back at {to}[/green]: {count(len(plan.steps), 'step')} undone.")


def _print_preview(plan: Rollback) -> None:
    from crmshift.cli.output import console, count, table

    out = console()
    if not plan.steps:
        stands = "is where this database stands" if plan.reached else "has not been reached yet"
        out.print(f"Nothing to do: {plan.target} {stands}.")
        return
    out.print(
        f"Going back to [bold]{plan.target}[/bold] undoes {count(len(plan.steps), 'step')}, last first: {plan.steps[0].name} … {plan.steps[-1].name}"
    )
    if plan.lost:
        losses = table("table", "column", "what legacy cannot hold", ">count")
        for loss in plan.losses:
            losses.add_row(loss.table, loss.column or "[dim]whole rows[/dim]", loss.what, f"{loss.count:,}")
        losses.add_section()
        losses.add_row("", "", "[bold]would be lost[/bold]", f"[bold]{plan.lost:,}[/bold]")
        out.print(losses)
    elif plan.deletes_data:
        out.print("[green]Nothing would be lost[/green]: legacy holds everything.")
