"""Loading a folder of CSV files into the legacy tables."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from crmshift.demo.load import Loaded, load_folder
from crmshift.errors import UsageError

WORKSPACES = ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002")
ANA, BO = "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"
FIELD = "00000000-0000-4000-8000-0000000000f1"

CONTACTS = f"""id,workspace_id,firstname,lastname,email,st_address,lead_status,created_at
{ANA},{WORKSPACES[0]},Ána,"O""Neill, jr",,"Flat 1
2 Mill Lane",New,2020-01-02T03:04:05.678901Z
{BO},{WORKSPACES[1]},"",,,,,
"""
FIELDS = f"""contact_id,field_id,field_name,value,created_at
{ANA},{FIELD},Language,日本語,
{BO},{FIELD},Language,,2021-01-01
"""
APPOINTMENTS = f"""id,contact_id,scheduled_at,apptdate,status,reminder_sent
4000,{ANA},,2022-05-01T09:00:00Z,kept,0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "export"
    made.mkdir()
    (made / "contacts.csv").write_text(CONTACTS, encoding="utf-8")
    (made / "contact_custom_fields.csv").write_text(FIELDS, encoding="utf-8")
    (made / "appointments.csv").write_text(APPOINTMENTS, encoding="utf-8")
    (made / "truth_leads.csv").write_text("of,no,concern\n")
    return made


def test_a_folder_is_loaded(legacy: psycopg.Connection, folder: Path) -> None:
    assert load_folder(legacy, folder) == Loaded(2, 2, 1, 2, 1)

    name, address, created = legacy.execute(
        "select firstname || ' ' || lastname, st_address, created_at at time zone 'UTC' from contacts where id = %s",
        [ANA],
    ).fetchone()  # type: ignore[misc]
    assert name == 'Ána O"Neill, jr'
    assert address == "Flat 1\n2 Mill Lane"
    assert created.isoformat() == "2020-01-02T03:04:05.678901"
    assert legacy.execute("select name from workspaces order by id").fetchall() == [("export 1",), ("export 2",)]


def test_empty_means_null_quoted_or_not_and_so_does_a_missing_column(legacy: psycopg.Connection, folder: Path) -> None:
    load_folder(legacy, folder)

    bo = legacy.execute(
        "select firstname, email, phone_number, lead_status, created_at, updated_at from contacts where id = %s", [BO]
    ).fetchone()
    assert bo == (None,) * 6
    assert legacy.execute("select value from contact_custom_fields where contact_id = %s", [BO]).fetchone() == (None,)


def test_a_field_used_by_two_workspaces_is_defined_once(legacy: psycopg.Connection, folder: Path) -> None:
    load_folder(legacy, folder)

    definitions = legacy.execute("select id::text, workspace_id::text, name from custom_fields").fetchall()
    assert definitions == [(FIELD, WORKSPACES[0], "Language")]


def test_the_next_appointment_has_a_number_of_its_own(legacy: psycopg.Connection, folder: Path) -> None:
    load_folder(legacy, folder)

    legacy.execute("insert into appointments (contact_id) values (%s)", [ANA])
    assert legacy.execute("select max(id) from appointments").fetchone() == (4001,)


def test_appointments_may_be_missing(legacy: psycopg.Connection, folder: Path) -> None:
    (folder / "appointments.csv").unlink()

    assert load_folder(legacy, folder).appointments == 0


def test_a_byte_order_mark_is_no_part_of_the_first_column(legacy: psycopg.Connection, folder: Path) -> None:
    (folder / "contacts.csv").write_text(CONTACTS, encoding="utf-8-sig")

    assert load_folder(legacy, folder).contacts == 2


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("contacts.csv", None, "holds no contacts.csv"),
        ("contact_custom_fields.csv", None, "holds no contact_custom_fields.csv"),
        ("contacts.csv", "", "its header lacks id, workspace_id"),
        ("contacts.csv", "id,firstname\n", "its header lacks workspace_id"),
        ("contacts.csv", "id,workspace_id,salary\n", "legacy has no place for its 'salary'"),
        ("contacts.csv", "id,workspace_id,city,city\n", "names a column twice"),
        ("contacts.csv", "id,workspace_id\nnot-a-secret-uuid,x\n", "(22P02), line 2"),
        ("contacts.csv", f"id,workspace_id\n{ANA},{WORKSPACES[0]},more\n", "(22P04), line 2"),
        ("contacts.csv", f"id,workspace_id\n{ANA},\n", "(23502), column"),
        ("contact_custom_fields.csv", FIELDS.replace(BO, BO[:-1] + "c"), "(23503), constraint"),
        ("appointments.csv", APPOINTMENTS + f"4000,{BO},,,,\n", "(23505), constraint appointments_pkey"),
    ],
)
def test_another_shape_is_one_clear_error_and_nothing_is_loaded(
    legacy: psycopg.Connection, folder: Path, file: str, content: str | None, says: str
) -> None:
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(content, encoding="utf-8")

    with pytest.raises(UsageError) as error:
        load_folder(legacy, folder)

    assert says in error.value.message
    assert file in error.value.message
    assert "secret" not in error.value.message  # values stay in the file
    assert error.value.hint
    assert legacy.execute("select count(*) from contacts").fetchone() == (0,)


def test_a_missing_folder_is_an_error(legacy: psycopg.Connection, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        load_folder(legacy, tmp_path / "nowhere")
