"""crmshift validate: every check, for people and for CI."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from crmshift.cli.options import Dsn, Format, OutputFormat, ShowValues, Side, Yes, connected
from crmshift.errors import ExitStatus, UsageError

EXAMPLES = """
[bold]Examples[/bold]\n
crmshift validate · every check on every workspace\n
crmshift validate --workspace 11111111-2222-… --format json\n
crmshift validate --report junit=crmshift.xml --report html=crmshift.html · for a pipeline, and for people\n
crmshift validate --workers 4 --read-dsn "host=standby dbname=crm" · without the primary's help\n
crmshift validate --since last · compare only what was written since\n
crmshift validate --sample 5 --fail-under 99.9 · a first impression of a pilot\n
crmshift validate --repair · show what would be repaired, ask, do it, check again
"""


def validate(
    workspace: Annotated[
        UUID | None, typer.Option("--workspace", metavar="UUID", help="Only this workspace.", show_default=False)
    ] = None,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Settle the sync queue, then hand drifted rows to the writers; shows what would change and asks first. Then check again.",
        ),
    ] = False,
    from_side: Annotated[
        Side | None,
        typer.Option(
            "--from",
            metavar="legacy|target",
            help="With --repair: the side that is taken to be right. Else the one that has the last word in this phase.",
            show_default=False,
        ),
    ] = None,
    yes: Yes = False,
    report: Annotated[
        list[str] | None,
        typer.Option(
            "--report",
            metavar="KIND=FILE",
            help="Also write a report: junit=FILE, markdown=FILE, html=FILE, or github for annotations and a step summary. May be repeated.",
            show_default=False,
        ),
    ] = None,
    fail_under: Annotated[
        float,
        typer.Option(
            "--fail-under",
            metavar="PERCENT",
            min=0,
            max=100,
            help="Pass from this accuracy on: agreeing rows over all.",
        ),
    ] = 100.0,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Connections that compare.")] = 1,
    read_dsn: Annotated[
        str | None,
        typer.Option(
            "--read-dsn",
            metavar="DSN",
            help="Read a standby; the result is stored on the primary.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="N|last",
            help="Compare only rows written since a stored validation in which nothing differed.",
            show_default=False,
        ),
    ] = None,
    sample: Annotated[
        float | None,
        typer.Option(
            "--sample", metavar="PERCENT", help="Compare only so many of the keys, drawn anew.", show_default=False
        ),
    ] = None,
    show_values: ShowValues = False,
    dsn: Dsn = None,
    format: OutputFormat = Format.TEXT,
) -> None:
    """Compare both sides, every column of every row, and check what must hold. Exit 1 where anything is found.

    Right under live writes: each comparison is one statement, hence one snapshot, and in every snapshot both sides agree or the
    key stands in the sync queue. Shows keys and column names, and values only with --show-values. A validation of a part (--workspace,
    --since, --sample) is never taken for one of everything.
    """
    from crmshift.cli.output import console, print_json, print_next_steps
    from crmshift.cli.repair import carry_out, print_repair
    from crmshift.cli.validation_output import next_steps_after, print_validation
    from crmshift.repair import last_word
    from crmshift.reports import report as reporting
    from crmshift.reports.document import as_json
    from crmshift.validation import checks

    if sample is not None and not 0 < sample < 100:
        raise UsageError(f"--sample {sample:g}: expected a percentage above 0 and below 100.")
    if sample is not None and since is not None:
        raise UsageError("--sample and --since do not go together.", hint="What was written since is a part already.")
    if from_side and not repair:
        raise UsageError("--from says which side a repair takes to be right.", hint="Add --repair.")
    reports = reporting.requested(report or ())
    with connected(dsn, "validate") as conn:
        repaired = carry_out(conn, workspace, from_side, yes) if repair else None
        result = checks.run(
            conn,
            workspace,
            since=since,
            sample=sample,
            fail_under=fail_under,
            workers=workers,
            read_dsn=read_dsn,
            show_values=show_values,
        )
        side = last_word(conn)

    status = ExitStatus.OK if result.clean else ExitStatus.NO
    next_steps = [] if result.clean else next_steps_after(result, repair, workspace, side)
    reporting.write(reports, result)
    if format is Format.JSON:
        data = as_json(result)
        if repaired:
            data["repair"] = {
                "run": repaired.run,
                "from": repaired.side,
                "rows_changed": repaired.changed,
                "handed_to_writers": repaired.handed,
                "settled_from_queue": repaired.drained,
                "failed": repaired.failed,
            }
        print_json("validate", status, data, next_steps)
    else:
        out = console()
        if repaired:
            print_repair(repaired)
        print_validation(out, result)
        print_next_steps(next_steps)
    raise typer.Exit(status)
