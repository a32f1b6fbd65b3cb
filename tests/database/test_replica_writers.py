"""Writers that play a replica: found by a check, and followed where the plan says so."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from crmshift import repair
from crmshift.embedded import EmbeddedServer
from crmshift.project import packaged_root
from tests.support.agreement import assert_agreement, assert_in_sync, drain, queue
from tests.support.databases import SQL, Databases
from tests.support.schema_dump import dump
from tests.support.servers import Server
from tests.support.tables import MAPPED
from tests.support.templates import ADA, apply_to, compiled, roll_back_to
from tests.support.writing import rows, value, write

Db = Callable[[str], psycopg.Connection]
Make = Callable[[str], str]


def always(folder: Path) -> Path:
    """A project in which the triggers of every table fire always."""
    text = (packaged_root() / "plans" / "lead_centric.yaml").read_text(encoding="utf-8")
    for table in MAPPED:
        text = text.replace(f"- attach: public.{table}\n", f"- attach: public.{table}\n        fires: always\n")
    assert text.count("fires: always\n") >= len(MAPPED)
    (folder / "plans").mkdir(parents=True, exist_ok=True)
    (folder / "plans" / "lead_centric.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def followed(make_database: Make, tmp_path: Path) -> Iterator[psycopg.Connection]:
    """A seeded database whose triggers fire always, and a session that plays a replica."""
    dsn = make_database("seeded")
    apply_to(dsn, "parallel-operation", always(tmp_path))
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("set session_replication_role = replica")
        yield conn


WRITES = {
    "contact": ("update contacts set city = 'Rom', lead_status = 'won' where id = :ada", "select city, disposition from customers join leads on customer_id = cst_id where cst_id = :ada", ("Rom", "won")),
    "new contact": ("insert into contacts (id, workspace_id, lead_status) values (:nobody, :alpha, 'new')", "select count(*), max(disposition) from leads where customer_id = :nobody and is_primary", (1, "new")),
    "field": ("delete from contact_custom_fields where contact_id = :ada", "select count(*) from customer_custom_fields where customer_id = :ada", (0,)),
    "appointment": ("insert into appointments (contact_id, status) values (:ada, 'replayed')", "select count(*) from lead_appointments where status = 'replayed'", (1,)),
    "truncated": ("truncate appointments", "select count(*) from lead_appointments", (0,)),
    "customer": ("update customers set city = 'Rom' where cst_id = :ada", "select city from contacts where id = :ada", ("Rom",)),
    "new customer": ("insert into customers (cst_id, workspace_id, city) values (:nobody, :alpha, 'Rom')", "select city from contacts where id = :nobody", ("Rom",)),
    "lead": ("update leads set disposition = 'won' where customer_id = :ada", "select lead_status from contacts where id = :ada", ("won",)),
    "customer's field": ("update customer_custom_fields set value = 'x' where customer_id = :ada and field_id = :colour", "select value from contact_custom_fields where contact_id = :ada and field_id = :colour", ("x",)),
    "lead's appointment": ("update lead_appointments set status = 'moved' where id = 1", "select status from appointments where id = 1", ("moved",)),
}  # fmt: skip


@pytest.mark.parametrize("what", WRITES)
def test_where_triggers_fire_always_a_replica_is_followed(followed: psycopg.Connection, what: str) -> None:
    statement, look, expected = WRITES[what]
    write(followed, statement)
    assert rows(followed, look) == [expected]
    assert_in_sync(followed)


def test_where_triggers_fire_always_there_is_no_loop_and_no_echo(followed: psycopg.Connection) -> None:
    """Each row is written once on either side, whoever wrote it."""
    followed.execute(
        """create table counted (table_name text);
           create function count_it() returns trigger language plpgsql as $$ begin insert into public.counted values (tg_table_name); return null; end $$"""
    )
    for table in MAPPED:
        followed.execute(
            f"create trigger count_it after insert or update or delete on {table} for each row execute function count_it()"
        )
        followed.execute(f"alter table {table} enable always trigger count_it")
    for role in ("replica", "origin"):
        followed.execute(f"set session_replication_role = {role}")
        write(followed, f"update contacts set city = 'from {role}' where id = :ada")
        write(followed, f"update customers set city = 'back from {role}' where cst_id = :ada")
    assert rows(followed, "select table_name, count(*) from counted group by 1 order by 1") == [
        ("contacts", 4),
        ("customers", 4),
    ]
    assert_in_sync(followed)


def test_where_triggers_fire_always_a_failure_is_queued_as_ever(followed: psycopg.Connection) -> None:
    followed.execute("alter table customers add constraint no_rome check (city <> 'Rom') not valid")
    write(followed, "update contacts set city = 'Rom' where id = :ada")
    assert [state for *_, state in queue(followed)] == ["23514"]
    assert_agreement(followed)
    followed.execute("alter table customers drop constraint no_rome")
    drain(followed)
    assert_in_sync(followed)


def test_triggers_that_fire_always_go_forward_and_back(server: Server, make_database: Make, tmp_path: Path) -> None:
    dsn = make_database("seeded")
    legacy = dump(server, dsn)
    project = always(tmp_path)
    apply_to(dsn, "parallel-operation", project)
    with psycopg.connect(dsn) as conn:
        assert rows(
            conn, "select distinct tgenabled::text from pg_trigger where tgname like 'crmshift\\_sync\\_%'"
        ) == [("A",)]
        assert (
            rows(
                conn,
                "select * from crmshift.check_triggers_attached() union all select * from crmshift.check_replica_writers()",
            )
            == []
        )
    step = compiled(dsn, project).step("attach/contacts")
    assert [(lock.table, lock.mode) for lock in step.locks] == [("public.contacts", "SHARE ROW EXCLUSIVE")]
    roll_back_to(dsn, "legacy", plan=compiled(dsn, project))
    assert dump(server, dsn) == legacy


# --- the check


@pytest.fixture
def loader(db: Db) -> Iterator[tuple[psycopg.Connection, str]]:
    """A seeded database, and a role whose sessions play a replica."""
    conn = db("parallel")
    role = f"loader_{os.getpid()}"
    conn.execute(f"create role {role}")
    yield conn, role
    conn.execute(f"drop role {role}")


FOUND = "select distinct key from crmshift.check_replica_writers() order by 1"


def test_a_role_whose_sessions_play_a_replica_is_named(loader: tuple[psycopg.Connection, str]) -> None:
    conn, role = loader
    assert rows(conn, FOUND) == []
    database = conn.info.dbname
    for setting, key in (
        (f"alter role {role} set session_replication_role = 'replica'", {"role": role}),
        (
            f"alter role {role} in database {database} set session_replication_role = 'replica'",
            {"role": role, "database": database},
        ),
        (f"alter database {database} set session_replication_role = 'replica'", {"database": database}),
    ):
        conn.execute(setting)
        assert rows(conn, FOUND) == [(key,)]
        assert value(conn, "select count(*) from crmshift.check_replica_writers()") == len(MAPPED)
        conn.execute(setting.replace("= 'replica'", "= 'origin'"))
        assert rows(conn, FOUND) == []
        conn.execute(setting.replace("set session_replication_role = 'replica'", "reset session_replication_role"))


def test_a_setting_for_another_database_is_none_of_this_ones(loader: tuple[psycopg.Connection, str]) -> None:
    conn, role = loader
    conn.execute(f"alter role {role} in database postgres set session_replication_role = 'replica'")
    assert rows(conn, FOUND) == []
    conn.execute(f"alter role {role} in database postgres reset all")


def test_tables_whose_triggers_fire_always_are_not_named(loader: tuple[psycopg.Connection, str]) -> None:
    conn, role = loader
    conn.execute(f"alter role {role} set session_replication_role = 'replica'")
    for name in ("insert", "update", "delete", "truncate"):
        conn.execute(f"alter table contacts enable always trigger crmshift_sync_{name}")
    assert ("public.contacts",) not in rows(conn, "select subject from crmshift.check_replica_writers()")
    assert value(conn, "select count(*) from crmshift.check_replica_writers()") == len(MAPPED) - 1
    assert rows(conn, "select * from crmshift.check_triggers_attached()") == []


def test_the_check_needs_no_superuser(loader: tuple[psycopg.Connection, str]) -> None:
    conn, role = loader
    conn.execute(
        f"grant usage on schema crmshift to {role}; grant select on all tables in schema crmshift to {role}; set role {role}"
    )
    assert rows(conn, FOUND) == []
    conn.execute(f"reset role; drop owned by {role}")


@pytest.mark.slow
def test_a_server_whose_sessions_play_a_replica_is_named(make_server: Callable[..., EmbeddedServer]) -> None:
    server = make_server()
    databases = Databases(Server(server.version, server.bin_dir, server.dsn, server.dsn(), server.stop))
    dsn = server.dsn(databases.clone("parallel"))
    databases.close()
    with psycopg.connect(dsn, autocommit=True) as conn:
        assert rows(conn, FOUND) == []
        conn.execute("alter system set session_replication_role = replica")
        conn.execute("select pg_reload_conf()")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("select pg_sleep(0.2)")
        found = rows(conn, FOUND)
    assert found == [({"setting": "session_replication_role"},)]


@pytest.mark.slow
def test_a_subscription_is_named_and_what_it_wrote_is_found_and_repaired(
    make_server: Callable[..., EmbeddedServer],
) -> None:
    """Its worker fires triggers for rows only, always or not; the check says so, and validate finds what came."""
    server = make_server(wal_level="logical")
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        for name in ("old", "new"):
            admin.execute(f"create database {name}")
    for name in ("old", "new"):
        with psycopg.connect(server.dsn(name), autocommit=True) as conn:
            conn.execute((SQL / "legacy" / "schema.sql").read_text(encoding="utf-8"))
            write(conn, "insert into workspaces (id, name) values (:alpha, 'Alpha')")
    with (
        psycopg.connect(server.dsn("old"), autocommit=True) as old,
        psycopg.connect(server.dsn("new"), autocommit=True) as new,
    ):
        old.execute("create publication everything for table contacts")
        old.execute("select pg_create_logical_replication_slot('new', 'pgoutput')")
        write(new, "insert into contacts (workspace_id, firstname) values (:alpha, 'here already')")
        apply_to(server.dsn("new"), "parallel-operation")
        new.execute(
            sql.SQL(
                "create subscription from_old connection {} publication everything with (create_slot = false, slot_name = 'new', copy_data = false)"
            ).format(server.dsn("old"))
        )
        found = rows(new, "select subject, key from crmshift.check_replica_writers()")
        assert found == [("public.contacts", {"subscription": "from_old"})]
        write(old, "insert into contacts (id, workspace_id, firstname) values (:ada, :alpha, 'Ada')")
        for _ in range(200):
            if rows(new, "select from contacts where id = :ada"):
                break
            new.execute("select pg_sleep(0.1)")
        assert value(new, "select firstname from contacts where id = :ada") == "Ada"
        new.execute("alter subscription from_old disable")
        assert rows(new, "select * from crmshift.check_replica_writers()") == []
        assert rows(new, "select key ->> 'cst_id', kind from crmshift.drift('customers')") == [(ADA, "missing")]
        repair.run(new)
        assert_in_sync(new)
        new.execute("alter subscription from_old set (slot_name = none)")
        new.execute("drop subscription from_old")
