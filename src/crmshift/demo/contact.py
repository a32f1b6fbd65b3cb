"""One contact of the demo, shown side by side, and written to show how each side sees the other."""

from __future__ import annotations

from typing import Any

import psycopg

from crmshift.cli.output import table
from crmshift.demo.application import Contact
from crmshift.demo.traffic import Traffic

_CHOICE = """
select c.id, c.workspace_id from public.contacts as c
 order by nullif(c.lead_status, '') is not null desc,
          exists (select from public.appointments as a where a.contact_id = c.id) desc,
          exists (select from public.contact_custom_fields as f where f.contact_id = c.id) desc,
          num_nonnulls(nullif(firstname, ''), lastname, nullif(email, ''), phone_number, city, lead_source) desc, md5(c.id::text)
 limit 1
"""

# Each value is read from its own side; what belongs together stands in one row.
_BOTH_SIDES = """
select v.*
  from public.contacts as c
  join public.customers as t on t.cst_id = c.id
  left join public.leads as l on l.customer_id = t.cst_id and l.is_primary
 cross join lateral (values
    (1, 'firstname', c.firstname, 'firstname', t.firstname),
    (1, 'lastname', c.lastname, 'lastname', t.lastname),
    (1, 'email', c.email, 'email', t.email),
    (1, 'phone_number', c.phone_number, 'phone1', t.phone1),
    (1, 'city', c.city, 'city', t.city),
    (2, 'lead_source', c.lead_source, 'source', l.source),
    (2, 'lead_status', c.lead_status, 'disposition', l.disposition),
    (2, 'appointment_status', c.appointment_status, 'appointment_status', l.appointment_status)) as v
 where c.id = %s
union all (
select 3, d.name, f.value, d.name, t.value
  from public.contact_custom_fields as f join public.custom_fields as d on d.id = f.field_id
  left join public.customer_custom_fields as t on t.customer_id = f.contact_id and t.field_id = f.field_id
 where f.contact_id = %s order by f.field_id limit 4)
union all (
select 4, 'number ' || a.id, concat_ws(' ', a.apptdate::date, a.status), 'number ' || t.id, concat_ws(' ', t.apptdate::date, t.status)
  from public.appointments as a left join public.lead_appointments as t on t.id = a.id
 where a.contact_id = %s order by a.id limit 4)
"""
_TABLES = {
    1: ("contacts", "customers"),
    2: ("contacts", "leads"),
    3: ("contact_custom_fields", "customer_custom_fields"),
    4: ("appointments", "lead_appointments"),
}


def choose(conn: psycopg.Connection[Any]) -> Contact:
    """The contact with most to show."""
    row = conn.execute(_CHOICE).fetchone()
    assert row is not None
    return Contact(*row)


def both_sides(conn: psycopg.Connection[Any], contact: Contact) -> Any:
    """The contact as a table: what legacy holds, and beside it what the lead-centric side holds."""
    made = table("legacy", "", "lead-centric", "")
    made.columns[0].overflow = made.columns[2].overflow = "ellipsis"
    part = 0
    for number, ours, left, theirs, right in conn.execute(_BOTH_SIDES, [contact.id] * 3).fetchall():
        if number != part:
            part = number
            made.add_section()
            made.add_row(*(cell for name in _TABLES[part] for cell in (f"[bold]{name}[/bold]", "")))
        made.add_row(f"  [dim]{ours}[/dim]", _value(left), f"  [dim]{theirs}[/dim]", _value(right))
    return made


def write_and_look(conn: psycopg.Connection[Any], traffic: Traffic, contact: Contact) -> tuple[Any, bool]:
    """Write on each side and read the other, on another connection: a table, and whether it all was seen as it should."""
    made = table("by", "writes", "on the other side", "before", "after")
    as_told = True
    disposition = "select disposition from public.leads where customer_id = %s and is_primary"
    status = "select lead_status from public.contacts where id = %s"
    for side, writes, other, query, write, expected in (
        ("v1", "contacts.lead_status", "leads.disposition", disposition, _write_status, "Negotiation"),
        ("v2", "leads.disposition", "contacts.lead_status", status, _write_disposition, "Won"),
        ("v2", "a second lead, New", "contacts.lead_status", status, _write_second_lead, "Won"),
    ):
        before = _one(conn, query, contact)
        session = traffic.session(side)
        try:
            with session.transaction(contact.workspace):
                write(session, contact)
        finally:
            session.close()
        after = _one(conn, query, contact)
        good = after == expected
        as_told = as_told and good
        mark = "[green]✓[/green]" if good else "[red]✗[/red]"
        made.add_row(side, writes, other, _value(before), f"{_value(after)} {mark}")
    return made, as_told


def leads(conn: psycopg.Connection[Any], contact: Contact) -> Any:
    """The leads of the customer."""
    made = table("lead", "product", "source", "disposition", "seen by legacy")
    for number, (product, source, disposition, primary) in enumerate(
        conn.execute(
            """
            select productid, source, disposition, is_primary from public.leads
             where customer_id = %s order by is_primary desc, entrydate
            """,
            [contact.id],
        ),
        start=1,
    ):
        seen = "yes, it is the primary one" if primary else "[yellow]no[/yellow]"
        made.add_row(str(number), _value(product), _value(source), _value(disposition), seen)
    return made


def _write_status(app: Any, contact: Contact) -> None:
    app.both(
        "update contacts set lead_status = 'Negotiation', updated_at = %s where id = %s returning id",
        [app.clock.now(), contact.id],
    )


def _write_disposition(app: Any, contact: Contact) -> None:
    now = app.clock.now()
    app.run(
        "update leads set disposition = 'Won', lastchangedon = %s where customer_id = %s and is_primary",
        [now, contact.id],
    )
    app.means("update contacts set lead_status = 'Won', updated_at = %s where id = %s", [now, contact.id])


def _write_second_lead(app: Any, contact: Contact) -> None:
    app.run(
        """
        insert into leads (customer_id, workspace_id, productid, source, disposition, entrydate, lastchangedon)
        values (%s, %s, 'battery', 'referral', 'New', %s, %s)
        """,
        [contact.id, contact.workspace, app.clock.now(), app.clock.now()],
    )


def _one(conn: psycopg.Connection[Any], query: Any, contact: Contact) -> str | None:
    row = conn.execute(query, [contact.id]).fetchone()
    return row[0] if row else None


def _value(value: str | None) -> str:
    from rich.markup import escape

    return "[dim]NULL[/dim]" if value is None else escape(value) if value else "[dim]''[/dim]"
