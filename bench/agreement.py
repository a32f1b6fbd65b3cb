"""Whether the work that was timed was done: both sides agree, nothing waits, nothing is missing."""

from __future__ import annotations

from bench.case import BenchFailed
from bench.databases import connect


def require_synced(dsn: str) -> None:
    """Raises where a mapped row is not what its mapping says, or a key waits in the queue."""
    with connect(dsn) as conn:
        for (mapping,) in conn.execute("select name from crmshift.mapping order by position").fetchall():
            require_none(dsn, f"drift of {mapping}", f"select count(*) from crmshift.drift('{mapping}')")
    require_none(dsn, "keys in the queue", "select count(*) from crmshift.sync_queue")


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


def require_staged(dsn: str, *, all_of_them: bool) -> None:
    """Raises where the column that the shape of pgroll keeps is not what it should be."""
    to_do = "" if all_of_them else "not stage_to_do and "
    require_none(
        dsn,
        "contacts with another stage",
        f"select count(*) from public.contacts where {to_do}stage is distinct from upper(lead_status)",
    )


def require_none(dsn: str, what: str, query: str) -> None:
    """Raises unless the query counts nothing."""
    with connect(dsn) as conn:
        row = conn.execute(query).fetchone()
    if row is None or row[0] != 0:
        raise BenchFailed(f"{what}: {row and row[0]}, in {dsn}")
