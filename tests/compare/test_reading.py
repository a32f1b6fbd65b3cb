"""How a schema is read: by whom, with how many queries, in which order, on which version; and what is made of the unknown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import psycopg
import pytest

from crmshift.compare import read as reading
from crmshift.compare import snapshot
from crmshift.compare.difference import Pattern, compare
from crmshift.compare.model import Identity, Kind, Object, Schema, in_dependency_order
from crmshift.compare.read import read
from crmshift.errors import LockNotObtained, UsageError
from tests.support.sessions import sessions

EVERYTHING = """
create type stage as enum ('new', 'won');
create domain label as text check (value <> '');
create sequence numbers;
create function next_number() returns bigint language sql as $$ select nextval('public.numbers') $$;
create table a (id int generated always as identity primary key, s stage, n bigint default nextval('numbers'), l label);
create table b (id int primary key references a, m bigint default next_number());
create view v as select a.id, b.m from a join b using (id);
create view w as select id from v;
create materialized view m as select * from w;
create index on m (id);
create function f() returns trigger language plpgsql as 'begin return new; end';
create trigger g before insert on a for each row execute function f();
alter table a enable row level security;
create policy p on a using (n > next_number());
create extension if not exists plpgsql;
"""


@pytest.fixture
def everything(db: Callable[[str], psycopg.Connection]) -> psycopg.Connection:
    connection = db("empty")
    connection.execute(EVERYTHING)
    return connection


def test_objects_come_after_what_they_need(everything: psycopg.Connection) -> None:
    schema = read(everything, "x")
    place = {o.identity: n for n, o in enumerate(in_dependency_order(schema.objects))}
    assert len(place) == len(schema.objects)
    late = [(o.identity, i) for o in schema.objects for i in o.depends_on if place[i] > place[o.identity]]
    assert not late

    def before(first: str, second: str) -> bool:
        names = {str(i): n for i, n in place.items()}
        return names[first] < names[second]

    assert before("schema public", "enum public.stage")
    assert before("enum public.stage", "table public.a")
    assert before("sequence public.numbers", "table public.a")
    assert before("function public.next_number()", "table public.b")
    assert before("constraint public.a.a_pkey", "constraint public.b.b_id_fkey")
    assert before("view public.v", "view public.w")
    assert before("view public.w", "materialized view public.m")
    assert before("function public.f()", "trigger public.a.g")
    assert before("function public.next_number()", "policy public.a.p")


def test_a_cycle_of_dependencies_is_cut() -> None:
    one, two = (Identity(Kind.FUNCTION, "public", "", name) for name in ("one()", "two()"))
    objects = [Object(one, {}, {}, frozenset({two})), Object(two, {}, {}, frozenset({one}))]
    assert {o.identity for o in in_dependency_order(objects)} == {one, two}


def test_a_chain_may_be_long() -> None:
    """Longer than Python's stack."""
    names = [Identity(Kind.VIEW, "public", "", f"v{n:05}") for n in range(5000)]
    objects = [
        Object(i, {}, {}, frozenset(names[n + 1 : n + 2])) for n, i in enumerate(names)
    ]  # each needs the next, against the order of names
    assert [o.identity for o in in_dependency_order(objects)] == names[::-1]


def test_the_number_of_queries_is_fixed(
    db: Callable[[str], psycopg.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    rows = reading._rows
    monkeypatch.setattr(reading, "_rows", lambda conn, file: asked.append(file) or rows(conn, file))
    connection = db("empty")
    read(connection, "few")
    few, asked[:] = list(asked), []
    connection.execute(
        "do $$ begin for i in 1..50 loop execute format('create table t%s (id int primary key)', i); end loop; end $$"
    )
    assert len([o for o in read(connection, "many").objects if o.identity.kind is Kind.TABLE]) == 50
    assert asked == few
    assert sorted(asked) == sorted(p.stem for p in reading.QUERIES.glob("*.sql"))


def test_whoever_may_connect_may_read(everything: psycopg.Connection) -> None:
    """The catalogue is for all; nothing of it needs a superuser."""
    whole = read(everything, "x")
    everything.execute("create role nobody_much")
    try:
        everything.execute("set role nobody_much")
        assert not compare(whole, read(everything, "x")).differences
    finally:
        everything.execute("reset role; drop role nobody_much")


def test_settings_of_the_session_do_not_show(everything: psycopg.Connection) -> None:
    whole = read(everything, "x")
    everything.execute("set search_path = public; set quote_all_identifiers = on; set timezone = 'Asia/Tokyo'")
    assert not compare(whole, read(everything, "x")).differences
    assert everything.execute("show timezone").fetchone() == ("Asia/Tokyo",)


def test_only_the_schemas_asked_for(everything: psycopg.Connection) -> None:
    everything.execute("create schema crm create table t (id int)")
    schema = read(everything, "x", ["crm"])
    assert [str(o.identity) for o in schema.objects] == ["schema crm", "table crm.t", "column crm.t.id"]


def test_it_waits_for_nobody_for_long(make_database: Callable[[str], str]) -> None:
    dsn = make_database("empty")
    with psycopg.connect(dsn, autocommit=True) as connection, sessions(dsn, "A") as (a,):
        connection.execute(EVERYTHING)
        a("begin")
        a("lock table public.a in access exclusive mode")
        with pytest.raises(LockNotObtained):
            read(connection, "x")


def test_a_kind_that_nobody_reads_is_told(everything: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """As PostgreSQL's next version may bring one: here event triggers are made unknown."""
    everything.execute(
        "create function e() returns event_trigger language plpgsql as 'begin end'; create event trigger known on ddl_command_end execute function e()"
    )
    everything.execute("set crmshift.schemas = '{}'")
    query = (reading.QUERIES / "unmodelled.sql").read_text()
    assert everything.execute(query).fetchall() == []
    found = everything.execute(query.replace("'pg_event_trigger', ", "")).fetchall()
    assert [(row[0], row[3]) for row in found] == [("kind not modelled", "event trigger known")]


# --- snapshots ----------------------------------------------------------------------------------------------------------


def test_a_snapshot_is_the_schema(everything: psycopg.Connection, tmp_path: Path) -> None:
    schema = read(everything, "x")
    snapshot.save(schema, tmp_path / "s.json")
    again = snapshot.load(tmp_path / "s.json")
    assert again == schema
    assert [o.depends_on for o in again.objects] == [o.depends_on for o in schema.objects]
    assert hash(again) == hash(schema)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format_version": "1.0"}'])
def test_what_is_no_snapshot_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(UsageError, match=r"s\.json is not a"):
        snapshot.load(tmp_path / "s.json")


def test_a_snapshot_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(json.dumps({"format_version": "9.0"}))
    with pytest.raises(UsageError, match=r"version 9\.0"):
        snapshot.load(tmp_path / "s.json")


# --- versions -----------------------------------------------------------------------------------------------------------


def one_view(version: int, definition: str, *grants: str) -> Schema:
    attributes = {"definition": definition, "grants": grants}
    return Schema.of("x", version, [Object(Identity(Kind.VIEW, "public", "", "v"), MappingProxyType(attributes))])


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (" SELECT t.id,\n    t.a\n   FROM public.t;", " SELECT id,\n    a\n   FROM public.t;"),
        (
            " SELECT t.id FROM public.t WHERE (EXISTS ( SELECT 1 FROM public.u WHERE (u.id = t.id)));",
            " SELECT id FROM public.t WHERE (EXISTS ( SELECT 1 FROM public.u WHERE (u.id = t.id)));",
        ),
    ],
)
def test_a_view_printed_by_another_version_is_the_same(older: str, newer: str) -> None:
    assert compare(one_view(15, older), one_view(18, newer)).same
    assert not compare(one_view(15, older), one_view(18, newer.replace("id", "other", 1))).same
    assert not compare(one_view(18, older), one_view(18, newer)).same


def test_privileges_the_older_version_does_not_know_do_not_count() -> None:
    query = " SELECT 1 AS x;"
    granted = ("MAINTAIN to crm_app", "SELECT to crm_app")
    assert compare(one_view(16, query, "SELECT to crm_app"), one_view(17, query, *granted)).same
    assert not compare(one_view(17, query, "SELECT to crm_app"), one_view(18, query, *granted)).same


# --- what is left out ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "object_too", "attribute_too"),
    [
        ("public.t.i", True, False),
        ("public.t", True, False),
        ("public.*", True, False),
        ("index:public.t.?", True, False),
        ("table:public.t", False, False),
        ("@comment", False, True),
        ("*.i@comment", False, True),
        ("*.i@owner", False, False),
        ("other.*", False, False),
    ],
)
def test_patterns(pattern: str, object_too: bool, attribute_too: bool) -> None:
    index = Identity(Kind.INDEX, "public", "t", "i")
    assert Pattern.parse(pattern).matches(index) is object_too
    assert Pattern.parse(pattern).matches(index, "comment") is attribute_too
