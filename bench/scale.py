"""How large, how long and how often: everything that --quick makes small."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Numbers of contacts for the cases, and how much is measured.

    contacts: in the databases of writes and pages. bulk: rows of the one large UPDATE. history: contacts to backfill, and
    customers of the lead operations. growing: contacts of the backfills that must be linear. changing: contacts of the
    database that goes through all phases. transactions: of one sample of single-row writes. seconds: of one sample of the
    page mix. rounds: of quick cases. slow_rounds: of those that take minutes.
    """

    contacts: int
    bulk: int
    history: int
    growing: tuple[int, ...]
    changing: int
    transactions: int
    seconds: int
    rounds: int
    slow_rounds: int


FULL = Scale(
    contacts=200_000,
    bulk=50_000,
    history=1_000_000,
    growing=(100_000, 500_000, 2_000_000),
    changing=100_000,
    transactions=5_000,
    seconds=15,
    rounds=5,
    slow_rounds=3,
)
QUICK = Scale(
    contacts=10_000,
    bulk=5_000,
    history=20_000,
    growing=(10_000, 20_000, 60_000),
    changing=5_000,
    transactions=500,
    seconds=2,
    rounds=3,
    slow_rounds=1,
)
TOY = Scale(
    contacts=500,
    bulk=200,
    history=1_000,
    growing=(500, 1_000),
    changing=500,
    transactions=50,
    seconds=1,
    rounds=1,
    slow_rounds=1,
)
