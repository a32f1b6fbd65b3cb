"""A history to move, what it must become, and backfills that run beside the test.

unmoved → history   some thousands of contacts of two workspaces, with fields and appointments, none of them moved yet
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from crmshift import backfill, db, governor
from crmshift.backfill import StopSignal
from crmshift.progress import BackfillState, Pace, Progress
from tests.support.databases import register_template
from tests.support.templates import FIELD, OTHER_WORKSPACE, WORKSPACE

CONTACTS = 5000

HISTORY = f"""
insert into contacts (id, workspace_id, firstname, lastname, lead_status, created_at, updated_at)
select md5('contact' || n)::uuid, (case when n % 5 = 0 then '{OTHER_WORKSPACE}' else '{WORKSPACE}' end)::uuid, 'Jo', n,
       case when n % 2 = 0 then 'new' end, timestamptz '2020-01-01Z' + n * interval '1 min', timestamptz '2021-01-01Z' + n * interval '1 min'
  from generate_series(1, {CONTACTS}) as n;
insert into contact_custom_fields (contact_id, field_id, value, created_at)
select id, '{FIELD}', 'v' || lastname, created_at from contacts where firstname = 'Jo' and workspace_id = '{WORKSPACE}' and lastname like '%3';
insert into appointments (contact_id, apptdate, status) select id, updated_at, 'open' from contacts where lastname like '%7' order by lastname;
"""


def load(dsn: str) -> None:
    """The history, as it was before there were triggers."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("set session_replication_role = replica")
        conn.execute(HISTORY)
        conn.execute("vacuum analyze")


register_template("history", base="unmoved", build=load)


def moved(conn: psycopg.Connection) -> dict[str, list[tuple[object, ...]]]:
    """Everything a backfill writes, without the ids that leads are given."""
    return {
        name: conn.execute(query).fetchall()
        for name, query in {
            "customers": "select * from customers order by cst_id",
            "leads": "select to_jsonb(l) - 'id' - 'stg_id' as l from leads as l order by customer_id",
            "fields": "select * from customer_custom_fields order by 1, 2",
            "appointments": "select a.id, l.customer_id, to_jsonb(a) - 'lead_id' from lead_appointments as a join leads as l on l.id = a.lead_id order by a.id",
            "queue": "select subject, key, side, reason, sqlstate from crmshift.sync_queue order by subject, key::text",
            "walks": "select source, workspace_id, rows_total, rows_done, queued, finished_at is not null from crmshift.backfill order by 1, 2",
        }.items()
    }


def assert_moved(conn: psycopg.Connection, expected: dict[str, list[tuple[object, ...]]]) -> None:
    """All is as in `expected`. Says where not, by table and number: thousands of rows are no message."""
    found = moved(conn)
    for name, rows in expected.items():
        if found[name] != rows:
            ours, theirs = ({str(row) for row in side} for side in (found[name], rows))
            raise AssertionError(
                f"{name}: {len(found[name])} rows for {len(rows)}; {len(ours - theirs)} too many, {len(theirs - ours)} lacking"
            )


def control(conn: psycopg.Connection, **values: object) -> None:
    """Change the controls, as any psql may."""
    for column, value in values.items():
        conn.execute(f"update crmshift.backfill_control set {column} = %s", [value])


class Recorder(Progress):
    """Remembers how it went."""

    def __init__(self) -> None:
        self.state: BackfillState | None = None
        self.pace: Pace | None = None
        self.waits = 0
        self.most_workers = 0
        self.held: list[str] = []

    def backfill(self, state: BackfillState, pace: Pace) -> None:
        self.state, self.pace = state, pace
        self.most_workers = max(self.most_workers, pace.workers)
        self.held += [h.signal for h in pace.holds if h.signal not in self.held]

    def waiting(self, error: object, pause: float) -> None:
        self.waits += 1

    @property
    def holding(self) -> set[str]:
        return {h.signal for h in self.pace.holds} if self.pace else set()


def run(
    dsn: str, workspace: str | None = None, progress: Progress | None = None, stop: StopSignal | None = None
) -> None:
    """Every walk, as `crmshift backfill run` does it."""
    conn = db.connect(dsn, "backfill run")
    try:
        only = backfill.find_workspace(conn, workspace) if workspace else None
        for source in backfill.sources(conn):
            backfill.run(conn, source, None, progress or Progress(), stop or StopSignal(), only)
    finally:
        conn.close()


class Running:
    """A backfill in a thread."""

    def __init__(self, dsn: str) -> None:
        self.seen = Recorder()
        self.stop = StopSignal()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=[dsn])
        self._thread.start()

    def _run(self, dsn: str) -> None:
        try:
            run(dsn, progress=self.seen, stop=self.stop)
        except BaseException as error:
            self.error = error

    def ended(self) -> bool:
        return not self._thread.is_alive()

    def end(self, timeout: float = 60.0) -> None:
        """Wait until it has ended. Raises what stopped it."""
        self._thread.join(timeout)
        assert self.ended(), f"it still runs; {self.seen.state}, {self.seen.pace}"
        if self.error is not None:
            raise self.error


@contextmanager
def running(dsn: str) -> Iterator[Running]:
    """A backfill beside the block; stopped at its end at the latest."""
    its = Running(dsn)
    try:
        yield its
    finally:
        its.stop.raised = True
        its._thread.join(30)


def soon(condition: Callable[[], object], timeout: float = 15.0) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not become so in time"
        time.sleep(0.01)


def signal(conn: psycopg.Connection, name: str, pauses_at: float, resumes_at: float) -> None:
    """Set where a signal pauses and where it goes on, and let no other one count."""
    conn.execute("update crmshift.backfill_signal set enabled = signal = %s", [name])
    governor.set_signal(conn, name, {"pauses_at": pauses_at, "resumes_at": resumes_at})
