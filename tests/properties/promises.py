"""What crmshift promises, asked of a stage."""

from __future__ import annotations

import re

import psycopg

from tests.properties import losses
from tests.properties.model import MOVED, side_of
from tests.properties.stage import SESSIONS, Stage
from tests.support.agreement import assert_agreement, queue
from tests.support.tables import LEGACY, TARGET


class Broken(AssertionError):
    """A promise was broken. Prints what it was, and the history that did it, as a script."""

    def __init__(self, what: object, stage: Stage) -> None:
        self.what = str(what)
        said = "".join(f"-- {line}\n" for line in self.what.splitlines())
        super().__init__(f"-- a promise was broken\n{said}\n{stage.script}")


class NotInAgreement(Broken): ...


class StatementFailed(Broken): ...


class NotSettled(Broken): ...


class Lost(Broken): ...


class SettingLeft(Broken): ...


class Stalled(Broken): ...


def agreement(stage: Stage) -> None:
    """Every mapped row is what its mapping says, or stands in the queue."""
    try:
        assert_agreement(stage.dba)
    except AssertionError as error:
        raise NotInAgreement(error, stage) from None
    except psycopg.errors.LockNotAvailable:
        pass  # a TRUNCATE is under way: nobody can look


def isolation(stage: Stage, error: psycopg.Error, isolation_level: str, sides: set[str]) -> None:
    """What an application met is of its own making.

    No database without crmshift is asked what would have happened there: the error tells by itself. Its context names the
    sync's functions where it came out of them. Besides it must be one of those below, and the table or the trigger that it
    speaks of must be of a side that this transaction has written.
    """
    if error.sqlstate == "40001" and isolation_level == "serializable":
        return  # what the sync reads and writes counts too, and PostgreSQL may tell it anywhere
    context = error.diag.context or ""
    if error.sqlstate in ("40001", "55P03") and re.search("set_primary_lead|tg_make_primary_lead", context):
        return  # to promote a lead is to demote another one, which somebody holds
    table = error.diag.table_name or _table_of_trigger(context)
    foreign = table is not None and side_of(table) not in sides
    if "crmshift" in context or error.sqlstate not in OWN_ERRORS or foreign:
        raise StatementFailed(f"{error.sqlstate} {error}\n{error.diag.context}", stage)


def _table_of_trigger(context: str) -> str | None:
    """The table whose trigger raised: the functions of faults.py are named after it."""
    function = re.match(r"PL/pgSQL function (\w+)\(\)", context)
    return next((t for t in (*LEGACY, *TARGET) if function and function[1].startswith(f"{t}_")), None)


OWN_ERRORS = {
    "0A000": "TRUNCATE of a table that others refer to",
    "23502": "a value that must be there",
    "23503": "a foreign key of the same side",
    "23505": "a unique key of the same side",
    "23514": "a constraint of the same side",
    "40001": "repeatable read: the row was written since, be it by the sync of the same entity",
    "55006": "TRUNCATE of a table with a deferred trigger that is still to run",
    "55P03": "the row is held by another session, be it by the sync of the same entity",
    "P0001": "a trigger of the same side",
}


def no_stall(stage: Stage) -> None:
    """The sync gives up waiting soon, whoever holds what: here, long before this."""
    if stage.longest > 5:
        raise Stalled(f"a statement took {stage.longest:.1f} s", stage)


def settings(stage: Stage) -> None:
    """crmshift leaves nothing set in a session, and the session's own settings alone."""
    for session in SESSIONS:
        left = stage.settings_left(session)
        if left or stage.lock_timeout(session) != "20ms":
            raise SettingLeft(
                f"session {session} is left with {left}, lock_timeout {stage.lock_timeout(session)}", stage
            )


def settled(stage: Stage) -> None:
    """Once every fault is gone, and a person has decided what waits for one, drain empties the queue."""
    try:
        now = _drained(stage)
    except psycopg.Error as error:
        raise NotSettled(f"{error.sqlstate} {error}\n{error.diag.context}", stage) from None
    agreement(stage)
    if now:
        why = stage.dba.execute(
            "select subject, key, side, op, reason, sqlstate, message, attempts from crmshift.sync_queue order by id"
        ).fetchall()
        raise NotSettled("drain leaves in the queue:\n" + "\n".join(map(str, why)), stage)


def _drained(stage: Stage) -> object:
    """What drain leaves in the queue when it gets no further."""
    before = None
    while (now := queue(stage.dba)) and now != before:
        before = now
        stage.dba_execute("select * from crmshift.drain()")
        for (conflict,) in stage.dba.execute(
            "select id from crmshift.conflict_log where winner is null order by id"
        ).fetchall():
            stage.dba_execute(f"select crmshift.resolve({conflict}, 'legacy')")
        # A number that legacy had freed, and that an appointment of a second lead still has.
        stage.dba_execute(
            f"update appointments set id = id + {MOVED} where id in (select (key ->> 'id')::bigint from crmshift.sync_queue"
            f" where subject = 'appointments' and sqlstate = 'SH013') and id < {MOVED}"
        )
    return now


def nothing_lost(stage: Stage) -> None:
    """Every value that was written last is there, on both sides, or it is told who lost."""
    if found := losses.lost(stage):
        log = stage.dba.execute(
            "select subject, key, kind, columns, winner, losing from crmshift.conflict_log"
        ).fetchall()
        raise Lost("\n".join([*found, "the conflict log:", *map(str, log)]), stage)
