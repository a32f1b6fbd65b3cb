"""Reading a plan: what it says, and what is said about whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from crmshift.errors import UsageError
from crmshift.plan import DEFAULT_LOCK_TIMEOUT, Plan, Verb, load
from crmshift.project import packaged_root

GOOD = """
name: small
mappings:
  to_target: [customers]
  to_legacy: [contacts]
left_behind:
  public.contacts: [score, notes]
phases:
  - name: first
    why: It comes first.
    steps:
      - run: schema/ledger
      - install: customers
        lock_timeout: 500ms
      - attach: public.contacts
  - name: second
    why: It comes second.
    incomplete: Half of it.
    steps:
      - backfill: customers
        batch: 50
      - validate: all
"""


def plan(tmp_path: Path, text: str) -> Plan:
    path = tmp_path / "small.yaml"
    path.write_text(dedent(text), encoding="utf-8")
    return load(path)


def refused(tmp_path: Path, text: str) -> UsageError:
    with pytest.raises(UsageError) as error:
        plan(tmp_path, text)
    assert "small.yaml" in error.value.message, "the message names the file"
    return error.value


def test_a_plan_is_phases_of_steps_in_order(tmp_path: Path) -> None:
    p = plan(tmp_path, GOOD)
    assert p.name == "small"
    assert [(s.phase, s.name, s.verb, s.subject) for s in p.steps] == [
        ("first", "schema/ledger", Verb.RUN, "schema/ledger"),
        ("first", "install/customers", Verb.INSTALL, "customers"),
        ("first", "attach/contacts", Verb.ATTACH, "public.contacts"),
        ("second", "backfill/customers", Verb.BACKFILL, "customers"),
        ("second", "validate/all", Verb.VALIDATE, "all"),
    ]
    assert [s.lock_timeout for s in p.steps] == [DEFAULT_LOCK_TIMEOUT, "500ms"] + [DEFAULT_LOCK_TIMEOUT] * 3
    assert [s.batch for s in p.steps] == [None, None, None, 50, None]
    assert p.mappings == ("customers", "contacts")
    assert p.left_behind == {"public.contacts": frozenset({"score", "notes"})}
    assert (p.phase("first").incomplete, p.phase("second").incomplete) == (None, "Half of it.")
    assert p.phase("second").why == "It comes second."


def test_left_behind_may_be_left_out_or_empty(tmp_path: Path) -> None:
    for text in ("left_behind: {}\n", "left_behind:\n", ""):
        before, after = GOOD.split("left_behind:\n  public.contacts: [score, notes]\n")
        assert plan(tmp_path, before + text + after).left_behind == {}


def test_steps_up_to_a_phase_are_those_of_the_phases_before_too(tmp_path: Path) -> None:
    p = plan(tmp_path, GOOD)
    assert len(p.up_to("first")) == 3
    assert p.up_to("second") == p.steps
    with pytest.raises(UsageError, match="There is no phase 'third'") as error:
        p.up_to("third")
    assert error.value.hint == "Phases: first, second."


@pytest.mark.parametrize(
    ("target", "undone"),
    [
        ("second", []),
        ("first", ["validate/all", "backfill/customers"]),
        ("legacy", ["validate/all", "backfill/customers", "attach/contacts", "install/customers", "schema/ledger"]),
        ("validate/all", []),
        ("attach/contacts", ["validate/all", "backfill/customers"]),
        ("schema/ledger", ["validate/all", "backfill/customers", "attach/contacts", "install/customers"]),
    ],
)
def test_what_comes_after_a_phase_or_step_is_undone_last_first(tmp_path: Path, target: str, undone: list[str]) -> None:
    assert [s.name for s in plan(tmp_path, GOOD).after(target)] == undone


def test_going_back_to_what_the_plan_does_not_know_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither a phase nor a step 'customers'") as error:
        plan(tmp_path, GOOD).after("customers")
    assert error.value.hint and "legacy, first, second" in error.value.hint


# A change of the good plan, and what the message and the hint say.
WRONG = {
    "an unknown key at the top": (
        ("name: small", "name: small\nnmae: x"),
        ": unknown key 'nmae'.",
        "Known keys: left_behind, mappings, name, phases.",
    ),
    "a missing key at the top": (("name: small", ""), ": missing key 'name'.", None),
    "an unknown direction": (
        ("to_legacy", "to_lagacy"),
        ", mappings: unknown key 'to_lagacy'.",
        "Known keys: to_legacy, to_target.",
    ),
    "a missing direction": (("  to_legacy: [contacts]\n", ""), ", mappings: missing key 'to_legacy'.", None),
    "mappings that are no list": (("[customers]", "customers"), ", mappings.to_target: expected a list, found text.", None),
    "an unknown key of a phase": (
        ("    why: It comes first.", "    why: x\n    because: y"),
        ", a phase: unknown key 'because'.",
        "Known keys: incomplete, name, steps, why.",
    ),
    "a phase without a reason": (("    why: It comes first.\n", ""), ", a phase: missing key 'why'.", None),
    "a phase that is a word": (("  - name: first\n    why", "  - first\n  - name: first\n    why"), ", a phase: expected keys and values, found text.", None),
    "phases that are no list": (("phases:\n", "phases: {}\nignored:\n"), "unknown key 'ignored'", None),
    "steps that are no list": (
        ("    steps:\n      - backfill: customers\n        batch: 50\n      - validate: all", "    steps: all"),
        ", phase second: expected a list, found text.",
        None,
    ),
    "an unknown verb": (("- attach: public.contacts", "- atach: public.contacts"), ", phase first, a step: unknown key 'atach'.", "attach, backfill, batch, fires, install, lock_timeout, run, validate."),
    "a step without a verb": (("- attach: public.contacts", "- lock_timeout: 1s"), ", phase first: a step has one verb, this one has 0", "Verbs: attach, backfill, install, run, validate."),
    "a step with two verbs": (("- attach: public.contacts", "- {attach: public.contacts, run: x}"), ", phase first: a step has one verb, this one has 2", "Verbs:"),
    "a step that is a word": (("- attach: public.contacts", "- attach"), ", phase first, a step: expected keys and values, found text.", None),
    "a batch of nothing": (("batch: 50", "batch: 0"), "step customers: batch must be a whole number above zero, not 0.", None),
    "a batch that is a word": (("batch: 50", "batch: many"), "step customers: batch must be a whole number above zero, not 'many'.", None),
    "a batch that is true": (("batch: 50", "batch: yes"), "step customers: batch must be a whole number above zero, not True.", None),
    "triggers that fire at an unknown time": (("- attach: public.contacts", "- {attach: public.contacts, fires: never}"), "step public.contacts: fires must be origin or always, not 'never'.", None),
    "triggers of a step that has none": (("- validate: all", "- {validate: all, fires: always}"), "step all: only an attach has triggers that fire.", None),
    "two phases of one name": (("name: second", "name: first"), ": two phases are named first.", None),
    "two steps of one name": (("- validate: all", "- backfill: customers"), ": two steps are named backfill/customers.", None),
    "a writer without a mapping": (("- install: customers", "- install: customer"), ", step install/customer: 'customer' is not among the mappings", "Mappings: customers, contacts."),
    "columns left behind of no table": (("left_behind:\n  public.contacts: [score, notes]", "left_behind: [score]"), ", left_behind: expected tables with lists of columns.", None),
    "columns left behind that are no list": (("[score, notes]", "score"), ", left_behind.public.contacts: expected a list, found text.", None),
    "no YAML": (("name: small", "name: [small"), ": not valid YAML: ", None),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_with_file_place_and_remedy(tmp_path: Path, what: str) -> None:
    (good, bad), message, hint = WRONG[what]
    assert good in GOOD
    error = refused(tmp_path, GOOD.replace(good, bad, 1))
    assert message in error.message
    if hint is not None:
        assert error.hint and hint in error.hint


@pytest.mark.parametrize("text", ["", "plan", "- name: small", "name: 1"])
def test_a_file_that_is_no_plan_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    refused(tmp_path, text)


def test_a_file_that_does_not_exist_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yaml cannot be read"):
        load(tmp_path / "none.yaml")


def test_the_plan_that_comes_with_crmshift_has_the_four_phases() -> None:
    p = load(packaged_root() / "plans" / "lead_centric.yaml")
    assert [phase.name for phase in p.phases] == [
        "sync-layer",
        "parallel-operation",
        "traffic-migration",
        "legacy-deprecation",
    ]
    assert all(phase.why and phase.steps for phase in p.phases)
    installed = {s.subject for s in p.steps if s.verb is Verb.INSTALL}
    assert installed == set(p.mappings), "every mapping is installed"
    attached = {s.subject for s in p.steps if s.verb is Verb.ATTACH}
    backfilled = {s.subject for s in p.steps if s.verb is Verb.BACKFILL}
    assert backfilled == {"public.contacts", "public.contact_custom_fields", "public.appointments"}
    assert backfilled < attached
    verbs = [s.verb for s in p.steps]
    assert verbs.index(Verb.BACKFILL) > max(i for i, v in enumerate(verbs) if v is Verb.ATTACH), (
        "triggers come before history"
    )
