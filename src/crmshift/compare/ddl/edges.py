"""What comes before what."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from crmshift.compare.ddl import make
from crmshift.compare.ddl.address import RELATIONS, ROUTINES, TYPES, text
from crmshift.compare.ddl.reach import TABLES
from crmshift.compare.ddl.whereabouts import Action, Key, Whereabouts
from crmshift.compare.model import Identity, Kind, Object


class Edges(Whereabouts):
    """Says of the steps that were found which need which."""

    def _add_edges(self) -> None:
        for i in self.drops:
            self._order_drop(i)
        for i in self.makes | {i for i in self.changes if i not in self.drops} | self.released | self.republished:
            if i in self.b.by_identity:
                self._order_make(i)

    def _after(self, key: Key | None, *others: Key | None) -> None:
        if key is not None and key in self.found:
            self.found[key].after |= {o for o in others if o is not None and o != key}

    def _order_drop(self, i: Identity) -> None:
        key = self._drop_step(i)
        owner = self.a.holder(i)
        if owner is not None:
            self._after(key, (Action.RELEASE, owner))
        if i in self.aside:
            self._after(key, (Action.RELEASE, i), (Action.MAKE, i))
        for y in self.dependents.get(i, ()):
            if y in self.drops:
                self._after(key, self._drop_step(y))
            elif y in self.released:
                self._after(key, (Action.RELEASE, y))
            elif y in self.changes:
                self._after(key, (Action.ALTER, y), (Action.PLACE, y))
            if y in self.retyped and y not in self.drops:
                self._after(key, (Action.ALTER, y))
        if i.kind is not Kind.SCHEMA and (home := Identity(Kind.SCHEMA, i.schema, "", i.schema)) in self.drops:
            self._after((Action.DROP, home), key)
        self._after(key, *((Action.RELEASE, y) for y in self.owned.get(i, ()) if y in self.released))

    def _order_make(self, i: Identity) -> None:
        o = self.b.by_identity[i]
        made = i in self.makes
        key = self._make_step(i) if made else (Action.ALTER, i)
        keys: list[Key | None] = [key, (Action.ALTER, i), (Action.PLACE, i)]
        for k in keys:
            if made and k != key:
                self._after(k, key)
            self._after(k, (Action.RELEASE, i))
            for needed in o.depends_on:
                if needed in self.makes:
                    self._after(k, self._make_step(needed))
                elif needed in self.changes and needed.kind in {Kind.COLUMN, *TYPES}:
                    self._after(k, (Action.ALTER, needed))
            owner = self.b.holder(i)
            if owner is not None:
                self._after(k, (Action.RELEASE, owner))
            if owner is not None and owner in self.makes:
                self._after(k, self._make_step(owner))
            home = Identity(Kind.SCHEMA, i.schema, "", i.schema)
            if i != home and home in self.makes:
                self._after(k, (Action.MAKE, home))
        if made:
            for gone in self._in_the_way(i):
                if gone not in self.aside:
                    self._after(key, self._drop_step(gone))
            self._after((Action.VALIDATE, i), (Action.MAKE, i))
        else:
            for y in self.dependents.get(i, ()):
                if y in self.drops and (self._changes_type(i) or i in self.retyped):
                    self._after((Action.ALTER, i), self._drop_step(y))
        self._order_place(o)

    def _order_place(self, o: Object) -> None:
        i = o.identity
        place = (Action.PLACE, i)
        if i.kind in TABLES and i not in self.makes:
            for c in make.columns(o, self.b):
                made = self._make_step(c.identity) if c.identity in self.makes else None
                if made is not None and made != (Action.MAKE, c.identity):
                    self._after(made, (Action.ALTER, i))  # a parent's new column comes to its children
                else:
                    self._after((Action.ALTER, i), made, (Action.ALTER, c.identity))
        if i.kind is Kind.TABLE:
            tables = [i]
            parent = self._tables.get(text(o, "partition of"))
            if parent is not None:
                tables.append(parent)
            for table in tables:
                for child in self.b.children(table.schema, table.name):
                    if child.identity in self.makes and child.identity.kind in (Kind.INDEX, Kind.CONSTRAINT):
                        if {"valid", "index"} & child.attributes.keys():  # it is invalid for want of a partition's
                            self._after(self._make_step(child.identity), place)
                        elif text(child, "type") != "foreign key":
                            self._after(place, self._make_step(child.identity))
                    if child.derived and "fires" in child.attributes:
                        self._after((Action.ALTER, child.identity), place)
            for needed in [i, *([parent] if parent else [])]:
                if needed in self.makes:
                    self._after(place, self._make_step(needed))
            if text(o, "replica identity").startswith("index "):
                for child in self.b.children(i.schema, i.name):
                    if child.identity in self.makes and child.identity.kind in (Kind.INDEX, Kind.CONSTRAINT):
                        self._after(place, self._make_step(child.identity))
        if i.kind in (Kind.INDEX, Kind.CONSTRAINT):
            owner = self.b.holder(i)
            if owner is not None:
                self._after(place, (Action.PLACE, owner))
        if i.kind is Kind.SEQUENCE and "owned by" in o.attributes:
            column = self._owning_column(o)
            if column is not None and column in self.makes:
                self._after(place, self._make_step(column))
        if i.kind is Kind.TRIGGER and o.derived:
            for other in self._made_of(Kind.TRIGGER):
                if other.name == i.name:
                    self._after((Action.ALTER, i), self._make_step(other))
        if i.kind is Kind.OPERATOR_FAMILY:
            for other in self._made_of(Kind.OPERATOR_CLASS):
                self._after(place, self._make_step(other))

    def _made_of(self, kind: Kind) -> list[Identity]:
        return [i for i in self.makes if i.kind is kind]

    @cached_property
    def _names(self) -> dict[tuple[str, str, str], list[Identity]]:
        found: dict[tuple[str, str, str], list[Identity]] = {}
        for gone in self.drops:
            found.setdefault(_name_space(gone), []).append(gone)
        return found

    def _in_the_way(self, i: Identity) -> Iterator[Identity]:
        """What has the name that something is to get."""
        if i in self.drops:
            yield i
        yield from (gone for gone in self._names.get(_name_space(i), ()) if gone != i)


def _name_space(i: Identity) -> tuple[str, str, str]:
    """Two objects of the same cannot be at the same time."""
    if i.kind in RELATIONS | TYPES | {Kind.SEQUENCE, Kind.INDEX, Kind.CONSTRAINT}:
        return ("relation", i.schema, i.name)
    if i.kind in ROUTINES:
        return ("routine", i.schema, i.name)
    return (i.kind.value, i.schema, f"{i.parent}.{i.name}")
