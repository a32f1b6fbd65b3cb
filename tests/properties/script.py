"""A history as a psql script, so that a person can follow by hand what a machine found; and the way back.

python -m tests.properties.script 'dbname=scratch' < history.sql     plays it, then says where the sides disagree
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import psycopg

HEAD = """\
-- On a database with sql/legacy/schema.sql, tests/support/seed.sql and crmshift apply --to parallel-operation.
-- Each session is a psql of its own; a line says where it goes on. First, in each: set lock_timeout = '{lock_timeout}';
"""
_SESSION = "-- session "


@dataclass
class Script:
    """What was executed, in its order."""

    lock_timeout: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def add(self, session: str, text: str, data: str | None = None) -> None:
        self.steps.append((session, f"{text};" if data is None else f"{text};\n{data}\\."))

    def note(self, text: str) -> None:
        """What came of the last step."""
        session, step = self.steps.pop()
        self.steps.append((session, f"{step}\n--   {text}"))

    def __str__(self) -> str:
        lines, last = [HEAD.format(lock_timeout=self.lock_timeout)], None
        for session, step in self.steps:
            if session != last:
                lines.append(f"{_SESSION}{session}")
                last = session
            lines.append(step)
        return "\n".join(lines)


def read(text: str) -> Iterator[tuple[str, str, str | None]]:
    """The steps of a printed script: session, statement, and what COPY reads."""
    session, statement = "A", ""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith(_SESSION):
            session = line.removeprefix(_SESSION)
        elif not line.startswith("--"):
            statement += f"{line}\n"
            if line.endswith(";") and not line.endswith(r"\;"):
                copied = "".join(f"{row}\n" for row in iter(lines.__next__, r"\.")) if "from stdin;" in line else None
                yield session, statement.strip().removesuffix(";"), copied
                statement = ""


def unescaped(statement: str) -> bytes:
    r"""What psql sends: \; parts statements of one message."""
    return statement.replace(r"\;", ";").encode()


def replay(text: str, dsn: str, lock_timeout: str = "100ms") -> None:
    """Plays a script. What an application got wrong then, it gets wrong again; transactions still open are committed."""
    connections: dict[str, psycopg.Connection] = {}
    with ExitStack() as stack:
        for session, statement, copied in read(text):
            if session not in connections:
                connections[session] = stack.enter_context(
                    psycopg.connect(dsn, autocommit=True, application_name=session)
                )
                connections[session].execute("select set_config('lock_timeout', %s, false)", [lock_timeout])
            try:
                with connections[session].cursor() as cursor:
                    if copied is None:
                        cursor.execute(unescaped(statement))
                    else:
                        with cursor.copy(statement.encode()) as copy:
                            copy.write(copied)
            except psycopg.Error as error:
                print(f"-- session {session}\n{statement};\n--   ERROR {error.sqlstate}: {error}", file=sys.stderr)
        for connection in connections.values():
            connection.execute("commit")


if __name__ == "__main__":
    from tests.support.agreement import assert_agreement

    replay(sys.stdin.read(), sys.argv[1])
    with psycopg.connect(sys.argv[1]) as looking:
        assert_agreement(looking)
