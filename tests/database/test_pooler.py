"""Behind PgBouncer in transaction mode: a session serves one client's transaction after another's, and nothing of one shows in the next."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.support.agreement import assert_agreement, assert_in_sync, drain, queue
from tests.support.pooler import PROGRAM, pooler
from tests.support.templates import OTHER_WORKSPACE, WORKSPACE
from tests.support.writing import rows, value, write

pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed"),
    pytest.mark.shows("trap direction by session"),
]

CLIENTS, POOL = 6, 2


@pytest.fixture
def pooled(make_database: Callable[[str], str]) -> Iterator[tuple[str, psycopg.Connection]]:
    """The way through the pool, and a connection past it."""
    dsn = make_database("parallel")
    with pooler(dsn, POOL) as through, psycopg.connect(dsn, autocommit=True) as conn:
        yield through, conn


def client(dsn: str) -> psycopg.Connection:
    # As applications behind such a pool must: no prepared statements of the session.
    return psycopg.connect(dsn, autocommit=True, prepare_threshold=None)


def test_clients_by_turns_share_sessions_and_are_followed(pooled: tuple[str, psycopg.Connection]) -> None:
    """Six clients, two sessions, transactions one after another: each comes to whichever is free."""
    through, conn = pooled
    clients = [client(through) for _ in range(CLIENTS)]
    used = set()
    for i in range(5 * CLIENTS):
        c = clients[i % CLIENTS]
        with c.transaction():
            used.add(value(c, "select pg_backend_pid()"))
            if i % 2:
                write(c, f"update contacts set city = 'city {i}', lead_status = 'status {i}' where id = :ada")
                assert value(c, "select city from customers where cst_id = :ada") == f"city {i}"
            else:
                write(c, f"update customers set zip = 'zip {i}' where cst_id = :ada")
                write(c, f"update leads set source = 'source {i}' where customer_id = :ada")
                assert rows(c, "select zip, lead_source from contacts where id = :ada") == [(f"zip {i}", f"source {i}")]
    for c in clients:
        c.close()
    assert len(used) <= POOL
    assert_in_sync(conn)


def test_open_transactions_hold_their_sessions_and_the_others_wait_their_turn(
    pooled: tuple[str, psycopg.Connection],
) -> None:
    through, conn = pooled
    with client(through) as a, client(through) as b, client(through) as c:
        a.execute("begin")
        write(a, "update contacts set city = 'from a' where id = :ada")
        b.execute("begin")
        write(b, "update leads set disposition = 'from b' where customer_id = :cleo")
        waiting = threading.Thread(target=write, args=[c, "update customers set city = 'from c' where cst_id = :ben"])
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive(), "both sessions are taken"
        a.execute("rollback")
        waiting.join(10)
        b.execute("commit")
    assert rows(conn, "select city from contacts where id in (:ada, :ben) order by id") == [("Bonn",), ("from c",)]
    assert value(conn, "select lead_status from contacts where id = :cleo") == "from b"
    assert_in_sync(conn)


def test_a_transaction_that_failed_in_the_middle_of_a_sync_leaves_nothing_to_the_next_client(
    pooled: tuple[str, psycopg.Connection],
) -> None:
    """Cancelled inside, rolled back, and failed: the settings that guard the sync are gone with it, though the session lives on."""
    through, conn = pooled
    conn.execute(
        """create function slow() returns trigger language plpgsql as $$ begin if new.city = 'slow' then perform pg_sleep(60); end if; return new; end $$;
           create trigger slow before update on customers for each row execute function slow();
           alter table customers add constraint no_rome check (city <> 'Rom') not valid"""
    )
    with client(through) as a:
        for _ in range(2 * POOL):
            with pytest.raises(psycopg.errors.QueryCanceled), a.transaction():
                a.execute("set local statement_timeout = '100ms'")
                write(a, "update contacts set city = 'slow' where id = :ada")
            with pytest.raises(psycopg.errors.DivisionByZero), a.transaction():
                write(a, "update contacts set city = 'Bari' where id = :ada")
                a.execute("select 1/0")
            write(a, "update contacts set city = 'Rom' where id = :cleo")
    with client(through) as b:
        for i in range(2 * POOL):
            write(b, f"update contacts set city = 'city {i}' where id = :ben")
            assert value(b, "select city from customers where cst_id = :ben") == f"city {i}"
            assert value(b, "select crmshift.is_syncing()") is False
    assert {state for *_, state in queue(conn)} == {"23514"}
    assert_agreement(conn)
    conn.execute("alter table customers drop constraint no_rome")
    drain(conn)
    assert_in_sync(conn)


def test_a_setting_that_one_client_leaves_behind_in_the_session_turns_no_direction(
    pooled: tuple[str, psycopg.Connection],
) -> None:
    """In this mode the pool resets nothing: a search_path or a lock timeout stays for whoever comes next."""
    through, conn = pooled
    conn.execute('create schema "Other"')
    with client(through) as careless, client(through) as other:
        for setting in (
            'search_path to "Other", public',
            "lock_timeout to '3s'",
            "timezone to 'Asia/Tokyo'",
            "plan_cache_mode to force_custom_plan",
        ):
            for _ in range(POOL):
                careless.execute(f"set {setting}")
            write(other, "update public.contacts set city = coalesce(city, '') || '+' where id = :ada")
            write(other, "update public.customers set zip = coalesce(zip, '') || '+' where cst_id = :ada")
    assert rows(conn, "select city, zip from contacts where id = :ada") == [("Bonn++++", "53111++++")]
    assert rows(conn, "select city, zip from customers where cst_id = :ada") == [("Bonn++++", "53111++++")]
    assert_in_sync(conn)


def test_the_workspace_of_one_transaction_does_not_show_in_the_next(pooled: tuple[str, psycopg.Connection]) -> None:
    """SET LOCAL, as row-level security behind a pool needs it; afterwards the setting is '' in that session, and no error."""
    through, conn = pooled
    role = f"pooled_{conn.info.backend_pid}"
    conn.execute(f"create role {role}; grant select, update on customers to {role}")
    try:
        with client(through) as a, client(through) as b:
            for i in range(2 * POOL):
                for c, workspace, seen in ((a, WORKSPACE, 4), (b, OTHER_WORKSPACE, 1)):
                    with c.transaction():
                        c.execute(f"set local role {role}; select set_config('app.workspace_id', '{workspace}', true)")
                        assert value(c, "select count(*) from customers") == seen
                        write(c, f"update customers set city = 'city {i} of {seen}'")
                with a.transaction():
                    a.execute(f"set local role {role}")
                    assert value(a, "select count(*) from customers") == 0
        assert rows(conn, "select city, count(*) from contacts group by 1 order by 2") == [
            ("city 3 of 1", 1),
            ("city 3 of 4", 4),
        ]
        assert_in_sync(conn)
    finally:
        conn.execute(f"drop owned by {role}; drop role {role}")


def test_six_clients_at_once_through_two_sessions(pooled: tuple[str, psycopg.Connection]) -> None:
    """Each with people of its own and writes on both sides; half of the transactions are rolled back."""
    through, conn = pooled
    failed: list[BaseException] = []

    def work(n: int) -> None:
        chance = random.Random(n)
        person = f"00000000-0000-0000-0000-00000000{n:04d}"
        try:
            with client(through) as c:
                write(c, f"insert into contacts (id, workspace_id, lead_status) values ('{person}', :alpha, 'new')")
                for i in range(20):
                    end = chance.choice(["commit", "rollback"])
                    c.execute("begin")
                    write(c, f"update contacts set city = '{end} {i}' where id = '{person}'")
                    write(c, f"update leads set disposition = '{end} {i}' where customer_id = '{person}'")
                    write(c, f"insert into appointments (contact_id, status) values ('{person}', '{end}')")
                    c.execute(end)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=[n]) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert value(conn, "select count(*) from lead_appointments where status = 'rollback'") == 0
    assert value(conn, "select count(*) from customers where city like 'rollback%'") == 0
    assert value(conn, "select count(*) from contacts where lead_status like 'commit%'") == CLIENTS
    assert_agreement(conn)
    drain(conn)
    assert_in_sync(conn)
