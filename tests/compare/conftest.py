"""The roles that cases grant to: roles belong to the server, so they are made once and are gone at the end."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.servers import Server

ROLES = ("crm_app", "crm_reader", "crm_owner")


@pytest.fixture(scope="session")
def roles(server: Server) -> Iterator[None]:
    with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
        for role in ROLES:
            connection.execute(f"create role {role}")
    yield
    with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
        for role in ROLES:
            connection.execute(f"drop role {role}")
