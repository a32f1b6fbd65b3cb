"""PgBouncer in transaction mode in front of a test server: a client's next transaction may come to another session."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from crmshift.embedded import account

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
"""Where it is; Debian puts it where only root looks."""


@contextmanager
def pooler(dsn: str, pool_size: int) -> Iterator[str]:
    """A DSN that leads to the same database through a pool of so many sessions, for any number of clients."""
    assert PROGRAM is not None
    server = {"host": "localhost", "user": "postgres", **conninfo_to_dict(dsn)}
    whoever = account.server_account()
    folder = account.home(whoever)
    port = _free_port()
    try:
        to = {
            "host": server["host"],
            "port": server.get("port", 5432),
            "dbname": server["dbname"],
            "user": server["user"],
        }
        if server.get("password"):
            to["password"] = server["password"]
        config = {
            "listen_addr": "127.0.0.1",
            "listen_port": port,
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": "transaction",
            "default_pool_size": pool_size,
            "max_client_conn": 50,
            "ignore_startup_parameters": "extra_float_digits,options",
            "logfile": folder / "pgbouncer.log",
        }
        _write(
            folder / "pgbouncer.ini",
            "[databases]\npooled = {}\n[pgbouncer]\n{}\n".format(
                " ".join(f"{name}='{value}'" for name, value in to.items()),
                "\n".join(f"{name} = {value}" for name, value in config.items()),
            ),
            whoever,
        )
        process = whoever.popen([PROGRAM, folder / "pgbouncer.ini"])
        try:
            pooled = make_conninfo(host="127.0.0.1", port=port, dbname="pooled", user=server["user"], sslmode="disable")
            _wait(pooled)
            yield pooled
        finally:
            process.terminate()
            process.wait(10)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(path: Path, text: str, whoever: account.Account) -> None:
    path.write_text(text, encoding="utf-8")
    whoever.own(path)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(dsn: str) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            psycopg.connect(dsn, connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
