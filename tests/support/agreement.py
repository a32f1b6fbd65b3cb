"""The promise that everything else serves: both sides agree, or the key stands in the sync queue."""

from __future__ import annotations

from typing import Any

import psycopg

_DRIFT = """
select m.target, m.name, d.key, d.kind, d.columns
  from crmshift.mapping as m cross join lateral crmshift.drift(m.name) as d
 where not crmshift.is_outstanding(m.name, d.key)
 order by m.direction desc, m.position, d.key::text
"""


def assert_agreement(conn: psycopg.Connection) -> None:
    """Fails with keys and columns where a row of either side is not what its mapping says and does not stand in the queue.

    One statement, hence one snapshot: right under live writes too.
    """
    rows = conn.execute(_DRIFT).fetchall()
    assert not rows, "\n".join(
        [
            f"{len(rows)} rows disagree:",
            *(f"  {target} {key} {kind} {', '.join(columns or ())}" for target, _, key, kind, columns in rows[:50]),
            f"the queue: {queue(conn) or 'empty'}",
        ]
    )


def assert_in_sync(conn: psycopg.Connection) -> None:
    """Both sides agree, and nothing stands in the queue."""
    assert_agreement(conn)
    assert queue(conn) == []


def queue(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    """What stands in the sync queue: subject, key, reason, SQLSTATE."""
    return conn.execute("select subject, key, reason, sqlstate from crmshift.sync_queue order by id").fetchall()


def drain(conn: psycopg.Connection) -> None:
    """Settle the queue, as `crmshift sync drain` does."""
    from crmshift import sync

    sync.drain(conn)
