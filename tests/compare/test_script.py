"""Where statements of a SQL file end, as psql has it; and what becomes of those that fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from crmshift.compare import script
from crmshift.compare.scratch import workshop
from crmshift.errors import DatabaseError, UsageError


def split(tmp_path: Path, text: str) -> list[tuple[int, str]]:
    (tmp_path / "f.sql").write_text(text)
    return [(s.line, s.text.strip()) for s in script.statements(tmp_path / "f.sql")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("-- only; a comment", []),
        (";;\n;", []),
        ("select 1; select 2", [(1, "select 1"), (1, "select 2")]),
        ("\n-- a; b\n\nselect 1;", [(4, "select 1")]),
        ("select 'a;b', 'it''s;', e'\\';', \"a;b\";\nselect 2;", [(1, "select 'a;b', 'it''s;', e'\\';', \"a;b\""), (2, "select 2")]),
        ("select 'a\\'; select 2;", [(1, "select 'a\\'"), (1, "select 2")]),
        ("do $$ begin null; end $$; select 1;", [(1, "do $$ begin null; end $$"), (1, "select 1")]),
        ("do $a$ $$;$b$; $a$; select 1;", [(1, "do $a$ $$;$b$; $a$"), (1, "select 1")]),
        ("select a$b$;\nselect $1;", [(1, "select a$b$"), (2, "select $1")]),
        ("/* a; /* b; */ c; */ select 1 /* ; */;", [(1, "select 1 /* ; */")]),
        ("create rule r as on insert to t do (select 1; select 2);\nselect 3;", [(1, "create rule r as on insert to t do (select 1; select 2)"), (2, "select 3")]),
        (
            "create or replace function f() returns int begin atomic select 1; select case when true then 2 end; end;\nselect 3;",
            [(1, "create or replace function f() returns int begin atomic select 1; select case when true then 2 end; end"), (2, "select 3")],
        ),
        ("begin;\nselect 1;\nend;", [(1, "begin"), (2, "select 1"), (3, "end")]),
        ("\\restrict abc\nselect 1;\n\\unrestrict abc", [(2, "select 1")]),
    ],
)  # fmt: skip
def test_where_statements_end(tmp_path: Path, text: str, expected: list[tuple[int, str]]) -> None:
    assert split(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("text", "line"),
    [("\n\\connect other", 2), ("copy t from stdin;\n1\ttwo\n\\.\n", 3), ("copy t from stdin;\n\\.\n", 2)],
)
def test_commands_of_psql_and_data_are_refused(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(UsageError, match=rf"f\.sql, line {line}: .* command of psql, or of data"):
        split(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "concerns"),
    [
        ("create role a", True),
        ("CREATE  USER a", True),
        ("create user mapping for a server s", False),
        ("drop database x", True),
        ("alter system set work_mem = '1MB'", True),
        ("comment on role a is 'x'", True),
        ("grant a to b", True),
        ("grant select on t to b", False),
        ("revoke a from b", True),
        ("reassign owned by a to b", True),
        ("do $$ begin create role a; end $$", True),
        ("do $$ begin perform 1; end $$", False),
        ("create table role (id int)", False),
        ("alter table t owner to a", False),
        ("create subscription s connection 'x' publication p", True),
    ],
)
def test_what_concerns_the_whole_server(text: str, concerns: bool) -> None:
    assert script.Statement(Path("f.sql"), 1, text).concerns_the_server is concerns


def test_a_failure_has_a_file_and_a_line(db: Callable[[str], psycopg.Connection], tmp_path: Path) -> None:
    connection = db("empty")
    file = tmp_path / "f.sql"
    file.write_text("create table t (\n  id int,\n  x nonsense\n);")
    with pytest.raises(DatabaseError, match=r'f\.sql, line 3: type "nonsense" does not exist'):
        script.run(connection, file, server_is_ours=False)
    file.write_text("create table t (id int);\n\n-- now\ngrant select on t to crm_nobody;")
    with pytest.raises(DatabaseError, match=r"f\.sql, line 4: .*crm_nobody") as caught:
        script.run(connection, file, server_is_ours=False)
    assert "must exist" in str(caught.value.hint)


def test_without_a_server_for_scratch_databases(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(version: int) -> Path:
        raise UsageError("the embedded PostgreSQL is not installed", hint="pip install it")

    monkeypatch.setattr("crmshift.embedded.wheel_binaries", missing)
    with (
        pytest.raises(UsageError, match="no server for one: the embedded PostgreSQL is not installed") as caught,
        workshop(None),
    ):
        pass
    assert "--scratch, or pip install it" in str(caught.value.hint)


def test_nothing_is_changed_that_other_databases_share(db: Callable[[str], psycopg.Connection], tmp_path: Path) -> None:
    connection = db("empty")
    file = tmp_path / "f.sql"
    file.write_text("select 1;\ncreate role crm_made_by_a_file;")
    with pytest.raises(UsageError, match=r"f\.sql, line 2: this changes the whole server"):
        script.run(connection, file, server_is_ours=False)
    assert connection.execute("select from pg_roles where rolname = 'crm_made_by_a_file'").fetchone() is None
