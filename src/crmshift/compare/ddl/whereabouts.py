"""Steps, and which of them makes or drops an object: often that of what it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from crmshift.compare.ddl.address import referenced, text
from crmshift.compare.ddl.reach import Reach
from crmshift.compare.ddl.statement import Statement
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


class Whereabouts(Reach):
    """Of each object the step that drops it, and the one that makes it. found: the steps there are."""

    def __init__(self, a: Schema, b: Schema) -> None:
        super().__init__(a, b)
        self.found: dict[Key, Step] = {}

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
                return (Action.RELEASE, column) if column is not None else None
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
