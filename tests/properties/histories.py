"""The state machine: sessions that write on both sides in turns, faults that come and go, and the promises after each commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from psycopg.pq import TransactionStatus

from crmshift.embedded import EmbeddedServer
from tests.properties import faults, promises, writes
from tests.properties.faults import Fault
from tests.properties.model import sides_written
from tests.properties.stage import SESSIONS, Stage
from tests.properties.writes import Statement
from tests.support.tables import LEGACY

sessions = st.sampled_from(SESSIONS)
entities = st.sampled_from(["null", "'customer'", "'lead'", "'custom field'", "'appointment'"])
policies = st.sampled_from(["last_update_wins", "first_update_wins", "legacy_wins", "target_wins", "manual"])
HABITS = ("autocommit", "autocommit", "read committed", "read committed", "repeatable read", "serializable")
"""How a session writes: each statement for itself, or several in a transaction of this isolation level."""


class Histories(RuleBasedStateMachine):
    """Rules by name: hypothesis leaves some of them out of each history, so that all kinds of mixtures come about."""

    stage: ClassVar[Stage]

    def __init__(self) -> None:
        super().__init__()
        self.over = False
        self.sides: dict[str, set[str]] = {session: set() for session in SESSIONS}  # written in the open transaction
        self.controlled = False
        self.habits = dict.fromkeys(SESSIONS, "autocommit")
        self.stage.begin()

    # --- transactions

    @initialize(
        habits=st.fixed_dictionaries({session: st.sampled_from(HABITS) for session in SESSIONS}),
        broken=st.lists(faults.any_fault, max_size=2),
    )
    def settle_habits(self, habits: dict[str, str], broken: Sequence[Fault] = ()) -> None:
        self.habits = habits
        for fault in broken:
            self.break_(fault)

    @rule(session=sessions)
    def commit(self, session: str) -> None:
        if self.stage.in_transaction(session):
            self.run(session, "commit")

    @rule(session=sessions)
    def commit_again(self, session: str) -> None:  # else few of so many rules would be a commit
        self.commit(session)

    @rule(session=sessions)
    def rollback(self, session: str) -> None:
        if self.stage.in_transaction(session):
            self.run(session, "rollback")

    @rule(session=sessions)
    def savepoint(self, session: str) -> None:
        if self.stage.in_transaction(session):
            name = f"s{len(self.stage.savepoints[session]) + 1}"
            self.run(session, f"savepoint {name}")
            self.stage.savepoints[session].append(name)

    @rule(session=sessions)
    def rollback_to_savepoint(self, session: str) -> None:
        if self.stage.savepoints[session]:
            self.run(session, f"rollback to savepoint {self.stage.savepoints[session][-1]}")

    @rule(session=sessions)
    def release_savepoint(self, session: str) -> None:
        if self.stage.savepoints[session]:
            self.run(session, f"release savepoint {self.stage.savepoints[session].pop()}")

    @rule(session=sessions)
    def kill(self, session: str) -> None:
        if self.stage.in_transaction(session):
            self.stage.kill(session)
            self.sides[session].clear()
            self.check()

    @rule(session=sessions, statement=writes.hold)
    def hold(self, session: str, statement: Statement) -> None:
        if self.habits[session] != "autocommit":
            self.write(session, statement)

    @rule(session=sessions, statement=writes.together)
    def write_together(self, session: str, statement: Statement) -> None:
        self.write(session, statement)

    @rule(session=sessions, statement=writes.undone)
    def write_and_undo(self, session: str, statement: Statement) -> None:
        self.write(session, statement)

    # --- faults

    def break_(self, fault: Fault) -> None:
        self.stage.break_(fault)

    @precondition(lambda self: self.stage.calm)
    @rule(fault=faults.any_fault)
    def break_something(self, fault: Fault) -> None:
        self.break_(fault)

    @precondition(lambda self: self.stage.calm)
    @rule(fault=st.one_of(faults.refusals, faults.deferrals))
    def refuse_values(self, fault: Fault) -> None:
        self.break_(fault)

    @precondition(lambda self: self.stage.calm and self.stage.faults)
    @rule(data=st.data())
    def mend(self, data: st.DataObject) -> None:
        self.stage.mend(data.draw(st.sampled_from(sorted(self.stage.faults))))

    @rule()
    def drain(self) -> None:
        self.stage.dba_execute("select * from crmshift.drain()")
        self.check()

    # --- control

    @rule(entity=entities)
    def pause(self, entity: str) -> None:
        self.controlled = True
        self.stage.dba_execute(f"call crmshift.pause(entity => {entity}, patience => '0')")

    @rule(entity=entities)
    def resume(self, entity: str) -> None:
        self.stage.dba_execute(f"select crmshift.resume({entity})")

    @rule(entity=entities, mode=st.sampled_from(["queued", "immediate"]))
    def set_mode(self, entity: str, mode: str) -> None:
        self.controlled = True
        self.stage.dba_execute(f"select crmshift.set_mode({entity}, '{mode}')")

    @rule(subject=st.sampled_from(LEGACY), conflict=st.sampled_from(["update", "delete"]), policy=policies)
    def set_policy(self, subject: str, conflict: str, policy: str) -> None:
        self.stage.dba_execute(
            f"insert into crmshift.conflict_policy (subject, conflict, policy) values ('{subject}', '{conflict}', '{policy}')"
            " on conflict (subject, conflict, columns) do update set policy = excluded.policy"
        )

    # --- how it goes on and ends

    def write(self, session: str, statement: Statement) -> None:
        """Executes a statement, in a transaction if that is the session's habit."""
        if self.habits[session] != "autocommit" and not self.stage.in_transaction(session):
            self.run(session, f"begin isolation level {self.habits[session]}")
        self.run(session, statement)

    def run(self, session: str, statement: Statement | str) -> None:
        """Executes a statement as an application does: after an error back to where it can go on."""
        if self.over:
            return
        if isinstance(statement, Statement):
            self.sides[session] |= sides_written(statement.text)
        error = self.stage.execute(session, statement)
        if error is not None:
            self.promise(lambda stage: promises.isolation(stage, error, self.habits[session], self.sides[session]))
        if self.stage.status(session) is TransactionStatus.INERROR:
            saved = self.stage.savepoints[session]
            self.stage.execute(session, f"rollback to savepoint {saved[-1]}" if saved else "rollback")
        if not self.stage.in_transaction(session):
            self.stage.savepoints[session].clear()
            self.sides[session].clear()
            self.check()

    def check(self) -> None:
        self.promise(promises.agreement)

    def promise(self, kept: Callable[[Stage], None]) -> None:
        """Asks for a promise. Once one is broken the history is over."""
        if self.over:
            return
        try:
            kept(self.stage)
        except promises.Broken:
            self.over = True
            raise

    def teardown(self) -> None:
        if self.over:
            return
        for session in SESSIONS:
            self.commit(session)
        for name in sorted(self.stage.faults):
            self.stage.mend(name)
        if self.controlled:
            self.stage.dba_execute("select crmshift.resume()")
            self.stage.dba_execute("select crmshift.set_mode(null, 'immediate')")
        for kept in (promises.no_stall, promises.settings, promises.settled, promises.nothing_lost):
            self.promise(kept)


class Crashing(Histories):
    """Histories that the server does not survive."""

    server: ClassVar[EmbeddedServer]

    @rule()
    def crash(self) -> None:
        self.stage.crash(self.server)
        for sides in self.sides.values():
            sides.clear()
        self.check()


def _writing(name: str, statements: writes.Statements) -> Callable[..., None]:
    def write(self: Histories, session: str, statement: Statement) -> None:
        self.write(session, statement)

    write.__name__ = name
    return rule(session=sessions, statement=statements)(write)


for _name, _statements in writes.WRITES.items():
    setattr(Histories, _name, _writing(_name, _statements))
