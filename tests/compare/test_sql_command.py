"""`crmshift compare --sql` as a person runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from crmshift.compare import script as files
from crmshift.compare.ddl.script import between, write
from crmshift.compare.difference import compare
from crmshift.compare.read import read
from crmshift.db import connect
from tests.acceptance.commandline import must
from tests.compare.drift import drift
from tests.compare.test_ddl import execute
from tests.support import templates

__all__ = ["templates"]  # it makes the database `parallel` known

TABLE = "create table t (id int primary key, a text, b int);\n"


def write_file(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


@pytest.fixture
def made(make_database: Callable[[str], str]) -> Callable[[str], str]:
    """Makes a database of SQL."""

    def make(text: str) -> str:
        dsn = make_database("empty")
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(text.encode())
        return dsn

    return make


def run(dsn: str, script: str, path: Path) -> None:
    """Run a script as psql would."""
    path.write_text(script)
    with connect(dsn, "tests") as connection:
        files.run(connection, path, server_is_ours=False)


def statements(a: str, b: str, tmp_path: Path, status: int = 1, *more: str) -> list[dict[str, Any]]:
    sides = ("--from", write_file(tmp_path / "a.sql", a), "--to", write_file(tmp_path / "b.sql", b))
    answer = must(status, "compare", *sides, "--sql", "--format", "json", "--scratch", "embedded", *more)
    assert answer.document["sql"]["trial"]["outcome"] == "equal", answer
    return list(answer.document["sql"]["statements"])


def texts(found: list[dict[str, Any]]) -> list[str]:
    return [" ".join(s["sql"].split()) for s in found]


def kinds(statement: dict[str, Any]) -> set[str]:
    return {h["kind"] for h in statement["hazards"]}


# --- the database against the plan --------------------------------------------------------------------------------------


def test_drift_is_named_and_mended(make_database: Callable[[str], str], tmp_path: Path) -> None:
    """What a DBA does to a migrated database with rows, and back."""
    dsn = make_database("parallel")
    with psycopg.connect(dsn, autocommit=True) as connection:
        before = read(connection, "before")
        drift(connection)
        # It stands on what is mended, and is not crmshift's.
        connection.execute("create index theirs on public.leads (created_at)")
    named = must(1, "compare", dsn=dsn).out
    for name in ("tg_contacts", "customer_has_one_primary_lead", "crmshift_sync_update", "customers_of_workspace"):
        assert name in named
    answer = must(1, "compare", "--sql", dsn=dsn)
    assert "Tried on a scratch copy of A, without rows: it came out equal to B." in answer.out
    run(dsn, answer.out, tmp_path / "mend.sql")
    must(0, "compare", dsn=dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        left = compare(before, read(connection, "after")).differences
    assert [str(d.identity) for d in left] == ["index public.leads.theirs"]


@pytest.mark.parametrize("way", ["forward", "back", "from nothing"])
def test_the_whole_of_a_migrated_database(way: str, db: Callable[[str], psycopg.Connection]) -> None:
    a, b = {"forward": ("legacy", "parallel"), "back": ("parallel", "legacy"), "from nothing": ("empty", "parallel")}[
        way
    ]
    here, there = db(a), db(b)
    wanted = read(there, "b")
    now = read(here, "a")
    made = (
        between(now, wanted)
        if way == "from nothing"
        else write(now, compare(now, wanted), allow_destructive=True).active
    )
    execute(here, made)
    assert compare(read(here, "a"), wanted).differences == ()


# --- what loses data ----------------------------------------------------------------------------------------------------


def test_what_loses_data_is_commented_out(made: Callable[[str], str], tmp_path: Path) -> None:
    old = TABLE + "create view v as select id, b from t; create table gone (id int); insert into t values (1, 'x', 2);"
    b = write_file(
        tmp_path / "b.sql", "create table t (id int primary key, a text, c text); create view v as select id, c from t;"
    )
    a = made(old)
    answer = must(3, "compare", "--from", a, "--to", b, "--sql")
    assert "\n--   drop table public.gone;\n" in answer.out
    assert "\n--   alter table public.t drop column b;\n" in answer.out
    assert "data loss: all rows of public.gone" in answer.out
    run(a, answer.out, tmp_path / "mend.sql")
    left = must(1, "compare", "--from", a, "--to", b, "--format", "json").document["differences"]
    assert {d["name"] for d in left} == {"b", "gone"}
    with psycopg.connect(a) as connection:
        assert connection.execute("select b from t").fetchall() == [(2,)]
    answer = must(1, "compare", "--from", a, "--to", b, "--sql", "--allow-destructive")
    run(a, answer.out, tmp_path / "mend.sql")
    assert "there is nothing to do" in must(0, "compare", "--from", a, "--to", b, "--sql").out
    assert "Add --sql" in must(2, "compare", "--from", a, "--to", b, "--allow-destructive").hint


def test_what_is_not_dropped_keeps_what_stands_on_it(tmp_path: Path) -> None:
    """A view that would be made anew after a withheld change stays."""
    found = statements(
        "create table t (a timestamptz); create view v as select a from t;",
        "create table t (a timestamptz(0)); create view v as select a from t;",
        tmp_path,
        3,
    )
    assert found and all(s["withheld"] for s in found), texts(found)


# --- safe forms ---------------------------------------------------------------------------------------------------------


def test_safe_forms(tmp_path: Path) -> None:
    found = statements(
        "create table p (id int primary key); create table t (id int, a text, p int); create index i on t (a);",
        """create table p (id int primary key);
           create table t (id int not null constraint t_key unique, a text, p int references p check (p > 0));
           create index i on t (a, p); create index j on t (p);""",
        tmp_path,
    )
    said = texts(found)
    assert "CREATE INDEX CONCURRENTLY i_new ON public.t USING btree (a, p)" in said
    assert said.index("drop index concurrently public.i") < said.index("alter index public.i_new rename to i")
    assert "CREATE INDEX CONCURRENTLY j ON public.t USING btree (p)" in said
    assert "alter table public.t add constraint t_key unique using index t_key" in said
    assert "alter table public.t add constraint t_p_fkey FOREIGN KEY (p) REFERENCES public.p(id) not valid" in said
    assert "alter table public.t add constraint t_p_check CHECK ((p > 0)) not valid" in said
    assert said.index("alter table public.t validate constraint id_is_not_null") < said.index(
        "alter table public.t alter column id set not null"
    )
    for s in found:
        online = "CONCURRENTLY" in s["sql"] or "concurrently" in s["sql"] or "validate" in s["sql"]
        assert s["transactional"] == (not online)
        if "validate" in s["sql"] or s["sql"].startswith("CREATE"):
            assert kinds(s) >= {"long scan"} and "lock" not in kinds(s)


def test_a_replica_identity_is_never_without_its_index(tmp_path: Path) -> None:
    table = "create table t (a int not null, b int not null); create unique index i on t ({}); alter table t replica identity using index i"
    said = texts(statements(table.format("a"), table.format("a, b"), tmp_path))
    assert said[1:] == [
        "alter table public.t replica identity using index i_new",
        "drop index concurrently public.i",
        "alter index public.i_new rename to i",
    ]


def test_a_sequence_outlives_its_column(tmp_path: Path) -> None:
    owned = "create table t (a int, b int) {}; create sequence s owned by t.a;"
    said = texts(statements(owned.format(""), "create sequence s;", tmp_path, 1, "--allow-destructive"))
    assert said == ["alter sequence public.s owned by none", "drop table public.t"]
    parted = owned.format("partition by list (a)")
    said = texts(statements(owned.format(""), parted, tmp_path, 1, "--allow-destructive"))
    assert (said[0], said[-1]) == (
        "alter sequence public.s owned by none",
        "alter sequence public.s owned by public.t.a",
    )


def test_an_identity_becomes_a_serial(tmp_path: Path) -> None:
    """Whose sequence has the same name."""
    identity = "create table t (a int generated always as identity);"
    found = statements(identity, "create table t (a serial);", tmp_path, 1, "--allow-destructive")
    assert texts(found)[0] == "alter table public.t alter column a drop identity"


@pytest.mark.parametrize(
    ("old", "new", "hazards"),
    [
        ("int", "bigint", {"rewrite", "lock"}),
        ("varchar(10)", "varchar(20)", {"lock"}),
        ("varchar(10)", "text", {"lock"}),
        ("text", "varchar(10)", {"rewrite", "lock", "may fail"}),
        ("text", "int", {"rewrite", "lock", "may fail", "data loss"}),
        ("timestamptz", "date", {"rewrite", "lock", "data loss"}),
        ("numeric(10,2)", "numeric(10,1)", {"rewrite", "lock", "data loss"}),
        ("numeric(10,2)", "numeric(12,2)", {"lock"}),
        ("numeric(10,2)", "numeric(10,4)", {"rewrite", "lock", "may fail"}),
        ("text", "name", {"rewrite", "lock", "data loss"}),
    ],
)
def test_hazards_of_types(old: str, new: str, hazards: set[str], made: Callable[[str], str]) -> None:
    """And where no rewrite is named there is none."""
    dsn = made(f"create table t (a {old}); create table other (a {new})")
    with psycopg.connect(dsn, autocommit=True) as connection:
        a = read(connection, "a")
        filenode = "select pg_relation_filenode('t')"
        before = connection.execute(filenode).fetchone()
        with connection.transaction(force_rollback=True):
            connection.execute(f"alter table t alter column a type {new} using a::{new}".encode())
            b = read_b(connection)
        (statement,) = write(a, compare(a, b), allow_destructive=True).active
        connection.execute(statement.sql.encode())
        after = connection.execute(filenode).fetchone()
    assert {h.danger.value for h in statement.hazards} == hazards
    assert (before != after) == ("rewrite" in hazards)


def read_b(connection: psycopg.Connection) -> Any:
    from crmshift.compare.read import read_within

    return read_within(connection, "b")


# --- questions, and what cannot be ---------------------------------------------------------------------------------------


def test_a_rename_is_asked_and_not_guessed(tmp_path: Path) -> None:
    sides = (
        *("--from", write_file(tmp_path / "a.sql", TABLE + "create table old (id int);")),
        *("--to", write_file(tmp_path / "b.sql", TABLE.replace("b int", "c int") + "create table new (id int);")),
    )
    document = must(3, "compare", *sides, "--sql", "--format", "json").document
    assert {q["sql"] for q in document["sql"]["questions"]} == {
        "alter table public.t rename column b to c",
        "alter table public.old rename to new",
    }
    assert not any("rename" in s["sql"] for s in document["sql"]["statements"])
    out = must(3, "compare", *sides, "--sql").out
    assert "-- Was column public.t.b renamed to c? Then this, in place of dropping the one and making the other:" in out
    assert "\n--   alter table public.t rename column b to c;\n" in out


def test_what_cannot_be_tried_or_made_says_so(tmp_path: Path) -> None:
    secret = """create foreign data wrapper w; create server s foreign data wrapper w;
        create user mapping for public server s options (password 'x');"""
    a = write_file(tmp_path / "a.sql", secret)
    b = write_file(tmp_path / "b.sql", secret + TABLE)
    answer = must(1, "compare", "--from", a, "--to", b, "--sql")
    assert (
        "-- Not tried: A could not be made anew: user mapping public on s is removed" in answer.out
        or "-- Not tried: A could not be made anew" in answer.out
    )
    assert "create table public.t" in answer.out
    answer = must(3, "compare", "--from", write_file(tmp_path / "none.sql", ""), "--to", a, "--sql")
    assert "CANNOT BE MADE: user mapping public on s: the option password may be secret" in answer.out


def test_the_order_of_columns_stays(tmp_path: Path) -> None:
    sides = (
        *("--from", write_file(tmp_path / "a.sql", "create table t (a int, b int);")),
        *("--to", write_file(tmp_path / "b.sql", "create table t (b int, a int, c int);")),
    )
    document = must(3, "compare", *sides, "--sql", "--format", "json", "--column-order").document["sql"]
    assert [s["sql"] for s in document["statements"]] == ["alter table public.t add column c integer"]
    assert [p["why"] for p in document["not_made"]] == ["no statement changes the order of a table's columns"]


def test_no_name_becomes_a_statement(made: Callable[[str], str], tmp_path: Path) -> None:
    a = made(TABLE)
    name = "x\n; drop table public.t; --"
    b = made(TABLE + f'create table "{name}" ("{name}" int); comment on table t is E\'a\\n; drop table public.t;\'')
    answer = must(1, "compare", "--from", a, "--to", b, "--sql")
    run(a, answer.out, tmp_path / "mend.sql")
    must(0, "compare", "--from", a, "--to", b)
    # And the other way, where it is commented out.
    c = made(TABLE + f'create table "{name}" ("{name}" int);')
    answer = must(3, "compare", "--from", c, "--to", made(TABLE), "--sql")
    run(c, answer.out, tmp_path / "mend.sql")
    must(0, "compare", "--from", c, "--to", c)
    with psycopg.connect(c) as connection:
        connection.execute("select from public.t")


def test_default_privileges_do_not_get_in_the_way(made: Callable[[str], str], tmp_path: Path, roles: None) -> None:
    given = """alter default privileges grant select on tables to crm_app;
        alter default privileges revoke execute on functions from public;"""
    more = "create table u (id int); revoke all on u from crm_app; create function f() returns int language sql as 'select 1'; grant execute on function f() to public;"
    a, b = made(given), made(given + more)
    answer = must(1, "compare", "--from", a, "--to", b, "--sql")
    assert "it came out equal" in answer.out
    run(a, answer.out, tmp_path / "mend.sql")
    must(0, "compare", "--from", a, "--to", b)


def test_only_what_was_asked_for_is_changed(made: Callable[[str], str], tmp_path: Path) -> None:
    a = made(
        "create schema x; create table x.t (id int, a text); create view public.v as select id from x.t; create index i on x.t (a);"
    )
    b = made("create schema x; create table x.t (id bigint, a text); create table public.other (id int);")
    answer = must(1, "compare", "--from", a, "--to", b, "--sql", "--schema", "x", "--only", "column")
    assert "drop view public.v" in answer.out  # it stands on the column, and comes back
    run(a, answer.out, tmp_path / "mend.sql")
    must(0, "compare", "--from", a, "--to", b, "--only", "column", "--schema", "x")
    with psycopg.connect(a) as connection:
        connection.execute("select id from public.v")
        assert connection.execute("select to_regclass('x.i'), to_regclass('public.other')").fetchone() == ("x.i", None)
