"""What pg_get_indexdef and pg_get_constraintdef say: keys, references, conditions."""

from __future__ import annotations

import re
from dataclasses import dataclass


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
