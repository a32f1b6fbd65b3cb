"""What is lost or narrowed of single columns: where they go, type, NULLs, defaults."""

from __future__ import annotations

import re
from collections.abc import Iterator

from psycopg import sql

from crmshift.compare.mapped import expressions, types
from crmshift.compare.mapped.losses import Aspect, Count, Counting, Loss
from crmshift.compare.mapped.names import identifier, table_identifier
from crmshift.compare.mapped.sides import Sides
from crmshift.compare.mapped.types import TypeChange, Verdict
from crmshift.compare.mapped.ways import How, Way
from crmshift.compare.model import Kind, Object


def losses(sides: Sides, table: str) -> Iterator[Loss]:
    """All of them, column by column."""
    for name, column in sides.columns(table).items():
        yield from _nowhere(sides, table, name)
        yield from _type(sides, table, name, column)
        yield from _vocabulary(sides, table, name)
        yield from _nullability(sides, table, name, column)
        yield from _default(sides, table, name, column)


def _nowhere(sides: Sides, table: str, name: str) -> Iterator[Loss]:
    found = sides.ways_of(table, name)
    if any(way.column for way in found):
        return
    what = "goes nowhere: no mapping reads it"
    if found:
        what = "goes nowhere: it is read, and carried into no column"
    elif name in sides.left_behind.get(table, ()):
        what = "goes nowhere: the plan leaves it behind"
    yield Loss(
        Aspect.COLUMN,
        Verdict.LOST,
        table,
        what,
        (name,),
        counting=Counting(Count.FILLED, table, (name,)),
    )


def _type(sides: Sides, table: str, name: str, column: Object) -> Iterator[Loss]:
    source = str(column.details["type"])
    lost, kept = [], False
    for way in sides.arrivals(table, name, only_passed=True):
        assert way.column is not None
        target = str(sides.columns(way.table)[way.column].details["type"])
        changes = [types.change(source, target, sides.find_type)]
        on_the_way = (
            types.change(source, cast, sides.find_type)
            for cast in way.casts
            if types.short(cast) != types.short(target)
        )
        changes += [c for c in on_the_way if c is not None and c.verdict is Verdict.NARROWED]
        narrowed = [c for c in changes if c is not None and c.verdict is Verdict.NARROWED]
        if narrowed:
            first = min(narrowed, key=lambda c: c.limit or 0)
            yield Loss(
                Aspect.TYPE,
                Verdict.NARROWED,
                table,
                first.what,
                (name,),
                target=f"{way.table}.{way.column}",
                counting=_count_unfit(sides, table, name, source, target, first),
            )
        elif changes[0] is not None:
            if not _has_check_of_its_own(sides, way):
                lost.append((way, changes[0]))
        else:
            kept = True
    if lost and not kept:
        way, change = lost[0]
        yield Loss(Aspect.TYPE, Verdict.LOST, table, change.what, (name,), target=f"{way.table}.{way.column}")


def _has_check_of_its_own(sides: Sides, way: Way) -> bool:
    """Whether the target says in another form which values there may be."""
    own = frozenset({way.column or ""})
    return any(expressions.columns_of(check) == own for _, check in sides.checks(way.table))


def _count_unfit(sides: Sides, table: str, name: str, source: str, target: str, change: TypeChange) -> Counting:
    if change.limit is not None:
        return Counting(Count.LONGER, table, (name,), limit=change.limit)
    made = sides.find_type(target)
    if made is not None and made.identity.kind is Kind.ENUM:
        return Counting(Count.UNKNOWN, table, (name,), labels=tuple(made.attributes.get("labels", ())))
    return Counting(Count.UNFIT, table, (name,), type=target, of=source)


def _vocabulary(sides: Sides, table: str, name: str) -> Iterator[Loss]:
    """What a mapping translates with CASE and no ELSE: a value that no branch knows becomes NULL."""
    found = sides.ways_of(table, name)
    if sides.arrivals(table, name, only_passed=True):
        return
    for way in found:
        if way.known is not None and way.column:
            condition, alias = way.known
            yield Loss(
                Aspect.VOCABULARY,
                Verdict.NARROWED,
                table,
                f"is translated into {way.table}.{way.column}; what no branch of its CASE knows becomes NULL",
                (name,),
                target=f"{way.table}.{way.column}",
                counting=Counting(Count.UNKNOWN, table, (name,), condition=condition, alias=alias),
            )
            return


_MAKES_A_VALUE = re.compile(r"\b(coalesce|case|concat|concat_ws|count|is|exists)\b", re.I)


def _nullability(sides: Sides, table: str, name: str, column: Object) -> Iterator[Loss]:
    arrivals = sides.arrivals(table, name)
    required = [w for w in arrivals if w.column and _is_required(sides, w)]
    if "not null" in column.attributes:
        if arrivals and not required:
            way = next((w for w in arrivals if w.exact), arrivals[0])
            yield Loss(
                Aspect.NOT_NULL,
                Verdict.LOST,
                table,
                f"NOT NULL here, and may be NULL in {way.table}.{way.column}",
                (name,),
                target=f"{way.table}.{way.column}",
                offer=_require(way) if way.exact else (),
            )
        return
    for way in required:
        counting = Counting(Count.NULLS, table, (name,))
        yield _may_be_null(table, name, way, f"and {way.table}.{way.column} is NOT NULL", counting)
    for way in sides.ways_of(table, name):
        told = way.how is How.COMPUTES and not way.conditional and not _MAKES_A_VALUE.search(way.expression)
        if told and way.column and _is_required(sides, way):
            counting = Counting(Count.NULLS, way.table, (way.column,), mapping=way.mapping)
            what = f"and {way.table}.{way.column}, which is computed from it, is NOT NULL"
            yield _may_be_null(table, name, way, what, counting)


def _may_be_null(table: str, name: str, way: Way, what: str, counting: Counting) -> Loss:
    return Loss(
        Aspect.NOT_NULL,
        Verdict.NARROWED,
        table,
        f"may be NULL here, {what}",
        (name,),
        target=f"{way.table}.{way.column}",
        counting=counting,
    )


def _is_required(sides: Sides, way: Way) -> bool:
    assert way.column is not None
    if "not null" in sides.columns(way.table)[way.column].attributes:
        return True
    as_check = expressions.canonical(f"{identifier(way.column).as_string()} is not null")
    return any(expressions.canonical(check) == as_check for _, check in sides.checks(way.table))


def _require(way: Way) -> tuple[str, ...]:
    """As a check that is validated afterwards: SET NOT NULL by itself would read the table under a lock that stops everybody."""
    assert way.column is not None
    table, name = table_identifier(way.table), identifier(f"{way.column}_is_given")
    add = sql.SQL("alter table {} add constraint {} check ({} is not null) not valid").format(
        table, name, identifier(way.column)
    )
    validate = sql.SQL("alter table {} validate constraint {}").format(table, name)
    return (add.as_string(), validate.as_string())


_LITERAL = re.compile(r"^('(?:[^']|'')*')::[a-z ]+$")


def _default(sides: Sides, table: str, name: str, column: Object) -> Iterator[Loss]:
    own = _makes(column)
    arrivals = sides.arrivals(table, name, only_passed=True)
    if own is None or not arrivals:
        return
    theirs = [(w, _makes(sides.columns(w.table)[w.column])) for w in arrivals if w.column]
    if any(made == own for _, made in theirs):
        return
    way, other = next(((w, made) for w, made in theirs if w.exact), theirs[0])
    assert way.column is not None
    shown = str(column.attributes.get("default", "a number of its own"))
    what = f"{plain[1] if (plain := _LITERAL.match(shown)) else shown}: {way.table}.{way.column} has {'another one' if other else 'none'}"
    offer: tuple[str, ...] = ()
    why = None
    if other is None and own != "its own number":
        set_default = sql.SQL("alter table {} alter column {} set default {}").format(
            table_identifier(way.table), identifier(way.column), sql.SQL(shown)
        )
        offer = (set_default.as_string(),)
    elif other is None:
        why = "both sides have to draw from one sequence, so that a number given on the one is free on the other"
    yield Loss(
        Aspect.DEFAULT,
        Verdict.LOST,
        table,
        what,
        (name,),
        target=f"{way.table}.{way.column}",
        offer=offer,
        no_offer=why,
        needs=column.depends_on,
    )


def _makes(column: Object) -> str | None:
    """What a column takes where none is given, so that two that do the same are the same."""
    if "identity" in column.attributes:
        return "its own number"
    default = column.attributes.get("default")
    if default is None or re.fullmatch(r"NULL(::.*)?", str(default)):
        return None
    if re.match(r"nextval\(", str(default)):
        return "its own number"
    if re.fullmatch(r"(\w+\.)?(gen_random_uuid|uuid_generate_v4)\(\)", str(default)):
        return "a random uuid"
    return expressions.canonical(str(default))
