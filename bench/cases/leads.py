"""Lead operations on a large database: the functions for them, and plain writes of the lead-centric tables."""

from __future__ import annotations

from functools import cache

from bench.agreement import require_synced
from bench.case import Case, Figure, Sample
from bench.databases import Databases, Template, calm
from bench.pgbench import Load, Run, Script, percentile
from bench.scale import Scale

OPERATIONS = tuple(
    Script(f"leads/{name}")
    for name in (
        "create_customer",
        "change_customer",
        "create_lead",
        "change_lead",
        "set_primary_lead",
        "delete_lead",
        "set_appointment",
        "set_customer_field",
        "direct_lead",
        "direct_customer",
    )
)


def cases(databases: Databases, scale: Scale) -> list[Case]:
    """All operations mixed, one after the other: how long each takes in the database, and its commit."""

    @cache
    def dsn() -> str:
        clone = databases.clone(Template(scale.history, True, "parallel-operation"), "leads")
        run(clone)  # to warm the caches
        return clone

    def run(on: str) -> Run:
        load = Load(databases.server, on, OPERATIONS, {"contacts": scale.history})
        return load.run(transactions=scale.transactions * 2)

    def sample(number: int) -> Sample:
        calm(dsn())
        done = run(dsn())
        require_synced(dsn())
        return {s.name.removeprefix("leads/"): percentile(done.milliseconds([s.name]), 0.95) for s in OPERATIONS}

    slowest = Figure("p95 of the slowest", lambda s: max(s.values()), 10.0, unit="ms")
    return [Case(f"lead operations at {scale.history:,} customers, p95", "ms", sample, (slowest,), slow=True)]
