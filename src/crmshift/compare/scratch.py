"""Scratch databases: SQL is loaded into one, read from its catalogue, and dropped with it. PostgreSQL is the parser."""

from __future__ import annotations

import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from psycopg import sql

from crmshift import db
from crmshift.db import Connection, fetch_all, fetch_value, translated
from crmshift.errors import UsageError

PREFIX = "crmshift_scratch_"
EMBEDDED = "embedded"
"""In place of a DSN: a server that is started for this alone."""
EMBEDDED_VERSIONS = (18, 16)


@dataclass(frozen=True)
class Workshop:
    """A server on which scratch databases are made. ours: it was started for that, and holds nothing else."""

    admin: Connection
    ours: bool

    @contextmanager
    def database(self, owner: str | None = None) -> Iterator[Connection]:
        """A new, empty database, and a connection to it; dropped at the end, whatever comes."""
        name = PREFIX + secrets.token_hex(6)
        with _ended_by_signals(), translated():
            try:
                self.admin.execute(
                    sql.SQL("create database {} template template0{}").format(
                        sql.Identifier(name),
                        sql.SQL(" owner {}").format(sql.Identifier(owner)) if owner else sql.SQL(""),
                    )
                )
                conn = db.sibling(self.admin, "scratch", name)
                try:
                    yield conn
                finally:
                    conn.close()
            finally:
                self.admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


@contextmanager
def workshop(
    conn: Connection | None,
    *,
    owner: str | None = None,
    version: int | None = None,
    roles_of: Connection | None = None,
) -> Iterator[Workshop]:
    """Where scratch databases can be made: on the server of `conn` where its role may, else on an embedded one.

    owner: whom they are to belong to. version: of the embedded server, where there is one such; it gets roles of the
    same names as the server of `roles_of`.
    """
    if conn is not None and may_create(conn, owner):
        admin = db.sibling(conn, "scratch")
        try:
            yield Workshop(admin, ours=False)
        finally:
            admin.close()
        return
    from crmshift.embedded import EmbeddedServer, wheel_binaries

    version = version if version in EMBEDDED_VERSIONS else max(EMBEDDED_VERSIONS)
    try:
        wheel_binaries(version)
    except UsageError as error:
        raise UsageError(
            f"SQL is loaded into a scratch database, and there is no server for one: {error.message}.",
            hint=f"Name a server where your role has CREATEDB with --scratch, or {error.hint}.",
        ) from error
    with EmbeddedServer.start(version, settings={"fsync": "off"}) as server:
        admin = db.connect(server.dsn(), "compare")
        try:
            if roles_of is not None:
                _same_roles(roles_of, admin)
            yield Workshop(admin, ours=True)
        finally:
            admin.close()


def may_create(conn: Connection, owner: str | None) -> bool:
    """Whether this role may make a database, for `owner` where one is given."""
    return bool(
        fetch_value(
            conn,
            """
            select (r.rolcreatedb or r.rolsuper) and not pg_is_in_recovery()
                   and (%s::text is null or pg_has_role(%s::text, 'member'))
              from pg_roles as r where r.rolname = current_user
            """,
            [owner, owner],
        )
    )


def _same_roles(conn: Connection, admin: Connection) -> None:
    """Make roles of the same names, so that what is granted to them can be."""
    names = "select rolname from pg_roles where rolname !~ '^pg_'"
    there = {row[0] for row in fetch_all(admin, names)}
    for (name,) in fetch_all(conn, names):
        if name not in there:
            with translated():
                admin.execute(sql.SQL("create role {}").format(sql.Identifier(name)))


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM ends the block like ^C does, so that what must be dropped is."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
