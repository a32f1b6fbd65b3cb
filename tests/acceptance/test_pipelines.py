"""The pipelines in docs/pipelines do what they say: their shell steps run here, against a real database.

What a machine without these services cannot show: their runners, checkouts and uploads. `pip install crmshift` is answered by
a `pip` that does nothing, for crmshift is installed already.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from junitparser import JUnitXml

from tests.acceptance.commandline import REPOSITORY, environment
from tests.support.templates import ADA

pytestmark = pytest.mark.default_pg

PIPELINES = REPOSITORY / "docs" / "pipelines"


@pytest.fixture
def database(make_database: Callable[[str], str]) -> Callable[[int], str]:
    """Makes a database of which `crmshift validate` says 0, or 1 for a customer changed behind the triggers."""

    def make(status: int) -> str:
        dsn = make_database("parallel")
        if status:
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("set session_replication_role = replica")
                connection.execute("update customers set city = 'Atlantis' where cst_id = %s", [ADA])
        return dsn

    return make


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Where the steps run: an empty folder, with `crmshift` and a `pip` that has nothing to do on the PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, body in {
        "crmshift": f'exec "{sys.executable}" -m crmshift "$@"',
        "pip": 'test "$*" = "install crmshift"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    (tmp_path / "checkout").mkdir()
    return tmp_path / "checkout"


def run(shell: list[str], checkout: Path, dsn: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        shell,
        cwd=checkout,
        capture_output=True,
        text=True,
        env=environment(dsn, PATH=f"{checkout.parent / 'bin'}:{os.environ['PATH']}", **env),
        check=False,
    )


def load(name: str) -> Any:
    return yaml.safe_load((PIPELINES / name).read_text(encoding="utf-8"))


def failed_checks(junit: Path) -> list[str]:
    [suite] = JUnitXml.fromfile(str(junit))
    return [case.name for case in suite if case.result]


@pytest.mark.parametrize("status", [0, 1])
def test_github_actions(database: Callable[[int], str], status: int, checkout: Path) -> None:
    dsn, summary = database(status), checkout.parent / "summary.md"
    summary.touch()
    [job] = load("github.yml")["jobs"].values()
    ran = None
    for step in job["steps"]:
        if "run" not in step:
            continue
        assert set(step.get("env", {"CRMSHIFT_DSN": ""})) == {"CRMSHIFT_DSN"}
        script = checkout.parent / "step.sh"
        script.write_text(step["run"])
        # as the runner does where a step names no shell
        ran = run(["bash", "-e", str(script)], checkout, dsn, GITHUB_STEP_SUMMARY=str(summary), GITHUB_ACTIONS="true")
        if ran.returncode:
            break
    assert ran is not None
    assert ran.returncode == status, ran.stderr
    assert ("::error title=crmshift validate%3A drift_customers::" in ran.stderr) == bool(status)
    assert summary.read_text(encoding="utf-8").startswith("## ❌" if status else "## ✅")

    [upload] = [s for s in job["steps"] if s.get("uses", "").startswith("actions/upload-artifact@")]
    assert "cancelled()" in upload["if"], "after a failure too"
    kept = checkout / upload["with"]["path"]
    assert sorted(p.name for p in kept.iterdir()) == ["crmshift.html", "crmshift.xml"]
    assert failed_checks(kept / "crmshift.xml") == ["drift_customers"] * status


@pytest.mark.parametrize("status", [0, 1])
def test_gitlab(database: Callable[[int], str], status: int, checkout: Path) -> None:
    [job] = load("gitlab.yml").values()
    lines = [*job["before_script"], *job["script"]]
    # as the runner does
    ran = run(
        ["bash", "-c", "\n".join(["set -eo pipefail", *lines])],
        checkout,
        database(status),
        GITLAB_CI="true",
    )
    assert ran.returncode == status, ran.stderr
    artifacts = job["artifacts"]
    assert artifacts["when"] == "always", "after a failure too"
    for path in [*artifacts["paths"], artifacts["reports"]["junit"]]:
        assert (checkout / path).stat().st_size, path
    assert failed_checks(checkout / artifacts["reports"]["junit"]) == ["drift_customers"] * status


@pytest.mark.parametrize("status", [0, 1])
def test_the_shell_script(database: Callable[[int], str], status: int, checkout: Path) -> None:
    ran = run([str(PIPELINES / "validate.sh"), "last night"], checkout, database(status))
    assert ran.returncode == status, ran.stderr
    assert ("clean" in ran.stdout) == (status == 0)
    assert ("NOT clean" in ran.stderr) == bool(status)
    kept = checkout / "last night"
    assert sorted(p.name for p in kept.iterdir()) == ["crmshift.html", "crmshift.json", "crmshift.xml"]
    assert json.loads((kept / "crmshift.json").read_text(encoding="utf-8"))["exit_code"] == status


def test_the_shell_script_keeps_what_it_had_where_there_is_no_answer(
    database: Callable[[int], str], checkout: Path
) -> None:
    script = [str(PIPELINES / "validate.sh")]
    assert run(script, checkout, database(0)).returncode == 0
    before = {p.name: p.read_bytes() for p in (checkout / "reports").iterdir()}
    ran = run(script, checkout, "host=127.0.0.1 port=1 dbname=none")
    assert ran.returncode == 2
    assert "no answer (exit 2)" in ran.stderr
    assert {p.name: p.read_bytes() for p in (checkout / "reports").iterdir()} == before


def test_scripts_are_right_for_any_shell() -> None:
    """`sh -n` in the shells there are; the example is for machines that have no bash."""
    for shell in ("sh", "bash"):
        subprocess.run([shell, "-n", str(PIPELINES / "validate.sh")], check=True)


def test_the_pages_say_where_the_pipelines_are() -> None:
    page = (REPOSITORY / "docs" / "validation.md").read_text(encoding="utf-8")
    for path in PIPELINES.iterdir():
        assert f"(pipelines/{path.name})" in page
