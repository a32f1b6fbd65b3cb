"""Validation: every column of every row, against the least that any comparison has to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.agreement import require_synced
from bench.case import BenchFailed, Case, Figure, Sample, ratio, value
from bench.command import crmshift
from bench.databases import Databases, Template, calm, connect, text, timed
from bench.scale import Scale
from crmshift import db
from crmshift.validation import compare_rows
from crmshift.validation.reader import Reader

MEGABYTE = 1024 * 1024


def cases(databases: Databases, scale: Scale) -> list[Case]:
    """One mapping against one join; and the whole command, all checks, against a join for each pair of tables."""

    def sample(number: int) -> Sample:
        dsn = databases.server.dsn(databases.template(Template(scale.history, True, "parallel-operation")))
        calm(dsn)
        with connect(dsn) as conn:
            for join in ("peers/hash_join", "peers/hash_joins_all"):
                row = conn.execute(text(join)).fetchone()
                if row is None or any(row):
                    raise BenchFailed(f"{join} finds differences: {row}")
        took = {
            "one join": timed(dsn, text("peers/hash_join")),
            "customers compared": _customers(dsn, scale.history),
            "all joins": timed(dsn, text("peers/hash_joins_all")),
        }
        with _snapshots(dsn) as longest:
            whole = crmshift("validate", dsn=dsn)  # ends with 1 where anything is found
        took["crmshift validate"] = whole.seconds
        took["longest snapshot"] = max(longest)
        took["crmshift validate --workers 2"] = crmshift("validate", "--workers", "2", dsn=dsn).seconds
        took["crmshift validate --since last"] = crmshift("validate", "--since", "last", dsn=dsn).seconds
        took["crmshift validate --sample 1"] = crmshift("validate", "--sample", "1", dsn=dsn).seconds
        took["memory of the driver"] = whole.peak / MEGABYTE
        if number == 1:
            require_synced(dsn)
        return took

    figures: tuple[Figure, ...] = (
        ratio("customers compared", "one join", 1.5),
        ratio("crmshift validate", "all joins"),
        ratio("crmshift validate --since last", "crmshift validate"),
        value("memory of the driver", "MB"),
        value("longest snapshot", "s"),
    )
    return [Case(f"validate {scale.history:,} contacts with fields and appointments", "s", sample, figures, slow=True)]


@contextmanager
def _snapshots(dsn: str) -> Iterator[list[float]]:
    """How long the snapshots of crmshift are held meanwhile, in seconds, as looked at every 50 ms."""
    seen = [0.0]
    enough = threading.Event()

    def watch() -> None:
        with connect(dsn) as conn:
            while not enough.wait(0.05):
                row = conn.execute(
                    """
                    select max(extract(epoch from clock_timestamp() - query_start))::float8 from pg_stat_activity
                     where datname = current_database() and application_name like 'crmshift/%' and backend_xmin is not null
                    """
                ).fetchone()
                if row and row[0] is not None:
                    seen.append(float(str(row[0])))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        enough.set()
        watcher.join()


def _customers(dsn: str, contacts: int) -> float:
    """Seconds that one mapping takes as validate compares it: in ranges, each in a snapshot of its own."""
    conn = db.connect(dsn, "bench")
    try:
        started = time.perf_counter()
        found = compare_rows.run(Reader(conn), "customers", compare_rows.Selection(), [])
        took = time.perf_counter() - started
    finally:
        conn.close()
    if (found.rows, found.compared, found.drifted) != (contacts, contacts, 0):
        raise BenchFailed(f"Of {contacts} customers were compared: {found}")
    return took
