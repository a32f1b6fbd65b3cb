"""What one side lost and the other gained may be the same under another name: that is asked, never guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from crmshift.compare.ddl.address import ROUTINES, address, holder, name, text
from crmshift.compare.ddl.make import columns
from crmshift.compare.ddl.names import qualified, quoted
from crmshift.compare.difference import Comparison
from crmshift.compare.model import Identity, Kind, Object, Schema

_ASKED = frozenset(
    {
        *(Kind.TABLE, Kind.COLUMN, Kind.CONSTRAINT, Kind.INDEX, Kind.VIEW, Kind.MATERIALIZED_VIEW, Kind.SEQUENCE),
        *(
            Kind.ENUM,
            Kind.DOMAIN,
            Kind.COMPOSITE_TYPE,
            Kind.TRIGGER,
            Kind.POLICY,
            Kind.FUNCTION,
            Kind.PROCEDURE,
            Kind.SCHEMA,
        ),
    }
)


@dataclass(frozen=True)
class Question:
    """Whether one object was renamed to another, and the statement that would do it."""

    old: Identity
    new: Identity
    sql: str

    @property
    def text(self) -> str:
        return (
            f"Was {self.old} renamed to {self.new.name}? Then this, in place of dropping the one and making the other:"
        )


def questions(comparison: Comparison) -> Iterator[Question]:
    """Each pair of a removed and an added object that are equal but for the name."""
    removed = [d.old for d in comparison.differences if d.new is None and d.old is not None]
    added = [d.new for d in comparison.differences if d.old is None and d.new is not None]
    for old in removed:
        for new in added:
            i, j = old.identity, new.identity
            if i.kind not in _ASKED or (i.kind, i.parent) != (j.kind, j.parent):
                continue
            if i.schema != j.schema and i.kind is not Kind.SCHEMA:
                continue
            if i.kind is not Kind.SCHEMA and _shape(old, comparison.a) == _shape(new, comparison.b):
                yield Question(i, j, _rename(old, new))


def _shape(o: Object, schema: Schema) -> object:
    """What two objects have in common where they may be one."""
    kind = o.identity.kind
    if kind is Kind.COLUMN:
        return text(o, "type"), text(o, "generated")
    if kind is Kind.TABLE:
        return [(c.identity.name, text(c, "type")) for c in columns(o, schema)], text(o, "partition of")
    if kind is Kind.INDEX or kind is Kind.TRIGGER:
        return re.sub(rf"(INDEX|TRIGGER) {re.escape(quoted(o.identity.name))} ", r"\1 ", text(o, "definition"), count=1)
    if kind in ROUTINES:
        return text(o, "arguments"), text(o, "returns"), text(o, "language"), text(o, "body")
    ignored = ("owner", "grants", "comment", "owned by")
    return {k: v for k, v in o.attributes.items() if k not in ignored}


def _rename(old: Object, new: Object) -> str:
    i, to = old.identity, quoted(new.identity.name)
    if i.kind in (Kind.COLUMN, Kind.CONSTRAINT):
        of = "domain" if text(old, "of") == "domain" else "table"
        return f"alter {of} {holder(old)} rename {i.kind} {quoted(i.name)} to {to}"
    if i.kind in ROUTINES:
        return f"alter {address(old)} rename to {quoted(text(new, 'name'))}"
    if i.kind in (Kind.TRIGGER, Kind.POLICY):
        return f"alter {i.kind} {quoted(i.name)} on {holder(old)} rename to {to}"
    if i.kind is Kind.INDEX:
        return f"alter index {qualified(i.schema, i.name)} rename to {to}"
    return (
        f"alter {address(old)} rename to {to}"
        if old.identity.parent
        else f"alter {_word(old)} {name(i)} rename to {to}"
    )


def _word(o: Object) -> str:
    return address(o).removesuffix(name(o.identity)).strip()
