"""The whole script: statements in order, those that lose data withheld unless they are allowed, and what cannot be made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from crmshift.compare.ddl.order import in_order
from crmshift.compare.ddl.renames import Question, questions
from crmshift.compare.ddl.statement import Statement
from crmshift.compare.ddl.steps import steps
from crmshift.compare.ddl.target import NOT_A_PROPERTY, target
from crmshift.compare.ddl.whereabouts import Action, Key, Step
from crmshift.compare.difference import Comparison
from crmshift.compare.model import Identity, Schema

SETTINGS = (
    "set check_function_bodies = off",
    "set search_path = ''",
    "set lock_timeout = '2s'",
)
"""Names are qualified, bodies may name what comes later, and a lock that is not had soon is not waited for."""


@dataclass(frozen=True)
class Entry:
    """A statement of the script. withheld: it is shown, and not to be run."""

    statement: Statement
    withheld: bool = False


@dataclass(frozen=True)
class Problem:
    """What no statement makes, and why."""

    about: Identity
    text: str


@dataclass(frozen=True)
class Script:
    """The SQL that makes A equal to B. target: what A is by then."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    questions: tuple[Question, ...]
    target: Schema

    @property
    def active(self) -> list[Statement]:
        """The statements to run."""
        return [e.statement for e in self.entries if not e.withheld]

    @property
    def withheld(self) -> list[Statement]:
        return [e.statement for e in self.entries if e.withheld]

    @property
    def complete(self) -> bool:
        """Whether it makes all of A equal to B."""
        return not self.problems and not self.withheld


def write(a: Schema, comparison: Comparison, *, allow_destructive: bool) -> Script:
    """The script for what differs. a: the whole of A, of which less may have been compared."""
    wanted = target(a, comparison)
    ordered = in_order(steps(a, wanted))
    withheld = set() if allow_destructive else _withheld(ordered)
    return Script(
        tuple(Entry(s, step.key in withheld) for step in ordered for s in step.statements),
        (*(Problem(step.key[1], step.problem) for step in ordered if step.problem), *_orders(comparison)),
        tuple(questions(comparison)),
        wanted,
    )


def _orders(comparison: Comparison) -> Iterator[Problem]:
    for d in comparison.differences:
        if any(c.attribute == NOT_A_PROPERTY for c in d.changes):
            yield Problem(d.identity, "no statement changes the order of a table's columns")


def between(a: Schema, b: Schema) -> list[Statement]:
    """All statements that make one schema the other."""
    return [s for step in in_order(steps(a, b)) for s in step.statements]


def _withheld(ordered: Sequence[Step]) -> set[Key]:
    """Steps that lose data, what cannot be done without them, and what is there for their sake alone."""
    held = {s.key for s in ordered if any(st.destructive for st in s.statements)}
    by_key = {s.key: s for s in ordered}
    grown = True
    while grown:
        more = {s.key for s in ordered if s.after & held}
        for action, identity in held | more:
            # An object that is not made again must not be dropped, and a default that does not come back not taken.
            if action in (Action.MAKE, Action.ALTER, Action.PLACE):
                more |= set(_there(by_key, (Action.DROP, identity), (Action.RELEASE, identity)))
            if action is Action.DROP:
                more |= set(_there(by_key, (Action.MAKE, identity), (Action.RELEASE, identity)))
        grown = not more <= held
        held |= more
    return held


def _there(steps: Iterable[Key], *keys: Key) -> list[Key]:
    return [k for k in keys if k in steps]
