"""What an object is called in DROP, ALTER and COMMENT ON."""

from __future__ import annotations

from crmshift.compare.ddl.names import qualified, quoted
from crmshift.compare.model import Identity, Kind, Object, Value

_WORDS = {
    Kind.ENUM: "type",
    Kind.COMPOSITE_TYPE: "type",
    Kind.RANGE: "type",
    Kind.BASE_TYPE: "type",
    Kind.FOREIGN_DATA_WRAPPER: "foreign data wrapper",
}
TYPES = frozenset({Kind.ENUM, Kind.DOMAIN, Kind.COMPOSITE_TYPE, Kind.RANGE, Kind.BASE_TYPE})
ROUTINES = frozenset({Kind.FUNCTION, Kind.PROCEDURE, Kind.AGGREGATE})
RELATIONS = frozenset({Kind.TABLE, Kind.FOREIGN_TABLE, Kind.VIEW, Kind.MATERIALIZED_VIEW})


def text(o: Object, name: str) -> str:
    """An attribute or detail that is one text; empty where there is none."""
    return as_text(o.attributes.get(name) or o.details.get(name))


def as_text(value: Value | None) -> str:
    return value if isinstance(value, str) else ", ".join(value or ())


def parts(value: Value | None) -> tuple[str, ...]:
    """An attribute that has several parts; one given as a text is one part."""
    return (value,) if isinstance(value, str) else tuple(value or ())


def word(kind: Kind) -> str:
    """The kind in SQL."""
    return _WORDS.get(kind, str(kind))


def name(identity: Identity) -> str:
    """The qualified name of what has one of its own."""
    return quoted(identity.name) if identity.kind is Kind.SCHEMA else qualified(identity.schema, identity.name)


def holder(o: Object | Identity) -> str:
    """The qualified name of the table, view or domain that something belongs to."""
    identity = o.identity if isinstance(o, Object) else o
    return qualified(identity.schema, identity.parent)


def address(o: Object) -> str:
    """The object with its kind: `table public.t`, `trigger g on public.t`, `function public.f(integer)`."""
    i, kind = o.identity, o.identity.kind
    if kind is Kind.COLUMN:
        return f"column {holder(o)}.{quoted(i.name)}"
    if kind is Kind.CONSTRAINT:
        domain = "domain " if text(o, "of") == "domain" else ""
        return f"constraint {quoted(i.name)} on {domain}{holder(o)}"
    if kind in (Kind.TRIGGER, Kind.RULE, Kind.POLICY):
        return f"{kind} {quoted(i.name)} on {holder(o)}"
    if kind in ROUTINES:
        return f"{kind} {qualified(i.schema, text(o, 'name'))}({text(o, 'identity arguments') or '*' * (kind is Kind.AGGREGATE)})"
    if kind is Kind.OPERATOR:
        left, right = text(o, "left") or "none", text(o, "right")
        return f"operator {quoted(i.schema)}.{text(o, 'name')} ({left}, {right})"
    if kind in (Kind.OPERATOR_CLASS, Kind.OPERATOR_FAMILY):
        return f"{kind} {qualified(i.schema, text(o, 'name'))} using {quoted(text(o, 'access method'))}"
    if kind is Kind.CAST:
        return f"cast ({i.name})"
    if kind is Kind.TRANSFORM:
        return f"transform for {text(o, 'type')} language {quoted(text(o, 'language'))}"
    if kind is Kind.USER_MAPPING:
        return f"user mapping for {quoted(text(o, 'user'))} server {quoted(text(o, 'server'))}"
    return f"{word(kind)} {name(i)}"


def referenced(o: Object) -> list[str]:
    """The table that a foreign key refers to, where it is another than its own."""
    if text(o, "type") != "foreign key":
        return []
    tables = {
        qualified(i.schema, i.parent) for i in o.depends_on if i.kind in (Kind.COLUMN, Kind.CONSTRAINT, Kind.INDEX)
    }
    return sorted(tables - {holder(o)})
