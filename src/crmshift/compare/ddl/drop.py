"""DROP, and what stands in its place."""

from __future__ import annotations

from crmshift.compare.ddl.address import address, holder, name, parts, referenced, text
from crmshift.compare.ddl.grants import default_privileges
from crmshift.compare.ddl.names import qualified, quoted
from crmshift.compare.ddl.statement import Hazard, Statement, locks, loses
from crmshift.compare.model import Kind, Object, Schema


def drop(o: Object, schema: Schema, *, remade: bool = False, called: str | None = None) -> list[Statement]:
    """The statements that remove an object. called: the name it has by then, where that is another."""
    i = o.identity
    if i.kind is Kind.DEFAULT_PRIVILEGES:
        return [Statement(sql, i) for sql in default_privileges(o, parts(o.attributes.get("grants")), ())]
    if i.kind is Kind.COLUMN:
        foreign = "foreign " if text(o, "of") == "foreign table" else ""
        on = holder(o)
        lost = [] if "generated" in o.attributes else [loses(f"all values of {on}.{quoted(i.name)}")]
        sql = f"alter {foreign}table {on} drop column {quoted(i.name)}"
        return [Statement(sql, i, (*lost, locks(on)))]
    if i.kind is Kind.CONSTRAINT:
        kind = "domain" if text(o, "of") == "domain" else "table"
        sql = f"alter {kind} {holder(o)} drop constraint {quoted(i.name)}"
        return [Statement(sql, i, () if kind == "domain" else (locks(holder(o), *referenced(o)),))]
    if i.kind is Kind.INDEX:
        owner = schema.holder(i)
        plain = remade or (owner is not None and "partitioned by" in schema.by_identity[owner].attributes)
        if not plain:
            return [Statement(f"drop index concurrently {qualified(i.schema, i.name)}", i, (), transactional=False)]
        return [Statement(f"drop {address(o)}", i, (locks(holder(o)),))]
    subject = address(o) if called is None else f"{address(o).split(' ')[0]} {called}"
    return [Statement(f"drop {subject}", i, _hazards(o))]


def _hazards(o: Object) -> tuple[Hazard, ...]:
    kind, called = o.identity.kind, name(o.identity)
    if kind is Kind.TABLE:
        return (loses(f"all rows of {called}"), locks(called))
    if kind is Kind.SEQUENCE:
        return (loses(f"how far {called} has counted"),)
    if kind in (Kind.TRIGGER, Kind.RULE, Kind.POLICY):
        return (locks(holder(o)),)
    if kind is Kind.VIEW:
        return (locks(called),)
    if kind is Kind.SUBSCRIPTION:
        return (loses("the connection of the subscription, and its place in the stream of changes"),)
    if kind is Kind.USER_MAPPING and any("=" not in option for option in parts(o.attributes.get("options"))):
        return (loses("its secret options, which are not read"),)
    return ()
