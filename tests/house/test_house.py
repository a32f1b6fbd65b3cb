"""The house in order: what belongs together is there, and the documents say what the program does."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crmshift import errors
from crmshift.plan import Verb, load
from crmshift.project import Project

ROOT = Path(__file__).parents[2]
SQL = ROOT / "sql"


def names(folder: Path) -> set[str]:
    return {p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.sql")}


def test_every_forward_file_has_an_undo_of_the_same_name():
    forward = {n for n in names(SQL) if n.split("/")[0] in ("schema", "mapping", "validation", "constraints")}
    assert forward == names(SQL / "rollback")


def test_every_sql_file_is_a_step_of_the_plan():
    plan = load(Project.open(None).plan("lead_centric"))
    run = {s.subject for s in plan.steps if s.verb is Verb.RUN}
    assert run == names(SQL / "rollback")


def test_every_sql_file_says_what_it_is_for():
    for path in SQL.rglob("*.sql"):
        assert path.read_text().startswith("-- "), path


def test_tables_and_functions_carry_comments():
    """Every table, view and function of crmshift's own schema is explained in the catalogue."""
    for path in (SQL / "schema").glob("*.sql"):
        text = path.read_text()
        made = set(re.findall(r"^create (?:table|view|function) (crmshift\.\w+)", text, re.M))
        explained = set(re.findall(r"^comment on (?:table|view|function) (crmshift\.\w+)", text, re.M))
        assert made <= explained, f"{path.name}: {made - explained}"


def test_every_sqlstate_of_our_own_is_documented():
    raised = {code for p in SQL.rglob("*.sql") for code in re.findall(r"errcode = '(SH\d+)'", p.read_text())}
    documented = set(re.findall(r"`(SH\d+)`", (ROOT / "docs" / "errors.md").read_text()))
    assert raised == documented


def test_every_class_of_error_is_documented():
    text = (ROOT / "docs" / "errors.md").read_text()
    for name in ("UsageError", "ConnectionFailed", "DatabaseError", "Refused", "LockNotObtained", "Stopped"):
        assert hasattr(errors, name)
        assert f"`{name}`" in text


@pytest.mark.parametrize("page", sorted(p.name for p in (ROOT / "docs").glob("*.md")))
def test_links_of_the_docs_lead_somewhere(page: str):
    folder = ROOT / "docs"
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (folder / page).read_text()):
        if not target.startswith("http"):
            assert (folder / target).resolve().exists(), target


def test_links_of_the_readme_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / "README.md").read_text()):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_the_readme_names_every_command():
    """Those that a person types; each is in the README or the docs."""
    text = "".join(p.read_text() for p in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "CHANGELOG.md"])
    shown = subprocess.run([sys.executable, "-m", "crmshift", "--help"], capture_output=True, text=True, check=True)
    commands = set(re.findall(r"^│ (\w+) ", shown.stdout, re.M))
    assert {"plan", "apply", "rollback", "backfill", "validate", "status", "log", "sync", "demo"} <= commands
    for command in commands:
        assert f"`{command}`" in text or f"crmshift {command}" in text or f"make {command}" in text, command


def imported(path: Path) -> set[str]:
    """Modules of ours that a module imports, at the top or where they are used; not what is only for the type checker."""
    tree = ast.parse(path.read_text())
    for block in ast.walk(tree):
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING":
            block.body = []
    named = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            named |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in named if name.startswith("crmshift.")}


def test_no_module_is_imported_by_what_it_imports():
    source = ROOT / "src"
    modules = {
        ".".join(p.relative_to(source).with_suffix("").parts).removesuffix(".__init__"): p for p in source.rglob("*.py")
    }
    graph = {name: (imported(path) & modules.keys()) - {name} for name, path in modules.items()}
    assert graph["crmshift.cli.status"]
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError
