"""The key of a mapping is unique in its legacy table, by an index that ON CONFLICT can use, or nothing runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from crmshift import preflight
from crmshift.errors import Refused
from crmshift.steps import Compiled
from tests.support.templates import compiled

Db = Callable[[str], psycopg.Connection]

WITHOUT_KEYS = """
alter table appointments drop constraint appointments_contact_id_fkey;
alter table contact_custom_fields drop constraint contact_custom_fields_contact_id_fkey;
alter table contacts drop constraint contacts_pkey;
alter table contact_custom_fields drop constraint contact_custom_fields_pkey;
"""
CONTACTS_ARE_UNIQUE = "create unique index on contacts (id);"


def without_keys(db: Db, and_then: str) -> tuple[psycopg.Connection, Compiled]:
    conn = db("seeded")
    plan = compiled(conn.info.dsn)
    preflight.check(conn, plan, frozenset())
    conn.execute(WITHOUT_KEYS)
    conn.execute(and_then)
    return conn, plan


SERVES_NOT = {
    "nothing": "",
    "an index that is not unique": "create index on contacts (id)",
    "a partial one": "create unique index on contacts (id) where city is not null",
    "a wider one": "create unique index on contacts (id, workspace_id)",
    "one on an expression": "create unique index on contacts ((id::text))",
    "one on another column": "create unique index on contacts (firstname)",
    "a deferrable constraint": "alter table contacts add primary key (id) deferrable",
    "one that is not valid": "create unique index made on contacts (id); update pg_index set indisvalid = false where indexrelid = 'made'::regclass",
}


@pytest.mark.parametrize("what", SERVES_NOT)
def test_a_key_without_a_unique_index_that_serves_is_refused(db: Db, what: str) -> None:
    conn, plan = without_keys(db, SERVES_NOT[what])
    with pytest.raises(
        Refused,
        match=r"^The key id of public\.contacts is not unique: it needs a unique index on just this column\.$",
    ) as refused:
        preflight.check(conn, plan, frozenset())
    assert refused.value.hint is not None
    assert "create unique index concurrently on public.contacts (id); " in refused.value.hint


def test_a_key_of_several_columns_needs_an_index_on_them_all_in_any_order(db: Db) -> None:
    conn, plan = without_keys(
        db,
        CONTACTS_ARE_UNIQUE
        + """create unique index on contact_custom_fields (contact_id, field_id, value);
             create index on contact_custom_fields (contact_id, field_id)""",
    )
    with pytest.raises(Refused, match=r"The key contact_id, field_id of public\.contact_custom_fields .* just these"):
        preflight.check(conn, plan, frozenset())
    conn.execute("create unique index on contact_custom_fields (field_id, contact_id)")
    preflight.check(conn, plan, frozenset())


def test_an_index_that_includes_further_columns_serves(db: Db) -> None:
    conn, plan = without_keys(
        db,
        """create unique index on contacts (id) include (workspace_id);
           create unique index on contact_custom_fields (contact_id, field_id) include (value)""",
    )
    preflight.check(conn, plan, frozenset())


@pytest.mark.parametrize("condition", ["city is not null", "(city  IS NOT\nNULL)"])
def test_a_partial_index_serves_where_the_mapping_says_its_predicate(db: Db, condition: str) -> None:
    conn, plan = without_keys(
        db,
        """create unique index on contacts (id) where city is not null;
           alter table contact_custom_fields add primary key (contact_id, field_id)""",
    )
    other = with_condition(plan, "zip IS NOT NULL")
    with pytest.raises(Refused, match=r"The key id of public\.contacts") as refused:
        preflight.check(conn, other, frozenset())
    assert refused.value.hint is not None
    assert (
        "There is one where (city IS NOT NULL): write conflict_where in sql/mapping/contacts.sql" in refused.value.hint
    )
    preflight.check(conn, with_condition(plan, condition.replace("is not null", "IS NOT NULL")), frozenset())


def with_condition(plan: Compiled, condition: str) -> Compiled:
    return replace(
        plan,
        mappings=tuple(replace(m, conflict_where=condition) if m.name == "contacts" else m for m in plan.mappings),
    )
