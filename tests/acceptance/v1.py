"""What v1 applications do: they write the legacy tables, and the record gets the very same statements."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from psycopg import sql

from tests.acceptance.crm import (
    CONTACT_COLUMNS,
    LEAD,
    PERSON,
    Session,
    assignments,
    record_appointment,
)


def _update_contacts(s: Session, ids: list[UUID], values: dict[str, Any]) -> None:
    query = sql.SQL("update contacts set {} where id = any(%s)").format(assignments(values))
    for connection in (s.live, s.record):
        assert connection.execute(query, [*values.values(), ids]).rowcount == len(ids)


def _touched(s: Session) -> dict[str, Any]:
    """What an application writes into updated_at: mostly the time, sometimes nothing, seldom something odd."""
    dice = s.rng.random()
    if dice < 0.8:
        return {"updated_at": s.clock()}
    if dice < 0.9:
        return {}
    return {"updated_at": None if dice < 0.95 else datetime(2001, 1, 1, tzinfo=UTC) + timedelta(s.rng.randrange(3650))}


def v1_update_person(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        _update_contacts(s, ids, s.words(PERSON) | _touched(s))


def v1_update_status(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        _update_contacts(s, ids, s.words(LEAD) | _touched(s))


def v1_update_everything(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        _update_contacts(s, ids, s.words(LEAD) | s.words(PERSON) | _touched(s))


def v1_update_nothing(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        s.both("update contacts set city = city, updated_at = updated_at where id = any(%s)", [ids])


def v1_bulk_update(s: Session) -> None:
    with s.people.take(s.rng, 20) as ids:
        _update_contacts(s, ids, {"lead_status": s.word(), "updated_at": s.clock()})


def v1_update_twice(s: Session) -> None:
    with s.people.take(s.rng) as ids, s.record.transaction(), s.live.transaction():
        _update_contacts(s, ids, s.words(PERSON))
        _update_contacts(s, ids, s.words(LEAD))
        _update_contacts(s, ids, s.words(PERSON) | {"updated_at": s.clock()})


def v1_savepoint(s: Session) -> None:
    with s.people.take(s.rng, 2) as ids, s.record.transaction(), s.live.transaction():
        _update_contacts(s, ids[:1], s.words(PERSON))
        with s.record.transaction(force_rollback=True), s.live.transaction(force_rollback=True):
            _update_contacts(s, ids, s.words(LEAD) | s.words(PERSON))
            s.both("delete from contacts where id = %s", [ids[1]])
        _update_contacts(s, ids[1:], s.words(LEAD))


def v1_change_of_mind(s: Session) -> None:
    with s.people.take(s.rng) as ids, s.live.transaction(force_rollback=True):
        s.live.execute("update contacts set lastname = 'never', lead_status = 'never' where id = any(%s)", [ids])
        s.live.execute("delete from contacts where id = any(%s)", [ids])


def _contact(s: Session, key: UUID) -> list[Any]:
    born = None if s.chance(0.1) else s.clock()
    facts = [s.word() if s.chance(0.5) else None for _ in LEAD]
    return [key, s.rng.choice(s.workspaces), *(s.word() for _ in PERSON), *facts, born, None if s.chance(0.2) else born]


def v1_insert(s: Session) -> None:
    key = s.uuid()
    s.both(f"insert into contacts ({CONTACT_COLUMNS}) values ({', '.join(['%s'] * 15)})", _contact(s, key))
    s.people.born(key)


def v1_insert_with_all(s: Session) -> None:
    row = _contact(s, s.uuid())
    key, workspace = row[0], row[1]
    with s.record.transaction(), s.live.transaction():
        s.both(f"insert into contacts ({CONTACT_COLUMNS}) values ({', '.join(['%s'] * 15)})", row)
        for defined in s.rng.sample(s.fields[workspace], min(3, len(s.fields[workspace]))):
            s.both(
                "insert into contact_custom_fields (contact_id, field_id, value, created_at) values (%s, %s, %s, %s)",
                [key, defined, s.word(), s.clock()],
            )
        _insert_appointment(s, key)
    s.people.born(key)


def v1_copy(s: Session) -> None:
    rows = [_contact(s, s.uuid()) for _ in range(5)]
    with s.record.transaction(), s.live.transaction():
        for connection in (s.live, s.record):
            with connection.cursor().copy(f"copy contacts ({CONTACT_COLUMNS}) from stdin") as copy:
                for row in rows:
                    copy.write_row(row)
    s.people.born(*(row[0] for row in rows))


def v1_upsert(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        row = _contact(s, s.uuid() if s.chance(0.3) else ids[0])
        s.both(
            f"""
            insert into contacts ({CONTACT_COLUMNS}) values ({", ".join(["%s"] * 15)})
            on conflict (id) do update set email = excluded.email, lead_source = excluded.lead_source,
                                           updated_at = excluded.updated_at
            """,
            row,
        )
        if row[0] != ids[0]:
            s.people.born(row[0])


def v1_merge(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        new = s.uuid()
        s.both(
            """
            merge into contacts as c using (values (%s::uuid), (%s::uuid)) as v (id) on c.id = v.id
             when matched then update set state = %s, lead_status = %s, updated_at = %s
             when not matched then insert (id, workspace_id, lastname, created_at, updated_at) values (v.id, %s, %s, %s, %s)
            """,
            [ids[0], new, s.word(), s.word(), s.clock(), s.rng.choice(s.workspaces), s.word(), s.clock(), s.clock()],
        )
        s.people.born(new)


def v1_delete(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        s.both("delete from contacts where id = %s", ids)
        s.people.gone(ids[0])


def v1_move_to_workspace(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        _update_contacts(s, ids, {"workspace_id": s.rng.choice(s.workspaces), "updated_at": s.clock()})


def v1_change_key(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        new = s.uuid()
        query: LiteralString = """
            update contacts as c set id = %s where id = %s
               and not exists (select from contact_custom_fields as f where f.contact_id = c.id)
               and not exists (select from appointments as a where a.contact_id = c.id)
        """
        s.both(query, [new, ids[0]])
        if s.one("select from contacts where id = %s", [new]) is not None:
            s.people.gone(ids[0])
            s.people.born(new)


def v1_set_field(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        row = s.one("select workspace_id from contacts where id = %s", ids)
        assert row is not None
        if s.fields[row[0]]:
            s.both(
                """
                insert into contact_custom_fields (contact_id, field_id, value, created_at) values (%s, %s, %s, %s)
                on conflict (contact_id, field_id) do update set value = excluded.value
                """,
                [ids[0], s.rng.choice(s.fields[row[0]]), s.word(), s.clock()],
            )


def v1_delete_field(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        row = s.one("select field_id from contact_custom_fields where contact_id = %s order by random() limit 1", ids)
        if row is not None:
            s.both("delete from contact_custom_fields where contact_id = %s and field_id = %s", [ids[0], row[0]])


def v1_move_fields(s: Session) -> None:
    with s.people.take(s.rng, 2) as ids:
        s.both(
            """
            update contact_custom_fields as f set contact_id = %s where contact_id = %s
               and not exists (select from contact_custom_fields as o where o.contact_id = %s and o.field_id = f.field_id)
            """,
            [ids[1], ids[0], ids[1]],
        )


def _insert_appointment(s: Session, contact: UUID) -> None:
    values = [contact, s.clock(), s.clock(), s.word(), s.rng.choice((None, True, False))]
    row = s.one(
        """
        insert into appointments (contact_id, scheduled_at, apptdate, status, reminder_sent) values (%s, %s, %s, %s, %s)
        returning id
        """,
        values,
    )
    assert row is not None
    record_appointment(s, row[0], *values)


def v1_insert_appointment(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        _insert_appointment(s, ids[0])


def _any_appointment(s: Session, contact: UUID) -> int | None:
    row = s.one("select id from appointments where contact_id = %s order by random() limit 1", [contact])
    return row[0] if row else None


def v1_update_appointment(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        found = _any_appointment(s, ids[0])
        if found is None:
            _insert_appointment(s, ids[0])
        else:
            s.both("update appointments set status = %s, apptdate = %s where id = %s", [s.word(), s.clock(), found])


def v1_delete_appointment(s: Session) -> None:
    with s.people.take(s.rng) as ids:
        found = _any_appointment(s, ids[0])
        if found is not None:
            s.both("delete from appointments where id = %s", [found])


def v1_move_appointment(s: Session) -> None:
    with s.people.take(s.rng, 2) as ids:
        found = _any_appointment(s, ids[0])
        if found is not None:
            s.both("update appointments set contact_id = %s where id = %s", [ids[1], found])


V1: dict[Callable[[Session], None], int] = {
    v1_update_person: 10,
    v1_update_status: 10,
    v1_update_everything: 6,
    v1_update_nothing: 1,
    v1_bulk_update: 2,
    v1_update_twice: 4,
    v1_savepoint: 3,
    v1_change_of_mind: 2,
    v1_insert: 5,
    v1_insert_with_all: 4,
    v1_copy: 1,
    v1_upsert: 3,
    v1_merge: 2,
    v1_delete: 4,
    v1_move_to_workspace: 2,
    v1_change_key: 2,
    v1_set_field: 8,
    v1_delete_field: 4,
    v1_move_fields: 1,
    v1_insert_appointment: 6,
    v1_update_appointment: 5,
    v1_delete_appointment: 2,
    v1_move_appointment: 2,
}
"""What v1 applications do, and how often."""
