"""Samples every case in turn, round after round."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from bench.case import BenchFailed, Case, Result, Sample
from bench.scale import Scale


@dataclass(frozen=True)
class Outcome:
    """The results, and why cases have none."""

    results: tuple[Result, ...]
    failed: dict[str, str]


def run(cases: Sequence[Case], scale: Scale) -> Outcome:
    """All rounds. A case that fails is left out from then on, and said to have failed; the others go on."""
    samples: dict[str, list[Sample]] = {case.name: [] for case in cases}
    failed: dict[str, str] = {}
    for number in range(1, max(scale.rounds, scale.slow_rounds) + 1):
        for case in cases:
            last = scale.slow_rounds if case.slow else scale.rounds
            if case.name in failed or number > last:
                continue
            started = time.monotonic()
            try:
                samples[case.name].append(case.sample(number))
                if number in (1, last):
                    case.verify()
                told = f"{time.monotonic() - started:.0f} s"
            except (BenchFailed, psycopg.Error) as failure:
                failed[case.name] = str(failure)
                told = f"FAILED: {failure}"
            print(f"round {number}: {case.name}: {told}", file=sys.stderr, flush=True)
    results = tuple(Result.of(case, samples[case.name]) for case in cases if case.name not in failed)
    return Outcome(results, failed)
