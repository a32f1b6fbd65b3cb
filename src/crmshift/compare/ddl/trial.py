"""Tries a script before it is offered: A is made anew in a scratch database, without rows, and must come out as wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import psycopg

from crmshift.compare.ddl.script import SETTINGS, Script, between
from crmshift.compare.ddl.statement import Statement
from crmshift.compare.difference import Difference, compare
from crmshift.compare.model import Schema
from crmshift.compare.read import read
from crmshift.compare.scratch import Workshop, workshop
from crmshift.db import Connection, translate
from crmshift.errors import CrmshiftError

SHOWN = 3


class Outcome(StrEnum):
    """What came of a trial."""

    EQUAL = "equal"
    DIFFERENT = "different"
    FAILED = "failed"
    NOT_TRIED = "not tried"


@dataclass(frozen=True)
class Trial:
    """The outcome, and in a sentence what it means."""

    outcome: Outcome
    text: str

    @property
    def failed(self) -> bool:
        return self.outcome in (Outcome.DIFFERENT, Outcome.FAILED)


class _Failed(Exception):
    """A statement did; says which."""


def tried(a: Schema, script: Script, server: Connection | None, roles_of: Connection | None) -> Trial:
    """Run the script on a copy of A, what is withheld included, and once more without that.

    server: where the scratch database is made; None: on an embedded one.
    """
    try:
        with workshop(server, version=a.version, roles_of=roles_of) as shop:
            trial = _run(shop, a, script, [e.statement for e in script.entries])
            if trial.outcome is Outcome.EQUAL and script.withheld:
                alone = _run(shop, a, script, script.active, whole=False)
                if alone.outcome is Outcome.FAILED:
                    return replace(alone, text=f"{alone.text} With what is withheld it is not so.")
            return trial
    except CrmshiftError as error:
        return _not_tried(error.message)


def _run(shop: Workshop, a: Schema, script: Script, statements: Sequence[Statement], *, whole: bool = True) -> Trial:
    with shop.database() as conn:
        base = read(conn, "scratch")
        known = Schema.of("", base.version, (o for o in base.objects if o.identity in a.by_identity))
        try:
            _execute(conn, between(known, a))
        except _Failed as error:
            return _not_tried(f"A could not be made anew: {error}")
        if left := _left(conn, base, a):
            return _not_tried(f"A could not be made anew: {_named(left)}")
        try:
            _execute(conn, statements)
        except _Failed as error:
            return Trial(Outcome.FAILED, f"Tried on a scratch copy of A, and it failed: {error}")
        if whole and (left := _left(conn, base, script.target)):
            text = f"Tried on a scratch copy of A: it does not come out equal to B: {_named(left)}."
            return Trial(Outcome.DIFFERENT, text)
    with_all = ", with what is commented out" if script.withheld else ""
    return Trial(Outcome.EQUAL, f"Tried on a scratch copy of A, without rows{with_all}: it came out equal to B.")


def _execute(conn: Connection, statements: Iterable[Statement]) -> None:
    for setting in SETTINGS:
        conn.execute(setting.encode())
    for statement in statements:
        try:
            conn.execute(statement.sql.encode())
        except psycopg.Error as error:
            raise _Failed(f"{statement.about}: {translate(error).message}") from None
    conn.execute("discard all")


def _left(conn: Connection, base: Schema, wanted: Schema) -> list[Difference]:
    """What differs from what is wanted, but for what the scratch database brought along, and owners that nobody named."""
    found = read(conn, "the scratch copy")
    ours = (o for o in found.objects if o.identity in wanted.by_identity or o.identity not in base.by_identity)
    compared = compare(replace(found, objects=tuple(ours)), wanted)
    return [d for d in compared.differences if not _only_an_owner_nobody_named(d, wanted.loaded_by)]


def _only_an_owner_nobody_named(d: Difference, loaded_by: str | None) -> bool:
    return bool(d.changes) and all(c.attribute == "owner" and c.new in (None, loaded_by) for c in d.changes)


def _named(left: Sequence[Difference]) -> str:
    named = [
        f"{d.identity} ({', '.join(c.attribute for c in d.changes)})" if d.changes else f"{d.identity} is {d.verb}"
        for d in left[:SHOWN]
    ]
    more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
    return f"{'; '.join(named)}{more}"


def _not_tried(why: str) -> Trial:
    return Trial(Outcome.NOT_TRIED, f"Not tried: {why.rstrip('.')}.")
