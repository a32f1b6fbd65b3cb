"""What the plan says a database should hold: its applied steps, carried out once more in a scratch database.

The legacy tables are taken as they are: they are made there as the live database has them, as far as steps build on them.
Only what crmshift makes is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from psycopg import sql

from crmshift import db, ledger
from crmshift.apply import execute
from crmshift.compare.model import Kind, Object, Schema, in_dependency_order
from crmshift.compare.read import read
from crmshift.compare.scratch import workshop
from crmshift.compare.sources import database_name
from crmshift.db import Connection, fetch_value
from crmshift.errors import CrmshiftError, DatabaseError, UsageError
from crmshift.preflight import SHARED_TABLES

if TYPE_CHECKING:
    from crmshift.steps import Compiled, Step

OWN_SCHEMA = "crmshift"


@dataclass(frozen=True)
class Drift:
    """The two sides to compare: the live database and what the plan says, each only as far as crmshift makes it. whole: all of the first."""

    live: Schema
    expected: Schema
    whole: Schema


def read_both(conn: Connection, compiled_in: Callable[[Connection], Compiled], server: Connection | None) -> Drift:
    """The live database, and what the steps that its ledger calls applied make of its legacy tables.

    compiled_in: makes out the plan in a database. server: where the scratch database is made; None: on an embedded one. Raises `UsageError` where nothing is applied.
    """
    applied = ledger.applied(conn)
    if not applied:
        raise UsageError(
            "Nothing of the plan is applied here, so there is nothing to compare with it.",
            hint="Compare any two with --from and --to, or begin with crmshift plan.",
        )
    live = read(conn, database_name(conn))
    here = compiled_in(conn)
    # Whoever applied it owns it, and is named in policies.
    owner = str(
        fetch_value(conn, "select pg_get_userbyid(nspowner) from pg_namespace where nspname = %s", [OWN_SCHEMA])
    )
    with legacy_in_scratch(conn, live, here, server, owner) as made:
        before = read(made, "legacy")
        carry_out(made, [s for s in compiled_in(made).steps if s.name in applied])
        after = read(made, f"plan {here.plan.name}, {len(applied)} of {len(here.plan.steps)} steps applied")
    ours = [o for o in after.objects if o.identity not in before.by_identity]
    # What they are attached to is taken as it is, on both sides.
    holders = {live.holder(o.identity) for o in ours}
    given = {live.by_identity[i] for i in holders if i is not None and i in before.by_identity}
    return Drift(
        Schema.of(live.name, live.version, {*_made_by_us(live, ours, owner), *given}),
        Schema.of(after.name, after.version, {*ours, *given}),
        live,
    )


@contextmanager
def legacy_in_scratch(
    conn: Connection, live: Schema, compiled: Compiled, server: Connection | None, owner: str
) -> Iterator[Connection]:
    """A scratch database that belongs to `owner` and holds the legacy tables as the live one has them; a connection as that role."""
    with (
        workshop(server, owner=owner, version=live.version, roles_of=conn) as shop,
        shop.database(owner) as made,
    ):
        legacy = {mapping.target for mapping in compiled.in_direction("to_legacy")} | SHARED_TABLES.keys()
        for extension in (o for o in live.objects if o.identity.kind is Kind.EXTENSION):
            with suppress(DatabaseError):  # only those of legacy's types are needed, and will be missed
                _execute(made, _create_extension(extension))
        _execute(made, sql.SQL("set role {}").format(sql.Identifier(owner)))
        for statement in tables_as_they_are(live, legacy):
            _execute(made, statement)
        yield made


def carry_out(made: Connection, steps: Iterable[Step]) -> None:
    """Carry out steps in a scratch database, but for those that move or look at rows."""
    for step in (s for s in steps if s.transactional):
        try:
            with db.transaction(made):
                execute(made, [s.sql for s in step.statements])
        except CrmshiftError as error:
            error.message = f"Step {step.name} cannot be carried out in a scratch database: {error.message}"
            raise


def _execute(conn: Connection, statement: sql.SQL | sql.Composed) -> None:
    with db.translated():
        conn.execute(statement)


def _made_by_us(live: Schema, expected: Sequence[Object], owner: str) -> Iterator[Object]:
    """Of the live database what crmshift makes, all else in its own schema, and all policies of its tables: they work together.

    What else others add to its tables, indexes and grants above all, is theirs. So are grants that default privileges explain.
    """
    ours = {o.identity: o for o in expected}
    tables = {(i.schema, i.name) for i in ours if i.kind is Kind.TABLE}
    given = {
        grant
        for o in live.objects
        if o.identity.kind is Kind.DEFAULT_PRIVILEGES and o.details["role"] == owner
        for grant in _grants(o)
    }

    def kept(o: Object) -> bool:
        i = o.identity
        return (
            i in ours
            or i.schema == OWN_SCHEMA
            or (i.kind is Kind.POLICY and (i.schema, i.parent) in tables)
            or (i.kind is Kind.TRIGGER and i.name.startswith("crmshift_"))
        )

    def without_others_grants(o: Object) -> Object:
        other = o.identity.schema != OWN_SCHEMA
        expected = _grants(ours[o.identity]) if o.identity in ours else ()
        grants = tuple(
            g
            for g in _grants(o)
            if g in expected or not (g in given or (other and not g.startswith("no ") and not g.endswith("to PUBLIC")))
        )
        attributes = {name: value for name, value in o.attributes.items() if name != "grants"}
        return replace(o, attributes=attributes | ({"grants": grants} if grants else {}))

    return (without_others_grants(o) for o in live.objects if kept(o))


def _grants(o: Object) -> tuple[str, ...]:
    grants = o.attributes.get("grants", ())
    return grants if isinstance(grants, tuple) else (grants,)


# --- the legacy tables, as far as steps build on them -------------------------------------------------------------------


def _create_extension(extension: Object) -> sql.Composed:
    schema = sql.SQL(_text(extension, "schema"))
    return sql.SQL("create schema if not exists {}; create extension if not exists {} schema {}").format(
        schema, sql.Identifier(extension.identity.name), schema
    )


def tables_as_they_are(live: Schema, tables: set[str]) -> Iterator[sql.Composed]:
    """Statements that make tables, without rows: types, sequences, columns, keys and partitions; no defaults, checks, triggers or rights."""
    wanted = {i for i in live.by_identity if i.kind is Kind.TABLE and f"{i.schema}.{i.name}" in tables}
    while partitions := {
        o.identity
        for o in live.objects
        if o.identity not in wanted
        and _text(o, "partition of") in {_text(live.by_identity[i], "quoted name") for i in wanted}
    }:
        wanted |= partitions
    types = (Kind.ENUM, Kind.DOMAIN, Kind.COMPOSITE_TYPE, Kind.RANGE, Kind.SEQUENCE)
    reached = set(wanted)
    while more := {
        i for known in reached for i in live.by_identity[known].depends_on if i.kind in types and i not in reached
    }:
        reached |= more
    objects = in_dependency_order(live.by_identity[i] for i in reached)
    for schema in sorted({i.schema for i in reached}):
        yield sql.SQL("create schema if not exists {}").format(sql.Identifier(schema))
    for o in objects:
        yield _create_table(live, o) if o.identity in wanted else _create_part(o)
    for o in live.objects:
        owner = live.holder(o.identity)
        if (
            owner is not None
            and owner in wanted
            and "part of" not in o.attributes
            and "index is part of" not in o.attributes
        ):
            if o.identity.kind is Kind.CONSTRAINT and o.details["type"] in ("primary key", "unique"):
                yield sql.SQL("alter table {} add constraint {} {}").format(
                    sql.SQL(_text(live.by_identity[owner], "quoted name")),
                    sql.Identifier(o.identity.name),
                    sql.SQL(_text(o, "full definition")),
                )
            elif o.identity.kind is Kind.INDEX and "unique" in o.details:
                yield sql.SQL("{}").format(sql.SQL(_text(o, "definition")))


def _create_part(o: Object) -> sql.Composed:
    name = sql.Identifier(o.identity.schema, o.identity.name)
    if o.identity.kind is Kind.SEQUENCE:
        return sql.SQL("create sequence {}").format(name)
    if o.identity.kind is Kind.ENUM:
        labels = sql.SQL(", ").join(map(sql.Literal, o.attributes.get("labels", ())))
        return sql.SQL("create type {} as enum ({})").format(name, labels)
    if o.identity.kind is Kind.DOMAIN:
        return sql.SQL("create domain {} as {}").format(name, sql.SQL(_text(o, "type")))
    if o.identity.kind is Kind.RANGE:
        return sql.SQL("create type {} as range (subtype = {})").format(name, sql.SQL(_text(o, "subtype")))
    fields = sql.SQL(", ").join(map(sql.SQL, o.attributes.get("fields", ())))
    return sql.SQL("create type {} as ({})").format(name, fields)


def _create_table(live: Schema, o: Object) -> sql.Composed:
    name = sql.SQL(_text(o, "quoted name"))
    by = sql.SQL(f" partition by {o.attributes['partitioned by']}" if "partitioned by" in o.attributes else "")
    if "partition of" in o.attributes:
        bounds = sql.SQL(_text(o, "bounds"))
        return sql.SQL("create table {} partition of {} {}{}").format(
            name, sql.SQL(_text(o, "partition of")), bounds, by
        )
    columns = sorted(
        (c for c in live.children(o.identity.schema, o.identity.name) if c.identity.kind is Kind.COLUMN),
        key=lambda c: _text(c, "position"),
    )
    listed = sql.SQL(", ").join(
        sql.SQL("{} {} {}").format(
            sql.Identifier(c.identity.name),
            sql.SQL(_text(c, "type")),
            _identity(live, c)
            if "identity" in c.attributes
            else sql.SQL("not null" if "not null" in c.attributes else ""),
        )
        for c in columns
    )
    return sql.SQL("create table {} ({}){}").format(name, listed, by)


def _identity(live: Schema, column: Object) -> sql.Composed:
    sequence = next(
        o.identity for o in live.objects if o.identity.kind is Kind.SEQUENCE and column.identity in o.depends_on
    )
    return sql.SQL("generated by default as identity (sequence name {})").format(
        sql.Identifier(sequence.schema, sequence.name)
    )


def _text(o: Object, name: str) -> str:
    """An attribute or detail that is one text; empty where there is none."""
    return str(o.attributes.get(name) or o.details.get(name) or "")
