"""crmshift compare --mapping: where the columns of legacy go, and what is lost or narrowed on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crmshift.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.tree import Tree

    from crmshift.compare.mapped.losses import Counted, LegacyColumn, LegacyTable, Loss, Report
    from crmshift.compare.mapped.ways import Way
    from crmshift.db import Connection
    from crmshift.steps import Compiled

COLORS = {"lost": "red", "narrowed": "yellow"}
MARKS = {"lost": "✗", "narrowed": "!"}


def refuse_others(mapping: bool, *others: object) -> None:
    """Raises `UsageError` for --profile alone, and for options of a comparison of two schemas."""
    if not mapping:
        raise UsageError("--profile counts what --mapping finds.", hint="Run crmshift compare --mapping --profile")
    if any(others):
        raise UsageError(
            "--mapping compares legacy with the target in one database; --from, --to, --schema, --only, --ignore, --column-order, --snapshot and --sql do not go with it.",
            hint="Leave them out.",
        )


def compare_mapping(
    dsn: str | None,
    compiled_in: Callable[[Connection], Compiled],
    scratch: str | None,
    *,
    profiled: bool,
    as_document: bool,
) -> ExitStatus:
    """Compare, print, and say how it ends: 0 nothing lost, 1 something lost or narrowed."""
    from crmshift.cli.options import connected
    from crmshift.cli.output import print_json
    from crmshift.compare.mapped import reading
    from crmshift.compare.sources import scratch_server

    with connected(dsn, "compare", read_only=True) as conn, scratch_server(scratch, conn) as server:
        report = reading.run(conn, compiled_in, server, profiled=profiled)
    status = ExitStatus.OK if report.nothing_lost else ExitStatus.NO
    if as_document:
        print_json("compare", status, as_json(report))
    else:
        print_report(report)
    return status


# --- as data ------------------------------------------------------------------------------------------------------------


def as_json(report: Report) -> dict[str, Any]:
    """All of it, for a JSON document. What was not counted has no `counted`."""
    return {
        "nothing_lost": report.nothing_lost,
        "legacy": {"source": report.legacy, "postgresql": report.version},
        "target": {"source": report.target},
        "profiled": report.profiled,
        "tables": [
            {
                "table": table.name,
                "goes_to": list(table.targets),
                "columns": [
                    {"column": c.name, "type": c.type, "goes_to": [_way_as_json(c, w) for w in c.ways]}
                    for c in table.columns
                ],
                "losses": [_loss_as_json(loss, profiled=report.profiled) for loss in table.losses],
                "notes": list(table.notes),
            }
            for table in report.tables
        ],
    }


def _way_as_json(column: LegacyColumn, way: Way) -> dict[str, Any]:
    return {
        "mapping": way.mapping,
        "table": way.table,
        "column": way.column,
        "type": column.to_types.get(f"{way.table}.{way.column}"),
        "how": way.how.value,
        "expression": way.expression or None,
    }


def _loss_as_json(loss: Loss, *, profiled: bool) -> dict[str, Any]:
    data: dict[str, Any] = {
        "aspect": loss.aspect.value,
        "verdict": loss.verdict.value,
        "columns": list(loss.columns),
        "name": loss.name,
        "target": loss.target,
        "what": loss.what,
        "sql": list(loss.offer),
        "no_sql": loss.no_offer,
    }
    if profiled:
        c = loss.counted
        data["counted"] = c and {
            "what": loss.counting and loss.counting.what.value,
            "rows": c.rows,
            "of": c.of,
            "longest": c.longest,
            "why_not": c.why_not,
        }
    return data


# --- for people ---------------------------------------------------------------------------------------------------------


def print_report(report: Report) -> None:
    """A tree for each table of legacy: its columns and where they go, below each what is lost; then the SQL, to be copied."""
    from rich.markup import escape
    from rich.tree import Tree

    from crmshift.cli.output import console, count

    out = console()
    out.print(f"[bold]legacy[/bold]  {escape(report.legacy)} [dim]· PostgreSQL {report.version}[/dim]", soft_wrap=True)
    out.print(f"[bold]target[/bold]  {escape(report.target)}", soft_wrap=True)
    for table in report.tables:
        out.print()
        to = ", ".join(table.targets) or "[red]nowhere[/red]"
        tree = Tree(f"[bold]{escape(table.name)}[/bold] [dim]→[/dim] {to}", guide_style="dim")
        _add_columns(tree, table)
        for loss in table.losses:
            if not _is_of_a_column(loss, table):
                tree.add(_told(loss))
        for note in table.notes:
            tree.add(f"[dim]{escape(note)}[/dim]")
        out.print(tree)
    offered = [loss for loss in report.losses if loss.offer]
    if offered:
        out.print()
        out.print("[bold]What can be kept[/bold] [dim]· tried in a scratch database; read it before you run it[/dim]")
        for loss in offered:
            out.print()
            out.print(f"[dim]-- {escape(_subject(loss))}[/dim]", soft_wrap=True)
            for statement in loss.offer:
                out.print(f"{statement};", markup=False, highlight=False, soft_wrap=True)
    out.print()
    columns = sum(len(table.columns) for table in report.tables)
    if report.nothing_lost:
        out.print(f"[green]nothing is lost or narrowed[/green] [dim]· {count(columns, 'column')} of legacy[/dim]")
        return
    told = []
    for verdict, color in COLORS.items():
        if n := sum(loss.verdict.value == verdict for loss in report.losses):
            told.append(f"[{color}]{MARKS[verdict]} {n} {verdict}[/{color}]")
    out.print(f"{', '.join(told)} [dim]· {count(columns, 'column')} of legacy[/dim]")


_OF_COLUMNS = ("column", "type", "vocabulary", "not null", "default")


def _is_of_a_column(loss: Loss, table: LegacyTable) -> bool:
    return loss.aspect.value in _OF_COLUMNS


def _add_columns(tree: Tree, table: LegacyTable) -> None:
    from rich.markup import escape

    widths = max((len(c.name) for c in table.columns), default=0), max((len(c.type) for c in table.columns), default=0)
    for column in table.columns:
        name, of_type = column.name.ljust(min(widths[0], 24)), column.type.ljust(min(widths[1], 14))
        node = tree.add(f"{escape(name)} [dim]{escape(of_type)}[/dim] {_goes_to(column)}")
        for loss in table.losses:
            if _is_of_a_column(loss, table) and loss.columns == (column.name,):
                node.add(_told(loss))


_WORDS = {"passes on": "→", "computes from": "computed into", "finds by": "finds"}


def _goes_to(column: LegacyColumn) -> str:
    """`→ customers.firstname text, leads.source text`."""
    from rich.markup import escape

    parts: dict[str, list[str]] = {}
    for way in column.ways:
        if way.column is not None:
            of_type = column.to_types.get(f"{way.table}.{way.column}", "")
            shown = f"{escape(way.table.rpartition('.')[2])}.{escape(way.column)}"
            if of_type != column.type:
                shown += f" [dim]{escape(of_type)}[/dim]"
            parts.setdefault(_WORDS[way.how.value], []).append(shown)
    if not parts:
        return "[red]→ nowhere[/red]"
    return "; ".join(f"[dim]{word}[/dim] {', '.join(dict.fromkeys(shown))}" for word, shown in parts.items())


def _told(loss: Loss) -> str:
    from rich.markup import escape

    color = COLORS[loss.verdict.value]
    name = f" {loss.name}" if loss.name and loss.aspect.value != "grant" else ""
    told = f"[{color}]{MARKS[loss.verdict.value]} {loss.aspect.value}{escape(name)}[/{color}]: {escape(loss.what)}"
    if loss.counted is not None:
        told += f" [dim]·[/dim] {_counted(loss.counted)}"
    if loss.no_offer:
        told += f"\n[dim]no SQL for it: {escape(loss.no_offer)}[/dim]"
    return told


def _counted(counted: Counted) -> str:
    from rich.markup import escape

    from crmshift.cli.output import count

    if counted.rows is None:
        return f"[yellow]not counted: {escape(counted.why_not or '')}[/yellow]"
    longest = f", the longest value has {counted.longest}" if counted.longest is not None else ""
    of = f" of {counted.of:,}" if counted.of is not None else ""
    if not counted.rows:
        return f"[green]no row{of}[/green]{longest}"
    return f"[bold]{count(counted.rows, 'row')}{of}[/bold]{longest}"


def _subject(loss: Loss) -> str:
    """What a piece of SQL is about, for the comment above it."""
    what = loss.name or ", ".join(loss.columns)
    if loss.aspect.value == "grant":
        what = f"to {loss.name}"
    return f"{loss.aspect.value} {what} of {loss.table}".replace("  ", " ")
