"""Projects whose target is narrower than the shipped one, and what `compare --mapping` finds, for tests."""

from __future__ import annotations

from pathlib import Path

import psycopg

from crmshift import db
from crmshift.compare.mapped import reading
from crmshift.compare.mapped.losses import Loss, Report
from crmshift.steps import compile_plan
from tests.support.templates import load_plan

ROOT = Path(__file__).parents[2]

Change = tuple[str, str, str]
"""A file under sql/, and what to put in place of what there."""


def project(folder: Path, *changes: Change) -> Path:
    """A project folder with changed copies of crmshift's own files."""
    for file, old, new in changes:
        own = folder / "sql" / f"{file}.sql"
        own.parent.mkdir(parents=True, exist_ok=True)
        text = (own if own.exists() else ROOT / "sql" / f"{file}.sql").read_text()
        assert old in text, f"{file} has no {old!r}"
        own.write_text(text.replace(old, new, 1))
    return folder


def execute(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def report(dsn: str, folder: Path | None = None, *, profiled: bool = False) -> Report:
    """What `compare --mapping` finds."""
    connection = db.connect(dsn, "tests", read_only=True)
    try:
        return reading.run(connection, lambda c: compile_plan(*load_plan(folder), c), connection, profiled=profiled)
    finally:
        connection.close()


def told(found: Report) -> set[tuple[str, str, str]]:
    """Verdict, aspect, and what it is about: the name of a rule, or the column."""
    return {
        (
            loss.verdict.value,
            loss.aspect.value,
            f"{loss.table.partition('.')[2]}.{loss.name or ', '.join(loss.columns)}",
        )
        for loss in found.losses
    }


def the(found: Report, aspect: str, about: str) -> Loss:
    """The one loss of this aspect about this."""
    (loss,) = [
        loss
        for loss in found.losses
        if loss.aspect.value == aspect
        and f"{loss.table.partition('.')[2]}.{loss.name or ', '.join(loss.columns)}" == about
    ]
    return loss
