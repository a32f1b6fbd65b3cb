"""From one schema to another: which objects are dropped, made and altered, and what must come before what.

What depends on a dropped object is dropped before and made again after it, where PostgreSQL would not let it stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from crmshift.compare.ddl import make
from crmshift.compare.ddl.address import RELATIONS, ROUTINES, TYPES, address, holder, name, parts, referenced, text
from crmshift.compare.ddl.alter import Alteration, Remake, alter, attach, let_go, validate
from crmshift.compare.ddl.drop import drop
from crmshift.compare.ddl.grants import without_defaults
from crmshift.compare.ddl.names import qualified, quoted, shortened
from crmshift.compare.ddl.statement import CannotBeMade, Statement, locks, may_fail, rewrites, scans
from crmshift.compare.difference import Change
from crmshift.compare.model import Identity, Kind, Object, Schema


class Action(IntEnum):
    """What a step does, in the order in which steps that do not depend on each other are taken."""

    RELEASE = 0
    DROP = 1
    MAKE = 2
    ALTER = 3
    PLACE = 4
    VALIDATE = 5


Key = tuple[Action, Identity]


@dataclass
class Step:
    """Statements that belong together. after: the steps it needs. problem: why there is no statement."""

    key: Key
    statements: list[Statement] = field(default_factory=list)
    after: set[Key] = field(default_factory=set)
    problem: str = ""


_ON_COLUMNS = frozenset(
    {Kind.VIEW, Kind.MATERIALIZED_VIEW, Kind.RULE, Kind.TRIGGER, Kind.POLICY, Kind.FUNCTION, Kind.PROCEDURE}
)
"""What PostgreSQL does not let stand on a column whose type changes."""
_TABLES = (Kind.TABLE, Kind.FOREIGN_TABLE)
_RELEASED = " (old)"
_INHERITED_WITH_THE_PARENT = ("type", "collation", "not null", "generated", "identity")


def steps(a: Schema, b: Schema) -> list[Step]:
    """The steps that make A equal to B, in no order yet."""
    return _Planner(a, b).steps()


class _Planner:
    """Finds the steps. drops: of A, makes: of B; what is in both is made anew."""

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
            text(o, "quoted name"): o.identity for s in (a, b) for o in s.objects if o.identity.kind in _TABLES
        }
        self._columns = {
            f"{holder(o)}.{quoted(o.identity.name)}": o.identity
            for s in (a, b)
            for o in s.objects
            if o.identity.kind is Kind.COLUMN
        }
        self.defaults = [o for o in a.objects if o.identity.kind is Kind.DEFAULT_PRIVILEGES]
        self.found: dict[Key, Step] = {}

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

    # --- what is made anew ----------------------------------------------------------------------------------------------

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
        if y.kind in _TABLES:
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

    # --- which step does it ---------------------------------------------------------------------------------------------

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

    def _drop_step(self, i: Identity) -> Key | None:
        """The step after which an object of A is gone; None where nothing is done for it."""
        o = self.a.by_identity[i]
        if i in self.swapped:
            return (Action.MAKE, i)
        owner = self.a.holder(i)
        if i.kind is Kind.CONSTRAINT and text(o, "type") == "foreign key" and self._two_tables_go(o):
            return (Action.DROP, i)
        if owner is not None and owner in self.drops:
            return self._drop_step(owner)
        if o.derived:
            return None
        for attribute in ("part of", "index is part of"):
            if attribute in o.attributes:
                for needed in o.depends_on:
                    if needed.kind is i.kind and needed in self.drops:
                        return self._drop_step(needed)
        if i.kind is Kind.SEQUENCE:
            column = self._owning_column(o)
            if column is not None and column in self.drops:
                return self._drop_step(column)
            if "identity of" in o.attributes:
                return (Action.ALTER, column) if column is not None else None
        parent = self._tables.get(text(o, "partition of"))
        if parent is not None and parent in self.drops:
            return self._drop_step(parent)
        if i.kind is Kind.DEFAULT_PRIVILEGES:
            schema = Identity(Kind.SCHEMA, i.schema, "", i.schema)
            if schema in self.drops:
                return (Action.DROP, schema)
        above = self._parent_column(i, self.a)
        if above is not None and above in self.drops:
            return self._drop_step(above)
        return (Action.DROP, i)

    def _two_tables_go(self, o: Object) -> bool:
        owner = self.a.holder(o.identity)
        others = {self._tables.get(t) for t in referenced(o)}
        return owner in self.drops and bool(others & self.drops)

    def _owning_column(self, o: Object) -> Identity | None:
        """The column that a sequence belongs to."""
        return self._columns.get(text(o, "identity of") or text(o, "owned by"))

    def _make_step(self, i: Identity) -> Key | None:
        """The step after which an object of B is there."""
        o = self.b.by_identity[i]
        owner = self.b.holder(i)
        if o.derived:
            return self._make_step(owner) if owner is not None and owner in self.makes else None
        if i.kind is Kind.COLUMN and owner is not None and owner in self.makes:
            return self._make_step(owner)
        above = self._parent_column(i, self.b)
        if above is not None and above in self.makes:
            return self._make_step(above)
        if i.kind is Kind.SEQUENCE and "identity of" in o.attributes:
            column = self._owning_column(o)
            if column is None:
                return None
            return self._make_step(column) if column in self.makes else (Action.ALTER, column)
        return (Action.MAKE, i)

    # --- the steps ------------------------------------------------------------------------------------------------------

    def steps(self) -> list[Step]:
        self._close()
        self._find_swaps()
        for i in self.drops:
            self._add_drop(i)
        for i in self.released | self.aside:
            self._add_release(i)
        for i in self.makes:
            self._add_make(i)
        for i in self.changes.keys() | self.released | self.republished:
            if i not in self.drops:
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
            if i.kind in _TABLES and change.attribute in ("of type", "inherits"):
                for words in let_go(change):
                    sql = f"alter table {name(i)} {words}"
                    self._said(self._step((Action.RELEASE, i)), [Statement(sql, i, (locks(name(i)),))])
            place = (i.kind, change.attribute) in make.OWN_STEP
            where = self._step((Action.PLACE, i)) if place else step
            if released and i.kind in _TABLES and change.attribute in ("partition of", "bounds"):
                continue
            try:
                self._said(where, alter(self._alteration(i, change)))
            except CannotBeMade as error:
                where.problem = f"{change.attribute}: {error}"
            except Remake:
                where.problem = f"{change.attribute}: no statement changes it"
        if released and i.kind is Kind.COLUMN and "default" in now.attributes:
            self._said(step, alter(self._alteration(i, Change("default", None, now.attributes["default"]))))
        if released and i.kind in _TABLES and "partition of" in now.attributes:
            self._said(self._step((Action.PLACE, i)), attach(now, False))

    # --- what comes before what -----------------------------------------------------------------------------------------

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
        o = self.a.by_identity[i]
        if i.kind is Kind.SEQUENCE and "owned by" in o.attributes and i in self.b.by_identity:
            return

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
        if i.kind in _TABLES and i not in self.makes:
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

    def _in_the_way(self, i: Identity) -> Iterator[Identity]:
        """What has the name that something is to get."""
        if i in self.drops:
            yield i
        if not hasattr(self, "_names"):
            self._names: dict[tuple[str, str, str], list[Identity]] = {}
            for gone in self.drops:
                self._names.setdefault(_name_space(gone), []).append(gone)
        yield from (gone for gone in self._names.get(_name_space(i), ()) if gone != i)


def _name_space(i: Identity) -> tuple[str, str, str]:
    """Two objects of the same cannot be at the same time."""
    if i.kind in RELATIONS | TYPES | {Kind.SEQUENCE, Kind.INDEX, Kind.CONSTRAINT}:
        return ("relation", i.schema, i.name)
    if i.kind in ROUTINES:
        return ("routine", i.schema, i.name)
    return (i.kind.value, i.schema, f"{i.parent}.{i.name}")


def _goes_first(change: Change) -> int:
    """An identity goes before NOT NULL and the type; a default goes before an identity comes."""
    if change.attribute == "identity":
        return 0 if change.new is None else 3
    return 1 if change.attribute == "default" and change.new is None else 2


def _volatile(default: str) -> bool:
    """Whether each row may get another value: a constant and what a transaction knows are the same for all."""
    called = set(re.findall(r"(\w+)\(", default))
    return bool(called - {"now", "current_setting", "timezone"})
