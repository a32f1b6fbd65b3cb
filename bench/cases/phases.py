"""What an application feels while the phases change: its longest statement, and its errors."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg

from bench.agreement import require_settled
from bench.case import BenchFailed, Case, Figure, Sample
from bench.command import crmshift
from bench.databases import Databases, Template, connect
from bench.scale import Scale

CHANGES = (
    ("sync-layer", ("apply", "--to", "sync-layer", "--yes")),
    ("parallel-operation", ("apply", "--to", "parallel-operation", "--yes")),
    ("back to legacy", ("rollback", "--to", "legacy", "--yes")),
)
LONGEST = 2050.0  # lock_timeout, and what a statement takes by itself
WRITERS = 2
PAUSE = 0.002
HELD, FREE = 2.5, 1.5  # seconds that a slow transaction keeps the table, and that it is away

STATEMENTS = (
    "update public.contacts set lead_status = 'Stage ' || %(x)s::int, updated_at = clock_timestamp() where id = md5(%(n)s::text)::uuid",
    "insert into public.appointments (contact_id, apptdate, status) values (md5(%(n)s::text)::uuid, now(), 'set')",
    "update public.contact_custom_fields set value = %(x)s::text where contact_id = md5(%(n)s::text)::uuid",
    "select * from public.contacts where id = md5(%(n)s::text)::uuid",
)


@dataclass
class Felt:
    """What the application has felt since the last change. Statements are timed by those who execute them."""

    longest: float = 0.0
    statements: int = 0
    errors: list[str] = field(default_factory=list)


def cases(databases: Databases, scale: Scale) -> list[Case]:
    """All phases forward and back, under two writers; and the same with transactions that hold their rows for a while."""
    figures = (
        Figure("longest wait", lambda s: max(s[f"ms {phase}"] for phase, _ in CHANGES), LONGEST, unit="ms"),
        Figure("errors", lambda s: s["errors"], 0.0, unit=""),
    )
    return [
        Case(
            "application's statements during every phase change", "", _changes(databases, scale, False), figures, True
        ),
        Case(
            f"the same, with transactions beside that take {HELD} s",
            "",
            _changes(databases, scale, True),
            figures,
            True,
        ),
    ]


def _changes(databases: Databases, scale: Scale, slow: bool) -> Callable[[int], Sample]:
    def sample(number: int) -> Sample:
        name = "phases"
        dsn = databases.clone(Template(scale.changing, True, "legacy"), name)
        found: dict[str, float] = {}
        errors: list[str] = []
        statements = 0
        for phase, arguments in CHANGES:
            with _application(dsn, scale.changing, slow) as felt:
                crmshift(*arguments, dsn=dsn)
            if phase == "parallel-operation":
                require_settled(dsn)
            found[f"ms {phase}"] = felt.longest * 1000
            errors += felt.errors
            statements += felt.statements
        databases.drop(name)
        if statements < 100:
            raise BenchFailed(f"The application executed {statements} statements only.")
        for error in sorted(set(errors)):
            print(f"  the application got: {error}", flush=True)
        return found | {"statements": float(statements), "errors": float(len(errors))}

    return sample


@contextmanager
def _application(dsn: str, contacts: int, slow: bool) -> Iterator[Felt]:
    """Threads that write, until the block ends."""
    felt = Felt()
    stopping = threading.Event()
    broken: list[BaseException] = []

    def guarded(work: Callable[[random.Random], None], seed: int) -> None:
        try:
            work(random.Random(seed))
        except BaseException as error:
            broken.append(error)

    def write(rng: random.Random) -> None:
        with connect(dsn) as conn:
            while not stopping.is_set():
                statement = rng.choice(STATEMENTS)
                given = {"n": rng.randint(1, contacts), "x": rng.randint(1, 8)}
                started = time.perf_counter()
                try:
                    conn.execute(statement, given)
                except psycopg.Error as error:
                    felt.errors.append(f"{error.sqlstate} {error.diag.message_primary}")
                felt.longest = max(felt.longest, time.perf_counter() - started)
                felt.statements += 1
                stopping.wait(PAUSE)

    def hold(rng: random.Random) -> None:
        with connect(dsn) as conn:
            while not stopping.is_set():
                with suppress(psycopg.errors.UndefinedTable), conn.transaction():
                    # Rows that no writer takes: these wait for tables here, not for each other's rows.
                    conn.execute("update public.workspaces set name = name where id = md5('w1')::uuid")
                    conn.execute(
                        "insert into public.contacts (workspace_id, lead_status) values (md5('w1')::uuid, 'held')"
                    )
                    stopping.wait(HELD)
                stopping.wait(FREE)

    workers = [write] * WRITERS + ([hold] if slow else [])
    threads = [threading.Thread(target=guarded, args=(work, seed), daemon=True) for seed, work in enumerate(workers)]
    for thread in threads:
        thread.start()
    try:
        yield felt
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    if broken:
        raise BenchFailed(f"The application fell over: {broken[0]!r}")
