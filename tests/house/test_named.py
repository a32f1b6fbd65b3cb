"""Every trap, experiment and fault that was known before has a test that shows it dealt with: `@pytest.mark.shows("E1")`."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

LABELS = {
    # Experiments with trigger-based sync inside one database.
    "E1": "an application's own trigger is taken for an echo",
    "E2": "a guard that is not reset loses the second write of a transaction",
    "E3": "a trigger that normalises on the other side drifts",
    "E4": "two triggers that trust NEW chase each other until the stack is full",
    "E5": "re-read, compare, three passes, then the queue",
    "E6": "a deferred sync is not seen by its own transaction",
    "E7": "check and unique constraints of the other side",
    "E8": "deferred constraints of the other side fail the COMMIT",
    "E9": "cancellation is not caught",
    "E10": "a lock on the other side is waited for no longer than the lock timeout",
    "E11": "crossing writes: both commit, and a replay does not regress newer data",
    "E12": "last write by now() inverts",
    "E13": "a handler for each row burns a transaction id for each row",
    "E14": "a fast path for the statement, row by row only on failure",
    # The table of traps.
    "trap depth guard": "pg_trigger_depth() > 1",
    "trap guard not reset": "the second write is lost",
    "trap trusting NEW": "drift, or stack depth limit exceeded",
    "trap unlocked source": "a backfill that reads before it locks leaves a stale value",
    "trap now()": "a long transaction carries an older time",
    "trap handler per row": "the subtransaction cache overflows",
    "trap deferred constraint": "escapes the handler",
    "trap crossing deadlock": "with a handler both commit, and one key is queued",
    "trap upsert order": "upserts of many rows in two orders deadlock",
    "trap replica mode": "ordinary triggers do not fire",
    "trap unset setting": "NULL, or '' after a reset",
    "trap side effects": "reminders for rows that only moved",
    "trap direction by session": "breaks behind a pooler",
    # Prototypes: sessions that cross.
    "C1": "naive two-way triggers loop",
    "C2": "a depth guard drops an application's write",
    "C3": "opposite writes to one entity deadlock",
    "C4": "advisory locks in triggers do not help",
    "C6": "a backfill revives a contact that was deleted meanwhile",
    "C7": "a backfill overwrites a newer value with a stale one",
    "C8": "TRUNCATE and replica mode",
    "C9": "two runs at once make two leads",
    "C10": "what each DDL statement locks",
    # Prototypes: a live write and a batch of the backfill, in the orders there are.
    "interleaving before": "the write comes first",
    "interleaving between": "the write comes between two batches",
    "interleaving inside": "one is open while the other runs",
    "interleaving after": "the write comes last",
    "interleaving rolled back": "and one of them is undone",
    # Prototypes: scripts.
    "experiments/d.sql": "converging triggers, and deferred ones",
    "experiments/e1.sql": "guards by depth and by setting",
    "experiments/e10_e12.sh": "lock timeouts, crossing writes, now()",
    "experiments/perf.sql": "row triggers against statement triggers",
    "experiments/s.sql": "ten bad rows of a thousand",
    "experiments/t.sql": "errors inside the sync",
    # The documents' own SQL (P10 is data of theirs that cannot be loaded).
    "mission P1": "one long telephone number stops the whole migration",
    "mission P2": "timestamps become the time of the migration",
    "mission P3": "what changes after the first run never arrives",
    "mission P4": "one missing and one extra row pass for equal",
    "mission P5": "NULL compared with =",
    "mission P6": "a lead of the new side first: legacy's status has no place",
    "mission P7": "a source without a status is lost",
    "mission P8": "a lead in another workspace than its customer",
    "mission P9": "timestamps that depend on the session's time zone",
    "mission P11": "custom fields doubled by a second run",
    "mission P12": "a rollback that only a superuser can do",
    "mission P13": "a rollback that switches foreign keys off and triggers on",
    "mission P14": "a rollback that can never be proved",
    "mission P15": "row-level security that does not hold for the owner",
    "mission P16": "no index where operations look rows up",
    # Faults reproduced in peers.
    "peer 5.1": "an error while triggers are created is dropped",
    "peer 5.2": "a lock timeout that holds on one connection only; readers queue",
    "peer 5.3": "a search_path of two entries, or of names that need quotes",
    "peer 5.4": "a gap between the end of a column and that of its function",
    "peer 5.5": "a guard that is NULL where the setting was never set",
    "peer 5.6": "BEFORE triggers and foreign keys between the sides",
    "peer 5.7": "status fails while a backfill runs",
    "peer 5.8": "one transaction for the whole copy",
    # What tools that compare data take for equal.
    "false equal NULL and ''": "NULL and the empty string",
    "false equal NULL and blanks": "NULL and a string of blanks",
    "false equal NULL and a sentinel": "NULL and the text that stands for it",
    "false equal blanks around": "a value and the same with blanks around it",
    "false equal neighbours": "'ab', 'c' and 'a', 'bc' in neighbouring columns",
    "false equal separators": "'a|b', 'c' and 'a', 'b|c'",
    "false equal big numbers": "numbers that agree in eleven digits, in keys too",
    "false equal money": "sums that differ by a cent",
    "false equal timestamps": "times of the same second",
    "false equal booleans": "NULL and false",
    "false equal floats": "floats that agree in three digits",
    "false equal row with a NULL": "a whole row, because one of its columns is NULL",
    # And what they cry about.
    "false alarm notation": "two ways to write one value",
    "false alarm numeric without precision": "an error on numeric without precision",
    "false alarm empty table": "an error on an empty table",
    "false alarm live writes": "rows that were written while they were compared",
}


def shown() -> dict[str, list[str]]:
    """Labels in the markers of all tests, with the tests that carry them."""
    found = defaultdict(list)
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.shows":
                    assert node.name.startswith("test_"), node.name
                    for label in mark.args:
                        found[ast.literal_eval(label)].append(f"{path.relative_to(TESTS)}::{node.name}")
    return found


SHOWN = shown()


@pytest.mark.parametrize("label", LABELS)
def test_what_was_known_has_a_test(label: str) -> None:
    assert SHOWN.get(label), f"no test shows {label}: {LABELS[label]}"


def test_no_marker_carries_a_label_that_nobody_knows() -> None:
    assert {label: tests for label, tests in SHOWN.items() if label not in LABELS} == {}
