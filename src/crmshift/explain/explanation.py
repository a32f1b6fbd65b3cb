"""What is said of a row, as those who show it take it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from crmshift.conflicts import Conflict
from crmshift.mapping import Made
from crmshift.repair import commands


class Verdict(StrEnum):
    """What is to be said of a column, or of a row."""

    SAME = "same"
    AGREES = "agrees"
    DIFFERS = "differs"
    MISSING = "missing"
    EXTRA = "extra"
    UNMAPPED = "only here"
    WAITS = "waits in the queue"
    CONFLICT = "conflict is open"
    NONE = "neither side"

    @property
    def well(self) -> bool:
        return self in (Verdict.SAME, Verdict.AGREES, Verdict.UNMAPPED, Verdict.NONE)


@dataclass(frozen=True)
class Shown:
    """What is said of a value: its looks; and the value itself, where it was asked for."""

    looks: str
    value: Any


@dataclass(frozen=True)
class Column:
    """A column of a mapped table. made: how its view makes it, None where the mapping does not speak of it. lost: conflicts in
    which it lost a value."""

    name: str
    verdict: Verdict
    expected: Shown
    found: Shown
    made: Made | None
    lost: tuple[int, ...]


@dataclass(frozen=True)
class Writer:
    """Who wrote a row last, as far as that can be known. says: what the row's own columns tell of it."""

    transaction: str
    committed_at: datetime | None
    origin: str | None
    says: dict[str, str]


@dataclass(frozen=True)
class Row:
    """A row of a mapped table beside what the view of its mapping expects."""

    mapping: str
    direction: str
    table: str
    view: str
    made_from: tuple[str, ...]
    key: dict[str, Any]
    verdict: Verdict
    columns: tuple[Column, ...]
    writer: Writer | None


@dataclass(frozen=True)
class Hanging:
    """A row that hangs on the one, by a mapping. columns: those that differ."""

    mapping: str
    key: dict[str, Any]
    verdict: Verdict
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Beyond:
    """What legacy has no place for: a row of the target, or one value of it."""

    table: str
    key: dict[str, Any]
    column: str | None
    what: str


@dataclass(frozen=True)
class Queued:
    """An entry of the sync queue. whole: it is about all rows of the table. message: only where values are shown."""

    id: int
    whole: bool
    side: str
    op: str
    reason: str
    at: datetime
    sqlstate: str | None
    constraint: str | None
    table: str | None
    column: str | None
    columns: tuple[str, ...]
    attempts: int
    retry_at: datetime | None
    message: str | None


@dataclass(frozen=True)
class Archived:
    """A row in the archive. row: only where values are shown."""

    id: int
    table: str
    key: dict[str, Any]
    reason: str
    at: datetime
    row: dict[str, Any] | None


@dataclass(frozen=True)
class Explanation:
    """All that is known of a row. A subject is a row of legacy and all that is made of it: what was asked for is part of one.

    unspoken: the table that was asked for has the row, but its mapping does not speak of it: legacy has no place for it.
    last_word: the side a repair takes to be right, None while applications move over.
    hanging_count: how many rows hang on it; `hanging` are the first. times_kept: whether the server keeps when transactions commit.
    losing: what lost in which conflict, only where values are shown.
    """

    asked: str
    table: str
    unspoken: bool
    subject: str
    key: dict[str, Any]
    backfilled: bool
    last_word: str | None
    paused: bool
    times_kept: bool
    rows: tuple[Row, ...]
    hanging: tuple[Hanging, ...]
    hanging_count: int
    beyond: tuple[Beyond, ...]
    queue: tuple[Queued, ...]
    conflicts: tuple[Conflict, ...]
    losing: dict[int, dict[str, list[Any]]]
    archive: tuple[Archived, ...]

    @property
    def found(self) -> bool:
        """Whether either side, the queue, a log or the archive knows it."""
        there = any(r.verdict is not Verdict.NONE for r in self.rows)
        return there or self.unspoken or bool(self.queue or self.conflicts or self.archive)

    @property
    def agrees(self) -> bool:
        """Whether both sides agree about it and all that hangs on it, and nothing waits."""
        return (
            not self.queue
            and all(r.verdict.well for r in self.rows)
            and all(h.verdict.well for h in self.hanging)
            and all(c.winner is not None for c in self.conflicts)
        )

    @property
    def next_steps(self) -> tuple[str, ...]:
        """What to type next."""
        undecided = [c for c in self.conflicts if c.winner is None and c.decision is None]
        verdicts = {r.verdict for r in self.rows} | {h.verdict for h in self.hanging}
        if undecided:
            return (f"crmshift conflicts show {undecided[0].id}",)
        if self.paused and (self.queue or Verdict.WAITS in verdicts):
            return ("crmshift sync resume",)
        if self.queue or Verdict.WAITS in verdicts:
            return ("crmshift sync status", "crmshift sync drain")
        if not all(v.well for v in verdicts):
            return commands(self.last_word) if self.backfilled else ("crmshift apply --to parallel-operation",)
        return ()
