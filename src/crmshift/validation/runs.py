"""Results of validations as they are stored, and how stale they have become."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from crmshift import db
from crmshift.db import Connection
from crmshift.errors import Refused, UsageError
from crmshift.validation.result import Validation


@dataclass(frozen=True)
class Position:
    """Where a database stands: fingerprint of the applied plan, last entry of the ledger, oldest transaction still running.

    server: identifier of the cluster. writes: rows ever written in mapped tables, by PostgreSQL's statistics, as counted since
    stats_reset; None where they are not counted.
    """

    plan: str | None
    ledger: int | None
    horizon: str
    server: int
    writes: int | None
    stats_reset: datetime | None


@dataclass(frozen=True)
class Stored:
    """A stored run. writes_since: None where it is not known, after a reset of the statistics or a crash."""

    number: int
    at: datetime
    workspace: UUID | None
    complete: bool
    clean: bool
    accuracy: float
    same_plan: bool
    age: timedelta
    writes_since: int | None

    @property
    def stale(self) -> str:
        """How old it is, in words: "31 h old, 14,208 writes since"."""
        hours, minutes = divmod(int(self.age.total_seconds()) // 60, 60)
        age = f"{hours} h old" if hours else f"{minutes} min old"
        writes = "writes since not known" if self.writes_since is None else f"{self.writes_since:,} writes since"
        return f"{age}, {writes}{'' if self.same_plan else ', under another plan'}"


def position(conn: Connection) -> Position:
    """Where the database stands now."""
    row = db.fetch_one(
        conn, "select plan, ledger, horizon::text, server, writes, stats_reset from crmshift.validation_position"
    )
    assert row is not None
    return Position(*row)


def store(conn: Connection, result: Validation, begun: Position) -> tuple[int, datetime]:
    """Keep a result, and where the database stood when it began; its number and time."""
    row = db.fetch_one(
        conn,
        """
        insert into crmshift.validation_run
               (workspace_id, since, sample, standby_lag, clean, fail_under, accuracies, drifted, outstanding, findings,
                plan, ledger, horizon, server, writes, stats_reset, duration)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::text::xid8, %s, %s, %s, make_interval(secs => %s))
        returning id, at
        """,
        [
            result.scope.workspace,
            result.scope.since,
            result.scope.sample,
            result.scope.standby_lag,
            result.clean,
            result.fail_under,
            Jsonb([{"entity": a.entity, "rows": a.rows, "agreeing": a.agreeing} for a in result.accuracies]),
            result.drifted,
            result.outstanding,
            Jsonb({c.name: c.count for c in result.checks}),
            begun.plan,
            begun.ledger,
            begun.horizon,
            begun.server,
            begun.writes,
            begun.stats_reset,
            result.seconds,
        ],
    )
    assert row is not None
    return row[0], row[1]


def last(conn: Connection, *, complete: bool = False) -> Stored | None:
    """The last result; with `complete`, the last that looked at everything. None where there is none."""
    if db.fetch_value(conn, "select to_regclass('crmshift.validation_state')") is None:
        return None
    row = db.fetch_one(
        conn,
        """
        select id, at, workspace_id, complete, clean,
               (select coalesce(100 * sum((a ->> 'agreeing')::numeric) / nullif(sum((a ->> 'rows')::numeric), 0), 100)::float8
                  from jsonb_array_elements(accuracies) as a),
               same_plan, age, writes_since
          from crmshift.validation_state where complete or not %s order by id desc limit 1
        """,
        [complete],
    )
    return None if row is None else Stored(*row)


def baseline(conn: Connection, wanted: str, workspace: UUID | None) -> tuple[int, str]:
    """The run that `--since` names, by number or as `last`, and its horizon.

    What differed then, and was not written since, would be overlooked. So in that run nothing may have differed, and it must have
    looked at all that is asked for now. Raises `UsageError` where there is none of that number, `Refused` where it will not do.
    """
    query = """
        select id, horizon::text, sample is null and (workspace_id is null or workspace_id is not distinct from %(workspace)s),
               drifted = 0 and outstanding = 0, same_plan, comparable
          from crmshift.validation_state
    """
    given: dict[str, Any] = {"workspace": workspace, "wanted": wanted}
    if wanted == "last":
        rows = db.fetch_all(conn, query + "order by id desc", given)
        rows = [row for row in rows if all(row[2:])][:1]
        if not rows:
            raise Refused(
                "There is no stored validation to start from: one of everything, in which nothing differed, under this plan.",
                hint="Run: crmshift validate",
            )
    else:
        rows = db.fetch_all(conn, query + "where id::text = %(wanted)s", given)
        if not rows:
            raise UsageError(
                f"--since {wanted}: there is no stored validation of that number.",
                hint="select id, at, clean from crmshift.validation_run lists them; or --since last.",
            )
    number, horizon, covers, agreed, same_plan, comparable = rows[0]
    for holds, why in (
        (covers, "it looked at a part only"),
        (agreed, "in it rows differed, or waited in the sync queue, and those not written since would be overlooked"),
        (same_plan, "the plan is another one since"),
        (comparable, "its transactions cannot be compared with those of now: another cluster, or too long ago"),
    ):
        if not holds:
            raise Refused(f"--since {number} will not do: {why}.", hint="Run: crmshift validate")
    return number, horizon
