"""Writing like an application: statements with the names of seed.sql in them, and triggers of its own."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.support.templates import ADA, BEN, CLEO, DORA, EMIL, FIELD, NOBODY, OTHER_FIELD, OTHER_WORKSPACE, WORKSPACE

_NAMES = {
    ":ada": ADA,
    ":ben": BEN,
    ":cleo": CLEO,
    ":dora": DORA,
    ":emil": EMIL,
    ":nobody": NOBODY,
    ":alpha": WORKSPACE,
    ":beta": OTHER_WORKSPACE,
    ":colour": FIELD,
    ":size": OTHER_FIELD,
}


def named(statement: str) -> str:
    """The statement with ids for the names of seed.sql."""
    for name, value in _NAMES.items():
        statement = statement.replace(name, f"'{value}'")
    return statement


def write(conn: psycopg.Connection, statement: str) -> None:
    """Execute statements with the names of seed.sql in them."""
    conn.execute(named(statement))


def rows(conn: psycopg.Connection, query: str) -> list[tuple[Any, ...]]:
    """All rows of a query with the names of seed.sql in it."""
    return conn.execute(named(query)).fetchall()


def value(conn: psycopg.Connection, query: str) -> Any:
    """The first column of the first row."""
    return rows(conn, query)[0][0]


def trigger(conn: psycopg.Connection, name: str, when: str, body: str) -> None:
    """An application's own trigger: `when` as in CREATE TRIGGER, `body` in plpgsql."""
    conn.execute(f"create function {name}() returns trigger language plpgsql as $$ begin {named(body)} end $$")
    conn.execute(f"create trigger {name} {when} execute function {name}()")
