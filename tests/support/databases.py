"""Databases for tests: each a clone of a template that is built once per server.

A module that needs more than the legacy schema registers a template of its own, on top of another:

    register_template("applied", base="legacy", build=apply_everything)

and its tests ask for a clone by that name: `make_database("applied")`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from tests.support.servers import Server

SQL = Path(__file__).parents[2] / "sql"


@dataclass(frozen=True)
class Template:
    """A database to clone: its base, and what `build` adds to that, given a DSN."""

    base: str | None
    build: Callable[[str], None]


_TEMPLATES: dict[str, Template] = {}


def register_template(name: str, *, base: str | None, build: Callable[[str], None]) -> None:
    """Makes a template known. `build` gets the DSN of a clone of `base` and closes the connections it opens."""
    if name in _TEMPLATES:
        raise ValueError(f"there is a template {name!r} already")
    if base is not None and base not in _TEMPLATES:
        raise ValueError(f"template {name!r} stands on {base!r}, which nobody has registered")
    _TEMPLATES[name] = Template(base, build)


def _load_legacy(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute((SQL / "legacy" / "schema.sql").read_text())


register_template("empty", base=None, build=lambda dsn: None)
register_template("legacy", base="empty", build=_load_legacy)


class Databases:
    """The templates and their clones on one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._admin: psycopg.Connection | None = None
        self._templates: dict[str, str] = {}  # name in the registry -> name of the database
        self._numbers = itertools.count(1)

    def clone(self, template: str) -> str:
        """A new database like the template; its name."""
        name = f"t_{os.getpid()}_{next(self._numbers)}"  # unique also where processes share a server
        self._create(name, self._template(template))
        return name

    def drop(self, name: str) -> None:
        """Drops a database, whoever is still connected."""
        self._execute("drop database if exists {} with (force)", name)

    def close(self) -> None:
        for name in self._templates.values():
            self.drop(name)
        self._templates.clear()
        if self._admin is not None:
            self._admin.close()

    def _template(self, name: str) -> str:
        if name not in self._templates:
            template = _TEMPLATES[name]
            base = "template1" if template.base is None else self._template(template.base)
            database = f"template_{name}_{os.getpid()}"
            self._create(database, base)
            try:
                template.build(self._server.dsn(database))
                self._execute(
                    "alter database {} allow_connections false", database
                )  # a clone is never of a moving thing
            except BaseException:
                self.drop(database)
                raise
            self._templates[name] = database
        return self._templates[name]

    def _create(self, name: str, template: str) -> None:
        # By copying files: half the time of the way through the log, where nothing has to reach a disk.
        self._execute("create database {} template {} strategy file_copy", name, template)

    def _execute(self, statement: str, *names: str) -> None:
        if self._admin is None or self._admin.closed:
            self._admin = psycopg.connect(self._server.admin_dsn, autocommit=True)
        self._admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
