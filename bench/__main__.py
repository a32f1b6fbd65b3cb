"""python -m bench [--quick]: run every case interleaved, print the table, write bench/results/ and docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.cases import Case, cases
from bench.databases import create
from crmshift.embedded import EmbeddedServer

ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="small and short, to see that it runs; numbers are not written"
    )
    parser.add_argument("--contacts", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--postgres", type=int, default=18)
    options = parser.parse_args()
    contacts = options.contacts or (20_000 if options.quick else 200_000)
    rounds = options.rounds or (3 if options.quick else 7)
    settings = {"shared_buffers": "512MB", "max_wal_size": "4GB", "checkpoint_timeout": "30min"}
    with EmbeddedServer.start(options.postgres, settings=settings) as server:
        databases = create(server, contacts)
        todo = cases(server, databases, transactions=500 if options.quick else 4000)
        samples: dict[str, list[dict[str, float]]] = {case.name: [] for case in todo}
        for number in range(1, rounds + 1):
            for case in todo:
                samples[case.name].append(case.sample())
            print(f"round {number} of {rounds}", flush=True)
    rows = [_row(case, samples[case.name]) for case in todo]
    table = _table(rows)
    print(table)
    if not options.quick:
        machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, PostgreSQL {options.postgres}, {contacts:,} contacts, {rounds} rounds"
        _write(machine, rows, samples, table)


def _row(case: Case, samples: list[dict[str, float]]) -> dict[str, object]:
    above, below = case.ratio
    ratios = sorted(s[above] / s[below] for s in samples)
    return {
        "case": case.name,
        "medians": {v: median(s[v] for s in samples) for v in samples[0]},
        "unit": case.unit,
        "ratio": median(ratios),
        "spread": [ratios[0], ratios[-1]],
        "target": case.target,
    }


def _table(rows: list[dict[str, object]]) -> str:
    lines = ["| case | medians | ratio (spread) | target |", "|---|---|---|---|"]
    for row in rows:
        medians, spread = row["medians"], row["spread"]
        assert isinstance(medians, dict) and isinstance(spread, list)
        shown = ", ".join(f"{name} {value:.3f} {row['unit']}" for name, value in medians.items())
        target = f"≤ {row['target']}" if row["target"] else ""
        lines.append(
            f"| {row['case']} | {shown} | **{row['ratio']:.2f}** ({spread[0]:.2f} to {spread[1]:.2f}) | {target} |"
        )
    return "\n".join(lines)


def _write(machine: str, rows: list[dict[str, object]], samples: dict[str, list[dict[str, float]]], table: str) -> None:
    results = ROOT / "bench" / "results"
    results.mkdir(exist_ok=True)
    today = datetime.now(UTC).date().isoformat()
    document = {"date": today, "machine": machine, "rows": rows, "samples": samples}
    (results / f"{today}.json").write_text(json.dumps(document, indent=1) + "\n")
    (ROOT / "docs" / "benchmarks.md").write_text(
        "# Benchmarks\n\n"
        "Made by `make bench`: every case in turn, round after round, medians of the ratios within a round. Absolute times are this\n"
        "machine's; the ratios are what counts. *row trigger* is what most people write by hand: one trigger for each row, without handler,\n"
        f"queue or way back (`bench/peers/row_trigger.sql`). *none* is the same database without any sync. Where a ratio stands above its\n"
        f"target, the target is not met yet.\n\n{machine}, {today}.\n\n{table}\n"
    )


if __name__ == "__main__":
    main()
