"""What is in a database, as text that two databases have in common exactly if they hold the same schema."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.support.servers import Server


def dump(server: Server, dsn: str) -> str:
    """The schema as pg_dump writes it, without what changes from one run to the next. Skips where there is no pg_dump."""
    password = conninfo_to_dict(dsn).get("password")
    conninfo = make_conninfo(dsn, password=None)
    done = subprocess.run(
        [_pg_dump(server), "--schema-only", "--no-owner", "--no-tablespaces", "--dbname", conninfo],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **({"PGPASSWORD": str(password)} if password else {})},
    )
    return normalised(done.stdout)


def normalised(text: str) -> str:
    """Without versions, random tokens and the settings at the top."""
    text = re.sub(r"^\\(un)?restrict .*\n", "", text, flags=re.M)
    text = re.sub(r"^-- Dumped (from|by) .*\n", "", text, flags=re.M)
    text = re.sub(r"^(SET \w+ = .*|SELECT pg_catalog\.set_config\('search_path'.*)\n", "", text, flags=re.M)
    text = re.sub(r"^--\n-- (Name: .*?; Type: .*?); Schema: .*\n--$", r"-- \1", text, flags=re.M)
    text = re.sub(r"^--\n-- PostgreSQL database dump( complete)?\n--$", "", text, flags=re.M)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def registered(dsn: str) -> str:
    """The rows of the registry, which belong to the schema as much as the views they describe."""
    with psycopg.connect(dsn) as connection:
        found = connection.execute("select to_regclass('crmshift.mapping'), to_regclass('crmshift.feed')").fetchone()
        assert found is not None
        return "\n".join(
            str(row[0])
            for table in found
            if table is not None
            for row in connection.execute(f"select to_jsonb(t) from {table} as t order by 1").fetchall()
        )


def fingerprint(server: Server, dsn: str) -> str:
    """Everything that a step may change, but for rows of mapped tables and the ledger."""
    return f"{dump(server, dsn)}\n{registered(dsn)}"


def _pg_dump(server: Server) -> str:
    if server.bin_dir is not None and (server.bin_dir / "pg_dump").exists():
        return str(server.bin_dir / "pg_dump")
    found = shutil.which("pg_dump")
    if found is not None:
        printed = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
        version = re.search(r"(\d+)(\.\d+)*", printed)
        if version is not None and int(version[1]) >= server.version:
            return str(Path(found))
    pytest.skip(f"there is no pg_dump of version {server.version} or later")
