"""What each mapping says, case by case: the files under tests/mappings/<entity>/. A new case needs no Python.

A case is a sentence (the name of the file), and below `-- given in legacy` or `-- given on the target` what is there, below
`-- found` a query on the other side, below `-- expected` its rows. What is `given …, live only` is left out where history is
moved after the fact. Every case starts from tests/mappings/before_each.sql.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from crmshift.plan import Verb, load
from crmshift.project import packaged_root
from tests.support.agreement import assert_in_sync
from tests.support.databases import Databases
from tests.support.servers import Server
from tests.support.templates import WORKSPACE

CASES = Path(__file__).parents[1] / "mappings"
HEADINGS = (
    "given in legacy",
    "given in legacy, live only",
    "given on the target",
    "given on the target, live only",
    "found",
    "expected",
)
BACKFILLED = [s.subject for s in load(packaged_root() / "plans" / "lead_centric.yaml").steps if s.verb is Verb.BACKFILL]


class Case:
    """A case read from its file."""

    def __init__(self, path: Path) -> None:
        parts = re.split(r"^-- (given .*|found|expected)$", path.read_text(encoding="utf-8"), flags=re.M)
        self.sections = list(zip(parts[1::2], parts[2::2], strict=True))
        names = [name for name, _ in self.sections]
        assert names[-2:] == ["found", "expected"] and len(names) > 2, f"{path}: given …, found, expected"
        assert set(names) <= set(HEADINGS), f"{path}: unknown heading in {names}"
        sides = {name.split(",")[0] for name in names if name.startswith("given")}
        assert len(sides) == 1, f"{path}: what is given is on one side"
        self.from_legacy = sides == {"given in legacy"}

    def given(self, *, live: bool) -> Iterator[str]:
        for name, text in self.sections:
            if name.startswith("given") and (live or not name.endswith("live only")):
                yield text

    def has_live_part(self) -> bool:
        return any(name.endswith("live only") for name, _ in self.sections)

    def check(self, conn: psycopg.Connection) -> None:
        (_, found), (_, expected) = self.sections[-2:]
        assert conn.execute(found).fetchall() == conn.execute(expected).fetchall()


FILES = sorted(CASES.glob("*/*.sql"))


@pytest.fixture(scope="module")
def shared(server: Server, databases: Databases) -> Iterator[psycopg.Connection]:
    """One database with both schemas, for all cases: each rolls back what it wrote."""
    name = databases.clone("synced")
    with psycopg.connect(server.dsn(name), autocommit=True) as connection:
        connection.execute((CASES / "before_each.sql").read_text(encoding="utf-8"))
        yield connection
    databases.drop(name)


def names(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", FILES, ids=names)
@pytest.mark.shows("mission P1", "mission P6", "mission P7")
def test_a_case_written_live(shared: psycopg.Connection, path: Path) -> None:
    case = Case(path)
    with shared.transaction(force_rollback=True):
        for statements in case.given(live=True):
            shared.execute(statements)
        shared.execute("set constraints all immediate")  # as COMMIT would: that is when a primary lead is elected
        case.check(shared)
        assert_in_sync(shared)


@pytest.mark.parametrize("path", FILES, ids=names)
@pytest.mark.shows("mission P2", "mission P7")
def test_a_case_moved_after_the_fact(shared: psycopg.Connection, path: Path) -> None:
    """From legacy by the backfill, from the target by the writers for what has drifted."""
    case = Case(path)
    with shared.transaction(force_rollback=True):
        shared.execute("set local session_replication_role = replica")
        for statements in case.given(live=False):
            shared.execute(statements)
        shared.execute("set local session_replication_role = origin")
        if case.from_legacy:
            backfill(shared)
        else:
            write_legacy(shared)
        if not case.has_live_part():
            case.check(shared)
        assert_in_sync(shared)


def backfill(conn: psycopg.Connection) -> None:
    for source in BACKFILLED:
        conn.execute("select crmshift.backfill_start(%s)", [source])
        conn.execute("select crmshift.backfill_batch(%s, 100000)", [source])


def write_legacy(conn: psycopg.Connection) -> None:
    """Hand every row of the target to the writers of legacy, parents first."""
    for (mapping,) in conn.execute(
        "select name from crmshift.mapping where direction = 'to_legacy' order by position"
    ).fetchall():
        view = sql.Identifier("crmshift", f"{mapping}_expected")
        key = sql.SQL(
            "select jsonb_object_agg(k, to_jsonb(e) -> k) from crmshift.mapping as m, unnest(m.key) as k where m.name = {}"
        )
        conn.execute(
            sql.SQL("select crmshift.sync_keys({}, (select jsonb_agg(({})) from {} as e))").format(
                mapping, key.format(mapping), view
            )
        )


def test_every_entity_has_cases_in_both_directions() -> None:
    sides: dict[str, set[bool]] = {}
    for path in FILES:
        sides.setdefault(path.parent.name, set()).add(Case(path).from_legacy)
    assert sides == {entity: {True, False} for entity in ("appointment", "custom_field", "customer", "lead")}


# --- round trip

NASTY: dict[str, list[str | bool | None]] = {
    "text": [
        None, "", " ", "x" * 255, "ß" * 255, "日本語 العربية 🦄", "O'Brien \\ \"quoted\"", "two\nlines\ttab\r", "NULL", "{a,b}", "%s %I $1", "\u200b", "é", "e\u0301",
    ],
    "timestamp with time zone": [
        None, "infinity", "-infinity", "2024-02-29 23:59:59.999999+00", "1970-01-01 00:00:00.000001+00", "4713-01-01 00:00:00+00 BC",
        "294276-12-31 23:59:59.999999+00", "2024-03-31 02:30:00+02", "0001-01-01 00:00:00+00",
    ],
    "boolean": [None, True, False],
}  # fmt: skip
NASTY["character varying"] = NASTY["text"]
TABLES = ("contacts", "contact_custom_fields", "appointments")
COPIES = 60


def fill_with_nasty_values(conn: psycopg.Connection) -> None:
    """Rows in which every value meets every column, and many meet each other."""
    conn.execute(
        "insert into custom_fields (workspace_id, name) select %s, n from generate_series(1, 50) as n", [WORKSPACE]
    )
    for table in TABLES:
        columns = conn.execute(
            """
            select column_name, data_type from information_schema.columns
             where table_schema = 'public' and table_name = %s and data_type <> all (array['uuid', 'bigint']) order by ordinal_position
            """,
            [table],
        ).fetchall()
        for n in range(COPIES):
            keys: dict[str, object] = {"workspace_id": WORKSPACE}
            if table != "contacts":
                keys = {"contact_id": _nth(conn, "contacts", n)}
            if table == "contact_custom_fields":
                keys["field_id"] = _nth(conn, "custom_fields", n % 50)
            values = {
                name: NASTY[kind][(n * (i + 1) + n // 13) % len(NASTY[kind])] for i, (name, kind) in enumerate(columns)
            }
            row = keys | values
            conn.execute(
                sql.SQL("insert into {} ({}) values ({})").format(
                    sql.Identifier(table),
                    sql.SQL(", ").join(map(sql.Identifier, row)),
                    sql.SQL(", ").join(sql.Placeholder() for _ in row),
                ),
                list(row.values()),
            )


def _nth(conn: psycopg.Connection, table: str, n: int) -> object:
    row = conn.execute(
        sql.SQL("select id from {} order by id offset %s limit 1").format(sql.Identifier(table)), [n]
    ).fetchone()
    assert row is not None
    return row[0]


def rows(conn: psycopg.Connection, table: str) -> list[tuple[str]]:
    return conn.execute(sql.SQL("select t::text from {} as t order by 1").format(sql.Identifier(table))).fetchall()


@pytest.fixture(scope="module")
def there_and_back(
    server: Server, databases: Databases
) -> Iterator[Callable[[str], tuple[list[tuple[str]], list[tuple[str]]]]]:
    """Legacy rows before, and after legacy was wiped and made anew from the target alone."""
    name = databases.clone("synced")
    with psycopg.connect(server.dsn(name), autocommit=True) as conn:
        conn.execute((CASES / "before_each.sql").read_text(encoding="utf-8"))
        conn.execute("set session_replication_role = replica")
        fill_with_nasty_values(conn)
        conn.execute("set session_replication_role = origin")
        backfill(conn)
        assert_in_sync(conn)
        before = {table: rows(conn, table) for table in TABLES}
        conn.execute("set session_replication_role = replica")
        for table in TABLES:
            conn.execute(sql.SQL("delete from {}").format(sql.Identifier(table)))
        conn.execute("set session_replication_role = origin")
        write_legacy(conn)
        after = {table: rows(conn, table) for table in TABLES}
        assert_in_sync(conn)
    databases.drop(name)
    yield lambda table: (before[table], after[table])


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.shows("mission P5")
def test_legacy_to_target_and_back_is_the_identity_on_every_column(
    there_and_back: Callable[[str], tuple[list[tuple[str]], list[tuple[str]]]], table: str
) -> None:
    before, after = there_and_back(table)
    assert len(before) == COPIES
    assert len(set(before)) == COPIES
    assert after == before


def test_every_nasty_value_meets_every_column(server: Server, databases: Databases) -> None:
    name = databases.clone("legacy")
    with psycopg.connect(server.dsn(name), autocommit=True) as conn:
        conn.execute((CASES / "before_each.sql").read_text(encoding="utf-8"))
        fill_with_nasty_values(conn)
        for column, kind in (("email", "text"), ("lead_status", "text"), ("updated_at", "timestamp with time zone")):
            seen = conn.execute(f"select count(distinct coalesce({column}::text, 'none')) from contacts").fetchone()
            assert seen is not None and seen[0] >= len(NASTY[kind]) - 1
    databases.drop(name)
