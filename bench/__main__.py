"""python -m bench [profile]: measure every case, print the table, write bench/results/ and docs/benchmarks.md."""

from __future__ import annotations

import argparse
import dataclasses
import signal
import sys
from pathlib import Path

from bench import machine, profile, report, runner
from bench.cases import cases
from bench.databases import Databases
from bench.scale import FULL, QUICK, TOY, Scale
from crmshift.embedded import EmbeddedServer


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a server and a pgbench are taken down first
    load = machine.load_average()
    scale = _scale(options)
    with EmbeddedServer.start(options.postgres, settings=machine.SETTINGS) as server:
        described = machine.describe(server, load)
        print(described, file=sys.stderr)
        if described.busy:
            print("WARNING: the machine is busy; wait, or take the figures as rough.", file=sys.stderr)
        databases = Databases(server)
        if options.what == "profile":
            print(profile.run(databases, scale))
            return 0
        chosen = [case for case in cases(databases, scale) if options.only in case.name]
        if not chosen:
            raise SystemExit(f"No case has {options.only!r} in its name.")
        outcome = runner.run(chosen, scale)
    print(report.table(outcome.results), report.absolute_table(outcome.results), sep="\n\n")
    print(report.summary(outcome.results))
    if options.against:
        print(report.side_by_side(report.load(options.against), outcome.results))
    for case, why in outcome.failed.items():
        print(f"FAILED: {case}: {why}", file=sys.stderr)
    if not options.dry:
        whole = not (options.quick or options.toy or options.only or outcome.failed)
        suffix = "" if whole else "-quick" if scale == QUICK and not options.only else "-part"
        print(f"Written: {report.write(outcome.results, described, scale, suffix)}", file=sys.stderr)
        if whole:
            rounds = f"{scale.rounds} rounds, {scale.slow_rounds} of what takes minutes"
            if scale != FULL:
                rounds += ", smaller than `make bench` is by itself"
            report.write_page(outcome.results, described, scale, rounds)
    return 1 if outcome.failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["all", "profile"], default="all",
                        help="profile: where the microseconds of one write go")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="every case at small scale, in about two minutes")
    parser.add_argument("--toy", action="store_true", help="only to see that it runs")
    parser.add_argument("--only", metavar="TEXT", default="", help="cases with this in their name")
    parser.add_argument(
        "--against", metavar="FILE", type=Path, help="show this run beside the one in bench/results/FILE"
    )
    parser.add_argument("--dry", action="store_true", help="write no file")
    parser.add_argument("--postgres", type=int, default=18)
    for field in dataclasses.fields(Scale):
        if field.name != "growing":
            parser.add_argument(f"--{field.name.replace('_', '-')}", metavar="N", type=int, help=argparse.SUPPRESS)
    parser.add_argument(
        "--growing", metavar="N,N,N", type=lambda s: tuple(int(n) for n in s.split(",")), help=argparse.SUPPRESS
    )
    parser.epilog = "Of the scale: " + ", ".join(f"--{f.name.replace('_', '-')}" for f in dataclasses.fields(Scale))
    return parser.parse_args()


def _scale(options: argparse.Namespace) -> Scale:
    scale = TOY if options.toy else QUICK if options.quick else FULL
    given = {
        f.name: getattr(options, f.name) for f in dataclasses.fields(Scale) if getattr(options, f.name) is not None
    }
    return dataclasses.replace(scale, **given)


if __name__ == "__main__":
    sys.exit(main())
