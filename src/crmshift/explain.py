"""The life of one row: both sides, the mapping between them, who wrote last, what hangs on it, what waits, what was lost.

Everything is read in one snapshot, and which tables there are is asked of the registry. Values stay in the database unless the
operator asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from crmshift import db
from crmshift.db import Connection
from crmshift.errors import DatabaseError, Refused, UsageError
from crmshift.mapping import Made, lineage

MOST = 50
"""Rows that hang on the one, and entries of a log, that are looked at. What is beyond is counted."""


class Verdict(StrEnum):
    """What is to be said of a column, or of a row."""

    SAME = "same"
    AGREES = "agrees"
    DIFFERS = "differs"
    MISSING = "missing"
    EXTRA = "extra"
    UNMAPPED = "only here"
    WAITS = "waits in the queue"
    CONFLICT = "conflict is open"
    NONE = "neither side"

    @property
    def well(self) -> bool:
        return self in (Verdict.SAME, Verdict.AGREES, Verdict.UNMAPPED, Verdict.NONE)


@dataclass(frozen=True)
class Shown:
    """What is said of a value: its looks; and the value itself, where it was asked for."""

    looks: str
    value: Any


@dataclass(frozen=True)
class Column:
    """A column of a mapped table. made: how its view makes it, None where the mapping does not speak of it. lost: conflicts in
    which it lost a value."""

    name: str
    verdict: Verdict
    expected: Shown
    found: Shown
    made: Made | None
    lost: tuple[int, ...]


@dataclass(frozen=True)
class Writer:
    """Who wrote a row last, as far as that can be known. says: what the row's own columns tell of it."""

    transaction: str
    committed_at: datetime | None
    origin: str | None
    says: dict[str, str]


@dataclass(frozen=True)
class Row:
    """A row of a mapped table beside what the view of its mapping expects."""

    mapping: str
    direction: str
    table: str
    view: str
    made_from: tuple[str, ...]
    key: dict[str, Any]
    verdict: Verdict
    columns: tuple[Column, ...]
    writer: Writer | None


@dataclass(frozen=True)
class Hanging:
    """A row that hangs on the one, by a mapping. columns: those that differ."""

    mapping: str
    key: dict[str, Any]
    verdict: Verdict
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Beyond:
    """What legacy has no place for: a row of the target, or one value of it."""

    table: str
    key: dict[str, Any]
    column: str | None
    what: str


@dataclass(frozen=True)
class Queued:
    """An entry of the sync queue. whole: it is about all rows of the table. message: only where values are shown."""

    id: int
    whole: bool
    side: str
    op: str
    reason: str
    at: datetime
    sqlstate: str | None
    constraint: str | None
    table: str | None
    column: str | None
    columns: tuple[str, ...]
    attempts: int
    retry_at: datetime | None
    message: str | None


@dataclass(frozen=True)
class Conflict:
    """An entry of the conflict log. losing: only where values are shown."""

    id: int
    kind: str
    columns: tuple[str, ...]
    policy: str
    winner: str | None
    at: datetime
    decision: str | None
    decided_by: str | None
    losing: dict[str, list[Any]] | None


@dataclass(frozen=True)
class Archived:
    """A row in the archive. row: only where values are shown."""

    id: int
    table: str
    key: dict[str, Any]
    reason: str
    at: datetime
    row: dict[str, Any] | None


@dataclass(frozen=True)
class Explanation:
    """All that is known of a row. A subject is a row of legacy and all that is made of it: what was asked for is part of one.

    unspoken: the table that was asked for has the row, but its mapping does not speak of it: legacy has no place for it.
    hanging_count: how many rows hang on it; `hanging` are the first. times_kept: whether the server keeps when transactions commit.
    """

    asked: str
    table: str
    unspoken: bool
    subject: str
    key: dict[str, Any]
    backfilled: bool
    paused: bool
    times_kept: bool
    rows: tuple[Row, ...]
    hanging: tuple[Hanging, ...]
    hanging_count: int
    beyond: tuple[Beyond, ...]
    queue: tuple[Queued, ...]
    conflicts: tuple[Conflict, ...]
    archive: tuple[Archived, ...]

    @property
    def found(self) -> bool:
        """Whether either side, the queue, a log or the archive knows it."""
        there = any(r.verdict is not Verdict.NONE for r in self.rows)
        return there or self.unspoken or bool(self.queue or self.conflicts or self.archive)

    @property
    def agrees(self) -> bool:
        """Whether both sides agree about it and all that hangs on it, and nothing waits."""
        return (
            not self.queue
            and all(r.verdict.well for r in self.rows)
            and all(h.verdict.well for h in self.hanging)
            and all(c.winner is not None for c in self.conflicts)
        )

    @property
    def next_steps(self) -> tuple[str, ...]:
        """What to type next."""
        undecided = [c for c in self.conflicts if c.winner is None and c.decision is None]
        verdicts = {r.verdict for r in self.rows} | {h.verdict for h in self.hanging}
        if undecided:
            return (f"crmshift conflicts show {undecided[0].id}",)
        if self.paused and (self.queue or Verdict.WAITS in verdicts):
            return ("crmshift sync resume",)
        if self.queue or Verdict.WAITS in verdicts:
            return ("crmshift sync status", "crmshift sync drain")
        if not all(v.well for v in verdicts):
            return ("crmshift validate --repair",) if self.backfilled else ("crmshift apply --to parallel-operation",)
        return ()


def run(conn: Connection, asked: str, *, show_values: bool = False) -> Explanation:
    """Explain `<kind>:<id>`, for instance `contact:00000000-…`; an id of several columns has commas between them.

    Raises `Refused` where nothing is installed or rows are hidden, `UsageError` for an unknown kind or a malformed id. A row that
    nobody knows is an answer: see `Explanation.found`.
    """
    with _snapshot(conn):
        _require_installed(conn)
        table, row_key, unspoken = _row_asked_for(conn, asked)
        subject, key = _subject_of(conn, table, row_key)
        conflicts = _conflicts(conn, subject, key, show_values)
        hanging, hanging_count = _hanging(conn, subject, key)
        return Explanation(
            asked=asked,
            table=table,
            unspoken=unspoken,
            subject=subject,
            key=key,
            backfilled=not db.fetch_value(conn, "select exists (select from crmshift.check_backfill_complete())"),
            paused=db.fetch_value(conn, "select exists (select from crmshift.sync_control where paused)"),
            times_kept=db.fetch_value(conn, "select current_setting('track_commit_timestamp')::boolean"),
            rows=_rows(conn, subject, key, conflicts, show_values),
            hanging=hanging,
            hanging_count=hanging_count,
            beyond=_beyond(conn, subject, key),
            queue=_queue(conn, subject, key, show_values),
            conflicts=conflicts,
            archive=_archive(conn, subject, key, show_values),
        )


@contextmanager
def _snapshot(conn: Connection) -> Iterator[None]:
    with db.transaction(conn):
        conn.execute("set transaction isolation level repeatable read, read only")
        conn.execute("set local search_path = ''")  # so that definitions of views name the schema of every table
        yield


def _require_installed(conn: Connection) -> None:
    if db.fetch_value(conn, "select to_regproc('crmshift.explain_row')") is None:
        raise Refused(
            "There is nothing to explain: crmshift is not installed in this database.",
            hint="Run: crmshift apply --to sync-layer",
        )
    hidden = db.fetch_value(
        conn,
        "select string_agg(distinct target, ', ' order by target) from crmshift.mapping where row_security_active(target)",
    )
    if hidden:
        raise Refused(
            f"Row-level security hides rows of {hidden} from this role: what it does not see would be taken for missing.",
            hint="Connect as the role that installed crmshift, or another that bypasses row-level security.",
        )


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
    conn: Connection, subject: str, key: dict[str, Any], conflicts: tuple[Conflict, ...], show_values: bool
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
            mine = [c for c in conflicts if not c.columns or of_legacy & set(c.columns)]
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


def _conflicts(conn: Connection, subject: str, key: dict[str, Any], show_values: bool) -> tuple[Conflict, ...]:
    rows = db.fetch_all(
        conn,
        """
        select id, kind, columns, policy, winner, at, decision, decided_by, case when %s then losing end
          from crmshift.conflict_log where subject = %s and key = %s order by winner is not null, id desc limit %s
        """,
        [show_values, subject, Jsonb(key), MOST],
    )
    return tuple(Conflict(row[0], row[1], tuple(row[2]), *row[3:]) for row in rows)


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
