"""Runs the checks, and stores what they found."""

from __future__ import annotations

import time
from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb

from crmshift import db
from crmshift.db import Connection
from crmshift.errors import Refused, UsageError
from crmshift.validation.result import SAMPLE, Check, Finding, Scope, Severity, Validation


def run(conn: Connection, workspace: UUID | None = None) -> Validation:
    """Run every check and store the outcome.

    Raises `Refused` where nothing is installed, `UsageError` for a workspace that does not exist.
    """
    require_installed(conn)
    if workspace is not None and not db.fetch_value(
        conn, "select exists (select from public.workspaces where id = %s)", [workspace]
    ):
        raise UsageError(f"There is no workspace {workspace}.", hint="select id, name from workspaces lists them.")
    started = time.monotonic()
    listed = db.fetch_all(conn, "select name, title, remedy, severity from crmshift.check_list order by rank, name")
    checks = tuple(_check(conn, name, title, remedy, severity, workspace) for name, title, remedy, severity in listed)
    seconds = time.monotonic() - started
    number, at = _store(conn, workspace, checks, seconds)
    return Validation(
        number=number,
        at=at,
        database=conn.info.dbname,
        server=conn.info.parameter_status("server_version") or "",
        scope=Scope(workspace),
        checks=checks,
        accuracies=(),
        fail_under=100,
        plan=None,
        ledger=None,
        seconds=seconds,
    )


def _check(conn: Connection, name: str, title: str, remedy: str, severity: str, workspace: UUID | None) -> Check:
    started = time.monotonic()
    rows = db.fetch_all(
        conn,
        "select count(*) over (), subject, key, detail, workspace from crmshift.run_check(%s, %s) limit %s",
        [name, workspace, SAMPLE],
    )
    findings = tuple(Finding(row[1], row[2], row[3], workspace=row[4]) for row in rows)
    return Check(
        name=name,
        title=title,
        remedy=remedy,
        severity=Severity(severity),
        entity=None,
        count=rows[0][0] if rows else 0,
        findings=findings,
        by_kind={},
        by_workspace={},
        seconds=time.monotonic() - started,
    )


def _store(conn: Connection, workspace: UUID | None, checks: tuple[Check, ...], seconds: float) -> tuple[int, datetime]:
    row = db.fetch_one(
        conn,
        """
        insert into crmshift.validation_run (workspace_id, clean, findings, duration)
        values (%s, %s, %s, make_interval(secs => %s)) returning id, at
        """,
        [workspace, all(c.passed for c in checks), Jsonb({c.name: c.count for c in checks}), seconds],
    )
    assert row is not None
    return row[0], row[1]


def require_installed(conn: Connection) -> None:
    """Raises `Refused` where nothing is installed, or rows of either side are hidden from the role."""
    if db.fetch_value(conn, "select to_regclass('crmshift.check_list')") is None:
        raise Refused(
            "There is nothing to validate: crmshift is not installed in this database.",
            hint="Run: crmshift apply --to sync-layer",
        )
    db.fetch_value(conn, "select crmshift.refuse_partial_view()")
