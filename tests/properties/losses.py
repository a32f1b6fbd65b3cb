"""No write is lost without a word: what applications wrote, as the audit of stage.py has it, against what is there in the end.

Both sides of one thing are one subject here: a contact and its customer with the primary lead, a field, an appointment.
Its columns have legacy's names. The last committed write of a column must show on both sides, or stand in the conflict log or the
archive; and so must a write that one of the other side followed which had not seen it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.properties.model import FACTS, MOVED, PERSON, side_of
from tests.properties.stage import Stage

Subject = tuple[str, ...]
Row = dict[str, Any]

_APPOINTMENT = ("status", "reminder_sent", "apptdate")
_FACT_OF = {target: legacy for legacy, target in FACTS.items()}
_PERSON_OF = {target: legacy for legacy, target in PERSON.items()}


@dataclass(frozen=True)
class Event:
    """An application's write of one column. A row that is not there has no value, which is not NULL."""

    side: str
    was: object
    became: object


ABSENT = object()
UNKNOWN = object()  # another lead became the primary one, say
MEDDLED = "meddled"  # what an application's own trigger writes, also where the sync is what fires it


def lost(stage: Stage) -> list[str]:
    """Each write that is neither to be seen nor told of."""
    told = "\n".join(
        text
        for (text,) in stage.dba.execute(
            "select concat_ws(' ', key, losing) from crmshift.conflict_log union all select concat_ws(' ', key, row_data) from crmshift.archive"
        ).fetchall()
    ).lower()
    present = {side: _present(stage, side) for side in ("legacy", "target")}
    found = []
    for (subject, column), events in _events(stage).items():
        last = events[-1]
        if last.became is not UNKNOWN:
            for side, rows in present.items():
                value = rows.get(subject, {}).get(column, ABSENT)
                if _same(value, last.became) or _is_told(last.became, subject, told):
                    continue
                if column in FACTS and {value, last.became} <= {ABSENT, None}:
                    continue  # no lead, no fact
                if subject in rows and UNKNOWN in rows[subject].values():
                    continue
                found.append(
                    f"{subject} {column}: {_shown(last.became)} was written last, on {last.side}, and {side} has {_shown(value)}"
                )
        for n, event in enumerate(events[:-1]):
            following = events[n + 1]
            seen = (
                event.side == following.side
                or _same(event.became, following.became)
                or UNKNOWN in (event.became, following.was)
                or _same(event.became, following.was)
            )
            replaced = any(e.side == event.side and _same(event.became, e.was) for e in events[n + 1 :])
            kept = any(_same(rows.get(subject, {}).get(column, ABSENT), event.became) for rows in present.values())
            if not (seen or replaced or kept or _is_told(event.became, subject, told)):
                found.append(
                    f"{subject} {column}: {_shown(event.became)} of {event.side} gave way to {_shown(following.became)} of {following.side},"
                    f" which had not seen it but {_shown(following.was)}, and nothing tells of it"
                )
    return found


def _events(stage: Stage) -> dict[tuple[Subject, str], list[Event]]:
    events: dict[tuple[Subject, str], list[Event]] = defaultdict(list)
    for by_application, table, was, became in stage.dba.execute(
        "select by_application, table_name, was, became from history.audit order by id"
    ).fetchall():
        side = side_of(table)
        if was is became is None:  # a TRUNCATE under an old snapshot
            for (subject, column), so_far in events.items():
                if (subject[0], column) in _SAID[table]:
                    so_far.append(Event(side, UNKNOWN, UNKNOWN))
            continue
        before, after = dict(_subjects(table, was)), dict(_subjects(table, became))
        for subject in {**before, **after}:
            old, new = before.get(subject, {}), after.get(subject, {})
            for column in {**old, **new}:
                event = _event(table, side, old.get(column, ABSENT), new.get(column, ABSENT))
                if event is None or not (by_application or event.became == MEDDLED):
                    continue
                so_far = events[subject, column]
                if (
                    became is None
                    and was.get("beside_legacy")
                    and so_far
                    and so_far[-1].side != side
                    and so_far[-1].was is ABSENT
                ):
                    continue  # the appointment of a second lead goes; what legacy has made under its number is another one
                so_far.append(event)
    return events


def _event(table: str, side: str, was: object, became: object) -> Event | None:
    if table == "leads" and {was, became} & {ABSENT, UNKNOWN}:
        if was is UNKNOWN and became in (ABSENT, UNKNOWN):
            return None  # a second lead goes, or stays one
        return Event(side, UNKNOWN, UNKNOWN)  # from now on another lead may be the primary one
    return Event(side, was, became) if was != became else None


def _subjects(table: str, row: Row | None) -> Iterator[tuple[Subject, Row]]:
    """What a row says of which subject."""
    if row is None:
        return
    match table:
        case "contacts":
            yield ("contacts", row["id"]), {c: row[c] for c in (*PERSON, *FACTS)}
        case "customers":
            yield ("contacts", row["cst_id"]), {legacy: row[c] for c, legacy in _PERSON_OF.items()}
        case "leads":
            facts = {legacy: row[c] if row["is_primary"] else UNKNOWN for c, legacy in _FACT_OF.items()}
            yield ("contacts", row["customer_id"]), facts
        case "contact_custom_fields":
            yield (table, row["contact_id"], row["field_id"]), {"value": row["value"]}
        case "customer_custom_fields":
            yield ("contact_custom_fields", row["customer_id"], row["field_id"]), {"value": row["value"]}
        case "appointments" | "lead_appointments":
            yield ("appointments", str(row["id"] % MOVED)), {c: row[c] for c in _APPOINTMENT}


_SAID = {
    "contacts": {("contacts", c) for c in (*PERSON, *FACTS)},
    "customers": {("contacts", c) for c in PERSON},
    "leads": {("contacts", c) for c in FACTS},
    "contact_custom_fields": {("contact_custom_fields", "value")},
    "customer_custom_fields": {("contact_custom_fields", "value")},
    "appointments": {("appointments", c) for c in _APPOINTMENT},
    "lead_appointments": {("appointments", c) for c in _APPOINTMENT},
    "lead_custom_fields": set(),
    "appointment_custom_fields": set(),
}
"""What the rows of a table say: kinds of subjects, and columns of these."""

_ROWS = {
    "legacy": ("contacts", "contact_custom_fields", "appointments"),
    "target": ("customers", "customer_custom_fields", "lead_appointments"),
}


def _present(stage: Stage, side: str) -> dict[Subject, Row]:
    """What a side has in the end. What legacy has no place for is unknown there."""
    rows: dict[Subject, Row] = {}
    for table in _ROWS[side]:
        # by number: one that was moved comes after the one it had to make way for
        for (row,) in stage.dba.execute(
            f"select to_jsonb(t) from {table} as t order by to_jsonb(t) -> 'id'".encode()
        ).fetchall():
            rows.update(_subjects(table, row))
    if side == "target":
        for (row,) in stage.dba.execute("select to_jsonb(t) from leads as t where is_primary").fetchall():
            for subject, facts in _subjects("leads", row):
                rows.setdefault(subject, {}).update(facts)
    else:
        for (number,) in stage.dba.execute(
            "select a.id::text from lead_appointments as a join leads as l on l.id = a.lead_id where not l.is_primary"
        ).fetchall():
            rows.setdefault(("appointments", number), dict.fromkeys(_APPOINTMENT, UNKNOWN))
    return rows


def _same(one: object, other: object) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()  # there may be triggers that normalise
    return one is other or one == other


def _is_told(value: object, subject: Subject, told: str) -> bool:
    if isinstance(value, str) and value:
        return f'"{value.lower()}"' in told
    return any(part in told for part in subject[1:])


def _shown(value: object) -> str:
    return "no row" if value is ABSENT else "whatever" if value is UNKNOWN else repr(value)
