"""Eight sessions write the two sides of one customer as fast as they can."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable

import psycopg
import pytest

from crmshift import sync
from tests.support.agreement import assert_agreement, assert_in_sync
from tests.support.templates import ADA, FIELD, WORKSPACE

SECONDS = float(os.environ.get("CRMSHIFT_HAMMER_SECONDS", "60"))

LEGACY = (
    "update contacts set city = %(v)s where id = %(ada)s",
    "update contacts set lead_status = %(v)s, updated_at = clock_timestamp() where id = %(ada)s",
    "update contact_custom_fields set value = %(v)s where contact_id = %(ada)s and field_id = %(field)s",
    "update appointments set status = %(v)s where id = 1",
)
TARGET = (
    "update customers set zip = %(v)s where cst_id = %(ada)s",
    "update customers set city = %(v)s where cst_id = %(ada)s",
    "update leads set disposition = %(v)s where customer_id = %(ada)s and is_primary",
    "update customer_custom_fields set value = %(v)s where customer_id = %(ada)s and field_id = %(field)s",
    "update lead_appointments set status = %(v)s where id = 1",
)


@pytest.mark.default_pg
def test_opposite_writes_of_one_customer_from_eight_sessions(
    make_database: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """No application meets an error, the two sides agree at every look, and after a drain nothing is left."""
    dsn = make_database("parallel")
    errors: list[str] = []
    counts: Counter[str] = Counter()
    longest = 0.0
    until = time.monotonic() + SECONDS

    def write(number: int) -> None:
        nonlocal longest
        dice = random.Random(number)
        statements = LEGACY if number % 2 else TARGET
        with psycopg.connect(dsn, autocommit=True, application_name=f"writer {number}") as conn:
            while time.monotonic() < until:
                names = {"v": f"{dice.randrange(10**9)}", "ada": ADA, "field": FIELD, "workspace": WORKSPACE}
                began = time.monotonic()
                try:
                    conn.execute(dice.choice(statements), names)
                    counts["writes"] += 1
                except psycopg.Error as error:
                    errors.append(f"{error.sqlstate} {error}")
                longest = max(longest, time.monotonic() - began)

    writers = [threading.Thread(target=write, args=[number]) for number in range(8)]
    for thread in writers:
        thread.start()
    with psycopg.connect(dsn, autocommit=True) as looker:
        while time.monotonic() < until:
            assert_agreement(looker)
            counts["looks"] += 1
            time.sleep(0.2)
        for thread in writers:
            thread.join()
        assert not errors, errors[:5]
        ever = looker.execute("select pg_sequence_last_value('crmshift.sync_queue_id_seq')").fetchone()
        assert_agreement(looker)
        done = sync.drain(looker)
        assert_in_sync(looker)
        lost = looker.execute("select count(*) from crmshift.conflict_log").fetchone()
    assert ever is not None
    assert lost is not None
    assert counts["writes"] > 10 * SECONDS
    with capsys.disabled():
        print(
            f"\nhammer: {counts['writes']:,} writes in {SECONDS:.0f} s, no error; {ever[0] or 0:,} entries went through the queue, "
            f"{done.settled} of them at the end; {lost[0]:,} conflicts logged; the longest statement took {longest * 1000:.0f} ms"
        )
