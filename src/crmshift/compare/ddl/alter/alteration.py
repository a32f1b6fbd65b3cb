"""One attribute of an object on its way from one value to another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from crmshift.compare.ddl import make
from crmshift.compare.ddl.address import as_text, holder, name, parts, word
from crmshift.compare.ddl.names import quoted
from crmshift.compare.ddl.statement import (
    Hazard,
    Statement,
    locks,
    of_new,
)
from crmshift.compare.difference import Change
from crmshift.compare.model import Object, Schema


class Remake(Exception):
    """No ALTER does this: the object is dropped and made anew."""


@dataclass(frozen=True)
class Alteration:
    """One attribute of an object on its way. was: the object as it is; None where it has just been made.

    fresh: nobody uses it, or its table, yet. a, b: the schemas it goes from and to.
    """

    change: Change
    was: Object | None
    now: Object
    a: Schema
    b: Schema
    fresh: bool

    @property
    def new(self) -> str:
        return as_text(self.change.new)

    @property
    def old(self) -> str:
        return as_text(self.change.old)

    @property
    def on(self) -> str:
        """The table it belongs to, or the table itself."""
        return holder(self.now) if self.now.identity.parent else name(self.now.identity)

    @property
    def column(self) -> str:
        return quoted(self.now.identity.name)

    def one(self, sql: str, *hazards: Hazard, transactional: bool = True) -> list[Statement]:
        return [Statement(sql, self.now.identity, of_new(self.fresh, hazards), transactional)]

    def table(self, words: str, *hazards: Hazard) -> list[Statement]:
        """ALTER of the table, or whatever it is, that it belongs to."""
        return self.one(f"alter {self.kind_of_holder} {self.on} {words}", *(hazards or (locks(self.on),)))

    def of_column(self, words: str, *hazards: Hazard) -> list[Statement]:
        return self.table(f"alter column {self.column} {words}", *hazards)

    @property
    def kind_of_holder(self) -> str:
        if not self.now.identity.parent:
            return word(self.now.identity.kind)
        owner = self.b.holder(self.now.identity)
        return word(owner.kind) if owner else "table"


Alter = Callable[[Alteration], list[Statement]]


def set_options(subject: str, a: Alteration) -> list[Statement]:
    """SET and RESET of storage options."""
    old, new = (dict(o.split("=", 1) for o in parts(v)) for v in (a.change.old, a.change.new))
    changed = tuple(f"{k}={v}" for k, v in new.items() if old.get(k) != v)
    gone = [k for k in old if k not in new]
    return [
        *(a.one(f"alter {subject} set ({make.storage_options(changed)})") if changed else []),
        *(a.one(f"alter {subject} reset ({', '.join(gone)})") if gone else []),
    ]


FIRES = {
    "": "enable",
    "never: disabled": "disable",
    "on replicas only": "enable replica",
    "always": "enable always",
}
