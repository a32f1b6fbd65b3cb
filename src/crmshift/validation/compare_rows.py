"""Compares every row of a mapping, by ranges of keys, each in a statement of its own. Keeps a few findings and counts the rest."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.types.json import Jsonb

from crmshift import db
from crmshift.db import Connection
from crmshift.errors import CrmshiftError
from crmshift.steps import RANGE_ROWS
from crmshift.validation.reader import CANCELLED_BY_RECOVERY, Reader
from crmshift.validation.result import SAMPLE, Finding

SECONDS = 5.0
"""How long a statement, and with it a snapshot, is meant to last. Most of what a view joins is read anew by each, so few long ones are cheaper."""

FIRST = 10
"""Ranges in the first statement of a worker."""

GROWTH = 4
"""How many times as many the next one takes at most."""


@dataclass(frozen=True)
class Selection:
    """Which keys are compared. horizon: rows written by transactions from this one on; None for all. seed: of the sample."""

    workspace: UUID | None = None
    sample: float | None = None
    seed: int = 0
    horizon: str | None = None


@dataclass(frozen=True)
class Compared:
    """What came of a mapping: rows there are, rows whose columns were compared, those that drift, and those that wait in the queue."""

    rows: int
    compared: int
    drifted: int
    outstanding: int
    findings: tuple[Finding, ...]
    by_kind: dict[str, int]
    by_workspace: dict[UUID | None, int]


class _Ranges:
    """The ranges of one mapping, taken by workers, and what they found in them."""

    def __init__(self, reader: Reader, mapping: str, selection: Selection) -> None:
        self.mapping = mapping
        self.selection = selection
        query = "select after, up_to from crmshift.key_ranges(%s, %s)"
        self._bounds = reader.fetch_all(query, [mapping, RANGE_ROWS])
        self._next = 0
        self._counts: Counter[str] = Counter()
        self._by_kind: Counter[str] = Counter()
        self._by_workspace: Counter[UUID | None] = Counter()
        self._findings: list[tuple[int, int, Finding]] = []
        self._lock = threading.Lock()

    def take(self, size: int) -> range:
        """The next ranges, by number; none where all are taken."""
        with self._lock:
            taken = range(self._next, min(self._next + size, len(self._bounds)))
            self._next = taken.stop
            return taken

    def compare(self, taken: range, conn: Connection) -> None:
        """Compare these ranges in one statement."""
        row = db.fetch_one(
            conn,
            """
            select rows, compared, drifted, outstanding, by_kind, by_workspace, findings
              from crmshift.compare_rows(%s, %s, %s, %s, %s, %s, %s::text::xid8, %s)
            """,
            [
                self.mapping,
                self.selection.workspace,
                _json(self._bounds[taken.start][0]),
                _json(self._bounds[taken.stop - 1][1]),
                self.selection.sample,
                self.selection.seed,
                self.selection.horizon,
                SAMPLE,
            ],
        )
        assert row is not None
        with self._lock:
            self._counts.update(rows=row[0], compared=row[1], drifted=row[2], outstanding=row[3])
            self._by_kind.update(row[4])
            self._by_workspace.update({UUID(w) if w else None: n for w, n in row[5].items()})
            found = [(taken.start, place, self._finding(f)) for place, f in enumerate(row[6])]
            self._findings = sorted(self._findings + found, key=lambda f: f[:2])[:SAMPLE]

    def compared(self) -> Compared:
        """All that was found."""
        return Compared(
            rows=self._counts["rows"],
            compared=self._counts["compared"],
            drifted=self._counts["drifted"],
            outstanding=self._counts["outstanding"],
            findings=tuple(finding for *_, finding in self._findings),
            by_kind=dict(self._by_kind),
            by_workspace=dict(self._by_workspace),
        )

    def _finding(self, found: dict[str, Any]) -> Finding:
        columns = tuple(found["columns"] or ())
        return Finding(
            subject=self.mapping,
            key=found["key"],
            detail=f"{found['kind']}: {', '.join(columns)}" if columns else found["kind"],
            kind=found["kind"],
            columns=columns,
            workspace=UUID(found["workspace"]) if found["workspace"] else None,
        )


def run(reader: Reader, mapping: str, selection: Selection, workers: Sequence[Reader]) -> Compared:
    """Compare all keys of a mapping that are selected, by this reader and the workers."""
    ranges = _Ranges(reader, mapping, selection)
    if not workers:
        _work(reader, ranges, threading.Event())
        return ranges.compared()
    ending = threading.Event()
    with ThreadPoolExecutor(len(workers) + 1, "validate") as pool:
        jobs = [pool.submit(_work, worker, ranges, ending) for worker in (reader, *workers)]
        try:
            for job in jobs:
                job.result()
        except BaseException:
            ending.set()
            for worker in (reader, *workers):
                with suppress(Exception):
                    worker.cancel()
            raise
    return ranges.compared()


def _work(reader: Reader, ranges: _Ranges, ending: threading.Event) -> None:
    """Take ranges while there are any: as many at a time as take `SECONDS`, fewer where a standby would not have it."""
    size = FIRST
    try:
        while not ending.is_set() and (taken := ranges.take(size)):
            left = deque([taken])
            while left and not ending.is_set():
                part = left.popleft()
                started = time.monotonic()
                try:
                    if len(part) == 1:
                        reader.undisturbed(partial(ranges.compare, part))
                    else:
                        ranges.compare(part, reader.conn)
                    took = time.monotonic() - started
                    size = max(1, min(GROWTH * size, int(len(part) * SECONDS / max(took, 0.001))))
                except CrmshiftError as error:
                    if error.sqlstate != CANCELLED_BY_RECOVERY or len(part) == 1:
                        raise
                    middle = part.start + len(part) // 2
                    left.extendleft((range(middle, part.stop), range(part.start, middle)))
                    size = 1
    except BaseException:
        ending.set()
        raise


def with_values(finding: Finding, conn: Connection) -> Finding:
    """The same with what the mapping expects, and what is there, in the columns that differ; in all where a row is not there."""
    query = sql.SQL("select expected, found from crmshift.{}(%s)").format(sql.Identifier(f"verdict_{finding.subject}"))
    with db.translated():
        row = conn.execute(query, [Jsonb([finding.key])]).fetchone()
    if row is None:  # gone meanwhile, from both sides
        return finding
    expected, found = row[0] or {}, row[1] or {}
    columns = finding.columns or tuple(expected or found)
    return replace(finding, values={c: (expected.get(c), found.get(c)) for c in columns})


def _json(key: dict[str, Any] | None) -> Jsonb | None:
    return None if key is None else Jsonb(key)
