"""The small world the histories move in: who is there, and which column of one side says what column of the other."""

from __future__ import annotations

import re

from tests.support.tables import LEGACY, TARGET
from tests.support.templates import FIELD, FIELD_OF_OTHER_WORKSPACE, OTHER_FIELD, OTHER_WORKSPACE, WORKSPACE

WORKSPACES = (WORKSPACE, OTHER_WORKSPACE)
FIELDS = (FIELD, OTHER_FIELD, FIELD_OF_OTHER_WORKSPACE)
PEOPLE = tuple(f"00000000-0000-0000-0000-0000000000c{n}" for n in range(1, 8))  # five of seed.sql, two to come
LEADS = tuple(f"00000000-0000-0000-0000-0000000000e{n}" for n in range(1, 5))  # leads that applications make
LEGACY_APPOINTMENTS = (1, 2, 3, 11, 12)  # three of seed.sql, two to come
TARGET_APPOINTMENTS = (1, 2, 3, 21, 22)

PERSON = {  # contacts: customers
    "firstname": "firstname",
    "lastname": "lastname",
    "email": "email",
    "phone_number": "phone1",
    "st_address": "address1",
    "city": "city",
    "state": "state",
    "zip": "zip",
}
FACTS = {  # contacts: the primary lead
    "lead_source": "source",
    "lead_status": "disposition",
    "appointment_status": "appointment_status",
}

MOVED = 1000
"""What a person adds to the number of an appointment that has to get another one; applications' own numbers stay below."""


_WRITTEN = re.compile(rf"\b({'|'.join((*LEGACY, *TARGET))})\b")


def sides_written(statement: str) -> set[str]:
    """The sides of the tables that a statement names."""
    return {side_of(table) for table in _WRITTEN.findall(statement)}


def side_of(table: str) -> str:
    return "legacy" if table in LEGACY else "target"
