"""What both sides wrote while they could not agree: settled by policy, and never without a record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from crmshift import conflicts
from crmshift.errors import UsageError
from tests.support.agreement import assert_agreement, assert_in_sync, drain, queue
from tests.support.templates import ADA, BEN, CLEO, FIELD, NOBODY, WORKSPACE

Db = Callable[[str], psycopg.Connection]

LEGACY, TARGET = "legacy", "target"


def apart(conn: psycopg.Connection, *writes: str) -> None:
    """These writes, one after another, while the sync is paused; then it goes on."""
    conn.execute("call crmshift.pause()")
    for write in writes:
        conn.execute(write.replace(":ada", f"'{ADA}'").replace(":ben", f"'{BEN}'").replace(":cleo", f"'{CLEO}'"))
    assert_agreement(conn)
    conn.execute("select crmshift.resume()")


def policy(
    conn: psycopg.Connection, name: str, *columns: str, conflict: str = "update", subject: str = "contacts"
) -> None:
    conn.execute(
        """
        insert into crmshift.conflict_policy (subject, conflict, columns, policy) values (%s, %s, %s, %s)
        on conflict (subject, conflict, columns) do update set policy = excluded.policy
        """,
        [subject, conflict, list(columns), name],
    )


def log(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    return conn.execute(
        "select kind, columns, policy, winner, losing from crmshift.conflict_log order by id"
    ).fetchall()


def contact(conn: psycopg.Connection, *columns: str, key: str = ADA) -> Any:
    return conn.execute(f"select {', '.join(columns)} from contacts where id = %s", [key]).fetchone()


EMAIL_LEGACY = "update contacts set email = 'legacy@x' where id = :ada"
EMAIL_TARGET = "update customers set email = 'target@x' where cst_id = :ada"


@pytest.mark.parametrize(
    ("named", "writes", "winner"),
    [
        ("last_update_wins", (EMAIL_LEGACY, EMAIL_TARGET), TARGET),
        ("last_update_wins", (EMAIL_TARGET, EMAIL_LEGACY), LEGACY),
        ("first_update_wins", (EMAIL_LEGACY, EMAIL_TARGET), LEGACY),
        ("first_update_wins", (EMAIL_TARGET, EMAIL_LEGACY), TARGET),
        ("legacy_wins", (EMAIL_LEGACY, EMAIL_TARGET), LEGACY),
        ("legacy_wins", (EMAIL_TARGET, EMAIL_LEGACY), LEGACY),
        ("target_wins", (EMAIL_LEGACY, EMAIL_TARGET), TARGET),
        ("target_wins", (EMAIL_TARGET, EMAIL_LEGACY), TARGET),
        ("column_merge", (EMAIL_LEGACY, EMAIL_TARGET), TARGET),
        ("column_merge", (EMAIL_TARGET, EMAIL_LEGACY), LEGACY),
    ],
)
@pytest.mark.parametrize("columns", [("email", "phone_number"), ()], ids=["a group", "the rest"])
def test_a_column_that_both_changed_goes_by_its_policy(
    db: Db, named: str, writes: tuple[str, ...], winner: str, columns: tuple[str, ...]
) -> None:
    conn = db("parallel")
    policy(conn, named, *columns)
    apart(conn, *writes)
    drain(conn)
    assert_in_sync(conn)
    assert contact(conn, "email") == (f"{winner}@x",)
    loser = LEGACY if winner == TARGET else TARGET
    [(kind, logged_columns, logged_policy, logged_winner, losing)] = log(conn)
    assert (kind, logged_winner, losing) == (
        "update_origin_differs",
        winner,
        {"email": ["ada@example.com", f"{loser}@x"]},
    )
    assert "email" in logged_columns
    assert logged_policy == ("last_update_wins" if named == "column_merge" else named)


def test_columns_of_one_group_are_not_pieced_together_from_two_sides(db: Db) -> None:
    """The street of one address and the town of another is the address of nobody: the plan's own group."""
    conn = db("parallel")
    apart(
        conn,
        "update contacts set st_address = 'Via 1' where id = :ada",
        "update customers set city = 'Bari', zip = '70121' where cst_id = :ada",
    )
    drain(conn)
    assert_in_sync(conn)
    assert contact(conn, "st_address", "city", "zip") == ("Markt 1", "Bari", "70121")
    assert log(conn) == [
        (
            "update_origin_differs",
            ["st_address", "city", "state", "zip"],
            "last_update_wins",
            TARGET,
            {"st_address": ["Markt 1", "Via 1"]},
        )
    ]


def test_different_columns_are_both_kept_and_that_is_no_conflict(db: Db) -> None:
    conn = db("parallel")
    apart(conn, EMAIL_LEGACY, "update customers set phone1 = '1' where cst_id = :ada")
    drain(conn)
    assert_in_sync(conn)
    assert contact(conn, "email", "phone_number") == ("legacy@x", "1")
    assert log(conn) == []


def test_the_same_value_on_both_sides_is_no_conflict(db: Db) -> None:
    conn = db("parallel")
    apart(conn, EMAIL_LEGACY, "update customers set email = 'legacy@x' where cst_id = :ada")
    drain(conn)
    assert_in_sync(conn)
    assert log(conn) == []


def test_a_value_that_was_changed_and_changed_back_has_not_changed(db: Db) -> None:
    conn = db("parallel")
    apart(conn, EMAIL_LEGACY, "update contacts set email = 'ada@example.com' where id = :ada", EMAIL_TARGET)
    drain(conn)
    assert_in_sync(conn)
    assert contact(conn, "email") == ("target@x",)
    assert log(conn) == []


def test_a_function_decides(db: Db) -> None:
    conn = db("parallel")
    conn.execute(
        """
        create function longer(subject text, key jsonb, before jsonb, legacy jsonb, target jsonb) returns jsonb language sql as $$
        select jsonb_build_object('email', (legacy ->> 'email') || ' and ' || (target ->> 'email')) $$
        """
    )
    policy(conn, "function:public.longer", "email")
    apart(conn, EMAIL_LEGACY, EMAIL_TARGET)
    drain(conn)
    assert_in_sync(conn)
    assert contact(conn, "email") == ("legacy@x and target@x",)
    [(_, columns, by, winner, losing)] = log(conn)
    assert (columns, by, winner) == (["email"], "function:public.longer", "merged")
    assert losing == {"email": ["ada@example.com", "legacy@x", "target@x"]}


def test_a_function_that_fails_leaves_the_row_in_the_queue_with_its_error(db: Db) -> None:
    conn = db("parallel")
    policy(conn, "function:public.nowhere", "email")
    apart(conn, EMAIL_LEGACY, EMAIL_TARGET)
    drain(conn)
    assert {state for *_, state in queue(conn)} == {"SH015"}
    assert_agreement(conn)
    policy(conn, "legacy_wins", "email")
    conn.execute("delete from crmshift.conflict_policy where policy like 'function:%'")
    drain(conn)
    assert_in_sync(conn)


# --- manual


def test_a_manual_conflict_waits_for_a_decision(db: Db) -> None:
    conn = db("parallel")
    policy(conn, "manual", "lead_status")
    apart(
        conn,
        "update contacts set lead_status = 'lost', city = 'Rom' where id = :ada",
        "update leads set disposition = 'won' where customer_id = :ada",
        "update customers set city = 'Bari' where cst_id = :ada",
    )
    drain(conn)
    assert {reason for _, _, reason, _ in queue(conn)} == {"manual"}
    assert_agreement(conn)
    total, [open_one] = conflicts.listed(conn, only_open=True, limit=10)
    assert (total, open_one.columns, open_one.policy, open_one.winner) == (1, ("lead_status",), "manual", None)
    shown = conflicts.show(conn, open_one.id)
    assert (shown.legacy, shown.target) == ({"lead_status": "lost"}, {"lead_status": "won"})

    # Life goes on meanwhile; the row waits as a whole, on either side.
    conn.execute("update contacts set email = 'new@x' where id = %s", [ADA])
    assert_agreement(conn)
    drain(conn)
    assert {reason for _, _, reason, _ in queue(conn)} == {"manual"}

    assert conflicts.resolve(conn, open_one.id, LEGACY) == "settled"
    assert_in_sync(conn)
    assert contact(conn, "lead_status", "city", "email") == ("lost", "Bari", "new@x")
    assert [(row[1], row[3]) for row in log(conn)] == [
        (["lead_status"], LEGACY),
        (["st_address", "city", "state", "zip"], TARGET),
    ]
    assert log(conn)[0][4] == {"lead_status": ["new", "won"]}
    with pytest.raises(UsageError, match="There is no open conflict"):
        conflicts.resolve(conn, open_one.id, LEGACY)


def test_a_row_with_two_open_conflicts_is_settled_with_the_last_decision(db: Db) -> None:
    conn = db("parallel")
    policy(conn, "manual", "lead_status")
    policy(conn, "manual", "email")
    apart(
        conn,
        EMAIL_LEGACY,
        EMAIL_TARGET,
        "update contacts set lead_status = 'lost' where id = :ada",
        "update leads set disposition = 'won' where customer_id = :ada",
    )
    drain(conn)
    _, both = conflicts.listed(conn, only_open=True, limit=10)
    assert {c.columns for c in both} == {("email",), ("lead_status",)}
    by_columns = {c.columns[0]: c.id for c in both}
    assert conflicts.resolve(conn, by_columns["email"], TARGET) == "decided; 1 more of this row to decide"
    assert queue(conn)
    assert conflicts.resolve(conn, by_columns["lead_status"], LEGACY) == "settled"
    assert_in_sync(conn)
    assert contact(conn, "email", "lead_status") == ("target@x", "lost")


def test_an_open_conflict_about_which_the_sides_have_come_to_agree_is_closed(db: Db) -> None:
    conn = db("parallel")
    policy(conn, "manual", "email")
    apart(conn, EMAIL_LEGACY, EMAIL_TARGET)
    drain(conn)
    conn.execute("update contacts set email = 'target@x' where id = %s", [ADA])
    drain(conn)
    conn.execute("select crmshift.settle_row('contacts', jsonb_build_object('id', %s::uuid))", [ADA])
    assert_in_sync(conn)
    assert conflicts.listed(conn, only_open=True, limit=10)[0] == 0


def test_a_decision_that_cannot_be_carried_out_says_why_and_leaves_all_as_it_was(db: Db) -> None:
    conn = db("parallel")
    policy(conn, "manual", "email")
    apart(conn, EMAIL_LEGACY, EMAIL_TARGET)
    drain(conn)
    conn.execute("alter table contacts add constraint no_target check (email <> 'target@x') not valid")
    _, [open_one] = conflicts.listed(conn, only_open=True, limit=10)
    with pytest.raises(Exception, match="no_target"):
        conflicts.resolve(conn, open_one.id, TARGET)
    assert conflicts.listed(conn, only_open=True, limit=10)[1] == (open_one,)
    assert_agreement(conn)


# --- deletes


GONE_LEGACY = "delete from contacts where id = :ben"
CHANGED_LEGACY = "update contacts set email = 'legacy@x' where id = :ben"
GONE_TARGET = "delete from customers where cst_id = :ben"
CHANGED_TARGET = "update customers set email = 'target@x' where cst_id = :ben"


@pytest.mark.parametrize(
    ("named", "writes", "winner"),
    [
        ("last_update_wins", (GONE_LEGACY, CHANGED_TARGET), TARGET),
        ("last_update_wins", (CHANGED_TARGET, GONE_LEGACY), LEGACY),
        ("last_update_wins", (GONE_TARGET, CHANGED_LEGACY), LEGACY),
        ("last_update_wins", (CHANGED_LEGACY, GONE_TARGET), TARGET),
        ("first_update_wins", (GONE_LEGACY, CHANGED_TARGET), LEGACY),
        ("first_update_wins", (CHANGED_TARGET, GONE_LEGACY), TARGET),
        ("legacy_wins", (GONE_LEGACY, CHANGED_TARGET), LEGACY),
        ("legacy_wins", (CHANGED_LEGACY, GONE_TARGET), LEGACY),
        ("target_wins", (GONE_LEGACY, CHANGED_TARGET), TARGET),
        ("target_wins", (GONE_TARGET, CHANGED_LEGACY), TARGET),
    ],
)
def test_a_row_that_one_deleted_and_the_other_changed_goes_by_the_policy_for_deletes(
    db: Db, named: str, writes: tuple[str, ...], winner: str
) -> None:
    conn = db("parallel")
    policy(conn, named, conflict="delete")
    apart(conn, *writes)
    drain(conn)
    assert_in_sync(conn)
    by_winner = next(w for w in writes if (" contacts " in w) == (winner == LEGACY))
    survives = not by_winner.startswith("delete")
    assert contact(conn, "email", key=BEN) == ((f"{winner}@x",) if survives else None)
    [(kind, columns, by, logged, losing)] = log(conn)
    assert (kind, columns, by, logged) == ("delete_origin_differs", [], named, winner)
    assert losing["email"][1] == (None if survives else f"{LEGACY if winner == TARGET else TARGET}@x")


def test_a_delete_against_a_change_can_wait_for_a_decision(db: Db) -> None:
    conn = db("parallel")
    policy(conn, "manual", conflict="delete")
    apart(conn, GONE_LEGACY, CHANGED_TARGET)
    drain(conn)
    assert_agreement(conn)
    assert {reason for _, _, reason, _ in queue(conn)} == {"manual"}
    _, [open_one] = conflicts.listed(conn, only_open=True, limit=10)
    assert conflicts.resolve(conn, open_one.id, LEGACY) == "settled"
    assert_in_sync(conn)
    assert contact(conn, "email", key=BEN) is None
    assert conn.execute("select count(*) from customers where cst_id = %s", [BEN]).fetchone() == (0,)


def test_both_deleted_it_and_that_is_no_conflict(db: Db) -> None:
    conn = db("parallel")
    apart(conn, GONE_LEGACY, GONE_TARGET)
    drain(conn)
    assert_in_sync(conn)
    assert log(conn) == []


def test_a_late_replay_revives_nothing(db: Db) -> None:
    """A change of the target could not be synced; then legacy deletes the row. Once the cause is gone it stays deleted."""
    conn = db("parallel")
    policy(conn, "last_update_wins", conflict="delete")
    conn.execute("alter table contacts add constraint no_rome check (city <> 'Rom') not valid")
    conn.execute("update customers set city = 'Rom' where cst_id = %s", [BEN])
    conn.execute("delete from contacts where id = %s", [BEN])
    conn.execute("alter table contacts drop constraint no_rome")
    drain(conn)
    drain(conn)
    assert_in_sync(conn)
    assert contact(conn, "email", key=BEN) is None
    assert [(kind, winner) for kind, _, _, winner, _ in log(conn)] == [("delete_origin_differs", LEGACY)]


def test_a_queued_delete_is_a_tombstone_until_it_is_settled(db: Db) -> None:
    conn = db("parallel")
    apart(conn, GONE_LEGACY)
    assert conn.execute("select op, side from crmshift.sync_queue where key ->> 'id' = %s", [BEN]).fetchall() == [
        ("delete", LEGACY)
    ]
    drain(conn)
    assert conn.execute("select count(*) from customers where cst_id = %s", [BEN]).fetchone() == (0,)


# --- inserts


def test_two_inserts_under_one_key_are_merged_and_what_differs_is_a_conflict(db: Db) -> None:
    conn = db("parallel")
    apart(
        conn,
        f"insert into contacts (id, workspace_id, firstname, email) values ('{NOBODY}', '{WORKSPACE}', 'Nora', 'legacy@x')",
        f"insert into customers (cst_id, workspace_id, phone1, email) values ('{NOBODY}', '{WORKSPACE}', '1', 'target@x')",
    )
    drain(conn)
    assert_in_sync(conn)
    assert contact(conn, "firstname", "phone_number", "email", key=NOBODY) == ("Nora", "1", "target@x")
    found = {tuple(columns): (kind, winner, losing) for kind, columns, _, winner, losing in log(conn)}
    assert found[("email",)] == ("insert_exists", TARGET, {"email": [None, "legacy@x"]})


def test_an_insert_that_meets_a_row_of_the_other_side_is_recorded(db: Db) -> None:
    """Behind the triggers' back a customer came to be; then legacy inserts a contact under its id."""
    conn = db("parallel")
    with conn.transaction():
        conn.execute("set local session_replication_role = replica")
        conn.execute(
            "insert into customers (cst_id, workspace_id, firstname, email) values (%s, %s, 'Vera', 'target@x')",
            [NOBODY, WORKSPACE],
        )
    conn.execute("insert into contacts (id, workspace_id, email) values (%s, %s, 'legacy@x')", [NOBODY, WORKSPACE])
    assert_in_sync(conn)
    assert contact(conn, "firstname", "email", key=NOBODY) == ("Vera", "legacy@x")
    assert ("insert_exists", ["email"], "last_update_wins", LEGACY, {"email": [None, "target@x"]}) in log(conn)


@pytest.mark.parametrize(("by", "email"), [("first_update_wins", "target@x"), ("last_update_wins", "legacy@x")])
def test_of_an_insert_and_what_was_there_the_latter_is_the_first(db: Db, by: str, email: str) -> None:
    conn = db("parallel")
    policy(conn, by, "email")
    with conn.transaction():
        conn.execute("set local session_replication_role = replica")
        conn.execute(
            "insert into customers (cst_id, workspace_id, email) values (%s, %s, 'target@x')", [NOBODY, WORKSPACE]
        )
    conn.execute("insert into contacts (id, workspace_id, email) values (%s, %s, 'legacy@x')", [NOBODY, WORKSPACE])
    assert_in_sync(conn)
    assert contact(conn, "email", key=NOBODY) == (email,)


# --- other subjects


def test_custom_fields_and_appointments_have_policies_of_their_own(db: Db) -> None:
    conn = db("parallel")
    policy(conn, "legacy_wins", "value", subject="contact_custom_fields")
    policy(conn, "target_wins", subject="appointments")
    apart(
        conn,
        f"update contact_custom_fields set value = 'legacy' where contact_id = :ada and field_id = '{FIELD}'",
        f"update customer_custom_fields set value = 'target' where customer_id = :ada and field_id = '{FIELD}'",
        "update lead_appointments set status = 'target' where id = 1",
        "update appointments set status = 'legacy' where id = 1",
    )
    drain(conn)
    assert_in_sync(conn)
    assert conn.execute(
        "select value from customer_custom_fields where customer_id = %s and field_id = %s", [ADA, FIELD]
    ).fetchone() == ("legacy",)
    assert conn.execute("select status from appointments where id = 1").fetchone() == ("target",)
    assert [(kind, winner) for kind, _, _, winner, _ in log(conn)] == [
        ("update_origin_differs", LEGACY),
        ("update_origin_differs", TARGET),
    ]


@pytest.mark.parametrize(
    "row",
    [
        "('contacts', 'update', '{}', 'somehow')",
        "('contacts', 'delete', '{email}', 'legacy_wins')",
        "('contacts', 'delete', '{}', 'column_merge')",
        "('nothing', 'update', '{}', 'legacy_wins')",
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(db: Db, row: str) -> None:
    conn = db("parallel")
    with pytest.raises(psycopg.errors.IntegrityError):
        conn.execute(f"insert into crmshift.conflict_policy (subject, conflict, columns, policy) values {row}")
