"""Counts in legacy what a target would not take, or what goes nowhere. Reads rows and gives numbers, no values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from psycopg import sql

from crmshift import db
from crmshift.compare.mapped.losses import Count, Counted, Counting, LegacyTable, Loss
from crmshift.compare.mapped.sides import Sides
from crmshift.db import Connection
from crmshift.errors import DatabaseError, Refused

NO_LENGTH = sql.SQL("null::bigint")


def require_all_rows(conn: Connection, tables: list[str]) -> None:
    """Raises `Refused` where row-level security hides rows of a table from this role: its counts would be too small."""
    for table in tables:
        if db.fetch_value(conn, "select row_security_active(to_regclass(%s))", [table]):
            raise Refused(
                f"Row-level security hides rows of {table} from the role {conn.info.user}.",
                hint="Profile as a role with BYPASSRLS, or as one whose rows no policy restricts.",
            )


def counted(conn: Connection, sides: Sides, table: LegacyTable) -> LegacyTable:
    """A table's losses with their counts. Each is a query of its own, so that none holds a snapshot for long."""
    return replace(table, losses=tuple(_counted(conn, sides, loss) for loss in table.losses))


def _counted(conn: Connection, sides: Sides, loss: Loss) -> Loss:
    if loss.counting is None:
        return loss
    try:
        query = _query(conn, sides, loss.counting)
        row = query if isinstance(query, str) else _row(conn, query)
    except DatabaseError as error:
        return replace(loss, counted=Counted(None, why_not=error.message))
    if isinstance(row, str):
        return replace(loss, counted=Counted(None, why_not=row))
    return replace(loss, counted=Counted(*row))


def _row(conn: Connection, query: sql.Composed) -> tuple[Any, ...]:
    with db.translated():
        found = conn.execute(query).fetchone()
    assert found is not None
    return tuple(found)


def _query(conn: Connection, sides: Sides, counting: Counting) -> sql.Composed | str:
    """A query for rows concerned, rows in all, and the longest; or why there is none."""
    what = counting.what
    if what is Count.DUPLICATES:
        return _duplicates(sides, counting)
    if what is Count.ORPHANS:
        return _orphans(counting)
    if what is Count.REFUSED:
        condition = sql.SQL("not ({})").format(sql.SQL(counting.condition))
        return _counts(condition, _made_of_legacy(sides, counting))
    column = sql.Identifier("e", counting.columns[0])
    rows = _made_of_legacy(sides, counting) if counting.mapping else _table(counting.table)
    if what is Count.NULLS:
        return _counts(sql.SQL("{} is null").format(column), rows)
    if what is Count.FILLED:
        return _counts(sql.SQL("{} is not null").format(column), rows)
    if what is Count.LONGER:
        length = sql.SQL("length({}::text)").format(column)
        longer = sql.SQL("{} > {}").format(length, sql.Literal(counting.limit))
        return _counts(longer, rows, sql.SQL("max({})").format(length))
    if what is Count.UNKNOWN and counting.condition:
        return sql.SQL(
            "select count(*) filter (where {c} is not null and not coalesce({known}, false)), count(*), null from {table} as {alias}"
        ).format(
            c=sql.Identifier(counting.alias or "e", counting.columns[0]),
            known=sql.SQL(f"({counting.condition})"),
            table=rows,
            alias=sql.Identifier(counting.alias or "e"),
        )
    if what is Count.UNKNOWN:
        labels = sql.Literal(list(counting.labels))
        return _counts(sql.SQL("{}::text <> all ({}::text[])").format(column, labels), rows)
    if conn.info.server_version < 160000:
        return "counting these takes PostgreSQL 16 or later"
    there = db.fetch_value(conn, "select to_regtype(%s) is not null", [counting.type.partition("(")[0]])
    if not there:
        return f"the type {counting.type} is not there before the plan is applied"
    unfit = sql.SQL(
        "{c} is not null and case when pg_input_is_valid({c}::text, {name}) then {c}::text::{type}::text::{of} is distinct from {c} else true end"
    ).format(c=column, name=sql.Literal(counting.type), type=sql.SQL(counting.type), of=sql.SQL(counting.of))
    return _counts(unfit, rows)


def _counts(condition: sql.Composable, rows: sql.Composable, longest: sql.Composable = NO_LENGTH) -> sql.Composed:
    return sql.SQL("select count(*) filter (where {}), count(*), {} from {} as e").format(condition, longest, rows)


def _table(name: str) -> sql.Composable:
    return sql.Identifier(*name.split("."))


def _duplicates(sides: Sides, counting: Counting) -> sql.Composed:
    """Rows beyond the first with the same keys."""
    keys = sql.SQL(", ").join(sql.SQL(k) for k in counting.columns)
    conditions = [sql.SQL("({})").format(sql.SQL(counting.condition))] if counting.condition else []
    if not counting.nulls_equal:
        conditions += [sql.SQL("({}) is not null").format(sql.SQL(k)) for k in counting.columns]
    where = sql.SQL(" and ").join(conditions) if conditions else sql.SQL("true")
    return sql.SQL(
        "select coalesce(sum(n - 1) filter (where n > 1), 0)::bigint, coalesce(sum(n), 0)::bigint from (select count(*) as n from {} as e where {} group by {}) as g"
    ).format(_made_of_legacy(sides, counting), where, keys)


def _orphans(counting: Counting) -> sql.Composed:
    assert counting.refers_to is not None
    parent, (to,) = counting.refers_to
    orphan = sql.SQL("{column} is not null and not exists (select from {parent} as p where p.{to} = {column})").format(
        column=sql.Identifier("e", counting.columns[0]), parent=_table(parent), to=sql.Identifier(to)
    )
    return _counts(orphan, _table(counting.table))


def _made_of_legacy(sides: Sides, counting: Counting) -> sql.Composable:
    """What a mapping makes of legacy. Where tables of the target are not made yet, they are as they will be first: empty."""
    import sqlglot
    from sqlglot import exp

    view = next(v for v in sides.views if v.name == counting.mapping)
    if not sides.coming:
        return sql.SQL("({})").format(sql.SQL(view.definition.rstrip().rstrip(";")))
    tree: Any = sqlglot.parse_one(view.definition, dialect="postgres")
    for table in list(tree.find_all(exp.Table)):
        name = f"{table.db}.{table.name}"
        if name in sides.coming:
            columns = sql.SQL(", ").join(
                sql.SQL("null::{} as {}").format(_type_there(sides, str(c.details["type"])), sql.Identifier(column))
                for column, c in sides.columns(name).items()
            )
            nothing = sql.SQL("(select {} where false) as {}").format(columns, sql.Identifier(table.alias_or_name))
            empty = sqlglot.parse_one(f"select 1 from {nothing.as_string()}", dialect="postgres").find(exp.Subquery)
            table.replace(empty)
    return sql.SQL("({})").format(sql.SQL(tree.sql(dialect="postgres")))


def _type_there(sides: Sides, name: str) -> sql.SQL:
    """A type; where it is one that the plan makes, text in its place."""
    made = sides.find_type(name)
    return sql.SQL("text" if made is not None and made.identity not in sides.legacy.by_identity else name)
