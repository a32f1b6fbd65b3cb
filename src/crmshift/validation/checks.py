"""Runs the checks, and has what they found stored."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from crmshift import db
from crmshift.db import Connection
from crmshift.errors import UsageError
from crmshift.validation import compare_rows, runs
from crmshift.validation.compare_rows import Compared, Selection
from crmshift.validation.reader import Reader
from crmshift.validation.result import SAMPLE, Accuracy, Check, Finding, Scope, Severity, Validation

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class _Known:
    """A check, as crmshift.check_list has it."""

    name: str
    title: str
    remedy: str
    severity: str


def run(
    conn: Connection,
    workspace: UUID | None = None,
    *,
    since: str | None = None,
    sample: float | None = None,
    fail_under: float = 100.0,
    workers: int = 1,
    read_dsn: str | None = None,
    show_values: bool = False,
) -> Validation:
    """Run every check and store the outcome.

    since: number of a stored validation, or `last`. sample: percent of the keys. fail_under: accuracy demanded, in percent.
    workers: connections that compare. read_dsn: of a standby to read. show_values: read the values of the findings too.
    Raises `Refused` where nothing is installed or the stored validation will not do, `UsageError` for a workspace or a stored
    validation that does not exist.
    """
    db.require_all_rows(conn)
    if workspace is not None and not db.fetch_value(
        conn, "select exists (select from public.workspaces where id = %s)", [workspace]
    ):
        raise UsageError(f"There is no workspace {workspace}.", hint="select id, name from workspaces lists them.")
    started = time.monotonic()
    begun = runs.position(conn)
    number, horizon = (None, None) if since is None else runs.baseline(conn, since, workspace)
    with ExitStack() as opened:
        reader, lag = Reader(conn), None
        if read_dsn is not None:
            reader = opened.enter_context(closing(_standby(read_dsn, "reader")))
            reader.undisturbed(db.require_all_rows)
            there = reader.undisturbed(runs.position)
            lag = reader.undisturbed(partial(_require_standby, conn, begun, there))
            # What was running there when it was read: a standby may not know yet what has ended on the primary.
            begun = replace(begun, horizon=there.horizon)
        helpers = [
            opened.enter_context(
                closing(Reader(db.sibling(conn, name)) if read_dsn is None else _standby(read_dsn, name))
            )
            for name in (f"worker {n}" for n in range(2, workers + 1))
        ]
        selection = Selection(workspace, sample, random.getrandbits(31), horizon)
        entities = {
            f"drift_{mapping}": (mapping, entity)
            for mapping, entity in reader.fetch_all(
                "select name, entity from crmshift.mapping where direction = 'to_target'"
            )
        }
        checks, compared = [], []
        for listed in reader.fetch_all(
            "select name, title, remedy, severity from crmshift.check_list order by rank, name"
        ):
            known = _Known(*listed)
            if known.name in entities:
                mapping, entity = entities[known.name]
                check, rows = _drift(reader, known, mapping, entity, selection, helpers, show_values)
                compared.append((entity, rows))
            else:
                check = _check(reader, known, workspace)
            checks.append(check)
    result = Validation(
        number=None,
        at=datetime.now(UTC),
        database=conn.info.dbname,
        server=conn.info.parameter_status("server_version") or "",
        scope=Scope(workspace, number, sample, lag),
        checks=tuple(checks),
        accuracies=_accuracies(compared),
        fail_under=fail_under,
        plan=begun.plan,
        ledger=begun.ledger,
        seconds=time.monotonic() - started,
        compared=sum(c.compared for _, c in compared),
        outstanding=sum(c.outstanding for _, c in compared),
    )
    stored, at = runs.store(conn, result, begun)
    return replace(result, number=stored, at=at)


def _drift(
    reader: Reader,
    known: _Known,
    mapping: str,
    entity: str,
    selection: Selection,
    workers: list[Reader],
    show_values: bool,
) -> tuple[Check, Compared]:
    started = time.monotonic()
    found = compare_rows.run(reader, mapping, selection, workers)
    findings = found.findings
    if show_values:
        findings = tuple(reader.undisturbed(partial(compare_rows.with_values, f)) for f in findings)
    check = Check(
        name=known.name,
        title=known.title,
        remedy=known.remedy,
        severity=Severity(known.severity),
        entity=entity,
        count=found.drifted,
        findings=findings,
        by_kind=found.by_kind,
        by_workspace=found.by_workspace,
        seconds=time.monotonic() - started,
    )
    return check, found


def _check(reader: Reader, known: _Known, workspace: UUID | None) -> Check:
    started = time.monotonic()
    rows = reader.fetch_all(
        "select count(*) over (), subject, key, detail, workspace from crmshift.run_check(%s, %s) limit %s",
        [known.name, workspace, SAMPLE],
    )
    return Check(
        name=known.name,
        title=known.title,
        remedy=known.remedy,
        severity=Severity(known.severity),
        entity=None,
        count=rows[0][0] if rows else 0,
        findings=tuple(Finding(row[1], row[2], row[3], workspace=row[4]) for row in rows),
        by_kind={},
        by_workspace={},
        seconds=time.monotonic() - started,
    )


def _accuracies(compared: list[tuple[str, Compared]]) -> tuple[Accuracy, ...]:
    """Of each entity, in the order of their mappings."""
    return tuple(
        Accuracy(
            entity,
            sum(c.rows for e, c in compared if e == entity),
            sum(c.rows - c.drifted for e, c in compared if e == entity),
        )
        for entity in dict.fromkeys(e for e, _ in compared)
    )


def _standby(read_dsn: str, name: str) -> Reader:
    connect = partial(db.connect, read_dsn, f"validate/{name}", read_only=True)
    return Reader(connect(), connect)


def _require_standby(conn: Connection, begun: runs.Position, there: runs.Position, reader: Connection) -> float | None:
    """How old, in seconds, the last thing is that the reader has replayed, 0 where that is all; None where it is no standby. Raises `UsageError` where it is another database."""
    if (there.server, reader.info.dbname) != (begun.server, conn.info.dbname):
        raise UsageError("--read-dsn leads to another database, not to a copy of this one by streaming replication.")
    if not db.fetch_value(reader, "select pg_is_in_recovery()"):
        return None
    behind: float = db.fetch_value(
        reader,
        """
        select case when pg_last_wal_replay_lsn() >= %s::pg_lsn then 0
                    else extract(epoch from clock_timestamp() - coalesce(pg_last_xact_replay_timestamp(), pg_postmaster_start_time()))
               end::float8
        """,
        [db.fetch_value(conn, "select pg_current_wal_insert_lsn()::text")],
    )
    return behind
