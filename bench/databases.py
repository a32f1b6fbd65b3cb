"""The databases that are compared: the same contacts with no sync, with a hand-written row trigger, with crmshift."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psycopg

from crmshift import apply, backfill
from crmshift.embedded import EmbeddedServer
from crmshift.plan import load
from crmshift.progress import Progress
from crmshift.project import Project
from crmshift.steps import compile_plan

HERE = Path(__file__).parent
VARIANTS = ("none", "row_trigger", "crmshift")


@dataclass(frozen=True)
class Databases:
    """A connection string for each variant, and how many contacts each holds."""

    dsns: dict[str, str]
    contacts: int


def create(server: EmbeddedServer, contacts: int) -> Databases:
    """Create and fill all of them; ids are numbers written as UUIDs, so that a script can pick one."""
    project = Project.open(None)
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        conn.execute("create database bench_legacy")
    with psycopg.connect(server.dsn("bench_legacy"), autocommit=True) as conn:
        conn.execute(project.sql("legacy/schema").text)
        conn.execute(
            "insert into workspaces (id, name) select lpad(to_hex(n), 32, '0')::uuid, 'w' || n from generate_series(1, 20) as n"
        )
        conn.execute(
            """
            insert into contacts (id, workspace_id, firstname, lastname, email, phone_number, st_address, city, state, zip,
                                  lead_source, lead_status, created_at, updated_at)
            select lpad(to_hex(n), 32, '0')::uuid, lpad(to_hex(n %% 20 + 1), 32, '0')::uuid, 'First' || n, 'Last' || n,
                   'p' || n || '@example.com', '555-' || n, n || ' Main Street', 'Town', 'ST', '12345',
                   'web', 'new', now() - interval '1 day', now() - interval '1 hour'
              from generate_series(1, %s::int) as n
            """,
            [contacts],
        )
        conn.execute("vacuum analyze")
    dsns = {}
    for variant in VARIANTS:
        with psycopg.connect(server.dsn(), autocommit=True) as conn:
            conn.execute(f"create database bench_{variant} template bench_legacy".encode())
        dsns[variant] = server.dsn(f"bench_{variant}")
    migrate(dsns["crmshift"], "parallel-operation")
    migrate(dsns["row_trigger"], "parallel-operation")
    with psycopg.connect(dsns["row_trigger"], autocommit=True) as conn:  # its tables and rows, without its triggers
        triggers = conn.execute(
            """
            select tgname, tgrelid::regclass::text from pg_trigger
             where not tgisinternal and tgname like 'crmshift%' and tgrelid::regclass::text not like 'crmshift.%'
            """
        ).fetchall()
        for name, table in triggers:
            conn.execute(f"drop trigger {name} on {table}".encode())
        conn.execute((HERE / "peers" / "row_trigger.sql").read_text().encode())
    for dsn in dsns.values():
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("alter table contacts add column unmapped integer not null default 0")
            conn.execute("vacuum analyze")
    return Databases(dsns, contacts)


def migrate(dsn: str, phase: str) -> None:
    """Apply the plan up to a phase."""
    project = Project.open(None)
    with psycopg.connect(dsn, autocommit=True) as conn:
        compiled = compile_plan(load(project.plan("lead_centric")), project, conn)
        done = apply.run(conn, compiled, phase, Progress(), backfill.StopSignal())
        assert done.failed_validation is None
