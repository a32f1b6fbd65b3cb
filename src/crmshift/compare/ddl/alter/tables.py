"""ALTER of tables, and of what they are part of."""

from __future__ import annotations

from crmshift.compare.ddl.address import address, name, parts, text
from crmshift.compare.ddl.alter.alteration import Alteration, Remake, set_options
from crmshift.compare.ddl.names import literal, quoted
from crmshift.compare.ddl.statement import (
    CannotBeMade,
    Statement,
    locks,
    loses,
    may_fail,
    of_new,
    rewrites,
    scans,
)
from crmshift.compare.difference import Change
from crmshift.compare.model import Kind, Object


def persistence(a: Alteration) -> list[Statement]:
    emptied = [loses("a crash of the server empties it from then on")] if a.new == "unlogged" else []
    return a.table(f"set {a.new or 'logged'}", *emptied, rewrites(a.on), locks(a.on))


def inherits(a: Alteration) -> list[Statement]:
    """INHERIT; what it inherits no more was let go before."""
    gone, come = let_go(a.change), [p for p in parts(a.change.new) if p not in parts(a.change.old)]
    if not gone and not come:
        raise Remake
    return [s for p in come for s in a.table(f"inherit {p}")]


def of_type(a: Alteration) -> list[Statement]:
    return a.table(f"of {a.new}") if a.new else []


def let_go(change: Change) -> list[str]:
    """What a table must not be any more before its columns change: `not of`, `no inherit parent`."""
    if change.attribute == "of type":
        return ["not of"] if change.old else []
    return [f"no inherit {p}" for p in parts(change.old) if p not in parts(change.new)]


def access_method(a: Alteration) -> list[Statement]:
    return a.table(f"set access method {quoted(a.new or 'heap')}", rewrites(a.on), locks(a.on))


def tablespace(a: Alteration) -> list[Statement]:
    return a.table(f"set tablespace {quoted(a.new or 'pg_default')}", rewrites(a.on), locks(a.on))


def options(a: Alteration) -> list[Statement]:
    return set_options(address(a.now), a)


def replica_identity(a: Alteration) -> list[Statement]:
    if a.new == "index that is gone":
        raise CannotBeMade("the index of its replica identity is gone")
    said = f"using {a.new}" if a.new.startswith("index ") else a.new or "default"
    return a.table(f"replica identity {said}")


def row_level_security(a: Alteration) -> list[Statement]:
    return a.table(f"{'enable' if a.new else 'disable'} row level security")


def row_level_security_forced(a: Alteration) -> list[Statement]:
    return a.table(f"{'force' if a.new else 'no force'} row level security")


def foreign_options(a: Alteration) -> list[Statement]:
    where = f"{_foreign(a)} {_generic_options(a)}"
    return a.one(where)


def _foreign(a: Alteration) -> str:
    if a.now.identity.kind is Kind.COLUMN:
        return f"alter foreign table {a.on} alter column {a.column}"
    return f"alter {address(a.now)}"


def _generic_options(a: Alteration) -> str:
    old, new = (dict(_option(o) for o in parts(v)) for v in (a.change.old, a.change.new))
    said = [f"drop {quoted(k)}" for k in old if k not in new]
    for key, value in new.items():
        if key not in old or old[key] != value:
            if value is None:
                raise CannotBeMade(f"the option {key} may be secret, so its value is not read; set it by hand")
            said.append(f"{'set' if key in old else 'add'} {quoted(key)} {literal(value)}")
    return f"options ({', '.join(said)})"


def _option(given: str) -> tuple[str, str | None]:
    key, equals, value = given.partition("=")
    return key, value if equals else None


def place_partition(a: Alteration) -> list[Statement]:
    """ATTACH PARTITION; where it was one elsewhere or with other bounds, DETACH before it."""
    if (
        a.change.attribute == "bounds"
        and a.was is not None
        and text(a.was, "partition of") != text(a.now, "partition of")
    ):
        return []
    if a.change.attribute == "bounds" and a.was is None:
        return []
    said = []
    if a.was is not None and "partition of" in a.was.attributes:
        parent = text(a.was, "partition of")
        said += a.one(f"alter table {parent} detach partition {a.on}", locks(parent, a.on))
    if "partition of" in a.now.attributes:
        said += attach(a.now, a.fresh)
    return said


def attach(o: Object, fresh: bool) -> list[Statement]:
    """ATTACH PARTITION."""
    parent, table = text(o, "partition of"), name(o.identity)
    hazards = (scans(table, "reads and writes of it wait"), may_fail("where a row is out of bounds"), locks(table))
    sql = f"alter table {parent} attach partition {table} {text(o, 'bounds')}"
    return [Statement(sql, o.identity, of_new(fresh, hazards))]
