"""A database's schema as plain data: objects with their attributes, and what each depends on.

Two schemas are equal where the same objects have the same attributes. Everything else is kept in `details`: what is needed to
make an object, but says nothing about whether it differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType

Value = str | tuple[str, ...]
"""An attribute's value as PostgreSQL spells it; several where each comes and goes by itself. What is absent is the default."""


class Kind(StrEnum):
    """What an object is, in PostgreSQL's own words; in the order in which people look for them."""

    SCHEMA = "schema"
    EXTENSION = "extension"
    ENUM = "enum"
    DOMAIN = "domain"
    COMPOSITE_TYPE = "composite type"
    RANGE = "range"
    BASE_TYPE = "base type"
    COLLATION = "collation"
    SEQUENCE = "sequence"
    TABLE = "table"
    FOREIGN_TABLE = "foreign table"
    VIEW = "view"
    MATERIALIZED_VIEW = "materialized view"
    COLUMN = "column"
    CONSTRAINT = "constraint"
    INDEX = "index"
    STATISTICS = "statistics"
    TRIGGER = "trigger"
    RULE = "rule"
    POLICY = "policy"
    FUNCTION = "function"
    PROCEDURE = "procedure"
    AGGREGATE = "aggregate"
    OPERATOR = "operator"
    OPERATOR_CLASS = "operator class"
    OPERATOR_FAMILY = "operator family"
    CAST = "cast"
    CONVERSION = "conversion"
    TEXT_SEARCH_CONFIGURATION = "text search configuration"
    TEXT_SEARCH_DICTIONARY = "text search dictionary"
    TEXT_SEARCH_PARSER = "text search parser"
    TEXT_SEARCH_TEMPLATE = "text search template"
    LANGUAGE = "language"
    TRANSFORM = "transform"
    ACCESS_METHOD = "access method"
    FOREIGN_DATA_WRAPPER = "foreign-data wrapper"
    SERVER = "server"
    USER_MAPPING = "user mapping"
    DEFAULT_PRIVILEGES = "default privileges"
    EVENT_TRIGGER = "event trigger"
    PUBLICATION = "publication"
    SUBSCRIPTION = "subscription"
    UNMODELLED = "kind not modelled"

    @property
    def position(self) -> int:
        return _POSITIONS[self]


HOLDERS = frozenset(
    {Kind.TABLE, Kind.FOREIGN_TABLE, Kind.VIEW, Kind.MATERIALIZED_VIEW, Kind.DOMAIN, Kind.COMPOSITE_TYPE}
)
"""Kinds that other objects belong to. Of these, no two in a schema have the same name."""

_POSITIONS = {kind: n for n, kind in enumerate(Kind)}


@dataclass(frozen=True)
class Identity:
    """Which object. parent: the table, view or domain it belongs to; schema and parent are empty where it has none.

    Names are as the catalogue has them, unquoted; a routine's ends with the types of its arguments.
    """

    kind: Kind
    schema: str
    parent: str
    name: str

    @property
    def label(self) -> str:
        """`public.leads.stage`: for people, and for patterns."""
        schema = "" if self.kind is Kind.SCHEMA else self.schema
        return ".".join(part for part in (schema, self.parent, self.name) if part)

    @property
    def sort_key(self) -> tuple[str, str, int, str]:
        """By schema, then by what they belong to, each table before its own columns."""
        return (self.schema, self.parent or self.name, self.kind.position, self.name)

    def __str__(self) -> str:
        return f"{self.kind} {self.label}"


@dataclass(frozen=True)
class Object:
    """An object of a schema.

    attributes: what is compared. details: what is needed to make it again, and is not compared.
    derived: it is there because another object is, and is not worth a word by itself (a view's column, a trigger's clone
    on a partition); its attributes are compared all the same.
    """

    identity: Identity
    attributes: Mapping[str, Value]
    details: Mapping[str, Value] = field(default_factory=dict)
    depends_on: frozenset[Identity] = frozenset()
    derived: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes)))
        object.__setattr__(self, "details", MappingProxyType(dict(self.details)))

    def __hash__(self) -> int:
        return hash((self.identity, tuple(sorted(self.attributes.items(), key=lambda item: item[0]))))


@dataclass(frozen=True)
class Schema:
    """What was read: all objects, in order.

    name: where it comes from, for people. version: PostgreSQL's major version. loaded_by: the role that loaded it from SQL, and
    owns what the SQL gives no other owner; None for a database.
    """

    name: str
    version: int
    objects: tuple[Object, ...]
    loaded_by: str | None = None

    @classmethod
    def of(cls, name: str, version: int, objects: Iterable[Object], loaded_by: str | None = None) -> Schema:
        """A schema with its objects put in order."""
        return cls(name, version, tuple(sorted(objects, key=lambda o: o.identity.sort_key)), loaded_by)

    @cached_property
    def by_identity(self) -> Mapping[Identity, Object]:
        return MappingProxyType({o.identity: o for o in self.objects})

    @cached_property
    def _holders(self) -> Mapping[tuple[str, str], Identity]:
        return {(o.identity.schema, o.identity.name): o.identity for o in self.objects if o.identity.kind in HOLDERS}

    @cached_property
    def _by_parent(self) -> Mapping[tuple[str, str], list[Object]]:
        found: dict[tuple[str, str], list[Object]] = {}
        for o in self.objects:
            if o.identity.parent:
                found.setdefault((o.identity.schema, o.identity.parent), []).append(o)
        return found

    def holder(self, identity: Identity) -> Identity | None:
        """What an object belongs to."""
        return self._holders.get((identity.schema, identity.parent)) if identity.parent else None

    def children(self, schema: str, parent: str) -> Iterator[Object]:
        """The objects that belong to a table, view or domain."""
        return iter(self._by_parent.get((schema, parent), ()))


def values(given: Mapping[str, str | list[str]]) -> dict[str, Value]:
    """Attributes out of a JSON document."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


def in_dependency_order(objects: Iterable[Object]) -> list[Object]:
    """Each object after those it depends on, and after its parent; else in order. Cycles are cut where they are found."""
    given = sorted(objects, key=lambda o: o.identity.sort_key)
    known = {o.identity: o for o in given}
    holders = {(o.identity.schema, o.identity.name): o for o in given if o.identity.kind in HOLDERS}
    ordered: dict[Identity, Object] = {}
    entered: set[Identity] = set()

    def before(o: Object) -> list[Object]:
        needed = {known[i] for i in o.depends_on if i in known}
        if o.identity.parent and (holder := holders.get((o.identity.schema, o.identity.parent))):
            needed.add(holder)
        if (schema := known.get(Identity(Kind.SCHEMA, o.identity.schema, "", o.identity.schema))) and schema is not o:
            needed.add(schema)
        return sorted(needed, key=lambda n: n.identity.sort_key, reverse=True)

    for first in given:
        stack = [first]
        while stack:  # not by recursion: a chain of views may be longer than Python's stack
            o = stack[-1]
            if o.identity in entered:
                ordered.setdefault(o.identity, stack.pop())
                continue
            entered.add(o.identity)
            stack += [n for n in before(o) if n.identity not in entered]
    return list(ordered.values())
