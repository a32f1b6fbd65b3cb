"""Reads a plan: YAML to phases and steps. Opens no connection and knows nothing of what is applied."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmshift.errors import UsageError
from crmshift.project import read

if TYPE_CHECKING:
    import yaml

BEFORE_EVERYTHING = "legacy"
"""Name of the state before the first phase, for `rollback --to`."""

DEFAULT_LOCK_TIMEOUT = "2s"
FIRES = ("origin", "always")
"""When the triggers of an attached table fire: in ordinary sessions, or also under session_replication_role = replica."""


class Verb(StrEnum):
    """What a step does."""

    RUN = "run"
    INSTALL = "install"
    ATTACH = "attach"
    BACKFILL = "backfill"
    VALIDATE = "validate"


@dataclass(frozen=True)
class PlannedStep:
    """One step as the plan names it.

    name: unique in the plan, `<verb>/<subject>` (for `run`, the file's own name).
    lock_timeout: longest wait for one lock, as PostgreSQL writes intervals.
    batch: most rows in a batch of a backfill; None: as many as crmshift.backfill_control allows.
    fires: when the triggers of an `attach` fire, one of `FIRES`.
    """

    name: str
    phase: str
    verb: Verb
    subject: str
    lock_timeout: str = DEFAULT_LOCK_TIMEOUT
    batch: int | None = None
    fires: str = FIRES[0]


@dataclass(frozen=True)
class Phase:
    """A named stretch of the migration. `incomplete` says what is still missing from it, where something is."""

    name: str
    why: str
    steps: tuple[PlannedStep, ...]
    incomplete: str | None = None


@dataclass(frozen=True)
class Plan:
    """Phases in order, the mappings they use, and the legacy columns deliberately left behind."""

    name: str
    phases: tuple[Phase, ...]
    to_target: tuple[str, ...]
    to_legacy: tuple[str, ...]
    left_behind: Mapping[str, frozenset[str]]

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        """All steps of all phases, in order."""
        return tuple(step for phase in self.phases for step in phase.steps)

    @property
    def mappings(self) -> tuple[str, ...]:
        """Names of all mappings, those to the target first."""
        return self.to_target + self.to_legacy

    def phase(self, name: str) -> Phase:
        """The phase of that name. Raises `UsageError` where there is none."""
        for phase in self.phases:
            if phase.name == name:
                return phase
        raise UsageError(f"There is no phase {name!r}.", hint=f"Phases: {', '.join(p.name for p in self.phases)}.")

    def up_to(self, phase: str) -> tuple[PlannedStep, ...]:
        """Steps of all phases up to and with this one."""
        last = self.phases.index(self.phase(phase))
        return tuple(step for p in self.phases[: last + 1] for step in p.steps)

    def after(self, target: str) -> tuple[PlannedStep, ...]:
        """Steps to undo to go back to a phase, a step, or `legacy`, in the order they are undone.

        Raises `UsageError` where neither a phase nor a step has that name.
        """
        steps = self.steps
        if target == BEFORE_EVERYTHING:
            keep = 0
        elif any(p.name == target for p in self.phases):
            keep = len(self.up_to(target))
        elif any(step.name == target for step in steps):
            keep = [step.name for step in steps].index(target) + 1
        else:
            phases = ", ".join(p.name for p in self.phases)
            raise UsageError(
                f"There is neither a phase nor a step {target!r}.",
                hint=f"Phases: {BEFORE_EVERYTHING}, {phases}. Steps: see crmshift plan.",
            )
        return tuple(reversed(steps[keep:]))


def load(path: Path) -> Plan:
    """Read a plan. Raises `UsageError` that names file and place for whatever is wrong, unknown keys above all."""
    import yaml

    try:
        document = yaml.load(read(path), _strict_loader())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UsageError(
            f"{path}{place}: not valid YAML: {error.problem}.", hint="Mend the file there, or just above."
        ) from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not valid YAML.", hint="Is it the right file?") from error
    where = str(path)
    top = _mapping(
        document, where, {"name", "mappings", "left_behind", "phases"}, required={"name", "mappings", "phases"}
    )
    mappings = _mapping(
        top["mappings"], f"{where}, mappings", {"to_target", "to_legacy"}, required={"to_target", "to_legacy"}
    )
    left_behind = top.get("left_behind") or {}
    if not isinstance(left_behind, dict):
        raise UsageError(f"{where}, left_behind: expected tables with lists of columns.")
    phases = tuple(_phase(p, where) for p in _list(top["phases"], f"{where}, phases"))
    plan = Plan(
        name=str(top["name"]),
        phases=phases,
        to_target=_strings(mappings["to_target"], f"{where}, mappings.to_target"),
        to_legacy=_strings(mappings["to_legacy"], f"{where}, mappings.to_legacy"),
        left_behind={
            str(table): frozenset(_strings(columns, f"{where}, left_behind.{table}"))
            for table, columns in left_behind.items()
        },
    )
    _refuse_repeats([p.name for p in phases], f"{where}: two phases are named")
    _refuse_repeats([s.name for s in plan.steps], f"{where}: two steps are named")
    for step in plan.steps:
        if step.verb is Verb.INSTALL and step.subject not in plan.mappings:
            raise UsageError(
                f"{where}, step {step.name}: {step.subject!r} is not among the mappings of the plan.",
                hint=f"Mappings: {', '.join(plan.mappings)}.",
            )
    return plan


def _strict_loader() -> type[yaml.SafeLoader]:
    """YAML lets the last of two equal keys win; here that is an error."""
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            for key, (key_node, _) in zip(keys, node.value, strict=True):
                if keys.count(key) > 1:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key!r} stands twice", key_node.start_mark
                    )
            return super().construct_mapping(node, deep)

    return Loader


def _phase(node: Any, where: str) -> Phase:
    fields = _mapping(
        node, f"{where}, a phase", {"name", "why", "steps", "incomplete"}, required={"name", "why", "steps"}
    )
    name = str(fields["name"])
    steps = tuple(_step(s, name, f"{where}, phase {name}") for s in _list(fields["steps"], f"{where}, phase {name}"))
    return Phase(name=name, why=str(fields["why"]), steps=steps, incomplete=fields.get("incomplete"))


def _step(node: Any, phase: str, where: str) -> PlannedStep:
    verbs = {v.value for v in Verb}
    fields = _mapping(node, f"{where}, a step", verbs | {"lock_timeout", "batch", "fires"}, required=set())
    named = [v for v in Verb if v.value in fields]
    if len(named) != 1:
        raise UsageError(
            f"{where}: a step has one verb, this one has {len(named)}: {node}.",
            hint=f"Verbs: {', '.join(sorted(verbs))}.",
        )
    verb, subject = named[0], str(fields[named[0].value])
    batch = fields.get("batch")
    if "batch" in fields and (not isinstance(batch, int) or isinstance(batch, bool) or batch < 1):
        raise UsageError(f"{where}, step {subject}: batch must be a whole number above zero, not {batch!r}.")
    fires = fields.get("fires", FIRES[0])
    if fires not in FIRES:
        raise UsageError(f"{where}, step {subject}: fires must be {' or '.join(FIRES)}, not {fires!r}.")
    if "fires" in fields and verb is not Verb.ATTACH:
        raise UsageError(f"{where}, step {subject}: only an attach has triggers that fire.")
    return PlannedStep(
        name=subject if verb is Verb.RUN else f"{verb.value}/{subject.rpartition('.')[2]}",
        phase=phase,
        verb=verb,
        subject=subject,
        lock_timeout=str(fields.get("lock_timeout", DEFAULT_LOCK_TIMEOUT)),
        batch=batch,
        fires=fires,
    )


def _mapping(node: Any, where: str, known: set[str], *, required: set[str]) -> dict[str, Any]:
    if not isinstance(node, dict):
        raise UsageError(f"{where}: expected keys and values, found {_kind(node)}.")
    unknown = sorted(str(key) for key in node if key not in known)
    if unknown:
        raise UsageError(
            f"{where}: unknown key {', '.join(map(repr, unknown))}.", hint=f"Known keys: {', '.join(sorted(known))}."
        )
    missing = sorted(required - node.keys())
    if missing:
        raise UsageError(f"{where}: missing key {', '.join(map(repr, missing))}.")
    return node


def _kind(node: Any) -> str:
    return {type(None): "nothing", dict: "keys and values", list: "a list", str: "text"}.get(
        type(node), "a plain value"
    )


def _list(node: Any, where: str) -> list[Any]:
    if not isinstance(node, list):
        raise UsageError(f"{where}: expected a list, found {_kind(node)}.")
    return node


def _strings(node: Any, where: str) -> tuple[str, ...]:
    return tuple(str(item) for item in _list(node, where))


def _refuse_repeats(names: Sequence[str], what: str) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise UsageError(f"{what} {', '.join(repeated)}.")
