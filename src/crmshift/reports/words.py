"""The words that every report uses, so that no two of them say it differently."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from crmshift.validation.result import Accuracy, Check, Finding, Outcome, Scope, Validation

KINDS = ("missing", "extra", "differs")
MARKS = {Outcome.PASSED: "✓", Outcome.WARNING: "!", Outcome.TOLERATED: "≈", Outcome.FAILED: "✗"}
LONGEST = 200
"""Characters of a value that are shown; the JSON document has them all."""

# Controls, what is no character, what takes no room, and what turns the direction of the text around it.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
_PLAIN = re.compile(r"[\w.:+-]+", re.ASCII)


def visible(text: str) -> str:
    """Text on one line that shows what it holds: a terminal, a log or an XML parser takes nothing in it for a command."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def key(of: Mapping[str, object] | None) -> str:
    """`cst_id=17, name="a b"`; empty where a finding has no key."""
    return ", ".join(f"{visible(column)}={_plain(value)}" for column, value in (of or {}).items())


def values(finding: Finding) -> Iterator[str]:
    """`city: expected "Rome", found null`, for each column whose values the operator asked for.

    A row that one side lacks has values on the other alone.
    """
    for column, (expected, found) in (finding.values or {}).items():
        said = {"expected": expected, "found": found}
        said.pop({"missing": "found", "extra": "expected"}.get(finding.kind or "", ""), None)
        yield f"{visible(column)}: {', '.join(f'{word} {literal(value)}' for word, value in said.items())}"


def literal(value: object) -> str:
    """A value as JSON has it, on one line, cut where it is long."""
    text = visible(json.dumps(value, default=str, ensure_ascii=False))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def findings(check: Check) -> Iterator[str]:
    """What a check found, a line each, values indented below; how many more there are."""
    for finding in check.findings:
        yield "  ".join(visible(part) for part in (finding.subject, key(finding.key), finding.detail) if part)
        yield from (f"    {line}" for line in values(finding))
    if unlisted := check.count - len(check.findings):
        yield f"… and {unlisted:,} more"


def found(check: Check) -> str:
    """`142 found: 3 missing, 139 differing`; `3 missing` where that is all; `3 found` where no rows are compared."""
    split = by_kind(check)
    if len(split) == 1:
        return kinds(check)
    return f"{check.count:,} found{': ' if split else ''}{kinds(check)}"


def must_hold(check: Check) -> str:
    """The check's sentence, with its full stop."""
    return f"Must hold: {visible(check.title).rstrip('.')}."


def kinds(check: Check) -> str:
    """`3 missing, 139 differing`; empty where no rows are compared."""
    return ", ".join(f"{n:,} {'differing' if kind == 'differs' else visible(kind)}" for kind, n in by_kind(check))


def by_kind(check: Check) -> list[tuple[str, int]]:
    """Kinds of drift that were found, in the order in which everything names them."""
    order = [*KINDS, *sorted(set(check.by_kind) - set(KINDS))]
    return [(kind, check.by_kind[kind]) for kind in order if check.by_kind.get(kind)]


def percent(accuracy: Accuracy) -> str:
    """`99.999%`, never rounded up: one row of a million that differs is not 100%."""
    if accuracy.agreeing >= accuracy.rows:
        return "100%"
    thousandths = accuracy.agreeing * 100_000 // accuracy.rows
    return f"{thousandths // 1000}.{thousandths % 1000:03}%"


def of_percent(accuracy: float) -> str:
    """The same of an accuracy that was stored as a number."""
    return "100%" if accuracy >= 100 else f"{int(accuracy * 1000) / 1000:.3f}%"


def threshold(validation: Validation) -> str:
    """`99.9%`: how many rows must agree."""
    return f"{validation.fail_under:.10g}%"


def scope(of: Scope) -> str:
    """What was looked at; `Validation.coverage` says what that leaves open."""
    where = f"workspace {of.workspace}" if of.workspace else "all workspaces"
    if of.sample is not None:
        return f"{where}, only a sample of {of.sample:.10g}% of the keys"
    if of.since is not None:
        return f"{where}, only what was written since validation {of.since}"
    return f"{where}, every row"


def verdict(validation: Validation) -> str:
    """Whether it is clean, and why."""
    if not validation.checks:
        return "not clean: nothing was checked"
    outcomes = [validation.outcome(c) for c in validation.checks]
    accuracy = percent(validation.accuracy)
    if not validation.clean and validation.accurate and Outcome.FAILED not in outcomes:
        return "not clean: no row was compared"
    if not validation.clean:
        said = f"not clean: {count(outcomes.count(Outcome.FAILED), 'check')} of {len(outcomes)} failed"
        return said if validation.accurate else f"{said}, {accuracy} of the rows agree, {threshold(validation)} must"
    if Outcome.TOLERATED in outcomes:
        return f"clean: {accuracy} of the rows agree, {threshold(validation)} must"
    if validation.empty:
        return "clean: there is no row yet on either side"
    warnings = outcomes.count(Outcome.WARNING)
    return f"clean, with {count(warnings, 'warning')}" if warnings else "clean: every check passed"


def by_gravity(validation: Validation) -> list[Check]:
    """The checks, gravest outcome first, else in their own order."""
    order = [Outcome.FAILED, Outcome.WARNING, Outcome.TOLERATED, Outcome.PASSED]
    return sorted(validation.checks, key=lambda c: order.index(validation.outcome(c)))


def moment(at: datetime) -> str:
    """`2026-11-21 16:04:05 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def count(n: int, singular: str) -> str:
    """`1 check`, `2 checks`."""
    return f"{n:,} {singular}{'' if n == 1 else 's'}"


def shows_values(validation: Validation) -> bool:
    """Whether values of customers are in it."""
    return any(f.values for c in validation.checks for f in c.findings)


def _plain(value: object) -> str:
    text = str(value)
    return text if not isinstance(value, str) or _PLAIN.fullmatch(text) else literal(text)
