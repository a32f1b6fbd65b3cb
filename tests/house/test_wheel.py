"""What people install: the wheel, built from the sdist, stands on its own away from this checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dist = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", dist, ROOT, cwd=dist)  # the sdist, and from that the wheel
    [wheel] = dist.glob("crmshift-*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a virtual environment with the wheel, and only what the wheel asks for."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=True)
    run(home / "bin" / "pip", "install", "--quiet", wheel, cwd=home)
    return home / "bin"


def test_every_plan_and_sql_file_is_in_the_wheel(installed: Path, tmp_path: Path):
    script = (
        "from pathlib import Path; import crmshift; package = Path(crmshift.__file__).parent;"
        "print(*(p.relative_to(package).as_posix() for f in ('sql', 'plans') for p in (package / f).rglob('*.*')), sep='\\n')"
    )
    carried = set(run(installed / "python", "-c", script, cwd=tmp_path).split())
    here = {p.relative_to(ROOT).as_posix() for folder in ("sql", "plans") for p in (ROOT / folder).rglob("*.*")}
    assert carried == here
    assert "sql/legacy/schema.sql" in carried
    assert any(name.startswith("plans/") for name in carried)


def test_the_command_runs(installed: Path, tmp_path: Path):
    assert "Usage" in run(installed / "crmshift", "--help", cwd=tmp_path)


@pytest.mark.default_pg
def test_the_whole_road_from_the_wheel(installed: Path, tmp_path: Path, legacy_db: str):
    """Forward and back with the installed command, in a folder that holds nothing of this checkout."""
    with psycopg.connect(legacy_db, autocommit=True) as conn:
        conn.execute("insert into workspaces (name) values ('Acme')")
        conn.execute(
            "insert into contacts (workspace_id, firstname, lead_status) select id, 'Ada', 'new' from workspaces"
        )
        crmshift = [installed / "crmshift"]
        run(*crmshift, "apply", "--to", "parallel-operation", "--yes", "--dsn", legacy_db, cwd=tmp_path)
        run(*crmshift, "validate", "--report", "html=crmshift.html", "--dsn", legacy_db, cwd=tmp_path)
        assert "<h1>Validation passed</h1>" in (tmp_path / "crmshift.html").read_text(encoding="utf-8")
        conn.execute("update leads set disposition = 'won'")
        assert conn.execute("select firstname, lead_status from contacts").fetchall() == [("Ada", "won")]
        run(*crmshift, "rollback", "--to", "legacy", "--yes", "--dsn", legacy_db, cwd=tmp_path)
        assert conn.execute("select to_regclass('public.customers'), to_regnamespace('crmshift')").fetchone() == (
            None,
            None,
        )
