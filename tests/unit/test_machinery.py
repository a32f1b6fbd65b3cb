"""The tests' own machinery: servers, clones and scripted sessions do what the other tests take for granted."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.support.databases import register_template
from tests.support.sessions import sessions

BUILT: list[str] = []


def add_a_workspace(dsn: str) -> None:
    BUILT.append(dsn)
    with psycopg.connect(dsn) as connection:
        connection.execute("insert into workspaces (name) values ('from the template')")


register_template("one_workspace", base="legacy", build=add_a_workspace)


def test_the_server_is_of_the_version_asked_for(server, choice, legacy):
    assert legacy.info.server_version // 10000 == server.version
    if choice.is_local:
        assert server.version == int(choice.name)


def test_a_clone_is_nobody_elses(make_database):
    first, second = make_database("legacy"), make_database("legacy")
    with psycopg.connect(first) as connection:
        connection.execute("insert into workspaces (name) values ('here only')")
    with psycopg.connect(second) as connection:
        assert connection.execute("select count(*) from workspaces").fetchone() == (0,)


def test_a_template_is_built_once(db):
    for connection in (db("one_workspace"), db("one_workspace")):
        assert connection.execute("select name from workspaces").fetchall() == [("from the template",)]
    assert len(set(BUILT)) == len(BUILT)


def test_a_session_that_waits_is_seen_to_wait(legacy_db):
    with sessions(legacy_db, "A", "B") as (a, b):
        a("insert into workspaces (name) values ('shared')")
        a("begin")
        a("update workspaces set name = 'from A'")
        waiting = b.start("update workspaces set name = %s where name = 'shared' returning name", "from B")
        assert waiting.blocked()
        assert b.blockers() == [a.pid]
        a.rollback()
        assert waiting.result() == [("from B",)]
        assert not waiting.blocked()
        assert a("select name from workspaces where name like 'from%'") == [("from B",)]


def test_a_step_that_fails_unnoticed_fails_the_test(legacy_db):
    with pytest.raises(psycopg.errors.DivisionByZero), sessions(legacy_db, "A") as (a,):
        a.start("select 1/0")
        while not a.steps[-1].done():
            time.sleep(0.01)


def test_a_session_left_waiting_does_not_hold_up_the_end(legacy_db):
    began = time.monotonic()
    with sessions(legacy_db, "A", "B") as (a, b):
        a("begin")
        a("lock table workspaces")
        assert b.start("select count(*) from workspaces").blocked()
    assert time.monotonic() - began < 5


def test_a_server_recovers_from_a_crash(make_server):
    server = make_server(fsync="on", synchronous_commit="on")
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("create table survivor as select 42 as answer")
        server.crash()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    server.restart()
    with psycopg.connect(server.dsn()) as connection:
        assert connection.execute("select answer from survivor").fetchone() == (42,)


@pytest.mark.default_pg
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_process_leaves_no_server_behind(choice, how):
    if not choice.is_local:
        pytest.skip("needs a server of this machine")
    script = (
        "import sys, time; from pathlib import Path; from crmshift.embedded import EmbeddedServer;"
        "bin_dir = Path(sys.argv[2]) if len(sys.argv) > 2 else None;"
        "server = EmbeddedServer.start(int(sys.argv[1]), bin_dir=bin_dir, settings={'fsync': 'off'});"
        "print(server.dsn(), server.data_dir.parent, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, choice.name, *([str(choice.bin_dir)] if choice.bin_dir else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        dsn, home = process.stdout.readline().split()
        process.send_signal(how)
    deadline = time.monotonic() + 10
    while Path(home).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(home).exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn)
