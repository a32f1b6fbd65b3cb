"""`crmshift validate --report …` on a real database: as a pipeline calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from jsonschema import Draft202012Validator
from junitparser import JUnitXml

from tests.acceptance.commandline import REPOSITORY, crmshift, environment, must
from tests.support.templates import ADA, WORKSPACE

pytestmark = pytest.mark.default_pg

SCHEMA = json.loads((REPOSITORY / "docs" / "schema" / "validation-1.schema.json").read_text(encoding="utf-8"))
SECRET = "Atlantis"


@pytest.fixture
def parallel(make_database: Callable[[str], str]) -> str:
    return make_database("parallel")


@pytest.fixture
def drifted(parallel: str) -> str:
    """One customer was changed behind the triggers."""
    with psycopg.connect(parallel, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("update customers set city = %s where cst_id = %s", [SECRET, ADA])
    return parallel


@pytest.mark.parametrize("option", [[], ["--workspace", WORKSPACE], ["--repair", "--yes"]], ids=" ".join)
def test_the_document_is_what_its_schema_says(drifted: str, option: list[str]) -> None:
    answer = crmshift("validate", *option, "--format", "json", dsn=drifted)
    errors = list(Draft202012Validator(SCHEMA).iter_errors(answer.document))
    assert not errors
    assert answer.status == answer.document["exit_code"] == ("--repair" not in option)


def test_all_reports_of_one_run_agree(drifted: str, tmp_path: Path) -> None:
    files = {kind: tmp_path / f"report.{kind}" for kind in ("junit", "markdown", "html")}
    summary = tmp_path / "summary.md"
    answer = crmshift(
        *("validate", "--format", "json", "--report", "github"),
        *(word for kind, path in files.items() for word in ("--report", f"{kind}={path}")),
        dsn=drifted,
        env={"GITHUB_STEP_SUMMARY": str(summary)},
    )
    assert answer.status == 1
    failed = [c["name"] for c in answer.document["checks"] if c["outcome"] == "failed"]
    assert "drift_customers" in failed

    [suite] = JUnitXml.fromfile(str(files["junit"]))
    assert [case.name for case in suite if case.result] == failed
    assert [line.partition(" title=")[0] for line in answer.err.splitlines() if "::" in line] == ["::error"] * len(
        failed
    )
    assert summary.read_bytes() == files["markdown"].read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*(p.name for p in files.values()), summary.name])
    for path in files.values():
        written = path.read_text(encoding="utf-8")
        assert ADA in written
        assert "city" in written
        assert SECRET not in written
    assert SECRET not in answer.out + answer.err


def test_on_a_terminal_and_in_a_pipe_the_verdict_is_the_last_line(drifted: str) -> None:
    answer = must(1, "validate", dsn=drifted)
    assert answer.out.splitlines()[-1].startswith("not clean: ")
    assert f"  customers  cst_id={ADA}  " in answer.out, "a finding on a line of its own, to be searched for"


def test_a_report_that_cannot_be_written_costs_no_validation(drifted: str, tmp_path: Path) -> None:
    """It is told before anything is looked at, and nothing of the others is written."""
    good, bad = tmp_path / "good.xml", tmp_path / "none" / "bad.html"
    with psycopg.connect(drifted) as connection:
        before = connection.execute("select count(*) from crmshift.validation_run").fetchone()
        answer = must(2, "validate", "--report", f"junit={good}", "--report", f"html={bad}", dsn=drifted)
        assert connection.execute("select count(*) from crmshift.validation_run").fetchone() == before
    assert f"--report html: {bad} cannot be written: No such file or directory." in answer.error
    assert not answer.out
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_report_of_yesterday(drifted: str, tmp_path: Path) -> None:
    """Which nobody can know before: here no file may grow beyond 512 bytes."""
    report = tmp_path / "report.html"
    report.write_text("of yesterday")
    ran = subprocess.run(
        [
            *("sh", "-c", 'ulimit -f 1; exec "$@"', "sh", sys.executable, "-m", "crmshift"),
            *("validate", "--report", f"html={report}"),
        ],
        capture_output=True,
        text=True,
        env=environment(drifted, PYTHONDONTWRITEBYTECODE="1"),
        check=False,
    )
    assert ran.returncode == 2
    assert f"error: --report html: {report} cannot be written: File too large." in ran.stderr
    assert "Traceback" not in ran.stderr
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("report.html", "of yesterday")]
