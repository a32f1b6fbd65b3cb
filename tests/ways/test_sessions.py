"""Whatever a session is set to, however its transactions are isolated, prepared or notified: the other side follows."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from crmshift.embedded import EmbeddedServer
from tests.support.agreement import assert_agreement, assert_in_sync, drain, queue
from tests.support.databases import SQL
from tests.support.sessions import Session, sessions
from tests.support.templates import ADA, BEN, WORKSPACE, apply_to
from tests.support.writing import named, rows, value, write

Db = Callable[[str], psycopg.Connection]
Make = Callable[[str], str]

LEGACY_WRITES = """
insert into contacts (id, workspace_id, firstname, lead_status, created_at) values (:nobody, :alpha, E'Zo\\u00eb', 'new', '2024-07-01 12:00:00.123456+00');
insert into contact_custom_fields (contact_id, field_id, value) values (:nobody, :colour, E'back\\\\slash''s "quote"');
insert into appointments (id, contact_id, apptdate) values (900, :nobody, '2024-12-31 23:59:59.999999+00');
update contacts set city = E'K\\u00f6ln', updated_at = '2024-07-02 12:00:00.654321+00' where id = :nobody;
update appointments set status = 'x', reminder_sent = true where id = 900;
delete from appointments where id = 2;
"""
TARGET_WRITES = """
update customers set lastname = E'\\u00c5ngstr\\u00f6m', dateadded = '1999-12-31 23:59:59.999999+00' where cst_id = :ben;
insert into leads (customer_id, workspace_id, disposition, lastchangedon) values (:ben, :alpha, 'won', '2024-08-01 12:00:00.000001+00');
insert into customer_custom_fields (customer_id, field_id, workspace_id, value) values (:ben, :size, :alpha, '');
update lead_appointments set apptdate = '2024-02-29 00:00:00.5+00' where id = 1;
delete from customer_custom_fields where customer_id = :ada and field_id = :size;
"""

SETTINGS = {
    "dates of another style": {"DateStyle": "German, DMY", "IntervalStyle": "sql_standard"},
    "another time zone": {"TimeZone": "Asia/Kathmandu"},
    "a time zone with summer time": {"TimeZone": "America/New_York", "DateStyle": "SQL, MDY"},
    "few digits": {"extra_float_digits": "-15", "bytea_output": "escape"},
    "backslashes as they are": {"standard_conforming_strings": "off", "escape_string_warning": "off", "backslash_quote": "off"},
    "another encoding": {"client_encoding": "LATIN1"},
    "other messages": {"client_min_messages": "error", "lc_messages": "C"},
    "always planned anew": {"plan_cache_mode": "force_custom_plan"},
    "never planned anew": {"plan_cache_mode": "force_generic_plan"},
    "no index": {"enable_indexscan": "off", "enable_bitmapscan": "off", "enable_indexonlyscan": "off"},
    "no scan": {"enable_seqscan": "off", "enable_tidscan": "off"},
    "no join but one": {"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_memoize": "off"},
    "no nested loop": {"enable_nestloop": "off", "enable_material": "off"},
    "no hash and no sort": {"enable_hashagg": "off", "enable_sort": "off", "enable_incremental_sort": "off"},
    "compiled": {"jit": "on", "jit_above_cost": "0", "jit_inline_above_cost": "0", "jit_optimize_above_cost": "0"},
    "in parallel": {"parallel_setup_cost": "0", "parallel_tuple_cost": "0", "min_parallel_table_scan_size": "0", "max_parallel_workers_per_gather": "4"},
    "in joins as they stand": {"join_collapse_limit": "1", "from_collapse_limit": "1", "geqo_threshold": "2"},
    "with little memory": {"work_mem": "64kB", "temp_buffers": "800kB", "hash_mem_multiplier": "1"},
    "timeouts of its own": {"lock_timeout": "5s", "statement_timeout": "30s", "idle_in_transaction_session_timeout": "30s"},
    "no policy": {"row_security": "off"},
    "writing is the exception": {"default_transaction_read_only": "on"},
    "NULL is equal": {"transform_null_equals": "on", "array_nulls": "on"},
    "constraints exclude": {"constraint_exclusion": "on", "check_function_bodies": "off"},
    "no synonyms": {"quote_all_identifiers": "on", "search_path": "public"},
    "XML": {"xmloption": "document", "xmlbinary": "hex"},
    "logged": {"log_statement": "none", "track_functions": "all", "track_io_timing": "on"},
    "committed later": {"synchronous_commit": "off", "commit_delay": "10"},
    "variables before columns": {"plpgsql.variable_conflict": "use_variable"},
    "columns before variables": {"plpgsql.variable_conflict": "use_column"},
    "strict": {"plpgsql.extra_errors": "all", "plpgsql.extra_warnings": "all"},
    "asserted": {"plpgsql.check_asserts": "on", "exit_on_error": "off"},
    "settings of its own": {"crmshift.of_mine": "x", "app.workspace_id": "not a uuid"},
}  # fmt: skip


@pytest.mark.parametrize("what", SETTINGS)
@pytest.mark.shows("mission P9")
def test_a_session_with_settings_of_its_own_is_followed(db: Db, what: str) -> None:
    conn = db("parallel")
    for setting, to in SETTINGS[what].items():
        conn.execute("select set_config(%s, %s, false)", [setting, to])
    with conn.transaction():
        conn.execute("set transaction read write")
        if what == "settings of its own":  # the owner's policy comes first, the workspace's is no uuid
            conn.execute("reset app.workspace_id")
        write(conn, LEGACY_WRITES)
        write(conn, TARGET_WRITES)
    for setting, to in SETTINGS[what].items():
        if what != "settings of its own":
            assert value(conn, f"select current_setting('{setting}')") == to, "the sync leaves it as it was"
    conn.execute("reset all")
    assert rows(
        conn,
        """select c.firstname, c.city, c.dateadded = '2024-07-01 12:00:00.123456+00', f.value, a.apptdate = '2024-12-31 23:59:59.999999+00'
             from customers c join customer_custom_fields f on f.customer_id = cst_id join leads l on l.customer_id = cst_id
             join lead_appointments a on a.lead_id = l.id where cst_id = :nobody""",
    ) == [("Zoë", "Köln", True, 'back\\slash\'s "quote"', True)]
    assert rows(
        conn,
        """select lastname, lead_status, created_at = '1999-12-31 23:59:59.999999+00', updated_at = '2024-08-01 12:00:00.000001+00'
             from contacts where id = :ben""",
    ) == [("Ångström", "won", True, True)]
    assert_in_sync(conn)


def test_a_transaction_timeout_of_the_application_is_left_to_it(db: Db) -> None:
    conn = db("parallel")
    if conn.info.server_version < 170000:
        pytest.skip("PostgreSQL 17 brought transaction_timeout")
    conn.execute("set transaction_timeout = '30s'")
    with conn.transaction():
        write(conn, LEGACY_WRITES)
    assert value(conn, "select current_setting('transaction_timeout')") == "30s"
    assert_in_sync(conn)


@pytest.mark.parametrize("setting", ["lock_timeout", "statement_timeout", "plan_cache_mode", "search_path"])
def test_what_a_transaction_has_set_for_itself_is_still_set_after_a_write(db: Db, setting: str) -> None:
    """Also where the sync failed, waited for a lock, or was undone with its savepoint."""
    conn = db("parallel")
    to = {"plan_cache_mode": "force_custom_plan", "search_path": '"$user", public, pg_temp'}.get(setting, "1234ms")
    conn.execute("alter table customers add constraint no_rome check (city <> 'Rom') not valid")
    with conn.transaction():
        conn.execute("select set_config(%s, %s, true)", [setting, to])
        write(conn, "update contacts set city = 'Bari' where id = :ada")
        assert value(conn, f"select current_setting('{setting}')") == to
        write(conn, "update contacts set city = 'Rom' where id = :ada")
        assert value(conn, f"select current_setting('{setting}')") == to
        with pytest.raises(psycopg.errors.DivisionByZero), conn.transaction():
            write(conn, "update contacts set city = 'Pisa' where id = :ben; select 1/0")
        assert value(conn, f"select current_setting('{setting}')") == to
    assert value(conn, f"select current_setting('{setting}')") != to
    assert_agreement(conn)


def test_notifications_of_the_application_arrive_once(db: Db) -> None:
    conn = db("parallel")
    conn.execute(
        """create function tell() returns trigger language plpgsql as
           $$ begin perform pg_notify('changes', tg_table_name || ' ' || new.city); return null; end $$;
           create trigger tell after update of city on contacts for each row execute function tell();
           create trigger tell after update of city on customers for each row execute function tell();
           listen changes"""
    )
    write(conn, "update contacts set city = 'Rom' where id = :ada")
    write(conn, "update customers set city = 'Bari' where cst_id = :ada")
    told = [n.payload for n in conn.notifies(timeout=2, stop_after=4)]
    assert told[:2] == ["contacts Rom", "customers Rom"]
    assert sorted(told[2:]) == ["contacts Bari", "customers Bari"]
    assert_in_sync(conn)


# --- isolation

LEVELS = pytest.mark.parametrize("level", ["repeatable read", "serializable"])

WRITES = {
    "contact": f"update contacts set city = coalesce(city, '') || '1' where id = '{ADA}'",
    "status": f"update contacts set lead_status = coalesce(lead_status, '') || '1' where id = '{ADA}'",
    "customer": f"update customers set zip = coalesce(zip, '') || '2' where cst_id = '{ADA}'",
    "lead": f"update leads set source = coalesce(source, '') || '2' where customer_id = '{ADA}' and is_primary",
    "second lead": f"insert into leads (customer_id, workspace_id, disposition) values ('{ADA}', '{WORKSPACE}', 'second')",
    "field": f"update contact_custom_fields set value = coalesce(value, '') || '1' where contact_id = '{ADA}'",
    "appointment": f"insert into appointments (contact_id, status) values ('{ADA}', 'new')",
    "gone": f"delete from contacts where id = '{BEN}'",
}


def retried(session: Session, level: str, statement: str) -> None:
    """As an application does: from the start, when the server could not serialize it."""
    for _ in range(5):
        try:
            session(f"begin isolation level {level}")
            session(statement)
            session.commit()
            return
        except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected):
            session.rollback()
    raise AssertionError("not serialized in five tries")


@LEVELS
@pytest.mark.parametrize("second", WRITES)
@pytest.mark.parametrize("first", ["contact", "customer", "lead", "appointment"])
def test_two_transactions_with_old_snapshots_agree_in_the_end(
    make_database: Make, level: str, first: str, second: str
) -> None:
    """Both look, then the first writes and commits, then the second writes over what it has not seen: an error and a new try, or the queue."""
    dsn = make_database("parallel")
    with sessions(dsn, "A", "B") as (a, b), psycopg.connect(dsn, autocommit=True) as conn:
        for session in (a, b):
            session(f"begin isolation level {level}")
            session("select count(*) from contacts join customers on cst_id = id")
        a(WRITES[first])
        a.commit()
        try:
            b(WRITES[second])
            b.commit()
        except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected):
            b.rollback()
            retried(b, level, WRITES[second])
        assert_agreement(conn)
        drain(conn)
        assert_in_sync(conn)
        written = rows(
            conn,
            """select city, lead_status, zip, lead_source, (select count(*) from appointments where contact_id = :ada and status = 'new'),
                      (select count(*) from leads where customer_id = :ada), (select value from customer_custom_fields where customer_id = :ada and field_id = :colour)
                 from contacts where id = :ada""",
        )[0]
        once = {first, second}
        times = 2 if first == second else 1
        assert written == (
            "Bonn" + "1" * times * ("contact" in once),
            "new" + "1" * ("status" in once),
            "53111" + "2" * times * ("customer" in once),
            "fair" + "2" * times * ("lead" in once),
            times * ("appointment" in once),
            1 + ("second lead" in once),
            "red" + "1" * ("field" in once),
        )


@LEVELS
def test_a_long_reader_sees_both_sides_of_one_moment(make_database: Make, level: str) -> None:
    dsn = make_database("parallel")
    with sessions(dsn, "reader", "A") as (reader, a):
        reader(f"begin isolation level {level} read only")
        reader("select 1 from contacts limit 1")
        a(WRITES["contact"])
        a(WRITES["lead"])
        assert_agreement(reader.connection)
        assert (
            reader("select city from contacts where id = %s", ADA)
            == reader("select city from customers where cst_id = %s", ADA)
            == [("Bonn",)]
        )
        reader.commit()


def test_read_only_deferrable_readers_are_not_disturbed(make_database: Make) -> None:
    dsn = make_database("parallel")
    with sessions(dsn, "reader", "A") as (reader, a):
        a("begin isolation level serializable")
        a(WRITES["contact"])
        waiting = reader.start(
            "begin isolation level serializable read only deferrable; select city from customers where cst_id = '"
            + ADA
            + "'; commit"
        )
        a.commit()
        waiting.result()
        assert_in_sync(a.connection)


# --- two-phase commit


def test_a_prepared_transaction_brings_both_sides_or_neither(make_server: Callable[..., EmbeddedServer]) -> None:
    server = make_server(max_prepared_transactions="5")
    dsn = server.dsn()
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute((SQL / "legacy" / "schema.sql").read_text(encoding="utf-8"))
        conn.execute(named("insert into workspaces (id, name) values (:alpha, 'Alpha')"))
        conn.execute(
            named(
                "insert into contacts (id, workspace_id, city, lead_status) values (:ada, :alpha, 'Bonn', 'new'), (:ben, :alpha, null, null)"
            )
        )
    apply_to(dsn, "parallel-operation")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("alter table customers add constraint no_rome check (city <> 'Rom') not valid")
        for end, city in (("rollback", "Bonn"), ("commit", "Bari")):
            conn.execute("begin")
            write(conn, "update contacts set city = 'Bari' where id = :ada")
            write(conn, "update leads set disposition = 'won' where customer_id = :ada")
            write(conn, "update contacts set city = 'Rom' where id = :ben")  # fails on the target, and is queued
            conn.execute("prepare transaction 'both'")
            assert queue(conn) == []
            assert_agreement(conn)
            conn.execute(f"{end} prepared 'both'")
            assert value(conn, "select city from customers where cst_id = :ada") == city
            assert_agreement(conn)
        assert len(queue(conn)) == 1
        conn.execute("alter table customers drop constraint no_rome")
        drain(conn)
        assert_in_sync(conn)


def test_a_prepared_transaction_that_nobody_ends_holds_its_rows_and_no_more(
    make_server: Callable[..., EmbeddedServer],
) -> None:
    """Its row on the other side is locked: a write of it waits as long as the lock timeout, and is queued."""
    server = make_server(max_prepared_transactions="5")
    dsn = server.dsn()
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute((SQL / "legacy" / "schema.sql").read_text(encoding="utf-8"))
        conn.execute(named("insert into workspaces (id, name) values (:alpha, 'Alpha')"))
        conn.execute(
            named("insert into contacts (id, workspace_id, city) values (:ada, :alpha, 'Bonn'), (:ben, :alpha, 'Ulm')")
        )
    apply_to(dsn, "parallel-operation")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("begin")
        write(
            conn, "update customers set address2 = 'c/o' where cst_id = :ada"
        )  # not mapped: the customer's row alone is held
        conn.execute("prepare transaction 'forgotten'")
        write(conn, "update contacts set city = 'Rom'")
        assert [state for *_, state in queue(conn)] == ["55P03"]
        assert value(conn, "select city from customers where cst_id = :ben") == "Rom"
        assert_agreement(conn)
        conn.execute("commit prepared 'forgotten'")
        drain(conn)
        assert_in_sync(conn)
