"""crmshift backfill as a person or a pipeline types it: run, watch, steer, interrupt."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from tests.acceptance.commandline import Answer, crmshift, must, start
from tests.support.agreement import assert_in_sync
from tests.support.history import CONTACTS, control, soon
from tests.support.servers import Server

pytestmark = pytest.mark.default_pg

Make = Callable[[str], str]

DAWDLE = """
create or replace function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep({}); return null; end $$;
"""
SLOW = f"""{DAWDLE}
create trigger dawdle before insert on customers for each statement execute function dawdle();
"""


def open_(dsn: str) -> psycopg.Connection:
    return psycopg.connect(dsn, autocommit=True)


def done(conn: psycopg.Connection) -> int:
    row = conn.execute("select coalesce(sum(rows_done), 0)::int from crmshift.backfill").fetchone()
    assert row is not None
    return int(row[0])


def fails(status: int, *command: str, dsn: str) -> Answer:
    answer = must(status, *command, dsn=dsn)
    assert answer.error
    return answer


# --- running


def test_ndjson_is_an_object_a_line_and_ends_with_one_that_says_so(make_database: Make) -> None:
    dsn = make_database("history")
    with open_(dsn) as conn:
        conn.execute(SLOW.format(0.02))
        control(conn, batch_rows=20)
        answer = must(0, "backfill", "run", "--format", "ndjson", "--workers", "2", dsn=dsn)
        lines = [json.loads(line) for line in answer.out.splitlines()]
        assert {line["format_version"] for line in lines} == {"1.0"}
        *progress, final = lines
        assert {line["event"] for line in progress} == {"progress"}
        assert len([line for line in progress if line["source"] == "public.contacts" and not line["finished"]]) >= 2
        assert set(progress[0]) == {
            *(
                "format_version",
                "event",
                "at",
                "source",
                "workspace",
                "rows_total",
                "rows_done",
                "written",
                "queued",
                "batches",
            ),
            *("ranges", "ranges_finished", "finished", "rows_per_second", "seconds_left", "workers", "held_by"),
        }
        for before, after in pairwise(progress):
            assert before["source"] != after["source"] or before["rows_done"] <= after["rows_done"]
        assert max(line["workers"] for line in progress) == 2
        assert (final["event"], final["exit_code"]) == ("finished", 0)
        assert [(b["source"], b["finished"]) for b in final["backfills"]] == [
            ("public.contacts", True),
            ("public.contact_custom_fields", True),
            ("public.appointments", True),
        ]
        assert_in_sync(conn)


def test_ndjson_ends_with_the_error_where_there_is_one(make_database: Make) -> None:
    answer = must(2, "backfill", "run", "--format=ndjson", "--workspace", "Nowhere", dsn=make_database("history"))
    final = json.loads(answer.out)
    assert (final["event"], final["exit_code"]) == ("error", 2)
    assert final["error"]["message"] == answer.error == "There is no workspace Nowhere."


def test_in_a_pipe_there_are_plain_lines_and_no_bar(make_database: Make) -> None:
    answer = must(0, "backfill", "run", dsn=make_database("history"))
    lines = answer.err.splitlines()
    assert [line.partition(" rows,")[0] for line in lines] == [
        f"backfill from public.contacts: {CONTACTS + 5:,} of {CONTACTS + 5:,}",
        "backfill from public.contact_custom_fields: 503 of 503",
        "backfill from public.appointments: 503 of 503",
    ]
    assert answer.out.startswith("Complete: 6,011 rows walked")
    assert "\x1b" not in answer.out + answer.err


def test_one_workspace_by_name(make_database: Make) -> None:
    dsn = make_database("history")
    assert "1,001" in must(0, "backfill", "run", "--workspace", "Beta", dsn=dsn).err
    shown = must(0, "backfill", "status", "--format", "json", dsn=dsn).document["backfills"]
    assert [b["finished"] for b in shown] == [True] * 3
    assert len({b["workspace"] for b in shown}) == 1 and shown[0]["workspace"] is not None
    must(1, "validate", dsn=dsn)
    must(0, "backfill", "run", dsn=dsn)
    must(0, "validate", dsn=dsn)


# --- interrupted


@pytest.mark.parametrize("workers", ["1", "3"])
def test_the_first_interrupt_finishes_the_batches_in_hand_and_the_second_stops_at_once(
    make_database: Make, workers: str
) -> None:
    dsn = make_database("history")
    with open_(dsn) as conn:
        conn.execute(SLOW.format(0))
        control(conn, batch_rows=10)
        # Well below the two seconds after which a batch is halved, and none of them is in hand any more.
        for interrupts, status, seconds in ((1, 5, 0.5), (2, 130, 1)):
            conn.execute(DAWDLE.format(seconds))
            with start("backfill", "run", "--workers", workers, dsn=dsn) as process:
                soon(lambda: in_a_batch(conn) == int(workers))
                before = done(conn)
                process.send_signal(signal.SIGINT)
                time.sleep(0.2)
                if interrupts == 2:
                    process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=30)
                assert process.returncode == status, out + err
                assert "Traceback" not in err
                assert "Stopping after the batch in hand" in err
            if interrupts == 1:
                assert done(conn) >= before + 10 * int(workers), f"those in hand were finished: {out + err}"
                assert "Run the same command again" in err
            else:
                assert "the same command goes on" in err
            soon(lambda: in_a_batch(conn) == 0)
            if interrupts == 2:
                assert done(conn) == before, "it did not wait for the batches"
        conn.execute("drop trigger dawdle on customers")
        control(conn, batch_rows=1000)
        must(0, "backfill", "run", dsn=dsn)
        assert_in_sync(conn)


def in_a_batch(conn: psycopg.Connection) -> int:
    # Whoever cuts the table into ranges is at them, too.
    row = conn.execute(
        "select count(*) from pg_stat_activity where pid = any (crmshift.backfill_backends()) and application_name like '%/worker %'"
    ).fetchone()
    assert row is not None
    return int(row[0])


# --- steered


def test_paused_looked_at_and_resumed_by_command(make_database: Make) -> None:
    dsn = make_database("history")
    with open_(dsn) as conn:
        control(conn, batch_rows=10)
        assert "paused" in must(0, "backfill", "pause", "--why", "month's end", dsn=dsn).out
        with start("backfill", "run", dsn=dsn) as process:
            soon(lambda: conn.execute("select count(*) from crmshift.backfill").fetchone() == (1,))
            time.sleep(0.5)
            assert done(conn) == 0 and process.poll() is None
            for command in (["status"], ["backfill", "status"]):
                assert "paused by postgres" in must(0, *command, dsn=dsn).out
                assert "month's end" in must(0, *command, dsn=dsn).out
            document = must(0, "backfill", "status", "--format", "json", dsn=dsn).document
            assert [h["signal"] for h in document["held_by"]] == ["paused"]
            assert document["control"]["paused"] is True and "backfill run" in document["driver"]
            assert (
                must(0, "status", "--format", "json", dsn=dsn).document["backfill_held_by"][0]["why"] == "month's end"
            )
            must(0, "backfill", "set", "--batch", "5000", dsn=dsn)
            assert must(0, "backfill", "resume", "--format", "json", dsn=dsn).document["next_steps"] == []
            out, err = process.communicate(timeout=30)
            assert process.returncode == 0, out + err
        assert must(0, "backfill", "resume", "--format", "json", dsn=dsn).document["next_steps"] == [
            "crmshift backfill run"
        ]
        assert_in_sync(conn)


def test_what_holds_it_is_told_with_reading_threshold_and_since_when(make_database: Make) -> None:
    dsn = make_database("history")
    must(
        0,
        "backfill",
        "set",
        "--throttle-query",
        "select 7",
        "--signal",
        "throttle_query",
        "--pauses-at",
        "5",
        "--resumes-at",
        "2",
        dsn=dsn,
    )
    with start("backfill", "run", "--format", "ndjson", dsn=dsn) as process:
        time.sleep(2.5)
        told = "throttle_query is 7, pauses at 5, goes on at 2, since "
        for command in (["status"], ["backfill", "status"]):
            assert told in must(0, *command, dsn=dsn).out
        must(0, "backfill", "set", "--throttle-query", "", dsn=dsn)
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 0
    held = [line["held_by"] for line in map(json.loads, out.splitlines()) if line.get("held_by")]
    assert held and {(h["signal"], h["reading"], h["pauses_at"], h["resumes_at"]) for (h,) in held} == {
        ("throttle_query", 7, 5, 2)
    }
    assert held[0][0]["since"]


def test_psql_alone_steers_and_asks(make_database: Make, server: Server) -> None:
    if server.bin_dir is None:
        pytest.skip("there is no psql")
    dsn = make_database("history")

    def psql(statement: str) -> str:
        asked = [server.bin_dir / "psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", dsn, "-c", statement]  # type: ignore[operator]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()

    psql("update crmshift.backfill_control set batch_rows = 10")
    with start("backfill", "run", dsn=dsn) as process:
        soon(lambda: int(psql("select coalesce(sum(rows_done), 0) from crmshift.backfill")) > 50)
        psql("select crmshift.backfill_pause('psql')")
        soon(lambda: psql("select signal, why from crmshift.backfill_hold") == "paused|psql")
        stood = psql("select sum(rows_done) from crmshift.backfill")
        time.sleep(0.5)
        assert psql("select sum(rows_done) from crmshift.backfill") == stood
        psql("update crmshift.backfill_control set paused = false, workers = 3, batch_rows = 5000")
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0, out + err
    must(0, "backfill", "status", dsn=dsn)


ERRORS: dict[str, tuple[list[str], str]] = {
    "no such signal": (["set", "--signal", "weather", "--off"], "There is no signal 'weather'."),
    "a signal without a word of it": (["set", "--signal", "replica_lag"], "What of the signal replica_lag?"),
    "a bound of no signal": (["set", "--pauses-at", "5"], "Of which signal?"),
    "nothing": (["set"], "Nothing to set."),
    "no workers": (["set", "--workers", "0"], "--workers"),
    "a word for a number": (["set", "--workers", "many"], "--workers"),
    "too long a batch": (["set", "--batch-seconds", "3"], "batches take at most half a second"),
    "the wrong way round": (
        ["set", "--signal", "replica_lag", "--pauses-at", "1", "--resumes-at", "2"],
        "resumes below where it pauses",
    ),
    "endless": (["set", "--signal", "replica_lag", "--pauses-at", "inf"], "resumes below where it pauses"),
    "no such workspace": (["run", "--workspace", "Nowhere"], "There is no workspace Nowhere."),
    "no such format": (["run", "--format", "xml"], "--format"),
}


def test_mistakes_are_one_clear_error_each(make_database: Make) -> None:
    dsn = make_database("unmoved")
    with open_(dsn) as conn:
        before = [conn.execute(f"select * from crmshift.backfill_{t}").fetchall() for t in ("control", "signal")]
        for what, (command, said) in ERRORS.items():
            answer = fails(2, "backfill", *command, dsn=dsn)
            assert said in answer.error, what
            assert answer.hint, what
        assert [
            conn.execute(f"select * from crmshift.backfill_{t}").fetchall() for t in ("control", "signal")
        ] == before


@pytest.mark.parametrize("command", [["pause"], ["resume"], ["set", "--workers", "2"], ["run"]])
def test_steering_needs_something_installed(make_database: Make, command: list[str]) -> None:
    assert "not installed" in fails(3, "backfill", *command, dsn=make_database("seeded")).error


def test_documents(make_database: Make) -> None:
    dsn = make_database("unmoved")
    documents: list[Any] = [
        must(0, "backfill", *command, "--format", "json", dsn=dsn).document
        for command in (["set", "--workers", "2"], ["pause"], ["resume"], ["status"], ["run"])
    ]
    assert [d["command"] for d in documents] == [f"backfill {c}" for c in ("set", "pause", "resume", "status", "run")]
    assert {d["exit_code"] for d in documents} == {0}
    assert documents[0]["control"]["workers"] == 2
    assert len(documents[3]["signals"]) == 8
    assert crmshift("backfill", "status", dsn=dsn).status == 0
