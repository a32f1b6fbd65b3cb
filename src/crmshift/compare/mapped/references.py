"""Foreign keys that are lost, and those of the target that rows of legacy may not meet: orphans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crmshift.compare.mapped.losses import Aspect, Count, Counting, Loss
from crmshift.compare.mapped.sides import Sides
from crmshift.compare.mapped.types import Verdict
from crmshift.compare.mapped.ways import How, View

NO_REFERENCE_OFFERED = "while both sides are written, a foreign key of the target can make a write in legacy fail; the plan adds those it needs when the time has come"


def losses(sides: Sides, table: str) -> Iterator[Loss]:
    """Of the foreign keys of a legacy table, and of those that its rows meet on the target."""
    yield from _references(sides, table)
    for view in sides.views:
        if table in view.sources:
            yield from _references_of_target(sides, table, view)


def _references(sides: Sides, table: str) -> Iterator[Loss]:
    for key in sides.foreign_keys(table):
        pairs = list(zip(key.reference.columns, key.reference.to, strict=True))
        if not all(sides.goes_on(table, c) for c, _ in pairs):
            continue
        if any(_refers(sides, table, pairs, key.reference.table, t) for t in sides.reached(table)):
            continue
        yield Loss(
            Aspect.FOREIGN_KEY,
            Verdict.LOST,
            table,
            f"({', '.join(c for c, _ in pairs)}) refers to {key.reference.table}: nothing of the kind on the target",
            tuple(c for c, _ in pairs),
            key.name,
            no_offer=NO_REFERENCE_OFFERED,
        )


def _refers(sides: Sides, table: str, pairs: Sequence[tuple[str, str]], parent: str, target: str) -> bool:
    """Whether a foreign key of the target says the same."""
    for key in sides.foreign_keys(target):
        theirs = list(zip(key.reference.columns, key.reference.to, strict=True))
        if all(
            any(_same_pair(sides, table, own, parent, target, key.reference.table, pair) for pair in theirs)
            for own in pairs
        ):
            return True
    return False


def _same_pair(
    sides: Sides, table: str, own: tuple[str, str], parent: str, target: str, to_table: str, pair: tuple[str, str]
) -> bool:
    for way in sides.arrivals(table, own[0]):
        if (way.table, way.column) != (target, pair[0]):
            continue
        if parent not in sides.legacy_tables:
            return (to_table, pair[1]) == (parent, own[1])
        if way.how is How.FINDS:
            return way.through is not None and way.through.rpartition(".")[0] == to_table
        return any((w.table, w.column) == (to_table, pair[1]) for w in sides.arrivals(parent, own[1]))
    return False


def _references_of_target(sides: Sides, table: str, view: View) -> Iterator[Loss]:
    """Foreign keys of the target that none of legacy makes true: orphans would not fit."""
    own = {
        (column, key.reference.table, to)
        for key in sides.foreign_keys(table)
        if key.checked
        for column, to in zip(key.reference.columns, key.reference.to, strict=True)
    }
    told = set()
    for key in sides.foreign_keys(view.target):
        pairs = dict.fromkeys(
            (column, parent, to)
            for child, there in zip(key.reference.columns, key.reference.to, strict=True)
            for column, parent, to in _in_legacy(sides, table, view, child, key.reference.table, there)
            if (column, parent, to) not in own and (table, column) != (parent, to)
        )
        for column, parent, to in pairs:
            if (column, parent) in told:
                continue
            told.add((column, parent))
            yield Loss(
                Aspect.FOREIGN_KEY,
                Verdict.NARROWED,
                table,
                f"nothing keeps {column} within {parent}, and {view.target} takes no orphans",
                (column,),
                key.name,
                view.target,
                counting=Counting(Count.ORPHANS, table, (column,), refers_to=(parent, (to,))),
            )


def _in_legacy(
    sides: Sides, table: str, view: View, child: str, parent: str, to: str
) -> Iterator[tuple[str, str, str]]:
    """What a foreign key of the target is about in legacy: column of this table, table, and column there."""
    for own_table, column, way in sides.origin(view.target, child):
        if own_table != table or way.mapping != view.name:
            continue
        there, column_there = (parent, to)
        if way.how is How.FINDS and way.through:
            there, _, column_there = way.through.rpartition(".")
        if there in {v.target for v in sides.views}:
            origins = [(t, c) for t, c, w in sides.origin(there, column_there) if w.how is How.PASSES_ON]
            yield from ((column, t, c) for t, c in origins)
        else:
            yield column, there, column_there
