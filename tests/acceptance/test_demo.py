"""`crmshift demo`, as a user runs it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from crmshift.demo import proof

pytestmark = [pytest.mark.default_pg, pytest.mark.slow]


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Where the demo makes its files. The server's account must reach it, so it is not below pytest's own folder."""
    folder = Path(tempfile.mkdtemp(prefix="d", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def start(temporary: Path, *options: str) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "CRMSHIFT", "DATABASE_URL"))}
    return subprocess.Popen(
        [sys.executable, "-m", "crmshift", "demo", *options],
        env={**environment, "TMPDIR": str(temporary), "DATABASE_URL": "postgresql://nobody@nowhere.invalid/none"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What a shell starts in the background ignores ^C, and hands that down; a person's demo does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def run(temporary: Path, *options: str) -> tuple[int, str, str]:
    demo = start(temporary, *options)
    out, err = demo.communicate(timeout=180)
    return demo.returncode, out, err


def test_the_whole_story(temporary: Path) -> None:
    status, out, err = run(temporary, "--contacts", "300")

    assert status == 0, out + err
    assert err == ""
    assert out.rstrip().splitlines()[-2].endswith("failed: 0")
    assert "Legacy is exactly what the applications made of it." in out
    for command in (
        "plan --to parallel-operation",
        "apply --to parallel-operation --yes",
        "status",
        "validate",
        "rollback --to legacy",
    ):
        assert f"$ crmshift {command}\n" in out
    assert re.search(r"\$ crmshift rollback --to legacy --accept-loss [1-9]\d* --yes\n", out)
    assert "exit status 3" in out
    assert "lead that is not the primary one" in out
    assert re.search(r"both sides +lead-centric +[1-9]", out), "v2 wrote nothing"
    assert "\x1b" not in out, "control sequences in a pipe"
    assert list(temporary.iterdir()) == []


def test_data_of_ones_own(temporary: Path, tmp_path: Path) -> None:
    workspace = "00000000-0000-4000-8000-000000000001"
    ids = [f"00000000-0000-4000-8000-0000000001{n:02}" for n in range(30)]
    (tmp_path / "contacts.csv").write_text(
        "id,workspace_id,lastname\n" + "".join(f"{i},{workspace},Ł\n" for i in ids), encoding="utf-8"
    )
    (tmp_path / "contact_custom_fields.csv").write_text("contact_id,field_id,field_name,value\n")

    status, out, err = run(temporary, "--data", str(tmp_path))

    assert status == 0, out + err
    assert "failed: 0" in out


def test_a_folder_of_another_shape_is_refused_and_leaves_nothing(temporary: Path, tmp_path: Path) -> None:
    status, _, err = run(temporary, "--data", str(tmp_path))

    assert status == 2
    assert "holds no contacts.csv" in err
    assert err.count("error:") == 1
    assert list(temporary.iterdir()) == []


def test_control_c_stops_everything(temporary: Path) -> None:
    demo = start(temporary, "--contacts", "300")
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.startswith("$ crmshift status"):
            break
    demo.send_signal(signal.SIGINT)
    _, err = demo.communicate(timeout=60)

    # `python -m` ends by the signal itself, once we have said our word, where ^C had met an exec (a dataclass that was being made,
    # say): to a shell that is 130 as well.
    assert demo.returncode in (130, -signal.SIGINT)
    assert err == "Interrupted. The demo is stopped and its server removed.\n"
    assert list(temporary.iterdir()) == []


def test_keep_leaves_a_server_that_can_be_stopped_as_told(temporary: Path) -> None:
    status, out, _ = run(temporary, "--contacts", "300", "--keep")
    assert status == 0
    dsn = re.search(r"export CRMSHIFT_DSN='(.+)'", out)
    stop = re.search(r"to stop and remove it: (.+)", out)
    assert dsn and stop

    try:
        with psycopg.connect(dsn[1]) as connection:
            assert connection.execute("select count(*) > 0 from contacts").fetchone() == (True,)
    finally:
        subprocess.run(stop[1], shell=True, check=True)

    deadline = time.monotonic() + 10
    while list(temporary.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("update contacts set lead_status = 'Changed' where email = 'a'", ["contacts"]),
        ("update contacts set city = '' where email = 'a'", ["contacts"]),
        ("delete from contacts where email = 'a'", ["contacts"]),
        ("insert into workspaces (name) values ('extra')", ["workspaces"]),
    ],
)
def test_the_proof_can_fail(make_database, change: str, found: list[str]) -> None:  # type: ignore[no-untyped-def]
    ours, record = make_database("legacy"), make_database("legacy")
    for dsn in (ours, record):
        with psycopg.connect(dsn) as connection:
            connection.execute(
                """
                insert into workspaces (id, name, created_at) values ('00000000-0000-4000-8000-000000000001', 'w', null);
                insert into contacts (id, workspace_id, email, created_at, updated_at)
                values ('00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-000000000001', 'a', null, null)
                """
            )
    assert not any(c.differing for c in proof.compare_rows(ours, record))
    assert proof.leftovers(ours, record) == []

    with psycopg.connect(ours) as connection:
        connection.execute(change)  # type: ignore[arg-type]
        connection.execute("create table forgotten (id integer)")

    assert [c.table for c in proof.compare_rows(ours, record) if c.differing] == found
    assert "table public.forgotten" in proof.leftovers(ours, record)
