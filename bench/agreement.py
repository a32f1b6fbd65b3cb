"""Whether the work that was timed was done: both sides agree, nothing waits, nothing is missing."""

from __future__ import annotations

import time

from bench.case import BenchFailed
from bench.command import crmshift
from bench.databases import connect


def require_synced(dsn: str) -> None:
    """Raises where a mapped row is not what its mapping says, or a key waits in the queue."""
    _require_agreement(dsn, "")
    require_none(dsn, "keys in the queue", "select count(*) from crmshift.sync_queue")


def require_settled(dsn: str) -> int:
    """The same after a drain, for work where one may wait for another: how many keys had been queued. Before that every row
    that differs must have stood in the queue."""
    _require_agreement(dsn, "where not crmshift.is_outstanding(%L, d.key)")
    with connect(dsn) as conn:
        row = conn.execute("select count(*) from crmshift.sync_queue").fetchone()
    if row == (0,):
        return 0
    time.sleep(1)  # what failed is tried again after a second
    crmshift("sync", "drain", dsn=dsn)
    require_synced(dsn)
    return int(str(row and row[0]))


def _require_agreement(dsn: str, condition: str) -> None:
    with connect(dsn) as conn:
        queries = conn.execute(
            "select m.name, format('select count(*) from crmshift.drift(%%L) as d ' || %s, m.name, m.name) "
            "from crmshift.mapping as m order by m.position",
            [condition],
        ).fetchall()
    for mapping, query in queries:
        require_none(dsn, f"drift of {mapping}", str(query))


def require_filled(dsn: str) -> None:
    """Raises where a contact has no customer, or a contact with a lead fact no primary lead, or either is not alike."""
    require_none(
        dsn,
        "contacts that customers and leads do not match",
        """
        select count(*)
          from public.contacts as c
          full join public.customers as t on t.cst_id = c.id
          left join public.leads as l on l.customer_id = t.cst_id and l.is_primary
         where (c.id, c.workspace_id, c.firstname, c.lastname, c.email, c.phone_number, c.st_address, c.city, c.state, c.zip, c.created_at)
               is distinct from (t.cst_id, t.workspace_id, t.firstname, t.lastname, t.email, t.phone1, t.address1, t.city, t.state, t.zip, t.dateadded)
            or (c.lead_source, c.lead_status, c.appointment_status) is distinct from (l.source, l.disposition, l.appointment_status)
        """,
    )


def require_staged(dsn: str) -> None:
    """Raises where the column that the shape of pgroll keeps is not what it should be, or not there yet."""
    require_none(
        dsn,
        "contacts with another stage",
        "select count(*) from public.contacts where stage_to_do or stage is distinct from upper(lead_status)",
    )


def require_none(dsn: str, what: str, query: str) -> None:
    """Raises unless the query counts nothing."""
    with connect(dsn) as conn:
        row = conn.execute(query.encode()).fetchone()
    if row is None or row[0] != 0:
        raise BenchFailed(f"{what}: {row and row[0]}, in {dsn}")
