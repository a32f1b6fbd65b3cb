"""Every check finds the damage it is for, names it rightly, and is the only one to speak; undamaged, none does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from crmshift import db as connections
from crmshift.errors import Refused, UsageError
from crmshift.plan import load
from crmshift.project import Project, packaged_root
from crmshift.validation import checks
from crmshift.validation.result import Severity
from tests.support.databases import Databases
from tests.support.servers import Server
from tests.support.templates import (
    ADA,
    BEN,
    EMIL,
    FIELD,
    FIELD_OF_OTHER_WORKSPACE,
    NOBODY,
    OTHER_WORKSPACE,
    WORKSPACE,
    apply_to,
    roll_back_to,
)

PLAN = load(packaged_root() / "plans" / "lead_centric.yaml")
CLERK, TENANT = "checks_clerk", "checks_tenant"

Found = dict[str, set[tuple[str, Any, str]]]


@pytest.fixture(scope="module")
def shared(server: Server, databases: Databases) -> Iterator[psycopg.Connection]:
    """One database with rows on every table of the target, and two roles: each test rolls back."""
    name = databases.clone("parallel")
    with psycopg.connect(server.dsn(name), autocommit=True) as connection:
        connection.execute(
            f"""
            insert into lead_custom_fields (lead_id, field_id, workspace_id, value)
            select id, '{FIELD}', workspace_id, 'spring' from leads where customer_id = '{ADA}';
            insert into appointment_custom_fields (appointment_id, field_id, workspace_id, value)
            select 1, '{FIELD}', '{WORKSPACE}', 'met';
            create role {CLERK}; create role {TENANT};
            """
        )
        yield connection
        connection.execute(f"drop owned by {CLERK}, {TENANT}; drop role {CLERK}; drop role {TENANT}")
    databases.drop(name)


@pytest.fixture
def conn(shared: psycopg.Connection) -> Iterator[psycopg.Connection]:
    with shared.transaction(force_rollback=True):
        yield shared


def found(conn: psycopg.Connection) -> Found:
    """What all checks find, by name; without those that find nothing."""
    rows = conn.execute(
        """select l.name, c.subject, c.key::text, c.detail
             from (select name from crmshift.check_list offset 0) as l cross join lateral crmshift.run_check(l.name) as c"""
    ).fetchall()
    result: Found = {}
    for name, subject, key, detail in rows:
        result.setdefault(name, set()).add((subject, key, detail))
    return result


def behind(conn: psycopg.Connection, statements: str) -> None:
    """As a session that fires no trigger."""
    conn.execute("set local session_replication_role = replica")
    conn.execute(statements)
    conn.execute("set local session_replication_role = origin")


def test_undamaged_nothing_is_found_in_any_phase(make_database: Callable[[str], str]) -> None:
    dsn = make_database("seeded")
    for phase in PLAN.phases:
        apply_to(dsn, phase.name)
        with psycopg.connect(dsn, autocommit=True) as conn:
            expected = {"backfill_complete", "counts", "drift"} if phase.name == "sync-layer" else set()
            assert {name.split("_")[0] if name.startswith("drift") else name for name in found(conn)} == expected, (
                phase.name
            )
    roll_back_to(dsn, "sync-layer")
    apply_to(dsn, PLAN.phases[-1].name)
    with psycopg.connect(dsn, autocommit=True) as conn:
        assert found(conn) == {}


def test_every_check_says_what_must_hold_and_what_to_do(conn: psycopg.Connection) -> None:
    listed = conn.execute("select name, title, severity, remedy from crmshift.check_list").fetchall()
    files = {p.stem for p in (packaged_root() / "sql" / "validation").glob("*.sql")}
    assert {row[0] for row in listed if not row[0].startswith("drift_")} == files
    for name, title, severity, remedy in listed:
        assert title and "\n" not in title and not title.endswith("."), name
        assert remedy, name
        assert severity == (
            "warning" if name in ("access_parity", "field_definitions", "unmapped_columns") else "error"
        ), name


# --- damage to what the steps made: statements, the check, and what it says ---------------------------------------------

TURNED_OFF = """
do $$ begin execute (
    select string_agg(format('alter table %s disable trigger %I', tgrelid::regclass, tgname), ';') from pg_trigger
     where tgrelid = '{on}'::regclass and tgconstraint = (select oid from pg_constraint where conname = '{constraint}' and conparentid = 0));
end $$"""

STRUCTURE: dict[str, tuple[str, str, tuple[str, str | None, str]]] = {
    "trigger disabled": (
        "alter table contacts disable trigger crmshift_sync_update",
        "triggers_attached",
        ("public.contacts", '{"trigger": "crmshift_sync_update"}', "trigger is disabled"),
    ),
    "trigger that fires for replicas only": (
        "alter table leads enable replica trigger crmshift_sync_insert",
        "triggers_attached",
        ("public.leads", '{"trigger": "crmshift_sync_insert"}', "trigger is disabled"),
    ),
    "trigger dropped": (
        "drop trigger crmshift_sync_delete on appointments",
        "triggers_attached",
        ("public.appointments", '{"trigger": "crmshift_sync_delete"}', "trigger is missing"),
    ),
    "trigger of the primary lead dropped": (
        "drop trigger crmshift_ask_primary_lead on leads",
        "triggers_attached",
        ("public.leads", '{"trigger": "crmshift_ask_primary_lead"}', "trigger is missing"),
    ),
    "trigger of crmshift's own table disabled": (
        "alter table crmshift.primary_lead_wanted disable trigger user",
        "triggers_attached",
        (
            "crmshift.primary_lead_wanted",
            '{"trigger": "customer_with_leads_has_a_primary_one"}',
            "trigger is disabled",
        ),
    ),
    "trigger that calls another function": (
        """create function public.nothing() returns trigger language plpgsql as 'begin return null; end';
           create or replace trigger crmshift_sync_truncate after truncate on contacts for each statement execute function public.nothing()""",
        "triggers_attached",
        (
            "public.contacts",
            '{"trigger": "crmshift_sync_truncate"}',
            "trigger is not as attach/contacts made it",
        ),
    ),
    "trigger with a WHEN": (
        """create or replace trigger crmshift_sync_delete after delete on contacts referencing old table as was
           for each statement when (current_user <> 'me') execute function crmshift.tg_contacts()""",
        "triggers_attached",
        (
            "public.contacts",
            '{"trigger": "crmshift_sync_delete"}',
            "trigger is not as attach/contacts made it",
        ),
    ),
    "derived function replaced": (
        "create or replace function crmshift.remove_leads(of_customer_id uuid[]) returns bigint language sql as 'select 0::bigint'",
        "functions_unaltered",
        (
            "crmshift.remove_leads(of_customer_id uuid[])",
            '{"function": "crmshift.remove_leads(of_customer_id uuid[])"}',
            "function is not as install/leads made it",
        ),
    ),
    "function of the engine replaced": (
        "create or replace function crmshift.is_syncing() returns boolean language sql stable as 'select false'",
        "functions_unaltered",
        (
            "crmshift.is_syncing()",
            '{"function": "crmshift.is_syncing()"}',
            "function is not as schema/engine made it",
        ),
    ),
    "another setting of a function": (
        "alter function crmshift.tg_contacts() set lock_timeout = '1h'",
        "functions_unaltered",
        (
            "crmshift.tg_contacts()",
            '{"function": "crmshift.tg_contacts()"}',
            "function is not as attach/contacts made it",
        ),
    ),
    "function without its owner's rights": (
        "alter function crmshift.tg_leads() security invoker",
        "functions_unaltered",
        (
            "crmshift.tg_leads()",
            '{"function": "crmshift.tg_leads()"}',
            "function is not as attach/leads made it",
        ),
    ),
    "function dropped": (
        "drop function crmshift.held(text, jsonb)",
        "functions_unaltered",
        (
            "crmshift.held(of_mapping text, keys jsonb)",
            '{"function": "crmshift.held(of_mapping text, keys jsonb)"}',
            "function is gone",
        ),
    ),
    "check replaced": (
        """create or replace function crmshift.check_orphans(of_workspace uuid default null)
           returns table (subject text, key jsonb, detail text, workspace uuid) language sql as
           'select null::text, null::jsonb, null::text, null::uuid where false'""",
        "functions_unaltered",
        (
            "crmshift.check_orphans(of_workspace uuid)",
            '{"function": "crmshift.check_orphans(of_workspace uuid)"}',
            "function is not as validation/orphans made it",
        ),
    ),
    "view of a mapping replaced": (
        """create or replace view crmshift.appointments_expected as
           select a.id, l.customer_id as contact_id, a.scheduled_at, a.apptdate, a.status, a.reminder_sent
             from public.lead_appointments as a join public.leads as l on l.id = a.lead_id""",
        "functions_unaltered",
        (
            "crmshift.appointments_expected",
            '{"view": "crmshift.appointments_expected"}',
            "view is not as mapping/appointments made it",
        ),
    ),
    "view that no longer asks with the caller's rights": (
        "alter view crmshift.visible_customer set (security_invoker = false)",
        "functions_unaltered",
        (
            "crmshift.visible_customer",
            '{"view": "crmshift.visible_customer"}',
            "view is not as schema/lead_operations made it",
        ),
    ),
    "statement that a trigger function executes": (
        "update crmshift.capture set noting = 'select 1' where source = 'public.leads' and operation = 'UPDATE'",
        "functions_unaltered",
        (
            "crmshift.capture",
            '{"source": "public.leads", "operation": "UPDATE"}',
            "its statements are not as crmshift.capture_of words them",
        ),
    ),
    "column with another default": (
        "alter table leads alter column is_primary set default true",
        "schema_unaltered",
        ("public.leads", '{"column": "is_primary"}', "column is not as schema/leads made it"),
    ),
    "column dropped": (
        "alter table crmshift.archive drop column at",
        "schema_unaltered",
        ("crmshift.archive", '{"column": "at"}', "column is gone"),
    ),
    "table dropped": (
        "drop table appointment_custom_fields cascade",
        "schema_unaltered",
        ("public.appointment_custom_fields", '{"table": "public.appointment_custom_fields"}', "table is gone"),
    ),
    "constraint dropped": (
        "alter table lead_appointments drop constraint appointment_belongs_to_lead_of_its_workspace",
        "schema_unaltered",
        (
            "public.lead_appointments",
            '{"constraint": "appointment_belongs_to_lead_of_its_workspace"}',
            "constraint is gone",
        ),
    ),
    "primary key dropped": (
        "alter table customer_custom_fields drop constraint customer_custom_fields_pkey",
        "schema_unaltered",
        ("public.customer_custom_fields", '{"constraint": "customer_custom_fields_pkey"}', "constraint is gone"),
    ),
    "constraint that does something else": (
        """alter table lead_appointments drop constraint appointment_belongs_to_lead_of_its_workspace,
           add constraint appointment_belongs_to_lead_of_its_workspace foreign key (workspace_id, lead_id)
               references leads (workspace_id, id) on update cascade on delete set null""",
        "schema_unaltered",
        (
            "public.lead_appointments",
            '{"constraint": "appointment_belongs_to_lead_of_its_workspace"}',
            "constraint is not as schema/lead_appointments made it",
        ),
    ),
    "constraint NOT VALID": (
        """alter table lead_appointments drop constraint appointment_belongs_to_lead_of_its_workspace,
           add constraint appointment_belongs_to_lead_of_its_workspace foreign key (workspace_id, lead_id)
               references leads (workspace_id, id) on update cascade on delete cascade not valid""",
        "constraints_validated",
        (
            "public.lead_appointments",
            '{"constraint": "appointment_belongs_to_lead_of_its_workspace"}',
            "constraint is NOT VALID",
        ),
    ),
    "foreign key turned off": (
        TURNED_OFF.format(on="lead_appointments", constraint="appointment_belongs_to_lead_of_its_workspace"),
        "constraints_validated",
        (
            "public.lead_appointments",
            '{"constraint": "appointment_belongs_to_lead_of_its_workspace"}',
            "constraint is turned off: its triggers on public.lead_appointments are disabled",
        ),
    ),
    "foreign key turned off where it points": (
        TURNED_OFF.format(on="leads", constraint="appointment_belongs_to_lead_of_its_workspace"),
        "constraints_validated",
        (
            "public.lead_appointments",
            '{"constraint": "appointment_belongs_to_lead_of_its_workspace"}',
            "constraint is turned off: its triggers on public.leads are disabled",
        ),
    ),
    "index dropped": (
        "drop index leads_stage_idx",
        "schema_unaltered",
        ("public.leads", '{"index": "leads_stage_idx"}', "index is gone"),
    ),
    "index that leaves rows out": (
        "drop index customer_has_one_primary_lead; create unique index customer_has_one_primary_lead on leads (customer_id) where is_primary and disposition <> 'x'",
        "schema_unaltered",
        ("public.leads", '{"index": "customer_has_one_primary_lead"}', "index is not as schema/leads made it"),
    ),
    "index invalid": (
        "update pg_index set indisvalid = false where indexrelid = 'customers_email_idx'::regclass",
        "indexes_valid",
        ("public.customers", '{"index": "customers_email_idx"}', "index is invalid"),
    ),
    "index of legacy invalid": (
        "update pg_index set indisvalid = false where indexrelid = 'contacts_email_idx'::regclass",
        "indexes_valid",
        ("public.contacts", '{"index": "contacts_email_idx"}', "index is invalid"),
    ),
    "policy dropped": (
        "drop policy leads_of_workspace on leads",
        "row_security",
        ("public.leads", '{"policy": "leads_of_workspace"}', "policy is gone"),
    ),
    "policy changed": (
        "alter policy customers_of_workspace on customers using (workspace_id is not null)",
        "row_security",
        ("public.customers", '{"policy": "customers_of_workspace"}', "policy is not as schema/customers made it"),
    ),
    "policy for other roles": (
        "alter policy customers_of_owner on customers to public",
        "row_security",
        ("public.customers", '{"policy": "customers_of_owner"}', "policy is not as schema/customers made it"),
    ),
    "policy added": (
        "create policy all_of_it on lead_appointments for select using (true)",
        "row_security",
        ("public.lead_appointments", '{"policy": "all_of_it"}', "policy was added, and holds for everybody"),
    ),
    "row-level security off": (
        "alter table lead_custom_fields disable row level security",
        "row_security",
        ("public.lead_custom_fields", None, "row-level security is off"),
    ),
    "row-level security not forced": (
        "alter table customers no force row level security",
        "row_security",
        ("public.customers", None, "row-level security is not forced on the owner"),
    ),
    "granted to everybody": (
        "grant select on leads to public",
        "public_grants",
        ("public.leads", '{"privilege": "select"}', "is granted to PUBLIC"),
    ),
    "a column granted to everybody": (
        "grant update (disposition) on leads to public",
        "public_grants",
        ("public.leads", '{"privilege": "update"}', "is granted to PUBLIC"),
    ),
    "crmshift's tables granted to everybody": (
        "grant delete on crmshift.sync_queue to public",
        "public_grants",
        ("crmshift.sync_queue", '{"privilege": "delete"}', "is granted to PUBLIC"),
    ),
    "crmshift's schema granted to everybody": (
        "grant usage on schema crmshift to public",
        "public_grants",
        ("crmshift", '{"privilege": "usage"}', "is granted to PUBLIC"),
    ),
    "definer without a search_path": (
        "create function crmshift.helper() returns integer language sql security definer as 'select 1'",
        "definer_functions",
        ("crmshift.helper", None, "search_path is not pinned"),
    ),
    "definer that meets temporary tables first": (
        "create function crmshift.helper() returns integer language sql security definer set search_path = pg_catalog, public as 'select 1'",
        "definer_functions",
        ("crmshift.helper", None, "pg_temp is not last in its search_path"),
    ),
    "definer of another owner": (
        f"alter function crmshift.tg_contacts() owner to {CLERK}",
        "definer_functions",
        ("crmshift.tg_contacts", None, "its owner is not that of schema crmshift"),
    ),
    "column of legacy that came later": (
        "alter table contacts add column birthday date",
        "unmapped_columns",
        ("public.contacts", '{"column": "birthday"}', "column came later, and no mapping reads it"),
    ),
    "role that may do more": (
        f"grant select, update on customers to {CLERK}; grant select on contacts to {CLERK}; grant select on leads to {CLERK}",
        "access_parity",
        ("public.customers", f'{{"role": "{CLERK}"}}', "may update here, and not in public.contacts"),
    ),
    "role that may do less": (
        f"grant select, delete on contact_custom_fields to {CLERK}; grant delete on customer_custom_fields to {CLERK}",
        "access_parity",
        (
            "public.customer_custom_fields",
            f'{{"role": "{CLERK}"}}',
            "may select in public.contact_custom_fields, and not here",
        ),
    ),
    "policy of legacy without a counterpart": (
        """alter table appointments enable row level security;
           create policy open_ones on appointments for select using (status = 'open')""",
        "access_parity",
        (
            "public.lead_appointments",
            '{"policy": "open_ones"}',
            "what this policy says of public.appointments, none says here",
        ),
    ),
}


@pytest.mark.parametrize("damage", STRUCTURE)
def test_damage_to_what_the_steps_made_is_found_and_nothing_else(conn: psycopg.Connection, damage: str) -> None:
    statements, check, finding = STRUCTURE[damage]
    conn.execute(statements)
    if damage == "table dropped":  # what reads it fails; that is no finding
        assert conn.execute("select subject, key::text, detail from crmshift.check_schema_unaltered()").fetchall() == [
            finding
        ]
        return
    if "primary_lead_wanted" in statements:
        conn.execute("set constraints all immediate")
    assert found(conn) == {check: {finding}}


# --- damage to rows, behind the triggers --------------------------------------------------------------------------------

LEAD = f"(select id from leads where customer_id = '{ADA}')"
ROWS: dict[str, tuple[str, Found]] = {
    "workspace gone": (
        f"insert into customers (cst_id, workspace_id) values ('{NOBODY}', '{NOBODY}'); insert into contacts (id, workspace_id) values ('{NOBODY}', '{NOBODY}'); "
        f"update customers set dateadded = c.created_at, lastchanged = c.updated_at from contacts as c where c.id = cst_id and cst_id = '{NOBODY}'",
        {"orphans": {("customers", f'{{"cst_id": "{NOBODY}"}}', "its workspace is gone")}},
    ),
    "field definition gone": (
        f"delete from custom_fields where id = '{FIELD_OF_OTHER_WORKSPACE}'",
        {
            "orphans": {
                (
                    "customer_custom_fields",
                    f'{{"field_id": "{FIELD_OF_OTHER_WORKSPACE}", "customer_id": "{EMIL}"}}',
                    "its field definition is gone",
                )
            }
        },
    ),
    "lead of a lead's field gone": (
        f"update lead_custom_fields set lead_id = '{NOBODY}'",
        {"orphans": {("lead_custom_fields", f'{{"lead_id": "{NOBODY}", "field_id": "{FIELD}"}}', "its lead is gone")}},
    ),
    "appointment of a field gone": (
        "update appointment_custom_fields set appointment_id = 99",
        {
            "orphans": {
                (
                    "appointment_custom_fields",
                    f'{{"field_id": "{FIELD}", "appointment_id": 99}}',
                    "its appointment is gone",
                )
            }
        },
    ),
    "second lead in another workspace": (
        f"insert into leads (id, customer_id, workspace_id) values ('{NOBODY}', '{ADA}', '{OTHER_WORKSPACE}')",
        {"workspaces_match": {("leads", f'{{"id": "{NOBODY}"}}', "its customer is of another workspace")}},
    ),
    "field of a lead in another workspace": (
        f"update lead_custom_fields set workspace_id = '{OTHER_WORKSPACE}', field_id = '{FIELD_OF_OTHER_WORKSPACE}'",
        {
            "workspaces_match": {
                (
                    "lead_custom_fields",
                    f'{{"lead_id": LEAD, "field_id": "{FIELD_OF_OTHER_WORKSPACE}"}}',
                    "its lead is of another workspace",
                )
            }
        },
    ),
    "field definition of another workspace": (
        f"update appointment_custom_fields set field_id = '{FIELD_OF_OTHER_WORKSPACE}'",
        {
            "field_definitions": {
                (
                    "appointment_custom_fields",
                    f'{{"field_id": "{FIELD_OF_OTHER_WORKSPACE}", "appointment_id": 1}}',
                    "its field definition is of another workspace",
                )
            }
        },
    ),
    "two values of one field": (
        "alter table lead_custom_fields drop constraint lead_custom_fields_pkey; insert into lead_custom_fields select * from lead_custom_fields",
        {
            "duplicates": {
                ("lead_custom_fields", f'{{"lead_id": LEAD, "field_id": "{FIELD}"}}', "it is there 2 times")
            },
            "schema_unaltered": {
                ("public.lead_custom_fields", '{"constraint": "lead_custom_fields_pkey"}', "constraint is gone")
            },
        },
    ),
    "a contact that is there twice": (
        f"alter table contacts drop constraint contacts_pkey cascade; insert into contacts select * from contacts where id = '{BEN}'",
        {
            "duplicates": {("contacts", f'{{"id": "{BEN}"}}', "it is there 2 times")},
            "counts": {("workspaces", f'{{"workspace_id": "{WORKSPACE}"}}', "contacts: 5, customers: 4")},
        },
    ),
    "nothing to compare": (
        "delete from contacts; delete from customers; delete from contact_custom_fields; delete from appointments; delete from leads; delete from lead_appointments;"
        "delete from customer_custom_fields; delete from lead_custom_fields; delete from appointment_custom_fields",
        {"rows_compared": {("contacts", None, "there is neither a contact nor a customer to compare")}},
    ),
    "a key in the queue": (
        f"insert into crmshift.sync_queue (subject, key, side, reason, sqlstate) values ('contacts', '{{\"id\": \"{ADA}\"}}', 'legacy', 'failed', '22001')",
        {"sync_queue": {("contacts", f'{{"id": "{ADA}"}}', "failed 22001")}},
    ),
    "an open conflict": (
        f"insert into crmshift.sync_queue (subject, key, side, reason) values ('contacts', '{{\"id\": \"{ADA}\"}}', 'legacy', 'manual');"
        "alter table crmshift.conflict_log alter column id restart with 17;"
        f"insert into crmshift.conflict_log (subject, key, kind, columns, policy) values ('contacts', '{{\"id\": \"{ADA}\"}}', 'update_origin_differs', '{{city}}', 'manual')",
        {"conflicts": {("contacts", f'{{"id": "{ADA}"}}', "conflict 17 waits for a decision: city")}},
    ),
    "a manual conflict that nobody logged": (
        f"insert into crmshift.sync_queue (subject, key, side, reason) values ('contacts', '{{\"id\": \"{ADA}\"}}', 'legacy', 'manual')",
        {"sync_queue": {("contacts", f'{{"id": "{ADA}"}}', "manual")}},
    ),
}


@pytest.mark.parametrize("damage", ROWS)
def test_damage_to_rows_is_found_and_nothing_else(conn: psycopg.Connection, damage: str) -> None:
    statements, expected = ROWS[damage]
    row = conn.execute(f"select to_json({LEAD})::text").fetchone()
    assert row is not None
    behind(conn, statements)
    wanted = {
        check: {(s, k and k.replace("LEAD", row[0]), d) for s, k, d in findings} for check, findings in expected.items()
    }
    assert found(conn) == wanted


@pytest.mark.parametrize(
    ("damage", "check", "finding"),
    [
        (f"delete from customers where cst_id = '{EMIL}'", "orphans", ("leads", "its customer is gone")),
        (
            f"delete from customers where cst_id = '{EMIL}'",
            "orphans",
            ("customer_custom_fields", "its customer is gone"),
        ),
        (f"delete from leads where customer_id = '{ADA}'", "orphans", ("lead_appointments", "its lead is gone")),
        (
            f"update lead_appointments set workspace_id = '{OTHER_WORKSPACE}' where id = 1",
            "workspaces_match",
            ("lead_appointments", "its lead is of another workspace"),
        ),
        (
            f"update customers set workspace_id = '{OTHER_WORKSPACE}' where cst_id = '{ADA}'",
            "workspaces_match",
            ("leads", "its customer is of another workspace"),
        ),
        (
            f"update leads set is_primary = false where customer_id = '{ADA}'",
            "primary_lead",
            ("leads", "1 leads, 0 of them primary"),
        ),
        (
            f"drop index customer_has_one_primary_lead; insert into leads (customer_id, workspace_id, is_primary) values ('{ADA}', '{WORKSPACE}', true)",
            "primary_lead",
            ("leads", "2 leads, 2 of them primary"),
        ),
        (
            f"delete from customers where cst_id = '{BEN}'",
            "counts",
            ("workspaces", "contacts: 4, customers: 3"),
        ),
    ],
)
def test_damage_that_also_makes_rows_differ_is_found_beside_the_drift(
    conn: psycopg.Connection, damage: str, check: str, finding: tuple[str, str]
) -> None:
    behind(conn, damage)
    assert finding in {(subject, detail) for subject, _, detail in found(conn)[check]}


def test_a_key_in_the_queue_is_not_counted_as_missing(conn: psycopg.Connection) -> None:
    behind(conn, f"delete from customers where cst_id = '{BEN}'")
    conn.execute(
        "insert into crmshift.sync_queue (subject, key, side, reason) values ('contacts', jsonb_build_object('id', %s::text), 'legacy', 'paused')",
        [BEN],
    )
    assert set(found(conn)) == {"sync_queue"}


def test_a_workspace_that_is_asked_for_is_the_one_that_is_checked(conn: psycopg.Connection) -> None:
    behind(conn, f"update leads set is_primary = false where customer_id = '{ADA}'")
    query = "select workspace::text from crmshift.run_check('primary_lead', %s)"
    assert conn.execute(query, [WORKSPACE]).fetchall() == [(WORKSPACE,)]
    assert conn.execute(query, [OTHER_WORKSPACE]).fetchall() == []


def test_the_same_rights_and_policies_on_both_sides_are_at_par(conn: psycopg.Connection) -> None:
    """However the policies are worded: another way to take an unset setting, other names of columns."""
    conn.execute(
        f"""
        grant select, insert, update, delete on contacts, contact_custom_fields, appointments, customers, leads, customer_custom_fields, lead_appointments to {CLERK};
        alter table contacts enable row level security;
        create policy own on contacts using (workspace_id = current_setting('app.workspace_id')::uuid);
        create policy in_town on contacts as restrictive for update to {CLERK} using (zip = '53111' and phone_number is not null);
        """
    )
    missing = {
        (table, '{"policy": "in_town"}', "what this policy says of public.contacts, none says here")
        for table in ("public.customers", "public.leads")
    }
    assert found(conn) == {"access_parity": missing}
    conn.execute(
        f"create policy near on customers as restrictive for update to {CLERK} using (zip = '53111' and phone1 is not null)"
    )
    assert found(conn) == {"access_parity": {f for f in missing if f[0] == "public.leads"}}
    conn.execute("select crmshift.accept_object('policy', 'public.contacts', 'in_town')")
    assert found(conn) == {}
    conn.execute("alter policy in_town on contacts using (zip is null)")
    assert found(conn) == {"access_parity": missing}, "what was accepted is not what it is now"


def test_what_is_meant_is_accepted(conn: psycopg.Connection) -> None:
    conn.execute(
        f"""
        drop index leads_stage_idx;
        alter function crmshift.tg_contacts() set lock_timeout = '200ms';
        alter table contacts add column birthday date;
        create policy auditors on leads for select using (pg_has_role('{CLERK}', 'usage'));
        grant select on leads to {TENANT};
        grant select on appointments to {CLERK};
        """
    )
    assert set(found(conn)) == {
        "schema_unaltered",
        "functions_unaltered",
        "unmapped_columns",
        "row_security",
        "access_parity",
    }
    for kind, subject, name in (
        ("index", "public.leads", "leads_stage_idx"),
        ("function", "crmshift.tg_contacts()", ""),
        ("legacy column", "public.contacts", "birthday"),
        ("policy", "public.leads", "auditors"),
        ("grant", "public.leads", TENANT),
        ("grant", "public.appointments", CLERK),
    ):
        conn.execute("select crmshift.accept_object(%s, %s, %s)", [kind, subject, name])
    assert found(conn) == {}
    with pytest.raises(psycopg.Error, match="There is no index nowhere of public") as refused:
        conn.execute("select crmshift.accept_object('index', 'public.leads', 'nowhere')")
    assert refused.value.sqlstate == "SH001"


def test_what_crmshift_itself_changes_later_is_no_damage(conn: psycopg.Connection) -> None:
    conn.execute("update crmshift.primary_lead_rule set closed = '{won,lost}'")
    assert found(conn) == {}
    conn.execute("update crmshift.primary_lead_rule set closed = '{}', choose = 'newest'")
    assert found(conn) == {}


@pytest.mark.parametrize(
    "settings",
    [
        "set local search_path = crmshift, public",
        "set local search_path = ''",
        "set local quote_all_identifiers = on",
        "set local datestyle = german; set local timezone = 'Asia/Kolkata'; set local intervalstyle = iso_8601",
    ],
)
def test_the_session_does_not_matter(conn: psycopg.Connection, settings: str) -> None:
    conn.execute(settings)
    assert found(conn) == {}


def test_what_is_undone_is_expected_no_more_and_what_is_altered_stays_found(
    make_database: Callable[[str], str],
) -> None:
    """A step that comes later does not bless what somebody did before it."""
    dsn = make_database("parallel")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("alter function crmshift.is_syncing() volatile")
        apply_to(dsn, "sync-layer")
        assert set(found(conn)) == {"functions_unaltered"}
        conn.execute("alter function crmshift.is_syncing() stable")
        apply_to(dsn, "traffic-migration")
        steps = "select distinct step from crmshift.installed where step like 'constraints/%' order by 1"
        assert conn.execute(steps).fetchall() == [
            ("constraints/shared_tables",),
            ("constraints/shared_tables_validated",),
        ]
        roll_back_to(dsn, "parallel-operation")
        assert conn.execute(steps).fetchall() == []
        assert found(conn) == {}


def test_definitions_put_back_what_was_dropped(conn: psycopg.Connection) -> None:
    """What crmshift.installed holds are statements."""
    conn.execute(
        """drop trigger crmshift_sync_update on leads; drop policy leads_of_workspace on leads; drop index leads_stage_idx;
           alter table lead_appointments drop constraint appointment_belongs_to_lead_of_its_workspace;
           drop function crmshift.is_syncing(); drop view crmshift.beyond_legacy"""
    )
    missing = conn.execute(
        """select i.definition from crmshift.installed as i
            where (i.kind, i.subject, i.name) in (select a.kind, a.subject, a.name
                     from crmshift.altered('{trigger,policy,index,constraint,function,view}') as a)"""
    ).fetchall()
    assert len(missing) == 6
    for (statement,) in missing:
        conn.execute(statement)
    assert found(conn) == {}


# --- statuses -----------------------------------------------------------------------------------------------------------


def test_a_status_that_a_mapping_does_not_know_is_found(make_database: Callable[[str], str], tmp_path: Path) -> None:
    """A mapping that translates, in a project of one's own."""
    folder = tmp_path / "sql" / "mapping"
    folder.mkdir(parents=True)
    packaged = packaged_root() / "sql" / "mapping"
    for name, old, new in (
        (
            "leads",
            "c.lead_status::text  as disposition",
            "case c.lead_status when 'new' then 'open' when 'lost' then 'closed' end as disposition",
        ),
        (
            "contacts",
            "else l.disposition end as lead_status",
            "else case l.disposition when 'open' then 'new' when 'closed' then 'lost' end end as lead_status",
        ),
    ):
        text = (packaged / f"{name}.sql").read_text()
        assert old in text
        (folder / f"{name}.sql").write_text(text.replace(old, new))
    dsn = make_database("legacy")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(
            f"""insert into workspaces (id, name) values ('{WORKSPACE}', 'Alpha');
                insert into contacts (id, workspace_id, lead_status) values ('{ADA}', '{WORKSPACE}', 'new'), ('{BEN}', '{WORKSPACE}', 'lost')"""
        )
        apply_to(dsn, "parallel-operation", tmp_path)
        assert found(conn) == {}
        conn.execute(f"insert into leads (customer_id, workspace_id) values ('{ADA}', '{WORKSPACE}')")
        behind(conn, "select 1")
        with conn.transaction(force_rollback=True):
            behind(
                conn,
                f"update contacts set lead_status = 'lukewarm' where id = '{BEN}'; update leads set disposition = null where customer_id = '{BEN}'",
            )
            assert found(conn) == {
                "unmapped_statuses": {
                    ("contacts", f'{{"id": "{BEN}"}}', "lead_status means nothing to the mapping leads")
                }
            }
        with conn.transaction(force_rollback=True):
            behind(
                conn,
                f"update leads set disposition = 'stalled' where customer_id = '{BEN}'; update contacts set lead_status = null where id = '{BEN}'",
            )
            assert (
                "leads",
                f'{{"customer_id": "{BEN}"}}',
                "disposition means nothing to the mapping contacts",
            ) in found(conn)["unmapped_statuses"]


def test_a_status_that_only_drifted_is_no_status_without_a_mapping(conn: psycopg.Connection) -> None:
    behind(conn, f"update leads set disposition = null where customer_id = '{ADA}'")
    assert set(found(conn)) == {"drift_leads"}


# --- validate_migration -------------------------------------------------------------------------------------------------


def verdicts(conn: psycopg.Connection, *workspace: str) -> dict[str, tuple[str, str]]:
    rows = conn.execute(
        f"select * from crmshift.validate_migration({', '.join(['%s'] * len(workspace))})", list(workspace)
    )
    return {name: (status, details) for name, status, details in rows.fetchall()}


def test_validate_migration_says_what_the_command_says(shared: psycopg.Connection) -> None:
    names = {row[0] for row in shared.execute("select name from crmshift.check_list").fetchall()}
    expected = {"contact_count_validation" if name == "counts" else f"{name}_validation" for name in names}
    for workspace, contacts in ((), 5), ((WORKSPACE,), 4), ((OTHER_WORKSPACE,), 1):
        clean = verdicts(shared, *workspace)
        assert set(clean) == expected
        assert {status for status, _ in clean.values()} == {"PASS"}
        assert clean["contact_count_validation"] == ("PASS", f"Contacts: {contacts}, Customers: {contacts}")
    with shared.transaction(force_rollback=True):
        behind(shared, f"delete from customers where cst_id = '{BEN}'")
        shared.execute(
            "alter table contacts add column birthday date; alter table contacts disable trigger crmshift_sync_update"
        )
        damaged = verdicts(shared)
        assert damaged["contact_count_validation"] == ("FAIL", "Contacts: 5, Customers: 4")
        assert verdicts(shared, OTHER_WORKSPACE)["contact_count_validation"][0] == "PASS"
        assert damaged["unmapped_columns_validation"] == (
            "WARN",
            '1 found, first: public.contacts {"column": "birthday"} column came later, and no mapping reads it',
        )
        assert damaged["triggers_attached_validation"][0] == "FAIL"
        result = checks.run(shared)
        assert not result.clean
        said = {
            "contact_count_validation" if c.name == "counts" else f"{c.name}_validation": "PASS"
            if c.passed
            else "WARN"
            if c.severity is Severity.WARNING
            else "FAIL"
            for c in result.checks
        }
        assert said == {name: status for name, (status, _) in damaged.items()}


def test_one_missing_and_one_extra_do_not_pass_for_equal(conn: psycopg.Connection) -> None:
    """Over all workspaces the numbers agree, in each of two they do not."""
    behind(
        conn,
        f"update customers set workspace_id = '{OTHER_WORKSPACE}' where cst_id = '{BEN}'",
    )
    assert verdicts(conn)["contact_count_validation"] == ("FAIL", "Contacts: 5, Customers: 5")


def test_an_unknown_workspace_or_check_is_said(conn: psycopg.Connection) -> None:
    for statement, state, message in (
        (f"select * from crmshift.validate_migration('{NOBODY}')", "SH002", "There is no workspace"),
        ("select * from crmshift.run_check('spelling')", "SH001", "There is no check named spelling"),
    ):
        with pytest.raises(psycopg.Error, match=message) as error, conn.transaction():
            conn.execute(statement)
        assert error.value.sqlstate == state


@pytest.mark.shows("mission P15")
def test_who_sees_a_part_of_the_rows_is_told_so_and_not_that_all_is_well(shared: psycopg.Connection) -> None:
    """With the setting he sees his workspace, without it nothing: 0 = 0 would pass."""
    with shared.transaction(force_rollback=True):
        shared.execute(
            f"""grant usage on schema crmshift to {TENANT}; grant select on all tables in schema crmshift, public to {TENANT};
                grant execute on all functions in schema crmshift to {TENANT}"""
        )
        behind(shared, "update customers set city = 'elsewhere'")
        shared.execute(f"set local role {TENANT}")
        for setting in ("", WORKSPACE):
            shared.execute("select set_config('app.workspace_id', %s, true)", [setting])
            for call in (
                "crmshift.validate_migration()",
                f"crmshift.validate_migration('{WORKSPACE}')",
                "crmshift.run_check('counts')",
                "crmshift.run_check('drift_customers')",
            ):
                with (
                    pytest.raises(psycopg.Error, match=r"hides rows of .*public\.customers") as error,
                    shared.transaction(),
                ):
                    shared.execute(f"select * from {call}")
                assert error.value.sqlstate == "SH005"
            with pytest.raises(Refused, match=f"from the role {TENANT}"), shared.transaction():
                checks.run(shared)


def test_an_owner_without_any_privilege_sees_all_rows_but_for_a_restrictive_policy(shared: psycopg.Connection) -> None:
    """Forced row-level security is active for him, and a policy lets everything through."""
    with shared.transaction(force_rollback=True):
        shared.execute(
            f"""grant usage on schema crmshift to {CLERK}; grant select on all tables in schema crmshift, public to {CLERK};
                grant execute on all functions in schema crmshift to {CLERK}"""
        )
        for (table,) in shared.execute("select name from crmshift.target_table").fetchall():
            shared.execute(f"create policy all_for_clerk on {table} to {CLERK} using (true)")
        shared.execute(f"set local role {CLERK}")
        assert verdicts(shared)["contact_count_validation"] == ("PASS", "Contacts: 5, Customers: 5")
        shared.execute("reset role")
        shared.execute("create policy not_lost on leads as restrictive using (disposition <> 'lost')")
        shared.execute(f"set local role {CLERK}")
        with pytest.raises(psycopg.Error, match=r"hides rows of public\.leads from"), shared.transaction():
            verdicts(shared)


# --- a check of one's own -----------------------------------------------------------------------------------------------


def test_the_example_in_the_docs_is_a_check_beside_the_others(
    make_database: Callable[[str], str], tmp_path: Path
) -> None:
    page = (packaged_root() / "docs" / "writing-a-check.md").read_text()
    forward, back = re.findall(r"```sql\n(.*?)```", page, re.S)[:2]
    for name, text in (("validation/emails_look_right", forward), ("rollback/validation/emails_look_right", back)):
        path = tmp_path / "sql" / f"{name}.sql"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    plan = yaml.safe_load(Project.open(None).plan("lead_centric").read_text())
    steps = plan["phases"][0]["steps"]
    steps.insert(steps.index({"run": "validation/counts"}), {"run": "validation/emails_look_right"})
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "lead_centric.yaml").write_text(yaml.safe_dump(plan))
    dsn = make_database("seeded")
    apply_to(dsn, "parallel-operation", tmp_path)
    own = connections.connect(dsn, "tests")
    try:
        result = checks.run(own)
        check = next(c for c in result.checks if c.name == "emails_look_right")
        assert result.clean and check.passed
        assert (check.title, check.severity) == ("Every e-mail address looks like one", Severity.WARNING)
        assert check.remedy == "Ask the customer, and correct it."
        own.execute("update contacts set email = 'ada at example.com' where id = %s", [ADA])
        result = checks.run(own)
        (check,) = (c for c in result.checks if not c.passed)
        (finding,) = check.findings
        assert result.clean, "a warning fails nothing"
        assert (finding.subject, finding.key, str(finding.workspace)) == ("customers", {"cst_id": ADA}, WORKSPACE)
        assert verdicts(own)["emails_look_right_validation"][0] == "WARN"
    finally:
        own.close()


def test_a_check_without_a_word_about_itself_is_an_error(conn: psycopg.Connection) -> None:
    conn.execute(
        """create function crmshift.check_silent(of_workspace uuid default null) returns table (subject text, key jsonb, detail text)
           language sql as $$ select 'x', null::jsonb, 'y' $$"""
    )
    row = conn.execute("select title, severity, remedy from crmshift.check_list where name = 'silent'").fetchone()
    assert row == ("silent", "error", "")
    assert found(conn) == {"silent": {("x", None, "y")}}


def test_an_unknown_check_is_a_mistake_of_whoever_asks() -> None:
    from crmshift.errors import from_sqlstate

    assert from_sqlstate("SH001") is UsageError
