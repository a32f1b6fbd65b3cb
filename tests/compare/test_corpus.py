"""Each folder corpus/<kind>/<case> holds two small schemas and, a line each, all that differs between them; nothing where they are equal.

A line is `+ object` (only in b), `- object` (only in a), or `~ object | attribute: in a -> in b`; of long texts only the attribute. Who runs
the tests is `us`.
A case that cannot run everywhere says so on the first lines of a.sql: `-- needs PostgreSQL 18`, `-- needs extension hstore`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from crmshift.compare import script
from crmshift.compare.difference import Change, Comparison, compare
from crmshift.compare.model import Kind, Schema, Value
from crmshift.compare.read import read, read_within
from crmshift.db import Connection, connect
from tests.compare.conftest import ROLES
from tests.support.databases import Databases
from tests.support.servers import Choice, Server, Servers

CORPUS = Path(__file__).parent / "corpus"
CASES = sorted(path.parent.relative_to(CORPUS).as_posix() for path in CORPUS.glob("*/*/a.sql"))
NEWEST = 18
LONG = ("body", "arguments")
VIEWS = (Kind.VIEW, Kind.MATERIALIZED_VIEW)


def lines(comparison: Comparison) -> Iterator[str]:
    for d in comparison.differences:
        if d.verb == "changed":
            for change in d.changes:
                long = change.attribute in LONG or (d.identity.kind in VIEWS and change.attribute == "definition")
                yield f"~ {d.identity} | {change.attribute if long else _change(change)}"
        else:
            yield f"{'+' if d.verb == 'added' else '-'} {d.identity}"


def _change(change: Change) -> str:
    parts = change.elements
    if parts is not None:
        return f"{change.attribute}: {', '.join([*(f'-{p}' for p in parts[0]), *(f'+{p}' for p in parts[1])])}"
    return f"{change.attribute}: {_text(change.old)} -> {_text(change.new)}"


def _text(value: Value | None) -> str:
    return "(none)" if value is None else " ".join((value if isinstance(value, str) else ", ".join(value)).split())


@pytest.fixture(scope="session")
def workbench(server: Server, databases: Databases) -> Iterator[Connection]:
    """A database in which every case is undone again: to make one for each takes ten times as long."""
    name = databases.clone("empty")
    connection = connect(server.dsn(name), "tests")
    yield connection
    connection.close()
    databases.drop(name)


def loaded(connection: Connection, file: Path) -> Schema:
    if "concurrently" in file.read_text():  # in no transaction
        script.run(connection, file, server_is_ours=True)
        return read(connection, file.stem)
    with connection.transaction(force_rollback=True):
        script.run(connection, file, server_is_ours=True)
        return read_within(connection, file.stem)


@pytest.mark.parametrize("case", CASES)
def test_exactly_what_differs_is_found(
    case: str, server: Server, roles: None, workbench: Connection, db: Callable[[str], psycopg.Connection]
) -> None:
    folder = CORPUS / case
    for what, needed in re.findall(r"^-- needs (PostgreSQL|extension) (\w+)$", (folder / "a.sql").read_text(), re.M):
        there = workbench.execute("select name from pg_available_extensions").fetchall()
        if (int(needed) > server.version) if what == "PostgreSQL" else ((needed,) not in there):
            pytest.skip(f"needs {what} {needed}")
    alone = any("concurrently" in (folder / f"{side}.sql").read_text() for side in "ab")
    a, b = (loaded(db("empty") if alone else workbench, folder / f"{side}.sql") for side in "ab")
    found = [line.replace(f"owner: {workbench.info.user} ", "owner: us ") for line in lines(compare(a, b))]
    assert sorted(found) == sorted((folder / "expected.txt").read_text().splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted({case.partition("/")[0] for case in CASES}))
def test_a_schema_is_the_same_on_every_version(
    kind: str, server: Server, servers: Servers, roles: None, workbench: Connection
) -> None:
    """What PostgreSQL 18 makes of a file is what this version does."""
    if server.version == NEWEST:
        pytest.skip("it is the one to compare with")
    other = connect(servers.get(Choice(str(NEWEST))).dsn("postgres"), "tests")
    with other, other.transaction(force_rollback=True):
        there = {row[0] for row in other.execute("select rolname from pg_roles").fetchall()}
        for role in set(ROLES) - there:
            other.execute(f"create role {role}")
        for file in (CORPUS / case / "b.sql" for case in CASES if case.startswith(f"{kind}/")):
            text = file.read_text()
            if "-- needs" not in text and "concurrently" not in text:
                assert not list(lines(compare(loaded(workbench, file), loaded(other, file)))), file


def test_the_corpus_is_whole() -> None:
    """Both sides, and what is expected; enough pairs that differ in text only."""
    for case in CASES:
        assert {p.name for p in (CORPUS / case).iterdir()} == {"a.sql", "b.sql", "expected.txt"}, case
    equal = [case for case in CASES if not (CORPUS / case / "expected.txt").read_text()]
    assert len(CASES) >= 150
    assert len(equal) >= 40
