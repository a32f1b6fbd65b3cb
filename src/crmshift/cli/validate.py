"""crmshift validate: every check, for people and for CI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from crmshift.cli.options import Dsn, Format, OutputFormat, Side, Yes, connected
from crmshift.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from crmshift.validation.result import Check, Validation

EXAMPLES = """
[bold]Examples[/bold]\n
crmshift validate · every check on every workspace\n
crmshift validate --workspace 11111111-2222-… --format json\n
crmshift validate --repair · show what would be repaired, ask, do it, check again\n
crmshift validate --repair --from target --yes --report junit=crmshift.xml
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
            "--report", metavar="junit=FILE", help="Also write a report; may be repeated.", show_default=False
        ),
    ] = None,
    dsn: Dsn = None,
    format: OutputFormat = Format.TEXT,
) -> None:
    """Compare both sides, every column of every row, and check what must hold. Exit 1 where anything is found.

    Right under live writes: each comparison is one statement, hence one snapshot, and in every snapshot both sides agree or the
    key stands in the sync queue. Shows keys and column names, never values.
    """
    from crmshift.cli.output import console, print_json, print_next_steps
    from crmshift.cli.repair import carry_out, print_repair
    from crmshift.validation import checks

    if from_side and not repair:
        raise UsageError("--from says which side a repair takes to be right.", hint="Add --repair.")
    reports = [_report(r) for r in report or ()]
    with connected(dsn, "validate") as conn:
        repaired = carry_out(conn, workspace, from_side, yes) if repair else None
        result = checks.run(conn, workspace)

    status = ExitStatus.OK if result.clean else ExitStatus.NO
    next_steps = [] if result.clean else next_steps_after(result, repair, workspace)
    for path in reports:
        _write_junit(path, result)
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
        print_checks(out, result)
        print_next_steps(next_steps)
    raise typer.Exit(status)


def print_checks(out: Console, result: Validation) -> None:
    """The checks as a table, then what they found."""
    from rich.markup import escape

    from crmshift.cli.output import count, table

    listed = table("", "check", "what must hold", ">found", ">seconds")
    for check in result.checks:
        listed.add_row(
            "[green]✓[/green]" if check.passed else "[red]✗[/red]",
            check.name,
            check.title,
            f"{check.count:,}" if check.count else "",
            f"{check.seconds:.2f}",
        )
    out.print(listed)
    for check in result.checks:
        if not check.passed:
            found = table("subject", "key", "finding", title=f"{check.name}: {count(check.count, 'finding')}")
            for finding in check.findings:
                found.add_row(finding.subject, _key(finding.key), escape(finding.detail))
            if check.count > len(check.findings):
                found.add_row("…", "", f"[dim]and {check.count - len(check.findings):,} more[/dim]")
            out.print(found)
    scope = f"workspace {result.scope.workspace}" if result.scope.workspace else "all workspaces"
    failed = sum(not c.passed for c in result.checks)
    verdict = "[green]clean[/green]" if result.clean else f"[red]{count(failed, 'check')} failed[/red]"
    out.print(f"{verdict} [dim]· {scope} · {count(len(result.checks), 'check')} in {result.seconds:.2f} s[/dim]")


def as_json(result: Validation) -> dict[str, Any]:
    """The outcome, for a JSON document."""
    return {
        "workspace": str(result.scope.workspace) if result.scope.workspace else None,
        "clean": result.clean,
        "seconds": round(result.seconds, 3),
        "checks": [
            {
                "name": c.name,
                "title": c.title,
                "passed": c.passed,
                "count": c.count,
                "findings": [{"subject": f.subject, "key": f.key, "detail": f.detail} for f in c.findings],
                "seconds": round(c.seconds, 3),
            }
            for c in result.checks
        ],
    }


def next_steps_after(result: Validation, repaired: bool, workspace: UUID | None) -> list[str]:
    failed = {c.name for c in result.checks if not c.passed}
    if "backfill_complete" in failed:
        return ["crmshift apply --to parallel-operation"]
    if failed == {"rows_compared"}:
        return []
    if "triggers_attached" in failed:
        return ["crmshift status"]
    if repaired or "sync_queue" in failed:
        return ["crmshift sync status", "crmshift sync drain"]
    return [f"crmshift validate --repair{f' --workspace {workspace}' if workspace else ''}"]


def _key(key: dict[str, object] | None) -> str:
    from rich.markup import escape

    return escape(", ".join(f"{k}={v}" for k, v in key.items())) if key else ""


def _report(option: str) -> Path:
    kind, _, path = option.partition("=")
    if kind != "junit" or not path:
        raise UsageError(f"--report {option}: expected junit=FILE.")
    if not Path(path).absolute().parent.is_dir():
        raise UsageError(f"--report {option}: the folder of {path} does not exist.")
    return Path(path)


def _write_junit(path: Path, result: Validation) -> None:
    from xml.etree import ElementTree

    failures = sum(not c.passed for c in result.checks)
    suite = ElementTree.Element(
        "testsuite",
        name="crmshift validate",
        tests=str(len(result.checks)),
        failures=str(failures),
        errors="0",
        time=f"{result.seconds:.3f}",
    )
    for check in result.checks:
        case = ElementTree.SubElement(
            suite, "testcase", classname="crmshift.validate", name=check.name, time=f"{check.seconds:.3f}"
        )
        if not check.passed:
            failure = ElementTree.SubElement(case, "failure", message=f"{check.count} found; must hold: {check.title}")
            failure.text = "\n".join(_line(check))
    try:
        ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error}.") from error


def _line(check: Check) -> list[str]:
    return [f"{f.subject} {f.key or ''} {f.detail}" for f in check.findings]
