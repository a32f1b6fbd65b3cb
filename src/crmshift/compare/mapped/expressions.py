"""Expressions of the catalogue: compared regardless of how they are written, and rewritten from columns of legacy to those of the target."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from psycopg import sql


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
                prefix = (
                    _quoted(at.new.rpartition(".")[2]) if own else text[tokens[n - 2].start : tokens[n - 2].end + 1]
                )
                changes.append((tokens[n - 2].start, token.end, f"{prefix}.{_quoted(_new_name(renaming, name))}"))
                replaced += 1
            elif not preceded and (qualifier, name) in tables:
                renaming, has_alias = tables[qualifier, name]
                alias = "" if has_alias else f" {_quoted(name)}"
                changes.append((tokens[n - 2].start, token.end, table_identifier(renaming.new).as_string() + alias))
        elif _is_column(tree, name):
            changes.append((token.start, token.end, _quoted(_new_name(at, name))))
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


def _quoted(name: str) -> str:
    """A name, with quotes where PostgreSQL needs them."""
    plain = re.fullmatch(r"[a-z_][a-z0-9_$]*", name) and name not in _KEYWORDS
    return name if plain else sql.Identifier(name).as_string()


def identifier(*parts: str) -> sql.SQL:
    """A name for a statement that people read: as quote_ident writes it."""
    return sql.SQL(".".join(map(_quoted, parts)))


def table_identifier(table: str) -> sql.SQL:
    """The same for a table given as `schema.table`."""
    return identifier(*table.split(".", 1))


# All but those that are no more than words: pg_get_keywords().
_KEYWORDS = frozenset(
    [
        "all",
        "analyse",
        "analyze",
        "and",
        "any",
        "array",
        "as",
        "asc",
        "asymmetric",
        "authorization",
        "between",
        "bigint",
        "binary",
        "bit",
        "boolean",
        "both",
        "case",
        "cast",
        "char",
        "character",
        "check",
        "coalesce",
        "collate",
        "collation",
        "column",
        "concurrently",
        "constraint",
        "create",
        "cross",
        "current_catalog",
        "current_date",
        "current_role",
        "current_schema",
        "current_time",
        "current_timestamp",
        "current_user",
        "dec",
        "decimal",
        "default",
        "deferrable",
        "desc",
        "distinct",
        "do",
        "else",
        "end",
        "except",
        "exists",
        "extract",
        "false",
        "fetch",
        "float",
        "for",
        "foreign",
        "freeze",
        "from",
        "full",
        "grant",
        "greatest",
        "group",
        "grouping",
        "having",
        "ilike",
        "in",
        "initially",
        "inner",
        "inout",
        "int",
        "integer",
        "intersect",
        "interval",
        "into",
        "is",
        "isnull",
        "join",
        "json",
        "json_array",
        "json_arrayagg",
        "json_exists",
        "json_object",
        "json_objectagg",
        "json_query",
        "json_scalar",
        "json_serialize",
        "json_table",
        "json_value",
        "lateral",
        "leading",
        "least",
        "left",
        "like",
        "limit",
        "localtime",
        "localtimestamp",
        "merge_action",
        "national",
        "natural",
        "nchar",
        "none",
        "normalize",
        "not",
        "notnull",
        "null",
        "nullif",
        "numeric",
        "offset",
        "on",
        "only",
        "or",
        "order",
        "out",
        "outer",
        "overlaps",
        "overlay",
        "placing",
        "position",
        "precision",
        "primary",
        "real",
        "references",
        "returning",
        "right",
        "row",
        "select",
        "session_user",
        "setof",
        "similar",
        "smallint",
        "some",
        "substring",
        "symmetric",
        "system_user",
        "table",
        "tablesample",
        "then",
        "time",
        "timestamp",
        "to",
        "trailing",
        "treat",
        "trim",
        "true",
        "union",
        "unique",
        "user",
        "using",
        "values",
        "varchar",
        "variadic",
        "verbose",
        "when",
        "where",
        "window",
        "with",
        "xmlattributes",
        "xmlconcat",
        "xmlelement",
        "xmlexists",
        "xmlforest",
        "xmlnamespaces",
        "xmlparse",
        "xmlpi",
        "xmlroot",
        "xmlserialize",
        "xmltable",
    ]
)


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


@dataclass(frozen=True)
class Keys:
    """What an index is on: method, its keys without order, the operator class where one is given, whether NULLs are all the same, and its predicate."""

    method: str
    keys: tuple[str, ...]
    options: tuple[str, ...]
    nulls_equal: bool
    where: str


_INDEX = re.compile(r"\bUSING (\w+) \(")
_KEY_OF_CONSTRAINT = re.compile(r"^(?:PRIMARY KEY|UNIQUE)( NULLS NOT DISTINCT)? \(")


def keys_of_index(definition: str) -> Keys:
    """What pg_get_indexdef says an index is on."""
    found = _INDEX.search(definition)
    assert found is not None
    inside, rest = _inside(definition, found.end())
    where = rest.partition(" WHERE ")[2]
    parts = [_key(part) for part in _split(inside)]
    keys, options = tuple(k for k, _ in parts), tuple(o for _, o in parts)
    return Keys(found[1], keys, options, " NULLS NOT DISTINCT" in rest.partition(" WHERE ")[0], where)


def keys_of_constraint(definition: str) -> Keys:
    """What pg_get_constraintdef says a primary key or a unique constraint is on."""
    found = _KEY_OF_CONSTRAINT.match(definition)
    assert found is not None
    inside, _ = _inside(definition, found.end())
    keys = tuple(_split(inside))
    return Keys("btree", keys, ("",) * len(keys), found[1] is not None, "")


@dataclass(frozen=True)
class Reference:
    """A foreign key: its columns, the table it refers to, and the columns there."""

    columns: tuple[str, ...]
    table: str
    to: tuple[str, ...]


_FOREIGN_KEY = re.compile(
    r'^FOREIGN KEY \((.*?)\) REFERENCES ((?:"(?:[^"]|"")+"|[\w$]+)\.(?:"(?:[^"]|"")+"|[\w$]+))\((.*?)\)'
)


def reference(definition: str) -> Reference:
    """What pg_get_constraintdef says a foreign key is."""
    found = _FOREIGN_KEY.match(definition)
    assert found is not None
    return Reference(tuple(map(bare, _split(found[1]))), found[2].replace('"', ""), tuple(map(bare, _split(found[3]))))


def check_of(definition: str) -> str:
    """The condition of a check constraint."""
    return _inside(definition, definition.index("(") + 1)[0]


def bare(name: str) -> str:
    """A name without its quotes."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _inside(text: str, start: int) -> tuple[str, str]:
    """What stands in parentheses, from behind the opening one, and what follows the closing one."""
    depth, position = 1, start
    while depth:
        character = text[position]
        if character in "'\"":
            position = text.index(character, position + 1)
        depth += {"(": 1, ")": -1}.get(character, 0)
        position += 1
    return text[start : position - 1], text[position:]


def _split(text: str) -> list[str]:
    """Parts between commas that stand in no parentheses or quotes."""
    parts, start, depth, position = [], 0, 0, 0
    while position < len(text):
        character = text[position]
        if character in "'\"":
            position = text.index(character, position + 1)
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(character, 0)
        if character == "," and not depth:
            parts.append(text[start:position].strip())
            start = position + 1
        position += 1
    return [*parts, text[start:].strip()]


_FIRST = re.compile(r'(?:"(?:[^"]|"")+"|[\w$.])+')


def _key(part: str) -> tuple[str, str]:
    """A key of an index: the column or expression, and its operator class and collation; without its order."""
    if part.startswith("("):
        inside, rest = _inside(part, 1)
        key = f"({inside})"
    else:
        found = _FIRST.match(part)
        assert found is not None
        key, rest = found[0], part[found.end() :]
        if rest.startswith("("):
            inside, rest = _inside(rest, 1)
            key += f"({inside})"
    return key, re.sub(r"\b(ASC|DESC|NULLS (FIRST|LAST))\b", "", rest).strip()
