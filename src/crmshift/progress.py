"""What the long-running parts tell whoever watches. `cli.terminal` shows it; the tests listen quietly."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Self
from uuid import UUID

if TYPE_CHECKING:
    from crmshift.errors import CrmshiftError
    from crmshift.steps import Step


@dataclass(frozen=True)
class BackfillState:
    """How far a backfill has come. rows: of the source, frozen at the start; written: the rest was there already.

    workspace: the only one it is about; None: all.
    """

    source: str
    workspace: UUID | None
    rows_total: int
    rows_done: int
    written: int
    queued: int
    batches: int
    ranges: int
    ranges_finished: int
    finished: bool


@dataclass(frozen=True)
class Hold:
    """What keeps a backfill from going on: a signal, its reading, from where it pauses and where it goes on; or `paused`.

    why: what the operator said, or why the signal cannot be read.
    """

    signal: str
    measures: str
    unit: str
    reading: float | None
    pauses_at: float | None
    resumes_at: float | None
    since: datetime
    why: str | None


@dataclass(frozen=True)
class Pace:
    """How fast a backfill goes: rows a second of late, seconds to the end at that rate, batches at a time, and what holds it."""

    rate: float
    seconds_left: float | None
    workers: int
    holds: tuple[Hold, ...] = ()


class Progress:
    """Hears of everything and says nothing; subclasses show it. A context: what is drawn is cleared away at its end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing more will come."""

    def step_started(self, step: Step, action: str) -> None:
        """A step begins; `action` is apply or undo."""

    def step_finished(self, step: Step, action: str, seconds: float) -> None:
        """It is done, and committed."""

    def waiting(self, error: CrmshiftError, pause: float) -> None:
        """A lock was not to be had; another try after `pause` seconds."""

    def backfill(self, state: BackfillState, pace: Pace) -> None:
        """How a backfill stands: after every batch, and twice a second where there is none."""

    def note(self, text: str) -> None:
        """Anything else worth a line."""
