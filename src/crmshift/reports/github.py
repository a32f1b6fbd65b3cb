"""GitHub Actions: workflow commands, one annotation for each check that found something, and a step summary."""

from __future__ import annotations

from crmshift.reports import words
from crmshift.validation.result import Check, Outcome, Validation

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
SUMMARY_LIMIT = 1024 * 1024
"""Bytes of a step's summary. GitHub shows nothing at all of a longer one."""

_COMMANDS = {Outcome.FAILED: "error", Outcome.WARNING: "warning", Outcome.TOLERATED: "notice"}


def commands(validation: Validation) -> list[str]:
    """A line for each check that found something, gravest first: GitHub shows ten of a kind for a step."""
    lines = [
        f"::{_COMMANDS[validation.outcome(c)]} title={_property(f'crmshift validate: {c.name}')}::{_data(_message(c))}"
        for c in words.by_gravity(validation)
        if not c.passed
    ]
    if not validation.clean and not any(line.startswith("::error") for line in lines):
        lines.insert(0, f"::error title=crmshift validate::{_data(words.verdict(validation))}")
    return lines


def _message(check: Check) -> str:
    said = f"{words.found(check)}. {words.must_hold(check)}"
    return f"{said}\nDo: {words.visible(check.remedy)}" if check.remedy else said


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(words.visible(text)).replace(":", "%3A").replace(",", "%2C")
