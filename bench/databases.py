"""The databases that are measured: made once as templates, and cloned."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from bench.case import BenchFailed
from bench.command import crmshift
from crmshift.embedded import EmbeddedServer
from crmshift.project import Project

HERE = Path(__file__).parent
MAPPED = (
    "contacts, contact_custom_fields, appointments, customers, leads, customer_custom_fields, lead_custom_fields, "
    "lead_appointments, appointment_custom_fields"
)


@dataclass(frozen=True)
class Template:
    """So many contacts, with fields and appointments or without, brought to a phase (`legacy`: before the first)."""

    contacts: int
    details: bool
    phase: str

    @property
    def name(self) -> str:
        return f"{'crm' if self.details else 'contacts'}_{self.contacts}_{self.phase.replace('-', '_')}"


class Databases:
    """The databases of one server."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.server = server
        self._made: set[str] = set()

    def template(self, wanted: Template) -> str:
        """The name of a template; made when it is first asked for."""
        if wanted.name not in self._made:
            if wanted.phase == "legacy":
                self.drop(wanted.name)  # one that was not finished
                self._admin(sql.SQL("create database {}").format(sql.Identifier(wanted.name)))
                self._seed(wanted)
            else:
                before = Template(wanted.contacts, wanted.details, _BEFORE[wanted.phase])
                dsn = self.clone(before, wanted.name)
                crmshift("apply", "--to", wanted.phase, "--yes", dsn=dsn)
                with connect(dsn) as conn:
                    conn.execute("vacuum (analyze)")
            self._made.add(wanted.name)
        return wanted.name

    def clone(self, template: Template, name: str) -> str:
        """A database of its own, as the template is, and its DSN; it replaces one of the same name."""
        source = self.template(template)
        self.drop(name)
        self._admin(
            sql.SQL("create database {} template {} strategy file_copy").format(
                sql.Identifier(name), sql.Identifier(source)
            )
        )
        return self.server.dsn(name)

    def drop(self, *names: str) -> None:
        """Drop databases that may be there."""
        for name in names:
            self._admin(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
            self._made.discard(name)

    def _admin(self, statement: sql.Composed) -> None:
        with connect(self.server.dsn()) as conn:
            conn.execute(statement)

    def _seed(self, wanted: Template) -> None:
        with connect(self.server.dsn(wanted.name)) as conn:
            conn.execute("select set_config('bench.contacts', %s, false)", [str(wanted.contacts)])
            conn.execute(Project.open(None).sql("legacy/schema").text)
            conn.execute(text("sql/seed"))
            if wanted.details:
                conn.execute(text("sql/details"))
            conn.execute("vacuum (analyze)")


_BEFORE = {"sync-layer": "legacy", "parallel-operation": "sync-layer"}


UNTHROTTLED = "update crmshift.backfill_signal set enabled = false"
"""Nothing holds a backfill: the autovacuum of the tables it has just filled would, for seconds that are not its work's."""


def connect(dsn: str) -> psycopg.Connection[tuple[object, ...]]:
    """A connection of our own, each statement by itself."""
    return psycopg.connect(dsn, autocommit=True)


def text(name: str) -> str:
    """A file of ours, without its suffix."""
    return (HERE / f"{name}.sql").read_text()


def timed(dsn: str, statement: str, *, durable: bool = True) -> float:
    """Seconds that a script takes, each statement by itself."""
    with connect(dsn) as conn:
        conn.execute(f"set synchronous_commit = {'on' if durable else 'off'}")
        started = time.perf_counter()
        conn.execute(statement)
        return time.perf_counter() - started


def without_sync(dsn: str) -> None:
    """Take crmshift's triggers away, all of them; tables, rows and indexes stay."""
    with connect(dsn) as conn:
        found = conn.execute(
            """
            select format('drop trigger %I on %s', t.tgname, t.tgrelid::regclass)
              from pg_trigger as t
              join pg_proc as p on p.oid = t.tgfoid
              join pg_class as c on c.oid = t.tgrelid
             where not t.tgisinternal and p.pronamespace = 'crmshift'::regnamespace and c.relnamespace = 'public'::regnamespace
            """
        ).fetchall()
        for (statement,) in found:
            conn.execute(str(statement))


def calm(dsn: str, tables: str = MAPPED) -> None:
    """Before something is timed: nothing left to vacuum, nothing left to write out, no autovacuum at work."""
    with connect(dsn) as conn:
        there = conn.execute(
            "select t from unnest(%s::text[]) as t where to_regclass(t) is not null", [tables.split(", ")]
        )
        conn.execute(f"vacuum (analyze) {', '.join(str(t) for (t,) in there.fetchall())}".encode())
        conn.execute("checkpoint")
        deadline = time.monotonic() + 60
        while conn.execute("select 1 from pg_stat_activity where backend_type = 'autovacuum worker'").fetchone():
            if time.monotonic() > deadline:
                raise BenchFailed("Autovacuum does not come to an end.")
            time.sleep(0.1)
