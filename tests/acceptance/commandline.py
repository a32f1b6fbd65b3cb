"""Runs `crmshift` as a person would: a process of its own, judged by its exit status and what it prints."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
TIMEOUT = 120.0

# What would make a program that writes into a pipe believe it has a terminal, or find a database nobody meant.
_NOT_INHERITED = (
    *("CRMSHIFT_", "PG", "DATABASE_URL"),
    *("FORCE_COLOR", "CLICOLOR", "PY_COLORS", "GITHUB_ACTIONS", "NO_COLOR", "COLUMNS", "TERMINAL_WIDTH"),
)


@dataclass(frozen=True)
class Answer:
    """How a command ended."""

    command: tuple[str, ...]
    status: int
    out: str
    err: str
    seconds: float

    def __str__(self) -> str:
        said = f"crmshift {' '.join(self.command)}: exit {self.status} after {self.seconds:.1f} s"
        return f"{said}\n--- stdout\n{self.out[-4000:]}\n--- stderr\n{self.err[-4000:]}"

    @property
    def document(self) -> Any:
        """Standard output, which is one JSON document and nothing else."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The `error:` line, without the word. There must be exactly one."""
        lines = [line.removeprefix("error: ") for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, self
        return lines[0]

    @property
    def hint(self) -> str:
        """The `hint:` line, without the word; empty where there is none."""
        lines = [line.removeprefix("hint:").strip() for line in self.err.splitlines() if line.startswith("hint:")]
        assert len(lines) <= 1, self
        return "".join(lines)


def environment(dsn: str | None = None, **more: str) -> dict[str, str]:
    """The environment of a command: ours, without what would change its manners, and with a DSN."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_INHERITED)}
    given = {} if dsn is None else {"CRMSHIFT_DSN": dsn}
    return {**inherited, **given, **more}


def start(*command: str, dsn: str | None = None, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Starts a command and does not wait for it."""
    return subprocess.Popen(
        [sys.executable, "-m", "crmshift", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment(dsn, **(env or {})),
        # a job in the background of a script ignores ^C, and so would this one
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def crmshift(
    *command: str, dsn: str | None = None, env: Mapping[str, str] | None = None, timeout: float = TIMEOUT
) -> Answer:
    """Runs a command to its end, with nobody at the keyboard."""
    began = time.monotonic()
    process = start(*command, dsn=dsn, env=env)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"still running after {timeout} s: crmshift {' '.join(command)}\n{out}\n{err}") from None
    return Answer(command, process.returncode, out, err, time.monotonic() - began)


def must(status: int, *command: str, dsn: str | None = None, timeout: float = TIMEOUT) -> Answer:
    """Runs a command that is to end with this status, and never with a traceback."""
    answer = crmshift(*command, dsn=dsn, timeout=timeout)
    assert answer.status == status, f"expected exit {status}\n{answer}"
    assert "Traceback" not in answer.err, answer
    return answer
