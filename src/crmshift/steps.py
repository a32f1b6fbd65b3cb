"""Turns what a plan names into what will be executed: statements, their undo, and the locks they take.

A `Step` is what `plan` shows, `apply` executes and the ledger stores: one object, so that shown is run.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg import RawCursor, sql
from psycopg.types.json import Jsonb

from crmshift import mapping as mappings
from crmshift.db import Connection, translated
from crmshift.errors import UsageError
from crmshift.mapping import MappingFile
from crmshift.plan import Plan, PlannedStep, Verb
from crmshift.project import Project, checksum

MOST_ROWS = 10_000
"""In a batch of a backfill, as crmshift.backfill_control has it where nobody changed it: to be shown."""

RANGE_ROWS = 25_000
"""Rows, about, in a range of keys that a validation compares: the least that is worth a statement."""

TRIGGERS = ("crmshift_sync_insert", "crmshift_sync_update", "crmshift_sync_delete", "crmshift_sync_truncate")


@dataclass(frozen=True)
class Statement:
    """SQL text and the object it makes or changes. on_partition: of a partition, which may come and go."""

    object: str
    sql: str
    on_partition: bool = False


@dataclass(frozen=True)
class Lock:
    """The strongest lock a step takes on a table that may be in use, and what that does to others."""

    table: str
    mode: str

    @property
    def blocks(self) -> str:
        """Whom it keeps waiting, at most for the step's lock_timeout plus the step itself."""
        return {"ACCESS EXCLUSIVE": "readers and writers", "SHARE ROW EXCLUSIVE": "writers"}.get(self.mode, "nobody")


@dataclass(frozen=True)
class Step:
    """A planned step with everything it will execute.

    statements: executed in order, in one transaction where `transactional`.
    undo: executed in order to take it back.
    """

    planned: PlannedStep
    statements: tuple[Statement, ...]
    undo: tuple[Statement, ...]

    @property
    def name(self) -> str:
        return self.planned.name

    @property
    def transactional(self) -> bool:
        """False for a backfill, which commits batch by batch, and for a validation, which changes nothing."""
        return self.planned.verb not in (Verb.BACKFILL, Verb.VALIDATE)

    @property
    def checksum(self) -> str:
        """SHA-256 of the statements, in hex; without those on partitions: one more or less makes it no other step."""
        return checksum("\n".join(s.sql for s in self.statements if not s.on_partition))

    @property
    def locks(self) -> tuple[Lock, ...]:
        return _locks(self.statements, self.undo)

    @property
    def undo_locks(self) -> tuple[Lock, ...]:
        return _locks(self.undo, self.statements)

    @property
    def hazards(self) -> tuple[str, ...]:
        """Hazards of the step, by name."""
        return tuple(sorted({f"takes_{lock.mode.lower().replace(' ', '_')}" for lock in self.locks}))

    @property
    def undo_deletes_data(self) -> bool:
        """Whether undoing it drops a table outside crmshift's own schema."""
        return any(re.search(r"^drop table (?!crmshift\.)", s.sql, re.M) for s in self.undo)


@dataclass(frozen=True)
class Compiled:
    """A plan with all its steps and mappings made out."""

    plan: Plan
    steps: tuple[Step, ...]
    mappings: tuple[MappingFile, ...]

    def step(self, name: str) -> Step:
        """The step of that name, known to exist."""
        return next(s for s in self.steps if s.name == name)

    def in_direction(self, direction: str) -> tuple[MappingFile, ...]:
        """Mappings of one direction, in position order."""
        return tuple(sorted((m for m in self.mappings if m.direction == direction), key=lambda m: m.position))


def compile_plan(plan: Plan, project: Project, conn: Connection) -> Compiled:
    """Make out every step. Reads files, and runs the derivation as a query; changes nothing, needs nothing installed.

    Raises `UsageError` for a file that is missing or cannot be understood, and for backfills in an order that cannot work.
    """
    files = mappings.parse_all(project.sql(f"mapping/{name}") for name in plan.mappings)
    _refuse_children_first(plan, files)
    derive = _Derivation(project, conn)
    return Compiled(plan, tuple(_compile(step, project, files, derive) for step in plan.steps), files)


def _refuse_children_first(plan: Plan, files: Sequence[MappingFile]) -> None:
    """A row is made before those that refer to it."""
    walks = [s.subject for s in plan.steps if s.verb is Verb.BACKFILL]
    for child, later in itertools.combinations(walks, 2):
        if later in mappings.built_on(child, files):
            raise UsageError(
                f"The backfill from {child} comes before that from {later}, whose rows it builds on.",
                hint="Put the backfills in the plan into the other order.",
            )


class _Derivation:
    """The bodies of the two functions that derive, run as queries, so that nothing needs to be installed."""

    def __init__(self, project: Project, conn: Connection) -> None:
        self._mapping = project.sql("schema/derive_writers").text.split("$derive$")[1]
        triggers = project.sql("schema/derive_triggers").text
        self._trigger = triggers.split("$derive$")[1]
        self._partitions = triggers.split("$partitions$")[1]
        self._conn = conn

    def mapping(self, description: dict[str, Any]) -> tuple[Statement, ...]:
        return self._run(self._mapping, description)

    def trigger(self, description: dict[str, Any]) -> tuple[Statement, ...]:
        return self._run(self._trigger, description)

    def partitions(self, table: str) -> tuple[str, ...]:
        """Partitions a table has now; none where it does not exist yet."""
        with translated(), RawCursor(self._conn) as cursor:
            return tuple(row[0] for row in cursor.execute(self._partitions, [table]).fetchall())

    def _run(self, body: str, description: dict[str, Any]) -> tuple[Statement, ...]:
        with translated(), RawCursor(self._conn) as cursor:
            rows = cursor.execute(body, [Jsonb(description)]).fetchall()
        return tuple(Statement(row[1], row[2]) for row in sorted(rows, key=lambda r: r[0]))


def _compile(planned: PlannedStep, project: Project, files: Sequence[MappingFile], derive: _Derivation) -> Step:
    subject = planned.subject
    if planned.verb is Verb.RUN:
        forward, back = project.sql(subject), project.sql(f"rollback/{subject}")
        return Step(planned, (Statement(subject, forward.text),), (Statement(back.name, back.text),))
    if planned.verb is Verb.INSTALL:
        file = next(m for m in files if m.name == subject)
        statements = derive.mapping(mappings.describe_mapping(file, files))
        return Step(planned, statements, tuple(_drop_function(s.object) for s in reversed(statements)))
    if planned.verb is Verb.ATTACH:
        return _attach(planned, mappings.describe_source(subject, files), derive)
    if planned.verb is Verb.BACKFILL:
        if not mappings.backfilled(subject, files):
            raise UsageError(
                f"No mapping to the target is made from the table {subject}: there is nothing to backfill.",
                hint="A backfill names a table that feeds one with mode 'sync', in sql/mapping/.",
            )
        start = sql.SQL("select * from crmshift.backfill_start({})").format(subject).as_string()
        batch = (
            sql.SQL("select * from crmshift.backfill_batch({}, {})")
            .format(subject, planned.batch or MOST_ROWS)
            .as_string()
        )
        end = sql.SQL("select crmshift.backfill_end({})").format(subject).as_string()
        forget = sql.SQL("delete from crmshift.backfill_walk where source = {}").format(subject).as_string()
        return Step(
            planned,
            (
                Statement(f"backfill from {subject}", start),
                Statement(f"backfill from {subject}, once for each batch, with as many rows as are quick", batch),
                Statement(f"statistics of what the backfill from {subject} has filled", end),
            ),
            (Statement(f"backfill from {subject}", forget),),
        )
    compare = (
        sql.SQL(
            "select m.name, c.* from crmshift.mapping as m cross join lateral crmshift.key_ranges(m.name, {}) as r\n"
            " cross join lateral crmshift.compare_rows(m.name, null, r.after, r.up_to) as c\n where m.direction = 'to_target'"
        )
        .format(RANGE_ROWS)
        .as_string()
    )
    check = (
        "select l.name, c.* from crmshift.check_list as l cross join lateral crmshift.run_check(l.name) as c\n"
        " where l.name not like 'drift\\_%'"
    )
    return Step(planned, (Statement("every row, by ranges of keys", compare), Statement("all other checks", check)), ())


def _attach(planned: PlannedStep, description: dict[str, Any], derive: _Derivation) -> Step:
    table = planned.subject
    partitions = derive.partitions(table)
    statements = derive.trigger(description | {"partitions": list(partitions)})
    own = {f"trigger {name} on {partition}" for partition in partitions for name in TRIGGERS}
    statements = tuple(replace(s, on_partition=s.object in own) for s in statements)
    if planned.fires == "always":
        statements += tuple(_fire_always(name, table) for name in TRIGGERS)
        statements += tuple(_fire_always(name, p, partition=True) for p in partitions for name in TRIGGERS)
    forget = sql.SQL("delete from crmshift.capture where source = {}").format(table).as_string()
    functions = [s.object for s in statements if s.sql.startswith("create or replace function")]
    triggers = [_drop_trigger(name, table) for name in TRIGGERS]
    triggers += [_drop_trigger(name, partition, partition=True) for partition in partitions for name in TRIGGERS]
    # On a trigger function nothing but triggers can depend: here those of partitions made, or detached, since then.
    drops = [_drop_function(f, cascade=f.startswith("crmshift.tg_")) for f in reversed(functions)]
    return Step(planned, statements, (*triggers, *drops, Statement(statements[0].object, forget)))


def _drop_function(name: str, *, cascade: bool = False) -> Statement:
    identifier = sql.Identifier(*name.split("."))
    statement = sql.SQL("drop function {} cascade" if cascade else "drop function {}").format(identifier)
    return Statement(name, statement.as_string())


def _drop_trigger(name: str, table: str, *, partition: bool = False) -> Statement:
    """`partition`: its name is quoted already, and it may be gone."""
    on = sql.SQL(table) if partition else sql.Identifier(*table.split("."))
    drop = sql.SQL("drop trigger if exists {} on {}" if partition else "drop trigger {} on {}")
    statement = drop.format(sql.Identifier(name), on)
    return Statement(f"trigger {name} on {table}", statement.as_string(), on_partition=partition)


def _fire_always(name: str, table: str, *, partition: bool = False) -> Statement:
    """`partition`: its name is quoted already."""
    on = sql.SQL(table) if partition else sql.Identifier(*table.split("."))
    statement = sql.SQL("alter table {} enable always trigger {}").format(on, sql.Identifier(name))
    return Statement(f"trigger {name} on {table}", statement.as_string(), on_partition=partition)


# What was measured for each kind of statement, strongest first; new tables are nobody else's yet.
_NAME = r'((?:"(?:[^"]|"")+"|\w+)(?:\.(?:"(?:[^"]|"")+"|\w+))?)'
_LOCK_PATTERNS = (
    ("ACCESS EXCLUSIVE", re.compile(rf"^drop trigger (?:if exists )?\S+ on {_NAME}", re.M)),
    ("ACCESS EXCLUSIVE", re.compile(rf"^drop table (?:if exists )?{_NAME}", re.M)),
    ("SHARE ROW EXCLUSIVE", re.compile(rf"^create trigger [^;]*? on {_NAME}", re.M)),
    ("SHARE ROW EXCLUSIVE", re.compile(rf"^alter table {_NAME} add constraint [^;]*foreign key", re.M)),
    ("SHARE ROW EXCLUSIVE", re.compile(rf"^alter table [^;]*foreign key [^;]*references {_NAME}", re.M)),
    ("SHARE ROW EXCLUSIVE", re.compile(rf"^alter table {_NAME} enable always trigger", re.M)),
    ("SHARE UPDATE EXCLUSIVE", re.compile(rf"^alter table {_NAME} validate constraint", re.M)),
    (
        "ACCESS EXCLUSIVE",
        re.compile(rf"^alter table {_NAME} (?!add constraint|validate constraint|enable always)", re.M),
    ),
)
_DROPPED_CONSTRAINT = re.compile(rf"^alter table {_NAME} drop constraint (?:if exists )?{_NAME}", re.M)
_FOREIGN_KEY = re.compile(rf"^alter table {_NAME} add constraint {_NAME}\s+foreign key [^;]*?references {_NAME}", re.M)


def _locks(statements: Sequence[Statement], opposite: Sequence[Statement]) -> tuple[Lock, ...]:
    """The locks that statements take. What a foreign key they drop refers to is told by the `opposite`, which make it."""
    text = "\n".join(s.sql for s in statements)
    created = set(re.findall(r"^create table ([\w.]+)", text, re.M))
    locked = [(mode, table) for mode, pattern in _LOCK_PATTERNS for table in pattern.findall(text)]
    # It has triggers on either table, and dropping a trigger takes both.
    refers = {(table, key): other for s in opposite for table, key, other in _FOREIGN_KEY.findall(s.sql)}
    dropped = [refers[key] for key in _DROPPED_CONSTRAINT.findall(text) if key in refers]
    found: dict[str, str] = {}
    for mode, table in [("ACCESS EXCLUSIVE", table) for table in dropped] + locked:
        name = table.replace('"', "")
        if name not in created and not name.startswith("crmshift."):
            found.setdefault(name, mode)
    return tuple(Lock(table, mode) for table, mode in found.items())
