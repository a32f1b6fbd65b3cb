"""Runs pgbench, and reads from its log how long each transaction took."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from bench.case import BenchFailed
from crmshift.embedded import EmbeddedServer

SCRIPTS = Path(__file__).parent / "scripts"


@dataclass(frozen=True)
class Script:
    """A file under scripts/, and how often it is chosen."""

    name: str
    weight: int = 1

    @property
    def path(self) -> Path:
        return SCRIPTS / f"{self.name}.sql"


@dataclass(frozen=True)
class Transaction:
    """One line of the log: which script, when it ended (seconds since 1970), how long it took. At a given rate the time
    counts from when it should have begun, as a user would count."""

    script: str
    ended: float
    ms: float


@dataclass(frozen=True)
class Run:
    """What pgbench did."""

    tps: float
    transactions: tuple[Transaction, ...]

    def milliseconds(self, scripts: Sequence[str] | None = None) -> list[float]:
        """How long transactions took: all, or those of some scripts."""
        return [t.ms for t in self.transactions if scripts is None or t.script in scripts]


def durability(durable: bool) -> dict[str, str]:
    """The environment of a libpq program whose commits wait for the disk, or do not."""
    return {"PGOPTIONS": f"-c synchronous_commit={'on' if durable else 'off'}"}


@dataclass(frozen=True)
class Load:
    """What is to be run: these scripts on this database, by so many clients, as fast as it goes or at a rate."""

    server: EmbeddedServer
    dsn: str
    scripts: Sequence[Script]
    variables: Mapping[str, int]
    clients: int = 1
    rate: float | None = None
    durable: bool = True

    def run(self, *, transactions: int | None = None, seconds: int | None = None) -> Run:
        """So many transactions of each client, or so many seconds. Raises `BenchFailed` where a statement failed."""
        how_long = f"--transactions={transactions}" if transactions else f"--time={seconds}"
        with self._started(how_long) as (process, folder):
            output, errors = process.communicate()
            if process.returncode or "number of failed transactions: 0 " not in output:
                raise self._failed(output + errors)
            found = re.search(r"tps = ([\d.]+)", output)
            assert found is not None, output
            return Run(float(found[1]), _read(folder, self.scripts))

    @contextmanager
    def beside(self) -> Iterator[list[Transaction]]:
        """While the block runs. What was done is in the list afterwards; the very last of it may be missing."""
        done: list[Transaction] = []
        with self._started("--time=86400") as (process, folder):
            yield done
            if process.poll() is not None:
                raise self._failed("it ended by itself")
            process.terminate()
            _, errors = process.communicate()
            if "aborted" in errors:
                raise self._failed(errors)
            done += _read(folder, self.scripts)

    @contextmanager
    def _started(self, how_long: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
        command = [str(self.server.bin_dir / "pgbench"), "--no-vacuum", "--protocol=prepared", "--log", how_long]
        command += [f"--client={self.clients}", f"--jobs={min(self.clients, os.cpu_count() or 1)}"]
        command += [f"--rate={self.rate}"] if self.rate else []
        command += [f"--define={name}={number}" for name, number in self.variables.items()]
        command += [f"--file={script.path}@{script.weight}" for script in self.scripts]
        # Beside the data, so that whatever becomes of us it goes with them.
        with tempfile.TemporaryDirectory(prefix="pgbench-", dir=self.server.data_dir.parent) as folder:
            process = subprocess.Popen(
                [*command, f"--log-prefix={folder}/log", self.dsn],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | durability(self.durable),
            )
            try:
                yield process, Path(folder)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()

    def _failed(self, why: str) -> BenchFailed:
        return BenchFailed(f"pgbench failed on {', '.join(s.name for s in self.scripts)}:\n{why}")


def usual(values: Sequence[float]) -> float:
    """The mean without the slowest twentieth: those that others on the machine held up."""
    if not values:
        raise BenchFailed("There is nothing to take a mean of: the run was too short.")
    return fmean(sorted(values)[: max(1, len(values) * 19 // 20)])


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all does not exceed."""
    if not values:
        raise BenchFailed("There is nothing to take a percentile of: the run was too short.")
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _read(folder: Path, scripts: Sequence[Script]) -> tuple[Transaction, ...]:
    """Lines are: client, number, microseconds, script, second, microsecond of it, at a given rate also the lag."""
    transactions = []
    for log in folder.iterdir():
        for line in log.read_text().splitlines():
            fields = line.split()
            if len(fields) < 6:  # cut off, where pgbench was stopped
                continue
            ended = int(fields[4]) + int(fields[5]) / 1e6
            transactions.append(Transaction(scripts[int(fields[3])].name, ended, int(fields[2]) / 1000))
    return tuple(transactions)
