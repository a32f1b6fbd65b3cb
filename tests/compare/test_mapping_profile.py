"""`crmshift compare --mapping --profile`: rows that the target would not take are counted, and no value is shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from crmshift.compare.mapped.losses import Counted
from tests.acceptance.commandline import must
from tests.compare.narrowing import Change, execute, project, report, the, told
from tests.support.data_sets import each, needs
from tests.support.servers import Server
from tests.support.templates import apply_to

WORKSPACE = "00000000-0000-0000-0000-0000000000a1"
NARROWER: tuple[Change, ...] = (
    ("schema/customers", "phone1       text,", "phone1       varchar(20),"),
    ("schema/customers", "email        text,", "email        text not null, unique (workspace_id, email),"),
    ("schema/customers", "zip          text,", "zip          varchar(5) check (zip <> 'secret'),"),
    ("schema/customers", "dateadded    timestamptz", "dateadded    timestamptz(0)"),
    ("schema/leads", "source             text,", "source             text not null,"),
    ("schema/leads", "appointment_status text,", "appointment_status crmshift.stage,"),
    ("schema/ledger", "create table", "create type crmshift.stage as enum ('New', 'Won');\ncreate table"),
    ("mapping/leads", "c.appointment_status::text as", "c.appointment_status::crmshift.stage as"),
    ("mapping/contacts", "else l.appointment_status end", "else l.appointment_status::text end"),
)
"""A target that many a row does not fit."""

ROWS = f"""
    insert into workspaces (id, name) values ('{WORKSPACE}', 'a');
    insert into contacts (workspace_id, phone_number, email, zip, created_at, lead_source, appointment_status)
    select '{WORKSPACE}', given.*
      from (values ('secret-phone-of-27-letters..', 'secret-one', '12345', timestamptz '2020-01-01 10:00+00', 'web', 'New'),
                   ('+1', 'secret-one', 'secret', '2020-01-01 10:00:00.5+00', 'web', 'Won'),
                   ('+2', 'secret-two', 'secret', '2020-01-01 10:00:00.25+00', null, 'secret-status'),
                   (repeat('9', 21), null, null, null, null, null)) as given;
"""


@pytest.fixture
def rows(legacy_db: str) -> str:
    execute(
        legacy_db,
        "alter table contacts drop constraint contacts_workspace_id_fkey, add column note text",
        "alter table appointments drop constraint appointments_contact_id_fkey",
        ROWS,
        "update contacts set note = 'secret-note' where email = 'secret-two'",
        "insert into contacts (workspace_id, email, lead_source, zip) values (gen_random_uuid(), 'secret-three', 'x', '1')",
        "insert into appointments (contact_id) select gen_random_uuid() from generate_series(1, 3)",
    )
    return legacy_db


def test_rows_that_do_not_fit_are_counted(rows: str, tmp_path: Path, server: Server) -> None:
    found = report(rows, project(tmp_path, *NARROWER), profiled=True)
    counted = {
        (loss.aspect.value, loss.name or loss.columns[0]): loss.counted
        for loss in found.losses
        if loss.counting is not None
    }
    rounded = counted.pop(("type", "created_at"))
    assert rounded is not None
    if server.version >= 16:
        assert (rounded.rows, rounded.of) == (3, 5)  # two, and the one that is as late as now()
    else:
        assert rounded == Counted(None, why_not="counting these takes PostgreSQL 16 or later")
    assert counted == {
        ("column", "note"): Counted(1, 5),
        ("type", "phone_number"): Counted(2, 5, 28),
        ("type", "zip"): Counted(2, 5, 6),
        ("type", "appointment_status"): Counted(1, 5),
        ("not null", "email"): Counted(1, 5),
        ("not null", "lead_source"): Counted(2, 5),
        ("unique", "customers_workspace_id_email_key"): Counted(1, 4),
        ("check", "customers_zip_check"): Counted(2, 5),
        ("foreign key", "customer_belongs_to_workspace"): Counted(1, 5),
        ("foreign key", "appointment_belongs_to_lead_of_its_workspace"): Counted(3, 3),
    }


def test_rows_that_fit_are_none(legacy_db: str, tmp_path: Path, server: Server) -> None:
    execute(
        legacy_db,
        f"insert into workspaces (id, name) values ('{WORKSPACE}', 'a')",
        f"""insert into contacts (workspace_id, phone_number, email, zip, created_at, lead_source, appointment_status)
            select '{WORKSPACE}', '+' || i, 'e' || i, '12345', timestamptz '2020-01-01 10:00+00', 'web', 'New' from generate_series(1, 7) as i""",
    )
    found = report(legacy_db, project(tmp_path, *NARROWER), profiled=True)
    assert len(found.losses) == 8
    for loss in found.losses:
        assert loss.counted is not None
        if loss.columns != ("created_at",) or server.version >= 16:
            assert (loss.counted.rows, loss.counted.of) == (0, 7), loss


def test_no_value_is_shown(rows: str, tmp_path: Path) -> None:
    folder = str(project(tmp_path, *NARROWER))
    text = must(1, "compare", "--mapping", "--profile", "--project", folder, dsn=rows)
    assert "at most 20 characters, 255 before · 2 rows of 5, the longest value has 28" in text.out
    data = must(1, "compare", "--mapping", "--profile", "--project", folder, "--format", "json", dsn=rows)
    for answer in (text, data):
        # but for the one that is part of a check: that is the schema's
        assert "secret-" not in answer.out + answer.err
    losses = [loss for table in data.document["tables"] for loss in table["losses"]]
    phone = next(loss for loss in losses if loss["columns"] == ["phone_number"])
    assert phone["counted"] == {"what": "longer values", "rows": 2, "of": 5, "longest": 28, "why_not": None}
    assert {"profiled": True}.items() <= json.loads(data.out).items()


def test_where_the_mapping_is_installed_too(legacy_db: str, tmp_path: Path) -> None:
    """The database is then as it was when the rows fitted; the profile sees what came since."""
    folder = project(
        tmp_path,
        ("schema/customers", "email        text,", "email        text, unique (workspace_id, email),"),
        ("schema/customers", "phone1       text,", "phone1       varchar(20),"),
        ("schema/customers", "zip          text,", "zip          text check (zip <> 'secret'),"),
    )
    apply_to(legacy_db, "sync-layer", folder)
    execute(legacy_db, "set session_replication_role = replica;" + ROWS)
    found = report(legacy_db, folder, profiled=True)
    assert the(found, "type", "contacts.phone_number").counted == Counted(2, 4, 28)
    assert the(found, "unique", "contacts.customers_workspace_id_email_key").counted == Counted(1, 3)
    assert the(found, "check", "contacts.customers_zip_check").counted == Counted(2, 4)
    assert len(told(found)) == 3


def test_what_cannot_be_counted_says_why(rows: str, tmp_path: Path) -> None:
    """A check by a function that the plan makes."""
    folder = project(
        tmp_path,
        ("schema/customers", "city         text,", "city         text check (crmshift.is_city(city)),"),
        (
            "schema/ledger",
            "create table",
            "create function crmshift.is_city(text) returns boolean language sql immutable as 'select true';\ncreate table",
        ),
    )
    counted = the(report(rows, folder, profiled=True), "check", "contacts.customers_city_check").counted
    assert counted is not None
    assert counted.rows is None
    assert "crmshift" in str(counted.why_not)


def test_a_role_that_sees_some_of_the_rows_is_refused(rows: str) -> None:
    """Its counts would be too small."""
    execute(
        rows,
        "create role crm_some login; grant select on all tables in schema public to crm_some",
        "alter table contacts enable row level security; create policy none on contacts to crm_some using (false)",
    )
    try:
        some = psycopg.conninfo.make_conninfo(rows, user="crm_some")
        answer = must(3, "compare", "--mapping", "--profile", dsn=some)
        assert "Row-level security hides rows of public.contacts" in answer.error
    finally:
        execute(rows, "drop owned by crm_some; drop role crm_some")


@pytest.mark.default_pg
@pytest.mark.slow
@needs("openstates_people")
def test_real_people_against_the_types_of_a_narrower_schema(
    make_database: Callable[[str], str], tmp_path: Path
) -> None:
    """Phone numbers of more than 20 characters, and people nobody knows the day of: as the data set's own description counts them."""
    folder = project(
        tmp_path,
        ("schema/customers", "phone1       text,", "phone1       varchar(20),"),
        ("schema/customers", "dateadded    timestamptz", "dateadded    timestamptz not null"),
    )
    found = report(make_database("data_openstates_people"), folder, profiled=True)
    phone = the(found, "type", "contacts.phone_number").counted
    assert phone is not None
    assert (phone.rows, phone.of) == (23, 14_472)
    assert the(found, "not null", "contacts.created_at").counted == Counted(4_431, 14_472)
    assert len(told(found)) == 2


@pytest.mark.default_pg
@pytest.mark.slow
@pytest.mark.parametrize("folder", each())
def test_real_rows_lose_nothing(make_database: Callable[[str], str], folder: str) -> None:
    dsn = make_database(f"data_{folder}")
    assert told(report(dsn, profiled=True)) == set()
