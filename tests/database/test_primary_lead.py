"""Exactly one primary lead for each customer that has leads, whatever an application does and in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.support.agreement import assert_agreement, assert_in_sync, drain, queue
from tests.support.sessions import sessions
from tests.support.templates import ADA, BEN, CLEO, EMIL, OTHER_WORKSPACE, WORKSPACE

Db = Callable[[str], psycopg.Connection]
Make = Callable[[str], str]

L1, L2, L3 = (f"00000000-0000-0000-0000-0000000000d{n}" for n in (1, 2, 3))
"""Ada's leads: the migrated one, one entered in 2025, and one entered in 2026. Each has an appointment: 1 and 2, 20, 30."""


@pytest.fixture
def conn(db: Db) -> psycopg.Connection:
    return three_leads(db("parallel"))


def three_leads(conn: psycopg.Connection) -> psycopg.Connection:
    conn.execute("update leads set id = %s where customer_id = %s", [L1, ADA])
    conn.execute(
        """
        insert into leads (id, customer_id, workspace_id, disposition, entrydate) values
               (%(l3)s, %(ada)s, %(w)s, 'third', '2026-01-01Z'), (%(l2)s, %(ada)s, %(w)s, 'second', '2025-01-01Z')
        """,
        {"l2": L2, "l3": L3, "ada": ADA, "w": WORKSPACE},
    )
    conn.execute(
        "insert into lead_appointments (id, lead_id, workspace_id) values (20, %s, %s), (30, %s, %s)",
        [L2, WORKSPACE, L3, WORKSPACE],
    )
    return conn


def named(statement: str) -> str:
    for name, value in {":l1": L1, ":l2": L2, ":l3": L3, ":ada": ADA, ":ben": BEN, ":w": WORKSPACE}.items():
        statement = statement.replace(name, f"'{value}'")
    return statement


def primary(conn: psycopg.Connection, customer: str = ADA) -> list[str]:
    rows = conn.execute("select id::text from leads where customer_id = %s and is_primary", [customer]).fetchall()
    return [row[0] for row in rows]


def seen(conn: psycopg.Connection, customer: str = ADA) -> tuple[Any, ...]:
    """What legacy sees: the status, and the ids of the appointments."""
    row = conn.execute(
        "select lead_status, array(select id from appointments where contact_id = c.id order by id) from contacts as c where id = %s",
        [customer],
    ).fetchone()
    assert row is not None
    return row


def assert_all_is_well(conn: psycopg.Connection) -> None:
    assert_in_sync(conn)
    assert conn.execute("select * from crmshift.check_primary_lead()").fetchall() == []
    assert conn.execute("select count(*) from crmshift.primary_lead_wanted").fetchone() == (0,)


# --- an application's statements, in one transaction and each in its own

CHOICES = {
    "demote, then promote": (
        "update leads set is_primary = false where id = :l1",
        "update leads set is_primary = true where id = :l3",
    ),
    "promote, then demote": (
        "update leads set is_primary = true where id = :l3",
        "update leads set is_primary = false where id = :l1",
    ),
    "promote only": ("update leads set is_primary = true where id = :l3",),
    "one statement": ("update leads set is_primary = (id = :l3) where customer_id = :ada",),
    "demote all, then promote": (
        "update leads set is_primary = false where customer_id = :ada",
        "update leads set is_primary = true, stg_id = 4 where id = :l3",
    ),
    "demote, delete, promote": (
        "update leads set is_primary = false where id = :l1",
        "delete from leads where id = :l1",
        "update leads set is_primary = true where id = :l3",
    ),
    "promote one, then another": (
        "update leads set is_primary = true where id = :l2",
        "update leads set is_primary = true where id = :l3",
    ),
    "an upsert by id promotes": (
        """insert into leads (id, customer_id, workspace_id, is_primary) values (:l3, :ada, :w, true)
           on conflict (id) do update set is_primary = true""",
    ),
    "a merge promotes": (
        "merge into leads as l using (values (:l3::uuid)) as s (id) on l.id = s.id when matched then update set is_primary = true",
    ),
}


@pytest.mark.parametrize("how", CHOICES)
@pytest.mark.parametrize("at_once", [True, False], ids=["in one transaction", "in several"])
def test_an_application_chooses_the_primary_lead_in_any_order(
    conn: psycopg.Connection, how: str, at_once: bool
) -> None:
    if at_once:
        with conn.transaction():
            for statement in CHOICES[how]:
                conn.execute(named(statement))
    else:
        for statement in CHOICES[how]:
            conn.execute(named(statement))
            assert_all_is_well(conn)
    assert primary(conn) == [L3]
    assert seen(conn) == ("third", [30])
    assert_all_is_well(conn)


@pytest.mark.parametrize("chosen", [L1, L2, L3])
def test_one_statement_chooses_whatever_the_order_of_the_rows(conn: psycopg.Connection, chosen: str) -> None:
    for lead in (L3, L1, L2, chosen):
        conn.execute("update leads set is_primary = (id = %s) where customer_id = %s", [lead, ADA])
        assert primary(conn) == [lead]
    assert_all_is_well(conn)


def test_a_primary_lead_is_deleted_and_another_inserted_in_one_transaction(conn: psycopg.Connection) -> None:
    with conn.transaction():
        conn.execute(named("delete from leads where id = :l1"))
        conn.execute(
            named("insert into leads (customer_id, workspace_id, disposition, is_primary) values (:ada, :w, 'x', true)")
        )
    assert seen(conn) == ("x", [])
    assert_all_is_well(conn)


@pytest.mark.parametrize(
    "upsert", ["", "on conflict (customer_id) where is_primary do update set disposition = 'updated'"]
)
def test_a_lead_that_is_not_primary_goes_before_one_that_is(conn: psycopg.Connection, upsert: str) -> None:
    """What crmshift chooses stands in nobody's way before the transaction ends."""
    insert = "insert into leads (customer_id, workspace_id, disposition, is_primary) values (:ben, :w, "
    with conn.transaction():
        conn.execute(named(f"{insert} 'first', false)"))
        conn.execute(named(f"{insert} 'second', true) {upsert}"))
    assert seen(conn, BEN) == ("second", [])
    assert_all_is_well(conn)


def test_an_upsert_of_the_primary_lead_updates_it(conn: psycopg.Connection) -> None:
    conn.execute(
        named("""insert into leads (customer_id, workspace_id, disposition, is_primary) values (:ada, :w, 'upserted', true)
                 on conflict (customer_id) where is_primary do update set disposition = excluded.disposition""")
    )
    assert (primary(conn), seen(conn)) == ([L1], ("upserted", [1, 2]))
    assert_all_is_well(conn)


def test_of_several_leads_promoted_by_one_statement_one_stays(conn: psycopg.Connection) -> None:
    conn.execute(named("update leads set is_primary = true where customer_id = :ada"))
    assert primary(conn) in ([L2], [L3])
    assert_all_is_well(conn)


def test_a_second_primary_lead_inserted_is_the_applications_own_error(conn: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation):
        conn.execute(named("insert into leads (customer_id, workspace_id, is_primary) values (:ada, :w, true)"))
    assert primary(conn) == [L1]
    assert_all_is_well(conn)


def test_a_role_with_rights_on_leads_alone_chooses_like_any_other(conn: psycopg.Connection) -> None:
    with conn.transaction(force_rollback=True):
        conn.execute("create role chooser; grant select, insert, update, delete on leads to chooser")
        conn.execute("select set_config('app.workspace_id', %s, true)", [WORKSPACE])
        conn.execute("set role chooser")
        conn.execute(named("insert into leads (customer_id, workspace_id) values (:ben, :w)"))
        conn.execute(named("update leads set is_primary = true where id = :l3"))
        conn.execute(named("delete from leads where id = :l3"))
        conn.execute("set constraints all immediate")
        conn.execute("reset role")
        assert (primary(conn), len(primary(conn, BEN))) == ([L2], 1)
        assert_in_sync(conn)


# --- what legacy sees meanwhile


def test_legacy_is_left_alone_until_one_is_chosen(conn: psycopg.Connection) -> None:
    """Demoting all and promoting the one that was: no contact is written, no appointment deleted and made again."""
    conn.execute("create table written (what text)")
    conn.execute(
        """
        create function note() returns trigger language plpgsql as $$
        begin insert into written values (tg_op || ' ' || tg_table_name); return null; end $$
        """
    )
    for table in ("contacts", "appointments"):
        conn.execute(
            f"create trigger note after insert or update or delete on {table} for each row execute function note()"
        )
    with conn.transaction():
        conn.execute(named("update leads set is_primary = false where customer_id = :ada"))
        assert seen(conn) == ("new", [1, 2])
        conn.execute(named("update leads set is_primary = true where id = :l1"))
    assert conn.execute("select what from written").fetchall() == []
    with conn.transaction():
        conn.execute(named("delete from leads where id = :l1"))
        assert seen(conn) == ("new", [])
    assert seen(conn) == ("second", [20])
    assert_all_is_well(conn)


def test_a_contact_that_touches_itself_makes_no_lead_meanwhile(conn: psycopg.Connection) -> None:
    """Many a legacy table has a trigger that keeps its clock."""
    conn.execute(
        """
        create function touch() returns trigger language plpgsql as $$ begin new.updated_at := clock_timestamp(); return new; end $$;
        create trigger touch before update on contacts for each row execute function touch()
        """
    )
    for how in CHOICES:
        with conn.transaction(force_rollback=True):
            for statement in CHOICES[how]:
                conn.execute(named(statement))
            conn.execute("set constraints all immediate")
            assert primary(conn) == [L3], how
            assert conn.execute(named("select count(*) from leads where id not in (:l1, :l2, :l3)")).fetchone() == (3,)
            assert_in_sync(conn)


def test_the_customer_may_change_meanwhile(conn: psycopg.Connection) -> None:
    with conn.transaction():
        conn.execute(named("update leads set is_primary = false where id = :l1"))
        conn.execute(named("update customers set city = 'Rom', lastchanged = '2030-01-01Z' where cst_id = :ada"))
        assert conn.execute(named("select city, lead_status from contacts where id = :ada")).fetchone() == (
            "Rom",
            "new",
        )
    assert seen(conn) == ("second", [20])
    assert_all_is_well(conn)


@pytest.mark.parametrize(
    "write",
    [
        "update contacts set city = 'Rom' where id = :ada",
        "update contacts set lead_status = 'from legacy' where id = :ada",
        "insert into appointments (contact_id, status) values (:ada, 'from legacy')",
        "update appointments set status = 'from legacy' where contact_id = :ada",
        "delete from appointments where id = 1",
    ],
)
@pytest.mark.parametrize(
    "before", ["delete from leads where id = :l1", "update leads set is_primary = false where id = :l1"]
)
def test_what_legacy_writes_meanwhile_makes_no_lead_and_is_not_lost(
    conn: psycopg.Connection, before: str, write: str
) -> None:
    """There is no lead to write to, until one is elected: then both are merged."""
    with conn.transaction():
        conn.execute(named(before))
        conn.execute(named(write))
    assert primary(conn) == [L2]
    assert_agreement(conn)
    assert queue(conn) == []
    assert_all_is_well(conn)
    assert conn.execute(
        named("select count(*) from leads where customer_id = :ada and id not in (:l1, :l2, :l3)")
    ).fetchone() == (0,)
    if "city" in write:
        assert conn.execute(named("select city from customers where cst_id = :ada")).fetchone() == ("Rom",)
    elif "from legacy" in write and not (write.startswith("update appointments") and before.startswith("delete")):
        found = conn.execute(
            """
            select exists (select from contacts where lead_status = 'from legacy') or exists (select from lead_appointments where status = 'from legacy')
                or exists (select from crmshift.conflict_log as c where c::text like '%from legacy%')
            """
        )
        assert found.fetchone() == (True,)


# --- which one


def test_the_lead_just_demoted_is_elected_only_where_there_is_no_other(conn: psycopg.Connection) -> None:
    conn.execute(named("update leads set is_primary = false where id = :l1"))
    assert primary(conn) == [L2], "the oldest but the one that was demoted"
    conn.execute("update leads set is_primary = false where customer_id = %s", [CLEO])
    assert len(primary(conn, CLEO)) == 1
    assert_all_is_well(conn)


@pytest.mark.parametrize(("choose", "expected"), [("oldest", [L2]), ("newest", [L3])])
def test_the_rule_says_whether_the_oldest_or_the_newest(
    conn: psycopg.Connection, choose: str, expected: list[str]
) -> None:
    conn.execute("update crmshift.primary_lead_rule set choose = %s", [choose])
    conn.execute(named("delete from leads where id = :l1"))
    assert primary(conn) == expected
    assert_all_is_well(conn)


@pytest.mark.parametrize("choose", ["oldest", "newest"])
def test_a_lead_without_a_date_comes_last_and_of_equal_ones_the_lesser_id_first(
    conn: psycopg.Connection, choose: str
) -> None:
    conn.execute("update crmshift.primary_lead_rule set choose = %s", [choose])
    conn.execute(named("update leads set entrydate = '2025-05-05Z' where customer_id = :ada"))
    conn.execute(named("update leads set entrydate = null where id = :l2"))
    conn.execute(named("delete from leads where id = :l1"))
    assert primary(conn) == [L3]
    conn.execute(
        "insert into leads (customer_id, workspace_id, entrydate) select %s, %s, '2025-01-01Z' from generate_series(1, 5)",
        [BEN, WORKSPACE],
    )
    least = conn.execute("select min(id::text) from leads where customer_id = %s", [BEN]).fetchone()
    assert least == tuple(primary(conn, BEN))
    assert_all_is_well(conn)


def test_open_leads_go_before_closed_ones(conn: psycopg.Connection) -> None:
    conn.execute("update crmshift.primary_lead_rule set closed = '{second,lost}'")
    conn.execute(named("delete from leads where id = :l1"))
    assert seen(conn) == ("third", [30])
    conn.execute(named("delete from leads where id = :l3"))
    assert seen(conn) == ("second", [20]), "where all are closed, a closed one"
    assert_all_is_well(conn)


def test_a_primary_lead_that_is_closed_makes_way_for_an_open_one(conn: psycopg.Connection) -> None:
    conn.execute("update crmshift.primary_lead_rule set closed = '{won,lost}', choose = 'newest'")
    conn.execute(named("update leads set disposition = 'won' where id = :l1"))
    assert seen(conn) == ("third", [30])
    conn.execute(named("update leads set disposition = null where id = :l2"))
    conn.execute(named("update leads set disposition = 'lost' where id = :l3"))
    assert seen(conn) == (None, [20]), "a lead without a disposition is open"
    conn.execute(named("update leads set disposition = 'lost' where id = :l2"))
    assert seen(conn) == ("lost", [20]), "and stays where no other is"
    assert_all_is_well(conn)


def test_a_status_that_legacy_writes_stays_where_it_is(conn: psycopg.Connection) -> None:
    conn.execute("update crmshift.primary_lead_rule set closed = '{won,lost}'")
    conn.execute(named("update contacts set lead_status = 'won' where id = :ada"))
    assert (primary(conn), seen(conn)) == ([L1], ("won", [1, 2]))
    conn.execute(named("update leads set stg_id = 4 where customer_id = :ada"))
    assert primary(conn) == [L1]
    assert_all_is_well(conn)


def test_what_is_closed_and_opened_again_or_chosen_stays(conn: psycopg.Connection) -> None:
    conn.execute("update crmshift.primary_lead_rule set closed = '{won,lost}'")
    with conn.transaction():
        conn.execute(named("update leads set disposition = 'won' where id = :l1"))
        conn.execute(named("update leads set disposition = 'new' where id = :l1"))
    assert primary(conn) == [L1]
    conn.execute(named("update leads set disposition = 'won' where id = :l2"))
    conn.execute("select crmshift.set_primary_lead(%s)", [L2])
    assert seen(conn) == ("won", [20])
    assert_all_is_well(conn)


def test_no_disposition_closes_a_lead_unless_it_is_named(conn: psycopg.Connection) -> None:
    conn.execute(named("update leads set disposition = 'lost' where id = :l1"))
    assert seen(conn) == ("lost", [1, 2])
    conn.execute("update crmshift.primary_lead_rule set closed = '{lost}'")
    conn.execute("update crmshift.primary_lead_rule set closed = '{}'")
    conn.execute(named("update leads set disposition = 'new' where id = :l1"))
    conn.execute(named("update leads set disposition = 'lost' where id = :l1"))
    assert primary(conn) == [L1]
    assert_all_is_well(conn)


@pytest.mark.parametrize(
    "change",
    ["update {} set choose = 'best'", "update {} set closed = '{{won,null}}'", "insert into {} default values"],
)
def test_a_rule_that_says_nothing_is_refused(conn: psycopg.Connection, change: str) -> None:
    with pytest.raises(psycopg.IntegrityError):
        conn.execute(change.format("crmshift.primary_lead_rule"))


# --- many at once, and in between


def test_thousands_of_elections_are_one(conn: psycopg.Connection) -> None:
    conn.execute(
        "insert into customers (workspace_id, city) select %s, 'Nizza' from generate_series(1, 2000)", [WORKSPACE]
    )
    conn.execute(
        """
        insert into leads (customer_id, workspace_id, disposition, entrydate)
        select cst_id, workspace_id, n, make_date(2000 + n, 1, 1) from customers, generate_series(1, 2) as n where city = 'Nizza'
        """
    )
    of_nizza = "select count(*) from contacts where city = 'Nizza' and lead_status = %s"
    assert conn.execute(of_nizza, ["1"]).fetchone() == (2000,)
    conn.execute("update leads set is_primary = false where is_primary and disposition = '1'")
    assert conn.execute(of_nizza, ["2"]).fetchone() == (2000,)
    conn.execute("delete from leads where is_primary and disposition = '2'")
    assert conn.execute(of_nizza, ["1"]).fetchone() == (2000,)
    assert_all_is_well(conn)


def test_a_savepoint_that_is_rolled_back_leaves_nothing_to_elect(conn: psycopg.Connection) -> None:
    with conn.transaction():
        with conn.transaction(force_rollback=True):
            conn.execute(named("update leads set is_primary = true where id = :l3"))
            conn.execute(named("delete from leads where id = :l3"))
        assert primary(conn) == [L1]
        conn.execute(named("update leads set is_primary = true where id = :l2"))
    assert primary(conn) == [L2]
    assert_all_is_well(conn)


def test_leads_that_pass_to_another_customer_leave_and_find_one_primary_lead(conn: psycopg.Connection) -> None:
    conn.execute(named("update leads set customer_id = :ben where id = :l2"))
    assert (primary(conn), primary(conn, BEN)) == ([L1], [L2])
    conn.execute(named("update leads set customer_id = :ben, is_primary = false where id = :l1"))
    assert (primary(conn), primary(conn, BEN)) == ([L3], [L2])
    assert (seen(conn), seen(conn, BEN)) == (("third", [30]), ("second", [20]))
    assert_all_is_well(conn)


def test_a_customer_that_is_deleted_takes_its_contact_along(conn: psycopg.Connection) -> None:
    with conn.transaction():
        for lead in (L1, L2, L3):
            conn.execute("delete from leads where id = %s", [lead])
        conn.execute("delete from customers where cst_id = %s", [ADA])
    for table, column in (("contacts", "id"), ("appointments", "contact_id"), ("contact_custom_fields", "contact_id")):
        assert conn.execute(f"select count(*) from {table} where {column} = %s", [ADA]).fetchone() == (0,)
    assert_all_is_well(conn)


@pytest.mark.parametrize("prepare", ["", "update leads set is_primary = false where customer_id = :ada"])
def test_a_contact_that_is_deleted_elects_nobody(conn: psycopg.Connection, prepare: str) -> None:
    """Its second leads are archived, also where none was primary at that moment."""
    with conn.transaction():
        if prepare:
            conn.execute(named(prepare))
        conn.execute(named("delete from contacts where id = :ada"))
    assert conn.execute(named("select count(*) from customers where cst_id = :ada")).fetchone() == (0,)
    archived = conn.execute("select key ->> 'id' from crmshift.archive where table_name = 'public.leads' order by 1")
    assert archived.fetchall() == [(lead,) for lead in ((L1, L2, L3) if prepare else (L2, L3))]
    assert_all_is_well(conn)


# --- when an election fails


def test_an_election_that_fails_fails_no_commit_and_a_drain_makes_up_for_it(conn: psycopg.Connection) -> None:
    conn.execute(
        f"""
        create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not {L2}'; end $$;
        create trigger refuse before update on leads for each row when (new.is_primary and new.id = '{L2}') execute function refuse()
        """
    )
    with conn.transaction():
        conn.execute(named("insert into leads (customer_id, workspace_id, disposition) values (:ben, :w, 'first')"))
        conn.execute(named("delete from leads where id = :l1"))
    assert primary(conn) == []
    assert seen(conn, BEN) == ("first", []), "of two elections the one that can be is made"
    assert [row[2:] for row in queue(conn)] == [("failed", "P0001")]
    assert_agreement(conn)
    drain(conn)
    assert len(queue(conn)) == 1
    conn.execute("drop trigger refuse on leads")
    drain(conn)
    assert seen(conn) == ("second", [20])
    assert_all_is_well(conn)


def test_what_legacy_cannot_take_undoes_no_election(conn: psycopg.Connection) -> None:
    conn.execute("alter table contacts add constraint no_second check (lead_status <> 'second') not valid")
    conn.execute(named("delete from leads where id = :l1"))
    assert primary(conn) == [L2]
    assert seen(conn) == ("new", [20]), "the appointments are taken, the contact is not"
    assert {row[3] for row in queue(conn)} == {"23514"}
    conn.execute("alter table contacts drop constraint no_second")
    drain(conn)
    assert seen(conn) == ("second", [20])
    assert_all_is_well(conn)


CHOICES_BY_FUNCTION = {
    "set_primary_lead": ("select crmshift.set_primary_lead(:l3)",),
    "insert anew": (
        "delete from leads where id in (:l1, :l3)",
        "insert into leads (id, customer_id, workspace_id, disposition, is_primary) values (:l3, :ada, :w, 'third', true)",
    ),
    "create_lead": (
        "delete from leads where id = :l3",
        """select crmshift.create_lead(:ada, jsonb_build_object('id', :l3, 'disposition', 'third'), true)""",
    ),
}


@pytest.mark.parametrize("side", ["legacy", "target"])
@pytest.mark.parametrize("how", [*CHOICES, *CHOICES_BY_FUNCTION])
def test_the_choice_is_the_applications_while_the_contact_waits_in_the_queue(
    conn: psycopg.Connection, how: str, side: str
) -> None:
    conn.execute("alter table contacts add constraint no_rome check (city <> 'Rom') not valid")
    conn.execute("alter table customers add constraint no_bari check (city <> 'Bari') not valid")
    if side == "target":
        conn.execute(named("update customers set city = 'Rom' where cst_id = :ada"))
    else:
        conn.execute(named("update contacts set city = 'Bari' where id = :ada"))
    assert len(queue(conn)) == 1
    with conn.transaction():
        for statement in (CHOICES | CHOICES_BY_FUNCTION)[how]:
            conn.execute(named(statement))
    assert primary(conn) == [L3]
    assert_agreement(conn)
    conn.execute("alter table contacts drop constraint no_rome")
    conn.execute("alter table customers drop constraint no_bari")
    drain(conn)
    assert (primary(conn), seen(conn)[0]) == ([L3], "third")
    city = conn.execute(named("select city from contacts where id = :ada")).fetchone()
    assert city == ("Rom" if side == "target" else "Bari",)
    assert_all_is_well(conn)


def test_where_errors_of_the_sync_are_to_be_raised_an_election_that_fails_fails_the_commit(
    conn: psycopg.Connection,
) -> None:
    conn.execute("select crmshift.set_on_error('customer', 'raise')")
    conn.execute(
        "alter table leads add constraint only_the_first check (not is_primary or disposition = 'new') not valid"
    )
    with pytest.raises(psycopg.errors.CheckViolation):
        conn.execute(named("delete from leads where id = :l1"))
    assert (primary(conn), seen(conn)) == ([L1], ("new", [1, 2]))
    assert_all_is_well(conn)


def test_while_the_sync_is_paused_leads_are_elected_and_legacy_follows_later(conn: psycopg.Connection) -> None:
    conn.execute("call crmshift.pause('tests')")
    conn.execute(named("delete from leads where id = :l1"))
    conn.execute(named("insert into leads (customer_id, workspace_id, disposition) values (:ben, :w, 'first')"))
    assert (primary(conn), len(primary(conn, BEN))) == ([L2], 1)
    assert (seen(conn), seen(conn, BEN)) == (("new", [1, 2]), (None, []))
    assert_agreement(conn)
    conn.execute("select crmshift.resume()")
    drain(conn)
    assert (seen(conn), seen(conn, BEN)) == (("second", [20]), ("first", []))
    assert_all_is_well(conn)


def test_an_election_waits_for_a_lock_no_longer_than_a_sync(make_database: Make) -> None:
    dsn = make_database("parallel")
    with sessions(dsn, "holder", "application") as (holder, application):
        conn = three_leads(application.connection)
        holder("begin")
        holder("select from contacts where id = %s for update", ADA)
        application("delete from leads where id = %s", L1)
        assert {row[3] for row in queue(conn)} == {"55P03"}
        holder.rollback()
        assert_agreement(conn)
        drain(conn)
        assert seen(conn) == ("second", [20])
        assert_all_is_well(conn)


def test_leads_without_a_primary_one_that_no_trigger_saw_are_found_and_elected_by_hand(
    conn: psycopg.Connection,
) -> None:
    with conn.transaction():
        conn.execute("set local session_replication_role = replica")
        conn.execute(named("update leads set is_primary = false where customer_id = :ada"))
    assert conn.execute("select key ->> 'customer_id', detail from crmshift.check_primary_lead()").fetchall() == [
        (ADA, "3 leads, 0 of them primary")
    ]
    conn.execute(
        "select crmshift.elect_primary_lead(array(select (key ->> 'customer_id')::uuid from crmshift.check_primary_lead()))"
    )
    assert primary(conn) == [L1]
    assert_all_is_well(conn)


def test_another_workspace_is_not_touched(conn: psycopg.Connection) -> None:
    before = conn.execute("select l::text from leads as l where workspace_id = %s", [OTHER_WORKSPACE]).fetchall()
    assert len(primary(conn, EMIL)) == 1
    for how in CHOICES.values():
        with conn.transaction(force_rollback=True):
            for statement in how:
                conn.execute(named(statement))
            conn.execute("set constraints all immediate")
            after = conn.execute("select l::text from leads as l where workspace_id = %s", [OTHER_WORKSPACE]).fetchall()
            assert after == before
