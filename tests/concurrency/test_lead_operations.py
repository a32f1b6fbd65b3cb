"""Functions for writing leads, against legacy's writers and each other: nobody deadlocks, nobody fails."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.concurrency.test_interleavings import wait_long
from tests.support.agreement import assert_agreement, assert_in_sync, drain
from tests.support.sessions import sessions
from tests.support.templates import ADA, BEN, CLEO, FIELD, WORKSPACE

Make = Callable[[str], str]

L1, L2, L3 = (f"00000000-0000-0000-0000-0000000000d{n}" for n in (1, 2, 3))


@pytest.fixture
def dsn(make_database: Make) -> str:
    """Ada has three leads of known ids, the first one primary."""
    dsn = make_database("parallel")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("update leads set id = %s where customer_id = %s", [L1, ADA])
        conn.execute(
            "insert into leads (id, customer_id, workspace_id, disposition) values (%s, %s, %s, 'second'), (%s, %s, %s, 'third')",
            [L2, ADA, WORKSPACE, L3, ADA, WORKSPACE],
        )
    return dsn


def assert_all_is_well(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        assert_agreement(conn)
        drain(conn)
        assert_in_sync(conn)
        assert conn.execute("select * from crmshift.check_primary_lead()").fetchall() == []


# What legacy writes first, what it writes next (wanting what the function holds, or might), and the function.
CROSSINGS = {
    "the contact, then its appointment": (
        f"update contacts set city = 'Rom' where id = '{ADA}'",
        "update appointments set status = 'moved' where id = 1",
        f"select crmshift.set_appointment('{L1}', '{{\"status\": \"set\"}}', 1)",
    ),
    "an appointment, then its contact": (
        "update appointments set status = 'moved' where id = 1",
        f"update contacts set city = 'Rom' where id = '{ADA}'",
        f"select crmshift.set_appointment('{L1}', '{{\"status\": \"set\"}}', 1)",
    ),
    "a new appointment, then its contact": (
        f"insert into appointments (contact_id, status) values ('{ADA}', 'new')",
        f"update contacts set city = 'Rom' where id = '{ADA}'",
        f"select crmshift.delete_lead('{L1}')",
    ),
    "a deleted appointment, then its contact": (
        "delete from appointments where id = 1",
        f"update contacts set lead_status = 'x' where id = '{ADA}'",
        f"select crmshift.delete_lead('{L1}')",
    ),
    "a new field, then its contact": (
        f"insert into contact_custom_fields (contact_id, field_id, value) values ('{BEN}', '{FIELD}', 'legacy') "
        "on conflict (contact_id, field_id) do update set value = excluded.value",
        f"update contacts set city = 'Rom' where id = '{BEN}'",
        f"select crmshift.set_customer_field('{BEN}', '{FIELD}', 'function')",
    ),
    "a field, then its contact": (
        f"update contact_custom_fields set value = 'legacy' where contact_id = '{ADA}'",
        f"update contacts set city = 'Rom' where id = '{ADA}'",
        f"select crmshift.set_customer_field('{ADA}', '{FIELD}', 'function')",
    ),
    "a lead written directly, then its customer": (
        f"update leads set disposition = 'x' where id = '{L1}'",
        f"update customers set city = 'Rom' where cst_id = '{ADA}'",
        f"select crmshift.set_primary_lead('{L2}')",
    ),
    "a field of a lead written directly, then the lead": (
        f"insert into lead_custom_fields (lead_id, field_id, workspace_id) values ('{L2}', '{FIELD}', '{WORKSPACE}')",
        f"update leads set disposition = 'x' where id = '{L2}'",
        f"select crmshift.delete_lead('{L2}')",
    ),
}


@pytest.mark.parametrize("what", CROSSINGS)
def test_a_function_waits_for_a_transaction_and_is_not_waited_for(dsn: str, what: str) -> None:
    first, second, function = CROSSINGS[what]
    with sessions(dsn, "writer", "function") as (writer, caller):
        writer("begin")
        writer(first)
        waiting = caller.start(function)
        assert waiting.blocked()
        writer(second)
        assert not waiting.done()
        writer.commit()
        waiting.result()
    assert_all_is_well(dsn)


@pytest.mark.parametrize(
    "what", [what for what in CROSSINGS if "directly, then the lead" not in what]
)  # it is gone by then
def test_a_transaction_waits_for_a_function_and_is_not_waited_for(dsn: str, what: str) -> None:
    first, second, function = CROSSINGS[what]
    with sessions(dsn, "writer", "function") as (writer, caller):
        caller("begin")
        caller(function)
        writer("begin")
        waiting = writer.start(first)
        waiting.blocked(timeout=0.3)  # some wait for the function, others only their sync, which gives up
        caller("select crmshift.lock_customer(%s)", BEN if BEN in function else ADA)  # once more: it holds all it needs
        if not waiting.done():
            caller.commit()
            waiting.result()
            writer(second)
        else:
            then = writer.start(second)
            then.blocked(timeout=0.3)
            caller.commit()
            then.result()
        writer.commit()
    assert_all_is_well(dsn)


def test_a_function_waits_for_what_a_sync_is_about_to_insert(dsn: str) -> None:
    """Legacy's field was queued, say; the next write on it makes the customer's, which nobody can see yet and nobody lock."""
    with sessions(dsn, "writer", "function") as (writer, caller):
        writer("set session_replication_role = replica")
        writer("insert into contact_custom_fields (contact_id, field_id, value) values (%s, %s, 'x')", CLEO, FIELD)
        writer("set session_replication_role = origin")
        writer("begin")
        writer("update contact_custom_fields set value = 'legacy' where contact_id = %s", CLEO)
        waiting = caller.start("select crmshift.set_customer_field(%s, %s, 'function')", CLEO, FIELD)
        assert waiting.blocked()
        writer("update contacts set city = 'Rom' where id = %s", CLEO)
        writer.commit()
        waiting.result()
        assert caller("select value from contact_custom_fields where contact_id = %s", CLEO) == [("function",)]
    assert_all_is_well(dsn)


def test_a_function_gives_up_when_the_applications_own_lock_timeout_is_over(dsn: str) -> None:
    with sessions(dsn, "writer", "function") as (writer, caller):
        writer("begin")
        writer("update appointments set status = 'x' where id = 1")
        caller("set lock_timeout = '200ms'")
        began = time.monotonic()
        with pytest.raises(psycopg.errors.LockNotAvailable):
            caller("select crmshift.lock_customer(%s)", ADA)
        assert 0.15 < time.monotonic() - began < 2
        assert caller("show lock_timeout") == [("200ms",)]
        writer.rollback()


def test_two_customers_locked_in_opposite_order_are_left_to_the_deadlock_detector(dsn: str) -> None:
    """Who holds one customer and wants another does not try for ever: the order of ids is the application's to keep."""
    with sessions(dsn, "A", "B") as (a, b):
        for session, customer in ((a, ADA), (b, CLEO)):
            session("begin")
            session("select crmshift.lock_customer(%s)", customer)
        steps = [a.start("select crmshift.lock_customer(%s)", CLEO), b.start("select crmshift.lock_customer(%s)", ADA)]
        ended = []
        for step in steps:
            try:
                step.result()
                ended.append("locked")
            except psycopg.errors.DeadlockDetected:
                ended.append("deadlock")
                (a if step is steps[0] else b).rollback()
        assert sorted(ended) == ["deadlock", "locked"]


# --- which lead is primary, chosen at once in two places


@pytest.mark.parametrize(
    "promote",
    ["select crmshift.set_primary_lead(%s)", "update leads set is_primary = true where id = %s"],
    ids=["by function", "directly"],
)
def test_two_leads_promoted_at_once_are_promoted_one_after_the_other(dsn: str, promote: str) -> None:
    with sessions(dsn, "A", "B") as (a, b):
        a("begin")
        a(promote, L2)
        second = b.start(promote, L3)
        assert second.blocked()
        a.commit()
        second.result()
        assert a("select id::text from leads where customer_id = %s and is_primary", ADA) == [(L3,)]
    assert_all_is_well(dsn)


@pytest.mark.parametrize("patient", [True, False], ids=["the sync waits", "the sync gives up"])
@pytest.mark.parametrize("deleted_first", [True, False])
def test_the_only_lead_is_deleted_while_another_is_inserted(
    make_database: Make, patient: bool, deleted_first: bool
) -> None:
    dsn = make_database("parallel")
    with sessions(dsn, "A", "B") as (a, b):
        if patient:
            wait_long(a.connection)
        delete = "delete from leads where customer_id = %s", CLEO
        insert = "insert into leads (customer_id, workspace_id, disposition) values (%s, %s, 'other')", CLEO, WORKSPACE
        one, other = (delete, insert) if deleted_first else (insert, delete)
        a("begin")
        a(*one)
        waiting = b.start(*other)
        assert waiting.blocked() or not patient
        if not patient:
            waiting.result()
        a.commit()
        waiting.result()
        assert_agreement(a.connection)
        drain(a.connection)
        assert a("select disposition, is_primary from leads where customer_id = %s", CLEO) == [("other", True)]
        assert a("select lead_status from contacts where id = %s", CLEO) == [("other",)]
    assert_all_is_well(dsn)


# --- all at once

TRANSACTIONS = 25  # of each of four sessions: a few seconds, most of them spent waiting for each other


def test_legacys_writers_and_the_functions_at_full_speed(dsn: str) -> None:
    """Transactions of several statements, each about one customer; legacy's keep their own order, the one worst for us.

    Legacy's writers do not meet each other: what their syncs lock besides could make them deadlock, which is not at issue here.
    """
    people = [ADA, BEN, CLEO]
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(
            "insert into appointments (contact_id, status) select c, 'x' from unnest(%s::uuid[]) as c, generate_series(1, 2)",
            [people],
        )

    def legacy(conn: psycopg.Connection, dice: random.Random, person: str) -> None:
        value = str(dice.random())
        choices = [
            (
                "update appointments set status = %s where id = (select min(id) from appointments where contact_id = %s)",
                [value, person],
            ),
            ("insert into appointments (status, contact_id) values (%s, %s)", [value, person]),
            (
                "delete from appointments where status <> %s and id = (select max(id) from appointments where contact_id = %s)",
                [value, person],
            ),
            (
                """insert into contact_custom_fields (value, contact_id, field_id) values (%s, %s, %s)
                   on conflict (contact_id, field_id) do update set value = excluded.value""",
                [value, person, FIELD],
            ),
            ("update contacts set city = %s where id = %s", [value, person]),
            ("update contacts set lead_status = %s where id = %s", [value, person]),
        ]
        for number in sorted(dice.sample(range(len(choices)), 3)):
            conn.execute(*choices[number])

    def target(conn: psycopg.Connection, dice: random.Random, person: str) -> None:
        conn.execute("select crmshift.lock_customer(%s)", [person])
        leads = [row[0] for row in conn.execute("select id from leads where customer_id = %s order by id", [person])]
        value = f'"{dice.random()}"'
        for _ in range(3):
            number = dice.randrange(7)
            if number == 0 or not leads:
                row = conn.execute(
                    "select crmshift.create_lead(%s, %s, %s)", [person, f'{{"source": {value}}}', dice.random() < 0.5]
                )
                leads.append(row.fetchone()[0])  # type: ignore[index]
            elif number == 1 and len(leads) > 1:
                conn.execute("select crmshift.delete_lead(%s)", [leads.pop(dice.randrange(len(leads)))])
            elif number == 2:
                conn.execute("select crmshift.set_primary_lead(%s)", [dice.choice(leads)])
            elif number == 3:
                conn.execute("select crmshift.change_lead(%s, %s)", [dice.choice(leads), f'{{"disposition": {value}}}'])
            elif number == 4:
                conn.execute("select crmshift.change_customer(%s, %s)", [person, f'{{"zip": {value}}}'])
            elif number == 5:
                conn.execute("select crmshift.set_appointment(%s, %s)", [dice.choice(leads), f'{{"status": {value}}}'])
            else:
                conn.execute("select crmshift.set_customer_field(%s, %s, %s)", [person, FIELD, value])

    def work(seed: int) -> None:
        dice = random.Random(seed)
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("set statement_timeout = '30s'")  # whoever waits that long is forgotten
            for _ in range(TRANSACTIONS):
                with conn.transaction():
                    if seed % 2:
                        legacy(conn, dice, dice.choice(people[:1] if seed == 1 else people[1:]))
                    else:
                        target(conn, dice, dice.choice(people))

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(work, seed) for seed in range(4)]:
            future.result()
    assert_all_is_well(dsn)
    with psycopg.connect(dsn, autocommit=True) as conn:
        assert conn.execute("select deadlocks from pg_stat_database where datname = current_database()").fetchone() == (
            0,
        )
