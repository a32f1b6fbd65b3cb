"""Reads a server that may cancel what it reads, or end the connection: a standby that has to remove rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, LiteralString, TypeVar

from crmshift import db
from crmshift.db import Connection
from crmshift.errors import CrmshiftError, LockNotObtained

if TYPE_CHECKING:
    from psycopg.rows import TupleRow

T = TypeVar("T")

CANCELLED_BY_RECOVERY = "40001"

CONFLICTS = 12
"""How often a standby may cancel one range after the other before that is given up."""


class Reader:
    """A connection, opened anew where a standby ended it: it does so to who is in a subtransaction.

    reopen: None for a primary, which has no reason to end it.
    """

    def __init__(self, conn: Connection, reopen: Callable[[], Connection] | None = None) -> None:
        self._conn = conn
        self._reopen = reopen

    @property
    def conn(self) -> Connection:
        if self._conn.closed and self._reopen is not None:
            self._conn = self._reopen()
        return self._conn

    def close(self) -> None:
        self._conn.close()

    def cancel(self) -> None:
        """Cancel what it reads now."""
        self._conn.cancel_safe(timeout=2.0)

    def fetch_all(self, query: LiteralString, given: list[Any] | None = None) -> list[TupleRow]:
        return self.undisturbed(lambda conn: db.fetch_all(conn, query, given))

    def undisturbed(self, work: Callable[[Connection], T]) -> T:
        """Do it again where a standby cancels it. Raises `LockNotObtained` where it keeps doing so."""
        for attempt in range(1, CONFLICTS + 1):
            try:
                return work(self.conn)
            except CrmshiftError as error:
                if error.sqlstate != CANCELLED_BY_RECOVERY:
                    raise
                if attempt == CONFLICTS:
                    raise LockNotObtained(
                        f"The standby cancelled the comparison {CONFLICTS} times: it needs to remove rows that are being read.",
                        hint="Set hot_standby_feedback = on there, or a longer max_standby_streaming_delay, and run it again.",
                        sqlstate=error.sqlstate,
                    ) from error
                time.sleep(0.1 * attempt)
        raise AssertionError("unreachable")
