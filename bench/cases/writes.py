"""Writes on contacts: one row, one row's unmapped column, many rows; beside other ways to sync, and none."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from bench.agreement import require_filled, require_none, require_staged, require_synced
from bench.case import Case, Figure, Sample, ratio, turned
from bench.databases import Databases, Template, calm, connect, text, timed, without_sync
from bench.pgbench import Load, Script, usual
from bench.scale import Scale

WRITTEN = "contacts, customers, leads"
SLICES = 5
COMPILING = 20  # transactions at the start of a session that compile functions and make plans
VARIANTS = ("none", "row_trigger", "pgroll", "crmshift")


class Variants:
    """The same migrated database four times: without triggers, with those of either peer, with crmshift's."""

    def __init__(self, databases: Databases, contacts: int) -> None:
        self.server = databases.server
        self._databases = databases
        self._template = Template(contacts, True, "parallel-operation")

    @cached_property
    def dsns(self) -> dict[str, str]:
        dsns = {v: self._databases.clone(self._template, f"writes_{v}") for v in VARIANTS}
        for variant, dsn in dsns.items():
            if variant != "crmshift":
                without_sync(dsn)
            with connect(dsn) as conn:
                conn.execute("alter table public.contacts add column unmapped integer not null default 0")
                if variant in ("row_trigger", "pgroll"):
                    conn.execute(text(f"peers/{variant}"))
                if variant == "pgroll":
                    conn.execute("call public.bench_stage_backfill(5000)")
                # Whatever was done to it: it begins as compact as the others.
                conn.execute("vacuum (full, analyze) public.contacts")
        return dsns

    def verify(self) -> None:
        """Raises where the other side has not followed."""
        require_synced(self.dsns["crmshift"])
        require_filled(self.dsns["row_trigger"])
        require_staged(self.dsns["pgroll"])


AGAINST_PEERS = (
    ratio("crmshift", "row_trigger", 1.0),
    ratio("crmshift", "none"),
    ratio("row_trigger", "none"),
    ratio("pgroll", "none"),
)
UNMAPPED = (ratio("crmshift", "none", 1.1), ratio("row_trigger", "none"), ratio("pgroll", "none"))
MANY = (ratio("crmshift", "none", 2.5), ratio("row_trigger", "none"), ratio("pgroll", "none"))


def cases(databases: Databases, scale: Scale) -> list[Case]:
    """One row with a lead's fact, one with a customer's, one with neither, and many rows at once."""
    variants = Variants(databases, scale.contacts)

    def case(what: str, unit: str, sample: Callable[[int], Sample], figures: tuple[Figure, ...]) -> Case:
        return Case(what, unit, sample, figures, verify=variants.verify)

    found = []
    for durable in (True, False):
        how = "durable" if durable else "processor-bound"
        for script, what, figures in (
            ("status", "single-row write of a status", AGAINST_PEERS),
            ("address", "single-row write of an address", AGAINST_PEERS),
            ("unmapped", "update of an unmapped column", UNMAPPED),
        ):
            found.append(case(f"{what}, {how}", "ms", _single_row(variants, scale, script, durable), figures))
        found.append(case(f"UPDATE of {scale.bulk:,} rows, {how}", "s", _many_rows(variants, scale, durable), MANY))
    return found


def _single_row(variants: Variants, scale: Scale, script: str, durable: bool) -> Callable[[int], Sample]:
    def sample(number: int) -> Sample:
        ms: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
        for variant in VARIANTS:
            calm(variants.dsns[variant], WRITTEN)
        for turn in range(SLICES):  # short ones by turns, for others come and go on the machine
            for variant in turned(VARIANTS, number + turn):
                dsn = variants.dsns[variant]
                load = Load(variants.server, dsn, [Script(script)], {"contacts": scale.contacts}, durable=durable)
                run = load.run(transactions=COMPILING + scale.transactions // SLICES)
                ms[variant] += run.milliseconds()[COMPILING:]
        return {variant: usual(ms[variant]) for variant in VARIANTS}

    return sample


def _many_rows(variants: Variants, scale: Scale, durable: bool) -> Callable[[int], Sample]:
    def sample(number: int) -> Sample:
        took = {}
        for variant in turned(VARIANTS, number):
            dsn = variants.dsns[variant]
            calm(dsn, WRITTEN)
            with connect(dsn) as conn:
                row = conn.execute(
                    "select id, clock_timestamp()::text from public.contacts order by id offset %s limit 1",
                    [scale.bulk - 1],
                ).fetchone()
            assert row is not None
            last, town = row
            took[variant] = timed(
                dsn,
                f"update public.contacts set city = 'Town {town}', updated_at = clock_timestamp() where id <= '{last}'",
                durable=durable,
            )
            require_none(
                dsn,
                "rows that were not updated",
                f"select count(*) - {scale.bulk} from public.contacts where city = 'Town {town}'",
            )
        return {variant: took[variant] for variant in VARIANTS}

    return sample
