"""A step says which locks it takes, whom they keep waiting, and what undoing it destroys."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from crmshift.plan import PlannedStep, Verb, load
from crmshift.project import Project
from crmshift.steps import Lock, Statement, Step


def step(*statements: str, undo: tuple[str, ...] = (), verb: Verb = Verb.RUN) -> Step:
    return Step(
        PlannedStep("a/step", "phase", verb, "a/step"),
        tuple(Statement("thing", s) for s in statements),
        tuple(Statement("thing", s) for s in undo),
    )


# A statement as the files and the derivation write it, and its strongest lock on a table that may be in use.
LOCKS = {
    "create table public.customers (cst_id uuid primary key);": {},
    "create table public.leads (id uuid, constraint c foreign key (id) references public.leads (id));": {},
    "create index leads_idx on public.leads (id);\ncreate table public.leads (id uuid);": {},
    "create view crmshift.v as select 1 as one;": {},
    "create trigger crmshift_sync_insert\nafter insert on public.contacts referencing new table as changed\nfor each statement execute function crmshift.tg()": {
        "public.contacts": "SHARE ROW EXCLUSIVE"
    },
    'create trigger crmshift_sync_insert\nafter insert on "Public"."Contacts"\nfor each statement execute function crmshift.tg()': {
        "Public.Contacts": "SHARE ROW EXCLUSIVE"
    },
    "drop trigger crmshift_sync_insert on public.contacts": {"public.contacts": "ACCESS EXCLUSIVE"},
    'drop trigger if exists crmshift_sync_insert on public."Contacts 5"': {"public.Contacts 5": "ACCESS EXCLUSIVE"},
    "drop table public.leads;": {"public.leads": "ACCESS EXCLUSIVE"},
    "drop table if exists public.leads;": {"public.leads": "ACCESS EXCLUSIVE"},
    "drop table crmshift.mapping;": {},
    "alter table public.customers add constraint c\n    foreign key (workspace_id) references public.workspaces (id) not valid;": {
        "public.customers": "SHARE ROW EXCLUSIVE",
        "public.workspaces": "SHARE ROW EXCLUSIVE",
    },
    "alter table public.customers validate constraint c;": {"public.customers": "SHARE UPDATE EXCLUSIVE"},
    "alter table public.customers drop constraint c;": {"public.customers": "ACCESS EXCLUSIVE"},
    "alter table public.contacts enable always trigger crmshift_sync_insert": {
        "public.contacts": "SHARE ROW EXCLUSIVE"
    },
    "alter table public.contacts enable row level security;": {"public.contacts": "ACCESS EXCLUSIVE"},
    "create table public.new (id int);\nalter table public.new enable row level security;": {},
    "drop function crmshift.tg_contacts": {},
    "select * from crmshift.backfill_batch('customers', 1000)": {},
}


@pytest.mark.parametrize("statement", LOCKS)
def test_the_strongest_lock_on_each_table_in_use_is_named(statement: str) -> None:
    assert {lock.table: lock.mode for lock in step(statement).locks} == LOCKS[statement]
    assert {lock.table: lock.mode for lock in step(undo=(statement,)).undo_locks} == LOCKS[statement]


FOREIGN_KEY = "alter table public.customers add constraint c\n    foreign key (workspace_id) references public.workspaces (id) not valid;"


@pytest.mark.parametrize("drop", ["drop constraint c", "drop constraint if exists c"])
def test_a_foreign_key_locks_both_tables_when_it_is_dropped(drop: str) -> None:
    both = {"public.customers": "ACCESS EXCLUSIVE", "public.workspaces": "ACCESS EXCLUSIVE"}
    undone = step(FOREIGN_KEY, undo=(f"-- Undoes it.\nalter table public.customers {drop};",))
    assert {lock.table: lock.mode for lock in undone.undo_locks} == both
    done = step(f"alter table public.customers {drop};", undo=(FOREIGN_KEY,))
    assert {lock.table: lock.mode for lock in done.locks} == both
    another = step(FOREIGN_KEY, undo=("alter table public.customers drop constraint d;",))
    assert {lock.table for lock in another.undo_locks} == {"public.customers"}


def test_of_several_locks_on_one_table_the_strongest_counts() -> None:
    both = step("alter table public.a validate constraint c;", "drop trigger t on public.a")
    assert both.locks == (Lock("public.a", "ACCESS EXCLUSIVE"),)


@pytest.mark.parametrize(
    ("mode", "blocks"),
    [
        ("ACCESS EXCLUSIVE", "readers and writers"),
        ("SHARE ROW EXCLUSIVE", "writers"),
        ("SHARE UPDATE EXCLUSIVE", "nobody"),
    ],
)
def test_a_lock_says_whom_it_keeps_waiting(mode: str, blocks: str) -> None:
    assert Lock("public.contacts", mode).blocks == blocks


def test_hazards_are_named_after_the_locks() -> None:
    s = step(
        "create trigger t\nafter insert on public.a for each statement execute function f()",
        "drop trigger t on public.b",
    )
    assert s.hazards == ("takes_access_exclusive", "takes_share_row_exclusive")
    assert step("create view crmshift.v as select 1 as one;").hazards == ()


def test_only_the_drop_of_a_table_outside_our_schema_destroys_data() -> None:
    assert step(undo=("-- Undoes.\ndrop table public.leads;",)).undo_deletes_data
    assert not step(undo=("drop table crmshift.sync_queue;",)).undo_deletes_data
    assert not step("drop table public.leads;").undo_deletes_data
    assert not step(undo=("drop view crmshift.v;", "drop function crmshift.f")).undo_deletes_data


def test_a_backfill_and_a_validation_are_not_one_transaction() -> None:
    assert {verb: step(verb=verb).transactional for verb in Verb} == {
        Verb.RUN: True,
        Verb.INSTALL: True,
        Verb.ATTACH: True,
        Verb.BACKFILL: False,
        Verb.VALIDATE: False,
    }


def test_the_checksum_is_that_of_the_statements_in_order() -> None:
    assert step("a", "b").checksum == hashlib.sha256(b"a\nb").hexdigest()
    with_partition = replace(
        step("a", "b"), statements=(Statement("t", "a"), Statement("p", "x", True), Statement("t", "b"))
    )
    assert with_partition.checksum == step("a", "b").checksum, "partitions come and go"
    assert len({s.checksum for s in (step("a", "b"), step("b", "a"), step("a"))}) == 3


def test_no_file_of_the_plan_takes_a_lock_on_a_legacy_table_but_for_the_shared_foreign_keys() -> None:
    """Triggers are attached one table at a time, by steps of their own; see the database tests for the measured locks."""
    project = Project.open(None)
    found = {
        planned.name: {
            lock.table
            for lock in Step(planned, (Statement(planned.name, project.sql(planned.subject).text),), ()).locks
        }
        for planned in load(project.plan("lead_centric")).steps
        if planned.verb is Verb.RUN
    }
    locked = {name: tables for name, tables in found.items() if tables}
    assert locked == {
        "schema/primary_lead": {"public.leads"},  # which crmshift has just made
        "constraints/shared_tables": {
            "public.customers",
            "public.customer_custom_fields",
            "public.workspaces",
            "public.custom_fields",
        },
        "constraints/shared_tables_validated": {"public.customers", "public.customer_custom_fields"},
    }
