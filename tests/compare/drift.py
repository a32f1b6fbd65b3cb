"""What a DBA does to a migrated database, and should not have."""

from __future__ import annotations

import psycopg


def drift(connection: psycopg.Connection) -> None:
    """Alter a trigger's function, drop an index, turn off a trigger, open two policies, and no longer force row-level security."""
    body = connection.execute("select pg_get_functiondef('crmshift.tg_contacts'::regproc)").fetchone()
    assert body is not None
    connection.execute(body[0].replace("begin", "begin\n    perform 1;", 1))
    connection.execute("""
        drop index public.customer_has_one_primary_lead;
        alter table public.contacts disable trigger crmshift_sync_update;
        alter policy customers_of_workspace on public.customers using (true);
        create policy open_to_all on public.leads using (true);
        alter table public.leads no force row level security;
    """)
