"""A validation as a person at a terminal reads it: the checks, what they found, accuracy, and the verdict last."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from crmshift.validation.result import Outcome, Validation

if TYPE_CHECKING:
    from rich.console import Console

    from crmshift.validation.result import Accuracy, Check

COLOURS = {Outcome.PASSED: "green", Outcome.WARNING: "yellow", Outcome.TOLERATED: "yellow", Outcome.FAILED: "red"}
MOST_WORKSPACES = 5


def print_validation(out: Console, validation: Validation) -> None:
    """All of it; the last line alone says how it stands."""
    from rich.markup import escape
    from rich.text import Text

    from crmshift.reports import words

    if validation.checks:
        _print_checks(out, validation)
    for check in words.by_gravity(validation):
        if not check.passed:
            _print_found(out, check, validation.outcome(check))
    if validation.accuracies:
        _print_accuracies(out, validation)
    for sentence in validation.coverage:
        out.print(Text(sentence), soft_wrap=not out.is_terminal)
    colour = "green" if validation.clean else "red"
    stored = f" · stored as validation {validation.number}" if validation.number is not None else ""
    out.print(
        f"[{colour}]{escape(words.verdict(validation))}[/{colour}] [dim]· {escape(words.scope(validation.scope))} · "
        f"{words.count(len(validation.checks), 'check')} in {validation.seconds:.2f} s{stored}[/dim]",
        soft_wrap=not out.is_terminal,  # in a pipe one line, however long
    )


AS_THE_STEPS_MADE_IT = {"triggers_attached", "schema_unaltered", "functions_unaltered", "row_security"}
"""Checks of what `compare` can write the SQL for."""


def next_steps_after(validation: Validation, repaired: bool, workspace: UUID | None, side: str | None) -> list[str]:
    """What to type next after one that is not clean. side: the one that has the last word, None where neither has."""
    from crmshift.repair import commands

    failing = [c for c in validation.checks if validation.outcome(c) is Outcome.FAILED]
    failed = {c.name for c in failing}
    if "backfill_complete" in failed:
        return ["crmshift apply --to parallel-operation"]
    if failed & AS_THE_STEPS_MADE_IT:
        return ["crmshift compare --sql"]
    if "sync_queue" in failed:
        return ["crmshift sync status", "crmshift sync drain"]
    if any(c.entity for c in failing) or "primary_lead" in failed:
        return list(commands(side, None if repaired else workspace))
    return []  # each check says what to do about it


def _print_checks(out: Console, validation: Validation) -> None:
    from rich.text import Text

    from crmshift.cli.output import table
    from crmshift.reports import words

    listed = table("", "=check", "what must hold", ">found", ">seconds")
    for check in validation.checks:
        outcome = validation.outcome(check)
        listed.add_row(
            Text(words.MARKS[outcome], COLOURS[outcome]),
            Text(words.visible(check.name)),
            Text(words.visible(check.title)),
            f"{check.count:,}" if check.count else "",
            f"{check.seconds:.2f}",
        )
    out.print(listed)


def _print_found(out: Console, check: Check, outcome: Outcome) -> None:
    from rich.text import Text

    from crmshift.reports import words

    out.print(
        Text.assemble(
            (f"{words.MARKS[outcome]} ", COLOURS[outcome]),
            (words.visible(check.name), "bold"),
            (f" ({check.severity if outcome is Outcome.FAILED else outcome})", "dim"),
            f": {words.found(check)}",
        )
    )
    if check.remedy:
        _print_below(out, f"Do: {words.visible(check.remedy)}")
    if len(check.by_workspace) > 1:
        _print_below(out, f"Workspaces: {_workspaces(check)}")
    for line in words.findings(check):
        _print_below(out, line)
    out.print()


def _print_below(out: Console, line: str) -> None:
    """A line below its heading: on a terminal what is folded is indented too, in a pipe nothing is folded."""
    from rich.padding import Padding
    from rich.text import Text

    if out.is_terminal:
        out.print(Padding(Text(line), (0, 0, 0, 2), expand=False))
    else:
        out.print(Text(f"  {line}"), soft_wrap=True)


def _workspaces(check: Check) -> str:
    order = sorted(check.by_workspace.items(), key=lambda of: -of[1])
    said = [f"{n:,} in {workspace or 'none'}" for workspace, n in order[:MOST_WORKSPACES]]
    if others := order[MOST_WORKSPACES:]:
        said.append(f"{sum(n for _, n in others):,} in {len(others):,} more")
    return ", ".join(said)


def _print_accuracies(out: Console, validation: Validation) -> None:
    from crmshift.cli.output import table
    from crmshift.reports import words

    def row(accuracy: Accuracy) -> list[str]:
        return [accuracy.entity, f"{accuracy.rows:,}", f"{accuracy.agreeing:,}", words.percent(accuracy)]

    listed = table("entity", ">rows", ">agree", ">accuracy")
    for accuracy in validation.accuracies:
        listed.add_row(*row(accuracy))
    listed.add_section()
    listed.add_row(*row(validation.accuracy), style="bold")
    out.print(listed)
