"""crmshift backfill: move history, by itself."""

from __future__ import annotations

from typing import Annotated

import typer

from crmshift.cli.options import (
    DEFAULT_PLAN,
    EXIT_STATUSES,
    Dsn,
    Format,
    OutputFormat,
    PlanName,
    ProjectFolder,
    connected,
)
from crmshift.errors import ExitStatus, Refused

EXAMPLES = """
[bold]Examples[/bold]\n
crmshift backfill run · every legacy table, from where it stands\n
crmshift backfill run --batch 5000\n
crmshift backfill status --format json
"""

app = typer.Typer(name="backfill", help="Move history in committed batches; resumable.", no_args_is_help=True)


@app.command(epilog=EXAMPLES + EXIT_STATUSES)
def run(
    batch: Annotated[
        int,
        typer.Option(
            "--batch",
            metavar="ROWS",
            min=1,
            max=1_000_000,
            help="Rows in a batch. An application waits for one of them at most as long as its batch takes.",
        ),
    ] = 1000,
    dsn: Dsn = None,
    name: PlanName = DEFAULT_PLAN,
    project: ProjectFolder = None,
    format: OutputFormat = Format.TEXT,
) -> None:
    """Backfill from every legacy table to its bound. Can be killed at any moment: each batch commits with its checkpoint."""
    from crmshift import backfill, db
    from crmshift.backfill import StopSignal
    from crmshift.cli.output import console, print_json, watcher
    from crmshift.plan import Verb, load
    from crmshift.project import Project

    plan = load(Project.open(project).plan(name))
    with connected(dsn, "backfill run") as conn:
        if db.fetch_value(conn, "select to_regprocedure('crmshift.backfill_batch(text, integer)')") is None:
            raise Refused("crmshift is not installed in this database.", hint="Run: crmshift apply --to sync-layer")
        missing = [
            m for m in plan.to_target if db.fetch_value(conn, "select to_regproc(%s)", [f"crmshift.fill_{m}"]) is None
        ]
        if missing:
            raise Refused(f"The writer of {missing[0]} is not installed.", hint="Run: crmshift apply --to sync-layer")
        with db.single_driver(conn), watcher() as progress, StopSignal().listening(progress.note) as stop:
            for step in plan.steps:
                if step.verb is Verb.BACKFILL:
                    backfill.run(conn, step.subject, batch, progress, stop)
        states = backfill.states(conn)
    if format is Format.JSON:
        print_json("backfill run", ExitStatus.OK, {"backfills": [vars_of(s) for s in states]})
    else:
        console().print(
            f"[green]Complete[/green]: {sum(s.rows_done for s in states):,} rows walked, {sum(s.written for s in states):,} written, {sum(s.queued for s in states):,} queued."
        )


@app.command(epilog=EXAMPLES + EXIT_STATUSES)
def status(dsn: Dsn = None, format: OutputFormat = Format.TEXT) -> None:
    """Show how far each backfill has come. Reads only."""
    from crmshift import backfill
    from crmshift.cli.output import console, print_json, table

    with connected(dsn, "backfill status", read_only=True) as conn:
        states = backfill.states(conn)
    if format is Format.JSON:
        print_json("backfill status", ExitStatus.OK, {"backfills": [vars_of(s) for s in states]})
        raise typer.Exit
    listed = table("from", ">rows", ">of", ">written", ">queued", ">batches", "")
    for s in states:
        listed.add_row(
            s.source,
            f"{s.rows_done:,}",
            f"{s.rows_total:,}",
            f"{s.written:,}",
            f"{s.queued:,}",
            f"{s.batches:,}",
            "[green]complete[/green]" if s.finished else "[yellow]to be continued[/yellow]",
        )
    console().print(listed if states else "No backfill has begun.")


def vars_of(state: object) -> dict[str, object]:
    """Fields of a state, for a JSON document."""
    from dataclasses import asdict

    return asdict(state)  # type: ignore[call-overload,no-any-return]
