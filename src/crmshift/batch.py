"""How many rows a batch takes, and how fast that goes. Numbers only: no connection, no clock."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace

FIRST = 100
"""Rows of a first batch: at the slowest rates seen it takes well under the target, and at the quickest, growing by a fifth each
time, ten thousand rows are reached within twenty-six batches that together take a second or two."""

GROWTH = 1.2
MOST_FOR_REPAIR = 10_000


@dataclass(frozen=True)
class BatchSize:
    """Rows of the next batch."""

    rows: int = FIRST

    def within(self, most: int) -> BatchSize:
        """The same, but no more than `most`."""
        return replace(self, rows=max(1, min(self.rows, most)))

    def after(self, walked: int, seconds: float, target: float) -> BatchSize:
        """After a batch that took `seconds`: a fifth more at most, and no more than its rate lets fit into the target.

        One that ran out of rows says how fast it was, but is no reason to grow.
        """
        if walked == 0:
            return self
        fitting = walked * target / seconds if seconds > 0 else math.inf
        wanted = max(self.rows * GROWTH, self.rows + 1) if walked >= self.rows else self.rows
        return replace(self, rows=max(1, math.floor(min(wanted, fitting))))

    def after_trouble(self) -> BatchSize:
        """After a timeout or deadlock, or where an application waited for a batch: half."""
        return replace(self, rows=max(1, self.rows // 2))


class Meter:
    """Rows a second over the last `WINDOW` seconds, so that an hour's pause does not spoil the estimate."""

    WINDOW = 30.0

    def __init__(self, now: float, rows: int) -> None:
        self._seen: deque[tuple[float, int]] = deque([(now, rows)])

    def saw(self, now: float, rows: int) -> None:
        """So many rows are done by now."""
        self._seen.append((now, rows))
        while len(self._seen) > 2 and now - self._seen[1][0] >= self.WINDOW:
            self._seen.popleft()

    @property
    def rate(self) -> float:
        """Rows a second; 0 as long as that cannot be told."""
        (began, first), (ended, last) = self._seen[0], self._seen[-1]
        return (last - first) / (ended - began) if ended > began else 0.0

    def seconds_left(self, rows: int) -> float | None:
        """How long so many rows will take; None where nothing moves."""
        return max(rows, 0) / self.rate if self.rate > 0 else None
