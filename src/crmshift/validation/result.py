"""What a validation says, as everything that shows, stores or gates on it takes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

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
    """What was looked at. since: number of the stored validation whose later writes alone are checked; sample: percent of the keys."""

    workspace: UUID | None = None
    since: int | None = None
    sample: float | None = None


@dataclass(frozen=True)
class Validation:
    """One run. number: under which it is stored, None where it is not; plan: fingerprint; ledger: its last entry then."""

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
        """Whether it passes: something was checked, rows agree to `fail_under` percent, and no other error was found."""
        return bool(self.checks) and self.accurate and all(self.outcome(c) is not Outcome.FAILED for c in self.checks)
