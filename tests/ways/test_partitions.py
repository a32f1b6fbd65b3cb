"""Legacy tables that are partitioned: writes through the parent, rows that change partition, and writes straight into a partition."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from crmshift import db, ledger, repair
from crmshift.errors import Refused, UsageError
from crmshift.project import packaged_root
from crmshift.validation import checks
from tests.support.agreement import assert_in_sync, drain
from tests.support.databases import Databases, register_template
from tests.support.schema_dump import dump
from tests.support.servers import Server
from tests.support.templates import apply_to, compiled, roll_back_to
from tests.support.writing import named, rows, value, write

Make = Callable[[str], str]

# A table is made anew, partitioned, with its rows and with the foreign keys into it that can be.
CONTACTS_BY_HASH = """
alter table appointments drop constraint appointments_contact_id_fkey;
alter table contact_custom_fields drop constraint contact_custom_fields_contact_id_fkey;
alter table contacts rename to contacts_before;
alter index contacts_pkey rename to contacts_before_pkey;
create table contacts (like contacts_before including defaults, primary key (id), foreign key (workspace_id) references workspaces) partition by hash (id);
create table contacts_0 partition of contacts for values with (modulus 3, remainder 0);
create table contacts_1 partition of contacts for values with (modulus 3, remainder 1);
create table contacts_2 partition of contacts for values with (modulus 3, remainder 2);
insert into contacts select * from contacts_before;
drop table contacts_before;
alter table appointments add foreign key (contact_id) references contacts on delete cascade;
alter table contact_custom_fields add foreign key (contact_id) references contacts on delete cascade;
"""
CONTACTS_BY_WORKSPACE = """
alter table appointments drop constraint appointments_contact_id_fkey;
alter table contact_custom_fields drop constraint contact_custom_fields_contact_id_fkey;
alter table contacts rename to contacts_before;
alter index contacts_pkey rename to contacts_before_pkey;
create table contacts (like contacts_before including defaults, primary key (workspace_id, id), foreign key (workspace_id) references workspaces)
    partition by list (workspace_id);
create table contacts_alpha partition of contacts for values in (:alpha);
create table contacts_rest partition of contacts default;
create index on contacts (id);
insert into contacts select * from contacts_before;
drop table contacts_before;
"""
APPOINTMENTS_BY_DATE = """
alter table appointments alter id drop identity;
create sequence appointments_id_seq start 100;
alter table appointments rename to appointments_before;
update appointments_before set apptdate = '2024-06-01Z' where apptdate is null;
create table appointments (like appointments_before including defaults, primary key (id, apptdate), foreign key (contact_id) references contacts on delete cascade)
    partition by range (apptdate);
alter table appointments alter id set default nextval('appointments_id_seq');
create table appointments_2024 partition of appointments for values from ('2024-01-01Z') to ('2025-01-01Z');
create table appointments_later partition of appointments default;
create index on appointments (id);
insert into appointments select * from appointments_before;
drop table appointments_before cascade;
"""


def _partition(statements: str) -> Callable[[str], None]:
    def build(dsn: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute(named(statements))

    return build


register_template("hashed", base="seeded", build=_partition(CONTACTS_BY_HASH))
register_template("hashed-parallel", base="hashed", build=lambda dsn: apply_to(dsn, "parallel-operation"))


@pytest.fixture(scope="module")
def hashed(server: Server, databases: Databases) -> Iterator[psycopg.Connection]:
    name = databases.clone("hashed-parallel")
    with psycopg.connect(server.dsn(name), autocommit=True) as connection:
        yield connection
    databases.drop(name)


THROUGH_THE_PARENT = {
    "insert": ("insert into contacts (id, workspace_id, city) values (:nobody, :alpha, 'way')", [":nobody"]),
    "insert into every partition": ("insert into contacts (workspace_id, city) select :alpha, 'many' from generate_series(1, 50)", []),
    "update": ("update contacts set city = 'way' where id = :ada", [":ada"]),
    "update of every partition": ("update contacts set city = 'way'", [":ada", ":ben", ":cleo", ":dora", ":emil"]),
    "upsert": ("insert into contacts (id, workspace_id, city) values (:ada, :alpha, 'way'), (:nobody, :alpha, 'way') on conflict (id) do update set city = excluded.city", [":ada", ":nobody"]),
    "merge": (
        """merge into contacts as c using (values (:ada::uuid), (:nobody::uuid)) as s (id) on c.id = s.id
           when matched then update set city = 'way' when not matched then insert (id, workspace_id, city) values (s.id, :alpha, 'way')""",
        [":ada", ":nobody"],
    ),
    "a row that changes its partition": ("update contacts set id = :nobody, city = 'way' where id = :ben", [":nobody"]),
    "rows that all change their partitions": ("update contacts set id = md5(id::text)::uuid, city = 'way' where firstname in ('Ben', 'Cleo')", ["md5(:ben)::uuid", "md5(:cleo)::uuid"]),
    "from the other side": ("update customers set city = 'way' where cst_id = :ada", [":ada"]),
    "from the other side, new": ("insert into customers (cst_id, workspace_id, city) values (:nobody, :alpha, 'way')", [":nobody"]),
    "from the other side, under another key": ("update customers set cst_id = :nobody, city = 'way' where cst_id = :ben", [":nobody"]),
}  # fmt: skip


@pytest.mark.parametrize("what", THROUGH_THE_PARENT)
def test_writes_of_a_partitioned_table_are_followed(hashed: psycopg.Connection, what: str) -> None:
    statement, ids = THROUGH_THE_PARENT[what]
    with hashed.transaction(force_rollback=True):
        if "Cleo" in statement:
            hashed.execute("alter table appointments drop constraint appointments_contact_id_fkey")
        write(hashed, statement)
        for table, key in (("contacts", "id"), ("customers", "cst_id")):
            there = sorted(row[0] for row in rows(hashed, f"select {key}::text from {table} where city = 'way'"))
            assert there == sorted(value(hashed, f"select {i}::text") for i in ids)
        assert_in_sync(hashed)


def test_deletes_and_truncates_of_a_partitioned_table_are_followed(hashed: psycopg.Connection) -> None:
    for statement, left in (
        ("delete from contacts where id = :ada", 4),
        ("delete from contacts", 0),
        ("truncate contacts cascade", 0),
        ("truncate contacts, appointments, contact_custom_fields", 0),
        ("delete from customers where cst_id = :ben", 4),
    ):
        with hashed.transaction(force_rollback=True):
            write(hashed, statement)
            assert rows(hashed, "select (select count(*) from contacts), (select count(*) from customers)") == [
                (left, left)
            ]
            assert_in_sync(hashed)


def test_copy_into_a_partitioned_table_is_followed(hashed: psycopg.Connection) -> None:
    with hashed.transaction(force_rollback=True):
        workspace = value(hashed, "select :alpha::uuid")
        with hashed.cursor().copy("copy contacts (workspace_id, firstname) from stdin") as copy:
            for n in range(30):
                copy.write_row((workspace, f"copied {n}"))
        assert value(hashed, "select count(*) from customers where firstname like 'copied%'") == 30
        assert_in_sync(hashed)


STRAIGHT = {
    "insert": "insert into {p} (id, workspace_id, city) values (:nobody, :alpha, 'straight')",
    "update": "update {p} set city = 'straight' where id = :ada",
    "delete": "delete from {p} where id = :ada",
    "truncate": "truncate {p} cascade",
}


def _partition_of(conn: psycopg.Connection, what: str) -> str:
    person = ":nobody" if what == "insert" else ":ada"
    return str(
        value(
            conn,
            f"select 'contacts_' || n from generate_series(0, 2) as n where satisfies_hash_partition('contacts'::regclass, 3, n, {person}::uuid)",
        )
    )


@pytest.mark.parametrize("what", STRAIGHT)
def test_writes_straight_into_a_partition_are_followed(hashed: psycopg.Connection, what: str) -> None:
    with hashed.transaction(force_rollback=True):
        hashed.execute("set client_min_messages = error")
        write(hashed, STRAIGHT[what].replace("{p}", _partition_of(hashed, what)))
        assert_in_sync(hashed)


@pytest.mark.parametrize("what", STRAIGHT)
def test_writes_straight_into_a_partition_are_followed_while_the_sync_is_paused_or_fails(
    hashed: psycopg.Connection, what: str
) -> None:
    """What is queued is settled alike, whether it was written by way of the partition or of its table."""
    for hindrance, mended in (
        ("insert into crmshift.sync_control (entity, paused) select distinct entity, true from crmshift.mapping", "delete from crmshift.sync_control"),
        ("alter table customers add constraint none check (false) not valid; alter table leads add constraint none check (false) not valid",
         "alter table customers drop constraint none; alter table leads drop constraint none"),
    ):  # fmt: skip
        with hashed.transaction(force_rollback=True):
            hashed.execute(hindrance)
            hashed.execute("set client_min_messages = error")
            write(hashed, STRAIGHT[what].replace("{p}", _partition_of(hashed, what)))
            hashed.execute(mended)
            drain(hashed)
            assert_in_sync(hashed)


@pytest.mark.parametrize("what", ["insert", "update", "delete"])
def test_a_partition_without_the_triggers_is_named_and_mended(make_database: Make, what: str) -> None:
    dsn = make_database("hashed-parallel")
    with psycopg.connect(dsn, autocommit=True) as conn:
        partition = _partition_of(conn, what)
        for event in ("insert", "update", "delete", "truncate"):
            conn.execute(f"drop trigger crmshift_sync_{event} on {partition}")
        write(conn, STRAIGHT[what].replace("{p}", partition))
        assert value(conn, "select count(*) from crmshift.drift('customers')") == 1

        own = db.connect(dsn, "tests")
        found = {c.name: c.findings for c in checks.run(own).checks if not c.passed}
        own.close()
        assert {(f.subject, f.detail) for f in found["triggers_attached"]} == {
            (
                f"public.{partition}",
                f"trigger is missing: select crmshift.attach_partition('public.{partition}'), then crmshift validate --repair",
            )
        }
        assert value(conn, f"select crmshift.attach_partition('public.{partition}')") == 4
        assert value(conn, "select crmshift.attach_partition('contacts')") == 0
        repair.run(conn)
        assert rows(
            conn,
            "select (select count(*) from contacts where city = 'straight') = (select count(*) from customers where city = 'straight'), (select count(*) from contacts) = (select count(*) from customers)",
        ) == [(True, True)]
        conn.execute(f"update {partition} set city = 'followed'")
        assert_in_sync(conn)
        assert value(conn, "select count(*) from crmshift.run_check('triggers_attached')") == 0


def test_a_partition_made_later_follows_replicas_where_its_table_does(hashed: psycopg.Connection) -> None:
    with hashed.transaction(force_rollback=True):
        for event in ("insert", "update", "delete", "truncate"):
            hashed.execute(f"alter table contacts enable always trigger crmshift_sync_{event}")
            hashed.execute(f"drop trigger crmshift_sync_{event} on contacts_1")
        assert value(hashed, "select crmshift.attach_partition('contacts_1')") == 4
        assert (
            value(
                hashed,
                "select count(*) from pg_trigger where tgrelid = 'contacts_1'::regclass and tgname like 'crmshift%' and tgenabled = 'A'",
            )
            == 4
        )


def test_a_partition_that_does_not_follow_replicas_is_found(hashed: psycopg.Connection) -> None:
    with hashed.transaction(force_rollback=True):
        for event in ("insert", "update", "delete", "truncate"):
            hashed.execute(f"alter table only contacts enable always trigger crmshift_sync_{event}")
            for n in (0, 1, 2):
                hashed.execute(f"alter table if exists contacts_{n} enable always trigger crmshift_sync_{event}")
        hashed.execute("alter role current_user set session_replication_role = 'replica'")
        named = "select count(*) from crmshift.check_replica_writers() where subject = 'public.contacts'"
        assert value(hashed, named) == 0
        hashed.execute("alter table contacts_1 enable trigger crmshift_sync_update")
        assert value(hashed, named) == 1


def test_a_partition_with_a_disabled_trigger_is_named(hashed: psycopg.Connection) -> None:
    with hashed.transaction(force_rollback=True):
        hashed.execute("alter table contacts_1 disable trigger crmshift_sync_delete")
        assert rows(hashed, "select subject, key, detail from crmshift.run_check('triggers_attached')") == [
            ("public.contacts_1", {"trigger": "crmshift_sync_delete"}, "trigger is disabled")
        ]


# Two partitions in the place of one; one of them has partitions of its own, and a name that needs quotes.
SPLIT = """
alter table appointments drop constraint appointments_contact_id_fkey;
alter table contact_custom_fields drop constraint contact_custom_fields_contact_id_fkey;
alter table contacts detach partition contacts_2;
alter table contacts_2 rename to contacts_former;
create table contacts_2 partition of contacts for values with (modulus 6, remainder 2);
create table "Contacts 5" partition of contacts for values with (modulus 6, remainder 5) partition by hash (id);
create table contacts_5_all partition of "Contacts 5" for values with (modulus 1, remainder 0);
insert into contacts select * from contacts_former;
"""
PARTITIONS = ['"Contacts 5"', "contacts_0", "contacts_1", "contacts_2", "contacts_5_all"]
TRIGGERS_BY_TABLE = """
select array_agg(tgrelid order by tgrelid) from (
    select tgrelid::regclass::text collate "C" from pg_trigger
     where tgfoid = 'crmshift.tg_contacts'::regproc group by 1 having count(*) = 4) as t
"""


def test_partitions_made_since_are_attached_with_one_call_and_all_triggers_go_with_the_step(
    server: Server, make_database: Make
) -> None:
    dsn = make_database("hashed")
    before = dump(server, dsn)
    apply_to(dsn, "parallel-operation")
    shown = compiled(dsn).step("attach/contacts")
    with psycopg.connect(dsn, autocommit=True) as conn:
        assert value(conn, TRIGGERS_BY_TABLE) == ["contacts", "contacts_0", "contacts_1", "contacts_2"]
        assert value(
            conn, "select statements from crmshift.step_run where step = 'attach/contacts' and event = 'finished'"
        ) == [s.sql for s in shown.statements]
    assert before != dump(server, dsn)
    roll_back_to(dsn, "legacy")
    assert dump(server, dsn) == before

    apply_to(dsn, "parallel-operation")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("set client_min_messages = error")
        conn.execute(SPLIT)
        assert ledger.changed(conn, compiled(dsn).steps) == [], "partitions come and go"
        assert value(conn, "select crmshift.attach_partition('contacts_5_all')") == 4
        assert value(conn, """select crmshift.attach_partition('"Contacts 5"')""") == 4, "and those below it"
        assert value(conn, "select crmshift.attach_partition('contacts')") == 4, "all that lack them"
        assert value(conn, "select crmshift.attach_partition('contacts')") == 0
        assert value(conn, TRIGGERS_BY_TABLE) == [*PARTITIONS[:1], "contacts", *PARTITIONS[1:], "contacts_former"]
        for partition in PARTITIONS:
            conn.execute(f"update {partition} set city = 'straight'")
            assert_in_sync(conn)
            write(conn, "insert into contacts (workspace_id, city) select :alpha, 'new' from generate_series(1, 20)")
            assert_in_sync(conn)
        assert value(conn, "select count(*) from customers where city = 'straight'") >= 5
    plan = compiled(dsn)
    assert [s.object for s in plan.step("attach/contacts").statements][7:11] == [
        f'trigger crmshift_sync_{event} on public."Contacts 5"' for event in ("insert", "update", "delete", "truncate")
    ]
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("drop table contacts_1")
    roll_back_to(dsn, "legacy")
    with psycopg.connect(dsn, autocommit=True) as conn:
        assert value(conn, "select count(*) from pg_trigger where tgname like 'crmshift%'") == 0


@pytest.mark.parametrize("fires", ["O", "A"])
def test_the_triggers_of_a_partition_attached_later_fire_when_those_of_the_table_do(
    hashed: psycopg.Connection, fires: str
) -> None:
    with hashed.transaction(force_rollback=True):
        for event in ("insert", "update", "delete", "truncate"):
            hashed.execute(f"drop trigger crmshift_sync_{event} on contacts_0")
            if fires == "A":
                hashed.execute(f"alter table contacts enable always trigger crmshift_sync_{event}")
        hashed.execute("select crmshift.attach_partition('contacts_0')")
        assert rows(
            hashed,
            "select tgenabled::text, count(*) from pg_trigger where tgrelid = 'contacts_0'::regclass and tgname like 'crmshift%' group by 1",
        ) == [(fires, 4)]


def test_only_a_partition_of_a_mapped_table_can_be_attached(hashed: psycopg.Connection) -> None:
    for table in ("workspaces", "crmshift.mapping"):
        with pytest.raises(psycopg.Error) as refused:
            hashed.execute("select crmshift.attach_partition(%s)", [table])
        assert refused.value.sqlstate == "SH001"


def test_a_foreign_partition_is_left_out(hashed: psycopg.Connection) -> None:
    """It can have no transition tables. A table with a unique key has no foreign partitions; one that only feeds may."""
    with hashed.transaction(force_rollback=True):
        hashed.execute(
            """create foreign data wrapper far; create server away foreign data wrapper far;
               create table notes (contact_id uuid) partition by hash (contact_id);
               create table notes_0 partition of notes for values with (modulus 2, remainder 0);
               create foreign table notes_1 partition of notes for values with (modulus 2, remainder 1) server away"""
        )
        assert rows(hashed, "select * from crmshift.partitions_of('public.notes')") == [("public.notes_0",)]


def test_the_locks_on_partitions_that_plan_names_are_those_that_are_taken(make_database: Make) -> None:
    dsn = make_database("hashed")
    with psycopg.connect(dsn) as conn:
        step = compiled(dsn).step("attach/contacts")
        for before in compiled(dsn).steps:
            if before == step:
                break
            for statement in before.statements:
                conn.execute(statement.sql)  # type: ignore[call-overload]
        conn.commit()
        for statements, locks, mode in (
            (step.statements, step.locks, "ShareRowExclusiveLock"),
            (step.undo, step.undo_locks, "AccessExclusiveLock"),
        ):
            for statement in statements:
                conn.execute(statement.sql)  # type: ignore[call-overload]
            taken = conn.execute(
                """select 'public.' || c.relname from pg_locks as l join pg_class as c on c.oid = l.relation
                    where l.pid = pg_backend_pid() and l.mode = %s and c.relname like 'contacts%%' and c.relkind in ('r', 'p') order by 1""",
                [mode],
            ).fetchall()
            assert [row[0] for row in taken] == sorted(lock.table for lock in locks)
            assert len(taken) == 4
            assert {lock.mode.replace(" ", "").lower() + "lock" for lock in locks} == {mode.lower()}
            conn.commit()


def test_a_partition_that_is_attached_or_detached_comes_and_goes_without_a_trigger_and_validate_says_so(
    make_database: Make,
) -> None:
    """Like DROP TABLE, and no write of a row: what is seen is a difference."""
    dsn = make_database("hashed-parallel")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(
            "alter table appointments drop constraint appointments_contact_id_fkey; alter table contact_custom_fields drop constraint contact_custom_fields_contact_id_fkey"
        )
        gone = value(conn, "select count(*) from contacts_0")
        conn.execute("alter table contacts detach partition contacts_0")
        assert value(conn, "select count(*) from crmshift.drift('customers') where kind = 'extra'") == gone > 0
        conn.execute("alter table contacts attach partition contacts_0 for values with (modulus 3, remainder 0)")
        assert_in_sync(conn)


def test_a_partitioned_table_goes_forward_and_back(make_database: Make) -> None:
    dsn = make_database("hashed-parallel")
    roll_back_to(dsn, "legacy")
    with psycopg.connect(dsn, autocommit=True) as conn:
        assert value(conn, "select count(*) from pg_trigger where tgname like 'crmshift%'") == 0
        assert value(conn, "select count(*) from contacts") == 5
    apply_to(dsn, "legacy-deprecation")
    with psycopg.connect(dsn, autocommit=True) as conn:
        assert_in_sync(conn)


# --- keys that hold the column the table is partitioned by


@pytest.mark.parametrize(
    ("statements", "table"), [(CONTACTS_BY_WORKSPACE, "contacts"), (APPOINTMENTS_BY_DATE, "appointments")]
)
def test_a_table_whose_key_is_not_that_of_the_mapping_is_refused_before_anything_runs(
    make_database: Make, statements: str, table: str
) -> None:
    """Every write from the other side would fail: there is no unique index that ON CONFLICT could use."""
    dsn = make_database("seeded")
    _partition(statements)(dsn)
    with pytest.raises(Refused, match=rf"public\.{table}"):
        apply_to(dsn, "sync-layer")


OWN_KEYS = {
    "contacts by workspace": (
        CONTACTS_BY_WORKSPACE,
        "sql/mapping/contacts.sql",
        [
            ("'public.contacts', '{id}', '{uuid}'", "'public.contacts', '{workspace_id,id}', '{uuid,uuid}'"),
            ("'public.customers', '{cst_id}'", "'public.customers', '{workspace_id,cst_id}'"),
            ("'public.leads', '{customer_id}'", "'public.leads', '{workspace_id,customer_id}'"),
            ("'public.customer_custom_fields', '{customer_id}'", "'public.customer_custom_fields', '{workspace_id,customer_id}'"),
        ],
        "customers.sql",
    ),
    "appointments by date": (
        APPOINTMENTS_BY_DATE,
        "sql/mapping/appointments.sql",
        [
            ("'public.appointments', '{id}', '{bigint}'", "'public.appointments', '{id,apptdate}', '{bigint,timestamp with time zone}'"),
            ("'public.lead_appointments', '{id}'", "'public.lead_appointments', '{id,apptdate}'"),
        ],
        "lead_appointments.sql",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", OWN_KEYS)
def test_a_wider_key_in_one_direction_only_is_refused_by_the_name_of_the_file(
    make_database: Make, tmp_path: Path, what: str
) -> None:
    """Legacy children know their parent by its id alone, so that a key with the partition's column cannot be had both ways."""
    statements, file, changes, refused = OWN_KEYS[what]
    dsn = make_database("seeded")
    _partition(statements)(dsn)
    text = (packaged_root() / file).read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=f"mapping/{refused}"):
        apply_to(dsn, "parallel-operation", tmp_path)
    with psycopg.connect(dsn) as conn:
        assert value(conn, "select to_regnamespace('crmshift')") is None
