"""What a value loses when its column takes another type."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from crmshift.compare.model import Identity, Kind, Object, Schema

_SHORT = {
    "character varying": "varchar",
    "bpchar": "char",
    "character": "char",
    "decimal": "numeric",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "time with time zone": "timetz",
    "time without time zone": "time",
    "int": "integer",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "bool": "boolean",
    "float8": "double precision",
    "float4": "real",
    "double": "double precision",
}
_WHOLE = {"smallint": 5, "integer": 10, "bigint": 19}
"""Whole numbers, with their digits."""
_EXACT_DIGITS = {"real": 6, "double precision": 15}
_CHARACTERS = ("varchar", "char", "text")
_MOMENTS = ("timestamp", "timestamptz", "time", "timetz")


class Verdict(StrEnum):
    """What became of something on its way to the target."""

    LOST = "lost"
    NARROWED = "narrowed"


@dataclass(frozen=True)
class TypeChange:
    """What a change of type does. limit: most characters that fit, where it is that."""

    verdict: Verdict
    what: str
    limit: int | None = None


def short(name: str) -> str:
    """A type as people write it: varchar(20), timestamptz."""
    base, arguments, array = _parts(name)
    return base + (f"({arguments})" if arguments else "") + array


def _parts(name: str) -> tuple[str, str, str]:
    """Name, arguments, and [] of a type."""
    array = "[]" if name.endswith("]") else ""
    plain = re.sub(r"(\[\d*\])+$", "", name)
    found = re.search(r"\s*\(([\d, ]+)\)", plain)
    arguments = found[1].replace(" ", "") if found else ""
    base = (plain[: found.start()] + plain[found.end() :] if found else plain).strip()
    return _SHORT.get(base, base), arguments, array


def change(source: str, target: str, find: Callable[[str], Object | None] = lambda name: None) -> TypeChange | None:
    """What is lost or narrowed between two types; None: nothing. find: an enum or domain of this name."""
    if short(source) == short(target):
        return None
    old, new = find(source), find(target)
    if old is not None and old.identity.kind is Kind.DOMAIN:
        base = str(old.attributes["type"])
        inner = change(base, target, find)
        return inner or TypeChange(
            Verdict.LOST, f"{short(target)} does without the rules of the domain {short(source)}"
        )
    if new is not None and new.identity.kind is Kind.DOMAIN:
        inner = change(source, str(new.attributes["type"]), find)
        return inner or TypeChange(Verdict.NARROWED, f"the domain {short(target)} has rules of its own")
    if old is not None and new is not None and old.identity.kind is new.identity.kind is Kind.ENUM:
        missing = [label for label in old.attributes.get("labels", ()) if label not in new.attributes.get("labels", ())]
        if not missing:
            return None
        return TypeChange(Verdict.NARROWED, f"the vocabulary {short(target)} lacks {len(missing)} of {short(source)}")
    if new is not None and new.identity.kind is Kind.ENUM:
        return TypeChange(
            Verdict.NARROWED, f"takes only the {len(new.attributes.get('labels', ()))} values of {short(target)}"
        )
    (a, a_arguments, a_array), (b, b_arguments, b_array) = _parts(source), _parts(target)
    if a_array != b_array:
        if b in _CHARACTERS and not b_array:
            return TypeChange(Verdict.LOST, f"{short(target)} takes any text, {short(source)} does not")
        return TypeChange(Verdict.NARROWED, f"{short(target)} is another type than {short(source)}")
    return _plain(a, a_arguments, b, b_arguments, short(source), short(target), old)


def _plain(
    a: str, a_arguments: str, b: str, b_arguments: str, source: str, target: str, old: Object | None
) -> TypeChange | None:
    if (a.rpartition(".")[2] == "citext") is not (b.rpartition(".")[2] == "citext"):
        if b in _CHARACTERS and not b_arguments:
            return TypeChange(Verdict.LOST, f"{target} tells upper from lower case, {source} does not")
        if a in _CHARACTERS:
            return TypeChange(Verdict.NARROWED, f"{target} does not tell upper from lower case")
    if b in _CHARACTERS:
        limit = int(b_arguments) if b_arguments else None
        if a in _CHARACTERS:
            before = int(a_arguments) if a_arguments else None
            if limit is not None and (before is None or before > limit):
                return TypeChange(
                    Verdict.NARROWED, f"at most {limit} characters, {before or 'any number'} before", limit
                )
            if b == "char" and a != "char":
                return TypeChange(Verdict.NARROWED, f"{target} drops blanks at the end")
            return None
        if limit is not None:
            return TypeChange(Verdict.NARROWED, f"at most {limit} characters", limit)
        if old is not None and old.identity.kind is Kind.ENUM:
            return TypeChange(Verdict.LOST, f"{target} takes any text, not only the values of {source}")
        return TypeChange(Verdict.LOST, f"{target} takes any text, {source} does not")
    if a in _WHOLE and b in _WHOLE:
        return None if _WHOLE[a] < _WHOLE[b] else TypeChange(Verdict.NARROWED, f"fewer numbers fit {target}")
    if a in _WHOLE and b in _EXACT_DIGITS:
        return None if _WHOLE[a] <= _EXACT_DIGITS[b] else TypeChange(Verdict.NARROWED, f"{target} rounds large numbers")
    if b == "numeric" and (a in _WHOLE or a == "numeric"):
        return _numeric(a, a_arguments, b_arguments, target)
    if (a, b) == ("real", "double precision"):
        return None
    if a == "numeric" or a in _EXACT_DIGITS:
        if b == "numeric" and not b_arguments:
            return None
        if b in _WHOLE or b in _EXACT_DIGITS or b == "numeric":
            return TypeChange(Verdict.NARROWED, f"{target} rounds")
    if a in _MOMENTS and b in (*_MOMENTS, "date"):
        return _moment(a, a_arguments, b, b_arguments, target)
    if a == "date" and b == "timestamp":
        return None
    return TypeChange(Verdict.NARROWED, f"{target} is another type than {source}")


def _numeric(a: str, a_arguments: str, b_arguments: str, target: str) -> TypeChange | None:
    if not b_arguments:
        return None
    precision, scale = _digits(b_arguments)
    if a == "numeric" and not a_arguments:
        return TypeChange(Verdict.NARROWED, f"fewer digits fit {target}")
    before, before_scale = _digits(a_arguments) if a == "numeric" else (_WHOLE[a], 0)
    fits = precision - scale >= before - before_scale and scale >= before_scale
    return None if fits else TypeChange(Verdict.NARROWED, f"fewer digits fit {target}")


def _digits(arguments: str) -> tuple[int, int]:
    precision, _, scale = arguments.partition(",")
    return int(precision), int(scale or 0)


def _moment(a: str, a_arguments: str, b: str, b_arguments: str, target: str) -> TypeChange | None:
    if b == "date":
        return TypeChange(Verdict.NARROWED, "date keeps the day and drops the time")
    if a == b:
        fits = int(a_arguments or 6) <= int(b_arguments or 6)
        return None if fits else TypeChange(Verdict.NARROWED, f"{target} rounds fractions of a second")
    if (a, b) in (("timestamptz", "timestamp"), ("timetz", "time")):
        return TypeChange(
            Verdict.NARROWED, f"{target} drops the time zone: what it means depends on the session that writes"
        )
    if (a, b) in (("timestamp", "timestamptz"), ("time", "timetz")):
        return TypeChange(Verdict.NARROWED, f"{target} takes the time zone of the session that writes")
    return TypeChange(Verdict.NARROWED, f"{target} is another type")


def finder(*schemas: Schema) -> Callable[[str], Object | None]:
    """Finds enums and domains by the name that format_type gives them under an empty search_path."""
    named: dict[str, Object] = {}
    for o in itertools.chain.from_iterable(s.objects for s in schemas):
        if o.identity.kind in (Kind.ENUM, Kind.DOMAIN):
            named.setdefault(f"{_quoted(o.identity, 'schema')}.{_quoted(o.identity, 'name')}", o)
    return named.get


def _quoted(identity: Identity, part: str) -> str:
    name = str(getattr(identity, part))
    return name if re.fullmatch(r"[a-z_][a-z0-9_$]*", name) else '"' + name.replace('"', '""') + '"'
