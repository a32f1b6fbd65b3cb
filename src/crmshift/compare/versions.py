"""Schemas of two versions of PostgreSQL: what the older cannot say, or the newer prints otherwise, is no difference."""

from __future__ import annotations

from collections.abc import Mapping

from crmshift.compare.model import Kind, Object, Value

_PRIVILEGES_SINCE = {"MAINTAIN": 17}
_COLUMNS_UNQUALIFIED_SINCE = 16
"""In a view of one table."""


def between(older: int, newer: int, o: Object) -> Mapping[str, Value]:
    """Attributes of an object as they can be compared between two versions."""
    attributes = dict(o.attributes)
    unknown = tuple(privilege for privilege, since in _PRIVILEGES_SINCE.items() if older < since <= newer)
    if unknown and "grants" in attributes:
        kept = tuple(g for g in attributes.pop("grants") if not g.removeprefix("no ").startswith(unknown))
        attributes |= {"grants": kept} if kept else {}
    if o.identity.kind in (Kind.VIEW, Kind.MATERIALIZED_VIEW) and older < _COLUMNS_UNQUALIFIED_SINCE <= newer:
        attributes["definition"] = _unqualified(str(attributes["definition"]))
    return attributes


def _unqualified(query: str) -> str:
    """A query of one table without that table's name before its columns; any other as it is."""
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError

    try:
        tree = parse_one(query, dialect="postgres")
    except SqlglotError:
        return query
    source = tree.find(exp.From) if isinstance(tree, exp.Select) else None
    if source is not None and source.parent is tree and not tree.args.get("joins"):
        for column in tree.find_all(exp.Column):
            if column.table == source.this.alias_or_name and column.parent_select is tree:
                column.set("table", None)
    return tree.sql(dialect="postgres")
