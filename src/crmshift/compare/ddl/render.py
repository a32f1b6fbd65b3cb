"""The script as text: short locks in transactions, each statement under what it costs, what is withheld as comments."""

from __future__ import annotations

from collections.abc import Iterator

from crmshift.compare.ddl.script import SETTINGS, Entry, Script
from crmshift.compare.ddl.trial import Trial
from crmshift.compare.difference import Comparison
from crmshift.compare.model import Identity


def render(comparison: Comparison, script: Script, trial: Trial) -> str:
    """The whole text; it ends with a line's end."""
    lines = [*_head(comparison, script, trial)]
    if script.entries:
        lines += ["", *(f"{setting};" for setting in SETTINGS), *_body(script)]
    return "\n".join(lines) + "\n"


def _head(comparison: Comparison, script: Script, trial: Trial) -> Iterator[str]:
    yield "-- Makes A equal to B."
    yield f"-- A  {_line(comparison.a.name)}"
    yield f"-- B  {_line(comparison.b.name)}"
    yield f"-- {_line(trial.text)}"
    if script.withheld:
        yield "-- What loses data is commented out, with all that cannot be done without it: --allow-destructive prints it as statements."
    for problem in script.problems:
        yield f"-- CANNOT BE MADE: {_line(str(problem.about))}: {_line(problem.text)}"


def _body(script: Script) -> Iterator[str]:
    asked: dict[Identity, list[str]] = {}
    for q in script.questions:
        asked.setdefault(q.old, []).extend([f"-- {_line(q.text)}", *_commented(q.sql)])
        asked.setdefault(q.new, []).append(f"-- See the question at {_line(str(q.old))}.")
    within: bool | None = None
    about: Identity | None = None
    for entry in script.entries:
        statement = entry.statement
        if not entry.withheld and within is not statement.transactional:
            yield from _leave(within)
            within = statement.transactional
            yield from _enter(within)
            about = None
        if statement.about != about or statement.hazards:
            yield from ["", f"-- {_line(str(statement.about))}"]
        about = statement.about
        yield from asked.pop(about, ())
        yield from _statement(entry)
    yield from _leave(within)


def _enter(within: bool) -> list[str]:
    if within:
        return ["", "begin;"]
    return ["", "-- Outside of transactions: it waits, and nobody waits for it.", "set lock_timeout = 0;"]


def _leave(within: bool | None) -> list[str]:
    if within is None:
        return []
    return ["", "commit;"] if within else ["", f"{SETTINGS[-1]};"]


def _statement(entry: Entry) -> Iterator[str]:
    for hazard in entry.statement.hazards:
        yield f"-- {_line(str(hazard))}"
    if entry.withheld:
        yield from _commented(entry.statement.sql)
    else:
        yield f"{entry.statement.sql};"


def _commented(sql: str) -> list[str]:
    """Every line a comment, whatever names and texts hold."""
    return [f"--   {line}" for line in f"{sql};".splitlines()]


def _line(text: str) -> str:
    """A text on one line, so that nothing of it is run."""
    return " ".join(text.split())
