"""What a case is: how it is sampled, and which figures made of a sample count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

Sample = Mapping[str, float]
"""One measurement of each variant, all of the same round."""


class BenchFailed(Exception):
    """The measured work was not done, or not done right: there is no figure to print."""


@dataclass(frozen=True)
class Figure:
    """One number made of a sample, and what it is to reach.

    at_least: the target is the least, not the most. unit: empty for a ratio. printed: shown without a target.
    """

    name: str
    of: Callable[[Sample], float]
    target: float | None = None
    at_least: bool = False
    unit: str = ""


@dataclass(frozen=True)
class Case:
    """One kind of work.

    sample: measures every variant once, in `unit`; it is told the number of the round. verify: called after the first and the last
    round; raises `BenchFailed` where what was measured was not done, unless `sample` did so already. slow: sampled in fewer rounds.
    """

    name: str
    unit: str
    sample: Callable[[int], Sample]
    figures: tuple[Figure, ...]
    slow: bool = False
    verify: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Measured:
    """A figure over all rounds."""

    name: str
    unit: str
    median: float
    lowest: float
    highest: float
    target: float | None
    at_least: bool

    @property
    def met(self) -> bool | None:
        """Whether the median reaches the target; None where there is none."""
        if self.target is None:
            return None
        return self.median >= self.target if self.at_least else self.median <= self.target


@dataclass(frozen=True)
class Result:
    """All samples of a case, and what they come to."""

    case: str
    unit: str
    samples: tuple[Sample, ...]
    figures: tuple[Measured, ...]

    @classmethod
    def of(cls, case: Case, samples: list[Sample]) -> Result:
        """Medians of the figures of each round, not figures of the medians: the machine changes between rounds."""
        figures = []
        for figure in case.figures:
            values = [figure.of(sample) for sample in samples]
            figures.append(
                Measured(
                    figure.name, figure.unit, median(values), min(values), max(values), figure.target, figure.at_least
                )
            )
        return cls(case.name, case.unit, tuple(samples), tuple(figures))

    @property
    def medians(self) -> dict[str, float]:
        """The median of each variant, over the rounds that have it."""
        names = dict.fromkeys(name for sample in self.samples for name in sample)
        return {name: median(s[name] for s in self.samples if name in s) for name in names}


def ratio(above: str, below: str, target: float | None = None, *, at_least: bool = False) -> Figure:
    """One variant over another."""
    return Figure(f"{above} / {below}", lambda sample: sample[above] / sample[below], target, at_least)


def difference(name: str, more: str, less: str, unit: str) -> Figure:
    """How much one variant has more than another; printed, without a target."""
    return Figure(name, lambda sample: sample[more] - sample[less], unit=unit)


def value(variant: str, unit: str, target: float | None = None) -> Figure:
    """A variant by itself."""
    return Figure(variant, lambda sample: sample[variant], target, unit=unit)


def turned(variants: tuple[str, ...], number: int) -> tuple[str, ...]:
    """The variants in another order in each round, so that none is always the first."""
    first = number % len(variants)
    return variants[first:] + variants[:first]
