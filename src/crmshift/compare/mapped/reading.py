"""Reads both sides of a mapping: the live database, and in a scratch database what the plan will add to it; there SQL is tried
before it is offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from crmshift import db, ledger
from crmshift.compare import expected
from crmshift.compare.mapped import access, checks, columns, keys, profile, references
from crmshift.compare.mapped.losses import LegacyColumn, LegacyTable, Loss, Report
from crmshift.compare.mapped.sides import Roles, Sides
from crmshift.compare.mapped.types import short
from crmshift.compare.mapped.ways import View
from crmshift.compare.model import Identity, Kind, Schema
from crmshift.compare.read import read
from crmshift.compare.sources import database_name
from crmshift.db import Connection
from crmshift.errors import DatabaseError, UsageError
from crmshift.mapping import carried

if TYPE_CHECKING:
    from crmshift.steps import Compiled


def run(
    conn: Connection,
    compiled_in: Callable[[Connection], Compiled],
    server: Connection | None,
    *,
    profiled: bool = False,
) -> Report:
    """Compare legacy with the target through the mapping; with `profiled` count the rows that are concerned.

    What the ledger calls applied is taken as it is; what the plan will add is made in a scratch database. Raises `UsageError` where a
    mapped table or column is not there, `Refused` where a profile would not see all rows.
    """
    live = read(conn, database_name(conn))
    compiled = compiled_in(conn)
    _require_columns(live, compiled)
    if profiled:
        profile.require_all_rows(conn, [m.target for m in compiled.in_direction("to_legacy")])
    applied = ledger.applied(conn)
    owner = str(
        db.fetch_value(
            conn,
            "select coalesce((select pg_get_userbyid(nspowner) from pg_namespace where nspname = %s), current_user)",
            [expected.OWN_SCHEMA],
        )
    )
    with expected.legacy_in_scratch(conn, live, compiled, server, owner) as made:
        steps = compiled_in(made).steps
        expected.carry_out(made, [s for s in steps if s.name in applied])
        so_far = read(made, "so far")
        expected.carry_out(made, [s for s in steps if s.name not in applied])
        in_the_end = read(made, "in the end")
        sides = _sides(conn, made, live, (so_far, in_the_end), compiled, owner)
        tables = tuple(_compared(sides, table) for table in sides.legacy_tables)
        trial = Trial(made, live)
        tables = tuple(replace(t, losses=tuple(trial.tried(loss) for loss in t.losses)) for t in tables)
    if profiled:
        tables = tuple(profile.counted(conn, sides, t) for t in tables)
    target = live.name if not sides.coming else f"plan {compiled.plan.name}, before it is applied"
    return Report(live.name, target, live.version, tables, profiled)


def _require_columns(live: Schema, compiled: Compiled) -> None:
    """Raises `UsageError` for the first table or column that the mappings read or write and legacy lacks."""
    legacy = {m.target for m in compiled.in_direction("to_legacy")}
    needed = {t: set(c) for t, c in carried(compiled.in_direction("to_target")).items() if t in legacy}
    for mapping in compiled.in_direction("to_legacy"):
        needed.setdefault(mapping.target, set()).update(mapping.columns)
    for table, names in sorted(needed.items()):
        schema, _, name = table.partition(".")
        if Identity(Kind.TABLE, schema, "", name) not in live.by_identity:
            raise UsageError(
                f"The legacy table {table} does not exist in this database.",
                hint="Connect to the database of the CRM, or adapt sql/mapping/ in a project folder (--project).",
            )
        there = {o.identity.name for o in live.children(schema, name) if o.identity.kind is Kind.COLUMN}
        if missing := sorted(names - there):
            raise UsageError(
                f"The legacy table {table} lacks the mapped column {', '.join(missing)}.",
                hint="Take it out of the views under sql/mapping/ in a project folder (--project), or add it to the table.",
            )


def _sides(
    conn: Connection, made: Connection, live: Schema, planned: tuple[Schema, Schema], compiled: Compiled, owner: str
) -> Sides:
    so_far, in_the_end = planned
    to_come = [
        o for o in in_the_end.objects if o.identity not in so_far.by_identity and o.identity not in live.by_identity
    ]
    target = Schema.of(live.name, live.version, [*live.objects, *to_come])
    # What is not installed in full is read as the plan will make it.
    missing = any(o.identity.kind is Kind.VIEW and o.identity.schema == expected.OWN_SCHEMA for o in to_come)
    registered = made if missing else conn
    views = _views(registered)
    legacy = [
        row[0]
        for row in db.fetch_all(
            registered, "select target from crmshift.mapping where direction = 'to_legacy' order by position"
        )
    ]
    coming = {f"{o.identity.schema}.{o.identity.name}" for o in to_come if o.identity.kind is Kind.TABLE}
    given = {
        o.identity.schema: _listed(o.attributes.get("grants", ()))
        for o in live.objects
        if o.identity.kind is Kind.DEFAULT_PRIVILEGES
        and o.identity.name.endswith(" for tables")
        and o.details["role"] == owner
    }
    return Sides(
        live,
        target,
        views,
        tuple(legacy),
        frozenset(coming & {v.target for v in views}),
        compiled.plan.left_behind,
        given,
        _roles(conn),
        frozenset(
            row[0] for row in db.fetch_all(conn, "select proname from pg_proc group by 1 having bool_and(proleakproof)")
        ),
    )


def _listed(value: Any) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (value,)


def _views(conn: Connection) -> tuple[View, ...]:
    """Mappings to the target as they are installed, parents first."""
    with db.transaction(conn):
        # Definitions name the schema of every table then, and are printed under a lock on what they read.
        conn.execute("set local search_path = ''; set local lock_timeout = '2s'")
        rows = db.fetch_all(
            conn,
            """
            select m.name, m.target, m.conflict_where,
                   array(select f.source from crmshift.feed as f where f.mapping = m.name and f.mode = 'sync' order by f.source),
                   pg_get_viewdef(to_regclass(format('crmshift.%%I', m.name || '_expected')), true)
              from crmshift.mapping as m where m.direction = %s order by m.position
            """,
            ["to_target"],
        )
    gone = [row[0] for row in rows if row[4] is None]
    if gone:
        raise UsageError(
            f"The mapping {', '.join(gone)} is registered, but its view crmshift.{gone[0]}_expected is gone.",
            hint="crmshift compare shows what else differs from the plan.",
        )
    return tuple(
        View(name, target, tuple(sources), where, definition) for name, target, where, sources, definition in rows
    )


def _roles(conn: Connection) -> Roles:
    inherits = db.fetch_all(
        conn,
        """
        select m.rolname, r.rolname from pg_roles as m join pg_roles as r on r.oid <> m.oid and pg_has_role(m.oid, r.oid, 'usage')
         where not m.rolsuper
        """,
    )
    superusers = db.fetch_all(conn, "select rolname from pg_roles where rolsuper")
    return Roles(frozenset((m, r) for m, r in inherits), frozenset(r for (r,) in superusers))


def _compared(sides: Sides, table: str) -> LegacyTable:
    found = [loss for subject in (columns, keys, references, checks, access) for loss in subject.losses(sides, table)]
    listed = []
    for name, column in sides.columns(table).items():
        ways = tuple(sides.ways_of(table, name))
        to_types = {
            f"{w.table}.{w.column}": short(str(sides.columns(w.table)[w.column].details["type"]))
            for w in ways
            if w.column
        }
        listed.append(LegacyColumn(name, short(str(column.details["type"])), ways, to_types))
    notes = (*access.notes(sides, table), *keys.notes(sides, table))
    return LegacyTable(table, sides.targets(table), tuple(listed), tuple(dict.fromkeys(found)), notes)


class Trial:
    """Executes SQL in the scratch database, where the target's tables are, before it is offered."""

    def __init__(self, made: Connection, live: Schema) -> None:
        self._made = made
        self._live = live
        self._there: set[Identity] = set()

    def tried(self, loss: Loss) -> Loss:
        """A loss with the SQL it offers where that can be executed; else with the reason why it cannot."""
        if not loss.offer:
            return loss
        try:
            for needed in loss.needs:
                self._make(needed)
            for statement in loss.offer:
                self._execute(statement)
        except DatabaseError as error:
            return replace(loss, offer=(), no_offer=f"what was made of it cannot be executed: {error.message}")
        return loss

    def _make(self, identity: Identity) -> None:
        """What an expression of legacy builds on, as the live database has it: a function and what that needs, or a table."""
        if identity.kind is Kind.COLUMN:
            identity = Identity(Kind.TABLE, identity.schema, "", identity.parent)
        o = self._live.by_identity.get(identity)
        if o is None or identity in self._there or identity.kind not in (Kind.FUNCTION, Kind.TABLE, Kind.SEQUENCE):
            return
        self._there.add(identity)
        for needed in o.depends_on:
            self._make(needed)
        for statement in self._statements(identity):
            with suppress(DatabaseError):  # it is there, or will be missed by the statement that is tried
                self._execute(statement)

    def _statements(self, identity: Identity) -> Iterator[str]:
        if identity.schema != "public":
            yield _text("create schema if not exists {}", identity.schema)
        if identity.kind is Kind.TABLE:
            yield from (
                s.as_string() for s in expected.tables_as_they_are(self._live, {f"{identity.schema}.{identity.name}"})
            )
        elif identity.kind is Kind.SEQUENCE:
            yield _text("create sequence {}", identity.schema, identity.name)
        else:
            yield "set check_function_bodies = off"
            yield str(self._live.by_identity[identity].details["full definition"])

    def _execute(self, statement: str) -> None:
        with db.translated():
            db.execute_script(self._made, statement)


def _text(statement: Any, *names: str) -> str:
    from psycopg import sql

    return sql.SQL(statement).format(sql.Identifier(*names)).as_string()
