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
_KEPT = {
    ("real", "double precision"),
    ("date", "timestamp without time zone"),
    ("jsonb", "json"),
    ("boolean", "integer"),
    ("cidr", "inet"),
    ("bit", "bit varying"),
}
"""Conversions between types that keep every value; those to text, between integers and of a type to itself aside."""
_GROUPS = (_INTEGERS + _FLOATS, _TEXTS, _TIMES, ("json", "jsonb"))


@dataclass(frozen=True)
class Type:
    """A type as PostgreSQL prints it, taken apart: `numeric(10,2)[]`. fields: `day to second`, of an interval."""

    base: str
    modifiers: tuple[int, ...]
    array: bool
    fields: str = ""

    @classmethod
    def parse(cls, printed: str) -> Type:
        array = printed.endswith("[]")
        found = re.search(r"\((-?\d+(?:,-?\d+)*)\)", printed)
        modifiers = tuple(map(int, found[1].split(","))) if found else ()
        base = re.sub(r"\(.*?\)", "", printed.removesuffix("[]"))
        base, fields = " ".join(base.split()), ""
        if base.startswith("interval"):
            base, _, fields = base.partition(" ")
        return cls(base, modifiers, array, fields)


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
        if new.base == "name":
            return False  # it is cut instead
        if new.base in ("text", "character varying") and "." not in old.base:
            return bool(new.modifiers) and not (
                old.base == new.base and bool(old.modifiers) and old.modifiers[0] <= new.modifiers[0]
            )
        if old.base == new.base == "numeric":
            return bool(new.modifiers) and not (bool(old.modifiers) and _digits(old) <= _digits(new))
        if old.base in _INTEGERS and new.base in _INTEGERS:
            narrower = _INTEGERS.index(new.base) < _INTEGERS.index(old.base)
            return narrower or (new.base == "numeric" and bool(new.modifiers) and self.rewrites)
        return not (old.base in _TIMES and new.base in _TIMES) and old.base != new.base

    @property
    def may_lose(self) -> bool:
        """Whether values may come out changed for good: rounded, cut, spelled otherwise, without a part. So it is unless it is known not to be."""
        old, new = self.old, self.new
        if old == new:
            return False
        if old.base == new.base == "numeric":  # too many digits before the point fail; those behind it are rounded
            return bool(new.modifiers) and _scale(new) < (_scale(old) if old.modifiers else 99)
        if old.base == new.base and old.base in (*_TIMES, "interval"):
            return old.fields != new.fields or _precision(new) < _precision(old)
        if old.base == new.base or new.base in ("text", "character varying", "character"):
            return False  # what is too long fails, and all can be written as text
        if old.base in _INTEGERS[:3]:
            exact = _INTEGERS + {"smallint": _FLOATS, "integer": _FLOATS[1:]}.get(old.base, ())
            return new.base not in exact  # what is too large fails
        if ("." in new.base and (old.base in _TEXTS or "." in old.base)) or (old.base in _TEXTS and new.base == "json"):
            return False  # labels that are gone fail, and so does what is no json
        return (old.base, new.base) not in _KEPT


def _precision(t: Type) -> int:
    return t.modifiers[0] if t.modifiers else 6


def _scale(t: Type) -> int:
    return t.modifiers[1] if len(t.modifiers) > 1 else 0


def _digits(t: Type) -> int:
    """Before the point."""
    return t.modifiers[0] - _scale(t)
