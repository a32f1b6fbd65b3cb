"""crmshift validate: every check, for people and for CI."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from crmshift.cli.options import Dsn, Format, OutputFormat, connected
from crmshift.errors import ExitStatus

EXAMPLES = """
[bold]Examples[/bold]\n
crmshift validate · every check on every workspace\n
crmshift validate --workspace 11111111-2222-… --format json\n
crmshift validate --report junit=crmshift.xml --report html=crmshift.html · for a pipeline, and for people\n
crmshift validate --repair · settle, then check again
"""


def validate(
    workspace: Annotated[
        UUID | None, typer.Option("--workspace", metavar="UUID", help="Only this workspace.", show_default=False)
    ] = None,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Settle the sync queue, then bring drifted rows of the lead-centric side in line with legacy, which is taken to be right; then check again.",
        ),
    ] = False,
    report: Annotated[
        list[str] | None,
        typer.Option(
            "--report",
            metavar="KIND=FILE",
            help="Also write a report: junit=FILE, markdown=FILE, html=FILE, or github for annotations and a step summary. May be repeated.",
            show_default=False,
        ),
    ] = None,
    dsn: Dsn = None,
    format: OutputFormat = Format.TEXT,
) -> None:
    """Compare both sides, every column of every row, and check what must hold. Exit 1 where anything is found.

    Right under live writes: each comparison is one statement, hence one snapshot, and in every snapshot both sides agree or the
    key stands in the sync queue. Shows keys and column names, never values.
    """
    from crmshift import db
    from crmshift import repair as repairing
    from crmshift.cli.output import console, print_json, print_next_steps
    from crmshift.cli.validation_output import next_steps_after, print_validation
    from crmshift.reports import report as reporting
    from crmshift.reports.document import as_json
    from crmshift.validation import checks

    reports = reporting.requested(report or ())
    with connected(dsn, "validate") as conn:
        repaired = None
        if repair:
            with db.single_driver(conn):
                repaired = repairing.run(conn, workspace)
        result = checks.run(conn, workspace)

    status = ExitStatus.OK if result.clean else ExitStatus.NO
    next_steps = [] if result.clean else next_steps_after(result, repair, workspace)
    reporting.write(reports, result)
    if format is Format.JSON:
        data = as_json(result)
        if repaired:
            data["repair"] = {
                "handed_to_writers": repaired.handed,
                "settled_from_queue": repaired.drained,
                "failed": repaired.failed,
            }
        print_json("validate", status, data, next_steps)
    else:
        out = console()
        if repaired:
            handed = ", ".join(f"{n} of {mapping}" for mapping, n in repaired.handed.items() if n) or "none"
            out.print(
                f"Repair: {repaired.drained} settled from the queue, keys handed to the writers: {handed}, failed: {repaired.failed}."
            )
        print_validation(out, result)
        print_next_steps(next_steps)
    raise typer.Exit(status)
