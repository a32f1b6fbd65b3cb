"""Every way in which PostgreSQL lets an application write a row, on every mapped table of either side.

Each way inserts, changes or deletes one row of seed.sql, or several of these at once. The other side follows at once;
where it cannot, the application's statement succeeds all the same, the row stands in the queue, and a drain brings it over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from tests.support.agreement import assert_agreement, assert_in_sync, drain, queue
from tests.support.databases import Databases
from tests.support.servers import Server
from tests.support.writing import named, rows


@dataclass(frozen=True)
class Table:
    """A mapped table, three of its rows to be inserted, changed and deleted, and where they show on the other side."""

    columns: str
    key: str  # of the table, as in ON CONFLICT
    column: str  # that is changed; 'way' is written to it
    new: str  # the other columns' values of the row to insert, in order, with the column last
    change: str  # which row is changed
    delete: str  # and which is deleted
    look: str  # the other side: value of the new row, value of the changed one, whether the deleted one is there
    before: tuple[object, ...]
    deleted: object  # what stands for the deleted row afterwards
    other: str  # the table whose column is looked at
    other_column: str


TABLES = {
    "contacts": Table(
        "id, workspace_id, city", "id", "city", ":nobody::uuid, :alpha::uuid", "id = :ada", "id = :cleo",
        """select (select city from customers where cst_id = :nobody), (select city from customers where cst_id = :ada),
                  (select count(*) from customers where cst_id = :cleo)""",
        (None, "Bonn", 1), 0, "customers", "city",
    ),
    "contact_custom_fields": Table(
        "contact_id, field_id, value", "contact_id, field_id", "value", ":ben::uuid, :colour::uuid",
        "contact_id = :ada and field_id = :colour", "contact_id = :ada and field_id = :size",
        """select (select value from customer_custom_fields where customer_id = :ben),
                  (select value from customer_custom_fields where customer_id = :ada and field_id = :colour),
                  (select count(*) from customer_custom_fields where customer_id = :ada and field_id = :size)""",
        (None, "red", 1), 0, "customer_custom_fields", "value",
    ),
    "appointments": Table(
        "id, contact_id, status", "id", "status", "500, :ben::uuid", "id = 1", "id = 2",
        """select (select status from lead_appointments where id = 500), (select status from lead_appointments where id = 1),
                  (select count(*) from lead_appointments where id = 2)""",
        (None, "open", 1), 0, "lead_appointments", "status",
    ),
    "customers": Table(
        "cst_id, workspace_id, city", "cst_id", "city", ":nobody::uuid, :alpha::uuid", "cst_id = :ada", "cst_id = :ben",
        """select (select city from contacts where id = :nobody), (select city from contacts where id = :ada),
                  (select count(*) from contacts where id = :ben)""",
        (None, "Bonn", 1), 0, "contacts", "city",
    ),
    "leads": Table(
        "id, customer_id, workspace_id, disposition", "id", "disposition", ":nobody::uuid, :ben::uuid, :alpha::uuid",
        "customer_id = :ada", "customer_id = :cleo",
        """select (select lead_status from contacts where id = :ben), (select lead_status from contacts where id = :ada),
                  (select lead_status from contacts where id = :cleo)""",
        (None, "new", "lost"), None, "contacts", "lead_status",
    ),
    "customer_custom_fields": Table(
        "customer_id, field_id, workspace_id, value", "customer_id, field_id", "value", ":ben::uuid, :colour::uuid, :alpha::uuid",
        "customer_id = :ada and field_id = :colour", "customer_id = :ada and field_id = :size",
        """select (select value from contact_custom_fields where contact_id = :ben),
                  (select value from contact_custom_fields where contact_id = :ada and field_id = :colour),
                  (select count(*) from contact_custom_fields where contact_id = :ada and field_id = :size)""",
        (None, "red", 1), 0, "contact_custom_fields", "value",
    ),
    "lead_appointments": Table(
        "id, lead_id, workspace_id, status", "id", "status",
        "500, (select id from leads where customer_id = :dora), :alpha::uuid", "id = 1", "id = 2",
        """select (select status from appointments where id = 500), (select status from appointments where id = 1),
                  (select count(*) from appointments where id = 2)""",
        (None, "open", 1), 0, "appointments", "status",
    ),
}  # fmt: skip

# {t} the table, {cols} its columns, {k} its key, {v} the column, {new} the new row, {ck} and {dk} which row to change and delete,
# {on} the join of t with s, {s} the columns of s. What it does: i, u, d for the three rows.
STAGED = """
create temp table staged as select {cols}, 'insert'::text as todo from {t} with no data;
insert into staged select {new}, 'insert';
insert into staged select {cols}, 'change' from {t} where {ck};
insert into staged select {cols}, 'delete' from {t} where {dk};
update staged set {v} = 'way';
"""
MERGE = STAGED + "merge into {t} as t using (select * from staged where todo in ({todo})) as s on {on} "
VIEW = "create view face as select {cols} from {t}{where}{options};"
THROUGH = """
insert into face ({cols}) select {new};
update face set {v} = 'way' where {ck};
delete from face where {dk};
"""
INSTEAD = """
create function instead() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        insert into {t} ({cols}) select (new).*;
    elsif tg_op = 'UPDATE' then
        update {t} as t set {v} = new.{v} where {old};
    else
        delete from {t} as t where {old};
    end if;
    return coalesce(new, old);
end $$;
create trigger instead instead of insert or update or delete on face for each row execute function instead();
"""
WAYS = {
    "insert": ("insert into {t} ({cols}) select {new}", "i"),
    "update": ("update {t} set {v} = 'way' where {ck}", "u"),
    "delete": ("delete from {t} where {dk}", "d"),
    "insert … select … returning": (STAGED + "insert into {t} ({cols}) select {cols} from staged where todo = 'insert' returning *", "i"),
    "update … from": (STAGED + "update {t} as t set {v} = s.{v} from staged as s where {on} and todo = 'change'", "u"),
    "delete … using": (STAGED + "delete from {t} as t using staged as s where {on} and todo = 'delete'", "d"),
    "upsert, do update": (
        STAGED + "insert into {t} ({cols}) select {cols} from staged where todo <> 'delete' on conflict ({k}) do update set {v} = excluded.{v}",
        "iu",
    ),
    "upsert, do update where": (
        STAGED + """insert into {t} as t ({cols}) select {cols} from staged
                    on conflict ({k}) do update set {v} = excluded.{v} where t.{v} is distinct from excluded.{v} and t.{v} is null""",
        "i",
    ),
    "upsert, do nothing": (STAGED + "insert into {t} ({cols}) select {cols} from staged on conflict do nothing", "i"),
    "merge, matched: update": (MERGE.replace("{todo}", "'change'") + "when matched then update set {v} = s.{v}", "u"),
    "merge, matched: delete": (MERGE.replace("{todo}", "'delete'") + "when matched then delete", "d"),
    "merge, not matched: insert": (
        MERGE.replace("{todo}", "'insert'") + "when not matched then insert ({cols}) values ({s}) when matched then do nothing",
        "i",
    ),
    "merge, all in one": (
        MERGE.replace("{todo}", "'insert', 'change', 'delete'")
        + """when matched and s.todo = 'delete' then delete when matched then update set {v} = s.{v}
             when not matched then insert ({cols}) values ({s})""",
        "iud",
    ),
    "all in one, by common table expressions": (
        STAGED + """with a as (update {t} set {v} = 'way' where {ck} returning 1), b as (delete from {t} where {dk} returning 1)
                    insert into {t} ({cols}) select {cols} from staged where todo = 'insert'""",
        "iud",
    ),
    "a cursor, where current of": (
        """do $$
        declare c cursor for select * from {t} where ({ck}) or ({dk}) order by ({dk}) for update;
        begin
            open c;
            move c;
            update {t} set {v} = 'way' where current of c;
            move c;
            delete from {t} where current of c;
            close c;
        end $$""",
        "ud",
    ),
    "a cursor of SQL": (
        "declare c cursor for select * from {t} where {ck} for update; fetch c; update {t} set {v} = 'way' where current of c; close c",
        "u",
    ),
    "a prepared statement, executed more often than it is planned": (
        "prepare p (text) as update {t} set {v} = $1 where {ck};" + "".join(f"execute p ('{n}');" for n in range(7)) + "execute p ('way'); deallocate p",
        "u",
    ),
    "a loop over rows, in a function": (
        STAGED + """create function pg_temp.rowwise() returns void language plpgsql as $$
        declare r record;
        begin
            for r in select * from staged where todo = 'change' loop
                for i in 1 .. 5 loop
                    update {t} set {v} = case i when 5 then 'way' else i::text end where {ck};
                end loop;
            end loop;
        end $$;
        select pg_temp.rowwise()""",
        "u",
    ),
    "dynamic statements": (
        """do $$ begin execute format($q$update %I set {v} = $1 where {ck}$q$, '{t}') using 'way'; end $$""",
        "u",
    ),
    "a block whose error is caught": (
        """do $$
        begin
            begin
                update {t} set {v} = 'undone' where {ck};
                delete from {t} where {dk};
                insert into {t} ({cols}) select {new};
                raise 'never mind';
            exception when raise_exception then
                update {t} set {v} = 'way' where {ck};
            end;
        end $$""",
        "u",
    ),
    "two blocks, one of whose errors is caught": (
        """do $$
        begin
            update {t} set {v} = 'way' where {ck};
            begin
                update {t} set {v} = 'undone' where {ck};
                delete from {t} where {dk};
                perform 1 / 0;
            exception when division_by_zero then
                null;
            end;
            begin
                delete from {t} where {dk};
            exception when others then
                raise;
            end;
        end $$""",
        "ud",
    ),
    "savepoints, one of them rolled back": (
        """savepoint a; update {t} set {v} = 'way' where {ck}; savepoint b; update {t} set {v} = 'undone' where {ck}; delete from {t} where {dk};
           rollback to b; release b; release a""",
        "u",
    ),
    "a write, its reverse, and the write": (
        """insert into {t} ({cols}) select {new}; update {t} set {v} = 'way' where {ck}; update {t} set {v} = 'other' where {ck};
           update {t} set {v} = 'way' where {ck}""",
        "iu",
    ),
    "a view": (VIEW.format(cols="{cols}", t="{t}", where="", options="") + THROUGH, "iud"),
    "a view with check option": (VIEW.format(cols="{cols}", t="{t}", where=" where {v} is distinct from 'no'", options=" with check option") + THROUGH, "iud"),
    "a view with the rights of its caller": (
        "create view face with (security_invoker = true, security_barrier = true) as select {cols} from {t};" + THROUGH,
        "iud",
    ),
    "a view of a view": ("create view under as select {cols} from {t}; create view face as select * from under;" + THROUGH, "iud"),
    "a view with triggers in place of writes": (
        "create view face as select {cols} from {t} offset 0;" + INSTEAD + THROUGH,
        "iud",
    ),
    "a view with rules": (
        """create view face as select {cols} from {t} offset 0;
           create rule r1 as on update to face do instead update {t} as t set {v} = new.{v} where {old};
           create rule r2 as on delete to face do instead delete from {t} as t where {old};
           update face set {v} = 'way' where {ck}; delete from face where {dk}""",
        "ud",
    ),
    "a rule that does something else also": (
        """create table elsewhere (todo text);
           create rule also as on insert to elsewhere do also update {t} set {v} = 'way' where {ck};
           create rule too as on delete to elsewhere do also delete from {t} where {dk};
           insert into elsewhere values ('x'); delete from elsewhere""",
        "ud",
    ),
    "a rule on the table itself": (
        """create table diary (what text);
           create rule diary as on update to {t} do also insert into diary values (new.{v});
           update {t} set {v} = 'way' where {ck}""",
        "u",
    ),
    "a trigger of another table": (
        """create table elsewhere (what text);
           create function follow() returns trigger language plpgsql as $$
           begin
               insert into {t} ({cols}) select {new};
               update {t} set {v} = 'way' where {ck};
               delete from {t} where {dk};
               return null;
           end $$;
           create trigger follow after insert on elsewhere for each statement execute function follow();
           insert into elsewhere values ('x')""",
        "iud",
    ),
    "a statement that writes nothing before one that does": (
        "update {t} set {v} = 'x' where false; delete from {t} where false; update {t} set {v} = {v}; update {t} set {v} = 'way' where {ck}",
        "u",
    ),
}  # fmt: skip


def statement(table: str, way: str) -> str:
    t = TABLES[table]
    keys = t.key.split(", ")
    words = {
        "{t}": table,
        "{cols}": t.columns,
        "{k}": t.key,
        "{v}": t.column,
        "{new}": f"{t.new}, 'way'",
        "{ck}": t.change,
        "{dk}": t.delete,
        "{on}": " and ".join(f"t.{k} = s.{k}" for k in keys),
        "{old}": " and ".join(f"t.{k} = old.{k}" for k in keys),
        "{s}": ", ".join(f"s.{c}" for c in t.columns.split(", ")),
    }
    text = WAYS[way][0]
    for word, replacement in words.items():
        text = text.replace(word, replacement)
    return named(text)


def expected(table: str, does: str) -> tuple[object, ...]:
    new, changed, there = TABLES[table].before
    return (
        "way" if "i" in does else new,
        "way" if "u" in does else changed,
        TABLES[table].deleted if "d" in does else there,
    )


@pytest.fixture(scope="module")
def shared(server: Server, databases: Databases) -> Iterator[psycopg.Connection]:
    """One seeded database for many tests: each rolls back what it wrote."""
    name = databases.clone("parallel")
    with psycopg.connect(server.dsn(name), autocommit=True) as connection:
        yield connection
    databases.drop(name)


AT_COMMIT = "set constraints all immediate"
"""A primary lead is elected when the transaction commits; the tests roll theirs back."""


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("way", WAYS)
def test_the_other_side_follows(shared: psycopg.Connection, way: str, table: str) -> None:
    t = TABLES[table]
    with shared.transaction(force_rollback=True):
        assert rows(shared, t.look) == [t.before]
        shared.execute(statement(table, way))
        shared.execute(AT_COMMIT)
        assert rows(shared, t.look) == [expected(table, WAYS[way][1])]
        assert_in_sync(shared)


@pytest.mark.default_pg
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("way", [way for way in WAYS if set(WAYS[way][1]) & {"i", "u"}])
def test_where_the_other_side_refuses_the_row_waits_in_the_queue(
    shared: psycopg.Connection, way: str, table: str
) -> None:
    t = TABLES[table]
    with shared.transaction(force_rollback=True):
        shared.execute(f"alter table {t.other} add constraint no_way check ({t.other_column} <> 'way') not valid")
        shared.execute(statement(table, way))
        shared.execute(AT_COMMIT)
        assert queue(shared)
        assert_agreement(shared)
        drain(shared)
        assert queue(shared), "the cause is still there"
        assert_agreement(shared)
        shared.execute(f"alter table {t.other} drop constraint no_way")
        drain(shared)
        assert rows(shared, t.look) == [expected(table, WAYS[way][1])]
        assert_in_sync(shared)


@pytest.mark.parametrize("table", TABLES)
def test_copy_is_followed(shared: psycopg.Connection, table: str) -> None:
    t = TABLES[table]
    with shared.transaction(force_rollback=True):
        row = rows(shared, f"select {t.new}, 'way'")[0]
        with shared.cursor().copy(f"copy {table} ({t.columns}) from stdin") as copy:
            copy.write_row(row)
        shared.execute(AT_COMMIT)
        assert rows(shared, t.look) == [expected(table, "i")]
        assert_in_sync(shared)


@pytest.mark.parametrize("table", TABLES)
def test_copy_through_a_view_with_triggers_is_followed(shared: psycopg.Connection, table: str) -> None:
    t = TABLES[table]
    with shared.transaction(force_rollback=True):
        made = WAYS["a view with triggers in place of writes"][0].removesuffix(THROUGH)
        for word, replacement in (("{t}", table), ("{cols}", t.columns), ("{v}", t.column), ("{old}", "false")):
            made = made.replace(word, replacement)
        shared.execute(made)
        row = rows(shared, f"select {t.new}, 'way'")[0]
        with shared.cursor().copy(f"copy face ({t.columns}) from stdin") as copy:
            copy.write_row(row)
        shared.execute(AT_COMMIT)
        assert rows(shared, t.look) == [expected(table, "i")]
        assert_in_sync(shared)


@pytest.mark.parametrize("table", TABLES)
def test_merge_of_what_the_source_lacks_is_followed(shared: psycopg.Connection, table: str) -> None:
    if shared.info.server_version < 170000:
        pytest.skip("PostgreSQL 17 brought WHEN NOT MATCHED BY SOURCE")
    t = TABLES[table]
    kept = ", ".join(f"{k} as kept_{k}" for k in t.key.split(", "))
    on = " and ".join(f"{k} = kept_{k}" for k in t.key.split(", "))
    with shared.transaction(force_rollback=True):
        shared.execute(
            named(
                f"""merge into {table} using (select {kept} from {table} where not ({t.change} or {t.delete})) as s on {on}
                    when not matched by source and {t.delete} then delete
                    when not matched by source then update set {t.column} = 'way' returning merge_action()"""
            )
        )
        assert rows(shared, t.look) == [expected(table, "ud")]
        assert_in_sync(shared)


@pytest.mark.parametrize("table", TABLES)
def test_a_pipeline_of_statements_is_followed(shared: psycopg.Connection, table: str) -> None:
    t = TABLES[table]
    with shared.transaction(force_rollback=True):
        with shared.pipeline():
            for word in ("first", "second", "way"):
                shared.execute(named(f"update {table} set {t.column} = '{word}' where {t.change}"), prepare=True)
            shared.execute(named(f"delete from {table} where {t.delete}"))
        assert rows(shared, t.look) == [expected(table, "ud")]
        assert_in_sync(shared)
