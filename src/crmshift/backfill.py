"""Moves history: batch after batch, each committed with its checkpoint, until the bound frozen at the start.

The caller's connection supervises: it reads the signals, starts as many workers as the controls say, and shows how it goes. Each
worker is a thread with a connection of its own. What is done is known to the database alone; nothing here outlives a kill.
"""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import FrameType
from uuid import UUID

from crmshift import db, governor
from crmshift.batch import BatchSize, Meter
from crmshift.db import Connection
from crmshift.errors import CrmshiftError, LockNotObtained, Stopped, UsageError
from crmshift.progress import BackfillState, Hold, Pace, Progress

LOCK_TIMEOUT = "200ms"
"""Longest wait of a batch for a lock. With the batch itself it stays below deadlock_timeout (1 s): an application that waits
for the batch, while the batch waits for it, must not be made the victim. The batch is tried again."""

STATEMENT_TIMEOUT = "2s"
"""A batch that takes longer is given up and tried with half the rows; one of a single row is left to end."""

ATTEMPTS_AT_THE_END = 4

CHECK_EVERY = 1.0
LOOK_EVERY = 0.1
SHOW_EVERY = 0.5


def run(
    conn: Connection,
    source: str,
    most: int | None,
    progress: Progress,
    stop: StopSignal,
    workspace: UUID | None = None,
) -> BackfillState:
    """Backfill from one legacy table to its bound, or one workspace's rows of it; goes on where an earlier run ended.

    `most` rows in a batch at most, besides what the controls say. Raises `Stopped` after the batches in hand where `stop` was
    raised, `LockNotObtained` where rows stay locked.
    """
    with db.transaction(conn):
        db.fetch_one(conn, "select * from crmshift.backfill_start(%s, %s)", [source, workspace])
    governor.forget_readings(conn)
    crew = _Crew(conn, source, workspace, most, progress, stop)
    try:
        state = crew.supervise()
    except KeyboardInterrupt:
        crew.dismiss(patience=0.0)
        raise
    finally:
        crew.dismiss(patience=3.0)
    with suppress(LockNotObtained):  # autovacuum is at it, and will see to it
        db.with_lock_retry(lambda: _end(conn, source), on_wait=progress.waiting, attempts=ATTEMPTS_AT_THE_END)
    return state


def _end(conn: Connection, source: str) -> None:
    with db.transaction(conn, lock_timeout=LOCK_TIMEOUT):
        db.fetch_one(conn, "select crmshift.backfill_end(%s)", [source])


def sources(conn: Connection) -> list[str]:
    """Legacy tables to walk, in the order that respects what their rows refer to."""
    return [row[0] for row in db.fetch_all(conn, "select source from crmshift.backfill_sources()")]


def states(conn: Connection) -> list[BackfillState]:
    """All walks that were begun, in that order; empty where none can have been."""
    if db.fetch_value(conn, "select to_regclass('crmshift.backfill')") is None:
        return []
    rows = db.fetch_all(
        conn,
        """
        select source, workspace_id, rows_total, rows_done, written, queued, batches, ranges, ranges_finished, finished_at is not null
          from crmshift.backfill order by started_at, source
        """,
    )
    return [BackfillState(*row) for row in rows]


def find_workspace(conn: Connection, wanted: str) -> UUID:
    """The workspace of that id or name. Raises `UsageError` where there is none, or more than one."""
    found = db.fetch_all(conn, "select id from public.workspaces where id::text = lower(%s)", [wanted])
    found = found or db.fetch_all(conn, "select id from public.workspaces where name = %s limit 2", [wanted])
    if len(found) == 1:
        return UUID(str(found[0][0]))
    raise UsageError(
        f"There is no workspace {wanted}." if not found else f"More than one workspace is called {wanted}.",
        hint="select id, name from workspaces lists them." if not found else "Give its id.",
    )


@dataclass(frozen=True)
class _Batch:
    """A committed batch: the range it was taken from, None where all are taken, and how the whole walk stands."""

    range: int | None
    rows: int
    state: BackfillState


@dataclass(frozen=True)
class _Waiting:
    error: CrmshiftError
    pause: float


class _Crew:
    """The workers of one walk, and whoever supervises them."""

    def __init__(
        self,
        conn: Connection,
        source: str,
        workspace: UUID | None,
        most: int | None,
        progress: Progress,
        stop: StopSignal,
    ) -> None:
        self.conn = conn
        self.source = source
        self.workspace = workspace
        self.most = most
        self.events: queue.SimpleQueue[_Batch | _Waiting | BaseException] = queue.SimpleQueue()
        self.ending = threading.Event()
        self.held = False
        self.strain = 0  # how often an application was found to wait for a batch
        self._progress = progress
        self._stop = stop
        self._workers: dict[int, _Worker] = {}
        self._holds: tuple[Hold, ...] = ()
        self._missed = 0  # how often in a row the signals could not be read at all

    def supervise(self) -> BackfillState:
        """Until the walk is finished, or stopped."""
        state = self._state()
        meter = Meter(time.monotonic(), state.rows_done)
        check_at = look_at = show_at = 0.0
        while not state.finished:
            if self._stop.raised:
                self._let_end()
                state = self._state()
                if not state.finished:
                    raise Stopped(
                        f"Stopped the backfill from {self.source} after {state.rows_done} of {state.rows_total} rows.",
                        hint="Run the same command again; it goes on from there.",
                    )
                break
            now = time.monotonic()
            # Once held, a signal is released by the next check, a second later at the earliest: that is the applications' turn.
            if now >= check_at or (not self._holds and now >= look_at and governor.is_in_the_way(self.conn)):
                self._check()
                self._man(state)
                check_at = time.monotonic() + CHECK_EVERY
            look_at = now + LOOK_EVERY if now >= look_at else look_at
            state = max(self._hear(state), state, key=lambda s: s.rows_done)
            if time.monotonic() >= show_at and not state.finished:
                show_at = time.monotonic() + SHOW_EVERY
                meter.saw(time.monotonic(), state.rows_done)
                self._show(state, meter)
        self._let_end()
        state = self._state()
        meter.saw(time.monotonic(), state.rows_done)
        self._show(state, meter)
        return state

    def dismiss(self, patience: float) -> None:
        """See every worker off: their batches are let end, or broken off after so many seconds."""
        self.ending.set()
        until = time.monotonic() + patience
        for worker in self._workers.values():
            worker.join(max(0.0, until - time.monotonic()))
        for worker in self._workers.values():
            worker.break_off()

    def _state(self) -> BackfillState:
        return next(s for s in states(self.conn) if (s.source, s.workspace) == (self.source, self.workspace))

    def _check(self) -> None:
        try:
            self._holds = governor.check(self.conn)
            self._missed = 0
        except LockNotObtained as error:
            self._missed += 1
            if self._missed == 3:
                hold = Hold("signals", "all", "", None, None, None, datetime.now(UTC), f"not read: {error.message}")
                self._holds = (*self._holds, hold)
        self.held = any(h.signal != "paused" for h in self._holds)  # a pause every worker sees for itself, and sooner
        if any(h.signal == "blocked_sessions" for h in self._holds):
            self.strain += 1

    def _man(self, state: BackfillState) -> None:
        """Start the workers that are lacking. Those too many leave by themselves."""
        wanted = min(governor.control(self.conn).workers, max(1, state.ranges - state.ranges_finished))
        for number in range(wanted):
            if number not in self._workers or not self._workers[number].is_alive():
                self._workers[number] = _Worker(self, number)
                self._workers[number].start()

    def _hear(self, state: BackfillState) -> BackfillState:
        """What the workers say within a moment. Raises what stopped one."""
        with suppress(queue.Empty):
            event = self.events.get(timeout=LOOK_EVERY / 2)
            while True:
                if isinstance(event, BaseException):
                    raise event
                if isinstance(event, _Waiting):
                    self._progress.waiting(event.error, event.pause)
                elif event.state.finished or event.state.rows_done >= state.rows_done:
                    state = event.state
                event = self.events.get_nowait()
        return state

    def _show(self, state: BackfillState, meter: Meter) -> None:
        left = None if self._holds else meter.seconds_left(state.rows_total - state.rows_done)
        working = sum(worker.is_alive() for worker in self._workers.values())
        self._progress.backfill(state, Pace(meter.rate, left, working, () if state.finished else self._holds))

    def _let_end(self) -> None:
        """Wait for the batches in hand; a second signal breaks in here."""
        self.ending.set()
        while any(worker.is_alive() for worker in self._workers.values()):
            with suppress(queue.Empty):
                event = self.events.get(timeout=0.05)
                if isinstance(event, BaseException):
                    raise event


class _Worker(threading.Thread):
    """Takes batches, one after the other, until there are none left, or it is one too many."""

    def __init__(self, crew: _Crew, number: int) -> None:
        super().__init__(name=f"backfill worker {number}", daemon=True)
        self._crew = crew
        self._number = number
        self._conn: Connection | None = None

    def run(self) -> None:
        try:
            with closing(db.sibling(self._crew.conn, f"worker {self._number + 1}")) as self._conn:
                self._work(self._conn)
        except BaseException as error:
            self._crew.events.put(error)

    def break_off(self) -> None:
        """Cancel what it does, if anything."""
        if self.is_alive() and self._conn is not None and not self._conn.closed:
            with suppress(Exception):
                self._conn.cancel_safe(timeout=2.0)
            self.join(2.0)

    def _work(self, conn: Connection) -> None:
        crew = self._crew
        size, strain, at = BatchSize(), crew.strain, None
        while not crew.ending.is_set():
            control = governor.control(conn)
            if self._number >= control.workers:
                return
            if control.paused or crew.held:
                crew.ending.wait(LOOK_EVERY)
                continue
            size = size.within(min(control.batch_rows, crew.most or control.batch_rows))
            if strain != crew.strain:
                size, strain = size.after_trouble(), crew.strain
            taken = _Taking(conn, crew, size, at)
            started = time.monotonic()
            batch = taken.batch()
            if batch is None:
                return
            size, at = taken.size, batch.range
            if at is not None or batch.state.finished:
                crew.events.put(batch)
            if batch.state.finished:
                return
            if at is None:  # the others have all that is left: one of them may yet be told to leave
                crew.ending.wait(LOOK_EVERY)
                continue
            took = time.monotonic() - started
            if taken.tries == 1:
                size = size.after(batch.rows, took, control.batch_seconds)
            crew.ending.wait(control.rest * took)


class _Taking:
    """One batch, tried until it succeeds, with half the rows each time it met a lock, a deadlock or its time limit."""

    def __init__(self, conn: Connection, crew: _Crew, size: BatchSize, at: int | None) -> None:
        self.size = size
        self.tries = 0
        self._conn = conn
        self._crew = crew
        self._at = at

    def batch(self) -> _Batch | None:
        """The batch; None where the end came before it did. Raises `LockNotObtained` where rows stay locked."""
        return db.with_lock_retry(self._try, on_wait=self._smaller, sleep=self._crew.ending.wait)

    def _smaller(self, error: CrmshiftError, pause: float) -> None:
        self.size = self.size.after_trouble()
        self._crew.events.put(_Waiting(error, pause))

    def _try(self) -> _Batch | None:
        if self.tries and self._crew.ending.is_set():
            return None
        self.tries += 1
        try:
            with db.transaction(self._conn, lock_timeout=LOCK_TIMEOUT):
                self._conn.execute(
                    "select set_config('statement_timeout', %s, true)",
                    [STATEMENT_TIMEOUT if self.size.rows > 1 else "0"],
                )
                row = db.fetch_one(
                    self._conn,
                    """
                    select range, rows, source, workspace_id, rows_total, rows_done, written, queued, batches,
                           ranges, ranges_finished, finished_at is not null
                      from crmshift.backfill_batch(%s, %s, %s, %s, false)
                    """,
                    [self._crew.source, self.size.rows, self._crew.workspace, self._at],
                )
        except CrmshiftError as error:
            if error.sqlstate in ("57014", "40001"):
                raise LockNotObtained(error.message, sqlstate=error.sqlstate) from error
            raise
        assert row is not None
        return _Batch(row[0], row[1], BackfillState(*row[2:]))


class StopSignal:
    """Raised by the first ^C or SIGTERM: the batches in hand are finished. A second one stops at once."""

    def __init__(self) -> None:
        self.raised = False

    @contextmanager
    def listening(self, tell: Callable[[str], None]) -> Iterator[StopSignal]:
        """Listen while the block runs; `tell` says that the signal was heard."""

        def heard(number: int, frame: FrameType | None) -> None:
            if self.raised:
                raise KeyboardInterrupt
            self.raised = True
            tell("Stopping after the batch in hand. Once more stops at once; either way it can be resumed.")

        before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
