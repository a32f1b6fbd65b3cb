"""Every kind of damage to data, to every mapped column, on either side, done behind the triggers: validate finds it and names it.

What is to be found is worked out here in Python, from the rows of both sides as they stand after the damage; what is to be
damaged is read from the catalogue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from tests.acceptance.commandline import must
from tests.support.databases import register_template
from tests.support.templates import ADA, EMIL, NOBODY, WORKSPACE, apply_to

CHANGES = {
    "text": {
        "value changed": ("{c} || 'x'", "{c} <> ''"),
        "another case": (
            "case when {c} = upper({c}) then lower({c}) else upper({c}) end",
            "{c} is distinct from case when {c} = upper({c}) then lower({c}) else upper({c}) end",
        ),
        "space before": ("' ' || {c}", "{c} <> ''"),
        "space after": ("{c} || ' '", "{c} <> ''"),
        "blanks for ''": ("'  '", "{c} = ''"),
        "NULL for ''": ("null", "{c} = ''"),
        "NULL for a value": ("null", "{c} <> ''"),
        "'' for NULL": ("''", "{c} is null"),
        "the word NULL for NULL": ("'NULL'", "{c} is null"),
    },
    "timestamp with time zone": {
        "a microsecond later": ("{c} + interval '1 microsecond'", "{c} is not null"),
        "an hour earlier": ("{c} - interval '1 hour'", "{c} is not null"),
        "NULL for a time": ("null", "{c} is not null"),
        "a time for NULL": ("'2020-02-02Z'", "{c} is null"),
    },
    "boolean": {
        "the opposite": ("not {c}", "{c} is not null"),
        "NULL for false": ("null", "not {c}"),
        "false for NULL": ("false", "{c} is null"),
    },
    "uuid": {"another row's": ("(select o.{c} from {t} as o where o.{c} <> d.{c} limit 1)", "true")},
}
CHANGES["character varying"] = CHANGES["text"]

BY_DESIGN = {
    # Legacy has one clock for a person and its lead: as long as one of the two keeps the time, both agree (mapping/leads.sql).
    ("public.customers", "lastchanged", "an hour earlier"),
    ("public.customers", "lastchanged", "NULL for a time"),
    ("public.leads", "lastchangedon", "an hour earlier"),
    ("public.leads", "lastchangedon", "NULL for a time"),
    # When a lead was entered is its own affair once it is there (mapping/leads.sql).
    ("public.leads", "entrydate", "a microsecond later"),
    ("public.leads", "entrydate", "an hour earlier"),
    ("public.leads", "entrydate", "NULL for a time"),
    ("public.leads", "entrydate", "a time for NULL"),
}

MORE = f"""
insert into contacts (id, workspace_id, firstname, lastname, email, phone_number, st_address, city, state, zip,
                      lead_source, lead_status, appointment_status, created_at, updated_at)
values ('{NOBODY}', '{WORKSPACE}', '', '', '', '', '', '', '', '', '', '', '', '2024-01-06Z', '2024-02-06Z');
insert into contact_custom_fields (contact_id, field_id, value) select '{NOBODY}', id, '' from custom_fields where name = 'colour';
insert into appointments (contact_id, apptdate, status, reminder_sent) values ('{NOBODY}', '2024-03-03Z', '', false);
insert into appointments (contact_id, scheduled_at, status) values ('{EMIL}', '2024-03-03Z', 'open');
"""


def _with_more(dsn: str) -> None:
    apply_to(dsn, "parallel-operation")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(MORE)


register_template("damageable", base="seeded", build=_with_more)

Found = tuple[str, tuple[Any, ...], str, tuple[str, ...]]  # mapping, key, kind, columns


@dataclass(frozen=True)
class Mapping:
    name: str
    target: str
    key: tuple[str, ...]
    only_where: str | None


def mappings(conn: psycopg.Connection) -> list[Mapping]:
    found = conn.execute(
        "select name, target, key, only_where from crmshift.mapping where direction = 'to_target' order by position"
    )
    return [Mapping(name, target, tuple(key), only_where) for name, target, key, only_where in found]


def rows(conn: psycopg.Connection, m: Mapping, query: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        read = cursor.execute(query.encode()).fetchall()
    return {tuple(row[k] for k in m.key): row for row in read}


def disagreeing(conn: psycopg.Connection, m: Mapping) -> dict[str, set[tuple[Any, ...]]]:
    """For each column that is compared by a condition, the keys where that does not hold."""
    found = {}
    for column, agrees in conn.execute(
        "select column_name, agrees from crmshift.comparison where mapping = %s", [m.name]
    ).fetchall():
        query = f"select {', '.join(f't.{k}' for k in m.key)} from crmshift.{m.name}_expected as e join {m.target} as t using ({', '.join(m.key)}) where {m.only_where or 'true'} and (({agrees}) is null or not ({agrees}))"
        found[column] = set(conn.execute(query.encode()).fetchall())
    return found


def drift(conn: psycopg.Connection) -> set[Found]:
    """What differs, by comparing the two sides here."""
    found: set[Found] = set()
    for m in mappings(conn):
        by_condition = disagreeing(conn, m)
        expected = rows(conn, m, f"select * from crmshift.{m.name}_expected")
        there = rows(conn, m, f"select * from {m.target} as t where {m.only_where or 'true'}")
        for key in expected.keys() | there.keys():
            if key not in there:
                found.add((m.name, key, "missing", ()))
            elif key not in expected:
                found.add((m.name, key, "extra", ()))
            else:
                e, t = expected[key], there[key]
                differing = tuple(
                    c for c in e if c not in m.key and (key in by_condition[c] if c in by_condition else e[c] != t[c])
                )
                if differing:
                    found.add((m.name, key, "differs", differing))
    return found


def validated(conn: psycopg.Connection) -> set[Found]:
    """What crmshift says, in many small ranges."""
    found: set[Found] = set()
    for m in mappings(conn):
        for counted, by_kind, by_workspace, findings in conn.execute(
            """
            select c.drifted, c.by_kind, c.by_workspace, c.findings
              from crmshift.key_ranges(%(m)s, 2) as r cross join lateral crmshift.compare_rows(%(m)s, null, r.after, r.up_to) as c
            """,
            {"m": m.name},
        ):
            assert counted == len(findings) == sum(by_kind.values()) == sum(by_workspace.values())
            assert by_kind == Counter(f["kind"] for f in findings)
            for f in findings:
                key = conn.execute(
                    sql.SQL("select {}").format(
                        sql.SQL(", ").join(
                            sql.SQL("{}::{}").format(sql.Literal(str(f["key"][k])), sql.SQL(t))
                            for k, t in zip(m.key, key_types(conn, m.name), strict=True)
                        )
                    )
                ).fetchone()
                assert key is not None
                assert (m.name, key) not in {each[:2] for each in found}, "told twice"
                found.add((m.name, key, f["kind"], tuple(f["columns"] or ())))
    return found


def key_types(conn: psycopg.Connection, mapping: str) -> list[str]:
    row = conn.execute("select key_types from crmshift.mapping where name = %s", [mapping]).fetchone()
    assert row is not None
    types: list[str] = row[0]
    return types


def mapped_columns(conn: psycopg.Connection) -> list[tuple[str, str, str]]:
    """Table, column and type of everything that is mapped, key columns aside, on both sides."""
    return conn.execute(
        """
        select distinct m.target, a.attname::text, format_type(a.atttypid, null)
          from crmshift.mapping as m
          join pg_attribute as v on v.attrelid = to_regclass(format('crmshift.%I', m.name || '_expected')) and v.attnum > 0
          join pg_attribute as a on a.attrelid = m.target::regclass and a.attname = v.attname
         where a.attname <> all (m.key)
         order by 1, 2
        """
    ).fetchall()


def columns_of(conn: psycopg.Connection, table: str) -> str:
    """Those that can be written."""
    found = conn.execute(
        "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute "
        "where attrelid = %s::regclass and attnum > 0 and not attisdropped and attgenerated = ''",
        [table],
    ).fetchone()
    assert found is not None
    return str(found[0])


@dataclass(frozen=True)
class Damage:
    """What is done to a table, and what it is called."""

    table: str
    column: str | None
    kind: str
    statement: str


def damages(conn: psycopg.Connection) -> Iterator[Damage]:
    for table, column, type_ in mapped_columns(conn):
        for kind, (value, where) in CHANGES[type_].items():
            names = {"c": f'"{column}"', "t": table}
            yield Damage(
                table,
                column,
                kind,
                f'update {table} as d set "{column}" = {value.format(**names)} '
                f"where ctid = (select ctid from {table} as d where {where.format(**names)} order by ctid limit 1)",
            )
    for table, key, workspaces in conn.execute(
        """
        select m.target, m.key, exists (select from pg_attribute where attrelid = m.target::regclass and attname = 'workspace_id')
          from crmshift.mapping as m order by 1
        """
    ).fetchall():
        where = next((m.only_where for m in mappings(conn) if m.target == table), None) or "true"
        first = f"(select t.ctid from {table} as t where {where} order by t.ctid limit 1)"
        columns = columns_of(conn, table)
        new = f"jsonb_build_object('{key[-1]}', {'90210' if 'appointments' in table else 'gen_random_uuid()'}"
        new += ", 'id', gen_random_uuid())" if table == "public.leads" else ")"
        extra = (
            f"insert into {table} ({columns}) overriding system value select {', '.join(f'r.{c}' for c in columns.split(', '))} "
            f"from {table} as d, jsonb_populate_record(d, {new}) as r where d.ctid = {first}"
        )
        missing = f"delete from {table} where ctid = {first}"
        yield Damage(table, None, "row missing", missing)
        yield Damage(table, None, "row doubled under another key", extra)
        yield Damage(table, None, "one missing and one extra in the same workspace", f"{extra}; {missing}")
        yield Damage(table, None, "all rows missing", f"delete from {table}")
        if workspaces:
            pair = f"(select array[min(ctid), max(ctid)] from (select distinct on (workspace_id) ctid from {table} as t where {where}) as p)"
            yield Damage(
                table,
                None,
                "rows swapped between workspaces",
                f"with p as (select ({pair})[1] as a, ({pair})[2] as b) update {table} as d "
                f"set workspace_id = (select o.workspace_id from {table} as o, p where o.ctid = case d.ctid when p.a then p.b else p.a end) "
                "from p where d.ctid in (p.a, p.b)",
            )


def test_every_damage_to_every_mapped_column_is_found_and_named(
    make_database: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    done: Counter[str] = Counter()
    untouched: set[tuple[str, str]] = set()
    with psycopg.connect(make_database("damageable"), autocommit=True) as conn:
        assert drift(conn) == set()
        assert validated(conn) == set()
        conn.execute("set session_replication_role = replica")
        todo = list(damages(conn))
        untouched = {(d.table, d.column) for d in todo if d.column}
        for damage in todo:
            with conn.transaction(force_rollback=True):
                try:
                    with conn.transaction():
                        if conn.execute(damage.statement.encode()).rowcount < 1:
                            continue  # no such row
                except psycopg.errors.NotNullViolation:
                    continue
                expected = drift(conn)
                found = validated(conn)
                assert found == expected, damage
                if (damage.table, damage.column, damage.kind) in BY_DESIGN:
                    assert not found, damage
                else:
                    assert found, damage
                    if damage.column and damage.table in {m.target for m in mappings(conn)}:
                        assert any(damage.column in columns or kind != "differs" for *_, kind, columns in found), damage
                        done["by its column"] += any(damage.column in columns for *_, columns in found)
                    done["found"] += 1
                if damage.column:
                    untouched.discard((damage.table, damage.column))
                done["done"] += 1
        assert not untouched, "no damage was done to these"
        assert validated(conn) == set()
    assert done["done"] > 200
    with capsys.disabled():
        print(
            f"\nmutations: {done['found']} of {done['done'] - len(BY_DESIGN)} found and named rightly; "
            f"{len(BY_DESIGN)} more are no damage by the mapping's own words"
        )


@pytest.mark.default_pg
def test_the_command_says_the_same_and_exits_with_1(make_database: Callable[[str], str]) -> None:
    dsn = make_database("damageable")
    must(0, "validate", dsn=dsn)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("set session_replication_role = replica")
        for statement, check, key, detail, undo in (
            (
                "update customers set city = 'bonn' where cst_id = %s",
                "drift_customers",
                {"cst_id": ADA},
                "differs: city",
                "update customers set city = 'Bonn' where cst_id = %s",
            ),
            (
                "update contacts set lead_status = 'New' where id = %s",
                "drift_leads",
                {"customer_id": ADA},
                "differs: disposition",
                "update contacts set lead_status = 'new' where id = %s",
            ),
        ):
            conn.execute(statement, [ADA])
            document = must(1, "validate", "--format", "json", dsn=dsn).document
            failed = {
                c["name"]: [(f["subject"], f["key"], f["detail"]) for f in c["findings"]]
                for c in document["checks"]
                if not c["passed"]
            }
            assert failed == {check: [(check.removeprefix("drift_"), key, detail)]}
            conn.execute(undo, [ADA])
    must(0, "validate", dsn=dsn)
