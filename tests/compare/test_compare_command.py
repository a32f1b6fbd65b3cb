"""`crmshift compare` as a person runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from crmshift.compare.scratch import PREFIX
from tests.acceptance.commandline import Answer, must, start
from tests.compare.drift import drift
from tests.support.servers import Server
from tests.support.templates import apply_to

ONE = "create table t (id int primary key, a text);\ncreate index i on t (a);\n"
OTHER = "create table t (id bigint primary key, a text);\ncreate view v as select a from t;\n"


@pytest.fixture(autouse=True)
def nothing_left_behind(server: Server) -> Iterator[None]:
    yield
    assert scratch_databases(server) == []


def scratch_databases(server: Server) -> list[str]:
    with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
        rows = connection.execute("select datname from pg_database where starts_with(datname, %s)", [PREFIX])
        return [row[0] for row in rows.fetchall()]


@pytest.fixture
def one(make_database: Callable[[str], str]) -> str:
    dsn = make_database("empty")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(ONE)
    return dsn


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def told(answer: Answer) -> set[tuple[str, str, str]]:
    return {
        (d["difference"], d["kind"], ".".join(p for p in (d["schema"], d["parent"], d["name"]) if p))
        for d in answer.document["differences"]
    }


# --- any two sources ----------------------------------------------------------------------------------------------------


def test_a_database_a_file_a_directory_and_a_snapshot(one: str, tmp_path: Path) -> None:
    file = write(tmp_path / "one.sql", ONE)
    write(tmp_path / "dir" / "1.sql", "set search_path = nowhere;")  # ends with its file
    write(tmp_path / "dir" / "2_tables" / "t.sql", ONE.splitlines()[0])
    write(tmp_path / "dir" / "3_indexes.sql", ONE.splitlines()[1])
    taken = str(tmp_path / "one.json")
    assert " objects of database " in must(0, "compare", "--snapshot", taken, dsn=one).out
    for b in (one, file, str(tmp_path / "dir"), taken):
        assert "the same" in must(0, "compare", "--from", one, "--to", b).out


def test_what_differs_is_a_document(one: str, tmp_path: Path) -> None:
    file = write(tmp_path / "other.sql", OTHER)
    answer = must(1, "compare", "--from", one, "--to", file, "--format", "json")
    assert answer.document["format_version"] == "1.0"
    assert answer.document["same"] is False
    assert answer.document["to"]["source"] == f"file {file}"
    assert told(answer) == {
        ("changed", "column", "public.t.id"),
        ("removed", "index", "public.t.i"),
        ("added", "view", "public.v"),
    }
    (column,) = [d for d in answer.document["differences"] if d["kind"] == "column"]
    assert column["attributes"] == [{"name": "type", "from": "integer", "to": "bigint"}]


def test_what_differs_is_a_tree(one: str, tmp_path: Path) -> None:
    answer = must(1, "compare", "--from", one, "--to", write(tmp_path / "other.sql", OTHER))
    assert "├── table t" in answer.out
    assert "│   ├── ~ column id" in answer.out
    assert "type  integer → bigint" in answer.out
    assert "- index i" in answer.out
    assert "└── + view v" in answer.out
    assert "3 differences: + 1 only in B, - 1 only in A, ~ 1 changed from A to B" in answer.out


def test_less_can_be_asked_for(one: str, tmp_path: Path) -> None:
    both = ("compare", "--from", one, "--to", write(tmp_path / "other.sql", OTHER), "--format", "json")
    assert told(must(1, *both, "--only", "view")) == {("added", "view", "public.v")}
    assert told(must(1, *both, "--ignore", "public.t")) == {("added", "view", "public.v")}
    must(0, *both, "--only", "materialized_view")
    must(0, *both, "--ignore", "@type", "--ignore", "index:*", "--ignore", "*.v")
    assert "no such kind" in must(2, *both, "--only", "tabel").error
    assert "no such kind" in must(2, *both, "--ignore", "tabel:x").error
    assert "There is no schema crm" in must(2, *both, "--schema", "crm").error


def test_a_schema_that_one_side_lacks_is_a_difference(one: str, tmp_path: Path) -> None:
    file = write(tmp_path / "crm.sql", "create schema crm create table t (id int);")
    answer = must(1, "compare", "--from", one, "--to", file, "--schema", "crm", "--format", "json")
    assert told(answer) == {("added", "schema", "crm.crm"), ("added", "table", "crm.t")}


def test_of_a_table_that_one_side_lacks_parts_can_be_asked_for(one: str, tmp_path: Path) -> None:
    both = ("compare", "--from", one, "--to", write(tmp_path / "none.sql", ""), "--format", "json")
    assert told(must(1, *both)) == {("removed", "table", "public.t")}
    assert told(must(1, *both, "--only", "index")) == {("removed", "index", "public.t.i")}


def test_the_order_of_columns_counts_on_request(tmp_path: Path) -> None:
    a, b = (
        write(tmp_path / "a.sql", "create table t (a int, b int);"),
        write(tmp_path / "b.sql", "create table t (b int, a int);"),
    )
    must(0, "compare", "--from", a, "--to", b)
    answer = must(1, "compare", "--from", a, "--to", b, "--column-order", "--format", "json")
    assert answer.document["differences"][0]["attributes"] == [
        {"name": "order of columns", "from": ["a", "b"], "to": ["b", "a"]}
    ]


def test_owners_that_files_do_not_name_do_not_count(one: str, tmp_path: Path, roles: None) -> None:
    with psycopg.connect(one, autocommit=True) as connection:
        connection.execute("alter table t owner to crm_owner")
    silent = write(tmp_path / "silent.sql", ONE)
    other = write(tmp_path / "other.sql", ONE + "alter table t owner to crm_app;")
    must(0, "compare", "--from", one, "--to", silent)
    must(0, "compare", "--from", silent, "--to", one)
    must(0, "compare", "--snapshot", str(tmp_path / "s.json"), "--from", silent)
    must(0, "compare", "--from", str(tmp_path / "s.json"), "--to", one)
    answer = must(1, "compare", "--from", one, "--to", other, "--format", "json")
    assert answer.document["differences"][0]["attributes"] == [{"name": "owner", "from": "crm_owner", "to": "crm_app"}]
    both = ("compare", "--from", silent, "--to", other, "--scratch", one, "--format", "json")
    assert told(must(1, *both)) == {("changed", "table", "public.t")}


# --- trouble ------------------------------------------------------------------------------------------------------------


def test_what_cannot_be_compared(one: str, tmp_path: Path) -> None:
    assert "--to is missing" in must(2, "compare", "--from", one).error
    assert "neither a file" in must(2, "compare", "--from", one, "--to", "nowhere.sql").error
    (tmp_path / "empty").mkdir()
    assert "no .sql file" in must(2, "compare", "--from", one, "--to", str(tmp_path / "empty")).error
    open_end = write(tmp_path / "open.sql", "begin; create table t (id int);")
    assert "leaves a transaction open" in must(2, "compare", "--from", one, "--to", open_end).error
    answer = must(2, "compare", "--from", one, "--to", write(tmp_path / "bad.sql", "select 1;\ncreate tabel t ();"))
    assert "bad.sql, line 2: syntax error" in answer.error
    answer = must(2, "compare", "--from", one, "--to", write(tmp_path / "role.sql", "create role crm_from_a_file;"))
    assert "whole server" in answer.error
    assert "--scratch embedded" in answer.hint


def test_where_the_role_may_not_make_a_database(one: str, server: Server, tmp_path: Path) -> None:
    """An embedded server serves, with roles of the same names."""
    with psycopg.connect(one, autocommit=True) as connection:
        connection.execute("create role crm_weak login; grant select on t to crm_weak")
    try:
        weak = psycopg.conninfo.make_conninfo(one, user="crm_weak")
        file = write(tmp_path / "one.sql", ONE + "grant select on t to crm_weak;")
        assert "the same" in must(0, "compare", "--from", weak, "--to", file, "--ignore", "@owner").out
        answer = must(2, "compare", "--from", file, "--to", file, "--scratch", weak)
        assert "may not create databases" in answer.error
    finally:
        with psycopg.connect(one, autocommit=True) as connection:
            connection.execute("drop owned by crm_weak; drop role crm_weak")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_scratch_database(
    one: str, server: Server, tmp_path: Path, number: signal.Signals
) -> None:
    file = write(tmp_path / "slow.sql", "select pg_sleep(60);")
    process = start("compare", "--from", one, "--to", file)
    try:
        deadline = time.monotonic() + 60
        while not asleep(server):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(process.pid, number)
        process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 128 + number


def asleep(server: Server) -> bool:
    with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
        found = connection.execute(
            "select from pg_stat_activity where starts_with(datname, %s) and query like '%%pg_sleep%%'", [PREFIX]
        )
        return found.fetchone() is not None


# --- the database against the plan --------------------------------------------------------------------------------------


def test_nothing_applied_is_nothing_to_compare(legacy_db: str) -> None:
    assert "Nothing of the plan is applied" in must(2, "compare", dsn=legacy_db).error


@pytest.mark.parametrize("template", ["synced", "parallel"])
def test_what_the_plan_made_is_the_same(make_database: Callable[[str], str], template: str) -> None:
    assert "the same" in must(0, "compare", dsn=make_database(template)).out


def test_drift_is_named(make_database: Callable[[str], str]) -> None:
    dsn = make_database("parallel")
    with psycopg.connect(dsn, autocommit=True) as connection:
        drift(connection)
        connection.execute("create function crmshift.extra() returns int language sql as 'select 1'")
    answer = must(1, "compare", "--format", "json", dsn=dsn)
    assert told(answer) == {
        ("changed", "function", "crmshift.tg_contacts()"),
        ("removed", "function", "crmshift.extra()"),
        ("added", "index", "public.leads.customer_has_one_primary_lead"),
        ("changed", "trigger", "public.contacts.crmshift_sync_update"),
        ("changed", "policy", "public.customers.customers_of_workspace"),
        ("removed", "policy", "public.leads.open_to_all"),
        ("changed", "table", "public.leads"),
    }


def test_what_others_add_beside_it_is_theirs(make_database: Callable[[str], str]) -> None:
    dsn = make_database("parallel")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("""
            create table public.theirs (id int primary key);
            create index theirs_too on public.leads ((true));
            alter table public.customers add column theirs text;
            create function public.theirs() returns int language sql as 'select 1';
            grant select on public.leads to pg_monitor;
        """)
    must(0, "compare", dsn=dsn)


def test_legacy_tables_may_be_of_any_shape(make_database: Callable[[str], str]) -> None:
    """Partitioned, with types and sequences of their own: they are taken as they are."""
    dsn = make_database("empty")
    with psycopg.connect(dsn, autocommit=True) as connection:
        text = (Path(__file__).parents[2] / "sql" / "legacy" / "schema.sql").read_text()
        connection.execute(text)
        connection.execute("""
            create schema crm_types;
            create type crm_types."Lead status" as enum ('new', 'won');
            create domain crm_types.phone as varchar(255) check (value <> '');
            alter table public.contacts alter phone_number type crm_types.phone;
            alter table public.contacts add column "User" text default 'x' not null;
            create function public.f() returns trigger language plpgsql as 'begin return new; end';
            create trigger theirs before insert on public.contacts for each row execute function public.f();
        """)
        connection.execute('alter table public.contacts drop column "User"')
    apply_to(dsn, "sync-layer")
    must(0, "compare", dsn=dsn)
