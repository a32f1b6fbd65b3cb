"""Every step can be taken back, and taken again: the schema afterwards is the one before, to the letter."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from crmshift.plan import load
from crmshift.project import packaged_root
from tests.support.agreement import assert_in_sync
from tests.support.schema_dump import dump, fingerprint
from tests.support.servers import Server
from tests.support.templates import ADA, apply_compiled, apply_to, compiled, only_up_to, roll_back_to

PLAN = load(packaged_root() / "plans" / "lead_centric.yaml")
PHASES = [phase.name for phase in PLAN.phases]


STAYS = {"constraints/shared_tables_validated": " NOT VALID;"}
"""What a rollback leaves as it is: a validated constraint refuses no more than one that is not."""


@pytest.mark.slow
def test_every_step_forward_back_and_forward_again(server: Server, make_database: Callable[[str], str]) -> None:
    dsn = make_database("seeded")
    plan = compiled(dsn)
    before, name_before = fingerprint(server, dsn), "legacy"
    unchanged = []
    for step in plan.steps:
        so_far = only_up_to(plan, step.name)
        assert [s.name for s in apply_compiled(dsn, so_far, step.planned.phase)] == [step.name]
        after = fingerprint(server, dsn)
        if after == before:
            unchanged.append(step.planned.verb.value)
        roll_back_to(dsn, name_before, plan=so_far)
        stays = STAYS.get(step.name, ";")
        assert fingerprint(server, dsn) == before.replace(stays, ";"), f"{step.name} is taken back"
        apply_compiled(dsn, so_far, step.planned.phase)
        assert fingerprint(server, dsn) == after, f"{step.name} is taken again"
        before, name_before = after, step.name
    assert set(unchanged) == {"backfill", "validate"}, "every other step changes the schema, or this test sees nothing"
    with psycopg.connect(dsn) as conn:
        assert_in_sync(conn)


def test_the_whole_plan_forward_back_and_forward_again(server: Server, make_database: Callable[[str], str]) -> None:
    dsn = make_database("seeded")
    legacy = dump(server, dsn)
    rows = _rows(dsn)
    there = {}
    for phase in PHASES:
        apply_to(dsn, phase)
        there[phase] = fingerprint(server, dsn)
    for phase in reversed(PHASES[:-1]):
        roll_back_to(dsn, phase)
        assert fingerprint(server, dsn) == there[phase], f"back to {phase}"
    roll_back_to(dsn, "legacy")
    assert dump(server, dsn) == legacy
    assert _rows(dsn) == rows
    apply_to(dsn, PHASES[-1])
    assert fingerprint(server, dsn) == there[PHASES[-1]]
    with psycopg.connect(dsn) as conn:
        assert_in_sync(conn)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.shows("mission P14")
def test_from_any_phase_straight_back_to_legacy_nothing_is_left_behind(
    server: Server, make_database: Callable[[str], str], phase: str
) -> None:
    dsn = make_database("seeded")
    legacy = dump(server, dsn)
    apply_to(dsn, phase)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("update contacts set city = 'Rom' where id = %s", [ADA])
        if phase != "sync-layer":
            conn.execute("update leads set disposition = 'won' where customer_id = %s", [ADA])
    rows = _rows(dsn)
    roll_back_to(dsn, "legacy")
    assert dump(server, dsn) == legacy
    assert _rows(dsn) == rows


def test_the_undo_is_the_one_that_was_recorded_when_the_step_was_applied(
    server: Server, make_database: Callable[[str], str]
) -> None:
    """Files may change between apply and rollback; what is installed has not."""
    from dataclasses import replace

    from crmshift.steps import Statement

    dsn = make_database("seeded")
    legacy = dump(server, dsn)
    plan = compiled(dsn)
    apply_compiled(dsn, plan, "sync-layer")
    broken = replace(plan, steps=tuple(replace(s, undo=(Statement("x", "select 1/0"),)) for s in plan.steps))
    roll_back_to(dsn, "legacy", plan=broken)
    assert dump(server, dsn) == legacy


@pytest.mark.shows("mission P11")
def test_what_is_installed_twice_is_installed_once(server: Server, make_database: Callable[[str], str]) -> None:
    dsn = make_database("seeded")
    apply_to(dsn, "parallel-operation")
    once = fingerprint(server, dsn)
    assert apply_compiled(dsn, compiled(dsn), "parallel-operation") == ()
    assert fingerprint(server, dsn) == once


def _rows(dsn: str) -> list[tuple[object, ...]]:
    """Every row of the legacy tables."""
    with psycopg.connect(dsn) as conn:
        return [
            row
            for table in ("workspaces", "contacts", "custom_fields", "contact_custom_fields", "appointments")
            for row in conn.execute(f"select t::text from {table} as t order by 1").fetchall()
        ]
