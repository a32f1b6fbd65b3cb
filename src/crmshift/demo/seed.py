"""Makes the legacy database of the demo: the reference schema, its rows, and the two roles that applications use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from crmshift import db
from crmshift.demo.load import Loaded, load_folder
from crmshift.project import Project

V1_ROLE, V2_ROLE = "crm_v1", "crm_v2"


def fill(conn: psycopg.Connection[Any], contacts: int, folder: Path | None) -> Loaded:
    """Create the legacy tables and fill them: from a folder, else with `contacts` generated ones."""
    packaged = Project.open(None)
    db.execute_script(conn, packaged.sql("legacy/schema").text)
    if folder is not None:
        loaded = load_folder(conn, folder)
        conn.execute("analyze")
        return loaded
    conn.execute("select set_config('demo.contacts', %s, false)", [str(contacts)])
    db.execute_script(conn, packaged.sql("demo/contacts").text)
    row = conn.execute(
        """
        select (select count(*) from public.workspaces), (select count(*) from public.contacts),
               (select count(*) from public.custom_fields), (select count(*) from public.contact_custom_fields),
               (select count(*) from public.appointments)
        """
    ).fetchone()
    assert row is not None
    return Loaded(*row)


def admit_applications(conn: psycopg.Connection[Any]) -> None:
    """Make the roles that the two versions of the application connect as; on a server of the demo's own only.

    Neither may touch the other side: what the sync writes there, it writes with the rights of its owner. The tables that
    v2 will use do not exist yet, so its rights wait for them; row-level security will show it one workspace at a time.
    """
    db.execute_script(
        conn,
        """
        create role crm_v1 login;
        create role crm_v2 login;
        grant select, insert, update, delete on all tables in schema public to crm_v1;
        grant usage on all sequences in schema public to crm_v1, crm_v2;
        grant select on public.workspaces, public.custom_fields to crm_v2;
        alter default privileges in schema public grant select, insert, update, delete on tables to crm_v2;
        """,
    )
