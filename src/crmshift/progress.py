"""What the long-running parts tell whoever watches. `cli.terminal` shows it; the tests listen quietly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from crmshift.errors import CrmshiftError
    from crmshift.steps import Step


@dataclass(frozen=True)
class BackfillState:
    """How far a backfill has come. rows: of the source, frozen at the start; written: the rest was there already."""

    source: str
    rows_total: int
    rows_done: int
    written: int
    queued: int
    batches: int
    finished: bool


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

    def backfill(self, state: BackfillState, seconds: float) -> None:
        """A batch was committed; `seconds` since this run of the backfill began."""

    def note(self, text: str) -> None:
        """Anything else worth a line."""
