"""A project folder holds only what it changes; everything else is crmshift's own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from crmshift.errors import UsageError
from crmshift.project import Project, packaged_root, read


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_folder_the_packaged_files_are_used() -> None:
    project = Project.open(None)
    file = project.sql("schema/customers")
    assert file.name == "schema/customers"
    assert file.path == packaged_root() / "sql" / "schema" / "customers.sql"
    assert file.checksum == hashlib.sha256(file.path.read_bytes()).hexdigest()
    assert project.plan("lead_centric") == packaged_root() / "plans" / "lead_centric.yaml"


def test_a_file_in_the_folder_takes_the_place_of_the_packaged_one(tmp_path: Path) -> None:
    mine = write(tmp_path / "sql" / "schema" / "customers.sql", "-- mine: é")
    project = Project.open(tmp_path)
    assert project.sql("schema/customers").path == mine
    assert project.sql("schema/customers").text == "-- mine: é"
    assert project.sql("schema/leads").path.is_relative_to(packaged_root())
    plan = write(tmp_path / "plans" / "lead_centric.yaml", "name: mine")
    assert project.plan("lead_centric") == plan


def test_a_plan_may_be_named_by_its_path(tmp_path: Path) -> None:
    plan = write(tmp_path / "my.yml", "name: mine")
    assert Project.open(None).plan(str(plan)) == plan


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere does not exist") as error:
        Project.open(tmp_path / "nowhere")
    assert error.value.hint and "--project" in error.value.hint


def test_a_sql_file_that_does_not_exist_is_named_with_the_places_looked_at(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no file sql/schema/nothing\.sql") as error:
        Project.open(tmp_path).sql("schema/nothing")
    assert error.value.hint and str(tmp_path) in error.value.hint and str(packaged_root()) in error.value.hint


def test_a_plan_that_does_not_exist_is_named_with_those_that_do(tmp_path: Path) -> None:
    write(tmp_path / "plans" / "mine.yaml", "name: mine")
    with pytest.raises(UsageError, match="There is no plan named nothing") as error:
        Project.open(tmp_path).plan("nothing")
    assert error.value.hint and "lead_centric, mine" in error.value.hint
    with pytest.raises(UsageError, match=r"The plan nothing\.yaml does not exist"):
        Project.open(tmp_path).plan("nothing.yaml")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "latin1.sql"
    path.write_bytes("select 'é'".encode("latin-1"))
    with pytest.raises(UsageError, match=r"latin1\.sql cannot be read"):
        read(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path)


def test_every_file_that_is_run_has_an_undo_of_the_same_name() -> None:
    root = packaged_root() / "sql"
    undone = {p.relative_to(root / "rollback") for p in (root / "rollback").rglob("*.sql")}
    folders = {p.parts[0] for p in undone}
    forward = {p.relative_to(root) for p in root.rglob("*.sql") if p.relative_to(root).parts[0] in folders}
    assert forward == undone
