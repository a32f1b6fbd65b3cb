"""What histories have found, by hand: each file of found/ is a script as in script.py.

Where it says `-- agreement`, and at the end, both sides agree or the queue says where not; then drain leaves nothing queued, and
what stands after `-- expect:` is true.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

import tests.support.templates  # noqa: F401  makes the template "parallel" known
from tests.properties.script import replay
from tests.support.agreement import assert_agreement, assert_in_sync, drain

FOUND = sorted((Path(__file__).parent / "found").glob("*.sql"))


@pytest.mark.parametrize("path", FOUND, ids=lambda p: p.stem)
def test_what_a_history_found_stays_mended(path: Path, make_database: Callable[[str], str]) -> None:
    dsn = make_database("parallel")
    text = path.read_text()
    with psycopg.connect(dsn, autocommit=True) as conn:
        for part in text.split("-- agreement\n"):
            replay(part, dsn, lock_timeout="50ms")
            assert_agreement(conn)
        for _ in range(2):
            drain(conn)
        assert_in_sync(conn)
        for expected in re.findall(r"^-- expect: (.*)$", text, re.MULTILINE):
            assert conn.execute(expected.encode()).fetchall() == [(True,)], expected
