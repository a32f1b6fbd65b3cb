"""Slips of a tired person that once passed unnoticed, or were answered with something untrue."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from crmshift.db import DRIVER_LOCK
from tests.acceptance.commandline import environment, must

ROOT = Path(__file__).parents[2]
PLAN = (ROOT / "plans" / "lead_centric.yaml").read_text()

pytestmark = pytest.mark.default_pg


def test_legacy_keys_of_another_type_are_refused_before_anything_runs(make_database):
    dsn = make_database("empty")
    schema = (ROOT / "sql" / "legacy" / "schema.sql").read_text()
    schema = re.sub(
        r"(create table public.contacts \(\n    id +)uuid primary key default \S+", r"\1bigint primary key,", schema
    )
    schema = re.sub(r"contact_id( +)uuid", r"contact_id\1bigint", schema)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(schema.encode())
        for command in (["plan"], ["apply", "--to", "sync-layer", "--yes"]):
            assert "is of type bigint; the mapping needs uuid" in must(3, *command, dsn=dsn).err
        assert conn.execute("select to_regnamespace('crmshift')").fetchone() == (None,)


@pytest.mark.parametrize(
    ("status", "change", "told"),
    [
        (2, ("left_behind: {}", "left_behind: {}\nleft_behind:\n  public.contacts: [city]"), "stands twice"),
        (3, ("left_behind: {}", "left_behind:\n  public.contacs: [x]"), "public.contacs, which is no legacy table"),
        (3, ("left_behind: {}", "left_behind:\n  public.contacts: [nosuch]"), "nosuch of public.contacts"),
    ],
)
def test_what_a_plan_leaves_behind_must_exist(
    legacy_db, tmp_path: Path, status: int, change: tuple[str, str], told: str
):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace(*change))
    assert told in must(status, "plan", "--plan", str(path), dsn=legacy_db).err


def test_a_phase_that_was_not_reached_is_not_where_the_database_stands(legacy_db):
    assert "has not been reached" in must(0, "rollback", "--to", "sync-layer", "--yes", dsn=legacy_db).out
    assert "is where this database stands" in must(0, "rollback", "--to", "legacy", "--yes", dsn=legacy_db).out


def test_repair_and_drain_wait_for_their_turn(legacy_db):
    must(0, "apply", "--to", "sync-layer", "--yes", dsn=legacy_db)
    with psycopg.connect(legacy_db, autocommit=True) as conn:
        conn.execute("select pg_advisory_lock(%s, %s)", [*DRIVER_LOCK])
        for command in (["validate", "--repair", "--yes"], ["sync", "drain"]):
            assert "Another crmshift is at work" in must(4, *command, dsn=legacy_db).err


def test_keys_of_another_shape_and_a_table_without_schema_are_told(legacy_db):
    must(0, "apply", "--to", "sync-layer", "--yes", dsn=legacy_db)
    with psycopg.connect(legacy_db, autocommit=True) as conn:
        for sqlstate, statement in (
            ("SH004", """select crmshift.sync_keys('customers', '[{"cst_ID": "x"}]')"""),
            ("SH004", """select crmshift.sync_keys('customers', '{"cst_id": "x"}')"""),
            ("SH001", "select crmshift.backfill_batch('contacts', 10)"),
        ):
            with pytest.raises(psycopg.Error) as raised:
                conn.execute(statement.encode())
            assert raised.value.sqlstate == sqlstate, statement


def test_apply_names_what_changed_since_it_was_applied(legacy_db, tmp_path: Path):
    must(0, "apply", "--to", "sync-layer", "--yes", dsn=legacy_db)
    folder = tmp_path / "sql" / "mapping"
    folder.mkdir(parents=True)
    (folder / "customers.sql").write_text((ROOT / "sql" / "mapping" / "customers.sql").read_text() + "-- edited\n")
    done = must(0, "apply", "--to", "sync-layer", "--yes", "--project", str(tmp_path), dsn=legacy_db)
    assert "changed since it was applied" in done.out and "mapping/customers" in done.out


def test_declining_changes_nothing_and_is_no_crash(legacy_db):
    """At a terminal, apply asks; 'n' is an answer like another."""
    terminal, other_end = pty.openpty()
    command = subprocess.Popen(
        [sys.executable, "-m", "crmshift", "apply", "--to", "sync-layer"],
        env=environment(legacy_db),
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
    )
    os.close(other_end)
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(terminal, 4096)
    os.write(terminal, b"n\n")
    with suppress(OSError):  # Linux says EIO when the other end has closed
        while piece := os.read(terminal, 4096):
            shown += piece
    os.close(terminal)
    assert command.wait(30) == 3
    assert b"nothing was changed" in shown and b"Interrupted" not in shown
    with psycopg.connect(legacy_db) as conn:
        assert conn.execute("select to_regnamespace('crmshift')").fetchone() == (None,)
