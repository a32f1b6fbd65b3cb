"""Live traffic: threads that work as the two versions of an application do, each with connections of its own."""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from typing import Any
from uuid import UUID

import psycopg

from crmshift.demo import writes
from crmshift.demo.application import Clock, Contact, Desk, Session, Tallies

POOL = 400
"""Contacts that the traffic works on: few, so that both sides often write the same ones."""

PAUSE = 0.012
"""Mean seconds between two writes of one writer: people at their desks, not a benchmark."""


class Traffic:
    """The writers of both sides, each a thread with connections of its own."""

    def __init__(self, dsn: str, record: str, *, aside: UUID, writers: int = 2) -> None:
        """`aside` is a contact that the writers leave alone."""
        self.dsn = dsn
        self.record = record
        self.clock = Clock()
        self.tallies = Tallies()
        self._writers = writers
        self._stopping = {"v1": threading.Event(), "v2": threading.Event()}
        self._threads: dict[str, list[threading.Thread]] = {"v1": [], "v2": []}
        self._broken: list[BaseException] = []
        with psycopg.connect(dsn) as conn:
            rows = conn.execute(
                "select id, workspace_id from public.contacts where id <> %s order by md5(id::text) limit %s",
                [aside, POOL],
            ).fetchall()
            self.fields = [row[0] for row in conn.execute("select id from public.custom_fields order by id")]
        self.desk = Desk([Contact(*row) for row in rows])

    def session(self, side: str) -> Session:
        """A session that counts and records like those of the writers."""
        return Session(side, self.dsn, self.record, self.clock, self.tallies, self.fields)

    def start(self, side: str) -> None:
        """Let the writers of a side begin. Those of v2 wait for the sync to be complete: the application's release."""
        for n in range(self._writers):
            thread = threading.Thread(target=self._work, args=(side, n), name=f"{side} writer {n + 1}", daemon=True)
            self._threads[side].append(thread)
            thread.start()

    def stop(self, *sides: str) -> None:
        """Let the writers of these sides finish what they are at, and wait for them. Raises what broke a writer."""
        for side in sides:
            self._stopping[side].set()
        for side in sides:
            for thread in self._threads[side]:
                thread.join()
            self._threads[side].clear()
        self.raise_broken()

    def raise_broken(self) -> None:
        """A writer that fell over for a reason of its own, not by an error of the application's statement."""
        if self._broken:
            raise self._broken[0]

    def _work(self, side: str, n: int) -> None:
        rng = random.Random(f"{side} {n}")
        stopping = self._stopping[side]
        session: Session | None = None
        try:
            session = self.session(side)
            while side == "v2" and not stopping.is_set() and not _released(session.conn):
                stopping.wait(0.05)
            while not stopping.is_set():
                writes.one(session, self.desk, rng)
                stopping.wait(rng.uniform(0.5, 1.5) * PAUSE)
        except BaseException as error:
            self._broken.append(error)
        finally:
            with suppress(psycopg.Error):
                if session is not None:
                    session.close()


def _released(conn: psycopg.Connection[Any]) -> bool:
    """Whether all seven tables have their triggers. A release of v2 before that would write past the sync."""
    row = conn.execute("select count(*) from pg_trigger where tgname = 'crmshift_sync_insert'").fetchone()
    return row is not None and row[0] == 7
