"""Every error has an exit status, and every SQLSTATE of ours a class."""

from __future__ import annotations

import re

import pytest

from crmshift import errors
from crmshift.errors import (
    ConnectionFailed,
    CrmshiftError,
    DatabaseError,
    ExitStatus,
    LockNotObtained,
    Refused,
    Stopped,
    UsageError,
    from_sqlstate,
)
from crmshift.project import packaged_root


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (CrmshiftError, 2),
        (UsageError, 2),
        (ConnectionFailed, 2),
        (DatabaseError, 2),
        (Refused, 3),
        (LockNotObtained, 4),
        (Stopped, 5),
    ],
)
def test_every_class_of_error_has_its_exit_status(error: type[CrmshiftError], status: int) -> None:
    assert error.exit_status == status
    assert issubclass(error, CrmshiftError)


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    assert errors.__doc__
    written = dict(re.findall(r"(\w+) +(\d)  \w", errors.__doc__))
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, CrmshiftError)]
    assert written == {c.__name__: str(int(c.exit_status)) for c in classes}


def test_exit_statuses_follow_diff_and_grep() -> None:
    assert [(s.name, int(s)) for s in ExitStatus] == [
        ("OK", 0),
        ("NO", 1),
        ("TROUBLE", 2),
        ("REFUSED", 3),
        ("LOCKED", 4),
        ("STOPPED", 5),
    ]


@pytest.mark.parametrize(
    ("sqlstate", "error"),
    [
        ("SH001", UsageError),
        ("SH002", UsageError),
        ("55P03", LockNotObtained),
        ("40P01", LockNotObtained),
        ("23505", DatabaseError),
        ("SH999", DatabaseError),
        ("", DatabaseError),
        (None, DatabaseError),
    ],
)
def test_an_sqlstate_stands_for_a_class_of_error(sqlstate: str | None, error: type[CrmshiftError]) -> None:
    assert from_sqlstate(sqlstate) is error


def test_every_sqlstate_raised_in_sql_has_a_class_of_its_own() -> None:
    """But for SH01x, which the sync raises for itself: they end in the queue."""
    raised = {
        state
        for path in (packaged_root() / "sql").rglob("*.sql")
        for state in re.findall(r"errcode = '(SH00\d)'", path.read_text(encoding="utf-8"))
    }
    assert raised, "no file raises any"
    assert {state for state in raised if from_sqlstate(state) is DatabaseError} == set()


def test_an_error_carries_message_hint_and_sqlstate() -> None:
    error = Refused("Not now.", hint="Later.", sqlstate="SH003")
    assert (str(error), error.message, error.hint, error.sqlstate) == ("Not now.", "Not now.", "Later.", "SH003")
    assert CrmshiftError("Alone.").hint is None
