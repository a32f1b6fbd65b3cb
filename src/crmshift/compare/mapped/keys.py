"""Uniqueness that is lost or new, and indexes that are missed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from psycopg import sql

from crmshift.compare.mapped import definitions, expressions
from crmshift.compare.mapped.expressions import CannotRewriteError, Renaming
from crmshift.compare.mapped.losses import Aspect, Count, Counting, Loss
from crmshift.compare.mapped.names import table_identifier
from crmshift.compare.mapped.sides import Sides, UniqueKey
from crmshift.compare.mapped.types import Verdict
from crmshift.compare.mapped.ways import How, View
from crmshift.compare.model import Kind


def losses(sides: Sides, table: str) -> Iterator[Loss]:
    """Of the keys of a legacy table, and of those that its rows meet on the target."""
    yield from _keys(sides, table, Aspect.UNIQUE, list(sides.unique_keys(table)), _keeps_unique)
    yield from _keys(sides, table, Aspect.INDEX, list(sides.plain_indexes(table)), _serves)
    for view in sides.views:
        if table in view.sources:
            yield from _keys_of_target(sides, table, view)


def notes(sides: Sides, table: str) -> Iterator[str]:
    """Indexes that the target has too, and that roles which row-level security restricts there cannot use.

    PostgreSQL looks up nothing by a function that might tell of rows the role must not see: only by one that is leakproof.
    """
    if sides.restricts_rows(table):
        return
    for key in sides.indexes(table):
        called = {name for part in key.keys.keys for name in re.findall(r"(\w+)\(", part)} - sides.leakproof
        for target in sides.targets(table) if called else ():
            with suppress(CannotRewriteError):
                rewritten = _rewritten(key, sides.renaming(table, target), sides.elsewhere)
                if sides.restricts_rows(target) and _serves(sides, target, key, rewritten):
                    yield (
                        f"index {key.name}: where row-level security restricts a role, {target} is searched by {', '.join(rewritten[0])} "
                        f"without an index: {', '.join(sorted(called))}() is not leakproof"
                    )


NOT_WHOLE = (
    "not all of its columns are carried there as they are: whether one is missed, and on what, is for you to say"
)

Keeps = Callable[[Sides, str, UniqueKey, "Rewritten"], bool]
Rewritten = tuple[tuple[str, ...], str]
"""Keys and predicate, in names of the target."""


def _keys(sides: Sides, table: str, aspect: Aspect, found: Sequence[UniqueKey], keeps: Keeps) -> Iterator[Loss]:
    for key in found:
        homes: list[tuple[str, Rewritten]] = []
        reason = (
            "its columns go to different tables" if len(_columns(key)) > 1 else "its column goes to no column there"
        )
        for target in sides.reached(table):
            try:
                homes.append((target, _rewritten(key, sides.renaming(table, target, computed=True), sides.elsewhere)))
            except CannotRewriteError as error:
                reason = reason if "nothing equal" in str(error) else str(error)
        if any(keeps(sides, target, key, rewritten) for target, rewritten in homes):
            continue
        if not all(sides.goes_on(table, column) for column in _columns(key)):
            continue  # the column that goes nowhere is told of
        what = f"{_shown(key)}: "
        what += f"{homes[0][0]} has none like it" if homes else reason
        if aspect is Aspect.UNIQUE:
            what = f"{_shown(key)} is unique here: "
            what += f"in {homes[0][0]} nothing says so" if homes else reason
        whole = bool(homes) and _is_whole(sides, table, homes[0][0], key)
        yield Loss(
            aspect,
            Verdict.LOST,
            table,
            what,
            tuple(sorted(_columns(key))),
            key.name,
            homes[0][0] if homes else None,
            offer=_make_index(key, *homes[0], unique=aspect is Aspect.UNIQUE) if whole else (),
            no_offer=NOT_WHOLE if homes and not whole else None,
            needs=sides.needs(table, key.name),
        )


def _columns(key: UniqueKey) -> frozenset[str]:
    found: set[str] = set()
    for part in [*key.keys.keys, *([key.keys.where] if key.keys.where else [])]:
        found |= expressions.columns_of(part) or frozenset()
    return frozenset(found)


def _rewritten(key: UniqueKey, renaming: Renaming, elsewhere: dict[str, Renaming]) -> Rewritten:
    parts = tuple(expressions.rewritten(part, renaming, elsewhere) for part in key.keys.keys)
    return parts, expressions.rewritten(key.keys.where, renaming, elsewhere) if key.keys.where else ""


def _is_whole(sides: Sides, table: str, target: str, key: UniqueKey) -> bool:
    """Whether the target's columns are those of legacy, and not only found by them."""
    return _columns(key) <= {
        c for c in sides.columns(table) if any(w.table == target for w in sides.arrivals(table, c, only_passed=True))
    }


def _keeps_unique(sides: Sides, target: str, key: UniqueKey, rewritten: Rewritten) -> bool:
    wanted, where = {*map(expressions.canonical, rewritten[0])}, expressions.canonical(rewritten[1])
    partial = {expressions.canonical(v.conflict_where) for v in sides.views if v.target == target and v.conflict_where}
    return any(
        {*map(expressions.canonical, other.keys.keys)} <= wanted
        and expressions.canonical(other.keys.where) in {"", where} | partial
        and (other.keys.nulls_equal or not key.keys.nulls_equal)
        for other in sides.unique_keys(target)
    )


def _serves(sides: Sides, target: str, key: UniqueKey, rewritten: Rewritten) -> bool:
    """Whether an index begins with the same keys, behind columns that policies pin to one value anyway."""
    wanted = [*map(expressions.canonical, rewritten[0])]
    where = expressions.canonical(rewritten[1])
    pinned = {expressions.canonical(column) for column in _pinned(sides, target)}
    for other in sides.indexes(target):
        if other.keys.method != key.keys.method or expressions.canonical(other.keys.where) not in ("", where):
            continue
        keys = [*zip(map(expressions.canonical, other.keys.keys), other.keys.options, strict=True)]
        while keys and keys[0][0] in pinned and keys[0][0] not in wanted:
            keys.pop(0)
        if keys[: len(wanted)] == [*zip(wanted, key.keys.options, strict=True)]:
            return True
    return False


def _pinned(sides: Sides, table: str) -> set[str]:
    """Columns that a policy compares with something that no row has a say in: the workspace of the session."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    found: set[str] = set()
    if not sides.restricts_rows(table):
        return found
    for policy in sides.parts(table, Kind.POLICY):
        try:
            using = policy.attributes.get("using", "true")
            tree: Any = sqlglot.parse_one(f"select {using}", dialect="postgres")
            tree = tree.selects[0]
        except SqlglotError:
            continue
        while isinstance(tree, exp.Paren):
            tree = tree.this
        if isinstance(tree, exp.EQ):
            for one, other in ((tree.this, tree.expression), (tree.expression, tree.this)):
                if isinstance(one, exp.Column) and not other.find(exp.Column):
                    found.add(one.name)
    return found


def _shown(key: UniqueKey) -> str:
    where = f" where {key.keys.where}" if key.keys.where else ""
    method = "" if key.keys.method == "btree" else f"{key.keys.method} "
    return f"{method}({', '.join(key.keys.keys)}){where}"


def _make_index(key: UniqueKey, target: str, rewritten: Rewritten, *, unique: bool) -> tuple[str, ...]:
    parts = [f"{k} {o}".strip() for k, o in zip(rewritten[0], key.keys.options, strict=True)]
    made = sql.SQL("create {}index concurrently on {} using {} ({}){}{}").format(
        sql.SQL("unique " if unique else ""),
        table_identifier(target),
        sql.SQL(key.keys.method),
        sql.SQL(", ".join(parts)),
        sql.SQL(" nulls not distinct" if key.keys.nulls_equal else ""),
        sql.SQL(f" where {rewritten[1]}" if rewritten[1] else ""),
    )
    return (made.as_string(),)


def _keys_of_target(sides: Sides, table: str, view: View) -> Iterator[Loss]:
    """Unique keys of the target that nothing in legacy makes true."""
    for key in sides.unique_keys(view.target):
        columns = _columns(key) - (
            expressions.columns_of(key.keys.where) or frozenset() if key.keys.where else frozenset()
        )
        if (
            not columns
            or not columns <= sides.fed(view.target)
            or not all(_reached_by(sides, view, c) for c in columns)
        ):
            continue
        if any(_implies(sides, source, view.target, key) for source in sides.legacy_tables):
            continue
        keys = tuple(key.keys.keys)
        what = f"{view.target} takes no two rows with the same {', '.join(keys)}"
        what += f" where {key.keys.where}" if key.keys.where else ""
        yield Loss(
            Aspect.UNIQUE,
            Verdict.NARROWED,
            table,
            what,
            tuple(sorted({n for c in columns for t, n, _ in sides.origin(view.target, c) if t == table})),
            key.name,
            view.target,
            counting=Counting(
                Count.DUPLICATES,
                view.target,
                keys,
                view.name,
                condition=key.keys.where,
                nulls_equal=key.keys.nulls_equal,
            ),
        )


def _reached_by(sides: Sides, view: View, column: str) -> bool:
    """Whether this mapping fills a column of its target with values of legacy."""
    return any(
        w.mapping == view.name and w.column == column and w.how is not How.DECIDES
        for found in sides.ways.values()
        for w in found
    )


def _implies(sides: Sides, source: str, target: str, key: UniqueKey) -> bool:
    """Whether a unique key of a legacy table says at least as much."""
    given = {*map(expressions.canonical, key.keys.keys)}
    names: dict[str, set[str]] = {}
    for column in sides.columns(source):
        names[column] = {w.column for w in sides.arrivals(source, column) if w.table == target and w.column}
    renaming = sides.renaming(source, target)
    for own in sides.unique_keys(source):
        if own.keys.where:
            continue
        for part in own.keys.keys:
            plain = definitions.bare(part)
            if names.get(plain, set()) & set(map(definitions.bare, key.keys.keys)):
                continue
            try:
                if expressions.canonical(expressions.rewritten(part, renaming, sides.elsewhere)) not in given:
                    break
            except CannotRewriteError:
                break
        else:
            return True
    return False
