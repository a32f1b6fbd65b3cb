"""Expressions of the catalogue: compared regardless of how they are written, and rewritten from columns of legacy to those of the target."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from crmshift.compare.mapped.names import quoted, table_identifier


class CannotRewriteError(Exception):
    """Why an expression has no counterpart, for people."""


@dataclass(frozen=True)
class Renaming:
    """From a table of legacy to one of the target. columns: new names by old; a column that is not there has no counterpart."""

    old: str
    new: str
    columns: Mapping[str, str]


def rewritten(text: str, at: Renaming, elsewhere: Mapping[str, Renaming]) -> str:
    """An expression on a table of legacy as one on the target. elsewhere: other tables of legacy, for subqueries.

    Only names are put in place of names; everything else stays as PostgreSQL printed it. Raises `CannotRewriteError` where a name has no
    counterpart, or what is one cannot be told for sure.
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        tree: Any = sqlglot.parse_one(f"select {text}", dialect="postgres")
        tokens = sqlglot.tokenize(text, dialect="postgres")
    except SqlglotError:
        raise CannotRewriteError("it is written in a way that crmshift cannot read") from None
    aliases: dict[str, Renaming | None] = {at.old.rpartition(".")[2]: at}
    tables: dict[tuple[str, str], tuple[Renaming, bool]] = {}
    for table in tree.find_all(exp.Table):
        renaming = elsewhere.get(f"{table.db}.{table.name}")
        if renaming is not None and not table.alias and table.name in aliases and aliases[table.name] is not renaming:
            raise CannotRewriteError(f"it names {table.name} twice")
        aliases[table.alias_or_name] = renaming
        if renaming is not None:
            tables[table.db, table.name] = (renaming, bool(table.alias))
    wanted = sum(1 for column in tree.find_all(exp.Column) if not column.table or aliases.get(column.table))
    changes: list[tuple[int, int, str]] = []
    replaced = 0
    for n, token in enumerate(tokens):
        name = _name(token, text)
        before, after = tokens[n - 1] if n else None, tokens[n + 1] if n + 1 < len(tokens) else None
        if (
            name is None
            or (after is not None and after.text in ("(", "."))
            or (before is not None and before.text == "::")
        ):
            continue
        if before is not None and before.text == ".":
            qualifier = _name(tokens[n - 2], text) or ""
            preceded = n > 2 and tokens[n - 3].text in (".", "::")
            if not preceded and aliases.get(qualifier):
                renaming = aliases[qualifier]
                assert renaming is not None
                own = renaming is at and qualifier == at.old.rpartition(".")[2]
                prefix = quoted(at.new.rpartition(".")[2]) if own else text[tokens[n - 2].start : tokens[n - 2].end + 1]
                changes.append((tokens[n - 2].start, token.end, f"{prefix}.{quoted(_new_name(renaming, name))}"))
                replaced += 1
            elif not preceded and (qualifier, name) in tables:
                renaming, has_alias = tables[qualifier, name]
                alias = "" if has_alias else f" {quoted(name)}"
                changes.append((tokens[n - 2].start, token.end, table_identifier(renaming.new).as_string() + alias))
        elif _is_column(tree, name):
            changes.append((token.start, token.end, quoted(_new_name(at, name))))
            replaced += 1
    if replaced != wanted:
        raise CannotRewriteError("which of its names are columns cannot be told for sure")
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end + 1 :]
    return text


def _name(token: Any, text: str) -> str | None:
    """The name that a token is; None where it is something else. Many words are names only where they stand."""
    written = text[token.start : token.end + 1]
    if written.startswith('"'):
        return str(token.text)
    return written if re.fullmatch(r"[a-z_][a-z0-9_$]*", written) else None


def _is_column(tree: Any, name: str) -> bool:
    from sqlglot import exp

    return any(c.name == name and not c.table for c in tree.find_all(exp.Column))


def _new_name(renaming: Renaming, name: str) -> str:
    if name not in renaming.columns:
        raise CannotRewriteError(f"{renaming.new} has nothing equal to {renaming.old}.{name}")
    return renaming.columns[name]


@cache
def canonical(text: str | None) -> str:
    """A form of an expression to compare it by, without what makes no difference: casts, parentheses, blanks, how an unset setting is taken."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    if not text:
        return ""
    try:
        tree: Any = sqlglot.parse_one(f"select {text}", dialect="postgres")
    except SqlglotError:
        return " ".join(text.split())

    def plain(node: Any) -> Any:
        if isinstance(node, exp.Cast | exp.Paren):
            return node.this
        if isinstance(node, exp.CurrentTimestamp):
            return exp.func("now")
        if isinstance(node, exp.Nullif) and isinstance(node.expression, exp.Literal) and node.expression.name == "":
            return node.this
        if isinstance(node, exp.Anonymous) and node.name.lower() == "current_setting":
            return exp.func("current_setting", node.expressions[0])
        return node

    # From the leaves up, so that what stands in what is left out is plain too.
    for node in reversed(list(tree.walk())):
        new = plain(node)
        if new is not node:
            node.replace(new.copy() if new.parent is node else new)
    return repr(tree)  # as a tree: without its parentheses the text would be ambiguous


@cache
def columns_of(text: str) -> frozenset[str] | None:
    """Columns that an expression names without a table; None where it cannot be read."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        tree: Any = sqlglot.parse_one(f"select {text}", dialect="postgres")
    except SqlglotError:
        return None
    return frozenset(c.name for c in tree.find_all(exp.Column) if not c.table)
