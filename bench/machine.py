"""What the figures were made on."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from bench.databases import connect
from crmshift.embedded import EmbeddedServer

SETTINGS = {
    "shared_buffers": f"{max(psutil.virtual_memory().total // 2**30 // 4, 1)}GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
}
"""A quarter of the memory, as PostgreSQL's manual has it, and room enough that no checkpoint falls into a measurement. All else is
PostgreSQL's default: fsync is on, autovacuum too."""

SHOWN = (*SETTINGS, "fsync", "synchronous_commit", "full_page_writes", "wal_level", "work_mem", "autovacuum", "jit")


@dataclass(frozen=True)
class Machine:
    """Hardware, system, server, and how busy all of it was when the run began."""

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    postgres: str
    settings: dict[str, str]
    flush_ms: float
    load: float

    @property
    def busy(self) -> bool:
        """Whether others were at work: the figures then say more about them."""
        return self.load > 0.25 * self.cores

    def __str__(self) -> str:
        settings = ", ".join(f"{name} = {setting}" for name, setting in self.settings.items())
        return (
            f"{self.processor}, {self.cores} cores, {self.memory_gb:.0f} GB, {self.system}, Python {self.python}, PostgreSQL "
            f"{self.postgres} ({settings}); one flush to disk {self.flush_ms:.2f} ms; load average at the start {self.load:.2f}"
        )


def describe(server: EmbeddedServer, load: float) -> Machine:
    """This machine, and this server on it."""
    with connect(server.dsn()) as conn:
        settings = {}
        for name in SHOWN:
            row = conn.execute("select current_setting(%s)", [name]).fetchone()
            settings[name] = str(row[0]) if row else ""
        version = conn.info.parameter_status("server_version") or ""
    return Machine(
        processor=_processor(),
        cores=cores(),
        memory_gb=psutil.virtual_memory().total / 2**30,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        postgres=version,
        settings=settings,
        flush_ms=_flush(server.data_dir.parent),
        load=load,
    )


def cores() -> int:
    """Cores that may be used."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_average() -> float:
    """Processes that ran or wanted to, over the last minute."""
    return os.getloadavg()[0]


def commit() -> str:
    """The commit that is checked out, with a + where crmshift's files differ from it; unknown outside of a repository."""

    def git(*arguments: str) -> str:
        here = Path(__file__).parent
        return subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + (
            "+" if git("status", "--porcelain", "--", "../src", "../sql", "../plans") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _processor() -> str:
    """Its name, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _flush(folder: Path) -> float:
    """Milliseconds that a page takes to reach the disk: what a durable commit waits for."""
    path = folder / "flush"
    took = []
    try:
        with path.open("wb") as file:
            for _ in range(50):
                started = time.perf_counter()
                file.write(b"\0" * 8192)
                file.flush()
                os.fsync(file.fileno())
                took.append((time.perf_counter() - started) * 1000)
    finally:
        path.unlink(missing_ok=True)
    return median(took)
