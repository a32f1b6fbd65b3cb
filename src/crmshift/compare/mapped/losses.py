"""What is lost or narrowed between legacy and the target, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from crmshift.compare.mapped.types import Verdict
from crmshift.compare.mapped.ways import Way
from crmshift.compare.model import Identity


class Aspect(StrEnum):
    """What of a column or table is lost or narrowed."""

    COLUMN = "column"
    TYPE = "type"
    VOCABULARY = "vocabulary"
    NOT_NULL = "not null"
    DEFAULT = "default"
    UNIQUE = "unique"
    FOREIGN_KEY = "foreign key"
    CHECK = "check"
    INDEX = "index"
    ROW_LEVEL_SECURITY = "row-level security"
    POLICY = "policy"
    GRANT = "grant"


class Count(StrEnum):
    """What a profile counts."""

    FILLED = "values that go nowhere"
    LONGER = "longer values"
    UNKNOWN = "values outside the vocabulary"
    UNFIT = "values that do not fit"
    NULLS = "NULLs"
    REFUSED = "rows that the check refuses"
    DUPLICATES = "duplicates"
    ORPHANS = "orphans"


@dataclass(frozen=True)
class Counting:
    """How rows that are concerned are counted: in a table of legacy, or in what a mapping makes of it.

    columns: of the table; or keys, of the mapping's output. limit: for LONGER. labels: for UNKNOWN. type, of: for UNFIT, the
    target's type and that of legacy. condition: for REFUSED the check, for DUPLICATES the predicate. nulls_equal: for DUPLICATES.
    refers_to: for ORPHANS, table and columns.
    """

    what: Count
    table: str
    columns: tuple[str, ...] = ()
    mapping: str | None = None
    limit: int | None = None
    labels: tuple[str, ...] = ()
    type: str = ""
    of: str = ""
    condition: str = ""
    alias: str = ""
    nulls_equal: bool = False
    refers_to: tuple[str, tuple[str, ...]] | None = None


@dataclass(frozen=True)
class Counted:
    """What a profile found. rows: that are concerned; None where they could not be counted, and `why_not` says why.

    of: rows looked at. longest: of the values' lengths.
    """

    rows: int | None
    of: int | None = None
    longest: int | None = None
    why_not: str | None = None


@dataclass(frozen=True)
class Loss:
    """One thing that is lost or narrowed.

    table, columns, name: of legacy; or, of a rule that only the target has, the legacy columns it is about and the rule's name.
    target: the table, or table and column, of the target. offer: SQL that makes the counterpart, tried; empty where there is
    none, and `no_offer` says why where that is worth a word. needs: what that SQL builds on besides the tables.
    """

    aspect: Aspect
    verdict: Verdict
    table: str
    what: str
    columns: tuple[str, ...] = ()
    name: str | None = None
    target: str | None = None
    offer: tuple[str, ...] = ()
    no_offer: str | None = None
    needs: frozenset[Identity] = frozenset()
    counting: Counting | None = None
    counted: Counted | None = None


@dataclass(frozen=True)
class LegacyColumn:
    """A column of legacy, its type, and its ways. to_types: of the target's columns, by `table.column`."""

    name: str
    type: str
    ways: tuple[Way, ...]
    to_types: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LegacyTable:
    """A table of legacy, the tables its rows go to, its columns in order, and what is lost or narrowed. notes: what is worth knowing besides."""

    name: str
    targets: tuple[str, ...]
    columns: tuple[LegacyColumn, ...]
    losses: tuple[Loss, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """Legacy against the target, through the mapping. target: where the target was read. profiled: whether rows were read."""

    legacy: str
    target: str
    version: int
    tables: tuple[LegacyTable, ...]
    profiled: bool = False

    @property
    def losses(self) -> tuple[Loss, ...]:
        return tuple(loss for table in self.tables for loss in table.losses)

    @property
    def nothing_lost(self) -> bool:
        return not self.losses
