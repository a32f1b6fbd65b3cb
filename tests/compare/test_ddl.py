"""The SQL that makes A equal to B, on every pair of the corpus: what comes out is compared, by crmshift and by pg_dump."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import psycopg
import pytest

from crmshift.compare import script as files
from crmshift.compare.ddl.script import SETTINGS, between, write
from crmshift.compare.ddl.statement import Statement
from crmshift.compare.difference import compare
from crmshift.compare.model import Schema
from crmshift.compare.read import read, read_within
from crmshift.db import Connection
from tests.compare.test_corpus import CASES, CORPUS, lines, loaded, workbench
from tests.support.schema_dump import dump
from tests.support.servers import Server

__all__ = ["workbench"]  # a fixture

NOT_MADE = {
    "foreign/user_mapping": "what may be secret is not read, so it cannot be written",
    "index/invalid": "no statement makes an index invalid",
}
"""Cases whose SQL says that it does not make all of B."""

NOT_MADE_ANEW = NOT_MADE | {
    "foreign/options_of_a_user_mapping": "what may be secret is not read, so it cannot be written",
}
"""Cases that cannot be made from nothing."""

OTHERWISE_DUMPED = {
    "event_trigger/tags": "the order of tags",
    "grant/by_another_grantor": "who granted",
    "table/options": "the order of options, and false written as off",
    "view/security_invoker": "true written as on",
}
"""Cases that are equal, and that pg_dump writes in two ways."""

DIFFERING = [case for case in CASES if (CORPUS / case / "expected.txt").read_text()]


def skip_unless_there(case: str, server: Server, connection: Connection) -> None:
    for what, needed in re.findall(
        r"^-- needs (PostgreSQL|extension) (\w+)$", (CORPUS / case / "a.sql").read_text(), re.M
    ):
        there = connection.execute("select name from pg_available_extensions").fetchall()
        if (int(needed) > server.version) if what == "PostgreSQL" else ((needed,) not in there):
            pytest.skip(f"needs {what} {needed}")


def execute(connection: psycopg.Connection, statements: Sequence[Statement]) -> None:
    for setting in SETTINGS:
        connection.execute(setting.encode())
    for statement in statements:
        try:
            connection.execute(statement.sql.encode())
        except psycopg.Error as error:
            raise AssertionError(f"{error}\nin: {statement.sql}") from None
    connection.execute("reset all")


def normalised(dumped: str) -> list[str]:
    """A dump as a set of statements: without the names of NOT NULL constraints, and the order of columns and statements."""
    without_names = re.sub(r"CONSTRAINT \S+ NOT NULL", "NOT NULL", dumped)
    blocks = (b for b in re.split(r"\n\n", without_names) if not b.startswith("--"))
    return sorted("\n".join(sorted(line.rstrip(",") for line in block.splitlines())) for block in blocks)


@pytest.mark.default_pg  # 300 pairs of databases take minutes; --pg 15 tries them there
@pytest.mark.parametrize("case", DIFFERING)
def test_the_sql_makes_a_equal_to_b(
    case: str,
    server: Server,
    roles: None,
    workbench: Connection,
    db: Callable[[str], psycopg.Connection],
) -> None:
    skip_unless_there(case, server, workbench)
    a, b = db("empty"), db("empty")
    for connection, side in ((a, "a"), (b, "b")):
        files.run(connection, CORPUS / case / f"{side}.sql", server_is_ours=True)
        connection.execute("reset all")
    wanted = read(b, "b")
    before = read(a, "a")
    script = write(before, compare(before, wanted), allow_destructive=True)
    assert bool(script.problems) == (case in NOT_MADE), script.problems
    execute(a, script.active)
    left = list(lines(compare(read(a, "a"), wanted)))
    if case in NOT_MADE:
        assert left, "it is made after all: take it off the list"
        return
    assert left == [], [s.sql for s in script.active]
    if case not in OTHERWISE_DUMPED:
        assert normalised(dump(server, server.dsn(a.info.dbname))) == normalised(
            dump(server, server.dsn(b.info.dbname))
        )


@pytest.mark.parametrize("kind", sorted({case.partition("/")[0] for case in CASES}))
def test_a_schema_is_made_from_nothing(kind: str, server: Server, roles: None, workbench: Connection) -> None:
    """What the trial stands on."""
    nothing = read(workbench, "nothing")
    for case in (c for c in CASES if c.startswith(f"{kind}/")):
        text = (CORPUS / case / "b.sql").read_text()
        if "-- needs" in text or "concurrently" in text:
            continue
        wanted = loaded(workbench, CORPUS / case / "b.sql")
        assert (not made_from(nothing, wanted, workbench)) == (case not in NOT_MADE_ANEW), case


def made_from(nothing: Schema, wanted: Schema, connection: Connection) -> list[str]:
    """What differs, made from nothing in a transaction that is undone."""
    with connection.transaction(force_rollback=True):
        for setting in SETTINGS:
            connection.execute(setting.replace("set ", "set local ", 1).encode())
        for statement in between(nothing, wanted):
            connection.execute(statement.sql.encode())
        return list(lines(compare(read_within(connection, "made"), wanted)))
