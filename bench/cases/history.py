"""Backfill: against the same rows in one statement for each table, and as the history grows."""

from __future__ import annotations

from collections.abc import Callable

from bench.agreement import require_filled, require_staged, require_synced
from bench.case import Case, Figure, Sample, ratio, turned
from bench.command import Finished, crmshift
from bench.databases import UNTHROTTLED, Databases, Template, calm, connect, text, timed, without_sync
from bench.scale import Scale

VARIANTS = ("raw", "pgroll", "crmshift")


def cases(databases: Databases, scale: Scale) -> list[Case]:
    """Contacts that become customers and leads, with keys, foreign keys and indexes."""
    found = []
    for durable in (True, False):
        how = "durable" if durable else "processor-bound"
        found.append(
            Case(
                f"backfill of {scale.history:,} contacts, one worker, {how}",
                "s",
                _against_raw(databases, scale.history, durable),
                (ratio("crmshift", "raw", 1.3), ratio("pgroll", "raw")),
                slow=True,
            )
        )
    sizes = scale.growing
    found.append(
        Case(
            f"backfill of {', '.join(f'{size:,}' for size in sizes)} contacts",
            "",
            _growing(databases, sizes),
            (
                Figure("time of the last contact / of the first", lambda s: _last(s, sizes) / _first(s, sizes), 1.1),
                Figure("driver's memory, most / least", lambda s: _memory(s, sizes), 1.1),
            ),
            slow=True,
        )
    )
    return found


def _against_raw(databases: Databases, contacts: int, durable: bool) -> Callable[[int], Sample]:
    def raw() -> float:
        dsn = databases.clone(Template(contacts, False, "sync-layer"), "history_raw")
        without_sync(dsn)
        calm(dsn)
        seconds = timed(dsn, text("peers/raw_insert"), durable=durable)
        require_filled(dsn)
        return seconds

    def pgroll() -> float:
        dsn = databases.clone(Template(contacts, False, "legacy"), "history_pgroll")
        with connect(dsn) as conn:
            conn.execute(text("peers/pgroll"))
        calm(dsn)
        seconds = timed(dsn, "call public.bench_stage_backfill(1000)", durable=durable)
        require_staged(dsn)
        return seconds

    def sample(number: int) -> Sample:
        took = {}
        for variant in turned(VARIANTS, number):
            if variant == "crmshift":
                took[variant] = _backfill(databases, contacts, durable).seconds
            else:
                took[variant] = raw() if variant == "raw" else pgroll()
            databases.drop(f"history_{variant}")
        return {variant: took[variant] for variant in VARIANTS}

    return sample


def _growing(databases: Databases, sizes: tuple[int, ...]) -> Callable[[int], Sample]:
    def sample(number: int) -> Sample:
        found = {}
        for size in sizes:
            done = _backfill(databases, size, durable=True)
            databases.drop("history_crmshift")
            found[f"s for {size:,}"] = done.seconds
            found[f"MB for {size:,}"] = done.peak / 2**20
        return found

    return sample


def _backfill(databases: Databases, contacts: int, durable: bool) -> Finished:
    """Backfill into empty tables, unthrottled, and see that all is there."""
    dsn = databases.clone(Template(contacts, False, "sync-layer"), "history_crmshift")
    with connect(dsn) as conn:
        conn.execute(UNTHROTTLED)
    calm(dsn)
    done = crmshift("backfill", "run", dsn=dsn, durable=durable)
    require_synced(dsn)
    require_filled(dsn)
    return done


def _seconds(sample: Sample, size: int) -> float:
    return sample[f"s for {size:,}"]


def _first(sample: Sample, sizes: tuple[int, ...]) -> float:
    """Seconds a contact, from the smallest history to the next: the start of the program counts for neither."""
    return (_seconds(sample, sizes[1]) - _seconds(sample, sizes[0])) / (sizes[1] - sizes[0])


def _last(sample: Sample, sizes: tuple[int, ...]) -> float:
    return (_seconds(sample, sizes[-1]) - _seconds(sample, sizes[-2])) / (sizes[-1] - sizes[-2])


def _memory(sample: Sample, sizes: tuple[int, ...]) -> float:
    peaks = [sample[f"MB for {size:,}"] for size in sizes]
    return max(peaks) / min(peaks)
