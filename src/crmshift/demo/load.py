"""Loads a folder of CSV files into the legacy tables.

The folder holds `contacts.csv`, `contact_custom_fields.csv` and optionally `appointments.csv`; other files are ignored. An
empty value means NULL, quoted or not, and so does a column that a file lacks. The rows go from the file to the database
by COPY: Python reads the headers and nothing else.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from crmshift.errors import UsageError

CHUNK = 1 << 16


@dataclass(frozen=True)
class Loaded:
    """How many rows came into each table."""

    workspaces: int
    contacts: int
    custom_fields: int
    contact_custom_fields: int
    appointments: int


@dataclass(frozen=True)
class _File:
    """What a CSV file may hold: its columns with their types, and those it must have."""

    name: str
    columns: dict[str, LiteralString]
    needs: frozenset[str]
    optional: bool = False

    @property
    def staging(self) -> sql.Identifier:
        return sql.Identifier("pg_temp", f"loaded_{Path(self.name).stem}")


CONTACTS = _File(
    "contacts.csv",
    {
        "id": "uuid",
        "workspace_id": "uuid",
        "firstname": "text",
        "lastname": "text",
        "email": "text",
        "phone_number": "text",
        "st_address": "text",
        "city": "text",
        "state": "text",
        "zip": "text",
        "lead_source": "text",
        "lead_status": "text",
        "appointment_status": "text",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
    },
    frozenset({"id", "workspace_id"}),
)
FIELDS = _File(
    "contact_custom_fields.csv",
    {"contact_id": "uuid", "field_id": "uuid", "field_name": "text", "value": "text", "created_at": "timestamptz"},
    frozenset({"contact_id", "field_id", "field_name", "value"}),
)
APPOINTMENTS = _File(
    "appointments.csv",
    {
        "id": "bigint",
        "contact_id": "uuid",
        "scheduled_at": "timestamptz",
        "apptdate": "timestamptz",
        "status": "text",
        "reminder_sent": "boolean",
    },
    frozenset({"id", "contact_id"}),
    optional=True,
)
CONTENT = {file.name: file.columns for file in (CONTACTS, FIELDS, APPOINTMENTS)}
_SHAPE = "It must hold contacts.csv and contact_custom_fields.csv, and may hold appointments.csv, each with a header."


def load_folder(conn: psycopg.Connection[Any], folder: Path) -> Loaded:
    """Load a folder into the legacy tables, in one transaction.

    Raises `UsageError` where the folder is missing, a file has another shape, or its rows do not fit the tables; then
    nothing was loaded.
    """
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.", hint=_SHAPE)
    headers = {file.name: _header(folder, file) for file in (CONTACTS, FIELDS, APPOINTMENTS)}
    with conn.transaction():
        for file in (CONTACTS, FIELDS, APPOINTMENTS):
            _stage(conn, folder, file, headers[file.name])
        return _insert(conn, folder)


def _header(folder: Path, file: _File) -> list[str] | None:
    """Columns of a file; None where it is not there and need not be."""
    path = folder / file.name
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            header = next(csv.reader(lines), [])
    except FileNotFoundError:
        if file.optional:
            return None
        raise UsageError(f"{folder} holds no {file.name}.", hint=_SHAPE) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read: {error}.", hint=_SHAPE) from error
    missing, unknown = sorted(file.needs - set(header)), sorted(set(header) - set(file.columns))
    if missing or unknown or len(set(header)) < len(header):
        wrong = (
            f"its header lacks {', '.join(missing)}"
            if missing
            else f"legacy has no place for its {', '.join(map(repr, unknown))}"
            if unknown
            else "its header names a column twice"
        )
        raise UsageError(f"{path} has another shape: {wrong}.", hint=f"Its columns are {', '.join(file.columns)}.")
    return header


def _stage(conn: psycopg.Connection[Any], folder: Path, file: _File, header: list[str] | None) -> None:
    """Copy a file into a temporary table with every column it may have; those it lacks stay NULL."""
    conn.execute(sql.SQL("drop table if exists {}").format(file.staging))
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in file.columns.items()
    )
    conn.execute(sql.SQL("create table {} ({})").format(file.staging, columns))
    if header is None:
        return
    named = sql.SQL(", ").join(map(sql.Identifier, header))
    statement = sql.SQL("copy {} ({}) from stdin with (format csv, header, encoding 'UTF8', force_null ({}))").format(
        file.staging, named, named
    )
    path = folder / file.name
    with _fitting(path), path.open("rb") as data, conn.cursor().copy(statement) as copy:
        if data.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
            data.seek(0)
        while chunk := data.read(CHUNK):
            copy.write(chunk)


def _insert(conn: psycopg.Connection[Any], folder: Path) -> Loaded:
    """From the temporary tables into legacy, parents first."""
    with _fitting(folder / CONTACTS.name):
        workspaces = conn.execute(
            """
            insert into public.workspaces (id, name)
            select workspace_id, format('%%s %%s', %s::text, row_number() over (order by workspace_id))
              from pg_temp.loaded_contacts group by workspace_id
            on conflict do nothing
            """,
            [folder.resolve().name],
        ).rowcount
        contacts = _copy_over(conn, CONTACTS, "contacts")
    with _fitting(folder / FIELDS.name):
        # Definitions may be shared by several workspaces in a file; in legacy each belongs to one, here the first.
        custom_fields = conn.execute(
            """
            insert into public.custom_fields (id, workspace_id, name)
            select distinct on (f.field_id) f.field_id, c.workspace_id, f.field_name
              from pg_temp.loaded_contact_custom_fields as f
              join public.contacts as c on c.id = f.contact_id
             order by f.field_id, c.workspace_id, f.field_name
            on conflict do nothing
            """
        ).rowcount
        values = _copy_over(conn, FIELDS, "contact_custom_fields", leave_out="field_name")
    with _fitting(folder / APPOINTMENTS.name):
        appointments = _copy_over(conn, APPOINTMENTS, "appointments")
        # The file brings its own numbers; the next appointment must not run into them.
        conn.execute(
            """
            select setval(pg_get_serial_sequence('public.appointments', 'id'), max(id))
              from public.appointments having max(id) > 0
            """
        )
    for file in (CONTACTS, FIELDS, APPOINTMENTS):
        conn.execute(sql.SQL("drop table {}").format(file.staging))
    return Loaded(workspaces, contacts, custom_fields, values, appointments)


def _copy_over(conn: psycopg.Connection[Any], file: _File, table: str, *, leave_out: str = "") -> int:
    columns = sql.SQL(", ").join(sql.Identifier(c) for c in file.columns if c != leave_out)
    return conn.execute(
        sql.SQL("insert into {} ({}) select {} from {}").format(
            sql.Identifier("public", table), columns, columns, file.staging
        )
    ).rowcount


@contextmanager
def _fitting(path: Path) -> Iterator[None]:
    """Say which file it was whose rows the tables refuse; the condition only, for the message may hold its values."""
    try:
        yield
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        named = ", ".join(
            f"{what} {value}"
            for what, value in (("constraint", error.diag.constraint_name), ("column", error.diag.column_name))
            if value
        )
        line = re.search(r"\bline (\d+)", error.diag.context or "")
        raise UsageError(
            f"{path} does not fit the legacy tables: {type(error).__name__} ({error.sqlstate})"
            + (f", {named}" if named else "")
            + (f", line {line[1]}" if line else "")
            + ".",
            hint=f"Expected columns: {', '.join(f'{c} {t}' for c, t in CONTENT[path.name].items())}.",
            sqlstate=error.sqlstate,
        ) from error
