"""What a change takes along: what belongs to a dropped object, and what PostgreSQL does not let stand on it."""

from __future__ import annotations

from collections.abc import Iterator

from crmshift.compare.ddl.address import RELATIONS, TYPES, holder, parts, text
from crmshift.compare.ddl.alter import Alteration, Remake, alter
from crmshift.compare.ddl.names import quoted
from crmshift.compare.ddl.statement import CannotBeMade
from crmshift.compare.difference import Change
from crmshift.compare.model import Identity, Kind, Object, Schema

TABLES = (Kind.TABLE, Kind.FOREIGN_TABLE)
_ON_COLUMNS = frozenset(
    {Kind.VIEW, Kind.MATERIALIZED_VIEW, Kind.RULE, Kind.TRIGGER, Kind.POLICY, Kind.FUNCTION, Kind.PROCEDURE}
)
"""What PostgreSQL does not let stand on a column whose type changes."""
_INHERITED_WITH_THE_PARENT = ("type", "collation", "not null", "generated", "identity")


class Reach:
    """What is dropped of A and made of B; what is in both is made anew. changes: what is altered where it stands."""

    def __init__(self, a: Schema, b: Schema) -> None:
        self.a, self.b = a, b
        self.drops = {i for i in a.by_identity if i not in b.by_identity}
        self.makes = {i for i in b.by_identity if i not in a.by_identity}
        self.changes = {i: found for i, o in a.by_identity.items() if (found := self._changes(o))}
        self.released: set[Identity] = set()
        self.aside: set[Identity] = set()
        self.retyped: set[Identity] = set()
        self.swapped: set[Identity] = set()
        self.republished: set[Identity] = set()
        self.dependents: dict[Identity, set[Identity]] = {}
        for o in a.objects:
            for needed in o.depends_on:
                self.dependents.setdefault(needed, set()).add(o.identity)
        self._tables = {
            text(o, "quoted name"): o.identity for s in (a, b) for o in s.objects if o.identity.kind in TABLES
        }
        self._columns = {
            f"{holder(o)}.{quoted(o.identity.name)}": o.identity
            for s in (a, b)
            for o in s.objects
            if o.identity.kind is Kind.COLUMN
        }
        self.owned: dict[Identity, list[Identity]] = {}
        for o in a.objects:
            if (column := self._columns.get(text(o, "owned by"))) is not None:
                self.owned.setdefault(column, []).append(o.identity)
        self.defaults = [o for o in a.objects if o.identity.kind is Kind.DEFAULT_PRIVILEGES]

    def _changes(self, o: Object) -> tuple[Change, ...]:
        new = self.b.by_identity.get(o.identity)
        if new is None:
            return ()
        names = dict.fromkeys([*new.attributes, *o.attributes])
        return tuple(
            Change(n, o.attributes.get(n), new.attributes.get(n))
            for n in names
            if o.attributes.get(n) != new.attributes.get(n)
        )

    def _remake(self, i: Identity) -> bool:
        """Drop it, and make it again where B has it. Whether that is news."""
        if i in self.drops and (i in self.makes or i not in self.b.by_identity):
            return False
        self.drops.add(i)
        if i in self.b.by_identity:
            self.makes.add(i)
        return True

    def _close(self) -> None:
        """What is dropped takes along what belongs to it, and what stands on it."""
        for i in sorted(self.changes, key=lambda i: i.sort_key):
            for attribute in [*self._without_alter(i)]:
                # That a column is its parent's alone is said when its table is made.
                owner = self.a.holder(i) if attribute == "inherited" else None
                self._remake(owner or i)
        done: set[Identity] = set()
        news = True
        while news:
            news = False
            for i in sorted(self.drops - done, key=lambda i: i.sort_key):
                done.add(i)
                news = True
                self._drop_along(i)
            for i in sorted(self.changes.keys() - self.drops, key=lambda i: i.sort_key):
                if i.kind is Kind.COLUMN and (self._changes_type(i) or i in self.retyped):
                    for y in self.dependents.get(i, ()):
                        stands = y.kind in _ON_COLUMNS or (
                            y.kind is Kind.COLUMN
                            and y in self.a.by_identity
                            and "generated" in self.a.by_identity[y].attributes
                        )
                        news |= stands and self._remake(y)
        for i in self.makes.copy():
            if i.kind in RELATIONS or i.kind is Kind.DOMAIN or i.kind is Kind.COMPOSITE_TYPE:
                self.makes |= {o.identity for o in self.b.children(i.schema, i.name)}

    def _changes_type(self, i: Identity) -> bool:
        return any(c.attribute in ("type", "collation") for c in self.changes.get(i, ()))

    def _without_alter(self, i: Identity) -> Iterator[str]:
        """The attributes that differ and that no ALTER changes."""
        for change in self.changes[i]:
            if self._with_parent(i, change.attribute):
                continue
            try:
                alter(self._alteration(i, change))
            except Remake:
                yield change.attribute
            except CannotBeMade:
                continue

    def _drop_along(self, i: Identity) -> None:
        if self.a.by_identity[i].identity.kind in RELATIONS | {Kind.DOMAIN, Kind.COMPOSITE_TYPE}:
            for o in self.a.children(i.schema, i.name):
                self._remake(o.identity)
        if "part of" in self.a.by_identity[i].attributes and i not in self.b.by_identity:
            for needed in self.a.by_identity[i].depends_on:  # only its whole can be dropped
                if needed.kind is Kind.INDEX:
                    self._remake(needed)
        # A sequence that stays must not go with its column.
        self.released |= {y for y in self.owned.get(i, ()) if y in self.b.by_identity}
        for y in sorted(self.dependents.get(i, ()), key=lambda y: y.sort_key):
            if y not in self.drops:
                self._stands_on_dropped(y, i)

    def _stands_on_dropped(self, y: Identity, i: Identity) -> None:
        before, after = self.a.by_identity[y], self.b.by_identity[y]
        still = i in after.depends_on and i in self.b.by_identity
        if y.kind is Kind.COLUMN:
            if i.kind in TYPES:
                if still:
                    self.aside.add(i)
                    self.retyped.add(y)
                    self.changes.setdefault(y, ())
                elif i in self.makes:
                    self.aside.add(i)
            elif "generated" in before.attributes and i.kind is not Kind.EXTENSION:
                self._remake(y)
            elif "default" in before.attributes and i.kind is not Kind.EXTENSION:
                self.released.add(y)
            return
        if y.kind in TABLES:
            if text(before, "partition of") and self._tables.get(text(before, "partition of")) == i:
                self.released.add(y)
            return
        if y.kind in TYPES and i.kind in TYPES and not still and i not in self.makes:
            return  # it is altered before
        if y.kind is Kind.PUBLICATION and i.kind is not Kind.SCHEMA:
            if still and i in self.makes:
                self.republished.add(y)
            return
        if y.kind is Kind.SCHEMA:
            return
        self._remake(y)

    def _alteration(self, i: Identity, change: Change) -> Alteration:
        was = None if i in self.makes else self.a.by_identity.get(i)
        return Alteration(change, was, self.b.by_identity[i], self.a, self.b, self._fresh(i))

    def _fresh(self, i: Identity) -> bool:
        """Whether nobody uses it yet: it, or what it belongs to, is made here."""
        owner = self.b.holder(i)
        return owner in self.makes if owner is not None else i in self.makes

    def _parent_column(self, i: Identity, schema: Schema) -> Identity | None:
        """Of a column that a table has from another: that one's."""
        o = schema.by_identity.get(i)
        owner = schema.holder(i)
        if o is None or owner is None or i.kind is not Kind.COLUMN or "inherited" not in o.details:
            return None
        table = schema.by_identity[owner]
        for parent in (text(table, "partition of"), *parts(table.attributes.get("inherits"))):
            above = self._tables.get(parent)
            if (
                above is not None
                and (found := Identity(Kind.COLUMN, above.schema, above.name, i.name)) in schema.by_identity
            ):
                return found
        return None

    def _with_parent(self, i: Identity, attribute: str) -> bool:
        """Whether altering the parent's column alters this one too."""
        if attribute not in _INHERITED_WITH_THE_PARENT:
            return False
        above = self._parent_column(i, self.b)
        if above is None or above != self._parent_column(i, self.a):
            return False
        return any(c.attribute == attribute for c in self.changes.get(above, ()))
