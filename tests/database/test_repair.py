"""A repair does what its preview counted, in either direction, and what it did can be taken back to the letter."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from crmshift import db, repair
from crmshift.errors import LockNotObtained, Refused, UsageError
from tests.acceptance.commandline import environment, must
from tests.support import history
from tests.support.agreement import assert_in_sync
from tests.support.tables import LEGACY, TARGET
from tests.support.templates import (
    ADA,
    BEN,
    CLEO,
    DORA,
    EMIL,
    FIELD,
    FIELD_OF_OTHER_WORKSPACE,
    NOBODY,
    OTHER_FIELD,
    OTHER_WORKSPACE,
    WORKSPACE,
    apply_to,
)

Make = Callable[[str], str]

TABLES = (*LEGACY, *TARGET, "crmshift.archive")


def rows(conn: psycopg.Connection, *tables: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of these tables, of both sides where none are named."""
    return {t: conn.execute(f"select t::text from {t} as t order by 1".encode()).fetchall() for t in tables or TABLES}


def behind(conn: psycopg.Connection, *statements: str) -> None:
    """Write behind the triggers."""
    conn.execute("set session_replication_role = replica")
    for statement in statements:
        conn.execute(statement.encode())
    conn.execute("reset session_replication_role")


@pytest.fixture
def dsn(make_database: Make) -> str:
    return make_database("parallel")


@pytest.fixture
def conn(dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def driver(dsn: str) -> Iterator[db.Connection]:
    connection = db.connect(dsn, "tests")
    yield connection
    connection.close()


STRANGER = NOBODY.replace("cf", "ce")

# Each mapping, each kind; what is done to the table that a repair from that side writes.
DAMAGE = {
    (
        "legacy",
        "customers",
        "differs",
    ): f"update customers set city = 'Atlantis', address2 = 'x' where cst_id = '{ADA}'",
    ("legacy", "customers", "missing"): f"delete from customers where cst_id = '{BEN}'",
    (
        "legacy",
        "customers",
        "extra",
    ): f"insert into customers (cst_id, workspace_id) values ('{NOBODY}', '{WORKSPACE}')",
    (
        "legacy",
        "leads",
        "differs",
    ): f"update leads set disposition = 'Atlantis', productid = 'x' where customer_id = '{ADA}'",
    ("legacy", "leads", "missing"): f"delete from leads where customer_id = '{CLEO}'",
    (
        "legacy",
        "leads",
        "extra",
    ): f"insert into customers (cst_id, workspace_id) values ('{STRANGER}', '{WORKSPACE}'); insert into leads (customer_id, workspace_id, is_primary) values ('{STRANGER}', '{WORKSPACE}', true)",
    (
        "legacy",
        "customer_custom_fields",
        "differs",
    ): f"update customer_custom_fields set value = 'Atlantis' where customer_id = '{ADA}'",
    ("legacy", "customer_custom_fields", "missing"): f"delete from customer_custom_fields where customer_id = '{ADA}'",
    (
        "legacy",
        "customer_custom_fields",
        "extra",
    ): f"insert into customer_custom_fields values ('{DORA}', '{FIELD}', '{WORKSPACE}', 'Atlantis')",
    ("legacy", "lead_appointments", "differs"): "update lead_appointments set status = 'Atlantis', apptdate = null",
    ("legacy", "lead_appointments", "missing"): "delete from lead_appointments where id < 3",
    (
        "legacy",
        "lead_appointments",
        "extra",
    ): f"insert into lead_appointments (lead_id, workspace_id) select id, workspace_id from leads where customer_id in ('{ADA}', '{CLEO}')",
    ("target", "contacts", "differs"): f"update contacts set city = 'Atlantis', lead_status = 'x' where id = '{ADA}'",
    ("target", "contacts", "missing"): f"delete from contacts where id = '{BEN}'",
    ("target", "contacts", "extra"): f"insert into contacts (id, workspace_id) values ('{NOBODY}', '{WORKSPACE}')",
    ("target", "contact_custom_fields", "differs"): "update contact_custom_fields set value = 'Atlantis'",
    ("target", "contact_custom_fields", "missing"): f"delete from contact_custom_fields where contact_id = '{ADA}'",
    (
        "target",
        "contact_custom_fields",
        "extra",
    ): f"insert into contact_custom_fields values ('{DORA}', '{OTHER_FIELD}', 'Atlantis')",
    ("target", "appointments", "differs"): "update appointments set status = 'Atlantis', apptdate = null",
    ("target", "appointments", "missing"): "delete from appointments where id < 3",
    ("target", "appointments", "extra"): f"insert into appointments (contact_id) values ('{ADA}'), ('{DORA}')",
}


@pytest.mark.parametrize(("side", "mapping", "kind"), DAMAGE)
def test_each_mapping_both_ways_as_previewed_and_back(
    conn: psycopg.Connection, driver: db.Connection, side: str, mapping: str, kind: str
) -> None:
    healthy = rows(conn)
    behind(conn, DAMAGE[side, mapping, kind])
    damaged = rows(conn)
    planned = repair.preview(driver, side)
    assert (mapping, kind) in {(p.mapping, p.kind) for p in planned.planned}
    assert rows(conn) == damaged, "a preview reads"
    done = repair.run(driver, side=side)
    assert_in_sync(conn)
    counted = Counter[str]()
    for p in planned.planned:
        counted[p.mapping] += p.keys
    assert {m: n for m, n in done.handed.items() if n} == dict(counted)
    assert done.changed >= 1
    assert done.failed == 0
    kept = [t for t in TABLES if (t in ("contacts", "contact_custom_fields", "appointments")) == (side == "legacy")]
    assert rows(conn, *kept[: 3 if side == "legacy" else 6]) == {
        t: healthy[t] for t in kept[: 3 if side == "legacy" else 6]
    }, "the side that is right is left alone"
    undone = repair.undo(driver, done.run)
    assert (undone.undone, undone.left) == (done.changed, 0)
    assert rows(conn) == damaged


def test_everything_at_once(conn: psycopg.Connection, driver: db.Connection) -> None:
    """Each kind in each mapping of a direction, one after the other and then together."""
    for side in ("legacy", "target"):
        behind(conn, *(statement for (of_side, *_), statement in DAMAGE.items() if of_side == side))
        damaged = rows(conn)
        planned = repair.preview(driver, side)
        assert {p.kind for p in planned.planned} == {"missing", "extra", "differs"}
        done = repair.run(driver, side=side)
        assert_in_sync(conn)
        assert sum(done.handed.values()) == planned.keys
        assert repair.undo(driver, done.run).left == 0
        assert rows(conn) == damaged
        repair.run(driver, side=side)
        assert_in_sync(conn)


def test_thousands_in_batches(make_database: Make) -> None:
    dsn = make_database("history")
    history.run(dsn)
    with psycopg.connect(dsn, autocommit=True) as conn:
        behind(
            conn,
            "update customers set city = 'Rome'",
            "delete from lead_appointments where id % 2 = 0",
            "update leads set disposition = 'x' where customer_id::text < '8'",
            "delete from customer_custom_fields where customer_id::text > '8'",
        )
        damaged = rows(conn)
        driver = db.connect(dsn, "tests")
        planned = repair.preview(driver, "legacy")
        done = repair.run(driver)
        assert sum(done.handed.values()) == planned.keys > 5000
        assert_in_sync(conn)
        assert conn.execute("select count(distinct txid) > 5 from crmshift.repair_log").fetchone() == (True,)
        assert repair.undo(driver, done.run).left == 0
        driver.close()
        assert rows(conn) == damaged


def test_a_row_of_another_workspace_is_taken_back_with_what_cascades(
    conn: psycopg.Connection, driver: db.Connection
) -> None:
    conn.execute(
        "insert into leads (customer_id, workspace_id, productid) values (%s, %s, 'second')", [DORA, WORKSPACE]
    )
    behind(conn, f"update contacts set workspace_id = '{OTHER_WORKSPACE}' where id = '{DORA}'")
    damaged = rows(conn)
    done = repair.run(driver)
    assert_in_sync(conn)
    assert conn.execute("select distinct workspace_id::text from leads where customer_id = %s", [DORA]).fetchall() == [
        (OTHER_WORKSPACE,)
    ]
    assert repair.undo(driver, done.run).left == 0
    assert rows(conn) == damaged


def test_what_a_delete_took_along_comes_back(conn: psycopg.Connection, driver: db.Connection) -> None:
    """Second leads, their appointments and fields go to the archive; taking the repair back empties it again."""
    conn.execute(
        """
        insert into leads (customer_id, workspace_id, productid) select cst_id, workspace_id, 'roof' from customers where cst_id = %(ada)s;
        """,
        {"ada": ADA},
    )
    conn.execute(
        "insert into lead_custom_fields (lead_id, field_id, workspace_id, value) select id, %s, workspace_id, 'v' from leads where customer_id = %s",
        [FIELD, ADA],
    )
    conn.execute(
        "insert into lead_appointments (lead_id, workspace_id) select id, workspace_id from leads where productid = 'roof'"
    )
    conn.execute(
        "insert into appointment_custom_fields (appointment_id, field_id, workspace_id, value) select id, %s, workspace_id, 'v' from lead_appointments where workspace_id = %s",
        [FIELD, WORKSPACE],
    )
    behind(
        conn,
        f"delete from contacts where id = '{ADA}'",
        f"delete from contact_custom_fields where contact_id = '{ADA}'",
        f"delete from appointments where contact_id = '{ADA}'",
    )
    damaged = rows(conn)
    done = repair.run(driver)
    assert_in_sync(conn)
    assert conn.execute("select count(*) from crmshift.archive").fetchone() != (0,)
    assert conn.execute("select count(*) from leads where customer_id = %s", [ADA]).fetchone() == (0,)
    assert repair.undo(driver, done.run).left == 0
    assert rows(conn) == damaged


def test_what_an_application_hangs_on_a_contact_comes_back_too(conn: psycopg.Connection, driver: db.Connection) -> None:
    conn.execute(
        "create table notes (id bigint generated always as identity primary key, contact_id uuid references contacts on delete cascade, note text, said timestamptz default now())"
    )
    conn.execute("insert into notes (contact_id, note) select id, 'note' from contacts")
    behind(conn, f"delete from customers where cst_id = '{BEN}'")
    damaged = rows(conn, *TABLES, "notes")
    conn.execute("set timezone = 'Asia/Kolkata'")
    done = repair.run(driver, side="target")
    assert conn.execute("select count(*) from contacts").fetchone() == (4,)
    assert conn.execute("select count(*) from notes").fetchone() == (4,)
    driver.execute("set timezone = 'America/New_York'")
    assert repair.undo(driver, done.run).left == 0
    conn.execute("reset timezone")
    assert rows(conn, *TABLES, "notes") == damaged


# --- taking back


def test_rows_that_were_changed_since_are_left_and_told(conn: psycopg.Connection, dsn: str) -> None:
    behind(
        conn,
        f"update customers set city = 'Atlantis' where cst_id in ('{ADA}', '{BEN}', '{EMIL}')",
        f"delete from leads where customer_id = '{CLEO}'",
    )
    must(0, "validate", "--repair", "--yes", dsn=dsn)
    conn.execute("update customers set city = 'Ur' where cst_id = %s", [ADA])
    conn.execute(
        "insert into lead_custom_fields (lead_id, field_id, workspace_id) select id, %s, workspace_id from leads where customer_id = %s",
        [FIELD, CLEO],
    )
    answer = must(1, "repair", "undo", "1", "--yes", "--format", "json", dsn=dsn)
    assert {(row["table"], row["why"]) for row in answer.document["left"]} == {
        ("public.customers", "changed since"),
        ("public.leads", "refused"),
    }, "a lead that has fields by now is not deleted from under them"
    assert {row["sqlstate"] for row in answer.document["left"]} == {None, "23503"}
    cities = dict(conn.execute("select cst_id::text, city from customers").fetchall())
    assert (cities[ADA], cities[BEN], cities[EMIL]) == ("Ur", "Atlantis", "Atlantis")
    assert conn.execute("select city from contacts where id = %s", [BEN]).fetchone() == ("Ulm",), "nobody follows"
    again = must(1, "repair", "undo", "1", dsn=dsn)
    assert "2 rows as before, 2 left" in again.out
    listed = must(0, "repair", "list", "--format", "json", dsn=dsn).document["repairs"]
    assert [(r["number"], r["side"], r["keys"], r["changed"], r["undone"], r["left"]) for r in listed] == [
        (1, "legacy", 4, 4, 2, 2)
    ]
    assert "4" in must(0, "repair", "list", dsn=dsn).out


def test_a_row_that_is_as_before_already_counts_as_taken_back(conn: psycopg.Connection, driver: db.Connection) -> None:
    behind(conn, f"update customers set city = 'Atlantis' where cst_id = '{ADA}'")
    damaged = rows(conn)
    done = repair.run(driver)
    behind(conn, f"update customers set city = 'Atlantis' where cst_id = '{ADA}'")
    assert repair.undo(driver, done.run).left == 0
    assert rows(conn) == damaged


def test_taking_back_waits_for_locks_only_so_long(
    conn: psycopg.Connection, dsn: str, driver: db.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db.with_lock_retry, "__kwdefaults__", {**db.with_lock_retry.__kwdefaults__, "attempts": 2})  # type: ignore[arg-type]
    behind(conn, f"update customers set city = 'Atlantis' where cst_id = '{ADA}'")
    damaged = rows(conn)
    done = repair.run(driver)
    with psycopg.connect(dsn) as application:
        application.execute("select from customers where cst_id = %s for update", [ADA])
        with pytest.raises(LockNotObtained):
            repair.undo(driver, done.run)
    assert repair.undo(driver, done.run).left == 0
    assert rows(conn) == damaged


# --- killed


class _Death(Exception):
    pass


@pytest.mark.parametrize("batches", [1, 2, 3, 5])
def test_killed_half_way_and_run_again(
    conn: psycopg.Connection, dsn: str, driver: db.Connection, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    behind(conn, *(statement for (side, *_), statement in DAMAGE.items() if side == "legacy"))
    damaged = rows(conn)
    call, calls = repair._Batch._call, 0

    def die_after(self: Any, *, one_by_one: bool) -> tuple[int, int]:
        nonlocal calls
        calls += 1
        if calls > batches:
            raise _Death
        return call(self, one_by_one=one_by_one)

    monkeypatch.setattr(repair._Batch, "_call", die_after)
    with pytest.raises(_Death):
        repair.run(driver)
    monkeypatch.undo()
    done = repair.run(driver)
    assert_in_sync(conn)
    assert conn.execute("select count(*) from crmshift.repair_key").fetchone() == (0,)
    listed = must(0, "repair", "list", "--format", "json", dsn=dsn).document["repairs"]
    assert [r["finished_at"] is None for r in listed] == [False, True]

    # Taken back likewise: the latest first, and killed on the way.
    rollback, exchanges = repair.db.fetch_value, 0

    def die_in_between(*arguments: Any) -> Any:
        nonlocal exchanges
        exchanges += "undo_repair_batch" in arguments[1]
        if exchanges == 2:
            raise _Death
        return rollback(*arguments)

    monkeypatch.setattr(repair.db, "fetch_value", die_in_between)
    with pytest.raises(_Death):
        repair.undo(driver, done.run)
    monkeypatch.undo()
    assert repair.undo(driver, done.run).left == 0
    assert repair.undo(driver, done.run - 1).left == 0
    assert rows(conn) == damaged


# --- which side


def test_while_applications_move_over_either_side_is_offered(make_database: Make) -> None:
    dsn = make_database("parallel")
    apply_to(dsn, "traffic-migration")
    with psycopg.connect(dsn, autocommit=True) as conn:
        behind(conn, f"update customers set city = 'Atlantis' where cst_id = '{ADA}'")
    offered = [f"crmshift validate --repair --from {side}" for side in ("legacy", "target")]
    assert must(1, "validate", "--format", "json", dsn=dsn).document["next_steps"] == offered
    assert must(1, "explain", f"contact:{ADA}", "--format", "json", dsn=dsn).document["next_steps"] == offered
    here = must(1, "validate", "--workspace", WORKSPACE, "--format", "json", dsn=dsn).document["next_steps"]
    assert here == [
        f"crmshift validate --repair --workspace {WORKSPACE} --from {side}" for side in ("legacy", "target")
    ]
    must(0, *here[-1].split()[1:], "--yes", dsn=dsn)


def test_who_has_the_last_word_is_read_from_the_ledger(make_database: Make) -> None:
    dsn = make_database("seeded")
    driver = db.connect(dsn, "tests")
    with pytest.raises(Refused, match="not installed"):
        repair.authority(driver)
    for phase, side in (
        ("sync-layer", "legacy"),
        ("parallel-operation", "legacy"),
        ("traffic-migration", None),
        ("legacy-deprecation", "target"),
    ):
        apply_to(dsn, phase)
        if side is None:
            with pytest.raises(Refused, match="neither side"):
                repair.authority(driver)
            assert repair.authority(driver, "legacy") == "legacy"
            assert "--from" in (must(3, "validate", "--repair", "--yes", dsn=dsn).hint or "")
        else:
            assert repair.authority(driver) == side
    with psycopg.connect(dsn, autocommit=True) as conn:
        behind(conn, f"update contacts set city = 'Atlantis' where id = '{ADA}'")
        assert repair.run(driver).side == "target"
        assert conn.execute("select city from contacts where id = %s", [ADA]).fetchone() == ("Bonn",)
    driver.close()


def test_before_the_backfill_the_target_cannot_be_right(make_database: Make) -> None:
    dsn = make_database("unmoved")
    with psycopg.connect(dsn, autocommit=True) as conn:
        before = rows(conn)
        refused = must(3, "validate", "--repair", "--from", "target", "--yes", dsn=dsn)
        assert "what has not moved yet" in refused.err
        assert rows(conn) == before
        assert conn.execute("select count(*) from crmshift.repair_run").fetchone() == (0,)


@pytest.mark.parametrize("side", ["legacy", "target"])
def test_one_workspace_only(conn: psycopg.Connection, driver: db.Connection, side: str) -> None:
    """Also where a table does not know its workspace."""
    tables = ("customers", "customer_custom_fields") if side == "legacy" else ("contacts", "contact_custom_fields")
    healthy = rows(conn)
    behind(
        conn,
        f"update {tables[0]} set city = 'Atlantis'",
        f"update {tables[1]} set value = 'Atlantis'",
        f"insert into contact_custom_fields values ('{EMIL}', '{FIELD}', 'extra')" if side == "target" else "select 1",
    )
    damaged = rows(conn)
    planned = repair.preview(driver, side, OTHER_WORKSPACE)  # type: ignore[arg-type]
    done = repair.run(driver, OTHER_WORKSPACE, side)  # type: ignore[arg-type]
    assert sum(done.handed.values()) == planned.keys == (2 if side == "legacy" else 3)
    after = rows(conn)
    for table in tables:
        for row in healthy[table]:
            if EMIL in row[0] or FIELD_OF_OTHER_WORKSPACE in row[0]:
                assert row in after[table]
        assert [r for r in after[table] if EMIL not in r[0]] == [r for r in damaged[table] if EMIL not in r[0]]


# --- by the command line


def test_without_a_terminal_it_previews_and_names_the_flag(conn: psycopg.Connection, dsn: str) -> None:
    behind(
        conn,
        f"update customers set city = 'Atlantis' where cst_id = '{ADA}'",
        f"delete from leads where customer_id = '{CLEO}'",
    )
    damaged = rows(conn)
    for form in ("text", "json"):
        refused = must(2, "validate", "--repair", "--format", form, dsn=dsn)
        assert refused.hint == "Add --yes."
        assert "Legacy is taken to be right" in refused.err
        assert "differs" in refused.err
        assert "missing" in refused.err
    assert rows(conn) == damaged
    assert conn.execute("select count(*) from crmshift.repair_run").fetchone() == (0,)
    done = must(0, "validate", "--repair", "--yes", "--format", "json", dsn=dsn).document["repair"]
    assert (done["from"], done["rows_changed"], done["failed"]) == ("legacy", 2, 0)
    assert done["handed_to_writers"] == {
        "customers": 1,
        "leads": 1,
        "customer_custom_fields": 0,
        "lead_appointments": 0,
    }
    assert "Nothing to repair" in must(0, "validate", "--repair", dsn=dsn).err
    assert must(2, "validate", "--from", "target", dsn=dsn).hint == "Add --repair."


@pytest.mark.parametrize(("said", "status", "city"), [("y", 0, "Bonn"), ("n", 3, "Atlantis")])
def test_at_a_terminal_it_asks(conn: psycopg.Connection, dsn: str, said: str, status: int, city: str) -> None:
    behind(conn, f"update customers set city = 'Atlantis' where cst_id = '{ADA}'")
    main, sub = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "crmshift", "validate", "--repair"],
        stdin=sub,
        stdout=sub,
        stderr=sub,
        env=environment(dsn),
    )
    os.close(sub)
    os.write(main, f"{said}\n".encode())
    shown = b""
    try:
        while chunk := os.read(main, 4096):
            shown += chunk
    except OSError:
        pass
    os.close(main)
    assert process.wait(60) == status, shown.decode()
    assert b"Hand 1 key to the writers" in shown
    assert b"Atlantis" not in shown
    assert conn.execute("select city from customers where cst_id = %s", [ADA]).fetchone() == (city,)


def test_no_value_of_a_customer_is_shown(conn: psycopg.Connection, dsn: str) -> None:
    conn.execute("update customers set firstname = repeat('Camelot', 60) where cst_id = %s", [EMIL])
    behind(conn, *(s for (side, *_), s in DAMAGE.items() if side == "legacy"))
    secrets = ("Atlantis", "Camelot", "Bonn", "Ada", "ada@example.com")
    for status, command in (
        (2, ["validate", "--repair"]),
        (1, ["validate", "--repair", "--yes"]),
        (0, ["repair", "list"]),
        (0, ["repair", "undo", "1", "--yes"]),
    ):
        for form in ("text", "json"):
            answer = must(status, *command, "--format", form, dsn=dsn)
            for secret in secrets:
                assert secret not in answer.out + answer.err, command


def test_a_repair_that_never_was(dsn: str, driver: db.Connection, legacy_db: str) -> None:
    assert must(2, "repair", "undo", "99", "--yes", dsn=dsn).error == "There is no repair 99."
    with pytest.raises(UsageError):
        repair.find(driver, 99)
    assert "no repairs" in must(0, "repair", "list", dsn=dsn).out
    assert "not installed" in must(3, "repair", "list", dsn=legacy_db).err
    assert "not installed" in must(3, "validate", "--repair", dsn=legacy_db).err


# --- whose write it was


def test_a_write_is_known_for_its_own(conn: psycopg.Connection, dsn: str) -> None:
    mine = "select crmshift.is_written_here(xmin) from contacts where id = %s"
    assert conn.execute(mine, [ADA]).fetchone() == (False,)
    with psycopg.connect(dsn) as writer:
        writer.execute("select pg_current_xact_id()")
        conn.execute("update contacts set city = 'Ur' where id = %s", [BEN])
        writer.execute("update contacts set city = 'Ur' where id = %s", [ADA])
        writer.execute("savepoint deeper")
        writer.execute("update contacts set city = 'Ur' where id = %s", [EMIL])
        writer.execute("release savepoint deeper")
        assert [writer.execute(mine, [who]).fetchone() for who in (ADA, EMIL, BEN, CLEO)] == [
            (True,),
            (True,),
            (False,),
            (False,),
        ]


def test_what_somebody_else_writes_meanwhile_is_not_logged(
    dsn: str, conn: psycopg.Connection, driver: db.Connection
) -> None:
    """While the repair's own write takes its time, an application hangs a row on the one that is written."""
    behind(conn, f"update customers set city = 'Atlantis' where cst_id = '{ADA}'")
    conn.execute(
        "create function dawdle() returns trigger language plpgsql as 'begin perform pg_sleep(2); return new; end'"
    )
    conn.execute("create trigger dawdle after update on customers for each row execute function dawdle()")
    running = threading.Thread(target=repair.run, args=[driver])
    running.start()
    history.soon(
        lambda: conn.execute(
            "select 1 from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"
        ).fetchone()
    )
    conn.execute(
        "insert into lead_custom_fields (lead_id, field_id, workspace_id) select id, %s, workspace_id from leads where customer_id = %s",
        [FIELD, ADA],
    )
    assert running.is_alive()
    running.join(30)
    assert conn.execute("select table_name from crmshift.repair_log").fetchall() == [("public.customers",)]
    conn.execute("drop trigger dawdle on customers")
    assert repair.undo(driver, 1).left == 0
    assert conn.execute("select count(*) from lead_custom_fields").fetchone() == (1,)


def test_what_hangs_by_now_on_a_row_that_was_inserted_is_not_taken_away_unseen(
    conn: psycopg.Connection, driver: db.Connection
) -> None:
    """Not even where its foreign key cascades."""
    behind(conn, f"delete from customers where cst_id = '{BEN}'")
    done = repair.run(driver)
    conn.execute(
        "insert into customer_custom_fields (customer_id, field_id, workspace_id) values (%s, %s, %s)",
        [BEN, FIELD, WORKSPACE],
    )
    undone = repair.undo(driver, done.run)
    assert (undone.undone, undone.left) == (0, 1)
    assert [(row.why, row.sqlstate) for row in repair.left(driver, done.run, 10)] == [("refused", "23503")]
    assert_in_sync(conn)


def test_a_role_that_does_not_see_every_row_repairs_nothing(
    dsn: str, conn: psycopg.Connection, driver: db.Connection
) -> None:
    """To it rows of legacy that it does not see are not there, and what was made of them would be taken away."""
    conn.execute("drop role if exists repair_clerk")
    conn.execute("create role repair_clerk")
    try:
        conn.execute("grant usage, create on schema crmshift, public to repair_clerk")
        conn.execute("grant all on all tables in schema crmshift, public to repair_clerk")
        conn.execute("alter table contacts enable row level security")
        before = rows(conn)
        driver.execute("set role repair_clerk")
        with pytest.raises(Refused, match=r"hides rows of .*contacts.* from the role repair_clerk"):
            repair.preview(driver, repair.authority(driver))
        with pytest.raises(Refused, match=r"hides rows of .*contacts"):
            repair.run(driver)
        with pytest.raises(psycopg.Error, match=r"hides rows of .*contacts") as error:
            driver.execute("select * from crmshift.repair_start('legacy')")
        assert error.value.sqlstate == "SH005"
        assert rows(conn) == before
    finally:
        driver.execute("reset role")
        conn.execute("drop owned by repair_clerk")
        conn.execute("drop role repair_clerk")
