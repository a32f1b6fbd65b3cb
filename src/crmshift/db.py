"""Connections, transactions, bounded lock waits, and the one place where PostgreSQL's errors become ours."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, LiteralString, TypeVar

from crmshift.errors import ConnectionFailed, CrmshiftError, LockNotObtained, Refused, from_sqlstate

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import TupleRow

    Connection = psycopg.Connection[TupleRow]
else:
    Connection = Any

T = TypeVar("T")

MINIMUM_VERSION = 15
DRIVER_LOCK = (0x63726D73, 0x68696674)  # "crms", "hift": the advisory lock of whoever changes the migration's state
LOCK_ATTEMPTS = 8


def resolve_dsn(option: str | None) -> str:
    """The connection string: the option, else CRMSHIFT_DSN, else DATABASE_URL, else empty for libpq's own defaults."""
    return option or os.environ.get("CRMSHIFT_DSN") or os.environ.get("DATABASE_URL") or ""


def connect(dsn: str, command: str, *, read_only: bool = False) -> Connection:
    """Open an autocommit connection as application `crmshift/<command>`.

    Raises `ConnectionFailed` where the server cannot be reached, `Refused` where it is older than PostgreSQL 15.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    hint = "Give the connection with --dsn, CRMSHIFT_DSN, DATABASE_URL or libpq's PG* variables."
    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        # libpq quotes what it could not read, and that may be the password.
        raise ConnectionFailed(
            "The connection string cannot be read (not shown: it may hold a password).", hint=hint
        ) from None
    try:
        conn = psycopg.connect(dsn, autocommit=True, application_name=f"crmshift/{command}")
    except psycopg.Error as error:
        raise ConnectionFailed(
            f"Cannot connect to the database: {_why_not_connected(str(error))}", hint=hint
        ) from error
    if conn.info.server_version < MINIMUM_VERSION * 10000:
        version = conn.info.parameter_status("server_version")
        conn.close()
        raise Refused(f"The server runs PostgreSQL {version}; crmshift needs {MINIMUM_VERSION} or later.")
    conn.add_notice_handler(lambda diagnostic: None)
    with translated():
        # A killed driver's server process notices within a second, and gives up its locks.
        conn.execute("set client_connection_check_interval = '1s'")
        if read_only:
            conn.execute("set default_transaction_read_only = on")
    return conn


def sibling(conn: Connection, name: str, dbname: str | None = None) -> Connection:
    """Another connection to where this one leads, or to another database there, as `<its application>/<name>`."""
    from psycopg.conninfo import make_conninfo

    given = conn.info.get_parameters()
    command = given.pop("application_name", "crmshift/").removeprefix("crmshift/")
    given["dbname"] = dbname or conn.info.dbname
    return connect(make_conninfo("", **given, password=conn.info.password or None), f"{command}/{name}")


def _why_not_connected(message: str) -> str:
    """The telling part of libpq's message: where it tried and what came of it, without what it quotes of the settings."""
    lines = [line.strip().removeprefix("connection failed: ") for line in message.splitlines()]
    told = [line for line in lines if "connection to server" in line or "FATAL:" in line]
    if told:
        return "; ".join(dict.fromkeys(told))
    # A password with an unescaped @ ends up in the host's name.
    unresolved = [line for line in lines if ("host name" in line or "resolve host" in line) and "@" not in line]
    return unresolved[0] if unresolved else "its settings are not usable (not shown: they may hold a password)."


@contextmanager
def translated() -> Iterator[None]:
    """Turn psycopg's errors into ours. Messages of class 22 and 23 may carry values, so only their condition is kept."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise translate(error) from error


def translate(error: psycopg.Error) -> CrmshiftError:
    """Our error for one of psycopg's."""
    diag, sqlstate = error.diag, error.sqlstate
    if sqlstate is None:
        return ConnectionFailed(
            f"The connection was lost: {' '.join(str(error).split())}",
            hint="Run the same command again; it goes on where it was.",
        )
    if sqlstate[:2] in ("22", "23"):
        named = ", ".join(
            f"{what} {value}"
            for what, value in (
                ("constraint", diag.constraint_name),
                ("table", diag.table_name),
                ("column", diag.column_name),
            )
            if value
        )
        message = f"{type(error).__name__} ({sqlstate}){': ' + named if named else ''}"
    else:
        message = str(diag.message_primary) if sqlstate.startswith("SH") else f"{diag.message_primary} ({sqlstate})"
    return from_sqlstate(sqlstate)(message, hint=diag.message_hint, sqlstate=sqlstate)


@contextmanager
def transaction(conn: Connection, *, lock_timeout: str | None = None) -> Iterator[None]:
    """One transaction, with its longest wait for a lock."""
    with translated(), conn.transaction():
        if lock_timeout is not None:
            conn.execute("select set_config('lock_timeout', %s, true)", [lock_timeout])
        yield


def with_lock_retry(
    work: Callable[[], T],
    *,
    on_wait: Callable[[CrmshiftError, float], None] | None = None,
    attempts: int = LOCK_ATTEMPTS,
    sleep: Callable[[float], object] = time.sleep,
) -> T:
    """Run `work`, again after a pause where it met a lock timeout or deadlock; raises `LockNotObtained` in the end."""
    for attempt in range(1, attempts + 1):
        try:
            return work()
        except LockNotObtained as error:
            if attempt == attempts:
                raise LockNotObtained(
                    f"{error.message.rstrip('.')}, {attempt} times.",
                    hint="Somebody holds the table in a long transaction; see pg_stat_activity, and run the same command again.",
                    sqlstate=error.sqlstate,
                ) from error
            pause = min(0.1 * 2**attempt, 5.0) * random.uniform(0.5, 1.0)
            if on_wait:
                on_wait(error, pause)
            sleep(pause)
    raise AssertionError("unreachable")


@contextmanager
def single_driver(conn: Connection, *, wait: float = 2.0) -> Iterator[None]:
    """Hold the advisory lock of the one who changes the migration's state.

    Waits `wait` seconds, for a killed run may need one to be noticed; then raises `LockNotObtained` naming the holder.
    """
    import psycopg

    deadline = time.monotonic() + wait
    while not fetch_value(conn, "select pg_try_advisory_lock(%s, %s)", [*DRIVER_LOCK]):
        if time.monotonic() > deadline:
            holder = driver(conn) or "its process has just ended"
            raise LockNotObtained(
                f"Another crmshift is at work on this database: {holder}.",
                hint="Wait for it, then run the same command again.",
            )
        time.sleep(0.1)
    try:
        yield
    finally:
        with suppress(psycopg.OperationalError):  # where the connection is lost, so is the lock
            conn.execute("select pg_advisory_unlock(%s, %s)", [*DRIVER_LOCK])


def driver(conn: Connection) -> str | None:
    """Who holds the advisory lock, for people; None where nobody does."""
    row = fetch_one(
        conn,
        """
        select format('%%s, process %%s, role %%s%%s, since %%s', a.application_name, a.pid, a.usename,
                      ', from ' || a.client_addr, date_trunc('second', a.backend_start))
          from pg_locks as l join pg_stat_activity as a on a.pid = l.pid
         where l.locktype = 'advisory' and l.granted and l.objsubid = 2
           and l.database = (select oid from pg_database where datname = current_database())
           and l.classid = %s::bigint::oid and l.objid = %s::bigint::oid
        """,
        [*DRIVER_LOCK],
    )
    return row[0] if row else None


def execute_script(conn: Connection, text: str) -> None:
    """Execute SQL text as it stands, several statements included; no parameters, so % needs no doubling."""
    conn.execute(text)


def fetch_all(
    conn: Connection, query: LiteralString, params: list[Any] | dict[str, Any] | None = None
) -> list[TupleRow]:
    """All rows of a query."""
    with translated():
        return conn.execute(query, params).fetchall()


def fetch_one(
    conn: Connection, query: LiteralString, params: list[Any] | dict[str, Any] | None = None
) -> TupleRow | None:
    """First row of a query, or None."""
    with translated():
        return conn.execute(query, params).fetchone()


def fetch_value(conn: Connection, query: LiteralString, params: list[Any] | dict[str, Any] | None = None) -> Any:
    """First column of the first row of a query, or None."""
    row = fetch_one(conn, query, params)
    return None if row is None else row[0]


def is_installed(conn: Connection, relation: str) -> bool:
    """Whether the part of crmshift that has this table or view is in the database."""
    return fetch_value(conn, "select to_regclass(%s) is not null", [relation]) is True


def require_installed(conn: Connection, relation: str) -> None:
    """Raises `Refused` where it is not."""
    if not is_installed(conn, relation):
        raise Refused("crmshift is not installed in this database.", hint="Run: crmshift apply --to sync-layer")


def require_all_rows(conn: Connection) -> None:
    """Raises `Refused` where nothing is installed, or row-level security hides rows of either side from the role."""
    require_installed(conn, "crmshift.check_list")
    fetch_value(conn, "select crmshift.refuse_partial_view()")
