"""Where the columns of legacy go, read from the definitions of the mapping views."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from crmshift.mapping import sources


class How(StrEnum):
    """What a mapping does with a column of legacy."""

    PASSES_ON = "passes on"
    COMPUTES = "computes from"
    FINDS = "finds by"
    DECIDES = "decides by"


@dataclass(frozen=True)
class View:
    """A mapping from legacy to the target. sources: tables whose rows it carries. conflict_where: the predicate of the unique
    index on its key, where that is a partial one. definition: of its view."""

    name: str
    target: str
    sources: tuple[str, ...]
    conflict_where: str | None
    definition: str


@dataclass(frozen=True)
class Way:
    """One way of a legacy column.

    column: of the target; None where it only decides which rows there are. casts: types it takes on the way, in order.
    exact: the target's is equal to it, but for casts. through: for what is found by it, the column it is found by, as
    `schema.table.column`. conditional: it only decides between other values. known: of what is translated by CASE without an ELSE, the
    condition on `alias.column`, with the alias, that some branch knows the value.
    """

    source: str
    mapping: str
    table: str
    column: str | None
    how: How
    casts: tuple[str, ...] = ()
    exact: bool = False
    through: str | None = None
    expression: str = ""
    conditional: bool = False
    known: tuple[str, str] | None = None


def ways(views: Iterable[View], legacy: Iterable[str], columns: dict[str, frozenset[str]]) -> dict[str, list[Way]]:
    """Ways of each column of the legacy tables, by `schema.table.column`. columns: those of each target table."""
    tables = frozenset(legacy)
    found: dict[str, list[Way]] = {}
    for view in views:
        for way in _of_view(view, tables, columns.get(view.target, frozenset())):
            found.setdefault(way.source, []).append(way)
    return {source: _telling(all_ways) for source, all_ways in found.items()}


def _telling(found: Sequence[Way]) -> list[Way]:
    """Without those that say less than another: a column that is passed on also finds rows and decides, and that is no news."""
    unique = list(dict.fromkeys(found))
    passed = [w for w in unique if w.how is How.PASSES_ON]
    if passed:
        return passed + [w for w in unique if w.how is How.COMPUTES and not w.conditional]
    for kept in ((How.COMPUTES, How.FINDS), (How.DECIDES,)):
        if some := [w for w in unique if w.how in kept]:
            return some
    return []


def _of_view(view: View, legacy: frozenset[str], target_columns: frozenset[str]) -> Iterator[Way]:
    import sqlglot

    tree: Any = sqlglot.parse_one(view.definition, dialect="postgres")
    names = [output.alias_or_name for output in tree.selects]
    for select in _branches(tree):
        yield from _of_select(view, select, names, legacy, target_columns)


def _branches(tree: Any) -> Iterator[Any]:
    """The query, or those that UNION and its like put together."""
    from sqlglot import exp

    if isinstance(tree, exp.SetOperation):
        yield from _branches(tree.left)
        yield from _branches(tree.right)
    elif isinstance(tree, exp.Subquery):
        yield from _branches(tree.this)
    else:
        yield tree


def _of_select(
    view: View, query: Any, names: Sequence[str], legacy: frozenset[str], target_columns: frozenset[str]
) -> Iterator[Way]:
    from sqlglot import exp

    links = list(_links(query, legacy))
    for name, output in zip(names, query.selects, strict=True):
        expression = output.unalias()
        if name not in target_columns:
            continue
        text = expression.sql(dialect="postgres")
        passed = list(_passed(expression))
        for column in expression.find_all(exp.Column):
            for source in sources(column, query):
                if source.rpartition(".")[0] in legacy:
                    casts = next((c for n, c in passed if n is column), None)
                    way = Way(source, view.name, view.target, name, How.COMPUTES, expression=text)
                    if casts is not None and _is_of_table(column, query):
                        yield replace(way, how=How.PASSES_ON, casts=casts, exact=_is_exact(expression))
                    elif not _is_condition(column, expression):
                        yield way
                    elif _is_translated(column):
                        yield replace(way, conditional=True, known=_known(expression, column))
        for column, _ in passed:
            for alias, through, source in links:
                if column.table == alias:
                    yield Way(source, view.name, view.target, name, How.FINDS, through=through)
    for column in query.find_all(exp.Column):
        for source in sources(column, query):
            if source.rpartition(".")[0] in legacy:
                yield Way(source, view.name, view.target, None, How.DECIDES)


def _is_translated(column: Any) -> bool:
    """Whether a column stands in a condition of a CASE that chooses between constants, and not between other columns."""
    from sqlglot import exp

    case = column.find_ancestor(exp.Case, exp.Select)
    if not isinstance(case, exp.Case):
        return False
    results = [branch.args["true"] for branch in case.args["ifs"]] + [case.args.get("default") or exp.null()]
    return not any(result.find(exp.Column) for result in results)


def _known(expression: Any, column: Any) -> tuple[str, str] | None:
    """Of a CASE without an ELSE on nothing but this column: when a branch applies, and the alias of its table."""
    from sqlglot import exp

    case = _bare(expression)
    if not isinstance(case, exp.Case) or not isinstance(_bare(case.args.get("default") or exp.null()), exp.Null):
        return None
    conditions = [branch.this for branch in case.args["ifs"]]
    if operand := case.this:
        conditions = [exp.EQ(this=operand.copy(), expression=value.copy()) for value in conditions]
    if any(c.sql() != column.sql() for condition in conditions for c in condition.find_all(exp.Column)):
        return None
    if any(branch.args["true"].find(exp.Column) for branch in case.args["ifs"]):
        return None
    whole = exp.or_(*conditions, copy=True)
    return whole.sql(dialect="postgres"), column.table


def _passed(expression: Any, casts: tuple[str, ...] = ()) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Columns whose values an expression gives as they are, but for casts."""
    from sqlglot import exp

    if isinstance(expression, exp.Column):
        yield expression, casts
    elif isinstance(expression, exp.Cast):
        yield from _passed(expression.this, (expression.to.sql(dialect="postgres").lower(), *casts))
    elif isinstance(expression, exp.Paren | exp.Nullif):
        yield from _passed(expression.this, casts)
    elif isinstance(expression, exp.Case):
        branches = [branch.args["true"] for branch in expression.args["ifs"]]
        for branch in [*branches, *filter(None, [expression.args.get("default")])]:
            yield from _passed(branch, casts)
    elif isinstance(expression, exp.Coalesce):
        for part in [expression.this, *expression.expressions]:
            yield from _passed(part, casts)


def _is_exact(expression: Any) -> bool:
    from sqlglot import exp

    return isinstance(_bare(expression), exp.Column)


def _bare(expression: Any) -> Any:
    """Without casts and parentheses around it."""
    from sqlglot import exp

    while isinstance(expression, exp.Cast | exp.Paren):
        expression = expression.this
    return expression


def _is_of_table(column: Any, query: Any) -> bool:
    """Whether a column is a table's own, and not what a subquery makes of one."""
    from sqlglot import exp

    if column.find_ancestor(exp.Select) is not query:
        return False
    tables = [
        part.this
        for part in [query.args.get("from_") or query.args.get("from"), *(query.args.get("joins") or ())]
        if part
    ]
    return any(isinstance(t, exp.Table) and (not column.table or t.alias_or_name == column.table) for t in tables)


def _is_condition(column: Any, expression: Any) -> bool:
    """Whether a column stands in a subquery, or in a condition of CASE."""
    from sqlglot import exp

    node = column
    while node is not expression and node is not None:
        if isinstance(node, exp.Select) or (isinstance(node.parent, exp.If | exp.Case) and node.arg_key == "this"):
            return True
        node = node.parent
    return False


def _links(query: Any, legacy: frozenset[str]) -> Iterator[tuple[str, str, str]]:
    """Joins by equality: alias of the joined table, its column, and the legacy column that it is equal to."""
    from sqlglot import exp

    for join in query.args.get("joins") or ():
        condition = join.args.get("on")
        for equality in condition.find_all(exp.EQ) if condition else ():
            pair = (equality.this, equality.expression)
            for here, there in (pair, pair[::-1]):
                if isinstance(here, exp.Column) and isinstance(there, exp.Column) and here.table != there.table:
                    ours, theirs = sources(here, query), sources(there, query)
                    if len(ours) == 1 == len(theirs) and theirs[0].rpartition(".")[0] in legacy:
                        yield here.table, ours[0], theirs[0]
