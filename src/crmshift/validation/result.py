"""What a validation says, as everything that shows, stores or gates on it takes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

ROWS_COMPARED = "rows_compared"
"""The check that knows whether there should have been rows to compare."""

SAMPLE = 20
"""Findings of a check that are kept; all are counted."""


class Severity(StrEnum):
    """An error fails the validation, a warning is only shown."""

    ERROR = "error"
    WARNING = "warning"


class Outcome(StrEnum):
    """What a check means for the verdict.

    Only a failed one is against it. A warning is one that found something and is no error; tolerated are rows that differ
    where fewer than all must agree, and enough of them do.
    """

    PASSED = "passed"
    WARNING = "warning"
    TOLERATED = "tolerated"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """One thing that a check found. `detail` names no values of customers.

    kind: missing, extra or differs, where rows are compared; columns: those of the target that differ. values: by column what
    the mapping expects and what is there, only where the operator asked for it.
    """

    subject: str
    key: dict[str, object] | None
    detail: str
    kind: str | None = None
    columns: tuple[str, ...] = ()
    workspace: UUID | None = None
    values: dict[str, tuple[object, object]] | None = None


@dataclass(frozen=True)
class Check:
    """A check and its outcome.

    `findings` are the first ones, `count` is how many there are; by_kind and by_workspace split the count where rows are
    compared. entity: the entity whose rows it compares, None for any other check.
    """

    name: str
    title: str
    remedy: str
    severity: Severity
    entity: str | None
    count: int
    findings: tuple[Finding, ...]
    by_kind: dict[str, int]
    by_workspace: dict[UUID | None, int]
    seconds: float

    @property
    def passed(self) -> bool:
        return self.count == 0


@dataclass(frozen=True)
class Accuracy:
    """Rows of one entity that agree, over all there are on either side."""

    entity: str
    rows: int
    agreeing: int

    @property
    def percent(self) -> float:
        """100 where there are no rows: none of them disagrees."""
        return 100.0 if self.rows == 0 else 100.0 * self.agreeing / self.rows


@dataclass(frozen=True)
class Scope:
    """What was looked at.

    since: number of the stored validation whose later writes alone are compared. sample: percent of the keys. standby_lag:
    seconds the standby that was read was behind, None where it was the primary.
    """

    workspace: UUID | None = None
    since: int | None = None
    sample: float | None = None
    standby_lag: float | None = None

    @property
    def complete(self) -> bool:
        """Whether all was looked at. Only that opens a gate."""
        return self.workspace is None and self.since is None and self.sample is None

    def chance_to_miss(self, rows: int) -> float:
        """How probable it is that none of so many drifting rows was looked at: each key is drawn by itself."""
        return 0.0 if self.sample is None else (1 - self.sample / 100) ** rows


@dataclass(frozen=True)
class Validation:
    """One run.

    number: under which it is stored, None where it is not; plan: fingerprint; ledger: its last entry then. compared: rows of
    which every column was compared; outstanding: rows that differ and stand in the sync queue, which is no drift.
    """

    number: int | None
    at: datetime
    database: str
    server: str
    scope: Scope
    checks: tuple[Check, ...]
    accuracies: tuple[Accuracy, ...]
    fail_under: float
    plan: str | None
    ledger: int | None
    seconds: float
    compared: int = 0
    outstanding: int = 0

    @property
    def drifted(self) -> int:
        """Rows that differ from their mapping."""
        return sum(c.count for c in self.checks if c.entity is not None)

    @property
    def coverage(self) -> tuple[str, ...]:
        """What the answer does not cover, in sentences; empty where it covers everything, now."""
        said = []
        rows = self.accuracy.rows
        if self.scope.since is not None:
            said.append(
                f"Columns were compared in the {self.compared:,} of {rows:,} rows that were written since validation "
                f"{self.scope.since}, on either side, or hang on such a row; the others agreed then. "
                "Keys were compared in all: rows missing or extra are found, deleted ones too."
            )
        if self.scope.sample is not None:
            chances = ", ".join(
                f"{n} {'row' if n == 1 else 'rows'}: {100 * self.scope.chance_to_miss(n):.2g}%"
                for n in (1, 10, 100, 1000)
            )
            said.append(
                f"A sample of {self.scope.sample:g}% of the keys, {self.compared:,} rows of about "
                f"{self.compared * 100 / self.scope.sample:,.0f}. The chance that it missed drift of {chances}."
            )
        if self.scope.standby_lag is not None:
            said.append(f"Read on a standby that was {self.scope.standby_lag:.1f} s behind.")
        return tuple(said)

    @property
    def accuracy(self) -> Accuracy:
        """Over all entities."""
        return Accuracy("total", sum(a.rows for a in self.accuracies), sum(a.agreeing for a in self.accuracies))

    def outcome(self, check: Check) -> Outcome:
        """What one of its checks means for the verdict."""
        if check.passed:
            return Outcome.PASSED
        if check.severity is Severity.WARNING:
            return Outcome.WARNING
        if check.entity is not None and self.fail_under < 100 and self.accurate:
            return Outcome.TOLERATED
        return Outcome.FAILED

    @property
    def accurate(self) -> bool:
        """Whether as many rows agree as must."""
        return self.accuracy.percent >= self.fail_under

    @property
    def clean(self) -> bool:
        """Whether it passes: rows were compared, agree to `fail_under` percent, and no other error was found."""
        compared = self.accuracy.rows > 0 or self.empty
        return compared and self.accurate and all(self.outcome(c) is not Outcome.FAILED for c in self.checks)

    @property
    def empty(self) -> bool:
        """Whether all was looked at, there was no row, and the check of that says there never was."""
        looked = any(c.name == ROWS_COMPARED and c.passed for c in self.checks)
        return self.accuracy.rows == 0 and self.scope.complete and looked
