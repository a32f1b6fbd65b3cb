"""Runs crmshift as an operator does, as a process of its own; how long it took, and the most memory it held."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from bench.case import BenchFailed
from bench.pgbench import durability

WATCHED_EVERY = 0.02


@dataclass(frozen=True)
class Finished:
    """A command that ended well. peak: bytes resident, at most, of the process and its children."""

    seconds: float
    peak: int


@contextmanager
def running(*arguments: str, dsn: str, durable: bool = True) -> Iterator[subprocess.Popen[bytes]]:
    """A crmshift that works beside us; it does not outlive the block. Raises `BenchFailed` where it ended badly."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "crmshift", *arguments, "--dsn", dsn],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env=os.environ | durability(durable),
        )
        try:
            yield process
            process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode:
            said.seek(0)
            raise BenchFailed(
                f"crmshift {' '.join(arguments)} ended with {process.returncode}:\n{said.read().decode()}"
            )


def crmshift(*arguments: str, dsn: str, durable: bool = True) -> Finished:
    """Run crmshift to its end."""
    started = time.perf_counter()
    peak = 0
    with running(*arguments, dsn=dsn, durable=durable) as process:
        while process.poll() is None:
            peak = max(peak, _resident(process.pid))
            time.sleep(WATCHED_EVERY)
        seconds = time.perf_counter() - started
    return Finished(seconds, peak)


def _resident(pid: int) -> int:
    """Of the process as it is now. (The kernel's own maximum would count what it inherited from us.)"""
    total = 0
    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.Error:
        return 0
    return total
