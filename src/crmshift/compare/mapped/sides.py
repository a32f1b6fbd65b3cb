"""The two sides of a mapping, with what the comparison asks of them: columns, keys, ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from crmshift.compare.mapped import definitions, types, ways
from crmshift.compare.mapped.definitions import Keys, Reference
from crmshift.compare.mapped.expressions import Renaming
from crmshift.compare.mapped.ways import How, View, Way
from crmshift.compare.model import Identity, Kind, Object, Schema


@dataclass(frozen=True)
class UniqueKey:
    """A primary key, unique constraint or unique index: by its name, and what it is on."""

    name: str
    keys: Keys


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key by its name. checked: it holds for all rows."""

    name: str
    reference: Reference
    checked: bool


@dataclass(frozen=True)
class Roles:
    """What grants to a role mean: which roles have the rights of which others, and which need none."""

    inherits: frozenset[tuple[str, str]]
    superusers: frozenset[str]

    def includes(self, member: str, role: str) -> bool:
        return member == role or role == "PUBLIC" or (member, role) in self.inherits


@dataclass(frozen=True)
class Sides:
    """Legacy, the target, and the mapping between them.

    target: what is there, and what the plan's other steps will add. coming: the tables among those. left_behind: columns, by table.
    given: grants that tables which are made later get by default privileges, by schema. leakproof: names of functions that are.
    """

    legacy: Schema
    target: Schema
    views: tuple[View, ...]
    legacy_tables: tuple[str, ...]
    coming: frozenset[str]
    left_behind: Mapping[str, frozenset[str]]
    given: Mapping[str, tuple[str, ...]]
    roles: Roles
    leakproof: frozenset[str]

    @cached_property
    def ways(self) -> dict[str, list[Way]]:
        return ways.ways(
            self.views, self.legacy_tables, {v.target: frozenset(self.columns(v.target)) for v in self.views}
        )

    @cached_property
    def find_type(self) -> Callable[[str], Object | None]:
        return types.finder(self.legacy, self.target)

    def schema_of(self, table: str) -> Schema:
        """The side a table is on."""
        return self.target if table in {v.target for v in self.views} else self.legacy

    def table(self, table: str) -> Object:
        schema, _, name = table.partition(".")
        return next(
            o
            for o in self.schema_of(table).objects
            if o.identity.kind is Kind.TABLE and (o.identity.schema, o.identity.name) == (schema, name)
        )

    @cached_property
    def _parts(self) -> dict[tuple[int, str, Kind], list[Object]]:
        found: dict[tuple[int, str, Kind], list[Object]] = {}
        for schema in (self.legacy, self.target):
            for o in (o for o in schema.objects if o.identity.parent):
                found.setdefault((id(schema), f"{o.identity.schema}.{o.identity.parent}", o.identity.kind), []).append(
                    o
                )
        return found

    def parts(self, table: str, kind: Kind) -> list[Object]:
        """What belongs to a table, of one kind."""
        return self._parts.get((id(self.schema_of(table)), table, kind), [])

    def columns(self, table: str) -> dict[str, Object]:
        found = sorted(self.parts(table, Kind.COLUMN), key=lambda o: str(o.details["position"]))
        return {o.identity.name: o for o in found}

    def restricts_rows(self, table: str) -> bool:
        """Whether row-level security is on."""
        return "row-level security" in self.table(table).attributes

    def targets(self, table: str) -> tuple[str, ...]:
        """Tables of the target that the rows of a legacy table go to."""
        return tuple(dict.fromkeys(v.target for v in self.views if table in v.sources))

    def reached(self, table: str) -> tuple[str, ...]:
        """Tables of the target that any value of a legacy table goes to."""
        also = (w.table for c in self.columns(table) for w in self.ways_of(table, c) if w.column)
        return tuple(dict.fromkeys([*self.targets(table), *also]))

    def ways_of(self, table: str, column: str) -> list[Way]:
        return self.ways.get(f"{table}.{column}", [])

    def arrivals(self, table: str, column: str, *, only_passed: bool = False) -> list[Way]:
        """Ways on which the value itself arrives, or what stands for it: what is found by it."""
        kinds = (How.PASSES_ON,) if only_passed else (How.PASSES_ON, How.FINDS)
        return [w for w in self.ways_of(table, column) if w.how in kinds]

    def goes_on(self, table: str, column: str) -> bool:
        """Whether anything of a column arrives: its values, what is found by it, or what is computed from it."""
        return any(w.column and w.how is not How.DECIDES for w in self.ways_of(table, column))

    def needs(self, table: str, name: str) -> frozenset[Identity]:
        """What an index or a constraint of a table builds on."""
        own = [*self.parts(table, Kind.INDEX), *self.parts(table, Kind.CONSTRAINT)]
        return frozenset(i for o in own if o.identity.name == name for i in o.depends_on)

    def renaming(self, old: str, new: str, *, exact: bool = False, computed: bool = False) -> Renaming:
        """Names of a legacy table's columns in a table of the target.

        exact: only of those that are equal there. computed: also of what is computed from them, where they do not arrive themselves.
        """
        names: dict[str, str] = {}
        for column in self.columns(old):
            found = self.arrivals(old, column, only_passed=exact)
            if computed:
                found = found + [w for w in self.ways_of(old, column) if w.how is How.COMPUTES and not w.conditional]
            for way in found:
                if way.table == new and way.column and (way.exact or not exact):
                    names.setdefault(column, way.column)
        return Renaming(old, new, names)

    @cached_property
    def elsewhere(self) -> dict[str, Renaming]:
        """For subqueries: each legacy table as the first table of the target its rows go to, where columns are equal."""
        return {t: self.renaming(t, self.targets(t)[0], exact=True) for t in self.legacy_tables if self.targets(t)}

    def origin(self, table: str, column: str) -> list[tuple[str, str, Way]]:
        """Columns of legacy that a column of the target is, or is found by: table, column, way."""
        return [
            (*_split(source), way)
            for source, found in self.ways.items()
            for way in found
            if (way.table, way.column) == (table, column) and way.how in (How.PASSES_ON, How.FINDS)
        ]

    def fed(self, table: str) -> frozenset[str]:
        """Columns of a target table that have anything to do with legacy."""
        return frozenset(w.column for found in self.ways.values() for w in found if w.table == table and w.column)

    def unique_keys(self, table: str) -> Iterator[UniqueKey]:
        for o in self.parts(table, Kind.CONSTRAINT):
            if o.details.get("type") in ("primary key", "unique") and "index" not in o.attributes:
                yield UniqueKey(o.identity.name, definitions.keys_of_constraint(str(o.attributes["definition"])))
        for o in self.parts(table, Kind.INDEX):
            if "unique" in o.details and "valid" not in o.attributes:
                yield UniqueKey(o.identity.name, definitions.keys_of_index(str(o.attributes["definition"])))

    def indexes(self, table: str) -> Iterator[UniqueKey]:
        """All indexes, those of constraints too."""
        yield from self.unique_keys(table)
        yield from self.plain_indexes(table)

    def plain_indexes(self, table: str) -> Iterator[UniqueKey]:
        for o in self.parts(table, Kind.INDEX):
            if "unique" not in o.details and "valid" not in o.attributes:
                yield UniqueKey(o.identity.name, definitions.keys_of_index(str(o.attributes["definition"])))

    def foreign_keys(self, table: str) -> Iterator[ForeignKey]:
        for o in self.parts(table, Kind.CONSTRAINT):
            if (
                o.details.get("type") == "foreign key"
                and "enforced" not in o.attributes
                and "triggers" not in o.attributes
            ):
                yield ForeignKey(
                    o.identity.name,
                    definitions.reference(str(o.attributes["definition"])),
                    "validated" not in o.attributes,
                )

    def checks(self, table: str) -> Iterator[tuple[str, str]]:
        """Name and condition of each."""
        for o in self.parts(table, Kind.CONSTRAINT):
            if o.details.get("type") == "check" and "enforced" not in o.attributes:
                yield o.identity.name, definitions.check_of(str(o.attributes["definition"]))


def _split(source: str) -> tuple[str, str]:
    table, _, column = source.rpartition(".")
    return table, column
