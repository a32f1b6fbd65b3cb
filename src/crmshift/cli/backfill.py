"""crmshift backfill: move history, by itself, and steer it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

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
from crmshift.errors import ExitStatus, Refused, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from crmshift.governor import Control, Signal

EXAMPLES = """
[bold]Examples[/bold]\n
crmshift backfill run · every legacy table, from where it stands\n
crmshift backfill run --workers 4 --workspace Acme\n
crmshift backfill status --format json\n
crmshift backfill pause --why "month's end" · from any terminal, while it runs\n
crmshift backfill resume\n
crmshift backfill set --workers 2 --batch-seconds 0.1\n
crmshift backfill set --signal replica_lag --pauses-at 30 --resumes-at 5
"""

app = typer.Typer(name="backfill", help="Move history in committed batches; resumable.", no_args_is_help=True)


class RunFormat(StrEnum):
    """How a run tells how it goes on standard output."""

    TEXT = "text"
    JSON = "json"
    NDJSON = "ndjson"


Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        max=64,
        help="Batches at a time, each in a session of its own. Holds until it is set anew.",
        show_default=False,
    ),
]
BatchRows = Annotated[
    int | None,
    typer.Option(
        "--batch",
        metavar="ROWS",
        min=1,
        max=1_000_000,
        help="Most rows in a batch, however quick it is. Holds until it is set anew.",
        show_default=False,
    ),
]


@app.command(epilog=EXAMPLES + EXIT_STATUSES)
def run(
    workers: Workers = None,
    batch: BatchRows = None,
    workspace: Annotated[
        str | None,
        typer.Option("--workspace", metavar="NAME|UUID", help="Only rows of this workspace.", show_default=False),
    ] = None,
    dsn: Dsn = None,
    name: PlanName = DEFAULT_PLAN,
    project: ProjectFolder = None,
    format: Annotated[
        RunFormat, typer.Option("--format", help="text for people, json for machines, ndjson: an object a second.")
    ] = RunFormat.TEXT,
) -> None:
    """Backfill from every legacy table to its bound. Can be killed at any moment: each batch commits with its checkpoint.

    A batch has as many rows as take half a second, for an application may have to wait for one. The first ^C finishes the
    batches in hand, a second one stops now; the same command goes on.
    """
    from crmshift import backfill, db, governor
    from crmshift.backfill import StopSignal
    from crmshift.cli.output import NdjsonProgress, console, print_json, print_ndjson, watcher
    from crmshift.plan import Verb, load
    from crmshift.project import Project

    plan = load(Project.open(project).plan(name))
    with connected(dsn, "backfill run") as conn:
        db.require_installed(conn, governor.CONTROLS)
        missing = [
            m for m in plan.to_target if db.fetch_value(conn, "select to_regproc(%s)", [f"crmshift.fill_{m}"]) is None
        ]
        if missing:
            raise Refused(f"The writer of {missing[0]} is not installed.", hint="Run: crmshift apply --to sync-layer")
        only = backfill.find_workspace(conn, workspace) if workspace is not None else None
        planned = {step.subject: step.batch for step in plan.steps if step.verb is Verb.BACKFILL}
        watching = NdjsonProgress() if format is RunFormat.NDJSON else watcher()
        with db.single_driver(conn), watching as progress, StopSignal().listening(progress.note) as stop:
            given = {"workers": workers, "batch_rows": batch}
            if changes := {column: value for column, value in given.items() if value is not None}:
                governor.set_control(conn, changes)
            for source in backfill.sources(conn):
                if source in planned:
                    backfill.run(conn, source, planned[source], progress, stop, only)
        states = [s for s in backfill.states(conn) if only is None or s.workspace == only]
    if format is RunFormat.NDJSON:
        print_ndjson("finished", exit_code=int(ExitStatus.OK), backfills=[vars_of(s) for s in states])
    elif format is RunFormat.JSON:
        print_json("backfill run", ExitStatus.OK, {"backfills": [vars_of(s) for s in states]})
    else:
        console().print(
            f"[green]Complete[/green]: {sum(s.rows_done for s in states):,} rows walked, {sum(s.written for s in states):,} written, {sum(s.queued for s in states):,} queued."
        )


@app.command(epilog=EXAMPLES + EXIT_STATUSES)
def status(dsn: Dsn = None, format: OutputFormat = Format.TEXT) -> None:
    """Show how far each backfill has come, its controls, and what its signals last read. Reads only."""
    from rich.markup import escape

    from crmshift import backfill, db, governor
    from crmshift.cli.output import console, held_by, print_json, table, walk_name

    with connected(dsn, "backfill status", read_only=True) as conn:
        states = backfill.states(conn)
        installed = db.is_installed(conn, governor.CONTROLS)
        control = governor.control(conn) if installed else None
        signals = governor.signals(conn) if installed else ()
        holds = governor.holds(conn)
        driver = db.driver(conn)
    if format is Format.JSON:
        print_json(
            "backfill status",
            ExitStatus.OK,
            {
                "backfills": [vars_of(s) for s in states],
                "control": vars_of(control) if control else None,
                "held_by": [vars_of(h) for h in holds],
                "signals": [vars_of(s) for s in signals],
                "driver": driver,
            },
        )
        raise typer.Exit
    out = console()
    wide = out.width >= 110
    listed = table("from", ">rows", ">of", ">written", ">queued", *([">batches", ">ranges"] if wide else []), "")
    for s in states:
        listed.add_row(
            walk_name(s),
            f"{s.rows_done:,}",
            f"{s.rows_total:,}",
            f"{s.written:,}",
            f"{s.queued:,}",
            *([f"{s.batches:,}", f"{s.ranges_finished} of {s.ranges}"] if wide else []),
            "[green]complete[/green]" if s.finished else "[yellow]to be continued[/yellow]",
        )
    out.print(listed if states else "No backfill has begun.")
    if control:
        _print_control(out, control)
        for hold in holds:
            out.print(f"[yellow]Held[/yellow]: {escape(held_by(hold))}", soft_wrap=True)
        _print_signals(out, signals)
    if driver:
        out.print(f"At work: {escape(driver)}")


@app.command(epilog=EXAMPLES + EXIT_STATUSES)
def pause(
    why: Annotated[
        str | None, typer.Option("--why", metavar="TEXT", help="Shown to whoever looks.", show_default=False)
    ] = None,
    dsn: Dsn = None,
    format: OutputFormat = Format.TEXT,
) -> None:
    """Let no further batch begin, of a run that is under way or of a later one. Batches in hand end within half a second or so."""
    from crmshift import db, governor

    with connected(dsn, "backfill pause") as conn:
        db.require_installed(conn, governor.CONTROLS)
        governor.pause(conn, why)
        control = governor.control(conn)
    _done("pause", control, "The backfill is paused.", ["crmshift backfill resume"], format)


@app.command(epilog=EXAMPLES + EXIT_STATUSES)
def resume(dsn: Dsn = None, format: OutputFormat = Format.TEXT) -> None:
    """Let batches begin again. A run that waits goes on by itself."""
    from crmshift import db, governor

    with connected(dsn, "backfill resume") as conn:
        db.require_installed(conn, governor.CONTROLS)
        governor.resume(conn)
        control, driver = governor.control(conn), db.driver(conn)
    _done("resume", control, "The backfill may go on.", [] if driver else ["crmshift backfill run"], format)


@app.command("set", epilog=EXAMPLES + EXIT_STATUSES)
def set_(
    workers: Workers = None,
    batch: BatchRows = None,
    batch_seconds: Annotated[
        float | None,
        typer.Option(
            "--batch-seconds",
            metavar="SECONDS",
            help="How long a batch should take, up to 0.5: the longest an application waits for one.",
            show_default=False,
        ),
    ] = None,
    rest: Annotated[
        float | None,
        typer.Option(
            "--rest",
            metavar="N",
            help="Seconds that a worker rests for each second of a batch, up to 20. 0: none.",
            show_default=False,
        ),
    ] = None,
    throttle_query: Annotated[
        str | None,
        typer.Option(
            "--throttle-query",
            metavar="SQL",
            help="A query for the signal throttle_query: true, or a number, holds the backfill. Empty: none.",
            show_default=False,
        ),
    ] = None,
    signal: Annotated[
        str | None,
        typer.Option(
            "--signal", metavar="NAME", help="The signal that the options below are about.", show_default=False
        ),
    ] = None,
    pauses_at: Annotated[
        float | None,
        typer.Option("--pauses-at", metavar="N", help="It holds the backfill from here on.", show_default=False),
    ] = None,
    resumes_at: Annotated[
        float | None,
        typer.Option("--resumes-at", metavar="N", help="It lets it go on here, below that.", show_default=False),
    ] = None,
    enabled: Annotated[
        bool | None, typer.Option("--on/--off", help="Whether the signal counts.", show_default=False)
    ] = None,
    dsn: Dsn = None,
    format: OutputFormat = Format.TEXT,
) -> None:
    """Change how a backfill runs, at once where one is running: it reads these rows before every batch."""
    from crmshift import db, governor

    controls: dict[str, object] = {
        "workers": workers,
        "batch_rows": batch,
        "batch_seconds": batch_seconds,
        "rest": rest,
        "throttle_query": throttle_query,
    }
    controls = {column: value for column, value in controls.items() if value is not None}
    if throttle_query is not None:
        controls["throttle_query"] = throttle_query.strip() or None
    bounds = {"pauses_at": pauses_at, "resumes_at": resumes_at, "enabled": enabled}
    bounds = {column: value for column, value in bounds.items() if value is not None}
    if bounds and signal is None:
        raise UsageError("Of which signal?", hint="Add --signal NAME; crmshift backfill status lists them.")
    if signal is not None and not bounds:
        raise UsageError(f"What of the signal {signal}?", hint="Add --pauses-at, --resumes-at, --on or --off.")
    if not controls and not bounds:
        raise UsageError("Nothing to set.", hint="See crmshift backfill set --help.")
    with connected(dsn, "backfill set") as conn:
        db.require_installed(conn, governor.CONTROLS)
        with db.transaction(conn):
            if controls:
                governor.set_control(conn, controls)
            if signal is not None:
                governor.set_signal(conn, signal, bounds)
        control, signals = governor.control(conn), governor.signals(conn)
    _done("set", control, "", [], format, signals)


def _done(
    command: str,
    control: Control,
    said: str,
    next_steps: list[str],
    format: Format,
    signals: tuple[Signal, ...] = (),
) -> None:
    from crmshift.cli.output import console, print_json, print_next_steps

    if format is Format.JSON:
        data: dict[str, Any] = {"control": vars_of(control)}
        if signals:
            data["signals"] = [vars_of(s) for s in signals]
        print_json(f"backfill {command}", ExitStatus.OK, data, next_steps)
        return
    out = console()
    if said:
        out.print(said)
    if signals:
        _print_control(out, control)
        _print_signals(out, signals)
    print_next_steps(next_steps)


def _print_control(out: Console, control: Control) -> None:
    from crmshift.cli.output import count

    resting = f", then rest for {control.rest:g} times as long" if control.rest else ""
    out.print(
        f"{count(control.workers, 'worker')}, batches of {control.batch_seconds:g} s and up to {count(control.batch_rows, 'row')}{resting}."
    )


def _print_signals(out: Console, signals: tuple[Signal, ...]) -> None:
    from crmshift.cli.output import reading, table

    wide = out.width >= 110
    listed = table("=signal", ">reads", ">pauses at", ">goes on at", "", *(["what it measures"] if wide else []))
    for s in signals:
        state = (
            "[dim]off[/dim]"
            if not s.enabled
            else f"[yellow]not read, {s.sqlstate}[/yellow]"
            if s.failures
            else "[dim]waited for long enough[/dim]"
            if s.passed_over
            else "[yellow]holds[/yellow]"
            if s.held_since
            else ""
        )
        listed.add_row(
            s.signal,
            reading(s.reading, s.unit),
            reading(s.pauses_at, s.unit),
            reading(s.resumes_at, s.unit),
            state,
            *([s.measures] if wide else []),
        )
    out.print(listed)


def vars_of(state: object) -> dict[str, object]:
    """Fields of a state, for a JSON document."""
    from dataclasses import asdict

    return asdict(state)  # type: ignore[call-overload,no-any-return]
