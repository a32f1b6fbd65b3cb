"""Reads mapping files before anything is installed: what each view gives, which columns it reads, who feeds it.

The descriptions made here are the ones `crmshift.describe_mapping` and `crmshift.describe_source` read back from the
catalogue of a database where the mappings are installed; a test holds the two equal. From a description
`sql/schema/derive_writers.sql` and `derive_triggers.sql` make the statements.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from crmshift.errors import UsageError
from crmshift.project import SqlFile

SYNC_LOCK_TIMEOUT = "100ms"
"""Longest wait of a sync for a lock. Far below deadlock_timeout (1 s): when the detector looks, the sync of a cycle has long
given way, and the application that waits with it is not made the victim."""


@dataclass(frozen=True)
class Feed:
    """A table whose writes reach a mapping; `key` are its columns that give the mapping's key."""

    mapping: str
    source: str
    key: tuple[str, ...]
    mode: str
    prepare: str | None
    reaches: str | None


@dataclass(frozen=True)
class MappingFile:
    """What one file under `sql/mapping/` says.

    columns: output of the view, in order. reads: columns of each table the view reads. agrees: the columns that are compared by a
    condition, and that condition.
    """

    name: str
    entity: str
    direction: str
    target: str
    key: tuple[str, ...]
    key_types: tuple[str, ...]
    only_where: str | None
    conflict_where: str | None
    before_remove: str | None
    position: int
    feeds: tuple[Feed, ...]
    columns: tuple[str, ...]
    reads: dict[str, frozenset[str]]
    agrees: dict[str, str]


def parse(file: SqlFile) -> MappingFile:
    """Read a mapping file.

    Raises `UsageError` for what is not a view `crmshift.<name>_expected` with its rows for `crmshift.mapping` and `crmshift.feed`.
    """
    import sqlglot
    from sqlglot import exp

    name = file.name.rpartition("/")[2]
    try:
        statements = [s for s in sqlglot.parse(file.text, dialect="postgres") if s is not None]
    except sqlglot.errors.ParseError as error:
        raise UsageError(f"{file.path} cannot be read as SQL: {str(error).splitlines()[0]}") from error
    views = [s for s in statements if isinstance(s, exp.Create) and s.kind == "VIEW"]
    if len(views) != 1 or views[0].this.sql(dialect="postgres") != f"crmshift.{name}_expected":
        raise UsageError(f"{file.path}: expected one view, named crmshift.{name}_expected.")
    query = views[0].expression
    columns = tuple(query.named_selects)
    if "*" in columns:
        raise UsageError(f"{file.path}: the view names its columns one by one; * would change with the table.")

    rows = [row for s in statements if isinstance(s, exp.Insert) for row in _rows(s, file)]
    registered = [row for table, row in rows if table == "crmshift.mapping"]
    if len(registered) != 1 or registered[0].get("name") != name:
        raise UsageError(f"{file.path}: expected one row for crmshift.mapping, named {name}.")
    row = registered[0]
    mapping = MappingFile(
        name=name,
        entity=row["entity"],
        direction=row["direction"],
        target=row["target"],
        key=_array(row["key"]),
        key_types=_array(row["key_types"]),
        only_where=row.get("only_where"),
        conflict_where=row.get("conflict_where"),
        before_remove=row.get("before_remove"),
        position=int(row["position"]),
        feeds=tuple(
            Feed(r["mapping"], r["source"], _array(r["key"]), r["mode"], r.get("prepare"), r.get("reaches"))
            for table, r in rows
            if table == "crmshift.feed"
        ),
        columns=columns,
        reads=_reads(query, file),
        agrees={r["column_name"]: r["agrees"] for table, r in rows if table == "crmshift.comparison"},
    )
    absent = [k for k in mapping.key if k not in columns]
    if absent:
        raise UsageError(f"{file.path}: the view lacks its key column {', '.join(absent)}.")
    _check_comparisons(mapping, [r for table, r in rows if table == "crmshift.comparison"], file)
    if not any(f.mode == "sync" and f.mapping == name for f in mapping.feeds):
        raise UsageError(f"{file.path}: no table feeds the mapping with mode 'sync'.")
    return mapping


def parse_all(files: Iterable[SqlFile]) -> tuple[MappingFile, ...]:
    """Read all mapping files of a plan. A file may say that its table feeds a mapping of another file, too.

    Raises `UsageError` as `parse` does, and for a feed of a mapping that no file defines.
    """
    parsed = [parse(file) for file in files]
    names = {m.name for m in parsed}
    for mapping in parsed:
        strangers = sorted({f.mapping for f in mapping.feeds} - names)
        if strangers:
            raise UsageError(
                f"sql/mapping/{mapping.name}.sql: it feeds {', '.join(strangers)}, which is no mapping of the plan."
            )
    whole = tuple(
        replace(m, feeds=tuple(f for other in parsed for f in other.feeds if f.mapping == m.name)) for m in parsed
    )
    back = [m for m in whole if m.direction == "to_legacy"]
    for mapping in whole:
        if not _subjects_of_mapping(mapping, back):
            raise UsageError(
                f"sql/mapping/{mapping.name}.sql: none of the tables it is made from has a mapping back with that key.",
                hint="What both sides have to agree about is a row of legacy: one of its feeds is a legacy table with a mapping to_legacy.",
            )
    return whole


def backfilled(source: str, all_mappings: Iterable[MappingFile]) -> bool:
    """Whether a backfill from this table fills anything."""
    return any(
        f.source == source and f.mode == "sync" for m in all_mappings if m.direction == "to_target" for f in m.feeds
    )


def built_on(source: str, all_mappings: Sequence[MappingFile]) -> frozenset[str]:
    """Tables whose rows those of this one refer to: what it feeds with mode 'fill', they feed with mode 'sync'."""
    parents = [
        m.feeds
        for m in all_mappings
        if m.direction == "to_target" and any(f.source == source and f.mode == "fill" for f in m.feeds)
    ]
    return frozenset(f.source for feeds in parents for f in feeds if f.mode == "sync") - {source}


def describe_mapping(mapping: MappingFile, all_mappings: Sequence[MappingFile]) -> dict[str, Any]:
    """Description for `crmshift.mapping_statements`."""
    return {
        "name": mapping.name,
        "target": mapping.target,
        "key": list(mapping.key),
        "key_types": list(mapping.key_types),
        "only_where": mapping.only_where,
        "conflict_where": mapping.conflict_where,
        "before_remove": mapping.before_remove,
        "agrees": mapping.agrees,
        "lock_target": sum(f.mode == "sync" for f in mapping.feeds) > 1,
        "columns": list(mapping.columns),
        "side": "target" if mapping.direction == "to_target" else "legacy",
        "subjects": [
            {"subject": s.name, "key": list(s.key), "columns": list(s.columns)}
            for s in _subjects(mapping.target, all_mappings)
            if s.mode == "sync"
        ],
    }


def describe_source(source: str, all_mappings: Sequence[MappingFile]) -> dict[str, Any]:
    """Description for `crmshift.trigger_statements`. Raises `UsageError` where the table feeds no mapping."""
    fed = sorted(
        ((m, f) for m in all_mappings for f in m.feeds if f.source == source), key=lambda pair: pair[0].position
    )
    if not fed:
        raise UsageError(
            f"The table {source} feeds no mapping of the plan.", hint="See the rows for crmshift.feed in sql/mapping/."
        )
    # A sync feed names the table's own key: it leads, so that halving a batch never splits a row in two.
    ranked: dict[str, tuple[tuple[int, int, int], str]] = {}
    for mapping, feed in fed:
        for i, (column, key_type) in enumerate(zip(feed.key, mapping.key_types, strict=True), start=1):
            rank = (int(feed.mode == "fill"), mapping.position, i)
            if column not in ranked or rank < ranked[column][0]:
                ranked[column] = (rank, key_type)
    keys = sorted(ranked, key=lambda column: ranked[column][0])
    reads = {c for m, f in fed if f.mode == "sync" for c in m.reads.get(source, frozenset())}
    direction = min(m.direction for m, _ in fed)
    synced = {m.name for m, f in fed if f.mode == "sync"}
    plain = [m for m in all_mappings if m.target == source and m.conflict_where is None]
    return {
        "source": source,
        "side": "legacy" if direction == "to_target" else "target",
        "lock_timeout": SYNC_LOCK_TIMEOUT,
        "entities": sorted({m.entity for m in all_mappings if m.target == source or m.name in synced}),
        "writes": sorted({m.target for m in all_mappings if m.direction == direction}),
        "subjects": [
            {"subject": s.name, "key": list(s.key), "columns": list(s.columns), "mode": s.mode}
            for s in _subjects(source, all_mappings)
        ],
        "keys": keys,
        "key_types": [ranked[c][1] for c in keys],
        "reads": sorted(reads | set(keys)),
        "feeds": [
            {
                "mapping": m.name,
                "key": list(m.key),
                "columns": list(f.key),
                "mode": f.mode,
                "prepare": f.prepare,
                "reaches": f.reaches,
                "whole": f.mode == "sync" and m.conflict_where is None and any(own.key == f.key for own in plain),
            }
            for m, f in fed
        ],
    }


@dataclass(frozen=True)
class _Subject:
    """What a write on a table is about: a legacy row, by the mapping back to its table; `columns` of the written table give its key."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    mode: str
    position: int


def _subjects(source: str, all_mappings: Sequence[MappingFile]) -> list[_Subject]:
    """As the view crmshift.source_subject: those synced first, then the parents."""
    back = [m for m in all_mappings if m.direction == "to_legacy"]
    found = {_Subject(s.name, s.key, s.key, "sync", s.position) for s in back if s.target == source}
    for mapping in all_mappings:
        for feed in (f for f in mapping.feeds if f.source == source):
            to_source = dict(zip(mapping.key, feed.key, strict=True))
            for subject, columns in _subjects_of_mapping(mapping, back):
                named = tuple(to_source[c] for c in columns)
                found.add(_Subject(subject.name, subject.key, named, feed.mode, subject.position))
    return sorted(found, key=lambda s: (s.mode != "sync", s.position))


def _subjects_of_mapping(
    mapping: MappingFile, back: Sequence[MappingFile]
) -> list[tuple[MappingFile, tuple[str, ...]]]:
    """As the view crmshift.mapping_subject: the subject, and the columns of the mapping that give its key."""
    if mapping.direction == "to_legacy":
        return [(mapping, mapping.key)]
    found = []
    for feed in (f for f in mapping.feeds if f.mode == "sync"):
        to_mapping = dict(zip(feed.key, mapping.key, strict=True))
        found += [
            (s, tuple(to_mapping[k] for k in s.key))
            for s in back
            if s.target == feed.source and set(s.key) <= set(feed.key)
        ]
    return found


def carried(mappings: Iterable[MappingFile]) -> dict[str, set[str]]:
    """Columns of each table that the given mappings read."""
    columns: dict[str, set[str]] = {}
    for mapping in mappings:
        for table, read in mapping.reads.items():
            columns.setdefault(table, set()).update(read)
    return columns


@dataclass(frozen=True)
class Made:
    """How a view makes a column: its expression, and the columns it is made from, as `schema.table.column`."""

    expression: str
    sources: tuple[str, ...]


def lineage(definition: str) -> dict[str, Made]:
    """How a view makes each of its columns, read from its definition as pg_get_viewdef gives it prettily, tables with their schemas."""
    import sqlglot

    return _lineage(sqlglot.parse_one(definition, dialect="postgres"))


def _lineage(query: Any) -> dict[str, Made]:
    from sqlglot import exp

    made = {}
    for output in query.selects:
        expression = output.unalias()
        found = dict.fromkeys(source for column in expression.find_all(exp.Column) for source in sources(column, query))
        made[output.alias_or_name] = Made(expression.sql(dialect="postgres"), tuple(found))
    return made


def sources(column: Any, query: Any) -> tuple[str, ...]:
    """Columns of tables that a column stands for: its own, or those a subquery makes it from. PostgreSQL leaves out the table's
    alias where there is only one table."""
    from sqlglot import exp

    select = column.find_ancestor(exp.Select)
    while select is not None:
        for table in (part.this for part in [_from(select), *(select.args.get("joins") or ())] if part):
            if column.table and table.alias_or_name != column.table:
                continue
            if isinstance(table, exp.Table):
                return (f"{table.db}.{table.name}.{column.name}",)
            inner = _lineage(table.find(exp.Select))
            return inner[column.name].sources if column.name in inner else ()
        select = select.find_ancestor(exp.Select) if select is not query else None
    return ()


def _from(select: Any) -> Any:
    from sqlglot import exp

    return next((part for part in select.args.values() if isinstance(part, exp.From)), None)


def _reads(query: Any, file: SqlFile) -> dict[str, frozenset[str]]:
    from sqlglot import exp

    tables: dict[str, str] = {}
    for table in query.find_all(exp.Table):
        full = f"{table.db}.{table.name}"
        if not table.db:
            raise UsageError(f"{file.path}: write the table {table.name} with its schema.")
        if tables.setdefault(table.alias_or_name, full) != full:
            raise UsageError(f"{file.path}: the alias {table.alias_or_name} stands for two tables.")
    reads: dict[str, set[str]] = {table: set() for table in tables.values()}
    for column in query.find_all(exp.Column):
        if column.table not in tables:
            raise UsageError(f"{file.path}: write the column {column.name} with the alias of its table.")
        reads[tables[column.table]].add(column.name)
    return {table: frozenset(columns) for table, columns in reads.items()}


def _check_comparisons(mapping: MappingFile, rows: Sequence[dict[str, Any]], file: SqlFile) -> None:
    """Raises `UsageError` for a comparison of another mapping, of a column that is not compared, and by what is no condition on e and t."""
    import sqlglot
    from sqlglot import exp

    for row in rows:
        column = row["column_name"]
        if row["mapping"] != mapping.name:
            raise UsageError(f"{file.path}: a comparison stands in the file of its mapping, here {mapping.name}.")
        if column not in mapping.columns or column in mapping.key:
            raise UsageError(
                f"{file.path}: crmshift.comparison speaks of {column}, which is no column that {mapping.name}_expected compares."
            )
        try:
            condition = sqlglot.parse_one(row["agrees"], dialect="postgres")
        except sqlglot.errors.ParseError as error:
            raise UsageError(
                f"{file.path}: how {column} agrees cannot be read as SQL: {str(error).splitlines()[0]}"
            ) from error
        for named in condition.find_all(exp.Column):
            if not named.table:
                raise UsageError(
                    f"{file.path}: how {column} agrees names {named.name} without its table.",
                    hint="Write e. for the row as the view has it, and t. for the row of the table.",
                )
            if named.table == "e" and named.name not in mapping.columns:
                raise UsageError(
                    f"{file.path}: how {column} agrees names e.{named.name}, which the view does not have."
                )


def _rows(insert: Any, file: SqlFile) -> list[tuple[str, dict[str, Any]]]:
    from sqlglot import exp

    schema, values = insert.this, insert.expression
    if not isinstance(schema, exp.Schema) or not isinstance(values, exp.Values):
        raise UsageError(f"{file.path}: an insert here names its columns and gives plain values.")
    table = schema.this.sql(dialect="postgres")
    names = [column.name for column in schema.expressions]
    rows = []
    for row in values.expressions:
        literals = [
            None if isinstance(v, exp.Null) else v.name if isinstance(v, exp.Literal) else v for v in row.expressions
        ]
        for value in literals:
            if isinstance(value, exp.Expression):
                raise UsageError(f"{file.path}: {table} takes plain values here, not {value.sql(dialect='postgres')}.")
        rows.append((table, dict(zip(names, literals, strict=True))))
    return rows


def _array(literal: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in literal.strip("{}").split(",") if item.strip())
