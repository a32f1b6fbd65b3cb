"""Reads a database's schema from the catalogue: a fixed number of queries, in one snapshot, whatever the number of objects."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from crmshift.compare.model import Identity, Kind, Object, Schema, values
from crmshift.db import Connection, transaction, translated
from crmshift.errors import DatabaseError

QUERIES = Path(__file__).parent / "queries"
OF_SCHEMAS = (
    *("relations", "columns", "constraints", "indexes", "triggers", "rules", "policies", "routines", "types"),
    *("others", "default_privileges"),
)
OF_THE_DATABASE = ("extensions", "database", "unmodelled")

Address = tuple[int, int, int]
"""Of an object in pg_depend: catalogue, row, and column where it is one."""

ATTEMPTS = 3

# What PostgreSQL prints depends on these: how names are qualified, and how constants in expressions are written.
_SETTINGS = {
    "search_path": "",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "C",
    "xmlbinary": "base64",
    # A view's definition is printed under a lock on what it reads.
    "lock_timeout": "2s",
}


def read(conn: Connection, name: str, schemas: Iterable[str] = ()) -> Schema:
    """The schema of a database: these schemas of it, or all but PostgreSQL's own and what belongs to none.

    Raises `LockNotObtained` where a table stays locked.
    """
    for attempt in range(ATTEMPTS):
        try:
            with transaction(conn):
                conn.execute("set transaction isolation level repeatable read, read only")
                return read_within(conn, name, schemas)
        except DatabaseError as error:
            # PostgreSQL's printing functions look past the snapshot: what is dropped meanwhile fails them.
            if error.sqlstate not in ("XX000", "42P01", "42704", "3F000") or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def read_within(conn: Connection, name: str, schemas: Iterable[str] = ()) -> Schema:
    """The same in the transaction that is open, with what that has made itself; until its end it keeps the settings needed here."""
    with translated():
        for setting, value in _SETTINGS.items():
            conn.execute("select set_config(%s, %s, true)", [setting, value])
        conn.execute("select set_config('crmshift.schemas', %s::text[]::text, true)", [sorted(schemas)])
    return Schema.of(name, conn.info.server_version // 10000, _objects(conn, sorted(schemas)))


def _objects(conn: Connection, schemas: list[str]) -> list[Object]:
    rows = _rows(conn, "schemas")
    with translated():
        namespaces = [row["objid"] for row in rows]
        conn.execute("select set_config('crmshift.namespaces', %s::oid[]::text, true)", [namespaces])
    for file in (*OF_SCHEMAS, *(() if schemas else OF_THE_DATABASE)):
        rows += _rows(conn, file)
    rows = _without_members_of_extensions(conn, rows)
    found = {_address(row): row for row in rows}
    for file in ("owners_and_grants", "comments"):
        for fact in _rows(conn, file):
            if (row := found.get(_address(fact))) is not None:
                row["attributes"][fact["attribute"]] = fact["value"]
    identities = {a: Identity(Kind(row["kind"]), row["schema"], row["parent"], row["name"]) for a, row in found.items()}
    needs = _dependencies(conn, identities)
    return [
        Object(
            identities[address],
            values(row["attributes"]),
            values(row["details"]),
            frozenset(needs.get(address, ())),
            row["derived"],
        )
        for address, row in found.items()
    ]


def _dependencies(conn: Connection, identities: dict[Address, Identity]) -> dict[Address, set[Identity]]:
    """What each object depends on; a table also on what its columns do, for it cannot be made before."""

    def nearest(address: Address) -> Address:
        """The object at an address; the whole, for a part that is no object by itself."""
        return address if address in identities else (*address[:2], 0)

    needs: dict[Address, set[Identity]] = {}
    for row in _rows(conn, "dependencies"):
        dependent, needed = nearest(_address(row)), nearest(_address(row, "ref"))
        if dependent not in identities or needed not in identities or dependent == needed:
            continue
        needs.setdefault(dependent, set()).add(identities[needed])
        if identities[dependent].kind is Kind.COLUMN and needed[:2] != dependent[:2]:
            needs.setdefault((*dependent[:2], 0), set()).add(identities[needed])
    return needs


def _rows(conn: Connection, file: str) -> list[dict[str, Any]]:
    from psycopg.rows import dict_row

    query = (QUERIES / f"{file}.sql").read_text(encoding="utf-8")
    with translated(), conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query).fetchall()


def _without_members_of_extensions(conn: Connection, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what extensions made, and what belongs to that."""
    members = {(row["classid"], row["objid"]) for row in _rows(conn, "members")}
    theirs = {
        (row["schema"], row["name"]) for row in rows if not row["parent"] and (row["classid"], row["objid"]) in members
    }
    return [
        row
        for row in rows
        if (row["classid"], row["objid"]) not in members
        and not (row["parent"] and (row["schema"], row["parent"]) in theirs)
    ]


def _address(row: dict[str, Any], prefix: str = "") -> Address:
    return (row[f"{prefix}classid"], row[f"{prefix}objid"], row[f"{prefix}objsubid"])
