"""Options that several commands share, and the session they open with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crmshift.errors import Refused, UsageError

if TYPE_CHECKING:
    from crmshift.db import Connection
    from crmshift.steps import Compiled


class Format(StrEnum):
    """How the answer is printed on standard output."""

    TEXT = "text"
    JSON = "json"


class Side(StrEnum):
    """The side whose values stand."""

    LEGACY = "legacy"
    TARGET = "target"


Dsn = Annotated[
    str | None,
    typer.Option(
        "--dsn",
        metavar="DSN",
        help="Connection string. Else CRMSHIFT_DSN, DATABASE_URL, or libpq's PG* variables.",
        show_default=False,
    ),
]
PlanName = Annotated[str, typer.Option("--plan", metavar="NAME|FILE", help="A plan under plans/, or a YAML file.")]
ProjectFolder = Annotated[
    Path | None,
    typer.Option(
        "--project",
        metavar="DIR",
        envvar="CRMSHIFT_PROJECT",
        help="Folder whose plans/ and sql/ take the place of crmshift's own files of the same name.",
        show_default=False,
    ),
]
OutputFormat = Annotated[Format, typer.Option("--format", help="text for people, json for machines.")]
ShowValues = Annotated[bool, typer.Option("--show-values", help="Show values of customers too.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Required where there is no terminal.")]

DEFAULT_PLAN = "lead_centric"

EXIT_STATUSES = (
    "\n\n[bold]Exit statuses[/bold]  0 yes: done, clean, nothing to do · 1 answered, and the answer is no · 2 trouble · "
    "3 refused before changing anything · 4 lock not obtained, try later · 5 stopped part-way, safe to run again · "
    "130, 143 signals"
)
"""Shown below each --help."""


@contextmanager
def connected(dsn: str | None, command: str, *, read_only: bool = False) -> Iterator[Connection]:
    """A connection for the length of a command."""
    from crmshift.db import connect, resolve_dsn

    conn = connect(resolve_dsn(dsn), command, read_only=read_only)
    try:
        yield conn
    finally:
        conn.close()


def compiled_plan(conn: Connection, plan: str, project: Path | None) -> Compiled:
    """The plan with all its steps made out."""
    from crmshift.plan import load
    from crmshift.project import Project
    from crmshift.steps import compile_plan

    opened = Project.open(project)
    return compile_plan(load(opened.plan(plan)), opened, conn)


def confirm(question: str, yes: bool) -> None:
    """Ask before changing anything. Raises `UsageError` naming the flag where nobody can be asked."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("This would change the database, and there is no terminal to ask.", hint="Add --yes.")
    if not typer.confirm(question, err=True):
        raise Refused("Not confirmed: nothing was changed.")
