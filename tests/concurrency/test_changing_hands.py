"""A lead changes hands, or stops being the primary one, while somebody writes an appointment that goes by it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.agreement import assert_agreement, assert_in_sync, drain
from tests.support.sessions import sessions
from tests.support.templates import ADA, BEN, WORKSPACE

Make = Callable[[str], str]

SECOND = "00000000-0000-0000-0000-00000000005e"
CHANGES = {
    "passes to another customer": f"update leads set customer_id = '{BEN}', is_primary = false where customer_id = '{ADA}' and is_primary",
    "makes way for another": f"update leads set is_primary = true where id = '{SECOND}'",
    "is deleted": f"delete from leads where customer_id = '{ADA}' and is_primary",
}
APPOINTMENTS = {
    "in legacy": f"insert into appointments (contact_id, status) values ('{ADA}', 'new')",
    "on the target": f"insert into lead_appointments (lead_id, workspace_id, status) select id, workspace_id, 'new' from leads where customer_id = '{ADA}' and is_primary",
}


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
@pytest.mark.parametrize("order", ["changed first", "appointment first", "appointment open"])
@pytest.mark.parametrize("where", APPOINTMENTS)
@pytest.mark.parametrize("change", CHANGES)
def test_neither_overlooks_the_other(make_database: Make, change: str, where: str, order: str, isolation: str) -> None:
    with sessions(make_database("parallel"), "changes", "appoints", "looks") as (changes, appoints, looks):
        looks(
            "insert into leads (id, customer_id, workspace_id, disposition) values (%s, %s, %s, 'second')",
            SECOND,
            ADA,
            WORKSPACE,
        )
        if change == "is deleted":
            looks("delete from appointments where contact_id = %s", ADA)
        changes(f"begin isolation level {isolation}")
        changes("select count(*) from leads")
        appoints("begin")
        if order == "changed first":
            changes(CHANGES[change])
            appointed = appoints.start(APPOINTMENTS[where])
            appointed.blocked(0.3)
        else:
            appointed = appoints.start(APPOINTMENTS[where])
            appointed.result()
        if order == "appointment first":
            appoints.commit()
        if order != "changed first":
            changed = changes.start(CHANGES[change])
            if changed.blocked(0.3):  # by a foreign key, as without crmshift
                appoints.commit()
            try:
                changed.result()
            except Exception as error:
                assert getattr(error, "sqlstate", None) in ("40001", "23503"), error
        changes.connection.commit()
        try:
            appointed.result()
        except Exception as error:  # the lead is gone, and the application asked for just that one
            assert getattr(error, "sqlstate", None) == "23503", error
            assert (change, where, order) == ("is deleted", "on the target", "changed first")
        appoints.connection.commit()
        assert_agreement(looks.connection)
        drain(looks.connection)
        assert_in_sync(looks.connection)
