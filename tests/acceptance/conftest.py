"""Roles for the applications of a CRM, and their DSNs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.acceptance.traffic import Databases
from tests.support.servers import Server

LEGACY_TABLES = ("workspaces", "contacts", "custom_fields", "contact_custom_fields", "appointments")
TARGET_TABLES = (
    "customers",
    "leads",
    "customer_custom_fields",
    "lead_custom_fields",
    "lead_appointments",
    "appointment_custom_fields",
)
SEQUENCE = "appointments_id_seq"


def as_role(dsn: str, role: str) -> str:
    """The same database, as another role: whoever may connect steps down to it before anything else."""
    return make_conninfo(dsn, options=f"-c role={role}")


@pytest.fixture(scope="session")
def make_role(server: Server) -> Iterator[Callable[..., str]]:
    """Makes a role that may do nothing, or what `attributes` say; dropped at the very end, after all databases."""
    roles: list[str] = []

    def make(name: str, attributes: str = "") -> str:
        roles.append(f"{name}_{os.getpid()}_{len(roles)}")
        with psycopg.connect(server.admin_dsn, autocommit=True) as admin:
            admin.execute(f"create role {roles[-1]} {attributes}")
        return roles[-1]

    yield make
    with psycopg.connect(server.admin_dsn, autocommit=True) as admin:
        for role in roles:
            admin.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))


def grant(dsn: str, role: str, rights: str, *tables: str) -> None:
    """Give a role rights on tables of the schema public."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for table in tables:
            connection.execute(
                sql.SQL("grant {} on {} to {}").format(
                    sql.SQL(rights), sql.Identifier("public", table), sql.Identifier(role)
                )
            )


class Crm:
    """The database of a CRM, a record of what legacy must hold, and the two generations of its applications.

    Each generation is a role of its own with rights on its own tables alone, as in a real CRM: v1 knows nothing of
    customers, v2 nothing of contacts, and row-level security shows v2 one workspace at a time.
    """

    def __init__(self, dsn: str, record: str, v1: str, v2: str) -> None:
        self.dsn = dsn
        self.record = record
        self.databases = Databases(as_role(dsn, v1), as_role(dsn, v2), record)
        self._v2 = v2
        grant(dsn, v1, "select, insert, update, delete", *LEGACY_TABLES)
        grant(dsn, v1, "usage", SEQUENCE)
        grant(dsn, v2, "usage", SEQUENCE)

    def admit_v2(self) -> None:
        """Give v2 applications their tables, which must be there."""
        grant(self.dsn, self._v2, "select, insert, update, delete", *TARGET_TABLES)


@pytest.fixture
def make_crm(make_role: Callable[..., str], make_database: Callable[[str], str]) -> Callable[[str], Crm]:
    """Makes a CRM with the rows of a template."""

    def make(template: str) -> Crm:
        return Crm(make_database(template), make_database(template), make_role("crm_v1"), make_role("crm_v2"))

    return make
