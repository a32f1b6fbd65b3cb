"""Every error crmshift raises on purpose, each with the exit status of its kind.

    CrmshiftError            2  trouble
    ├── UsageError           2  the command line, a file or a setting is wrong
    ├── ConnectionFailed     2  the database cannot be reached
    ├── DatabaseError        2  a statement failed; carries the SQLSTATE
    ├── Refused              3  a precondition is not met; nothing was changed
    ├── LockNotObtained      4  somebody else holds what we need; try later
    └── Stopped              5  stopped part-way; safe to run again

Errors raised in SQL carry an SQLSTATE of our own (class SH); `from_sqlstate` maps them to these
classes, so Python never reads the prose of a message.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitStatus(IntEnum):
    """Exit statuses of every command; they follow diff and grep."""

    OK = 0
    NO = 1
    TROUBLE = 2
    REFUSED = 3
    LOCKED = 4
    STOPPED = 5


class CrmshiftError(Exception):
    """Base of all: a message that says what is wrong and where, and a hint that says what to do."""

    exit_status: ClassVar[ExitStatus] = ExitStatus.TROUBLE

    def __init__(self, message: str, *, hint: str | None = None, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.sqlstate = sqlstate


class UsageError(CrmshiftError):
    """The command line, a file or a setting is wrong."""


class ConnectionFailed(CrmshiftError):
    """The database cannot be reached."""


class DatabaseError(CrmshiftError):
    """A statement failed in the database."""


class Refused(CrmshiftError):
    """A precondition is not met; nothing was changed."""

    exit_status = ExitStatus.REFUSED


class LockNotObtained(CrmshiftError):
    """Somebody else holds what is needed; try later."""

    exit_status = ExitStatus.LOCKED


class Stopped(CrmshiftError):
    """Stopped part-way; safe to run again."""

    exit_status = ExitStatus.STOPPED


_BY_SQLSTATE: dict[str, type[CrmshiftError]] = {
    "SH001": UsageError,  # unknown mapping
    "SH002": UsageError,  # unknown workspace
    "SH003": Refused,  # a repair from the target before the backfill is complete
    "SH004": UsageError,  # keys of another shape than the mapping's
    "SH005": Refused,  # row-level security hides rows
    "55P03": LockNotObtained,
    "40P01": LockNotObtained,
}


def from_sqlstate(sqlstate: str | None) -> type[CrmshiftError]:
    """The class of error that an SQLSTATE stands for; `DatabaseError` where none is registered."""
    return _BY_SQLSTATE.get(sqlstate or "", DatabaseError)
