"""Steering the sync and deciding conflicts, by the command line."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.acceptance.commandline import must, start
from tests.support.agreement import assert_in_sync
from tests.support.sessions import sessions
from tests.support.templates import ADA, BEN

pytestmark = pytest.mark.default_pg

SECRET = "secret@example.com"


@pytest.fixture
def dsn(make_database: Callable[[str], str]) -> str:
    return make_database("parallel")


@pytest.fixture
def conn(dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


def test_a_pause_and_what_was_written_meanwhile(dsn: str, conn: psycopg.Connection) -> None:
    must(0, "sync", "status", dsn=dsn)
    must(0, "sync", "pause", "--why", "vendor loads", dsn=dsn)
    conn.execute("update contacts set email = %s where id = %s", [SECRET, ADA])
    status = must(1, "sync", "status", "--format", "json", dsn=dsn).document
    assert {(e["paused"], e["why"]) for e in status["entities"]} == {(True, "vendor loads")}
    assert [(g["subject"], g["side"], g["reason"], g["rows"]) for g in status["queue"]] == [
        ("contacts", "legacy", "paused", 1)
    ]
    assert status["next_steps"] == ["crmshift sync resume"]
    shown = must(1, "sync", "status", dsn=dsn)
    assert "queued: paused" in shown.out
    assert "vendor loads" in shown.out
    assert SECRET not in shown.out + shown.err
    refused = must(3, "sync", "drain", dsn=dsn)
    assert refused.hint == "Run: crmshift sync resume"
    assert must(0, "status", "--format", "json", dsn=dsn).document["queue"] == {"paused": 1}
    resumed = must(0, "sync", "resume", dsn=dsn)
    assert "Settled 1, conflicts 0, still queued 0." in resumed.out
    assert_in_sync(conn)
    must(0, "validate", dsn=dsn)


def test_a_pause_that_cannot_wait_exits_with_5_and_names_who_is_under_way(dsn: str) -> None:
    with sessions(dsn, "the slow one") as (slow,):
        slow("begin")
        slow("update contacts set city = 'Rom' where id = %s", ADA)
        left = must(5, "sync", "pause", "--patience", "0.1", "--format", "json", dsn=dsn).document
        assert f"{slow.pid} (the slow one)" in left["under_way"]
        slow.commit()
    must(0, "sync", "pause", dsn=dsn)
    must(0, "sync", "resume", dsn=dsn)


def test_one_entity_later_and_the_rest_at_once(dsn: str, conn: psycopg.Connection) -> None:
    must(0, "sync", "mode", "appointment", "queued", dsn=dsn)
    conn.execute("update appointments set status = 'later' where id = 1")
    conn.execute("update contacts set city = 'Rom' where id = %s", [ADA])
    follower = start("sync", "drain", "--follow", "--every", "0.1", dsn=dsn)
    try:
        deadline = time.monotonic() + 30
        while conn.execute("select exists (select from crmshift.sync_queue)").fetchone() == (True,):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        conn.execute("update appointments set status = 'later still' where id = 1")
        while conn.execute("select status from lead_appointments where id = 1").fetchone() != ("later still",):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        follower.send_signal(signal.SIGTERM)
        out, err = follower.communicate(timeout=30)
    assert follower.returncode == 0, out + err
    assert_in_sync(conn)


def test_an_entity_that_fails_loudly(dsn: str, conn: psycopg.Connection) -> None:
    conn.execute("alter table customers add constraint no_rome check (city <> 'Rom') not valid")
    must(0, "sync", "on-error", "customer", "raise", dsn=dsn)
    with pytest.raises(psycopg.errors.CheckViolation):
        conn.execute("update contacts set city = 'Rom' where id = %s", [ADA])
    assert "raised" in must(0, "sync", "status", dsn=dsn).out
    must(0, "sync", "on-error", "customer", "queue", dsn=dsn)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("sync", "mode", "nobody", "queued"), "There is no entity nobody."),
        (("sync", "pause", "--entity", "nobody"), "There is no entity nobody."),
        (("sync", "on-error", "nobody", "raise"), "There is no entity nobody."),
        (("conflicts", "show", "99"), "There is no conflict 99."),
        (("conflicts", "resolve", "99", "--take", "legacy"), "There is no open conflict 99."),
    ],
)
def test_what_does_not_exist_is_named(dsn: str, command: tuple[str, ...], said: str) -> None:
    answer = must(2, *command, dsn=dsn)
    assert answer.error == said
    assert answer.hint


def test_a_conflict_from_its_beginning_to_its_end(dsn: str, conn: psycopg.Connection) -> None:
    conn.execute(
        "insert into crmshift.conflict_policy (subject, columns, policy) values ('contacts', '{email}', 'manual')"
    )
    assert "No conflicts." in must(0, "conflicts", "list", dsn=dsn).out
    must(0, "sync", "pause", dsn=dsn)
    conn.execute("update contacts set email = %s, city = 'Rom' where id = %s", [SECRET, ADA])
    conn.execute("update customers set email = 'other@example.com', city = 'Bari' where cst_id = %s", [ADA])
    resumed = must(1, "sync", "resume", dsn=dsn)
    assert "conflicts 1" in resumed.out
    assert "decide: crmshift conflicts list" in must(1, "sync", "status", dsn=dsn).out

    listed = must(1, "conflicts", "list", "--open", "--format", "json", dsn=dsn).document
    [conflict] = listed["conflicts"]
    assert (conflict["kind"], conflict["columns"], conflict["policy"], conflict["winner"]) == (
        "update_origin_differs",
        ["email"],
        "manual",
        None,
    )
    number = str(conflict["id"])
    shown = must(0, "conflicts", "show", number, dsn=dsn)
    assert "a value" in shown.out
    assert SECRET not in shown.out + shown.err
    assert SECRET in must(0, "conflicts", "show", number, "--show-values", dsn=dsn).out
    quiet = must(0, "conflicts", "show", number, "--format", "json", dsn=dsn)
    assert "example.com" not in quiet.out
    told = json.loads(must(0, "conflicts", "show", number, "--show-values", "--format", "json", dsn=dsn).out)[
        "conflict"
    ]
    assert (told["legacy"], told["target"]) == ({"email": SECRET}, {"email": "other@example.com"})

    assert "settled" in must(0, "conflicts", "resolve", number, "--take", "legacy", dsn=dsn).out
    assert_in_sync(conn)
    assert conn.execute("select email, city from customers where cst_id = %s", [ADA]).fetchone() == (SECRET, "Bari")
    settled = must(0, "conflicts", "list", dsn=dsn)
    assert "legacy, by" in settled.out
    assert SECRET not in settled.out
    must(0, "validate", dsn=dsn)


def test_where_nothing_is_installed_the_commands_say_what_to_run(make_database: Callable[[str], str]) -> None:
    dsn = make_database("seeded")
    for command in (
        ("sync", "pause"),
        ("sync", "resume"),
        ("sync", "mode", "customer", "queued"),
        ("conflicts", "list"),
    ):
        assert must(3, *command, dsn=dsn).hint == "Run: crmshift apply --to sync-layer"


def test_a_rollback_brings_what_was_queued_by_a_pause(dsn: str, conn: psycopg.Connection) -> None:
    must(0, "sync", "pause", dsn=dsn)
    conn.execute("update customers set city = 'Rom' where cst_id = %s", [BEN])
    must(0, "rollback", "--to", "legacy", "--yes", dsn=dsn)
    assert conn.execute("select city from contacts where id = %s", [BEN]).fetchone() == ("Rom",)
    assert conn.execute("select to_regnamespace('crmshift')").fetchone() == (None,)
