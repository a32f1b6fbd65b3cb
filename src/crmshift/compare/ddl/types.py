"""Changes of a column's type: whether values may be lost, whether the table is written anew, and whether a cast must be named."""

from __future__ import annotations

import re
from dataclasses import dataclass

_INTEGERS = ("smallint", "integer", "bigint", "numeric")
_FLOATS = ("real", "double precision")
_TEXTS = ("character varying", "text", "character", "name")
_TIMES = (
    "date",
    *("timestamp without time zone", "timestamp with time zone", "time without time zone", "time with time zone"),
)
_GROUPS = (_INTEGERS + _FLOATS, _TEXTS, _TIMES, ("json", "jsonb"))


@dataclass(frozen=True)
class Type:
    """A type as PostgreSQL prints it, taken apart: `numeric(10,2)[]`."""

    base: str
    modifiers: tuple[int, ...]
    array: bool

    @classmethod
    def parse(cls, printed: str) -> Type:
        array = printed.endswith("[]")
        found = re.search(r"\((-?\d+(?:,-?\d+)*)\)", printed)
        modifiers = tuple(map(int, found[1].split(","))) if found else ()
        base = re.sub(r"\(.*?\)", "", printed.removesuffix("[]"))
        if base.startswith("interval"):
            base = "interval"
        return cls(" ".join(base.split()), modifiers, array)


@dataclass(frozen=True)
class Conversion:
    """From one type to another."""

    old: Type
    new: Type

    @classmethod
    def between(cls, old: str, new: str) -> Conversion:
        return cls(Type.parse(old), Type.parse(new))

    @property
    def assigns(self) -> bool:
        """Whether PostgreSQL converts without being told how."""
        if self.old.array != self.new.array:
            return False
        if self.old.base == self.new.base or (self.new.base in _TEXTS and "." not in self.old.base):
            return True
        return any(self.old.base in group and self.new.base in group for group in _GROUPS)

    @property
    def casts(self) -> bool:
        """Whether it converts when told to; else it goes through text."""
        return self.assigns or {self.old.base, self.new.base} == {"boolean", "integer"}

    @property
    def rewrites(self) -> bool:
        """Whether every row is written anew."""
        if self.old.array or self.new.array:
            return self.old != self.new
        old, new = self.old, self.new
        if new.base in ("character varying", "text") and old.base in ("character varying", "text"):
            return bool(new.modifiers) and not (old.modifiers and old.modifiers[0] <= new.modifiers[0])
        if old.base == new.base == "numeric":
            return bool(new.modifiers) and not (
                bool(old.modifiers) and old.modifiers[1:] == new.modifiers[1:] and old.modifiers[0] <= new.modifiers[0]
            )
        if old.base == new.base and old.base in _TIMES:
            return _precision(new) < _precision(old)
        return True

    @property
    def may_fail(self) -> bool:
        """Whether there may be values that cannot be converted."""
        old, new = self.old, self.new
        if old.array or new.array:
            return old.base != new.base or old.array != new.array
        if new.base in ("text", "character varying") and "." not in old.base:
            return bool(new.modifiers) and not (
                old.base == new.base and bool(old.modifiers) and old.modifiers[0] <= new.modifiers[0]
            )
        if old.base in _INTEGERS and new.base in _INTEGERS:
            narrower = _INTEGERS.index(new.base) < _INTEGERS.index(old.base)
            return narrower or (new.base == "numeric" and bool(new.modifiers) and self.rewrites)
        return not (old.base in _TIMES and new.base in _TIMES) and old.base != new.base

    @property
    def may_lose(self) -> bool:
        """Whether values may come out changed for good: rounded, cut, or without a part."""
        old, new = self.old, self.new
        if old.array != new.array:
            return False
        if old.base in _TIMES and new.base in _TIMES:
            if old.base == new.base:
                return _precision(new) < _precision(old)
            return not (old.base.startswith("timestamp") and new.base.startswith("timestamp")) and old.base != "date"
        if old.base in _INTEGERS[:3]:
            return (new.base in _FLOATS and old.base == "bigint") or (new.base == "real" and old.base == "integer")
        if old.base == "numeric" or old.base in _FLOATS:
            if new.base == "numeric":
                return bool(new.modifiers) and _scale(new) < (_scale(old) if old.modifiers else 99)
            return new.base not in _TEXTS and (old.base, new.base) != ("real", "double precision")
        return False  # texts that are too long, and labels that are gone, fail


def _precision(t: Type) -> int:
    return t.modifiers[0] if t.modifiers else 6


def _scale(t: Type) -> int:
    return t.modifiers[1] if len(t.modifiers) > 1 else 0
