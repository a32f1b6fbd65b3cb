"""Reads all that is known of a row in one snapshot. Which tables there are is asked of the registry; values stay in the database
unless the operator asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from crmshift import conflicts, db, repair
from crmshift.conflicts import Conflict
from crmshift.db import Connection
from crmshift.errors import DatabaseError, UsageError
from crmshift.explain.explanation import (
    Archived,
    Beyond,
    Column,
    Explanation,
    Hanging,
    Queued,
    Row,
    Shown,
    Verdict,
    Writer,
)
from crmshift.mapping import Made, lineage

MOST = 50
"""Rows that hang on the one, and entries of a log, that are looked at. What is beyond is counted."""


def run(conn: Connection, asked: str, *, show_values: bool = False) -> Explanation:
    """Explain `<kind>:<id>`, for instance `contact:00000000-…`; an id of several columns has commas between them.

    Raises `Refused` where nothing is installed or rows are hidden, `UsageError` for an unknown kind or a malformed id. A row that
    nobody knows is an answer: see `Explanation.found`.
    """
    with _snapshot(conn):
        db.require_all_rows(conn)
        table, row_key, unspoken = _row_asked_for(conn, asked)
        subject, key = _subject_of(conn, table, row_key)
        found = conflicts.about(conn, subject, key, MOST)
        hanging, hanging_count = _hanging(conn, subject, key)
        return Explanation(
            asked=asked,
            table=table,
            unspoken=unspoken,
            subject=subject,
            key=key,
            backfilled=not db.fetch_value(conn, "select exists (select from crmshift.check_backfill_complete())"),
            last_word=repair.last_word(conn),
            paused=db.fetch_value(conn, "select exists (select from crmshift.sync_control where paused)"),
            times_kept=db.fetch_value(conn, "select current_setting('track_commit_timestamp')::boolean"),
            rows=_rows(conn, subject, key, found, show_values),
            hanging=hanging,
            hanging_count=hanging_count,
            beyond=_beyond(conn, subject, key),
            queue=_queue(conn, subject, key, show_values),
            conflicts=found,
            losing=conflicts.losing(conn, [c.id for c in found]) if show_values else {},
            archive=_archive(conn, subject, key, show_values),
        )


@contextmanager
def _snapshot(conn: Connection) -> Iterator[None]:
    with db.transaction(conn):
        conn.execute("set transaction isolation level repeatable read, read only")
        conn.execute("set local search_path = ''")  # so that definitions of views name the schema of every table
        yield


def _row_asked_for(conn: Connection, asked: str) -> tuple[str, dict[str, Any], bool]:
    """The table that a kind names, the key of a row of it by the columns that identify one, and whether it is there unspoken of."""
    kind, colon, given = asked.partition(":")
    tables = {
        row[0].rpartition(".")[2]: row for row in db.fetch_all(conn, "select target, only_where from crmshift.mapping")
    }
    kinds = {name.removesuffix("s"): row for name, row in tables.items()}
    row = tables.get(kind.replace("-", "_")) or kinds.get(kind.replace("-", "_"))
    if row is None or not colon or not given:
        what = f"There is no kind {kind}." if colon and given else f"{asked}: expected KIND:ID."
        raise UsageError(what, hint=f"Kinds: {', '.join(sorted(kinds))}. For example contact:ID.")
    table, only_where = row
    columns = db.fetch_all(conn, "select column_name, type from crmshift.identity_of(%s)", [table])
    values = given.split(",")
    if len(values) != len(columns):
        raise UsageError(
            f"{asked}: a row of {table} is identified by {', '.join(c for c, _ in columns)}.",
            hint=f"Write {kind}:{','.join(c.upper() for c, _ in columns)}",
        )
    key: dict[str, Any] = {}
    for (column, of_type), value in zip(columns, values, strict=True):
        try:
            with conn.transaction():
                key[column] = db.fetch_value(conn, _query("select to_jsonb(%s::{})", sql.SQL(of_type)), [value.strip()])
        except DatabaseError as error:
            raise UsageError(f"{asked}: {column} of {table} is of type {of_type}, and {value} is none.") from error
    there = _query(
        "select exists (select from {} as t where {} and not coalesce({}, true))",
        sql.Identifier(*table.split(".")),
        _is_row(columns),
        sql.SQL(only_where or "true"),
    )
    return table, key, db.fetch_value(conn, there, {"key": Jsonb(key)})


def _is_row(columns: list[Any]) -> sql.Composable:
    """The condition that t is the row of `key`."""
    return sql.SQL(" and ").join(
        sql.SQL("t.{} = (%(key)s::jsonb ->> {})::{}").format(sql.Identifier(c), sql.Literal(c), sql.SQL(of_type))
        for c, of_type in columns
    )


def _subject_of(conn: Connection, table: str, key: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The subject that a row of a table is part of: by its key, or by what the row, or what the archive has of it, says."""
    row = db.fetch_one(
        conn,
        "select subject, key, columns from crmshift.source_subject where source = %s and mode = 'sync' order by position limit 1",
        [table],
    )
    assert row is not None
    subject, names, columns = row
    if not set(columns) <= set(key):
        stored = _query(
            """
            select coalesce((select to_jsonb(t) from {} as t where {}),
                            (select a.row_data from crmshift.archive as a where a.table_name = %(table)s and a.key = %(key)s
                              order by a.id desc limit 1))
            """,
            sql.Identifier(*table.split(".")),
            _is_row(db.fetch_all(conn, "select column_name, type from crmshift.identity_of(%s)", [table])),
        )
        key = db.fetch_value(conn, stored, {"key": Jsonb(key), "table": table}) or dict.fromkeys(columns)
    return subject, {name: key[column] for name, column in zip(names, columns, strict=True)}


def _rows(
    conn: Connection, subject: str, key: dict[str, Any], about: tuple[Conflict, ...], show_values: bool
) -> tuple[Row, ...]:
    """The rows that a subject is made of: of legacy, then of the target."""
    mappings = db.fetch_all(
        conn,
        """
        select m.name, m.direction, m.target, crmshift.rename_keys(jsonb_build_array(%(key)s::jsonb), o.columns, o.key) -> 0,
               pg_get_viewdef(to_regclass(format('crmshift.%%I', m.name || '_expected')), true),
               array(select f.source from crmshift.feed as f where f.mapping = m.name and f.mode = 'sync' order by f.source)
          from (select 'target' as written union all select 'legacy') as w
         cross join lateral crmshift.mappings_of(%(subject)s, w.written) as o
          join crmshift.mapping as m on m.name = o.name
         order by m.direction, m.position
        """,
        {"subject": subject, "key": Jsonb(key)},
    )
    legacy = next(m[2] for m in mappings if m[0] == subject)
    rows = []
    for name, direction, table, row_key, definition, made_from in mappings:
        made = lineage(definition)
        compared = _compared(conn, name, row_key, show_values)
        verdict = _verdict(conn, name, row_key, [c[1] for c in compared])
        columns = []
        for column, state, _, _, expected_is, found_is, expected, found in compared:
            # A conflict is about columns of legacy: those this one is, or is made from.
            of_legacy = (
                {column} if table == legacy else {s.removeprefix(f"{legacy}.") for s in _made_from(made, column)}
            )
            mine = [c for c in about if not c.columns or of_legacy & set(c.columns)]
            its = Verdict(_STATES.get(state, state))
            if not its.well and any(c.winner is None for c in mine):
                its = Verdict.CONFLICT
            elif not its.well and verdict is Verdict.WAITS:
                its = Verdict.WAITS
            columns.append(
                Column(
                    column,
                    its,
                    Shown(expected_is, expected),
                    Shown(found_is, found),
                    made.get(column),
                    tuple(c.id for c in mine if c.winner is not None and c.columns),
                )
            )
        writer = None
        if any(c[3] for c in compared):
            row = db.fetch_one(
                conn,
                "select version, committed_at, origin, says from crmshift.explain_writer(%s, %s, %s)",
                [name, Jsonb(row_key), show_values],
            )
            writer = Writer(*row) if row else None
        rows.append(
            Row(
                mapping=name,
                direction=direction,
                table=table,
                view=f"crmshift.{name}_expected",
                made_from=tuple(made_from),
                key=row_key,
                verdict=verdict,
                columns=tuple(columns),
                writer=writer,
            )
        )
    return tuple(rows)


_STATES = {"unmapped": Verdict.UNMAPPED.value, "none": Verdict.NONE.value}


def _made_from(made: dict[str, Made], column: str) -> tuple[str, ...]:
    return made[column].sources if column in made else ()


def _compared(conn: Connection, mapping: str, key: dict[str, Any], show_values: bool) -> list[Any]:
    return db.fetch_all(
        conn,
        """
        select column_name, state, is_expected, is_there, expected_is, found_is, expected, found
          from crmshift.explain_row(%s, %s, %s)
        """,
        [mapping, Jsonb(key), show_values],
    )


def _verdict(conn: Connection, mapping: str, key: dict[str, Any], states: list[str]) -> Verdict:
    """Of a whole row: that of its worst column; where it does not agree and stands in the queue, it waits."""
    for state in ("missing", "extra", "differs"):
        if state in states:
            waits = db.fetch_value(conn, "select crmshift.is_outstanding(%s, %s)", [mapping, Jsonb(key)])
            return Verdict.WAITS if waits else Verdict(state)
    return Verdict.NONE if "none" in states else Verdict.SAME


def _hanging(conn: Connection, subject: str, key: dict[str, Any]) -> tuple[tuple[Hanging, ...], int]:
    """What hangs on a row of legacy, compared by its mappings both ways; where the one is well, the other is not shown too."""
    children = db.fetch_all(
        conn,
        "select count(*) over (), subject, key from crmshift.explain_children(%s, %s) limit %s",
        [subject, Jsonb(key), MOST],
    )
    hanging = []
    for _, child, child_key in children:
        mappings = db.fetch_all(
            conn,
            """
            select o.name, crmshift.rename_keys(jsonb_build_array(%(key)s::jsonb), o.columns, o.key) -> 0
              from (select 'legacy' as written union all select 'target') as w
             cross join lateral crmshift.mappings_of(%(subject)s, w.written) as o
            """,
            {"subject": child, "key": Jsonb(child_key)},
        )
        seen = []
        for mapping, row_key in mappings:
            compared = _compared(conn, mapping, row_key, False)
            verdict = _verdict(conn, mapping, row_key, [c[1] for c in compared])
            seen.append(Hanging(mapping, row_key, verdict, tuple(c[0] for c in compared if c[1] == "differs")))
        hanging.append(next((h for h in seen if not h.verdict.well), seen[0]))
    return tuple(hanging), children[0][0] if children else 0


def _beyond(conn: Connection, subject: str, key: dict[str, Any]) -> tuple[Beyond, ...]:
    # The view tells whose customer's it is: that is the first mapping made of a subject, where it is one of customers.
    owner = db.fetch_value(
        conn,
        """
        select crmshift.rename_keys(jsonb_build_array(%(key)s::jsonb), o.columns, o.key) -> 0 ->> 'cst_id'
          from crmshift.mappings_of(%(subject)s, 'legacy') as o where o.key = '{cst_id}'
        """,
        {"subject": subject, "key": Jsonb(key)},
    )
    rows = db.fetch_all(
        conn,
        "select table_name, key, column_name, what from crmshift.beyond_legacy where customer_id = %s order by 1, 2, 3 limit %s",
        [owner, MOST],
    )
    return tuple(Beyond(*row) for row in rows)


def _queue(conn: Connection, subject: str, key: dict[str, Any], show_values: bool) -> tuple[Queued, ...]:
    rows = db.fetch_all(
        conn,
        """
        select id, key = '{}', side, op, reason, at, sqlstate, constraint_name, table_name, column_name,
               array(select jsonb_object_keys(coalesce(changed, '{}')) order by 1), attempts, retry_at, case when %s then message end
          from crmshift.sync_queue where subject = %s and key in (%s, '{}') order by id limit %s
        """,
        [show_values, subject, Jsonb(key), MOST],
    )
    return tuple(replace(Queued(*row), columns=tuple(row[10])) for row in rows)


def _archive(conn: Connection, subject: str, key: dict[str, Any], show_values: bool) -> tuple[Archived, ...]:
    rows = db.fetch_all(
        conn,
        """
        select id, table_name, key, reason, at, case when %s then row_data end
          from crmshift.explain_archive(%s, %s) limit %s
        """,
        [show_values, subject, Jsonb(key), MOST],
    )
    return tuple(Archived(*row) for row in rows)


def _query(text: str, *parts: sql.Composable) -> Any:
    return sql.SQL(text).format(*parts)
