"""Moves history: batch after batch, each committed with its checkpoint, until the bound frozen at the start."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from crmshift import db
from crmshift.db import Connection
from crmshift.errors import Stopped
from crmshift.progress import BackfillState, Progress

LOCK_TIMEOUT = "200ms"
"""Longest wait of a batch for a lock. With the batch itself it stays below deadlock_timeout (1 s): an application that waits
for the batch, while the batch waits for it, must not be made the victim. The batch is tried again."""


def run(conn: Connection, source: str, batch_size: int, progress: Progress, stop: StopSignal) -> BackfillState:
    """Backfill from one legacy table to its bound; goes on where an earlier run ended.

    Raises `Stopped` after the batch in hand where `stop` was raised, `LockNotObtained` where rows stay locked.
    """
    started = time.monotonic()
    with db.transaction(conn):
        db.fetch_one(conn, "select * from crmshift.backfill_start(%s)", [source])

    def batch() -> BackfillState:
        with db.transaction(conn, lock_timeout=LOCK_TIMEOUT):
            row = db.fetch_one(
                conn,
                """
                select source, rows_total, rows_done, written, queued, batches, finished_at is not null
                  from crmshift.backfill_batch(%s, %s)
                """,
                [source, batch_size],
            )
        assert row is not None
        return BackfillState(*row)

    while True:
        state = db.with_lock_retry(batch, on_wait=progress.waiting)
        progress.backfill(state, time.monotonic() - started)
        if state.finished:
            return state
        if stop.raised:
            raise Stopped(
                f"Stopped the backfill from {source} after {state.rows_done} of {state.rows_total} rows.",
                hint="Run the same command again; it goes on from there.",
            )


def states(conn: Connection) -> list[BackfillState]:
    """All backfills that were begun, in that order; empty where none can have been."""
    if db.fetch_value(conn, "select to_regclass('crmshift.backfill')") is None:
        return []
    rows = db.fetch_all(
        conn,
        """
        select source, rows_total, rows_done, written, queued, batches, finished_at is not null
          from crmshift.backfill order by started_at, source
        """,
    )
    return [BackfillState(*row) for row in rows]


class StopSignal:
    """Raised by the first ^C or SIGTERM: the batch in hand is finished. A second one stops at once."""

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
