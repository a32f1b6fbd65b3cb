"""A CRM at work: nine page reads to one write, as fast as it goes; and at half that rate while history moves."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import LiteralString

from bench.agreement import require_settled
from bench.case import Case, Figure, Sample, difference, turned
from bench.command import crmshift
from bench.databases import UNTHROTTLED, Databases, Template, calm, connect, without_sync
from bench.machine import cores
from bench.pgbench import Load, Run, Script, percentile
from bench.scale import Scale

READS = (Script("pages/board", 300), Script("pages/contact", 450), Script("pages/search", 150))
WRITES = (
    Script("pages/write_status", 40),
    Script("pages/write_address", 20),
    Script("pages/write_field", 20),
    Script("pages/write_appointment", 10),
    Script("pages/write_contact", 10),
)
CLIENTS = 2 * cores()
WARM_UP = 2  # seconds


class Mix:
    """The mix on one server."""

    def __init__(self, databases: Databases, scale: Scale) -> None:
        self.databases = databases
        self.scale = scale

    def load(self, dsn: str, *, durable: bool = True, rate: float | None = None) -> Load:
        """The mix on a database, saturated or at a rate."""
        variables = {"contacts": self.scale.contacts}
        return Load(self.databases.server, dsn, [*READS, *WRITES], variables, CLIENTS, rate, durable)

    @cached_property
    def dsns(self) -> dict[str, str]:
        template = Template(self.scale.contacts, True, "parallel-operation")
        dsns = {variant: self.databases.clone(template, f"pages_{variant}") for variant in ("none", "crmshift")}
        without_sync(dsns["none"])
        for dsn in dsns.values():
            self.load(dsn, durable=False).run(seconds=self.scale.seconds)  # to warm the caches
        return dsns


def cases(databases: Databases, scale: Scale) -> list[Case]:
    """The mix with sync and without, and the mix while an unthrottled backfill runs."""
    mix = Mix(databases, scale)

    def verify() -> None:
        require_settled(mix.dsns["crmshift"])

    found = []
    for durable in (True, False):
        how = "durable" if durable else "processor-bound"
        found.append(
            Case(
                f"CRM pages, 90 % reads, saturated, {how}",
                "",
                _saturated(mix, durable),
                _WITH_AND_WITHOUT,
                verify=verify,
            )
        )
    for how, steer in (("an unthrottled", UNTHROTTLED), ("a governed", GOVERNED)):
        found.append(
            Case(
                f"CRM pages at half that rate while {how} backfill runs",
                "",
                _beside_a_backfill(mix, steer),
                _BESIDE,
                slow=True,
            )
        )
    return found


GOVERNED = (
    "update crmshift.backfill_control set batch_seconds = 0.03, rest = 3, throttle_query ="
    " $$select count(*) from pg_stat_activity where application_name = 'pgbench' and state = 'active'"
    " and clock_timestamp() - query_start > interval '20 ms'$$"
)
"""Short batches, a quarter of the time, and none while a page has been waited for longer than an operator may like."""


_WITH_AND_WITHOUT = (
    Figure("tps with sync / without", lambda s: s["tps with"] / s["tps without"], 0.95, at_least=True),
    difference("added to a write's p95", "ms write p95 with", "ms write p95 without", "ms"),
    difference("added to a read's p95", "ms read p95 with", "ms read p95 without", "ms"),
)
_BESIDE = (
    Figure("p95 during / before", lambda s: s["ms p95 during"] / s["ms p95 before"]),
    difference("added to p95", "ms p95 during", "ms p95 before", "ms"),
    Figure("longest", lambda s: s["ms longest"], unit="ms"),
)


def _saturated(mix: Mix, durable: bool) -> Callable[[int], Sample]:
    def sample(number: int) -> Sample:
        runs: dict[str, Run] = {}
        for variant in turned(("none", "crmshift"), number):
            calm(mix.dsns[variant])
            runs[variant] = mix.load(mix.dsns[variant], durable=durable).run(seconds=mix.scale.seconds)
        found = {}
        for variant, how in (("none", "without"), ("crmshift", "with")):
            found[f"tps {how}"] = runs[variant].tps
            found[f"ms write p95 {how}"] = percentile(runs[variant].milliseconds([s.name for s in WRITES]), 0.95)
            found[f"ms read p95 {how}"] = percentile(runs[variant].milliseconds([s.name for s in READS]), 0.95)
        return found

    return sample


def _beside_a_backfill(mix: Mix, steer: LiteralString) -> Callable[[int], Sample]:
    def sample(number: int) -> Sample:
        name = "pages_backfill"
        dsn = mix.databases.clone(Template(mix.scale.contacts, True, "sync-layer"), name)
        mix.load(dsn).run(seconds=WARM_UP)
        rate = mix.load(dsn).run(seconds=mix.scale.seconds).tps / 2
        with connect(dsn) as conn:
            conn.execute(steer)
        calm(dsn)
        with mix.load(dsn, rate=rate).beside() as done:
            time.sleep(WARM_UP)
            quiet_from = time.time()
            time.sleep(mix.scale.seconds)
            started = time.time()
            crmshift("backfill", "run", dsn=dsn)
            ended = time.time()
        queued = require_settled(dsn)
        mix.databases.drop(name)
        before = [t.ms for t in done if quiet_from <= t.ended < started]
        during = [t.ms for t in done if started <= t.ended <= ended]
        return {
            "tps": rate,
            "s backfill": ended - started,
            "ms p95 before": percentile(before, 0.95),
            "ms p95 during": percentile(during, 0.95),
            "ms longest": max(during),
            "keys queued": float(queued),
        }

    return sample
