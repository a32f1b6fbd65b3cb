"""The database on which one history after another is played: its sessions, its faults, its way back to the seed."""

from __future__ import annotations

import itertools
import re
import time
from types import TracebackType

import psycopg
from psycopg.pq import TransactionStatus

from crmshift.embedded import EmbeddedServer
from tests.properties.faults import Fault
from tests.properties.script import Script, unescaped
from tests.properties.writes import Statement
from tests.support.tables import LEGACY, TARGET

SESSIONS = ("A", "B", "C")
DBA = "DBA"
LOCK_TIMEOUT = "20ms"
"""Sessions take turns in one thread, so whoever waits for a lock waits in vain: short, for the applications and for the sync."""

_DATA = [
    *(f"public.{table}" for table in (*LEGACY, *TARGET)),
    *(f"crmshift.{table}" for table in ("sync_queue", "sync_control", "conflict_policy", "conflict_log", "archive")),
]

# Every row that is written leaves a line before other triggers write more, and who wrote it: the application, or the sync on its behalf. A cascade of the
# application's statement is the application's.
_AUDIT = """
create schema if not exists history;
create table history.audit (
    id bigint generated always as identity, by_application boolean, table_name text, was jsonb, became jsonb
);
create function history.note() returns trigger language plpgsql as $$
declare
    beside boolean := false;
begin
    if tg_table_name = 'lead_appointments' and tg_op = 'DELETE' then  -- nothing else here may look at leads: they may be locked
        beside := exists (select from leads as l where l.id::text = to_jsonb(old) ->> 'lead_id' and not l.is_primary);
    end if;
    insert into history.audit (by_application, table_name, was, became)
    select current_setting('application_name') <> 'DBA' and (pg_trigger_depth() = 1 or not crmshift.is_syncing()),
           tg_table_name,
           case when tg_op <> 'INSERT' then to_jsonb(old) || jsonb_build_object('beside_legacy', beside) end,
           case when tg_op <> 'DELETE' then to_jsonb(new) end;
    return null;
end $$;
create function history.note_truncate() returns trigger language plpgsql as $$
begin
    if current_setting('transaction_isolation') <> 'read committed' then  -- rows that the snapshot does not show go, too
        insert into history.audit (by_application, table_name) values (not crmshift.is_syncing(), tg_table_name);
    else
        execute format('insert into history.audit (by_application, table_name, was)
                        select not crmshift.is_syncing(), %L, to_jsonb(t) from %s as t', tg_table_name, tg_relid::regclass);
    end if;
    return null;
end $$;
"""


class Stage:
    """A database with crmshift in parallel operation, and the applications' sessions."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.dba = self._connect(DBA)
        self._sessions = {name: self._connect(name) for name in SESSIONS}
        self._settings = self._prepare()
        self._reset = self._reset_statement()
        self._played = 0
        self.begin()

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in (*self._sessions.values(), self.dba):
            connection.close()

    def begin(self) -> None:
        """Everything as the seed has it, for the next history."""
        self.script = Script(LOCK_TIMEOUT)
        self.savepoints: dict[str, list[str]] = {name: [] for name in SESSIONS}
        self.longest = 0.0  # seconds that a statement of an application took
        self.marks = itertools.count(1)
        for name in SESSIONS:
            if self._sessions[name].closed:
                self._sessions[name] = self._connect(name)
            self._sessions[name].rollback()
        for fault in getattr(self, "faults", {}).values():
            self._undo(fault)
        self.faults: dict[str, Fault] = {}
        self.dba.execute(self._reset)
        self._played += 1
        if self._played % 100 == 0:
            self.dba.execute(f"vacuum {', '.join(_DATA)}, history.audit".encode())

    # --- sessions

    def status(self, session: str) -> TransactionStatus:
        return self._sessions[session].info.transaction_status

    def in_transaction(self, session: str) -> bool:
        return self.status(session) is not TransactionStatus.IDLE

    @property
    def calm(self) -> bool:
        """Whether no transaction is open."""
        return not any(map(self.in_transaction, SESSIONS))

    def execute(self, session: str, statement: Statement | str) -> psycopg.Error | None:
        """Executes a statement of an application; returns the error it met."""
        statement = self._marked(Statement(statement) if isinstance(statement, str) else statement)
        self.script.add(session, statement.text, statement.data)
        connection = self._sessions[session]
        began = time.monotonic()
        try:
            with connection.cursor() as cursor:
                if statement.data is None:
                    cursor.execute(unescaped(statement.text))  # no parameters: a % is a %
                else:
                    with cursor.copy(statement.text.encode()) as copy:
                        copy.write(statement.data)
        except psycopg.Error as error:
            self.script.note(f"ERROR {error.sqlstate}: {error.diag.message_primary}")
            return error
        finally:
            self.longest = max(self.longest, time.monotonic() - began)
        return None

    def settings_left(self, session: str) -> dict[str, str]:
        """What is set in a session that crmshift should have reset."""
        connection = self._sessions[session]
        row = connection.execute(
            "select jsonb_object_agg(name, current_setting(name, true)) from unnest(%s::text[]) as name"
            " where current_setting(name, true) <> ''",
            [self._settings],
        ).fetchone()
        assert row is not None
        return row[0] or {}

    def lock_timeout(self, session: str) -> str:
        row = self._sessions[session].execute("select current_setting('lock_timeout')").fetchone()
        assert row is not None
        return str(row[0])

    def kill(self, session: str) -> None:
        """Ends a session from outside, and waits until it is gone."""
        self.dba_execute(
            f"select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            f" where application_name = '{session}' and datname = current_database()"
        )
        self._reconnect(session)

    def crash(self, server: EmbeddedServer) -> None:
        """Kills the whole server, as a power cut would, and starts it again."""
        self.script.add(DBA, "-- pg_ctl stop -m immediate; pg_ctl start")
        server.crash()
        server.restart()
        self.dba.close()
        self.dba = self._connect(DBA)
        for session in SESSIONS:
            self._reconnect(session)

    # --- the DBA

    def dba_execute(self, text: str) -> list[tuple[object, ...]]:
        self.script.add(DBA, text)
        cursor = self.dba.execute(text.encode())
        return cursor.fetchall() if cursor.description else []

    def break_(self, fault: Fault) -> None:
        if fault.name not in self.faults:
            self.faults[fault.name] = fault
            for text in fault.add:
                self.dba_execute(text)

    def mend(self, name: str) -> None:
        for text in self.faults.pop(name).drop:
            self.dba_execute(text)

    # ---

    def _reconnect(self, session: str) -> None:
        self._sessions[session].close()
        self._sessions[session] = self._connect(session)
        self.savepoints[session].clear()

    def _connect(self, name: str) -> psycopg.Connection:
        connection = psycopg.connect(self.dsn, autocommit=True, application_name=name)
        connection.execute(f"set lock_timeout = '{LOCK_TIMEOUT}'".encode())
        return connection

    def _marked(self, statement: Statement) -> Statement:
        def mark(match: re.Match[str]) -> str:
            return f"V{next(self.marks)}{'!' if match[0] == '$B' else ''}"

        pattern = r"\$[TB]"
        return Statement(
            re.sub(pattern, mark, statement.text), statement.data and re.sub(pattern, mark, statement.data)
        )

    def _undo(self, fault: Fault) -> None:
        for text in fault.drop:
            self.dba.execute(text.encode())

    def _prepare(self) -> list[str]:
        """Installs the audit; returns the names of the settings that crmshift uses."""
        self.dba.execute(_AUDIT)
        for table in (*LEGACY, *TARGET):
            self.dba.execute(
                f'create trigger "0_note" after insert or update or delete on {table} for each row execute function history.note()'.encode()
            )
            self.dba.execute(
                f"create trigger zz_note_truncate before truncate on {table} execute function history.note_truncate()".encode()
            )
        for table in (*_DATA, "history.audit"):  # its locks would come at any moment
            self.dba.execute(f"alter table {table} set (autovacuum_enabled = false)".encode())
        for (function,) in self.dba.execute(
            "select oid::regprocedure::text from pg_proc where proname like 'tg\\_%' and pronamespace = 'crmshift'::regnamespace"
        ).fetchall():
            self.dba.execute(f"alter function {function} set lock_timeout = '{LOCK_TIMEOUT}'".encode())
        found = self.dba.execute(
            "select distinct m[1] from pg_proc, regexp_matches(prosrc, $$_(?:config|setting)\\('(crmshift\\.\\w+)'$$, 'g') as m"
            " where pronamespace = 'crmshift'::regnamespace"
        ).fetchall()
        return [name for (name,) in found]

    def _reset_statement(self) -> bytes:
        """One round trip that brings every row back: a hundred times quicker than a new database, whose caches are cold."""
        statements = ["begin; set local session_replication_role = replica"]
        for table in _DATA:
            saved = "history." + table.replace(".", "_")
            self.dba.execute(f"create table {saved} as table {table}".encode())
            row = self.dba.execute(
                "select string_agg(quote_ident(attname), ', ') from pg_attribute where attrelid = %s::regclass and attnum > 0"
                " and not attisdropped and attgenerated = ''",
                [table],
            ).fetchone()
            assert row is not None
            statements.append(f"delete from {table}")
            statements.append(f"insert into {table} ({row[0]}) overriding system value select {row[0]} from {saved}")
        statements.append("delete from history.audit")
        for sequence, value, used in self.dba.execute(
            "select format('%I.%I', schemaname, sequencename), coalesce(last_value, start_value), last_value is not null from pg_sequences"
        ).fetchall():
            statements.append(f"select setval('{sequence}', {value}, {used})")
        return "; ".join([*statements, "commit"]).encode()
