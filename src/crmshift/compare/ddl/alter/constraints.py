"""ALTER of constraints and indexes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crmshift.compare.ddl.address import address, holder, parts, text
from crmshift.compare.ddl.alter.alteration import Alteration, Remake, set_options
from crmshift.compare.ddl.names import literal, qualified, quoted
from crmshift.compare.ddl.statement import (
    CannotBeMade,
    Statement,
    locks,
    may_fail,
    rewrites,
    scans,
)
from crmshift.compare.model import Kind, Object


def part_of_index(a: Alteration) -> list[Statement]:
    if not a.new or a.old:
        raise Remake
    return a.one(f"alter index {a.new} attach partition {qualified(a.now.identity.schema, a.now.identity.name)}")


def part_of_constraint(a: Alteration) -> list[Statement]:
    if not a.new or a.old:
        raise Remake
    parent = next(
        o.identity
        for o in a.b.objects
        if o.identity.kind is Kind.CONSTRAINT and f"{holder(o)}.{quoted(o.identity.name)}" == a.new
    )
    index = qualified(parent.schema, parent.name)
    return a.one(f"alter index {index} attach partition {qualified(a.now.identity.schema, a.now.identity.name)}")


def deferrable(a: Alteration) -> list[Statement]:
    if text(a.now, "type") != "foreign key":
        raise Remake
    said = {"": "not deferrable", "yes": "deferrable initially immediate"}.get(a.new, "deferrable initially deferred")
    return a.table(f"alter constraint {a.column} {said}")


def validated(a: Alteration) -> list[Statement]:
    if a.new:
        raise Remake
    return validate(a.now, a.kind_of_holder)


def validate(k: Object, kind: str) -> list[Statement]:
    """VALIDATE CONSTRAINT: reads all rows, and blocks nobody."""
    return [
        Statement(
            f"alter {kind} {holder(k)} validate constraint {quoted(k.identity.name)}",
            k.identity,
            (scans(holder(k)), may_fail("where a row does not hold it")),
            transactional=False,
        )
    ]


def _index_of_constraint(a: Alteration) -> str:
    return f"index {qualified(a.now.identity.schema, a.now.identity.name)}"


def index_options(a: Alteration) -> list[Statement]:
    return set_options(_index_of_constraint(a), a)


def index_tablespace(a: Alteration) -> list[Statement]:
    moved = f"alter {_index_of_constraint(a)} set tablespace {quoted(a.new or 'pg_default')}"
    return a.one(moved, rewrites(f"the index {a.column}"), locks(a.on))


def clustered(a: Alteration) -> list[Statement]:
    if a.new:
        return a.one(f"alter {a.kind_of_holder} {a.on} cluster on {a.column}")
    others = a.b.children(a.now.identity.schema, a.now.identity.parent)
    if any("clustered" in o.attributes for o in others):
        return []  # marking the other takes it from this one
    return a.one(f"alter {a.kind_of_holder} {a.on} set without cluster")


def comment_on_index(a: Alteration) -> list[Statement]:
    said = literal(a.new) if a.change.new is not None else "null"
    return a.one(f"comment on {_index_of_constraint(a)} is {said}")


def triggers_of_constraint(a: Alteration) -> list[Statement]:
    """Of a foreign key those on its own table: they have no names that could be written down."""
    verb = {"": "enable", "disabled": "disable", "on replicas only": "enable replica", "always": "enable always"}.get(
        a.new
    )
    if verb is None:
        raise CannotBeMade("its triggers fire at different times")
    tables = "tgrelid" if not a.new else literal(a.on) + "::regclass"
    return a.one(
        f"""do $$
declare
    g record;
begin
    for g in select t.tgname, t.tgrelid::regclass as on_table
               from pg_catalog.pg_trigger as t join pg_catalog.pg_constraint as k on k.oid = t.tgconstraint
              where k.conrelid = {literal(a.on)}::regclass and k.conname = {literal(a.now.identity.name)} and t.tgrelid = {tables}
    loop
        execute format('alter table %s {verb} trigger %I', g.on_table, g.tgname);
    end loop;
end $$""",
        locks(a.on, reads=False),
    )


def index_is_invalid(a: Alteration) -> list[Statement]:
    if "a partition lacks its own" in a.new:
        return []
    if a.new:
        raise CannotBeMade("no statement makes an index invalid")
    raise Remake


def index_valid(a: Alteration) -> list[Statement]:
    if a.was is None and re.match(r"CREATE (UNIQUE )?INDEX .*? ON ONLY ", text(a.now, "definition")):
        return []  # it is, until every partition has its own
    if a.new and a.was is None:
        raise CannotBeMade("no statement makes an index invalid")
    raise Remake


def index_statistics(a: Alteration) -> list[Statement]:
    said = []
    old, new = (_targets(parts(v)) for v in (a.change.old, a.change.new))
    for number in sorted(old.keys() | new.keys()):
        if old.get(number) != new.get(number):
            said += a.one(f"alter {address(a.now)} alter column {number} set statistics {new.get(number, -1)}")
    return said


def _targets(given: Sequence[str]) -> dict[int, int]:
    found = (re.fullmatch(r"column (\d+): (\d+)", g) for g in given)
    return {int(f[1]): int(f[2]) for f in found if f}


def index_in_tablespace(a: Alteration) -> list[Statement]:
    moved = f"alter {address(a.now)} set tablespace {quoted(a.new or 'pg_default')}"
    return a.one(moved, rewrites(f"the index {a.column}"), locks(a.on))
