"""What can be compared: a database, a SQL file, a directory of them, a saved snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from crmshift import db
from crmshift.compare import script, snapshot
from crmshift.compare.model import Schema
from crmshift.compare.read import read
from crmshift.compare.scratch import EMBEDDED, Workshop, may_create, workshop
from crmshift.db import Connection
from crmshift.errors import UsageError


class Form(StrEnum):
    """How a source is given."""

    DATABASE = "database"
    FILE = "file"
    DIRECTORY = "directory"
    SNAPSHOT = "snapshot"


@dataclass(frozen=True)
class Source:
    """One side of a comparison. given: a connection string, or a path."""

    form: Form
    given: str

    @classmethod
    def parse(cls, text: str) -> Source:
        """What a text stands for. Raises `UsageError` where it is neither a path that exists nor a connection string."""
        path = Path(text)
        if path.is_dir():
            return cls(Form.DIRECTORY, text)
        if path.is_file():
            return cls(Form.SNAPSHOT if path.suffix == ".json" else Form.FILE, text)
        if "=" in text or "://" in text:
            return cls(Form.DATABASE, text)
        raise UsageError(
            f"{text} is neither a file or directory that exists, nor a connection string.",
            hint="Give postgresql://…, key=value pairs, a .sql file, a directory of them, or a snapshot (.json).",
        )

    @property
    def is_sql(self) -> bool:
        return self.form in (Form.FILE, Form.DIRECTORY)

    @property
    def files(self) -> list[Path]:
        """The SQL files it stands for, in the order of their paths. Raises `UsageError` where there are none."""
        path = Path(self.given)
        found = [path] if self.form is Form.FILE else sorted(path.rglob("*.sql"))
        if not found:
            raise UsageError(f"There is no .sql file under {path}.")
        return found


def read_all(sources: Sequence[Source], schemas: Sequence[str], scratch: str | None) -> tuple[Schema, ...]:
    """The schemas of sources. scratch: where SQL is loaded, a connection string or `embedded`; None: on the server of the first database among them.

    Raises `UsageError` for a schema that none of them has, and for SQL that cannot be loaded, with file and line.
    """
    with ExitStack() as stack:
        connections = {
            s: stack.enter_context(_connected(s.given)) for s in dict.fromkeys(sources) if s.form is Form.DATABASE
        }
        read_already = {s: snapshot.load(Path(s.given)) for s in sources if s.form is Form.SNAPSHOT}
        shop = None
        if any(s.is_sql for s in sources):
            first = next(iter(connections.values()), None)
            server = stack.enter_context(scratch_server(scratch, first))
            version = next((s.version for s in read_already.values()), None)
            if first is not None:
                version = first.info.server_version // 10000
            shop = stack.enter_context(workshop(server, version=version, roles_of=first))
        found = []
        for source in sources:
            if source in connections:
                found.append(read(connections[source], database_name(connections[source]), schemas))
            elif source in read_already:
                found.append(only(read_already[source], schemas))
            else:
                assert shop is not None
                found.append(_loaded(shop, source, schemas))
    missing = sorted(set(schemas) - {o.identity.schema for s in found for o in s.objects})
    if missing:
        raise UsageError(f"There is no schema {', '.join(missing)}: neither side has it.")
    return tuple(found)


@contextmanager
def scratch_for(
    sources: Sequence[Source], scratch: str | None
) -> Iterator[tuple[Connection | None, Connection | None]]:
    """Where scratch databases for these sources are made, None for an embedded server, and a connection to the first database among them."""
    with ExitStack() as stack:
        given = next((s.given for s in sources if s.form is Form.DATABASE), None)
        first = stack.enter_context(_connected(given)) if given is not None else None
        yield stack.enter_context(scratch_server(scratch, first)), first


@contextmanager
def scratch_server(choice: str | None, otherwise: Connection | None) -> Iterator[Connection | None]:
    """The server that --scratch names, else the one given; None for an embedded one. Raises `UsageError` where no database can be made there."""
    if choice is None or choice == EMBEDDED:
        yield None if choice else otherwise
        return
    with _connected(choice) as conn:
        if not may_create(conn, None):
            raise UsageError(
                "The role of --scratch may not create databases.", hint=f"Give another, or --scratch {EMBEDDED}."
            )
        yield conn


@contextmanager
def _connected(dsn: str) -> Iterator[Connection]:
    conn = db.connect(dsn, "compare", read_only=True)
    try:
        yield conn
    finally:
        conn.close()


def database_name(conn: Connection) -> str:
    """A database, for people: its name and where it is, nothing that may be secret."""
    return f"database {conn.info.dbname} on {conn.info.host or 'this machine'}"


def _loaded(shop: Workshop, source: Source, schemas: Sequence[str]) -> Schema:
    from psycopg.pq import TransactionStatus

    with shop.database() as conn:
        for path in source.files:
            script.run(conn, path, server_is_ours=shop.ours)
            if conn.info.transaction_status is not TransactionStatus.IDLE:
                raise UsageError(f"{path} leaves a transaction open.", hint="End it with commit.")
            conn.execute("discard all")  # the next file begins with settings of its own
        return replace(read(conn, f"{source.form} {source.given}", schemas), loaded_by=conn.info.user)


def only(schema: Schema, schemas: Sequence[str]) -> Schema:
    """What was read, as if only these schemas had been."""
    if not schemas:
        return schema
    return replace(schema, objects=tuple(o for o in schema.objects if o.identity.schema in schemas))
