"""Validation: every column of every row, against the least that any comparison has to do."""

from __future__ import annotations

from bench.agreement import require_synced
from bench.case import BenchFailed, Case, Figure, Sample, ratio
from bench.command import crmshift
from bench.databases import Databases, Template, calm, connect, text, timed
from bench.scale import Scale


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
            "drift of customers": timed(dsn, "select count(*) from crmshift.drift('customers')"),
            "all joins": timed(dsn, text("peers/hash_joins_all")),
            "crmshift validate": crmshift("validate", dsn=dsn).seconds,  # ends with 1 where anything is found
        }
        if number == 1:
            require_synced(dsn)
        return took

    figures: tuple[Figure, ...] = (
        ratio("drift of customers", "one join", 1.5),
        ratio("crmshift validate", "all joins"),
    )
    return [Case(f"validate {scale.history:,} contacts with fields and appointments", "s", sample, figures, slow=True)]
