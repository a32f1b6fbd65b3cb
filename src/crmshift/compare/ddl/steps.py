"""From one schema to another: which objects are dropped, made and altered, and what must come before what.

What depends on a dropped object is dropped before and made again after it, where PostgreSQL would not let it stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from crmshift.compare.ddl import make
from crmshift.compare.ddl.address import address, holder, name, referenced, text
from crmshift.compare.ddl.alter import Remake, alter, attach, let_go, validate
from crmshift.compare.ddl.drop import drop
from crmshift.compare.ddl.edges import Edges
from crmshift.compare.ddl.grants import without_defaults
from crmshift.compare.ddl.names import qualified, quoted, shortened
from crmshift.compare.ddl.reach import TABLES
from crmshift.compare.ddl.statement import CannotBeMade, Statement, locks, may_fail, rewrites, scans
from crmshift.compare.ddl.whereabouts import Action, Key, Step
from crmshift.compare.difference import Change
from crmshift.compare.model import Identity, Kind, Object, Schema

_RELEASED = " (old)"


def steps(a: Schema, b: Schema) -> list[Step]:
    """The steps that make A equal to B, in no order yet."""
    return _Planner(a, b).steps()


class _Planner(Edges):
    """Finds the steps and their statements."""

    def steps(self) -> list[Step]:
        self._close()
        self._find_swaps()
        for i in _sorted(self.drops):
            self._add_drop(i)
        for i in _sorted(self.released | self.aside):
            self._add_release(i)
        for i in _sorted(self.makes):
            self._add_make(i)
        for i in _sorted((self.changes.keys() | self.released | self.republished) - self.drops):
            self._add_alter(i)
        self._add_edges()
        kept = {k: s for k, s in self.found.items() if s.statements or s.problem}
        # What has no statement only hands on what it waits for.
        for step in kept.values():
            step.after = {k for k in self._resolved(step.after, set()) if k in kept and k != step.key}
        return list(kept.values())

    def _resolved(self, keys: Iterable[Key], seen: set[Key]) -> Iterator[Key]:
        for key in keys:
            if key in seen or key not in self.found:
                continue
            seen.add(key)
            step = self.found[key]
            if step.statements or step.problem:
                yield key
            else:
                yield from self._resolved(step.after, seen)

    def _step(self, key: Key) -> Step:
        return self.found.setdefault(key, Step(key))

    def _said(self, step: Step, statements: Iterable[Statement]) -> None:
        step.statements += statements

    def _add_drop(self, i: Identity) -> None:
        if self._drop_step(i) != (Action.DROP, i):
            return
        step = self._step((Action.DROP, i))
        called = self._aside_name(i) if i in self.aside else None
        parent = text(self.a.by_identity[i], "partition of")
        if parent and any(parent in referenced(self.a.by_identity[y]) for y in self._referring(parent)):
            # A partition that foreign keys refer to can be detached, and not dropped.
            sql = f"alter table {parent} detach partition {name(i)}"
            self._said(step, [Statement(sql, i, (locks(parent, name(i)),))])
        self._said(step, drop(self.a.by_identity[i], self.a, remade=i in self.makes, called=called))

    def _referring(self, table: str) -> list[Identity]:
        """Foreign keys of A to a table."""
        above = self._tables.get(table)
        keys = [c.identity for c in self.a.children(above.schema, above.name)] if above else []
        return [y for k in keys for y in self.dependents.get(k, ()) if y.kind is Kind.CONSTRAINT]

    def _aside_name(self, i: Identity) -> str:
        return qualified(i.schema, shortened(i.name[:50] + _RELEASED))

    def _add_release(self, i: Identity) -> None:
        o = self.a.by_identity[i]
        step = self._step((Action.RELEASE, i))
        if i in self.aside:
            new = quoted(shortened(i.name[:50] + _RELEASED))
            self._said(step, [Statement(f"alter {address(o)} rename to {new}", i)])
            if i.kind is Kind.RANGE:
                ranges = text(o, "multirange")
                aside = quoted(shortened(i.name[:40] + " (multirange)" + _RELEASED))
                self._said(step, [Statement(f"alter type {ranges} rename to {aside}", i)])
        elif i.kind is Kind.SEQUENCE:
            self._said(step, [Statement(f"alter sequence {name(i)} owned by none", i)])
        elif i.kind is Kind.COLUMN:
            sql = f"alter table {holder(i)} alter column {quoted(i.name)} drop default"
            self._said(step, [Statement(sql, i, (locks(holder(i)),))])
        else:
            parent = text(o, "partition of")
            sql = f"alter table {parent} detach partition {name(i)}"
            self._said(step, [Statement(sql, i, (locks(parent, name(i)),))])

    def _add_make(self, i: Identity) -> None:
        key = self._make_step(i)
        o = self.b.by_identity[i]
        if key == (Action.MAKE, i):
            step = self._step(key)
            try:
                self._said(step, self._made(o))
                self._said(step, self._finish(o))
            except CannotBeMade as error:
                step.problem = str(error)
                step.statements = []
                return
            self._add_place(o)
            if i in self.drops and i.kind in (Kind.INDEX, Kind.CONSTRAINT):
                self._identify_again(i)
            if i.kind is Kind.CONSTRAINT and self._added_unvalidated(o):
                kind = "domain" if text(o, "of") == "domain" else "table"
                self._said(self._step((Action.VALIDATE, i)), validate(o, kind))
        else:
            step = self._step((Action.ALTER, i))
            try:
                self._said(step, self._finish(o))
            except CannotBeMade as error:
                step.problem = str(error)
            if key is not None:
                step.after.add(key)

    def _identifies(self, i: Identity) -> bool:
        """Whether an index is its table's replica identity, before and after."""
        owner = self.b.holder(i)
        if owner is None or owner in self.makes:
            return False
        both = {s.by_identity[owner].attributes.get("replica identity") for s in (self.a, self.b)}
        return both == {f"index {quoted(i.name)}"}

    def _identify_again(self, i: Identity) -> None:
        """A table loses its replica identity with the index that was it."""
        owner = self.b.holder(i)
        if owner is None or not self._identifies(i) or (i.kind is Kind.INDEX and i in self.swapped):
            return
        change = Change("replica identity", None, f"index {quoted(i.name)}")
        step = self._step((Action.PLACE, owner))
        self._said(step, alter(self._alteration(owner, change)))
        step.after.add((Action.MAKE, i))

    def _made(self, o: Object) -> list[Statement]:
        i = o.identity
        if i.kind is Kind.DEFAULT_PRIVILEGES:
            return []
        fresh = self._fresh(i)
        if i.kind is Kind.INDEX and not fresh and not self._partitioned(i):
            return self._index_made_online(o)
        if i.kind is Kind.CONSTRAINT and not fresh:
            return self._constraint_added(o)
        hazards = () if fresh or not i.parent else (locks(holder(i), reads=i.kind is not Kind.TRIGGER),)
        if i.kind is Kind.COLUMN:
            return self._column_added(o)
        return [Statement(make.create(o, self.b), i, hazards)]

    def _column_added(self, o: Object) -> list[Statement]:
        on = holder(o)
        hazards = [locks(on)]
        rewritten = (
            "identity" in o.attributes or text(o, "generated").endswith("stored") or _volatile(text(o, "default"))
        )
        if rewritten:
            hazards.insert(0, rewrites(on))
        if "not null" in o.attributes and not {"default", "identity", "generated"} & o.attributes.keys():
            hazards.append(may_fail(f"where {on} has rows: the column has no default"))
        return [Statement(make.create(o, self.b), o.identity, tuple(hazards))]

    def _partitioned(self, i: Identity) -> bool:
        owner = self.b.holder(i)
        return owner is not None and "partitioned by" in self.b.by_identity[owner].attributes

    def _index_made_online(self, o: Object) -> list[Statement]:
        i = o.identity
        online = re.sub(r"^CREATE (UNIQUE )?INDEX ", r"CREATE \1INDEX CONCURRENTLY ", text(o, "definition"))
        hazards = [scans(holder(i))]
        if "unique" in o.details:
            hazards.append(may_fail("where two rows are equal; it leaves an invalid index then"))
        if i not in self.swapped:
            return [Statement(online, i, tuple(hazards), transactional=False)]
        spare = shortened(i.name[:54] + "_new")
        built = online.replace(f"CONCURRENTLY {quoted(i.name)} ON ", f"CONCURRENTLY {quoted(spare)} ON ", 1)
        identifies = self._identifies(i)
        on = holder(i)
        return [
            Statement(built, i, tuple(hazards), transactional=False),
            *(
                [Statement(f"alter table {on} replica identity using index {quoted(spare)}", i, (locks(on),))]
                if identifies
                else []
            ),
            Statement(f"drop index concurrently {name(i)}", i, (), transactional=False),
            Statement(f"alter index {qualified(i.schema, spare)} rename to {quoted(i.name)}", i),
        ]

    def _constraint_added(self, o: Object) -> list[Statement]:
        i, on, kind = o.identity, holder(o), text(o, "type")
        if text(o, "of") == "domain":
            unvalidated = " not valid" if self._added_unvalidated(o) else ""
            return [Statement(make.create(o, self.b) + unvalidated, i)]
        if self._added_unvalidated(o):
            hazard = locks(on, *referenced(o), reads=kind != "foreign key")
            return [Statement(f"{make.create(o, self.b)} not valid", i, (hazard,))]
        definition = text(o, "index definition")
        if kind in ("primary key", "unique") and self._builds_online(o):
            spare = shortened(i.name[:54] + "_new") if i in self.swapped else i.name
            online = re.sub(r"^CREATE (UNIQUE )?INDEX ", r"CREATE \1INDEX CONCURRENTLY ", definition)
            online = online.replace(f"CONCURRENTLY {quoted(i.name)} ON ", f"CONCURRENTLY {quoted(spare)} ON ", 1)
            deferrable = {"yes": " deferrable", "initially deferred": " deferrable initially deferred"}
            ending = deferrable.get(text(o, "deferrable"), "")
            words = f"add constraint {quoted(i.name)} {kind} using index {quoted(spare)}{ending}"
            fails = may_fail("where two rows are equal; it leaves an invalid index then")
            return [
                Statement(online, i, (scans(on), fails), transactional=False),
                *(drop(self.a.by_identity[i], self.a, remade=True) if i in self.swapped else []),
                Statement(f"alter table {on} {words}", i, (locks(on),)),
            ]
        hazards = (scans(on, "reads and writes of it wait"), locks(on)) if kind != "check" else (locks(on),)
        return [Statement(make.create(o, self.b), i, hazards)]

    def _added_unvalidated(self, o: Object) -> bool:
        """Whether it is added NOT VALID and validated afterwards, so that nobody waits while rows are read."""
        if self._fresh(o.identity) or text(o, "type") not in ("check", "foreign key"):
            return False
        if text(o, "type") == "foreign key" and self._partitioned(o.identity) and self.a.version < 18:
            return False
        return "validated" not in o.attributes and "enforced" not in o.attributes

    def _builds_online(self, o: Object) -> bool:
        definition = text(o, "index definition")
        overlaps = "WITHOUT OVERLAPS" in text(o, "definition")
        return (
            bool(definition)
            and "index is part of" not in o.attributes
            and not overlaps
            and not self._partitioned(o.identity)
        )

    def _find_swaps(self) -> None:
        """Indexes that are made anew under another name before the old one goes, so that there is always one."""
        for i in self.drops & self.makes:
            o, old = self.b.by_identity[i], self.a.by_identity[i]
            if i.kind not in (Kind.INDEX, Kind.CONSTRAINT) or self._fresh(i) or self._partitioned(i):
                continue
            if i.kind is Kind.CONSTRAINT and not (
                text(o, "type") in ("primary key", "unique")
                and self._builds_online(o)
                and "index definition" in old.details
            ):
                continue
            if {"part of", "index is part of"} & (o.attributes.keys() | old.attributes.keys()):
                continue
            needed = old.depends_on | o.depends_on
            moving = self.drops | self.makes | self.changes.keys()
            columns = {n for n in needed if n.kind is not Kind.TABLE}
            if not columns & moving and not self.dependents.get(i, set()) & self.drops:
                self.swapped.add(i)

    def _finish(self, o: Object) -> list[Statement]:
        """What CREATE did not say."""
        said = [Statement(sql, o.identity) for sql in without_defaults(o, self.defaults)]
        for attribute, value in o.attributes.items():
            if make.made_by_create(o, attribute) and not self._made_otherwise(o, attribute):
                continue
            if (o.identity.kind, attribute) in make.OWN_STEP:
                continue
            if o.identity.kind is Kind.EXTENSION and attribute == "owner":
                continue
            said += alter(self._alteration(o.identity, Change(attribute, None, value)))
        return said

    def _made_otherwise(self, o: Object, attribute: str) -> bool:
        """What the CREATE of another object left out."""
        if o.identity.kind is Kind.COLUMN and attribute == "not null" and "not valid" in text(o, attribute):
            return True
        return o.derived and attribute not in ("definition",)

    def _add_place(self, o: Object) -> None:
        step = self._step((Action.PLACE, o.identity))
        for attribute, value in o.attributes.items():
            if (o.identity.kind, attribute) in make.OWN_STEP:
                try:
                    self._said(step, alter(self._alteration(o.identity, Change(attribute, None, value))))
                except CannotBeMade as error:
                    step.problem = str(error)

    def _add_alter(self, i: Identity) -> None:
        step = self._step((Action.ALTER, i))
        now = self.b.by_identity[i]
        released = i in self.released
        if i in self.retyped and not self._changes_type(i):
            kind = Change("type", text(self.a.by_identity[i], "type"), text(now, "type"))
            self._said(step, alter(self._alteration(i, kind)))
        if i in self.republished and not {"tables", "schemas"} & {c.attribute for c in self.changes.get(i, ())}:
            self._said(step, [Statement(f"alter {address(now)} set {make.publication_targets(now)}", i)])
        for change in sorted(self.changes.get(i, ()), key=_goes_first):
            if self._with_parent(i, change.attribute) or (released and change.attribute == "default"):
                continue
            if i.kind in TABLES and change.attribute in ("of type", "inherits"):
                for words in let_go(change):
                    sql = f"alter table {name(i)} {words}"
                    self._said(self._step((Action.RELEASE, i)), [Statement(sql, i, (locks(name(i)),))])
            if i.kind is Kind.COLUMN and change.attribute == "identity" and change.new is None:
                # Its sequence may leave its name to another, which the default then needs.
                self._said(self._step((Action.RELEASE, i)), alter(self._alteration(i, change)))
                continue
            place = (i.kind, change.attribute) in make.OWN_STEP
            where = self._step((Action.PLACE, i)) if place else step
            if released and change.attribute in ("partition of", "bounds", "owned by"):
                continue
            try:
                self._said(where, alter(self._alteration(i, change)))
            except CannotBeMade as error:
                where.problem = f"{change.attribute}: {error}"
            except Remake:
                where.problem = f"{change.attribute}: no statement changes it"
        if released and i.kind is Kind.COLUMN and "default" in now.attributes:
            self._said(step, alter(self._alteration(i, Change("default", None, now.attributes["default"]))))
        if released and i.kind is Kind.SEQUENCE and "owned by" in now.attributes:
            owned = Change("owned by", None, now.attributes["owned by"])
            self._said(self._step((Action.PLACE, i)), alter(self._alteration(i, owned)))
        if released and i.kind in TABLES and "partition of" in now.attributes:
            self._said(self._step((Action.PLACE, i)), attach(now, False))


def _sorted(identities: Iterable[Identity]) -> list[Identity]:
    return sorted(identities, key=lambda i: i.sort_key)


def _goes_first(change: Change) -> int:
    """An identity goes before NOT NULL and the type; a default goes before an identity comes."""
    if change.attribute == "identity":
        return 0 if change.new is None else 3
    return 1 if change.attribute == "default" and change.new is None else 2


def _volatile(default: str) -> bool:
    """Whether each row may get another value: a constant and what a transaction knows are the same for all."""
    called = set(re.findall(r"(\w+)\(", default))
    return bool(called - {"now", "current_setting", "timezone"})
