"""Everything crmshift installs, as one file that a review sees change: tests/golden/schema.sql.

After a change that is meant: CRMSHIFT_UPDATE_GOLDEN=1 pytest tests/database/test_golden_schema.py
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.schema_dump import dump
from tests.support.servers import Server
from tests.support.templates import apply_to

GOLDEN = Path(__file__).parents[1] / "golden" / "schema.sql"
VERSION = 18  # another pg_dump writes the same schema another way
HEAD = f"""\
-- All that is in a database with the legacy reference schema after every phase of plans/lead_centric.yaml,
-- as pg_dump of PostgreSQL {VERSION} writes it. Made by tests/database/test_golden_schema.py; not to be edited by hand.

"""


def test_what_is_installed_is_the_golden_schema(server: Server, make_database: Callable[[str], str]) -> None:
    if server.version != VERSION:
        pytest.skip(f"the golden schema is written by PostgreSQL {VERSION}")
    dsn = make_database("seeded")
    apply_to(dsn, "legacy-deprecation")
    found = HEAD + dump(server, dsn)
    if os.environ.get("CRMSHIFT_UPDATE_GOLDEN"):
        GOLDEN.write_text(found, encoding="utf-8")
    assert found == GOLDEN.read_text(encoding="utf-8"), "meant? then: CRMSHIFT_UPDATE_GOLDEN=1"
