"""GitHub's Markdown: for a step summary, a merge request, a ticket."""

from __future__ import annotations

import re

from crmshift.reports import words
from crmshift.validation.result import Accuracy, Check, Outcome, Validation

_MEANS_SOMETHING = re.compile(r"[\\`*\[\]<>|~&#@]|(?<!\w)_|_(?!\w)")


def render(validation: Validation, room: int | None = None) -> str:
    """The report, in at most `room` bytes where that is given: then the last checks' findings are left out, and it says so."""
    shown = [c for c in words.by_gravity(validation) if not c.passed]
    head, sections = _head(validation), [_section(validation, c) for c in shown]
    for listed in range(len(sections), -1, -1):
        text = "\n".join([head, *sections[:listed], *_left_out([c.name for c in shown[listed:]])])
        if room is None or len(text.encode()) <= room:
            return text
    verdict = f"**crmshift validate: {words.verdict(validation)}** (there is no room for more here)\n"
    return verdict if len(verdict.encode()) <= (room or 0) else ""


def _head(validation: Validation) -> str:
    mark = "✅" if validation.clean else "❌"
    lines = [
        f"## {mark} crmshift validate: {words.verdict(validation)}",
        "",
        f"{_text(validation.database)}, PostgreSQL {_text(validation.server)} · {words.moment(validation.at)} · {words.scope(validation.scope)}"
        f" · {words.count(len(validation.checks), 'check')} in {validation.seconds:.1f} s",
        "",
    ]
    for sentence in validation.coverage:
        lines += [_text(sentence), ""]
    if words.shows_values(validation):
        lines += ["**Holds values of customers:** `--show-values` was given.", ""]
    if validation.accuracies:
        lines += ["| entity | rows | agree | accuracy |", "|---|---:|---:|---:|"]
        lines += [_accuracy(a) for a in (*validation.accuracies, validation.accuracy)]
        lines.append("")
    lines += ["| | check | what must hold | found |", "|---|---|---|---:|"]
    lines += [
        f"| {words.MARKS[validation.outcome(c)]} | {_text(c.name)} | {_text(c.title)} | {f'{c.count:,}' if c.count else ''} |"
        for c in words.by_gravity(validation)
    ]
    return "\n".join([*lines, ""])


def _accuracy(a: Accuracy) -> str:
    return f"| {_text(a.entity)} | {a.rows:,} | {a.agreeing:,} | {words.percent(a)} |"


def _section(validation: Validation, check: Check) -> str:
    """One check and what it found. Findings stand in a fenced block: nothing in there is Markdown, a mention or a link."""
    outcome = validation.outcome(check)
    listed = "\n".join(words.findings(check))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", listed)), default=0))
    remark = "" if outcome is Outcome.FAILED else f" ({outcome})"
    lines = [f"### {words.MARKS[outcome]} {_text(check.name)}{remark}: {_text(words.found(check))}", ""]
    lines += [_text(words.must_hold(check)), ""]
    lines += [f"**Do:** {_text(check.remedy)}", ""] if check.remedy else []
    return "\n".join([*lines, f"{fence}text", listed, fence, ""])


def _left_out(names: list[str]) -> list[str]:
    return [f"Left out, for there is no room: what {', '.join(_text(n) for n in names)} found.", ""] if names else []


def _text(text: str) -> str:
    """Text that means nothing in Markdown: entities stand for what would."""
    return _MEANS_SOMETHING.sub(lambda found: f"&#{ord(found[0])};", words.visible(text))
