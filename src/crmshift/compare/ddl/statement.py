"""Statements, and what they cost whom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from crmshift.compare.model import Identity


class Danger(StrEnum):
    """In which way a statement can hurt."""

    DATA_LOSS = "data loss"
    REWRITE = "rewrite"
    LONG_SCAN = "long scan"
    LOCK = "lock"
    MAY_FAIL = "may fail"


@dataclass(frozen=True)
class Hazard:
    """A danger, and in a sentence what it is here."""

    danger: Danger
    text: str

    def __str__(self) -> str:
        return f"{self.danger}: {self.text}"


@dataclass(frozen=True)
class Statement:
    """One statement, without a semicolon. transactional: it can run inside a transaction, and should."""

    sql: str
    about: Identity
    hazards: tuple[Hazard, ...] = ()
    transactional: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "sql", self.sql.strip())

    @property
    def destructive(self) -> bool:
        """Whether data may be gone after it."""
        return any(h.danger is Danger.DATA_LOSS for h in self.hazards)


class CannotBeMade(Exception):
    """No statement makes this; says why."""


def loses(text: str) -> Hazard:
    return Hazard(Danger.DATA_LOSS, text)


def rewrites(table: str) -> Hazard:
    return Hazard(
        Danger.REWRITE, f"{table} is written anew, with its indexes; nobody reads or writes it until that is done"
    )


def scans(table: str, blocking: str = "") -> Hazard:
    return Hazard(Danger.LONG_SCAN, f"every row of {table} is read" + (f" while {blocking}" if blocking else ""))


def locks(*tables: str, reads: bool = True) -> Hazard:
    """A short lock: it waits for statements under way, and others wait behind it."""
    return Hazard(Danger.LOCK, f"{'reads and writes' if reads else 'writes'} of {' and '.join(tables)} wait for it")


def may_fail(text: str) -> Hazard:
    return Hazard(Danger.MAY_FAIL, text)


def of_new(fresh: bool, hazards: Iterable[Hazard]) -> tuple[Hazard, ...]:
    """Hazards, but for what nobody uses yet."""
    return () if fresh else tuple(hazards)
