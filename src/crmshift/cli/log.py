"""crmshift log: the ledger."""

from __future__ import annotations

from typing import Annotated

import typer

from crmshift.cli.options import Dsn, Format, OutputFormat, connected
from crmshift.errors import ExitStatus

EXAMPLES = """
[bold]Examples[/bold]\n
crmshift log · the last 50 entries\n
crmshift log --limit 1000 --format json
"""


def log(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many of the latest entries.")] = 50,
    dsn: Dsn = None,
    format: OutputFormat = Format.TEXT,
) -> None:
    """Show what was applied and undone, when, by whom, and how it ended. Reads only."""
    from dataclasses import asdict

    from rich.markup import escape

    from crmshift import ledger
    from crmshift.cli.output import console, print_json, table

    with connected(dsn, "log", read_only=True) as conn:
        entries = ledger.entries(conn, limit)

    if format is Format.JSON:
        print_json("log", ExitStatus.OK, {"entries": [asdict(e) for e in entries]})
        raise typer.Exit
    if not entries:
        console().print("The ledger is empty: nothing was ever applied to this database.")
        raise typer.Exit
    listed = table("when", "phase", "step", "action", "event", ">took", "by")
    colours = {"finished": "green", "failed": "red", "started": "dim"}
    for e in entries:
        took = f"{e.duration.total_seconds():.2f} s" if e.duration else ""
        listed.add_row(
            f"{e.at:%Y-%m-%d %H:%M:%S}", e.phase, e.step, e.action, f"[{colours[e.event]}]{e.event}[/]", took, e.actor
        )
        if e.message:
            listed.add_row("", "", f"[red]{escape(e.message)}[/red]", "", e.sqlstate or "", "", "")
    console().print(listed)
