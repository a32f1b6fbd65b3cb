"""Scripted concurrency: named sessions that take steps in a fixed order.

    with sessions(dsn, "A", "B") as (a, b):
        a("begin")
        a("update contacts set city = 'Bonn' where id = %s", key)
        waiting = b.start("update contacts set city = 'Ulm' where id = %s", key)
        assert waiting.blocked()
        a.commit()
        waiting.result()

Each session is a connection in autocommit with a thread of its own, so that one can wait while another goes on. Nothing
here sleeps and hopes: that a step waits is asked of the server.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg

Rows = list[tuple[Any, ...]]

TIMEOUT = 10.0  # seconds that a step may take before the test calls it stuck


class Step:
    """A statement on its way."""

    def __init__(self, session: Session, statement: str, future: Future[Rows]) -> None:
        self._session = session
        self._statement = statement
        self._future = future
        self._seen = False  # whether the test has asked how it ended

    def __repr__(self) -> str:
        return f"<{self._session.name}: {self._statement}>"

    def done(self) -> bool:
        """Whether it has ended, one way or another."""
        return self._future.done()

    def blocked(self, timeout: float = 2.0) -> bool:
        """Whether it waits for a lock that another session holds; False when it ended or did not in time."""
        deadline = time.monotonic() + timeout
        looks = 0
        while not self.done() and time.monotonic() < deadline:
            looks = looks + 1 if self._session.blockers() else 0
            if looks == 2:  # a lock that is only passed from hand to hand is gone at the second look
                return True
            time.sleep(0.01)
        return False

    def result(self, timeout: float = TIMEOUT) -> Rows:
        """Its rows. Raises what the server raised, or TimeoutError."""
        self._seen = True
        try:
            return self._future.result(timeout)
        except TimeoutError:
            blockers = self._session.blockers()
            why = f"blocked by process {', '.join(map(str, blockers))}" if blockers else "and not blocked"
            raise TimeoutError(f"{self!r} still runs after {timeout} s, {why}") from None

    def unseen_error(self) -> BaseException | None:
        """How it failed, if it did and nobody asked."""
        return self._future.exception() if self.done() and not self._seen else None


class Session:
    """A connection that takes its steps in a thread of its own."""

    def __init__(self, dsn: str, name: str, observer: psycopg.Connection) -> None:
        self.name = name
        self.connection = psycopg.connect(dsn, autocommit=True, application_name=name)
        self.pid = self.connection.info.backend_pid
        self._observer = observer
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self.steps: list[Step] = []

    def start(self, statement: str, *parameters: object) -> Step:
        """Sends a statement and does not wait for it."""
        if self.steps and not self.steps[-1].done():
            raise RuntimeError(f"{self.steps[-1]!r} still runs: ask for its result first")
        step = Step(self, statement, self._thread.submit(self._execute, statement, parameters))
        self.steps.append(step)
        return step

    def run(self, statement: str, *parameters: object) -> Rows:
        """Executes a statement; its rows. `session(…)` is short for it."""
        return self.start(statement, *parameters).result()

    __call__ = run

    def commit(self) -> None:
        self.run("commit")

    def rollback(self) -> None:
        self.run("rollback")

    def blockers(self) -> list[int]:
        """The process ids of the sessions whose locks this one waits for."""
        row = self._observer.execute("select pg_blocking_pids(%s)", [self.pid]).fetchone()
        return row[0] if row else []

    def close(self) -> None:
        """Ends the session, and whatever it is doing."""
        if self.steps and not self.steps[-1].done():
            self.connection.cancel_safe()
        self._thread.shutdown()
        self.connection.close()

    def _execute(self, statement: str, parameters: tuple[object, ...]) -> Rows:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)  # without parameters a % is a %
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []


@contextmanager
def sessions(dsn: str, *names: str) -> Iterator[tuple[Session, ...]]:
    """Sessions by these names, closed at the end. A step that failed unnoticed fails the test then."""
    with ExitStack() as stack:
        observer = stack.enter_context(psycopg.connect(dsn, autocommit=True, application_name="observer"))
        everyone = []
        for name in names:
            session = Session(dsn, name, observer)
            stack.callback(session.close)
            everyone.append(session)
        yield tuple(everyone)
        for error in (step.unseen_error() for session in everyone for step in session.steps):
            if error is not None:
                raise error
