"""crmshift compare: what differs between two schemas. Changes neither."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crmshift.cli.options import (
    DEFAULT_PLAN,
    Dsn,
    Format,
    OutputFormat,
    PlanName,
    ProjectFolder,
    compiled_plan,
    connected,
)
from crmshift.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from crmshift.compare.ddl.script import Script
    from crmshift.compare.ddl.trial import Trial
    from crmshift.compare.difference import Change, Comparison, Pattern
    from crmshift.compare.model import Kind, Schema, Value
    from crmshift.compare.sources import Source
    from crmshift.db import Connection

EXAMPLES = """
[bold]Examples[/bold]\n
crmshift compare · does this database hold what the plan's applied steps say?\n
crmshift compare --from postgresql://a/crm --to postgresql://b/crm --ignore @owner\n
crmshift compare --from postgresql://a/crm --to schema/ --schema public --only index\n
crmshift compare --mapping --profile · where each legacy column goes, and what is lost on the way\n
crmshift compare --from postgresql://a/crm --to schema/ --sql > mend.sql · what makes A equal to B\n
crmshift compare --snapshot before.json · keep a schema, to compare with later: --from before.json
"""
MARKS = {"added": "[green]+[/green]", "removed": "[red]-[/red]", "changed": "[yellow]~[/yellow]"}
CONTEXT = 2
"""Lines shown around those that differ in a long text."""


def compare(
    a: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="SOURCE",
            help="One side: a connection string, a .sql file, a directory of them, or a snapshot (.json).",
            show_default=False,
        ),
    ] = None,
    b: Annotated[
        str | None, typer.Option("--to", metavar="SOURCE", help="The other side, likewise.", show_default=False)
    ] = None,
    schema: Annotated[
        list[str] | None,
        typer.Option("--schema", metavar="NAME", help="Only this schema; may be repeated.", show_default=False),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="KIND",
            help="Only this kind: table, column, index …; may be repeated.",
            show_default=False,
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            metavar="PATTERN",
            help="Leave out NAME, KIND:NAME or NAME@ATTRIBUTE, as in 'public.audit_*', 'index:*_tmp', '@owner'; may be repeated.",
            show_default=False,
        ),
    ] = None,
    column_order: Annotated[
        bool, typer.Option("--column-order", help="The order of a table's columns counts too.")
    ] = False,
    sql: Annotated[
        bool,
        typer.Option(
            "--sql",
            help="Print the SQL that makes A equal to B, tried on a scratch copy of A; with --format json beside the differences.",
        ),
    ] = False,
    allow_destructive: Annotated[
        bool,
        typer.Option(
            "--allow-destructive", help="Of that SQL, statements that lose data too; else they are commented out."
        ),
    ] = False,
    snapshot: Annotated[
        Path | None,
        typer.Option(
            "--snapshot",
            metavar="FILE",
            help="Compare nothing; save the schema of this database, or of --from.",
            show_default=False,
        ),
    ] = None,
    scratch: Annotated[
        str | None,
        typer.Option(
            "--scratch",
            metavar="DSN|embedded",
            help="Server where SQL is loaded into scratch databases. Else that of the compared database, where its role may create one; else an embedded one.",
            show_default=False,
        ),
    ] = None,
    mapping: Annotated[
        bool,
        typer.Option(
            "--mapping",
            help="Legacy against the target, through the plan's mapping: where each column goes, what is lost or narrowed.",
        ),
    ] = False,
    profile: Annotated[
        bool,
        typer.Option(
            "--profile", help="With --mapping: count the rows that are concerned. Reads legacy; shows no values."
        ),
    ] = False,
    dsn: Dsn = None,
    name: PlanName = DEFAULT_PLAN,
    project: ProjectFolder = None,
    format: OutputFormat = Format.TEXT,
) -> None:
    """Show what differs between two schemas, or between this database and what the plan's applied steps make. Exit 1 where anything does; 3 where --sql cannot make all of it equal.

    Reads PostgreSQL's catalogue, so what means the same is the same however it was written. SQL files are loaded into a scratch
    database, which is dropped again. With --mapping: what is lost or narrowed between legacy and the target; exit 1 where anything is.
    """
    from crmshift.cli.output import count, print_json
    from crmshift.compare import difference, sources
    from crmshift.compare import snapshot as snapshots

    if mapping or profile:
        from crmshift.cli.compare_mapping import compare_mapping, refuse_others

        refuse_others(mapping, a, b, schema, only, ignore, column_order, snapshot, sql)
        as_document = format is Format.JSON
        raise typer.Exit(
            compare_mapping(
                dsn, lambda c: compiled_plan(c, name, project), scratch, profiled=profile, as_document=as_document
            )
        )
    if allow_destructive and not sql:
        raise UsageError("--allow-destructive is for the SQL that --sql prints.", hint="Add --sql.")
    kinds, patterns = [_kind(text) for text in only or ()], [_pattern(text) for text in ignore or ()]
    if snapshot is not None:
        taken = _this(a, dsn, schema or [], scratch)
        snapshots.save(taken, snapshot)
        data = {"snapshot": str(snapshot), "source": _side(taken), "objects": len(taken.objects)}
        if format is Format.JSON:
            print_json("compare", ExitStatus.OK, data)
        else:
            print(f"{snapshot}: {count(len(taken.objects), 'object')} of {taken.name}")
        raise typer.Exit(ExitStatus.OK)
    if (a is None) != (b is None):
        raise UsageError(
            f"--{'to' if b is None else 'from'} is missing: two sides are compared.",
            hint="Give both, or none to compare this database with the plan.",
        )
    between = [sources.Source.parse(text) for text in (a, b) if text is not None]
    if between:
        left, right = sources.read_all(between, schema or [], scratch)
        # What stands on what is changed may be in other schemas.
        whole = sources.read_all(between[:1], [], scratch)[0] if sql and schema else left
    else:
        left, right, whole = _drift(dsn, name, project, schema or [], scratch)
    result = difference.compare(left, right, only=kinds, ignore=patterns, column_order=column_order)
    status = ExitStatus.OK if result.same else ExitStatus.NO
    if not sql:
        if format is Format.JSON:
            print_json("compare", status, as_json(result))
        else:
            print_comparison(result)
        raise typer.Exit(status)
    with _scratch(between, dsn, scratch) as (server, roles_of):
        script, trial = _script(whole, result, allow_destructive, server, roles_of)
    if not result.same and (trial.failed or not script.complete):
        status = ExitStatus.REFUSED
    if format is Format.JSON:
        print_json("compare", status, {**as_json(result), "sql": script_as_json(script, trial)})
    else:
        from crmshift.compare.ddl.render import render

        print(render(result, script, trial), end="")
    raise typer.Exit(status)


@contextmanager
def _scratch(
    between: list[Source], dsn: str | None, scratch: str | None
) -> Iterator[tuple[Connection | None, Connection | None]]:
    """Where the SQL is tried, and a connection to where the roles are that it names."""
    from crmshift.compare import sources

    if between:
        with sources.scratch_for(between, scratch) as found:
            yield found
    else:
        with connected(dsn, "compare", read_only=True) as conn, sources.scratch_server(scratch, conn) as server:
            yield server, conn


def _script(
    whole: Schema, result: Comparison, allow_destructive: bool, server: Connection | None, roles_of: Connection | None
) -> tuple[Script, Trial]:
    from crmshift.compare.ddl.script import write
    from crmshift.compare.ddl.trial import Outcome, Trial, tried

    script = write(whole, result, allow_destructive=allow_destructive)
    if result.same:
        return script, Trial(Outcome.EQUAL, "They are the same: there is nothing to do.")
    return script, tried(whole, script, server, roles_of)


def script_as_json(script: Script, trial: Trial) -> dict[str, Any]:
    """The SQL that makes A equal to B, for a JSON document."""
    from crmshift.compare.ddl.script import SETTINGS
    from crmshift.compare.snapshot import identity_as_json

    return {
        "complete": script.complete,
        "trial": {"outcome": trial.outcome.value, "text": trial.text},
        "settings": list(SETTINGS),
        "statements": [
            {
                "sql": e.statement.sql,
                "about": identity_as_json(e.statement.about),
                "hazards": [{"kind": h.danger.value, "text": h.text} for h in e.statement.hazards],
                "destructive": e.statement.destructive,
                "withheld": e.withheld,
                "transactional": e.statement.transactional,
            }
            for e in script.entries
        ],
        "not_made": [{"about": identity_as_json(p.about), "why": p.text} for p in script.problems],
        "questions": [
            {"from": identity_as_json(q.old), "to": identity_as_json(q.new), "text": q.text, "sql": q.sql}
            for q in script.questions
        ],
    }


def _this(source: str | None, dsn: str | None, schemas: list[str], scratch: str | None) -> Schema:
    from crmshift.compare import sources
    from crmshift.compare.read import read

    if source is not None:
        return sources.read_all([sources.Source.parse(source)], schemas, scratch)[0]
    with connected(dsn, "compare", read_only=True) as conn:
        return read(conn, sources.database_name(conn), schemas)


def _drift(
    dsn: str | None, name: str, project: Path | None, schemas: list[str], scratch: str | None
) -> tuple[Schema, Schema, Schema]:
    from crmshift.compare import expected, sources

    with connected(dsn, "compare", read_only=True) as conn, sources.scratch_server(scratch, conn) as server:
        drift = expected.read_both(conn, lambda c: compiled_plan(c, name, project), server)
    return sources.only(drift.live, schemas), sources.only(drift.expected, schemas), drift.whole


def _kind(text: str) -> Kind:
    from crmshift.compare.model import Kind

    try:
        return Kind(text.replace("_", " "))
    except ValueError:
        kinds = ", ".join(kind.value for kind in Kind)
        raise UsageError(f"--only {text}: there is no such kind.", hint=f"Kinds: {kinds}.") from None


def _pattern(text: str) -> Pattern:
    from crmshift.compare.difference import Pattern

    pattern = Pattern.parse(text)
    if pattern.kind:
        _kind(pattern.kind)
    return pattern


def as_json(result: Comparison) -> dict[str, Any]:
    """What differs, for a JSON document."""
    from crmshift.compare.snapshot import identity_as_json

    return {
        "same": result.same,
        "from": _side(result.a),
        "to": _side(result.b),
        "differences": [
            {
                **identity_as_json(d.identity),
                "difference": d.verb,
                "attributes": [{"name": c.attribute, "from": c.old, "to": c.new} for c in d.changes],
            }
            for d in result.differences
        ],
    }


def _side(schema: Schema) -> dict[str, Any]:
    return {"source": schema.name, "postgresql": schema.version}


def print_comparison(result: Comparison) -> None:
    """A tree: schemas, what is in them, and of what differs each attribute in the old and the new form."""
    from rich.markup import escape
    from rich.tree import Tree

    from crmshift.cli.output import console, count

    out = console()
    for letter, side in (("A", result.a), ("B", result.b)):
        out.print(f"[bold]{letter}[/bold]  {escape(side.name)} [dim]· PostgreSQL {side.version}[/dim]", soft_wrap=True)
    out.print()
    for schema in dict.fromkeys(d.identity.schema for d in result.differences):
        tree = Tree(f"[bold]{escape(schema or 'the database')}[/bold]", guide_style="dim")
        _add(tree, result, schema)
        out.print(tree)
        out.print()
    if result.same:
        out.print(f"[green]the same[/green] [dim]· {count(len(result.a.objects), 'object')} compared[/dim]")
        return
    counted = {verb: sum(d.verb == verb for d in result.differences) for verb in MARKS}
    legend = {"added": "only in B", "removed": "only in A", "changed": "changed from A to B"}
    said = ", ".join(f"{MARKS[verb]} {n} {legend[verb]}" for verb, n in counted.items() if n)
    out.print(f"[red]{count(len(result.differences), 'difference')}[/red]: {said}")


def _add(tree: Tree, result: Comparison, schema: str) -> None:
    from rich.markup import escape

    branches: dict[str, Tree] = {}
    for d in result.differences:
        if d.identity.schema != schema:
            continue
        parent = d.identity.parent
        if parent and parent not in branches:
            holder = result.a.holder(d.identity) or result.b.holder(d.identity)
            kind = f"{holder.kind} " if holder else ""
            branches[parent] = tree.add(f"[dim]{kind}[/dim]{escape(parent)}")
        where = branches[parent] if parent else tree
        node = where.add(f"{MARKS[d.verb]} [dim]{d.identity.kind}[/dim] {escape(d.identity.name)}")
        if not parent:
            branches[d.identity.name] = node
        for change in d.changes:
            node.add(_shown(change))


def _shown(change: Change) -> Text:
    """An attribute old → new; of a long text the lines that differ, of a list what comes and goes."""
    from rich.text import Text

    shown = Text(overflow="fold")
    parts = change.elements
    if parts is not None:
        shown.append(change.attribute, style="dim")
        for sign, style, given in (("- ", "red", parts[0]), ("+ ", "green", parts[1])):
            for part in given:
                shown.append(f"\n  {sign}{part}", style=style)
        return shown
    old, new = _line(change.old), _line(change.new)
    if "\n" not in old + new and len(old) + len(new) < 60:
        return shown.append(f"{change.attribute}  ", style="dim").append(old, "red").append(" → ").append(new, "green")
    shown.append(change.attribute, style="dim")
    for line in _differing(old.splitlines(), new.splitlines()):
        shown.append(f"\n  {line}", style={"-": "red", "+": "green"}.get(line[:1], "dim"))
    return shown


def _differing(old: list[str], new: list[str]) -> list[str]:
    compared = list(difflib.unified_diff(old, new, n=CONTEXT, lineterm=""))[2:]
    return ["…" if line.startswith("@@") else line[:1] + " " + line[1:] for line in compared[1:]]


def _line(value: Value | None) -> str:
    return "—" if value is None else value if isinstance(value, str) else ", ".join(value)
