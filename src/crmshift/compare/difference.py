"""What differs between two schemas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from crmshift.compare.model import Identity, Kind, Object, Schema, Value
from crmshift.compare.versions import between

ORDERED = frozenset({"labels", "fields", "inherits", "order of columns"})
"""Attributes of several parts whose order counts."""


@dataclass(frozen=True)
class Change:
    """An attribute that differs; None: absent there, which is PostgreSQL's default."""

    attribute: str
    old: Value | None
    new: Value | None

    @property
    def elements(self) -> tuple[Sequence[str], Sequence[str]] | None:
        """Of values of several parts: those that go and those that come; None for others, and where their order counts."""
        if isinstance(self.old, str) or isinstance(self.new, str) or self.attribute in ORDERED:
            return None
        old, new = self.old or (), self.new or ()
        return [e for e in old if e not in new], [e for e in new if e not in old]


@dataclass(frozen=True)
class Difference:
    """An object that only one side has, or that has other attributes. old: as A has it, new: as B has it."""

    identity: Identity
    old: Object | None
    new: Object | None
    changes: tuple[Change, ...] = ()

    @property
    def verb(self) -> str:
        """What makes A equal to B: to add the object, to remove it, or to change it."""
        return "added" if self.old is None else "removed" if self.new is None else "changed"


@dataclass(frozen=True)
class Comparison:
    """Two schemas and all that differs, in order."""

    a: Schema
    b: Schema
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        return not self.differences


@dataclass(frozen=True)
class Pattern:
    """What is left out: `[KIND:]NAME[@ATTRIBUTE]`, where * and ? in NAME stand for any text and any letter.

    A name also stands for all that belongs to it; without one the attribute counts wherever it is.
    """

    kind: str
    name: str
    attribute: str

    @classmethod
    def parse(cls, text: str) -> Pattern:
        rest, _, attribute = text.partition("@")
        kind, colon, name = rest.partition(":")
        return cls(kind if colon else "", (name if colon else rest) or "*", attribute)

    def matches(self, identity: Identity, attribute: str = "") -> bool:
        """Whether it leaves out this attribute, or where none is given the whole object."""
        owner = f"{identity.schema}.{identity.parent}" if identity.parent else identity.label
        return (
            self.attribute in ("", attribute)
            and (self.attribute != "" or attribute == "")
            and self.kind in ("", identity.kind)
            and (fnmatchcase(identity.label, self.name) or fnmatchcase(owner, self.name))
        )


def compare(
    a: Schema,
    b: Schema,
    *,
    only: Iterable[Kind] = (),
    ignore: Iterable[Pattern] = (),
    column_order: bool = False,
) -> Comparison:
    """Everything that differs, but for what is left out. What only one side has is named once, without what belongs to it."""
    kinds, patterns = frozenset(only), tuple(ignore)

    def counts(identity: Identity | None) -> bool:
        return (
            identity is not None
            and (not kinds or identity.kind in kinds)
            and not any(p.matches(identity) for p in patterns)
        )

    found = []
    for identity in sorted(a.by_identity.keys() | b.by_identity.keys(), key=lambda i: i.sort_key):
        if not counts(identity):
            continue
        holders = (a.holder(identity), b.holder(identity))
        if holders[0] != holders[1] and any(map(counts, holders)):
            continue  # what it belongs to is named
        old, new = a.by_identity.get(identity), b.by_identity.get(identity)
        if old and new:
            changes = [*_changes(old, new, sorted((a.version, b.version)))]
            if column_order and identity.kind is Kind.TABLE:
                changes += _order_of_columns(a, b, identity)
            kept = tuple(
                c
                for c in changes
                if not any(p.matches(identity, c.attribute) for p in patterns) and not _nobodys(c, a, b)
            )
            if kept:
                found.append(Difference(identity, old, new, kept))
        elif (o := old or new) and not o.derived:
            found.append(Difference(identity, old, new))
    return Comparison(a, b, tuple(found))


def _changes(old: Object, new: Object, versions: Sequence[int]) -> Iterator[Change]:
    older, newer = versions
    before, after = (o.attributes if older == newer else between(older, newer, o) for o in (old, new))
    for attribute in dict.fromkeys([*before, *after]):
        if before.get(attribute) != after.get(attribute):
            yield Change(attribute, before.get(attribute), after.get(attribute))


def _nobodys(change: Change, a: Schema, b: Schema) -> bool:
    """Whether a database has another owner than files that name none. Between two sides from files owners are compared as they are."""
    if change.attribute != "owner" or (a.loaded_by is None) == (b.loaded_by is None):
        return False
    return (change.old == a.loaded_by) if a.loaded_by else (change.new == b.loaded_by)


def _order_of_columns(a: Schema, b: Schema, table: Identity) -> Iterator[Change]:
    """The order of the columns that both have."""

    def names(schema: Schema, others: Schema) -> tuple[str, ...]:
        columns = [
            o
            for o in schema.children(table.schema, table.name)
            if o.identity.kind is Kind.COLUMN and o.identity in others.by_identity
        ]
        return tuple(o.identity.name for o in sorted(columns, key=lambda o: str(o.details["position"])))

    old, new = names(a, b), names(b, a)
    if old != new:
        yield Change("order of columns", old, new)
