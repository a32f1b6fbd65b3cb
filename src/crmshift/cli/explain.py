"""crmshift explain: the life of one row."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crmshift.cli.options import Dsn, Format, OutputFormat, ShowValues, connected
from crmshift.errors import ExitStatus

if TYPE_CHECKING:
    from rich.console import Console

    from crmshift.explain.explanation import Column, Explanation, Row, Shown, Verdict

EXAMPLES = """
[bold]Examples[/bold]\n
crmshift explain contact:11111111-2222-… · both sides of a contact, column by column\n
crmshift explain lead:11111111-2222-… --show-values · the values too\n
crmshift explain appointment:17 --format json\n
crmshift explain contact-custom-field:11111111-2222-…,33333333-4444-… · contact and field
"""


def explain(
    row: Annotated[
        str,
        typer.Argument(
            metavar="KIND:ID",
            help="contact:ID, customer:ID, lead:ID, appointment:ID, or any other mapped table; an id of several columns has commas.",
            show_default=False,
        ),
    ],
    dsn: Dsn = None,
    show_values: ShowValues = False,
    format: OutputFormat = Format.TEXT,
) -> None:
    """Tell the life of one row: both sides, column by column; who wrote last; what hangs on it, waits, was lost or archived.

    Read in one snapshot; reads only. Exit 0 where both sides agree about it and all that hangs on it, 1 where they do not, or no
    such row is known.
    """
    from crmshift.cli.output import console, print_json, print_next_steps
    from crmshift.explain import reading

    with connected(dsn, "explain", read_only=True) as conn:
        explained = reading.run(conn, row, show_values=show_values)
    status = ExitStatus.OK if explained.found and explained.agrees else ExitStatus.NO
    if format is Format.JSON:
        print_json("explain", status, as_json(explained, show_values), explained.next_steps)
    else:
        out = console()
        if explained.found:
            _print(out, explained, show_values)
        else:
            out.print(f"[red]There is no {row}[/red] on either side, in the queue, the conflict log or the archive.")
        print_next_steps(explained.next_steps)
    raise typer.Exit(status)


def as_json(explained: Explanation, show_values: bool) -> dict[str, Any]:
    """All of it, for a JSON document. What was not asked for is left out, so that null always means null."""
    data = asdict(explained)
    data |= {"found": explained.found, "agrees": explained.agrees}
    losing = data.pop("losing")
    if show_values:
        for entry in data["conflicts"]:
            entry["losing"] = losing.get(entry["id"])
    else:
        for columns in (r["columns"] for r in data["rows"]):
            for column in columns:
                del column["expected"]["value"], column["found"]["value"]
        for entries, private in (("queue", "message"), ("archive", "row")):
            for entry in data[entries]:
                del entry[private]
    return data


def _print(out: Console, explained: Explanation, show_values: bool) -> None:
    from rich.markup import escape

    out.print(f"[bold]{escape(explained.asked)}[/bold]  {_summary(explained)}")
    if explained.unspoken:
        out.print(
            f"[yellow]Legacy has no place for it:[/yellow] the mapping does not speak of this row of {explained.table}."
        )
    if not explained.backfilled:
        out.print("[yellow]The backfill is not complete:[/yellow] what legacy has may not have moved yet.")
    for row in explained.rows:
        _print_row(out, row, explained.times_kept, show_values)
    _print_hanging(out, explained)
    _print_logs(out, explained, show_values)
    if not show_values:
        out.print("[dim]Values of customers are not shown: --show-values[/dim]")


def _summary(explained: Explanation) -> str:
    verdicts = {r.verdict.value for r in explained.rows} | {h.verdict.value for h in explained.hanging}
    if explained.queue or "waits in the queue" in verdicts:
        return "[yellow]… waits in the queue[/yellow]"
    if not explained.agrees:
        return "[red]✗ the two sides do not agree[/red]"
    return (
        "[yellow]neither side has it[/yellow]" if verdicts == {"neither side"} else "[green]✓ both sides agree[/green]"
    )


def _print_row(out: Console, row: Row, times_kept: bool, show_values: bool) -> None:
    from rich.markup import escape

    from crmshift.cli.output import table

    out.print()
    made_from = " and ".join(row.made_from)
    out.print(f"[bold]{row.table}[/bold] {_verdict(row.verdict)}  [dim]by {row.view}, from {made_from}[/dim]")
    if row.verdict.value == "neither side":
        out.print("[dim]There is none, and none is expected.[/dim]")
        return
    listed = table("column", "expected", "found", "verdict", "made from")
    for column in row.columns:
        if column.made is None and column.found.looks == "NULL":
            continue
        listed.add_row(
            column.name,
            "" if column.made is None or row.verdict.value == "extra" else _shown(column.expected, show_values),
            "" if row.verdict.value == "missing" else _shown(column.found, show_values),
            _verdict(column.verdict) + "".join(f"\n[dim]lost in conflict {n}[/dim]" for n in column.lost),
            _made_from(column),
        )
    out.print(listed)
    if row.writer:
        when = "when is not kept: track_commit_timestamp is off"
        if times_kept:
            when = (
                f"{row.writer.committed_at:%Y-%m-%d %H:%M:%S %Z}"
                if row.writer.committed_at
                else "longer ago than the server keeps"
            )
        by = f", by the subscription {row.writer.origin}" if row.writer.origin else ""
        says = "".join(f"; {name} {escape(str(value))}" for name, value in row.writer.says.items())
        out.print(f"[dim]last written by transaction {row.writer.transaction}, {when}{by}{says}[/dim]")


def _print_hanging(out: Console, explained: Explanation) -> None:
    from rich.markup import escape

    from crmshift.cli.output import table

    if explained.hanging:
        listed = table("mapping", "key", "verdict", "columns", title="What hangs on it")
        for hanging in explained.hanging:
            listed.add_row(
                hanging.mapping, escape(_key(hanging.key)), _verdict(hanging.verdict), ", ".join(hanging.columns)
            )
        more = explained.hanging_count - len(explained.hanging)
        if more:
            listed.add_row("…", f"[dim]and {more:,} more, not looked at[/dim]", "", "")
        out.print()
        out.print(listed)
    if explained.beyond:
        listed = table("table", "key", "column", "what", title="What legacy has no place for")
        for beyond in explained.beyond:
            listed.add_row(beyond.table, escape(_key(beyond.key)), beyond.column or "[dim]the row[/dim]", beyond.what)
        out.print()
        out.print(listed)


def _print_logs(out: Console, explained: Explanation, show_values: bool) -> None:
    from rich.markup import escape

    from crmshift.cli.output import table

    if explained.queue:
        listed = table(">no.", "written on", "why it waits", "since", ">tries", "again at", title="In the queue")
        for entry in explained.queue:
            where = ", ".join(n for n in (entry.constraint, entry.table, entry.column) if n)
            why = " ".join(n for n in (entry.reason, entry.sqlstate, where) if n)
            if entry.whole:
                why += ", all rows of the table"
            if entry.columns:
                why += f" [dim]({', '.join(entry.columns)})[/dim]"
            if show_values and entry.message:
                why += f"\n{escape(entry.message)}"
            listed.add_row(
                str(entry.id),
                f"{entry.side}, {entry.op}",
                why,
                f"{entry.at:%Y-%m-%d %H:%M:%S}",
                str(entry.attempts),
                f"{entry.retry_at:%H:%M:%S}" if entry.retry_at else "[dim]-[/dim]",
            )
        out.print()
        out.print(listed)
    if explained.conflicts:
        listed = table(">no.", "kind", "columns", "policy", "winner", "at", title="Conflicts")
        for conflict in explained.conflicts:
            winner = f"[yellow]{f'{conflict.decision}, to be settled' if conflict.decision else 'open'}[/yellow]"
            lost = "".join(f"\n{c}: {escape(str(v))}" for c, v in explained.losing.get(conflict.id, {}).items())
            listed.add_row(
                str(conflict.id),
                conflict.kind,
                (", ".join(conflict.columns) or "the whole row") + lost,
                conflict.policy,
                conflict.winner or winner,
                f"{conflict.at:%Y-%m-%d %H:%M:%S}",
            )
        out.print()
        out.print(listed)
    if explained.archive:
        listed = table(">no.", "table", "key", "why", "at", title="In the archive")
        for archived in explained.archive:
            values = f"\n{escape(str(archived.row))}" if archived.row else ""
            listed.add_row(
                str(archived.id),
                archived.table,
                escape(_key(archived.key)) + values,
                archived.reason,
                f"{archived.at:%Y-%m-%d %H:%M:%S}",
            )
        out.print()
        out.print(listed)


def _verdict(verdict: Verdict) -> str:
    if verdict.value in ("waits in the queue", "conflict is open"):
        return f"[yellow]… {verdict}[/yellow]"
    if verdict.value in ("only here", "neither side"):
        return f"[dim]{verdict}[/dim]"
    return f"[green]✓[/green] {verdict}" if verdict.well else f"[red]✗ {verdict}[/red]"


def _shown(shown: Shown, show_values: bool) -> str:
    from rich.markup import escape

    if show_values and shown.looks not in ("NULL", "empty", "blank"):
        return escape(str(shown.value))
    return f"[dim]{shown.looks}[/dim]"


def _made_from(column: Column) -> str:
    """The columns it is made from, without the schema: the row's heading has it. Where it differs, how it is made too."""
    from rich.markup import escape

    if column.made is None:
        return "[dim]not mapped[/dim]"
    sources = ", ".join(s.partition(".")[2] for s in column.made.sources)
    if column.verdict.well or len(column.made.sources) == 1:
        return sources
    return f"{sources}\n[dim]{escape(column.made.expression)}[/dim]"


def _key(key: dict[str, Any]) -> str:
    return ", ".join(f"{k}={v}" for k, v in key.items())
