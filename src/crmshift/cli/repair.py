"""crmshift repair: the repairs that were, and taking one back. One is made by crmshift validate --repair."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from crmshift.cli.options import EXIT_STATUSES, Dsn, Format, OutputFormat, Yes, confirm, connected
from crmshift.errors import ExitStatus

if TYPE_CHECKING:
    from crmshift.db import Connection
    from crmshift.repair import Preview, Repair, Run

EXAMPLES = """
[bold]Examples[/bold]\n
crmshift repair list · what repairs there were\n
crmshift repair undo 17 · every row that repair 17 changed, as it was before\n
crmshift validate --repair · make one: previews, then asks
"""

app = typer.Typer(
    name="repair", help="The repairs that validate --repair made, and taking one back.", no_args_is_help=True
)

SHOWN = 20
"""Rows that were left, as listed; all are counted."""


def carry_out(conn: Connection, workspace: UUID | None, side: str | None, yes: bool) -> Repair | None:
    """Preview a repair and ask, then make it; None where there is nothing to repair. Raises `UsageError` where nobody can be asked."""
    from crmshift import db
    from crmshift import repair as repairing
    from crmshift.cli.output import count

    if not yes:
        planned = repairing.preview(conn, repairing.authority(conn, side), workspace)
        _print_preview(planned)
        if not planned.keys and not planned.queued:
            return None
        confirm(f"Hand {count(planned.keys, 'key')} to the writers on {conn.info.dbname}?", yes)
    with db.single_driver(conn):
        return repairing.run(conn, workspace, side)


def _print_preview(planned: Preview) -> None:
    from crmshift.cli.output import count, error_console, table

    out = error_console()
    if not planned.keys and not planned.queued:
        out.print("Nothing to repair: no row has drifted, and none waits in the queue.")
        return
    if planned.queued:
        out.print(f"{count(planned.queued, 'queued write')} would be settled first.")
    if planned.keys:
        effect = {"missing": "inserted", "differs": "updated", "extra": "[red]deleted[/red]"}
        listed = table(
            "table",
            "mapping",
            "drift",
            "rows would be",
            ">keys",
            title=f"{planned.side.capitalize()} is taken to be right",
        )
        for p in planned.planned:
            listed.add_row(p.table, p.mapping, p.kind, effect[p.kind], f"{p.keys:,}")
        out.print(listed)


def print_repair(done: Repair) -> None:
    """What a repair did."""
    from crmshift.cli.output import console, count, print_next_steps

    handed = ", ".join(f"{n:,} of {mapping}" for mapping, n in done.handed.items() if n) or "none"
    console().print(
        f"Repair {done.run}, from {done.side}: {done.drained:,} settled from the queue, keys handed to the writers: {handed}, "
        f"failed: {done.failed:,}, {count(done.changed, 'row')} changed."
    )
    if done.changed:
        print_next_steps([f"crmshift repair undo {done.run}"])


@app.command("list", epilog=EXAMPLES + EXIT_STATUSES)
def list_(
    dsn: Dsn = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="The latest N.")] = 20,
    format: OutputFormat = Format.TEXT,
) -> None:
    """List repairs, newest first: from which side, how many keys had drifted, how many rows were changed and taken back. Reads only."""
    from crmshift import repair as repairing
    from crmshift.cli.output import console, print_json, table

    with connected(dsn, "repair list", read_only=True) as conn:
        listed = repairing.runs(conn, limit)
    if format is Format.JSON:
        print_json("repair list", ExitStatus.OK, {"repairs": [asdict(r) for r in listed]})
    elif listed:
        rows = table(">no.", "=at", "from", ">keys", ">rows changed", ">taken back", ">left", "by")
        for r in listed:
            rows.add_row(
                str(r.number),
                f"{r.at:%Y-%m-%d %H:%M:%S}" + ("" if r.finished_at else " [yellow]interrupted[/yellow]"),
                r.side,
                f"{r.keys:,}",
                f"{r.changed:,}",
                f"{r.undone:,}" if r.undone_at else "",
                f"{r.left:,}" if r.left else "",
                r.actor,
            )
        console().print(rows)
    else:
        console().print("There were no repairs.")


@app.command(epilog=EXAMPLES + EXIT_STATUSES)
def undo(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="As repair list shows it.")],
    yes: Yes = False,
    dsn: Dsn = None,
    format: OutputFormat = Format.TEXT,
) -> None:
    """Take a repair back: every row that it changed is written as it was before. The other side does not follow.

    Rows that somebody has changed since are left, and told. Exit 1 where any was left.
    """
    from crmshift import db
    from crmshift import repair as repairing
    from crmshift.cli.output import console, count, print_json, table, watcher

    with connected(dsn, "repair undo") as conn:
        run = repairing.find(conn, number)
        to_do = run.changed - run.undone - run.left
        if to_do:
            confirm(f"Write {count(to_do, 'row')} as before repair {number} on {conn.info.dbname}?", yes)
            with db.single_driver(conn), watcher() as progress:
                run = repairing.undo(conn, number, progress.waiting)
        left = repairing.left(conn, number, SHOWN)
    status = _status(run)
    if format is Format.JSON:
        print_json(
            "repair undo", status, {"repair": asdict(run), "left": [asdict(row) for row in left]}, ["crmshift validate"]
        )
    else:
        from rich.markup import escape

        out = console()
        out.print(f"Repair {number}: {count(run.undone, 'row')} as before, {run.left:,} left.")
        if left:
            rows = table("table", "key", "why it is left")
            for row in left:
                key = ", ".join(f"{k}={v}" for k, v in row.key.items())
                rows.add_row(row.table, escape(key), f"{row.why} {row.sqlstate or ''}".rstrip())
            if run.left > len(left):
                rows.add_row("…", f"[dim]and {run.left - len(left):,} more[/dim]", "")
            out.print(rows)
    raise typer.Exit(status)


def _status(run: Run) -> ExitStatus:
    return ExitStatus.NO if run.left else ExitStatus.OK
