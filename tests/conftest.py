"""Fixtures for tests on a database. A test that uses one runs once for each PostgreSQL of `--pg`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import psycopg
import pytest
from hypothesis import settings

from crmshift.embedded import EmbeddedServer
from tests.support.databases import Databases
from tests.support.servers import DSN_VARIABLE, SETTINGS, Choice, Server, Servers, start_embedded

CHOICES = pytest.StashKey[list[Choice]]()

settings.register_profile("crmshift", deadline=None)  # the time a statement takes is the server's affair
settings.load_profile("crmshift")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--pg",
        help=f"PostgreSQL to test on, separated by commas: 18, 16, 15 …, docker:17, dsn (the one in {DSN_VARIABLE}). "
        f"Default: dsn where {DSN_VARIABLE} is set, else 18.",
    )


def pytest_configure(config: pytest.Config) -> None:
    default = "dsn" if os.environ.get(DSN_VARIABLE) else "18"
    names = (config.getoption("--pg") or default).split(",")
    try:
        config.stash[CHOICES] = [Choice.parse(name.strip()) for name in dict.fromkeys(names)]
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_report_header(config: pytest.Config) -> str:
    return "PostgreSQL: " + ", ".join(choice.describe() for choice in config.stash[CHOICES])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "choice" in metafunc.fixturenames:
        choices = metafunc.config.stash[CHOICES]
        if metafunc.definition.get_closest_marker("default_pg"):
            choices = choices[:1]
        parameters = [
            pytest.param(choice, id=choice.id, marks=[pytest.mark.skip(choice.missing)] if choice.missing else [])
            for choice in choices
        ]
        metafunc.parametrize("choice", parameters, scope="session")


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """All servers of this process."""
    everything = Servers()
    yield everything
    everything.close()


@pytest.fixture(scope="session")
def server(choice: Choice, servers: Servers) -> Server:
    """The PostgreSQL this run of the test is for: `.version`, `.dsn(dbname)`, `.bin_dir`."""
    return servers.get(choice)


@pytest.fixture(scope="session")
def all_databases(servers: Servers) -> Iterator[dict[Server, Databases]]:
    """The templates on each server; kept when the tests turn to another server, for they may come back."""
    everything: dict[Server, Databases] = {}
    yield everything
    for databases in everything.values():
        databases.close()


@pytest.fixture(scope="session")
def databases(server: Server, all_databases: dict[Server, Databases]) -> Databases:
    if server not in all_databases:
        all_databases[server] = Databases(server)
    return all_databases[server]


@pytest.fixture
def make_database(server: Server, databases: Databases) -> Iterator[Callable[[str], str]]:
    """Makes a database like a template ("legacy", "empty", or one registered), for this test only; its DSN."""
    names: list[str] = []

    def make(template: str = "legacy") -> str:
        names.append(databases.clone(template))
        return server.dsn(names[-1])

    yield make
    for name in names:
        databases.drop(name)


@pytest.fixture
def db(make_database: Callable[[str], str]) -> Iterator[Callable[[str], psycopg.Connection]]:
    """Makes a database like a template, and opens it: a connection in autocommit."""
    connections: list[psycopg.Connection] = []

    def make(template: str = "legacy") -> psycopg.Connection:
        connections.append(psycopg.connect(make_database(template), autocommit=True))
        return connections[-1]

    yield make
    for connection in connections:
        connection.close()


@pytest.fixture
def legacy_db(make_database: Callable[[str], str]) -> str:
    """The DSN of a database with the legacy schema and no rows."""
    return make_database("legacy")


@pytest.fixture
def legacy(legacy_db: str) -> Iterator[psycopg.Connection]:
    """A connection, in autocommit, to the database of `legacy_db`."""
    with psycopg.connect(legacy_db, autocommit=True) as connection:
        yield connection


@pytest.fixture
def make_server(choice: Choice) -> Iterator[Callable[..., EmbeddedServer]]:
    """Starts a server for this test alone, to be crashed or configured: `make_server(wal_level="logical")`."""
    if not choice.is_local:
        pytest.skip(f"a server of one's own cannot be had of {choice.name}")
    started: list[EmbeddedServer] = []

    def make(**changes: str) -> EmbeddedServer:
        started.append(start_embedded(choice, {**SETTINGS, **changes}))
        return started[-1]

    yield make
    for server in started:
        server.stop()
