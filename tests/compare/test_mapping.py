"""`crmshift compare --mapping`: for each kind of loss one that must be told, and one like it that must not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from crmshift.compare.mapped.losses import Counted
from tests.acceptance.commandline import must
from tests.compare.narrowing import execute, project, report, the, told
from tests.support.templates import apply_compiled, apply_to, compiled, only_up_to

TENANT = "workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid"


# --- where columns go ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", ["legacy", "synced", "parallel"])
def test_the_mapping_as_it_comes_loses_nothing(make_database: Callable[[str], str], template: str) -> None:
    """Before anything is applied, and after: the foreign keys of a later phase count, too."""
    found = report(make_database(template))
    assert told(found) == set()
    goes = {
        f"{table.name.partition('.')[2]}.{column.name}": [(w.how.value, f"{w.table}.{w.column}") for w in column.ways]
        for table in found.tables
        for column in table.columns
    }
    assert goes["contacts.phone_number"] == [("passes on", "public.customers.phone1")]
    assert goes["contacts.lead_status"] == [("passes on", "public.leads.disposition")]
    assert goes["contacts.created_at"] == [
        ("passes on", "public.customers.dateadded"),
        ("passes on", "public.leads.entrydate"),
    ]
    assert goes["appointments.contact_id"] == [
        ("finds by", "public.lead_appointments.lead_id"),
        ("finds by", "public.lead_appointments.workspace_id"),
    ]
    assert len(goes) == 25
    assert ("plan lead_centric" in found.target) == (template == "legacy")


def test_columns_that_go_nowhere(legacy_db: str, tmp_path: Path) -> None:
    execute(
        legacy_db,
        "alter table contacts add column left_out text, add column nobody_reads text, add column decides boolean, add column hides boolean",
    )
    folder = project(
        tmp_path, ("mapping/leads", "where l.id is not null", "where (c.decides is not false and l.id is not null)")
    )
    project(
        tmp_path, ("mapping/customers", "c.st_address      as", "case when c.hides then null else c.st_address end as")
    )
    plan = folder / "plans" / "lead_centric.yaml"
    plan.parent.mkdir()
    own = Path(__file__).parents[2] / "plans" / "lead_centric.yaml"
    plan.write_text(own.read_text().replace("left_behind: {}", "left_behind: {public.contacts: [left_out]}"))
    found = report(legacy_db, folder)
    assert told(found) == {
        ("lost", "column", f"contacts.{c}") for c in ("left_out", "nobody_reads", "decides", "hides")
    }
    assert "the plan leaves it behind" in the(found, "column", "contacts.left_out").what
    assert "no mapping reads it" in the(found, "column", "contacts.nobody_reads").what
    for column in ("decides", "hides"):
        assert "it is read, and carried into no column" in the(found, "column", f"contacts.{column}").what


def test_columns_that_are_computed_from(legacy_db: str, tmp_path: Path) -> None:
    """A computed column has a type of its own; where NULL makes NULL, a NOT NULL is told. Its indexes count, and nothing is offered for it."""
    execute(
        legacy_db,
        "create index by_email on contacts (email)",
        "create index by_city on contacts (city)",
        "alter table contacts add constraint city_is_long check (length(city) > 1)",
    )
    folder = project(
        tmp_path,
        ("mapping/customers", "c.email::text     as email", "lower(c.email)::text as email"),
        ("mapping/customers", "c.city::text      as city", "coalesce(upper(c.city), '')::text as city"),
        ("schema/customers", "email        text,", "email        varchar(99) not null,"),
        ("schema/customers", "city         text,", "city         varchar(99) not null,"),
        (
            "schema/customers",
            "create index customers_email_idx",
            "create index on public.customers (city);\ncreate index customers_email_idx",
        ),
    )
    found = report(legacy_db, folder)
    assert told(found) == {
        ("narrowed", "not null", "contacts.email"),
        ("lost", "index", "contacts.by_email"),
        ("lost", "check", "contacts.city_is_long"),
    }
    assert not [loss for loss in found.losses if loss.offer]
    assert "nothing equal to public.contacts.city" in the(found, "check", "contacts.city_is_long").what
    (way,) = next(c.ways for c in found.tables[0].columns if c.name == "city")
    assert (way.how.value, way.column) == ("computes from", "city")


def test_a_view_of_several_queries(legacy_db: str, tmp_path: Path) -> None:
    """Each is read; what a subquery makes of a column is computed from it."""
    folder = project(
        tmp_path,
        (
            "mapping/customer_custom_fields",
            "       f.value,\n       f.created_at\n  from public.contact_custom_fields as f\n",
            "       g.value,\n       f.created_at\n  from public.contact_custom_fields as f\n"
            "  join lateral (select upper(g.value) as value from public.contact_custom_fields as g\n"
            "                 where g.contact_id = f.contact_id and g.field_id = f.field_id) as g on true\n",
        ),
        (
            "mapping/customer_custom_fields",
            "  left join public.customers as t on t.cst_id = c.id;",
            "  left join public.customers as t on t.cst_id = c.id where f.value is not null\n union all\n"
            "select f.contact_id, f.field_id, c.workspace_id, f.value, f.created_at from public.contact_custom_fields as f"
            " join public.contacts as c on c.id = f.contact_id where f.value is null;",
        ),
    )
    found = report(legacy_db, folder)
    assert told(found) == set()
    fields = {c.name: [(w.how.value, w.column) for w in c.ways] for c in found.tables[1].columns}
    assert ("passes on", "value") in fields["value"]  # in the second
    assert ("computes from", "value") in fields["value"]  # in the first


def test_translations(legacy_db: str, tmp_path: Path) -> None:
    """What CASE does not know becomes NULL, unless there is an ELSE."""
    folder = project(
        tmp_path,
        (
            "mapping/leads",
            "c.lead_status::text  as disposition",
            "case c.lead_status when 'New' then 'new' when 'Won' then 'won' end as disposition",
        ),
        (
            "mapping/leads",
            "c.lead_source::text  as source",
            "case when c.lead_source in ('web', 'www') then 'web' else 'other' end as source",
        ),
        (
            "mapping/leads",
            "c.appointment_status::text as appointment_status",
            "case when lower(c.appointment_status) = 'set' then 'Set' when c.appointment_status ~ '^x' then 'X' end as appointment_status",
        ),
    )
    execute(
        legacy_db,
        "insert into workspaces (id, name) values (gen_random_uuid(), 'a')",
        "insert into contacts (workspace_id, lead_status, appointment_status) "
        "select id, s, a from workspaces, (values ('New', 'SET'), ('new', 'x1'), ('lost', null), (null, 'y')) as v (s, a)",
    )
    found = report(legacy_db, folder, profiled=True)
    assert told(found) == {
        ("narrowed", "vocabulary", "contacts.lead_status"),
        ("narrowed", "vocabulary", "contacts.appointment_status"),
    }
    assert the(found, "vocabulary", "contacts.lead_status").counted == Counted(2, 4)
    assert the(found, "vocabulary", "contacts.appointment_status").counted == Counted(1, 4)


def test_a_mapping_that_is_installed_in_part(legacy_db: str) -> None:
    """Its other part is read as the plan will make it."""
    apply_compiled(legacy_db, only_up_to(compiled(legacy_db), "mapping/customers"), "sync-layer")
    assert told(report(legacy_db)) == set()


# --- columns ------------------------------------------------------------------------------------------------------------


def test_types_and_lengths(legacy_db: str, tmp_path: Path) -> None:
    execute(
        legacy_db,
        "create type mood as enum ('good', 'bad')",
        "create domain short as varchar(40) check (value <> '')",
        "alter table contacts alter lead_source type mood using null, alter state type short, alter zip type varchar(10)",
    )
    folder = project(
        tmp_path,
        ("schema/customers", "phone1       text,", "phone1       varchar(20),"),
        ("schema/customers", "zip          text,", "zip          varchar(10),"),
        ("schema/customers", "dateadded    timestamptz", "dateadded    timestamptz(3)"),
        ("mapping/customers", "c.city::text      as city", "c.city::varchar(30)::text as city"),
        ("schema/leads", "appointment_status text,", "appointment_status crmshift.stage,"),
        ("schema/ledger", "create table", "create type crmshift.stage as enum ('New', 'Won');\ncreate table"),
        ("mapping/leads", "c.appointment_status::text as", "c.appointment_status::crmshift.stage as"),
        ("mapping/contacts", "else l.appointment_status end", "else l.appointment_status::text end"),
        ("mapping/contacts", "else l.source end", "else l.source::public.mood end"),
    )
    found = report(legacy_db, folder)
    assert told(found) == {
        ("narrowed", "type", "contacts.phone_number"),
        ("narrowed", "type", "contacts.city"),
        ("narrowed", "type", "contacts.created_at"),
        ("narrowed", "type", "contacts.appointment_status"),
        ("lost", "type", "contacts.lead_source"),
        ("lost", "type", "contacts.state"),
    }
    assert the(found, "type", "contacts.phone_number").what == "at most 20 characters, 255 before"
    assert the(found, "type", "contacts.appointment_status").what == "takes only the 2 values of crmshift.stage"


def test_a_vocabulary_that_is_a_check_is_no_loss(legacy_db: str, tmp_path: Path) -> None:
    execute(
        legacy_db,
        "create type mood as enum ('good', 'bad')",
        "alter table contacts alter lead_source type mood using null",
    )
    folder = project(
        tmp_path,
        ("schema/leads", "source             text,", "source             text check (source in ('good', 'bad')),"),
        ("mapping/contacts", "else l.source end", "else l.source::public.mood end"),
    )
    assert told(report(legacy_db, folder)) == {("narrowed", "check", "contacts.leads_source_check")}


def test_nulls(legacy_db: str, tmp_path: Path) -> None:
    execute(legacy_db, "alter table contacts alter lastname set not null, alter email set not null")
    folder = project(
        tmp_path,
        ("schema/customers", "email        text,", "email        text not null,"),
        ("schema/customers", "city         text,", "city         text not null,"),
    )
    found = report(legacy_db, folder)
    assert told(found) == {("lost", "not null", "contacts.lastname"), ("narrowed", "not null", "contacts.city")}
    assert the(found, "not null", "contacts.lastname").offer == (
        "alter table public.customers add constraint lastname_is_given check (lastname is not null) not valid",
        "alter table public.customers validate constraint lastname_is_given",
    )


def test_defaults(legacy_db: str, tmp_path: Path) -> None:
    execute(
        legacy_db,
        "alter table contacts alter city set default 'here', alter state set default 'X', alter zip set default 'one'",
        "alter table contacts alter created_at set default current_timestamp",
    )
    folder = project(
        tmp_path,
        ("schema/customers", "state        text,", "state        text default 'X',"),
        ("schema/customers", "zip          text,", "zip          text default 'other',"),
    )
    found = report(legacy_db, folder)
    assert told(found) == {("lost", "default", "contacts.city"), ("lost", "default", "contacts.zip")}
    (offer,) = the(found, "default", "contacts.city").offer
    assert offer == "alter table public.customers alter column city set default 'here'::character varying"
    assert the(found, "default", "contacts.zip").offer == ()


# --- rules --------------------------------------------------------------------------------------------------------------


def test_uniqueness(legacy_db: str, tmp_path: Path) -> None:
    execute(
        legacy_db,
        "create unique index phone_of_one on contacts (workspace_id, phone_number)",
        "create unique index email_of_one on contacts (lower(email)) where email <> ''",
        "alter table contacts add constraint zip_of_one unique (zip)",
    )
    folder = project(
        tmp_path,
        (
            "schema/customers",
            "constraint customer_is",
            "unique (workspace_id, city), unique (zip), constraint customer_is",
        ),
        (
            "schema/customers",
            "create index customers_phone1_idx",
            "create unique index on public.customers (phone1, workspace_id);\ncreate index customers_phone1_idx",
        ),
    )
    found = report(legacy_db, folder)
    assert told(found) == {
        ("lost", "unique", "contacts.email_of_one"),
        ("narrowed", "unique", "contacts.customers_workspace_id_city_key"),
    }
    (offer,) = the(found, "unique", "contacts.email_of_one").offer
    assert offer.startswith(
        "create unique index concurrently on public.customers using btree (lower((email)::text)) where"
    )


def test_foreign_keys(legacy_db: str) -> None:
    """Of legacy without a counterpart; and of the target that legacy lacks, so that there may be orphans."""
    execute(
        legacy_db,
        "create table cities (name varchar(255) primary key)",
        "alter table contacts add constraint city_is_known foreign key (city) references cities",
        "alter table contacts drop constraint contacts_workspace_id_fkey",
        "alter table appointments drop constraint appointments_contact_id_fkey",
    )
    found = report(legacy_db)
    assert told(found) == {
        ("lost", "foreign key", "contacts.city_is_known"),
        ("narrowed", "foreign key", "contacts.customer_belongs_to_workspace"),
        ("narrowed", "foreign key", "appointments.appointment_belongs_to_lead_of_its_workspace"),
    }
    assert "fail" in str(the(found, "foreign key", "contacts.city_is_known").no_offer)


def test_checks(legacy_db: str, tmp_path: Path) -> None:
    execute(
        legacy_db,
        "alter table contacts add constraint status_is_known check (lead_status in ('New', 'Won'))",
        "alter table contacts add constraint zip_is_short check (length(zip) < 20)",
        "alter table contacts add constraint city_or_status check (city is not null or lead_status is not null)",
        "alter table contacts add constraint status_matters check (lead_status <> 'x')",
        "alter table appointments add constraint no_two_at_once exclude using btree (apptdate with =)",
    )
    folder = project(
        tmp_path,
        ("schema/leads", "disposition        text,", "disposition        text check (disposition in ('New', 'Won')),"),
        ("schema/customers", "city         text,", "city         text check (city <> 'nowhere'),"),
    )
    found = report(legacy_db, folder)
    assert told(found) == {
        ("lost", "check", "contacts.zip_is_short"),
        ("lost", "check", "contacts.city_or_status"),
        ("lost", "check", "contacts.status_matters"),
        ("lost", "check", "appointments.no_two_at_once"),
        ("narrowed", "check", "contacts.customers_city_check"),
    }
    assert "different tables" in the(found, "check", "contacts.city_or_status").what
    assert the(found, "check", "contacts.status_matters").offer[0] == (
        "alter table public.leads add constraint status_matters check (((disposition)::text <> 'x'::text)) not valid"
    )


def test_indexes(legacy_db: str) -> None:
    """One on the same columns serves; so does one behind a column that policies pin."""
    execute(
        legacy_db,
        "create index by_phone on contacts (phone_number)",  # customers (workspace_id, phone1)
        "create index by_status on contacts (workspace_id, lead_status desc)",  # leads (workspace_id, disposition)
        "create index by_city on contacts (city, state)",
        "create index by_some_zip on contacts (zip) where zip <> ''",
        "create index by_prefix on contacts (phone_number varchar_pattern_ops)",
        "create index by_both on contacts (city, lead_status)",
        "create index by_day on appointments (apptdate)",  # lead_appointments (workspace_id, apptdate)
        "create index by_contact_and_day on appointments (contact_id, apptdate)",
    )
    found = report(legacy_db)
    assert told(found) == {
        ("lost", "index", f"contacts.{n}") for n in ("by_city", "by_some_zip", "by_prefix", "by_both")
    } | {("lost", "index", "appointments.by_contact_and_day")}
    assert the(found, "index", "contacts.by_city").offer == (
        "create index concurrently on public.customers using btree (city, state)",
    )
    assert the(found, "index", "contacts.by_prefix").offer[0].endswith("(phone1 varchar_pattern_ops)")
    assert not the(found, "index", "contacts.by_both").offer
    assert not the(found, "index", "appointments.by_contact_and_day").offer


def test_an_index_that_restricted_roles_cannot_use(make_database: Callable[[str], str], roles: None) -> None:
    """What the note says is what PostgreSQL does."""
    dsn = make_database("synced")
    (noted,) = [note for note in report(dsn).tables[0].notes if note.startswith("index")]
    assert noted.startswith("index contacts_email_idx: ")
    assert noted.endswith("lower() is not leakproof")
    execute(dsn, "grant select on customers to crm_app")
    with psycopg.connect(dsn) as connection:
        connection.execute("set enable_seqscan = off")
        plans = {}
        for role in ("none", "crm_app"):
            connection.execute(f"set role {role}")
            for condition in ("lower(email) = 'x'", "phone1 = 'x'"):
                query = f"explain (costs off) select from customers where {TENANT} and {condition}"
                plans[role, condition] = "\n".join(row[0] for row in connection.execute(query).fetchall())
    looked_up = {
        key: key[1].split(" ")[0] in plan.partition("Index Cond")[2].partition("\n")[0] for key, plan in plans.items()
    }
    assert looked_up == {key: key != ("crm_app", "lower(email) = 'x'") for key in plans}, plans
    execute(dsn, "alter table contacts enable row level security")
    assert not [note for note in report(dsn).tables[0].notes if note.startswith("index")]


# --- access -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def members(legacy_db: str, roles: None) -> str:
    """Legacy with a table and a function that policies build on."""
    execute(
        legacy_db,
        "create table members (workspace_id uuid, who name)",
        "create function my_workspace() returns uuid language sql stable as 'select workspace_id from members where who = current_user'",
        *(f"alter table {t} enable row level security" for t in ("contacts", "contact_custom_fields", "appointments")),
    )
    return legacy_db


def test_policies_are_rewritten_through_the_mapping(members: str) -> None:
    execute(
        members,
        f"create policy tenant on contacts using ({TENANT})",  # customers_of_workspace says the same
        "create policy of_members on contacts for select to crm_app using (workspace_id = my_workspace())",
        "create policy no_strangers on contacts as restrictive using (exists (select from members as m where m.workspace_id = contacts.workspace_id))",
        "create policy reachable on contacts for update using (phone_number is not null) with check (phone_number <> '')",
        "create policy of_contact on contact_custom_fields using (exists (select from contacts as c where c.id = contact_id and c.workspace_id = my_workspace()))",
        "create policy of_contact on appointments using (contact_id is not null)",
    )
    found = report(members)
    offers = {
        (loss.name, loss.target): " ".join(" ".join(loss.offer).split())
        for loss in found.losses
        if loss.aspect.value == "policy"
    }
    assert offers == {
        ("of_members", "public.customers"): "create policy of_members on public.customers for select to crm_app using ((workspace_id = public.my_workspace()))",
        ("of_members", "public.leads"): "create policy of_members on public.leads for select to crm_app using ((workspace_id = public.my_workspace()))",
        ("no_strangers", "public.customers"): "create policy no_strangers on public.customers as restrictive to public using ((EXISTS ( SELECT FROM public.members m WHERE (m.workspace_id = customers.workspace_id))))",
        ("no_strangers", "public.leads"): "create policy no_strangers on public.leads as restrictive to public using ((EXISTS ( SELECT FROM public.members m WHERE (m.workspace_id = leads.workspace_id))))",
        ("reachable", "public.customers"): "create policy reachable on public.customers for update to public using ((phone1 IS NOT NULL)) with check (((phone1)::text <> ''::text))",
        ("reachable", "public.leads"): "",
        ("of_contact", "public.customer_custom_fields"): "create policy of_contact on public.customer_custom_fields to public using ((EXISTS ( SELECT FROM public.customers c WHERE ((c.cst_id = customer_custom_fields.customer_id) AND (c.workspace_id = public.my_workspace())))))",
        ("of_contact", "public.lead_appointments"): "",
    }  # fmt: skip
    assert {loss.no_offer for loss in found.losses if loss.aspect.value == "policy" and not loss.offer} == {
        "public.leads has nothing equal to public.contacts.phone_number",
        "public.lead_appointments has nothing equal to public.appointments.contact_id",
    }


def test_policies_count_only_where_they_have_effect(legacy_db: str) -> None:
    execute(legacy_db, "create policy nobody on contacts using (false)")
    assert told(report(legacy_db)) == set()


def test_what_cannot_be_executed_is_not_offered(members: str) -> None:
    """It builds on a view, and that is not made in the scratch database."""
    execute(
        members,
        "create view mine as select workspace_id from members",
        "create policy seen on contacts using (workspace_id in (select workspace_id from mine))",
    )
    found = report(members)
    assert told(found) == {("lost", "policy", "contacts.seen")}
    for loss in found.losses:
        assert not loss.offer
        assert "cannot be executed" in str(loss.no_offer)


def test_grants(legacy_db: str, roles: None) -> None:
    execute(
        legacy_db,
        "grant select, update on contacts to crm_app",
        "grant select (email, lead_status) on contacts to crm_reader",
        "grant select on appointments to public",
        # what default privileges will give is no loss
        "alter default privileges in schema public grant select on tables to crm_owner",
        "grant select on contact_custom_fields to crm_owner",
    )
    try:
        found = report(legacy_db)
    finally:
        execute(legacy_db, "alter default privileges in schema public revoke select on tables from crm_owner")
    assert {(loss.target, loss.offer) for loss in found.losses} == {
        ("public.customers", ("grant select, update on public.customers to crm_app",)),
        ("public.leads", ("grant select, update on public.leads to crm_app",)),
        ("public.customers", ("grant select (email) on public.customers to crm_reader",)),
        ("public.leads", ("grant select (disposition) on public.leads to crm_reader",)),
        ("public.lead_appointments", ()),
    }


def test_grants_by_way_of_another_role(make_database: Callable[[str], str], roles: None) -> None:
    dsn = make_database("synced")
    execute(
        dsn,
        "grant crm_reader to crm_app",
        "grant select on contacts to crm_app",
        "grant select on customers, leads to crm_reader",
    )
    try:
        assert told(report(dsn)) == set()
    finally:
        execute(dsn, "revoke crm_reader from crm_app")


def test_row_level_security(make_database: Callable[[str], str]) -> None:
    dsn = make_database("synced")
    execute(
        dsn,
        *(f"alter table {t} enable row level security" for t in ("contacts", "appointments")),
        "alter table lead_appointments disable row level security",
    )
    found = report(dsn)
    assert told(found) == {("lost", "row-level security", "appointments.")}
    assert found.losses[0].offer == ("alter table public.lead_appointments enable row level security",)


# --- what is offered keeps it -------------------------------------------------------------------------------------------


def test_what_is_offered_is_what_was_missing(legacy_db: str, roles: None) -> None:
    """All of it, executed where the mapping is installed: then nothing is lost."""
    execute(
        legacy_db,
        "alter table contacts alter lastname set not null, alter city set default 'here'",
        "alter table contacts add constraint zip_is_short check (length(zip) < 20)",
        "create unique index email_of_one on contacts (lower(email), workspace_id)",
        "create index by_city on contacts (city)",
        "create index by_source on contacts (lead_source)",
        "alter table contacts enable row level security",
        "create policy of_app on contacts for select to crm_app using (workspace_id is not null)",
        'create policy "Of app" on contacts as restrictive to crm_app using (firstname is not null or id is null)',
        "grant select on contacts to crm_app",
        "grant select (value) on contact_custom_fields to crm_reader",
    )
    before = report(legacy_db)
    apply_to(legacy_db, "sync-layer")
    after = report(legacy_db)
    assert told(before) == told(after)
    assert len(told(after)) == 10
    execute(legacy_db, *(statement for loss in after.losses for statement in loss.offer))
    left = report(legacy_db)
    assert [(loss.name, loss.target) for loss in left.losses] == [("Of app", "public.leads")]  # firstname is not there


# --- as a command -------------------------------------------------------------------------------------------------------


def test_the_command_says_how_it_ends(legacy_db: str) -> None:
    answer = must(0, "compare", "--mapping", dsn=legacy_db)
    assert "nothing is lost or narrowed · 25 columns of legacy" in answer.out
    assert "phone_number       varchar(255) → customers.phone1 text" in answer.out
    execute(legacy_db, "create index by_city on contacts (city)", "alter table contacts add column note text")
    answer = must(1, "compare", "--mapping", dsn=legacy_db)
    assert "✗ index by_city: (city): public.customers has none like it" in answer.out
    assert "create index concurrently on public.customers using btree (city);\n" in answer.out
    assert "✗ 2 lost · 26 columns of legacy" in answer.out
    document = must(1, "compare", "--mapping", "--format", "json", dsn=legacy_db).document
    assert document["format_version"] == "1.0"
    assert document["nothing_lost"] is False
    contacts = document["tables"][0]
    assert contacts["table"] == "public.contacts"
    assert contacts["goes_to"] == ["public.customers", "public.leads"]
    (goes_to,) = contacts["columns"][4]["goes_to"]
    # PostgreSQL 15 names the alias of an only table.
    assert [goes_to | {"expression": goes_to["expression"].replace("c.", "")}] == [
        {
            "mapping": "customers",
            "table": "public.customers",
            "column": "email",
            "type": "text",
            "how": "passes on",
            "expression": "CAST(email AS TEXT)",
        }
    ]
    index = next(loss for loss in contacts["losses"] if loss["aspect"] == "index")
    assert index["sql"] == ["create index concurrently on public.customers using btree (city)"]
    assert "counted" not in index


def test_the_live_database_is_not_changed(legacy_db: str) -> None:
    execute(legacy_db, "create index by_city on contacts (city)")
    must(1, "compare", "--mapping", "--profile", dsn=legacy_db)
    with psycopg.connect(legacy_db) as connection:
        row = connection.execute("select to_regclass('customers'), to_regnamespace('crmshift')").fetchone()
    assert row == (None, None)


def test_a_role_that_may_not_make_a_database(legacy_db: str) -> None:
    """An embedded server serves, and owns nothing of legacy: what it would need to see is in the catalogue."""
    execute(legacy_db, "create role crm_weak login; create index by_city on contacts (city)")
    try:
        weak = psycopg.conninfo.make_conninfo(legacy_db, user="crm_weak")
        answer = must(1, "compare", "--mapping", dsn=weak)
        assert "create index concurrently on public.customers using btree (city);" in answer.out
        assert "✗ 1 lost" in answer.out
        answer = must(1, "compare", "--mapping", "--profile", "--format", "json", dsn=weak)
        assert answer.document["tables"][0]["losses"][0]["counted"] is None
    finally:
        execute(legacy_db, "drop role crm_weak")


def test_what_cannot_be_compared_so(make_database: Callable[[str], str]) -> None:
    dsn = make_database("empty")
    answer = must(2, "compare", "--mapping", dsn=dsn)
    assert "The legacy table public.appointments does not exist" in answer.error
    assert "--project" in answer.hint
    assert "--mapping" in must(2, "compare", "--profile", dsn=dsn).error
    assert "--from" in must(2, "compare", "--mapping", "--from", dsn, dsn=dsn).error
    assert "--only" in must(2, "compare", "--mapping", "--only", "index", dsn=dsn).error
    synced = make_database("synced")
    execute(synced, "drop view crmshift.leads_expected cascade")
    assert "The mapping leads is registered" in must(2, "compare", "--mapping", dsn=synced).error
    legacy = make_database("legacy")
    execute(legacy, "alter table custom_fields rename to field_definitions")
    answer = must(2, "compare", "--mapping", dsn=legacy)
    assert "Step validation/orphans cannot be carried out in a scratch database" in answer.error
    execute(legacy, "alter table contacts drop column zip")
    assert "lacks the mapped column zip" in must(2, "compare", "--mapping", dsn=legacy).error
