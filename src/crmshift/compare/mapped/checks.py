"""Checks that are lost, and those of the target that rows of legacy may not meet."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from crmshift.compare.mapped import expressions
from crmshift.compare.mapped.expressions import CannotRewriteError
from crmshift.compare.mapped.losses import Aspect, Count, Counting, Loss
from crmshift.compare.mapped.names import identifier, table_identifier
from crmshift.compare.mapped.sides import Sides
from crmshift.compare.mapped.types import Verdict
from crmshift.compare.mapped.ways import View
from crmshift.compare.model import Kind


def losses(sides: Sides, table: str) -> Iterator[Loss]:
    """Of the checks of a legacy table, and of those that its rows meet on the target."""
    yield from _checks(sides, table)
    yield from _exclusions(sides, table)
    for view in sides.views:
        if table in view.sources:
            yield from _checks_of_target(sides, table, view)


def _checks(sides: Sides, table: str) -> Iterator[Loss]:
    for name, check in sides.checks(table):
        columns = expressions.columns_of(check)
        if columns is not None and not all(sides.goes_on(table, c) for c in columns):
            continue  # the column that goes nowhere is told of
        offer: tuple[str, ...] = ()
        home, kept = None, False
        reasons: dict[str, str] = {}
        for target in sides.reached(table):
            try:
                text = expressions.rewritten(check, sides.renaming(table, target), sides.elsewhere)
                kept = kept or any(
                    expressions.canonical(text) == expressions.canonical(c) for _, c in sides.checks(target)
                )
                exact = expressions.rewritten(check, sides.renaming(table, target, exact=True), sides.elsewhere)
                if home is None:
                    home, offer = target, _add_check(sides, target, name, exact)
            except CannotRewriteError as error:
                reasons[target] = str(error)
        if not kept:
            where = f"nothing of the kind in {home}" if home else _why_nowhere(sides, table, columns, reasons)
            yield Loss(
                Aspect.CHECK,
                Verdict.LOST,
                table,
                f"{check}: {where}",
                tuple(sorted(columns or ())),
                name,
                home,
                offer=offer,
                needs=sides.needs(table, name),
            )


def _why_nowhere(sides: Sides, table: str, columns: frozenset[str] | None, reasons: dict[str, str]) -> str:
    """Why a check has no counterpart in any table, by the first that all its columns go to."""
    for target, reason in reasons.items():
        if columns is None or all(any(w.table == target for w in sides.ways_of(table, c)) for c in columns):
            return reason
    return "its columns go to different tables"


def _exclusions(sides: Sides, table: str) -> Iterator[Loss]:
    """EXCLUDE constraints, by what they are on; none is rewritten."""
    for o in sides.parts(table, Kind.CONSTRAINT):
        if o.details.get("type") == "exclude":
            definition = str(o.attributes["definition"])
            there = (c for t in sides.reached(table) for c in sides.parts(t, Kind.CONSTRAINT))
            if not any(c.details.get("type") == "exclude" for c in there):
                what = f"{definition}: no table that its rows go to has one"
                yield Loss(Aspect.CHECK, Verdict.LOST, table, what, (), o.identity.name)


def _add_check(sides: Sides, target: str, name: str, condition: str) -> tuple[str, ...]:
    taken = {o.identity.name for o in sides.parts(target, Kind.CONSTRAINT)}
    constraint = identifier(name if name not in taken else f"{name}_of_legacy")
    table = table_identifier(target)
    add = sql.SQL("alter table {} add constraint {} check ({}) not valid").format(table, constraint, sql.SQL(condition))
    return (add.as_string(), sql.SQL("alter table {} validate constraint {}").format(table, constraint).as_string())


def _checks_of_target(sides: Sides, table: str, view: View) -> Iterator[Loss]:
    for name, check in sides.checks(view.target):
        columns = expressions.columns_of(check) or frozenset()
        mine = {n for c in columns for t, n, _ in sides.origin(view.target, c) if t == table}
        if not mine or not columns <= sides.fed(view.target) or _is_not_null(check, columns):
            continue
        try:
            given = {
                expressions.canonical(expressions.rewritten(c, sides.renaming(table, view.target), sides.elsewhere))
                for _, c in sides.checks(table)
                if (expressions.columns_of(c) or {""}) <= sides.renaming(table, view.target).columns.keys()
            }
        except CannotRewriteError:
            given = set()
        if expressions.canonical(check) in given:
            continue
        yield Loss(
            Aspect.CHECK,
            Verdict.NARROWED,
            table,
            f"{view.target} takes only rows with {check}",
            tuple(sorted(mine)),
            name,
            view.target,
            counting=Counting(Count.REFUSED, view.target, tuple(sorted(columns)), view.name, condition=check),
        )


def _is_not_null(check: str, columns: frozenset[str]) -> bool:
    """Whether a check is NOT NULL in another form, which is told of with the column."""
    return any(
        expressions.canonical(check) == expressions.canonical(f"{identifier(c).as_string()} is not null")
        for c in columns
    )
