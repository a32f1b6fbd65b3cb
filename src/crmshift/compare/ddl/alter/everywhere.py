"""ALTER of what objects of all kinds have: owner, grants, comment, label."""

from __future__ import annotations

from crmshift.compare.ddl.address import address, parts
from crmshift.compare.ddl.alter.alteration import Alteration
from crmshift.compare.ddl.grants import default_privileges, grants
from crmshift.compare.ddl.names import literal, quoted
from crmshift.compare.ddl.statement import (
    Statement,
    locks,
)
from crmshift.compare.model import Kind


def owner(a: Alteration) -> list[Statement]:
    if not a.new or a.now.identity.kind is Kind.EXTENSION:
        return []
    if a.new == a.b.loaded_by and a.was is None:
        return []  # whoever runs the script, as nobody named another
    if a.now.identity.kind is Kind.SEQUENCE and (
        "identity of" in a.now.attributes or (a.was is not None and "owned by" in a.was.attributes)
    ):
        return []  # it goes with its table
    if a.now.identity.kind is Kind.FOREIGN_DATA_WRAPPER:
        return a.one(f"alter foreign data wrapper {quoted(a.now.identity.name)} owner to {quoted(a.new)}")
    lock = [locks(a.on)] if a.now.identity.kind in (Kind.TABLE, Kind.MATERIALIZED_VIEW) else []
    return a.one(f"alter {address(a.now)} owner to {quoted(a.new)}", *lock)


def rights(a: Alteration) -> list[Statement]:
    given = default_privileges if a.now.identity.kind is Kind.DEFAULT_PRIVILEGES else grants
    return [Statement(sql, a.now.identity) for sql in given(a.now, parts(a.change.old), parts(a.change.new))]


def comment(a: Alteration) -> list[Statement]:
    said = literal(a.new) if a.change.new is not None else "null"
    return a.one(f"comment on {address(a.now)} is {said}")


def security_label(a: Alteration) -> list[Statement]:
    old, new = (dict(p.split(": ", 1) for p in parts(v)) for v in (a.change.old, a.change.new))
    return [
        s
        for provider in sorted(old.keys() | new.keys())
        if old.get(provider) != new.get(provider)
        for s in a.one(
            f"security label for {quoted(provider)} on {address(a.now)} is {literal(new[provider]) if provider in new else 'null'}"
        )
    ]


def extensions(a: Alteration) -> list[Statement]:
    gone, come = a.change.elements or ((), ())
    return [
        *(s for e in gone for s in a.one(f"alter {address(a.now)} no depends on extension {quoted(e)}")),
        *(s for e in come for s in a.one(f"alter {address(a.now)} depends on extension {quoted(e)}")),
    ]
