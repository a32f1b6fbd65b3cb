"""What must be true of a database before a plan may run on it. Reads the catalogue, changes nothing."""

from __future__ import annotations

import re
from typing import LiteralString

from crmshift.db import Connection, fetch_all, fetch_value
from crmshift.errors import Refused
from crmshift.mapping import MappingFile, carried
from crmshift.steps import Compiled

SHARED_TABLES = {"public.workspaces": {"id"}, "public.custom_fields": {"id"}}
"""Tables that both sides use and nothing maps, with the columns the checks look at."""


def check(conn: Connection, compiled: Compiled, applied: frozenset[str]) -> None:
    """Raises `Refused`, naming table and column, for the first precondition that is not met."""
    legacy = {m.target for m in compiled.in_direction("to_legacy")}
    needed = {
        table: columns for table, columns in carried(compiled.in_direction("to_target")).items() if table in legacy
    }
    for mapping in compiled.in_direction("to_legacy"):
        needed.setdefault(mapping.target, set()).update(mapping.columns)
    found = _columns(conn, sorted(legacy))

    for table, columns in SHARED_TABLES.items():
        needed.setdefault(table, set()).update(columns)
    found |= _columns(conn, sorted(SHARED_TABLES))

    for table, columns in sorted(needed.items()):
        if table not in found:
            raise Refused(
                f"The legacy table {table} does not exist in this database.",
                hint="Connect to the database of the CRM, or adapt sql/mapping/ in a project folder (--project).",
            )
        missing = sorted(columns - found[table])
        if missing:
            raise Refused(
                f"The legacy table {table} lacks the mapped column {', '.join(missing)}.",
                hint="Take it out of the views under sql/mapping/ in a project folder (--project), or add it to the table.",
            )
        if table in SHARED_TABLES:
            continue
        incomparable = _incomparable(conn, table, sorted(columns))
        if incomparable:
            raise Refused(
                f"The mapped column {incomparable[0][0]} of {table} is of type {incomparable[0][1]}, which has no equality.",
                hint=f"Leave it behind (left_behind: {table}: in the plan), or map a column of another type.",
            )
        behind = compiled.plan.left_behind.get(table, frozenset())
        absent = sorted(behind - found[table])
        if absent:
            raise Refused(
                f"The plan leaves behind the column {', '.join(absent)} of {table}, which has no such column.",
                hint=f"Its columns: {', '.join(sorted(found[table]))}.",
            )
        unmapped = sorted(found[table] - columns - behind)
        if unmapped:
            raise Refused(
                f"The column {', '.join(unmapped)} of {table} is not carried over: nothing may be lost unnoticed.",
                hint=f"Add it to the views under sql/mapping/, or list it under left_behind: {table}: in the plan.",
            )
        if fetch_value(conn, "select row_security_active(%s::regclass)", [table]):
            raise Refused(
                f"Row-level security hides rows of {table} from the role {conn.info.user}.",
                hint="Run crmshift as a role with BYPASSRLS, or as one whose rows no policy restricts.",
            )
    strangers = sorted(set(compiled.plan.left_behind) - legacy)
    if strangers:
        raise Refused(
            f"The plan leaves behind columns of {', '.join(strangers)}, which is no legacy table of its mappings.",
            hint=f"Legacy tables: {', '.join(sorted(legacy))}.",
        )
    for mapping in compiled.in_direction("to_legacy"):
        for column, expected in zip(mapping.key, mapping.key_types, strict=True):
            actual = _type(conn, mapping.target, column)
            if actual != expected:
                raise Refused(
                    f"The key {column} of {mapping.target} is of type {actual}; the mapping needs {expected}.",
                    hint="Adapt key_types and the views under sql/mapping/, and the tables under sql/schema/, in a project folder (--project).",
                )
        _refuse_repeatable_key(conn, mapping)
    if not applied:
        if fetch_value(conn, "select to_regnamespace('crmshift')") is not None:
            raise Refused(
                "There is a schema crmshift here, but no ledger in it.",
                hint="It is not ours, or half removed: look into it, and drop it.",
            )
        for mapping in compiled.in_direction("to_target"):
            if fetch_value(conn, "select to_regclass(%s)", [mapping.target]) is not None:
                raise Refused(
                    f"The table {mapping.target} exists already.",
                    hint="crmshift creates it. Rename or drop the one that is there.",
                )


def _refuse_repeatable_key(conn: Connection, mapping: MappingFile) -> None:
    """Rows are written by INSERT ... ON CONFLICT (key), which needs a unique index on the key: an immediate, complete one."""
    predicates = _predicates_of_unique_indexes(conn, mapping)
    if any(p is None or _bare(p) == _bare(mapping.conflict_where) for p in predicates):
        return
    table, key = mapping.target, ", ".join(mapping.key)
    partitioned_by = fetch_value(
        conn, "select pg_get_partkeydef(oid) from pg_class where oid = to_regclass(%s) and relkind = 'p'", [table]
    )
    if mapping.conflict_where and predicates:
        hint = f"There is one where {predicates[0]}: write conflict_where in sql/mapping/{mapping.name}.sql just so, if that is meant."
    elif partitioned_by:
        hint = (
            f"It is partitioned by {partitioned_by}, and a unique index has all columns a table is partitioned by: "
            f"partition it by hash ({key}), or by other columns of the key, or not at all."
        )
    else:
        where = f" where {mapping.conflict_where}" if mapping.conflict_where else ""
        hint = (
            f"create unique index concurrently on {table} ({key}){where}; "
            "one that is invalid, deferrable, or on some of the rows only does not serve."
        )
    columns = "this column" if len(mapping.key) == 1 else "these columns"
    raise Refused(f"The key {key} of {table} is not unique: it needs a unique index on just {columns}.", hint=hint)


def _predicates_of_unique_indexes(conn: Connection, mapping: MappingFile) -> list[str | None]:
    """Of those on just the key that ON CONFLICT can use: the predicate, None where an index is not partial."""
    rows = fetch_all(
        conn,
        """
        select pg_get_expr(i.indpred, i.indrelid),
               array(select a.attname::text from unnest(i.indkey::smallint[]) with ordinality as k (attnum, o)
                       join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.attnum
                      where k.o <= i.indnkeyatts)
          from pg_index as i
         where i.indrelid = to_regclass(%s) and i.indisunique and i.indisvalid and i.indimmediate and i.indexprs is null
         order by i.indexrelid
        """,
        [mapping.target],
    )
    return [predicate for predicate, columns in rows if sorted(columns) == sorted(mapping.key)]


def _bare(predicate: str | None) -> str | None:
    """A predicate without what PostgreSQL adds when it prints one: the parentheses around it, and its own blanks."""
    return predicate and re.sub(r"^\((.*)\)$", r"\1", " ".join(predicate.split()))


def _columns(conn: Connection, tables: list[str]) -> dict[str, set[str]]:
    rows = fetch_all(
        conn,
        """
        select t.name, array_agg(a.attname::text) from unnest(%s::text[]) as t (name)
          join pg_attribute as a on a.attrelid = to_regclass(t.name)
         where a.attnum > 0 and not a.attisdropped
         group by 1
        """,
        [tables],
    )
    return {row[0]: set(row[1]) for row in rows}


def _incomparable(conn: Connection, table: str, columns: list[str]) -> list[tuple[str, str]]:
    """Columns of types that IS DISTINCT FROM cannot compare, with the type."""
    rows = fetch_all(
        conn,
        """
        select a.attname::text, format_type(a.atttypid, a.atttypmod) from pg_attribute as a
         where a.attrelid = to_regclass(%s) and a.attname = any (%s)
           and a.atttypid in ('json'::regtype, 'xml'::regtype, 'point'::regtype, 'polygon'::regtype)
        """,
        [table, columns],
    )
    return [(row[0], row[1]) for row in rows]


def _type(conn: Connection, table: str, column: str) -> str:
    query: LiteralString = (
        "select format_type(atttypid, null) from pg_attribute where attrelid = to_regclass(%s) and attname = %s"
    )
    return str(fetch_value(conn, query, [table, column]))
