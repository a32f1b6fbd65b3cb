"""What can go wrong on a side while the other writes: constraints and triggers that somebody added, and their removal."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.support.tables import LEGACY

_TEXTS = {
    "contacts": ("city", "lead_status"),
    "customers": ("city",),
    "leads": ("disposition",),
    "contact_custom_fields": ("value",),
    "customer_custom_fields": ("value",),
    "appointments": ("status",),
    "lead_appointments": ("status",),
}


@dataclass(frozen=True)
class Fault:
    """A name, by which it is there once at most; how it comes about, and how it goes."""

    name: str
    table: str
    add: tuple[str, ...]
    drop: tuple[str, ...]


def refused(table: str, column: str) -> Fault:
    """Values marked `$B` are not taken."""
    name = f"refuses_{column}"
    return Fault(
        f"{table}.{name}",
        table,
        (f"alter table {table} add constraint {name} check ({column} not like '%!') not valid",),
        (f"alter table {table} drop constraint {name}",),
    )


def frozen(table: str) -> Fault:
    """No row is taken at all."""
    return Fault(
        f"{table}.frozen",
        table,
        (f"alter table {table} add constraint frozen check (false) not valid",),
        (f"alter table {table} drop constraint frozen",),
    )


def triggered(table: str, name: str, event: str, body: str) -> Fault:
    """A trigger that runs before each row is written."""
    function = f"{table}_{name}"
    return Fault(
        f"{table}.{name}",
        table,
        (
            f"create function {function}() returns trigger language plpgsql as $$ begin {body} end $$",
            f"create trigger {name} before {event} on {table} for each row execute function {function}()",
        ),
        (f"drop function {function}() cascade",),
    )


def raising(table: str, event: str) -> Fault:
    return triggered(table, f"raises_on_{event}", event, "raise exception 'not today';")


def suppressing(table: str, event: str) -> Fault:
    return triggered(table, f"suppresses_{event}", event, "return null;")


def normalising(table: str, column: str, function: str) -> Fault:
    body = f"new.{column} := {function}(new.{column}); return new;"
    return triggered(table, f"{function}s_{column}", "insert or update", body)


def deferring(table: str, column: str) -> Fault:
    """Values marked `$B` are not taken, which shows at COMMIT."""
    name, function = f"defers_{column}", f"{table}_defers_{column}"
    return Fault(
        f"{table}.{name}",
        table,
        (
            f"create function {function}() returns trigger language plpgsql as $$ begin"
            f" if new.{column} like '%!' then raise exception 'not at last'; end if; return null; end $$",
            f"create constraint trigger {name} after insert or update on {table} deferrable initially deferred"
            f" for each row execute function {function}()",
        ),
        (f"drop function {function}() cascade",),
    )


def meddling(table: str, when: str, body: str) -> Fault:
    """An application's own trigger that writes more than it was asked to."""
    function = f"{table}_meddles"
    return Fault(
        f"{table}.meddles",
        table,
        (
            f"create function {function}() returns trigger language plpgsql as $$ begin {body}; return null; end $$",
            f"create trigger meddles after {when} on {table} for each row execute function {function}()",
        ),
        (f"drop function {function}() cascade",),
    )


_tables = st.sampled_from(sorted(_TEXTS))
_columns = st.sampled_from([(table, column) for table, columns in _TEXTS.items() for column in columns])

refusals = _columns.map(lambda drawn: refused(*drawn))
deferrals = _columns.map(lambda drawn: deferring(*drawn))
freezes = _tables.map(frozen)
raises = st.builds(raising, _tables, st.sampled_from(["insert", "update", "delete"]))
# What a cascade writes must not be suppressed: that breaks the foreign key, with or without crmshift.
suppressions = st.sampled_from(
    [
        *(suppressing(table, "insert") for table in sorted(_TEXTS)),
        *(suppressing(table, "update") for table in (*LEGACY, "customers")),
        *(suppressing(table, "delete") for table in ("contacts", "customers", "leads")),
    ]
)
normalisations = st.builds(
    lambda drawn, f: normalising(drawn[0], drawn[1], f), _columns, st.sampled_from(["lower", "upper"])
)
# No fault, but it comes and goes like one: a lead without a disposition worth the name makes way for another.
closing = Fault(
    "closing",
    "leads",
    ("update crmshift.primary_lead_rule set closed = array['']",),
    ("update crmshift.primary_lead_rule set closed = '{}'",),
)

# Each writes what nobody else does, once.
meddlers = st.sampled_from(
    [
        meddling("contacts", "update of lead_status", "update contacts set state = 'meddled' where id = new.id and state is distinct from 'meddled'"),
        meddling("contacts", "update of city", "insert into appointments (contact_id, status) select new.id, 'meddled' where not crmshift.is_syncing()"),
        meddling("contacts", "insert or update of zip", "update leads set appointment_status = 'meddled' where customer_id = new.id and appointment_status is distinct from 'meddled'"),
        meddling("customers", "insert or update", "update customers set state = 'meddled' where cst_id = new.cst_id and state is distinct from 'meddled'"),
        meddling("customers", "update of city", "update leads set appointment_status = 'meddled' where customer_id = new.cst_id and appointment_status is distinct from 'meddled'"),
        meddling("leads", "insert", "insert into lead_appointments (lead_id, workspace_id, status) values (new.id, new.workspace_id, 'meddled')"),
        meddling("leads", "update of disposition", "update customers set state = 'meddled' where cst_id = new.customer_id and state is distinct from 'meddled'"),
        meddling("appointments", "insert or update", "update contacts set appointment_status = 'meddled' where id = new.contact_id and appointment_status is distinct from 'meddled'"),
        meddling("lead_appointments", "insert or update", "update leads set appointment_status = 'meddled' where id = new.lead_id and appointment_status is distinct from 'meddled'"),
    ]
)  # fmt: skip

any_fault = st.one_of(refusals, deferrals, freezes, raises, suppressions, normalisations, meddlers, st.just(closing))
