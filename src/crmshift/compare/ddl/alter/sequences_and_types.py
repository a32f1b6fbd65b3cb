"""ALTER of sequences and types."""

from __future__ import annotations

import re

from crmshift.compare.ddl import make
from crmshift.compare.ddl.address import address, name, parts, text
from crmshift.compare.ddl.alter.alteration import Alter, Alteration, Remake
from crmshift.compare.ddl.names import literal
from crmshift.compare.ddl.statement import (
    Statement,
    loses,
    may_fail,
    scans,
)


def sequence(words: str) -> Alter:
    def said(a: Alteration) -> list[Statement]:
        return a.one(f"alter sequence {make.name_of_sequence(a.now)} {words.format(a.new)}")

    return said


def sequence_cycle(a: Alteration) -> list[Statement]:
    return a.one(f"alter sequence {make.name_of_sequence(a.now)} {'cycle' if a.new else 'no cycle'}")


_OF_A_SEQUENCE = {
    "type": "as {}",
    "increment": "increment by {}",
    "minimum": "minvalue {}",
    "maximum": "maxvalue {}",
    "start": "start with {}",
}


def sequence_bounds(a: Alteration) -> list[Statement]:
    """All at once: one alone may not fit the others."""
    assert a.was is not None
    changed = [n for n in _OF_A_SEQUENCE if a.was.attributes.get(n) != a.now.attributes.get(n)]
    if a.change.attribute != next(n for n in a.now.attributes if n in changed):
        return []
    said = " ".join(_OF_A_SEQUENCE[n].format(text(a.now, n)) for n in changed)
    sequence = make.name_of_sequence(a.now)
    hazards = [may_fail("where its last value is out of bounds")] if {"minimum", "maximum"} & {*changed} else []
    if not int(text(a.now, "minimum")) <= int(text(a.was, "start")) <= int(text(a.now, "maximum")):
        said += f" restart with {text(a.now, 'start')}"
        hazards = [loses(f"how far {sequence} has counted")]
    return a.one(f"alter sequence {sequence} {said}", *hazards)


def sequence_persistence(a: Alteration) -> list[Statement]:
    return a.one(f"alter sequence {make.name_of_sequence(a.now)} set {a.new or 'logged'}")


def sequence_owned_by(a: Alteration) -> list[Statement]:
    return a.one(f"alter sequence {make.name_of_sequence(a.now)} owned by {a.new or 'none'}")


def labels(a: Alteration) -> list[Statement]:
    old, new = [*parts(a.change.old)], [*parts(a.change.new)]
    if [label for label in new if label in old] != old:
        raise Remake
    said = []
    for position, label in enumerate(new):
        if label in old:
            continue
        before = f" before {literal(old[0])}" if old else ""
        place = f" after {literal(new[position - 1])}" if position else before
        # In one transaction with what uses the label, it would fail.
        said += a.one(f"alter {address(a.now)} add value {literal(label)}{place}", transactional=False)
    return said


def fields(a: Alteration) -> list[Statement]:
    old, new = [*parts(a.change.old)], [*parts(a.change.new)]
    if new[: len(old)] == old:
        return [s for f in new[len(old) :] for s in a.one(f"alter {address(a.now)} add attribute {f}")]
    if [f for f in old if f in new] == new:
        field = re.compile(r'"(?:[^"]|"")*"|\S+')
        gone = [m[0] for f in old if f not in new and (m := field.match(f))]
        hazard = loses(f"values of these fields, wherever {name(a.now.identity)} is used")
        return [s for f in gone for s in a.one(f"alter {address(a.now)} drop attribute {f}", hazard)]
    raise Remake


def domain_default(a: Alteration) -> list[Statement]:
    return a.one(f"alter {address(a.now)} " + (f"set default {a.new}" if a.new else "drop default"))


def domain_not_null(a: Alteration) -> list[Statement]:
    if not a.new:
        return a.one(f"alter {address(a.now)} drop not null")
    return a.one(
        f"alter {address(a.now)} set not null",
        scans("each table with a column of it", "writes wait"),
        may_fail("where one is null"),
    )
