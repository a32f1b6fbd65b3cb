"""crmshift conflicts: what both sides wrote while they could not agree."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crmshift.cli.options import EXIT_STATUSES, Dsn, Format, OutputFormat, ShowValues, Side, connected
from crmshift.errors import ExitStatus

if TYPE_CHECKING:
    from crmshift.conflicts import Conflict

EXAMPLES = """
[bold]Examples[/bold]\n
crmshift conflicts list --open · those that wait for a decision\n
crmshift conflicts show 17 --show-values · what was lost, and what either side says now\n
crmshift conflicts resolve 17 --take legacy
"""

app = typer.Typer(name="conflicts", help="The log of conflicts, and deciding open ones.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="As conflicts list shows it.")]


@app.command("list", epilog=EXAMPLES + EXIT_STATUSES)
def list_(
    dsn: Dsn = None,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that wait for a decision.")] = False,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="The latest N; open ones first.")] = 50,
    format: OutputFormat = Format.TEXT,
) -> None:
    """List conflicts, open ones first. Reads only. Exit 1 where any is open."""
    from crmshift import conflicts, db
    from crmshift.cli.output import console, count, print_json, print_next_steps, table

    with connected(dsn, "conflicts list", read_only=True) as conn:
        db.require_installed(conn, "crmshift.conflict_log")
        total, listed = conflicts.listed(conn, only_open=only_open, limit=limit)
    undecided = [c for c in listed if c.winner is None]
    answer = ExitStatus.NO if undecided else ExitStatus.OK
    next_steps = [f"crmshift conflicts show {undecided[0].id}"] if undecided else []
    if format is Format.JSON:
        print_json("conflicts list", answer, {"total": total, "conflicts": [asdict(c) for c in listed]}, next_steps)
    elif listed:
        rows = table(">no.", "row", "kind", "columns", "policy", "winner", "at")
        for c in listed:
            rows.add_row(
                str(c.id),
                _row(c),
                c.kind,
                ", ".join(c.columns) or "the whole row",
                c.policy,
                _winner(c),
                f"{c.at:%Y-%m-%d %H:%M:%S}",
            )
        console().print(rows)
        if total > len(listed):
            console().print(f"[dim]{count(total - len(listed), 'older one')} not shown: --limit {total}[/dim]")
    else:
        console().print("[green]No open conflicts.[/green]" if only_open else "[green]No conflicts.[/green]")
    if format is Format.TEXT:
        print_next_steps(next_steps)
    raise typer.Exit(answer)


@app.command(epilog=EXAMPLES + EXIT_STATUSES)
def show(number: Number, dsn: Dsn = None, show_values: ShowValues = False, format: OutputFormat = Format.TEXT) -> None:
    """Show one conflict: which columns, what either side says now, what was lost. Values only with --show-values. Reads only."""
    from crmshift import conflicts, db
    from crmshift.cli.output import console, print_json, print_next_steps, table

    with connected(dsn, "conflicts show", read_only=True) as conn:
        db.require_installed(conn, "crmshift.conflict_log")
        shown = conflicts.show(conn, number)
    c = shown.conflict
    next_steps = [f"crmshift conflicts resolve {c.id} --take {side}" for side in Side] if c.winner is None else []
    columns = c.columns or tuple(shown.losing)
    if format is Format.JSON:
        data: dict[str, Any] = asdict(c)
        if show_values:
            data |= {"losing": shown.losing, "legacy": shown.legacy, "target": shown.target}
        print_json("conflicts show", ExitStatus.OK, {"conflict": data}, next_steps)
        raise typer.Exit
    out = console()
    out.print(f"[bold]{_row(c)}[/bold]  {c.kind}, {c.at:%Y-%m-%d %H:%M:%S}")
    out.print(f"policy {c.policy}, {'open' if c.winner is None else f'won by {_winner(c)}'}")
    rows = table("column", "before", "lost", "legacy now", "target now")
    for column in columns:
        before, lost = (*shown.losing.get(column, ()), None, None)[:2] if column in shown.losing else (None, None)
        values = (before, lost, shown.legacy.get(column), shown.target.get(column))
        given = (column in shown.losing, column in shown.losing, bool(shown.legacy), bool(shown.target))
        rows.add_row(column, *(_value(v, g, show_values) for v, g in zip(values, given, strict=True)))
    out.print(rows)
    if not show_values:
        out.print("[dim]Values of customers are not shown: --show-values[/dim]")
    print_next_steps(next_steps)


@app.command(epilog=EXAMPLES + EXIT_STATUSES)
def resolve(
    number: Number,
    take: Annotated[Side, typer.Option("--take", metavar="legacy|target", help="The side whose values stand.")],
    dsn: Dsn = None,
) -> None:
    """Decide an open conflict. When the last one of a row is decided, the row is settled."""
    from crmshift import conflicts, db
    from crmshift.cli.output import console, print_next_steps

    with connected(dsn, "conflicts resolve") as conn:
        db.require_installed(conn, "crmshift.conflict_log")
        result = conflicts.resolve(conn, number, take)
    console().print(f"Conflict {number}: {result}.")
    if result != "settled":
        print_next_steps(["crmshift conflicts list --open"])


def _row(conflict: Conflict) -> str:
    return f"{conflict.subject} {', '.join(f'{k} {v}' for k, v in conflict.key.items())}"


def _winner(conflict: Conflict) -> str:
    if conflict.winner is None:
        return f"[yellow]{f'{conflict.decision}, to be settled' if conflict.decision else 'open'}[/yellow]"
    return f"{conflict.winner}{f', by {conflict.decided_by}' if conflict.decided_by else ''}"


def _value(value: Any, given: bool, show: bool) -> str:
    from rich.markup import escape

    if not given:
        return "[dim]-[/dim]"
    if not show:
        return "[dim]null[/dim]" if value is None else "[dim]a value[/dim]"
    return "[dim]null[/dim]" if value is None else escape(str(value))
