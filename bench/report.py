"""The table of figures, the file of a run, and two runs side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.case import Measured, Result
from bench.machine import Machine, commit
from bench.scale import Scale

ROOT = Path(__file__).parent.parent
FORMAT_VERSION = 2


def table(results: Sequence[Result]) -> str:
    """One line for each figure."""
    lines = ["| work | figure | median (spread) | target | met |", "|---|---|---|---|---|"]
    for result in results:
        for i, figure in enumerate(result.figures):
            target = _target(figure.target, figure.at_least, figure.unit)
            met = {True: "yes", False: "**no**", None: ""}[figure.met]
            spread = f"({_shown(figure.lowest)} to {_shown(figure.highest)})"
            unit = f" {figure.unit}" if figure.unit else ""
            work = "" if i else result.case
            lines.append(f"| {work} | {figure.name} | **{_shown(figure.median)}**{unit} {spread} | {target} | {met} |")
    return "\n".join(lines)


def absolute_table(results: Sequence[Result]) -> str:
    """One line for each case: the medians the figures are made of."""
    lines = ["| work | medians |", "|---|---|"]
    for result in results:
        unit = f" {result.unit}" if result.unit else ""
        medians = ", ".join(f"{name} {_shown(number)}{unit}" for name, number in result.medians.items())
        lines.append(f"| {result.case} | {medians} |")
    return "\n".join(lines)


def summary(results: Sequence[Result]) -> str:
    """How many targets are met, and which are not."""
    aimed = [(r, f) for r in results for f in r.figures if f.met is not None]
    missed = [f"{r.case}: {f.name} {_shown(f.median)}" for r, f in aimed if not f.met]
    return "\n".join([f"{len(aimed) - len(missed)} of {len(aimed)} targets met.", *(f"  not met: {m}" for m in missed)])


def write(results: Sequence[Result], machine: Machine, scale: Scale, suffix: str) -> Path:
    """The file of this run under results/, named by date and commit."""
    now = datetime.now(UTC)
    document = {
        "format_version": FORMAT_VERSION,
        "date": now.isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": asdict(machine),
        "scale": asdict(scale),
        "cases": [
            {
                "case": r.case,
                "unit": r.unit,
                "medians": r.medians,
                "figures": [asdict(f) | {"met": f.met} for f in r.figures],
                "samples": r.samples,
            }
            for r in results
        ],
    }
    path = ROOT / "bench" / "results" / f"{now.date().isoformat()}-{commit()}{suffix}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return path


def write_page(results: Sequence[Result], machine: Machine, scale: Scale, rounds: str) -> None:
    """docs/benchmarks.md, whole: what is said there of measuring stands here."""
    page = (ROOT / "bench" / "page.md").read_text()
    filled = {
        "made": f"Commit {commit()}, {datetime.now(UTC).date().isoformat()}, {rounds}. {machine}.",
        "busy": "**The machine was busy with other work: take these as rough.**\n\n" if machine.busy else "",
        "figures": table(results),
        "medians": absolute_table(results),
        "summary": summary(results).splitlines()[0],
    }
    for name, text in filled.items():
        page = page.replace("{" + name + "}", text)
    (ROOT / "docs" / "benchmarks.md").write_text(page)


def side_by_side(before: Mapping[str, Any], results: Sequence[Result]) -> str:
    """Every figure of this run beside that of an earlier one, from its file."""
    known = {(c["case"], f["name"]): f["median"] for c in before["cases"] for f in c["figures"]}
    lines = [f"| work | figure | before ({before['commit']}) | now ({commit()}) | change |", "|---|---|---|---|---|"]
    for result in results:
        for figure in result.figures:
            lines.append(_compared(result.case, figure, known.get((result.case, figure.name))))
    return "\n".join(lines)


def load(path: Path) -> Mapping[str, Any]:
    """The file of a run. Raises `SystemExit` where it is of an older format."""
    document: Mapping[str, Any] = json.loads(path.read_text())
    if document.get("format_version") != FORMAT_VERSION:
        raise SystemExit(f"{path} is not the file of a run that this bench can compare.")
    return document


def _compared(case: str, figure: Measured, before: float | None) -> str:
    if before is None:
        return f"| {case} | {figure.name} | | {_shown(figure.median)} | |"
    change = f"{(figure.median / before - 1) * 100:+.0f} %" if before else ""
    return f"| {case} | {figure.name} | {_shown(before)} | {_shown(figure.median)} | {change} |"


def _shown(number: float) -> str:
    """Three digits that count."""
    if number == 0:
        return "0"
    size = abs(number)
    return (
        f"{number:,.0f}"
        if size >= 100
        else f"{number:.1f}"
        if size >= 10
        else f"{number:.2f}"
        if size >= 1
        else f"{number:.3f}"
    )


def _target(target: float | None, at_least: bool, unit: str) -> str:
    if target is None:
        return ""
    return f"{'≥' if at_least else '≤'} {target:g}{' ' + unit if unit else ''}"
