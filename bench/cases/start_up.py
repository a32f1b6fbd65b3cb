"""How long the program takes to say what it can do."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

from bench.case import Case, Sample, ratio

COMMANDS = {"typer": ("-c", "import typer"), "crmshift": ("-m", "crmshift", "--help")}
TIMES = 5


def cases() -> list[Case]:
    """`crmshift --help`, against importing the library it is made with."""
    return [Case("crmshift --help / python -c 'import typer'", "s", _sample, (ratio("crmshift", "typer", 1.3),))]


def _sample(number: int) -> Sample:
    took: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(TIMES):
        for name, arguments in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            took[name].append(time.perf_counter() - started)
    return {name: median(seconds) for name, seconds in took.items()}
