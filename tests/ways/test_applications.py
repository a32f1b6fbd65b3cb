"""What applications put around their tables: foreign keys with actions, triggers, columns, owners, roles and schemas of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.support.agreement import assert_agreement, assert_in_sync, drain, queue
from tests.support.writing import rows, trigger, value, write

Db = Callable[[str], psycopg.Connection]

BOTH = pytest.mark.parametrize("side", ["legacy", "target"])
TABLE = {"legacy": ("contacts", "id"), "target": ("customers", "cst_id")}
OTHER = {"legacy": ("customers", "cst_id"), "target": ("contacts", "id")}


# --- foreign keys of the application into mapped tables, and out of them


@BOTH
@pytest.mark.parametrize(
    ("action", "deleted", "moved"),
    [("cascade", None, "Roma"), ("set null", (None,), None), ("set default", ("Rom",), "Rom")],
)
def test_an_action_of_a_foreign_key_is_a_write_like_any_other(
    db: Db, side: str, action: str, deleted: object, moved: str | None
) -> None:
    """A city that is renamed or closed changes or takes along the people in it."""
    table, key = TABLE[side]
    other, other_key = OTHER[side]
    conn = db("parallel")
    conn.execute(
        f"""create table cities (name text primary key);
            insert into cities select distinct city from contacts where city is not null union select 'Rom';
            insert into cities values ('Ulm') on conflict do nothing;
            alter table {table} alter column city set default 'Rom';
            alter table {table} add constraint lives_in foreign key (city) references cities on update {action} on delete {action}"""
    )
    write(conn, f"update {table} set city = 'Rom' where {key} = :ada")
    conn.execute("update cities set name = 'Roma' where name = 'Rom'" if action != "set default" else "select 1")
    assert value(conn, f"select city from {other} where {other_key} = :ada") == moved
    assert_in_sync(conn)
    conn.execute("delete from cities where name = 'Ulm'")  # Ben, who is no lead
    found = rows(conn, f"select city from {other} where {other_key} = :ben")
    assert (found[0] if found else None) == deleted
    assert_in_sync(conn)


@BOTH
def test_a_tree_of_rows_that_goes_with_its_root_goes_on_the_other_side_too(db: Db, side: str) -> None:
    """A row that refers to another one of its own table, three deep, in one statement."""
    table, key = TABLE[side]
    other, _ = OTHER[side]
    conn = db("parallel")
    conn.execute(f"alter table {table} add column boss uuid references {table} ({key}) on delete cascade")
    write(
        conn,
        f"""insert into {table} ({key}, workspace_id, boss) values (:nobody, :alpha, null);
            insert into {table} ({key}, workspace_id, boss) select md5(n::text)::uuid, :alpha, :nobody from generate_series(1, 3) n;
            insert into {table} ({key}, workspace_id, boss) select md5(n::text || 'x')::uuid, :alpha, md5(n::text)::uuid from generate_series(1, 3) n""",
    )
    assert value(conn, f"select count(*) from {other}") == 5 + 7
    write(conn, f"delete from {table} where {key} = :nobody")
    assert value(conn, f"select count(*) from {other}") == 5
    assert_in_sync(conn)


@BOTH
def test_a_table_of_the_application_that_hangs_on_a_mapped_row_goes_with_it_or_holds_it(db: Db, side: str) -> None:
    """On the other side: a delete that the application's own foreign key forbids there is queued, and done once it does not."""
    table, key = TABLE[side]
    other, other_key = OTHER[side]
    conn = db("parallel")
    conn.execute(
        f"""create table invoices (id int primary key, of_whom uuid references {other} ({other_key}));
            create table notes (id int primary key, of_whom uuid references {other} ({other_key}) on delete cascade);
            create table calls (id int primary key, of_whom uuid references {other} ({other_key}) on delete set null)"""
    )
    for table_of_theirs in ("invoices", "notes", "calls"):
        write(conn, f"insert into {table_of_theirs} values (1, :ben)")
    write(conn, f"delete from {table} where {key} = :ben")
    assert {state for *_, state in queue(conn)} == {"23503"}
    assert value(conn, f"select count(*) from {other} where {other_key} = :ben") == 1
    assert value(conn, "select count(*) from notes") == 1, "what was undone was undone whole"
    assert_agreement(conn)
    conn.execute("delete from invoices")
    drain(conn)
    assert rows(conn, "select (select count(*) from notes), (select of_whom from calls)") == [(0, None)]
    assert_in_sync(conn)


@BOTH
def test_deferred_constraints_of_the_side_that_is_written_stay_deferred(db: Db, side: str) -> None:
    """A referral to somebody who is entered only later in the transaction."""
    table, key = TABLE[side]
    other, other_key = OTHER[side]
    conn = db("parallel")
    conn.execute(f"alter table {table} add column by_whom uuid references {table} deferrable initially deferred")
    conn.execute(f"alter table {table} add constraint one_zip unique (zip) deferrable initially deferred")
    with conn.transaction():
        write(conn, f"update {table} set by_whom = :nobody, city = 'Rom' where {key} = :ada")
        write(conn, f"update {table} set zip = '53111' where {key} = :ben")  # Ada's
        assert value(conn, f"select city from {other} where {other_key} = :ada") == "Rom"
        write(conn, f"insert into {table} ({key}, workspace_id) values (:nobody, :alpha)")
        write(conn, f"update {table} set zip = '1' where {key} = :ada")
    assert rows(conn, f"select zip from {other} where {other_key} in (:ada, :ben) order by 1") == [("1",), ("53111",)]
    assert_in_sync(conn)
    with pytest.raises(psycopg.errors.ForeignKeyViolation), conn.transaction():
        write(conn, f"update {table} set by_whom = gen_random_uuid(), city = 'Bari' where {key} = :ada")
    assert value(conn, f"select city from {other} where {other_key} = :ada") == "Rom"
    assert_in_sync(conn)


@BOTH
def test_set_constraints_of_the_application_is_not_undone_by_the_sync(db: Db, side: str) -> None:
    """What it set immediate stays so, what it left deferred stays so, whatever the sync tried in between."""
    table, key = TABLE[side]
    conn = db("parallel")
    conn.execute(
        f"""create table cities (name text primary key);
            insert into cities select distinct city from contacts where city is not null;
            alter table {table} add constraint lives_in foreign key (city) references cities deferrable initially immediate"""
    )
    with conn.transaction():
        conn.execute("set constraints lives_in deferred")
        write(conn, f"update {table} set city = 'Rom' where {key} = :ada")
        write(conn, f"update {table} set zip = '1' where {key} = :ben")
        write(conn, f"update {table} set city = 'Rom' where {key} = :ben")
        conn.execute("insert into cities values ('Rom')")
    assert_in_sync(conn)
    with pytest.raises(psycopg.errors.ForeignKeyViolation), conn.transaction():
        write(conn, f"update {table} set zip = '2' where {key} = :ben")
        write(conn, f"update {table} set city = 'Nowhere' where {key} = :ada")
    assert_in_sync(conn)


# --- columns the application adds


@BOTH
def test_columns_that_the_application_adds_are_none_of_the_syncs_business(db: Db, side: str) -> None:
    """Generated, identity, with a default that is drawn anew, of a type of its own, dropped again."""
    table, key = TABLE[side]
    other, other_key = OTHER[side]
    conn = db("parallel")
    conn.execute(
        f"""create type mood as enum ('good', 'bad');
            create domain short as text check (length(value) < 20);
            alter table {other} add column number integer generated always as identity,
                  add column full_name text generated always as (coalesce(firstname, '') || ' ' || coalesce(lastname, '')) stored,
                  add column token uuid not null default gen_random_uuid(),
                  add column mood mood default 'good', add column nick short, add column seen_at timestamptz default clock_timestamp(),
                  add column dropped text;
            alter table {other} drop column dropped;
            create index on {other} (lower(city)); create statistics s on city, zip from {other};
            create unique index on {other} (token)"""
    )
    if conn.info.server_version >= 180000:
        conn.execute(f"alter table {other} add column city_name text generated always as (upper(city)) virtual")
    before = rows(conn, f"select number, token, mood from {other} where {other_key} = :ada")
    write(
        conn,
        f"""update {table} set firstname = 'Augusta' where {key} = :ada;
            insert into {table} ({key}, workspace_id, firstname) values (:nobody, :alpha, 'Nora')""",
    )
    assert rows(conn, f"select number, token, mood from {other} where {other_key} = :ada") == before
    assert rows(conn, f"select number > 5, full_name, mood::text from {other} where {other_key} = :nobody") == [
        (True, "Nora ", "good")
    ]
    assert_in_sync(conn)


# --- triggers of the application


@BOTH
@pytest.mark.parametrize("where", ["here", "there", "both"])
@pytest.mark.parametrize("when", ["before", "after", "constraint"])
def test_triggers_that_normalise_wherever_they_stand_are_followed(db: Db, side: str, where: str, when: str) -> None:
    table, key = TABLE[side]
    conn = db("parallel")
    for place, (name, its_key) in {"here": TABLE[side], "there": OTHER[side]}.items():
        if where not in (place, "both"):
            continue
        if when == "before":
            trigger(
                conn,
                f"tidy_{name}",
                f"before insert or update on {name} for each row",
                "new.email := lower(trim(new.email)); return new;",
            )
        else:
            trigger(
                conn,
                f"tidy_{name}",
                f"after insert or update on {name} for each row",
                f"update {name} set email = lower(trim(email)) where {its_key} = new.{its_key} and email <> lower(trim(email)); return null;",
            )
            if when == "constraint":
                conn.execute(
                    f"""drop trigger tidy_{name} on {name};
                        create constraint trigger tidy_{name} after insert or update on {name} deferrable initially deferred
                        for each row execute function tidy_{name}()"""
                )
    write(conn, f"update {table} set email = ' A@X ' where {key} = :ada")
    write(conn, f"insert into {table} ({key}, workspace_id, email) values (:nobody, :alpha, 'N@X')")
    assert rows(conn, "select email from contacts where id in (:ada, :nobody) order by 1") == [("a@x",), ("n@x",)]
    assert rows(conn, "select email from customers where cst_id in (:ada, :nobody) order by 1") == [("a@x",), ("n@x",)]
    assert_in_sync(conn)


@BOTH
def test_a_trigger_that_writes_other_mapped_tables_of_both_sides_is_followed(db: Db, side: str) -> None:
    """A city that is entered makes an appointment on one side, a field on the other, and changes somebody else."""
    table, key = TABLE[side]
    conn = db("parallel")
    trigger(
        conn,
        "welcome",
        f"after update of city on {table} for each row when (old.city is distinct from new.city and new.{key} <> '00000000-0000-0000-0000-0000000000c2')",
        f"""insert into appointments (contact_id, status) values (new.{key}, 'welcome');
            insert into customer_custom_fields (customer_id, field_id, workspace_id, value) values (new.{key}, :colour, new.workspace_id, new.city)
                on conflict (customer_id, field_id) do update set value = excluded.value;
            update contacts set city = new.city where id = :ben;
            update leads set disposition = new.city where customer_id = :cleo;
            return null;""",
    )
    write(conn, f"update {table} set city = 'Rom' where {key} in (:ada, :dora)")
    assert rows(
        conn,
        """select (select count(*) from lead_appointments where status = 'welcome'), (select count(*) from contact_custom_fields where value = 'Rom'),
                  (select city from customers where cst_id = :ben), (select lead_status from contacts where id = :cleo)""",
    ) == [(2, 2, "Rom", "Rom")]
    assert_in_sync(conn)


@BOTH
def test_a_trigger_of_the_side_that_only_follows_may_write_other_mapped_rows(db: Db, side: str) -> None:
    """Fired by the sync's own statement, on the other side: what it writes comes back."""
    table, key = TABLE[side]
    other, other_key = OTHER[side]
    conn = db("parallel")
    trigger(
        conn,
        "household",
        f"after update of city on {other} for each row when (new.{other_key} = '00000000-0000-0000-0000-0000000000c1')",
        f"""update {other} set city = new.city where {other_key} = :ben;
            update contacts set lead_status = new.city where id = :cleo;
            update leads set source = new.city where customer_id = :dora;
            delete from appointments where id = 1;
            insert into lead_appointments (lead_id, workspace_id, status) select id, workspace_id, new.city from leads where customer_id = :dora;
            return null;""",
    )
    write(conn, f"update {table} set city = 'Rom' where {key} = :ada")
    assert rows(
        conn,
        f"""select (select city from {table} where {key} = :ben), (select disposition from leads where customer_id = :cleo),
                   (select lead_source from contacts where id = :dora), (select count(*) from lead_appointments where id = 1),
                   (select count(*) from appointments where status = 'Rom')""",
    ) == [("Rom", "Rom", "Rom", 0, 1)]
    assert_in_sync(conn)


@BOTH
def test_a_trigger_that_cancels_a_write_on_the_side_that_is_written_leaves_both_alone(db: Db, side: str) -> None:
    table, key = TABLE[side]
    conn = db("parallel")
    trigger(conn, "not_rome", f"before update on {table} for each row when (new.city = 'Rom')", "return null;")
    write(conn, f"update {table} set city = 'Rom' where {key} = :ada")
    write(conn, f"update {table} set city = 'Bari' where {key} = :ben")
    assert rows(conn, "select cst_id::text, city from customers where city in ('Rom', 'Bari')") == [
        (value(conn, "select :ben"), "Bari")
    ]
    assert_in_sync(conn)


@BOTH
def test_a_trigger_with_transition_tables_and_an_error_it_catches_does_not_disturb(db: Db, side: str) -> None:
    """Its own subtransactions come and go inside the application's statement."""
    table, key = TABLE[side]
    conn = db("parallel")
    conn.execute("create table history (n int)")
    conn.execute(
        f"""create function remember() returns trigger language plpgsql as $$
            begin
                insert into history select count(*) from changed;
                begin
                    update {table} set zip = 'undone' where {key} in (select {key} from changed);
                    raise division_by_zero;
                exception when division_by_zero then
                    null;
                end;
                return null;
            end $$;
            create trigger a_remember after update on {table} referencing new table as changed for each statement
            when (pg_trigger_depth() = 0) execute function remember();
            create trigger z_remember after update on {table} referencing new table as changed for each statement
            when (pg_trigger_depth() = 0) execute function remember()"""
    )
    write(conn, f"update {table} set city = 'Rom' where {key} in (:ada, :ben)")
    assert rows(conn, "select n from history") == [(2,), (2,)]
    assert value(conn, "select count(*) from customers where city = 'Rom' and zip is distinct from 'undone'") == 2
    assert_in_sync(conn)


# --- roles


@pytest.fixture
def people(db: Db) -> Iterator[psycopg.Connection]:
    """A seeded database with two roles without rights, :owner and :clerk in `as_role`; gone with the database."""
    conn = db("parallel")
    for role in ("owner", "clerk"):
        conn.execute(f"create role {role_name(role)}")
    yield conn
    conn.execute("reset role")
    for role in ("owner", "clerk"):
        conn.execute(
            f"reassign owned by {role_name(role)} to current_user; drop owned by {role_name(role)}; drop role {role_name(role)}"
        )


def role_name(role: str) -> str:
    return f"{role}_{os.getpid()}"


def test_a_security_definer_function_of_the_application_writes_for_a_clerk_without_rights(
    people: psycopg.Connection,
) -> None:
    conn = people
    owner, clerk = role_name("owner"), role_name("clerk")
    conn.execute(
        f"""grant select, update on contacts, customers to {owner}; grant create on schema public to {owner};
            create policy everything on customers to {owner} using (true);
            set role {owner};
            create function move(who uuid, where_to text) returns void language sql security definer set search_path = public as
            $$ update contacts set city = where_to where id = who $$;
            create function move_customer(who uuid, where_to text) returns void language sql security definer set search_path = public as
            $$ update customers set zip = where_to where cst_id = who $$;
            set role {clerk}"""
    )
    rows(conn, "select move(:ada, 'Rom')")
    rows(conn, "select move_customer(:ada, '00100')")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        write(conn, "update contacts set city = 'Bari' where id = :ada")
    conn.execute("reset role")
    assert rows(conn, "select city, zip from contacts where id = :ada") == [("Rom", "00100")]
    assert rows(conn, "select city, zip from customers where cst_id = :ada") == [("Rom", "00100")]
    assert_in_sync(conn)


def test_tables_that_belong_to_somebody_else_are_written_by_whoever_may(people: psycopg.Connection) -> None:
    """The owner is neither who installed crmshift nor who writes."""
    conn = people
    owner, clerk = role_name("owner"), role_name("clerk")
    tables = ("contacts", "contact_custom_fields", "appointments")
    conn.execute(f"grant create on schema public to {owner}")
    for table in tables:
        conn.execute(
            f"alter table {table} owner to {owner}; grant select, insert, update, delete on {table} to {clerk}"
        )
    for role in (owner, clerk):
        conn.execute(f"set role {role}")
        write(conn, "update contacts set city = city || '!' where id = :ada")
        write(conn, "update appointments set status = status || '!' where id = 1")
        conn.execute("reset role")
    assert value(conn, "select city from customers where cst_id = :ada") == "Bonn!!"
    assert value(conn, "select status from lead_appointments where id = 1") == "open!!"
    write(conn, "update leads set disposition = 'won' where customer_id = :ada")
    assert value(conn, "select lead_status from contacts where id = :ada") == "won"
    assert_in_sync(conn)


def test_row_level_security_of_legacy_does_not_hide_rows_from_the_sync(people: psycopg.Connection) -> None:
    """A clerk of one workspace on each side; `row_security = off` would be an error for him, and is not used."""
    conn = people
    clerk = role_name("clerk")
    conn.execute(
        f"""alter table contacts enable row level security;
            create policy of_workspace on contacts using (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
            grant select, insert, update, delete on contacts, customers, leads to {clerk};
            set role {clerk}"""
    )
    write(conn, "update contacts set city = 'nowhere'; update customers set city = 'nowhere'")
    write(conn, "select set_config('app.workspace_id', :alpha, false)")
    write(conn, "update contacts set city = 'Rom'")
    write(conn, "update leads set disposition = 'won'")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("set row_security = off; update contacts set city = 'x'")
    conn.execute("reset row_security; reset role; reset app.workspace_id")
    assert rows(conn, "select city, count(*) from customers group by 1 order by 1") == [("Hamm", 1), ("Rom", 4)]
    assert value(conn, "select count(*) from contacts where lead_status = 'won'") == 3 + 1
    assert_in_sync(conn)


# --- schemas


@pytest.mark.parametrize(
    "path",
    ['"Tenant-7", public', '"02-lower", ext, public', 'ext, "$user", public', "pg_temp, public, ext", '"a""b", public'],
)
@pytest.mark.shows("trap direction by session", "peer 5.3")
def test_a_search_path_of_several_or_quoted_names_changes_nothing(db: Db, path: str) -> None:
    """Direction is the table that was written, never the session."""
    conn = db("parallel")
    conn.execute('create schema "Tenant-7"; create schema "02-lower"; create schema ext; create schema "a""b"')
    for schema in ('"Tenant-7"', '"02-lower"', "ext"):
        conn.execute(f"create view {schema}.contacts as select * from public.contacts")
        conn.execute(f"create view {schema}.customers as select * from public.customers")
    conn.execute("set search_path to " + path)
    write(conn, "update contacts set city = 'Rom' where id = :ada")
    write(conn, "update customers set zip = '1' where cst_id = :ada")
    write(conn, "update leads set disposition = 'won' where customer_id = :ada")
    assert rows(conn, "select city, zip from public.customers where cst_id = :ada") == [("Rom", "1")]
    assert rows(conn, "select city, zip, lead_status from public.contacts where id = :ada") == [("Rom", "1", "won")]
    conn.execute("reset search_path")
    assert_in_sync(conn)


@BOTH
def test_a_synced_update_fires_no_trigger_for_inserts_and_draws_no_number(db: Db, side: str) -> None:
    """An application's BEFORE INSERT trigger may count, number or refuse what is new; a row that only changes is not."""
    table, key = TABLE[side]
    other, _ = OTHER[side]
    conn = db("parallel")
    conn.execute(
        f"create table welcomed (n int); alter table {other} add column number integer generated always as identity"
    )
    trigger(conn, "welcome", f"before insert on {other} for each row", "insert into welcomed values (1); return new;")
    before = value(conn, f"select last_value from {other}_number_seq")
    write(conn, f"update {table} set city = 'Rom' where {key} = :ada")
    assert value(conn, "select count(*) from welcomed") == 0
    assert value(conn, f"select last_value from {other}_number_seq") == before
