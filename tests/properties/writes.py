"""What applications write: strategies for statements, one for each kind of write on each side.

A statement is text that psql takes as it is, made of the ids in model.py and of marks that become values when it is
executed: `$T` a text nobody has written before, `$B` one that the constraints of faults.py refuse. So a lost value can be
told from a kept one, and a failing history shrinks without its values changing their meaning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.properties.model import FIELDS, LEADS, LEGACY_APPOINTMENTS, PEOPLE, TARGET_APPOINTMENTS, WORKSPACES
from tests.support.tables import LEGACY, TARGET


@dataclass(frozen=True)
class Statement:
    """SQL, and what COPY reads after it."""

    text: str
    data: str | None = None

    def __repr__(self) -> str:
        return repr(self.text if self.data is None else f"{self.text};\n{self.data}")


Statements = st.SearchStrategy[Statement]

texts = st.sampled_from(["'$T'", "'$T'", "'$T'", "'$B'", "'$B'", "null", "''"])
times = st.sampled_from(["now()", "clock_timestamp()", "null", "'2020-01-01Z'", "'2030-01-01Z'", "'infinity'"])
people = st.sampled_from(
    [f"'{p}'" for p in (*PEOPLE[:1] * 4, *PEOPLE[1:4], *PEOPLE)]
)  # mostly the same, so that writes meet
workspaces = st.sampled_from([f"'{w}'" for w in WORKSPACES])
fields = st.sampled_from([f"'{f}'" for f in FIELDS])
leads = st.sampled_from([f"'{e}'" for e in LEADS])
legacy_appointments = st.sampled_from(LEGACY_APPOINTMENTS)
target_appointments = st.sampled_from(TARGET_APPOINTMENTS)
any_appointment = st.sampled_from(sorted({*LEGACY_APPOINTMENTS, *TARGET_APPOINTMENTS}))
booleans = st.sampled_from(["true", "false", "null"])


def filled(template: str, **parts: st.SearchStrategy[object]) -> Statements:
    """The template with its {parts} drawn."""
    return st.fixed_dictionaries(parts).map(lambda drawn: Statement(template.format(**drawn)))


def some(
    columns: dict[str, st.SearchStrategy[str]], least: int = 1, most: int = 3
) -> st.SearchStrategy[dict[str, str]]:
    """Values for some of these columns."""
    names = st.lists(st.sampled_from(sorted(columns)), min_size=least, max_size=most, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: columns[name] for name in chosen}))


def assignments(columns: dict[str, st.SearchStrategy[str]]) -> st.SearchStrategy[str]:
    return some(columns).map(lambda drawn: ", ".join(f"{name} = {value}" for name, value in drawn.items()))


def one_or_two(values: st.SearchStrategy[object]) -> st.SearchStrategy[str]:
    return st.lists(values, min_size=1, max_size=2, unique=True).map(lambda drawn: ", ".join(str(v) for v in drawn))


@st.composite
def insert(
    draw: st.DrawFn,
    table: str,
    keys: dict[str, st.SearchStrategy[object]],
    given: dict[str, st.SearchStrategy[str]],
    columns: dict[str, st.SearchStrategy[str]],
) -> Statement:
    """One or two new rows by INSERT, upsert, MERGE or COPY. `keys` name the row, `given` must have a value."""
    rows = draw(
        st.lists(st.fixed_dictionaries(keys), min_size=1, max_size=2, unique_by=lambda row: tuple(row[k] for k in keys))
    )
    chosen = draw(st.lists(st.sampled_from(sorted(columns)), min_size=1, max_size=3, unique=True))
    drawn = {**given, **{name: columns[name] for name in chosen}}
    names = [*keys, *drawn]
    values = []
    for row in rows:
        row.update(draw(st.fixed_dictionaries(drawn)))
        values.append({name: row[name] for name in names})
    how = draw(st.sampled_from(["insert", "upsert", "ignore", "merge", "copy"]))
    if how == "copy":
        lines = ["\t".join(_copied(row[name]) for name in names) for row in values]
        return Statement(f"copy {table} ({', '.join(names)}) from stdin", "".join(f"{line}\n" for line in lines))
    tuples = ", ".join(f"({', '.join(str(v) for v in row.values())})" for row in values)
    if how == "merge":
        # A column of VALUES that is null in every row would be text.
        cast = ", ".join(f"(v.{name}::text)::{_type(name)} as {name}" for name in names)
        return Statement(
            f"merge into {table} as t using (select {cast} from (values {tuples}) as v ({', '.join(names)})) as s\n"
            f"   on {' and '.join(f't.{k} = s.{k}' for k in keys)}\n"
            f" when matched then update set {', '.join(f'{c} = s.{c}' for c in chosen)}\n"
            f" when not matched then insert ({', '.join(names)}) values ({', '.join(f's.{n}' for n in names)})"
        )
    conflict = {
        "insert": "",
        "ignore": f"\n on conflict ({', '.join(keys)}) do nothing",
        "upsert": f"\n on conflict ({', '.join(keys)}) do update set {', '.join(f'{c} = excluded.{c}' for c in chosen)}",
    }[how]
    return Statement(f"insert into {table} ({', '.join(names)}) values {tuples}{conflict}")


def _copied(value: object) -> str:
    """An SQL literal, as COPY reads it."""
    text = str(value)
    return {"null": r"\N", "now()": "now", "clock_timestamp()": "now"}.get(text, text.strip("'"))


_TYPES = {
    "uuid": {"id", "cst_id", "workspace_id", "contact_id", "customer_id", "lead_id", "field_id"},
    "timestamptz": {
        *("created_at", "updated_at", "dateadded", "lastchanged", "entrydate", "lastchangedon"),
        *("scheduled_at", "apptdate"),
    },
    "boolean": {"reminder_sent", "is_primary"},
    "bigint": {"appointment_id", "number"},
    "integer": {"stg_id"},
}


def _type(column: str) -> str:
    return next((name for name, columns in _TYPES.items() if column in columns), "text")


# --- legacy

_contact = dict.fromkeys(("city", "zip", "lead_source", "lead_status"), texts)
_contact_clocks = {"created_at": times, "updated_at": times}

insert_contacts = insert("contacts", {"id": people}, {"workspace_id": workspaces}, {**_contact, **_contact_clocks})
update_contacts = st.one_of(
    filled("update contacts set {set} where id in ({of})", set=assignments(_contact), of=one_or_two(people)),
    filled(
        "update contacts set {set}, updated_at = clock_timestamp() where id = {of}",
        set=assignments(_contact),
        of=people,
    ),
    filled("update contacts set {set} where workspace_id = {of}", set=assignments(_contact), of=workspaces),
    filled("update contacts set {set} where lead_status is not null", set=assignments(_contact)),
)
update_contact_clocks = filled(
    "update contacts set {set} where id in ({of})", set=assignments(_contact_clocks), of=one_or_two(people)
)
move_contacts = filled(
    "update contacts set workspace_id = {to} where id in ({of})", to=workspaces, of=one_or_two(people)
)
rekey_contacts = filled("update contacts set id = {to} where id = {of}", to=people, of=people)
delete_contacts = filled("delete from contacts where id in ({of})", of=one_or_two(people))

_field = {"value": texts, "created_at": times}
insert_contact_fields = insert("contact_custom_fields", {"contact_id": people, "field_id": fields}, {}, _field)
update_contact_fields = filled(
    "update contact_custom_fields set {set} where contact_id = {of}", set=assignments(_field), of=people
)
rekey_contact_fields = st.one_of(
    filled(
        "update contact_custom_fields set field_id = {to} where field_id = {of} and contact_id = {person}",
        to=fields,
        of=fields,
        person=people,
    ),
    filled(
        "update contact_custom_fields set contact_id = {to} where contact_id = {of} and field_id = {field}",
        to=people,
        of=people,
        field=fields,
    ),
)
delete_contact_fields = filled("delete from contact_custom_fields where contact_id in ({of})", of=one_or_two(people))

_appointment = {"status": texts, "scheduled_at": times, "apptdate": times, "reminder_sent": booleans}
insert_appointments = st.one_of(
    filled("insert into appointments (contact_id, status) values ({of}, {status})", of=people, status=texts),
    filled(
        "insert into appointments (id, contact_id, status) select {id}, id, {status} from contacts where id = {of}",
        id=legacy_appointments, of=people, status=texts,
    ),
)  # fmt: skip
update_appointments = st.one_of(
    filled(
        "update appointments set {set} where id in ({of})",
        set=assignments(_appointment),
        of=one_or_two(any_appointment),
    ),
    filled("update appointments set {set} where contact_id = {of}", set=assignments(_appointment), of=people),
)
move_appointments = st.one_of(
    filled("update appointments set contact_id = {to} where contact_id = {of}", to=people, of=people),
    filled(
        "update appointments set contact_id = {to}, status = {status} where id = {of}",
        to=people,
        status=texts,
        of=any_appointment,
    ),
)
rekey_appointments = filled(
    "update appointments set id = {to} where id = {of}",
    to=legacy_appointments,
    of=legacy_appointments,
)
delete_appointments = st.one_of(
    filled("delete from appointments where id in ({of})", of=one_or_two(any_appointment)),
    filled("delete from appointments where contact_id = {of}", of=people),
)

# --- target

_customer = dict.fromkeys(("city", "zip", "address2"), texts)
_customer_clocks = {"dateadded": times, "lastchanged": times}

insert_customers = insert(
    "customers", {"cst_id": people}, {"workspace_id": workspaces}, {**_customer, **_customer_clocks}
)
update_customers = st.one_of(
    filled("update customers set {set} where cst_id in ({of})", set=assignments(_customer), of=one_or_two(people)),
    filled(
        "update customers set {set}, lastchanged = clock_timestamp() where cst_id = {of}",
        set=assignments(_customer),
        of=people,
    ),
    filled("update customers set {set} where workspace_id = {of}", set=assignments(_customer), of=workspaces),
)
update_customer_clocks = filled(
    "update customers set {set} where cst_id in ({of})", set=assignments(_customer_clocks), of=one_or_two(people)
)
move_customers = filled(
    "update customers set workspace_id = {to} where cst_id in ({of})", to=workspaces, of=one_or_two(people)
)
rekey_customers = filled("update customers set cst_id = {to} where cst_id = {of}", to=people, of=people)
delete_customers = st.one_of(
    filled("delete from customers where cst_id in ({of})", of=one_or_two(people)),
    filled(
        "with l as (delete from leads where customer_id = {of}) delete from customers where cst_id = {of}", of=people
    ),
)

_lead = dict.fromkeys(("disposition", "source", "productid"), texts)
_lead_clocks = {"entrydate": times, "lastchangedon": times}
insert_leads = st.one_of(
    filled(
        "insert into leads (id, customer_id, workspace_id, disposition, source, entrydate)\n"
        "select {id}, cst_id, workspace_id, {disposition}, {source}, {entrydate} from customers where cst_id = {of}",
        id=leads, disposition=texts, source=texts, entrydate=times, of=people,
    ),
    filled(
        "insert into leads (id, customer_id, workspace_id, disposition, is_primary)\n"
        "select {id}, cst_id, workspace_id, {disposition}, true from customers as c where cst_id = {of}\n"
        "   and not exists (select from leads as p where p.customer_id = c.cst_id and p.is_primary)",
        id=leads, disposition=texts, of=people,
    ),
    filled(
        "insert into leads (id, customer_id, workspace_id, disposition) select {id}, cst_id, workspace_id, {disposition} from customers where cst_id = {of}\n"
        " on conflict (id) do update set disposition = excluded.disposition",
        id=leads, disposition=texts, of=people,
    ),
)  # fmt: skip
update_leads = st.one_of(
    filled("update leads set {set} where customer_id = {of} and is_primary", set=assignments(_lead), of=people),
    filled(
        "update leads set {set}, lastchangedon = clock_timestamp() where customer_id = {of} and is_primary",
        set=assignments(_lead),
        of=people,
    ),
    filled("update leads set {set} where customer_id in ({of})", set=assignments(_lead), of=one_or_two(people)),
    filled("update leads set {set} where id = {of}", set=assignments(_lead), of=leads),
    filled("update leads set {set} where workspace_id = {of}", set=assignments(_lead), of=workspaces),
)
update_lead_clocks = filled(
    "update leads set {set} where customer_id in ({of}) and is_primary = {primary}",
    set=assignments(_lead_clocks), of=one_or_two(people), primary=st.sampled_from(["true", "false"]),
)  # fmt: skip
delete_second_leads = filled("delete from leads where customer_id in ({of}) and not is_primary", of=one_or_two(people))
delete_leads = st.one_of(
    filled("delete from leads where customer_id in ({of})", of=one_or_two(people)),
    filled("delete from leads where customer_id = {of} and is_primary", of=people),
)
demote_leads = filled("update leads set is_primary = false where customer_id in ({of})", of=one_or_two(people))
promote_leads = st.one_of(
    filled("update leads set is_primary = true where id = {of}", of=leads),
    filled("update leads set is_primary = true, disposition = {status} where customer_id = {of}", status=texts, of=people),
    filled("select crmshift.set_primary_lead(id) from leads where id = {of}", of=leads),
    filled(
        "update leads set is_primary = false where customer_id = {of}\\;\n"
        "update leads set is_primary = true where customer_id = {of} and id = {to}",
        of=people, to=leads,
    ),
)  # fmt: skip
move_leads = filled(
    "update leads as l set customer_id = c.cst_id, workspace_id = c.workspace_id, is_primary = false\n"
    "  from customers as c where c.cst_id = {to} and l.customer_id = {of}",
    to=people, of=people,
)  # fmt: skip

insert_customer_fields = st.one_of(
    filled(
        "insert into customer_custom_fields (customer_id, field_id, workspace_id, value)\n"
        "select cst_id, {field}, workspace_id, {value} from customers where cst_id in ({of})\n"
        " on conflict (customer_id, field_id) do update set value = excluded.value",
        field=fields, value=texts, of=one_or_two(people),
    ),
    filled(
        "insert into customer_custom_fields (customer_id, field_id, workspace_id, value)\n"
        "select cst_id, {field}, workspace_id, {value} from customers where cst_id = {of}",
        field=fields, value=texts, of=people,
    ),
)  # fmt: skip
update_customer_fields = filled(
    "update customer_custom_fields set {set} where customer_id = {of}", set=assignments(_field), of=people
)
rekey_customer_fields = filled(
    "update customer_custom_fields set field_id = {to} where field_id = {of} and customer_id = {person}",
    to=fields,
    of=fields,
    person=people,
)
delete_customer_fields = filled("delete from customer_custom_fields where customer_id in ({of})", of=one_or_two(people))

insert_lead_appointments = st.one_of(
    filled(
        "insert into lead_appointments (lead_id, workspace_id, status) select id, workspace_id, {status} from leads where customer_id = {of}",
        status=texts, of=people,
    ),
    filled(
        "insert into lead_appointments (id, lead_id, workspace_id, status)\n"
        "select {id}, id, workspace_id, {status} from leads where customer_id = {of} and is_primary",
        id=target_appointments, status=texts, of=people,
    ),
)  # fmt: skip
update_lead_appointments = st.one_of(
    filled("update lead_appointments set {set} where id in ({of})", set=assignments(_appointment), of=one_or_two(any_appointment)),
    filled(
        "update lead_appointments set {set} where lead_id in (select id from leads where customer_id = {of})",
        set=assignments(_appointment), of=people,
    ),
)  # fmt: skip
move_lead_appointments = st.one_of(
    filled(
        "update lead_appointments as a set lead_id = l.id, workspace_id = l.workspace_id\n"
        "  from leads as l where l.customer_id = {to} and l.is_primary and a.id in ({of})",
        to=people, of=one_or_two(any_appointment),
    ),
    filled(
        "update lead_appointments as a set lead_id = l.id, workspace_id = l.workspace_id, status = {status}\n"
        "  from leads as l where l.id = {to} and a.id = {of}",
        to=leads, status=texts, of=any_appointment,
    ),
)  # fmt: skip
delete_lead_appointments = st.one_of(
    filled("delete from lead_appointments where id in ({of})", of=one_or_two(any_appointment)),
    filled("delete from lead_appointments where lead_id in (select id from leads where customer_id = {of})", of=people),
)

write_lead_fields = st.one_of(
    filled(
        "insert into lead_custom_fields (lead_id, field_id, workspace_id, value)\n"
        "select id, {field}, workspace_id, {value} from leads where customer_id = {of}\n"
        " on conflict (lead_id, field_id) do update set value = excluded.value",
        field=fields, value=texts, of=people,
    ),
    filled("delete from lead_custom_fields where field_id = {field}", field=fields),
)  # fmt: skip
write_appointment_fields = st.one_of(
    filled(
        "insert into appointment_custom_fields (appointment_id, field_id, workspace_id, value)\n"
        "select id, {field}, workspace_id, {value} from lead_appointments where id = {of}\n"
        " on conflict (appointment_id, field_id) do update set value = excluded.value",
        field=fields, value=texts, of=any_appointment,
    ),
    filled("delete from appointment_custom_fields where field_id = {field}", field=fields),
)  # fmt: skip

# --- both

truncate_tables = st.sampled_from(
    [
        *(
            f"truncate {table}"
            for table in ("appointments", "contact_custom_fields", "contacts", "customer_custom_fields")
        ),
        *(f"truncate {table} cascade" for table in ("contacts", "customers", "leads", "lead_appointments")),
    ]
).map(Statement)

write_both_sides = st.one_of(
    filled(
        "with x as (update contacts set city = {city} where id = {of}) update customers set zip = {zip} where cst_id = {of}",
        city=texts, zip=texts, of=people,
    ),
    filled(
        "with x as (update leads set disposition = {status} where customer_id = {of} and is_primary) update contacts set zip = {zip} where id = {of}",
        status=texts, zip=texts, of=people,
    ),
)  # fmt: skip

_tables = st.sampled_from((*LEGACY, *TARGET))
_modes = st.sampled_from(["share", "share row exclusive", "access exclusive"])
hold = st.one_of(
    filled("lock table {table} in {mode} mode", table=_tables, mode=_modes),
    filled("select from contacts where id in ({of}) for update", of=one_or_two(people)),
    filled("select from customers where cst_id in ({of}) for update", of=one_or_two(people)),
    filled("select from leads where customer_id in ({of}) for update", of=one_or_two(people)),
    filled("select from appointments where contact_id = {of} for update", of=people),
    filled("select from lead_appointments where id in ({of}) for no key update", of=one_or_two(any_appointment)),
    filled("select from contact_custom_fields where contact_id = {of} for update", of=people),
    filled("select from customer_custom_fields where customer_id = {of} for update", of=people),
)  # fmt: skip

_VERBS = ("insert", "update", "delete", "move", "rekey", "write", "demote", "promote", "truncate")
WRITES: dict[str, Statements] = {
    name: kind for name, kind in globals().items() if name.split("_")[0] in _VERBS and name != "insert"
}
"""Every kind of write above, by name: each is a rule of its own."""


@st.composite
def any_write(draw: st.DrawFn) -> str:
    """The text of any write but TRUNCATE."""
    kind = draw(st.sampled_from([name for name in WRITES if name != "truncate_tables"]))
    return draw(WRITES[kind].filter(lambda statement: statement.data is None)).text


together = st.tuples(any_write(), any_write()).map(lambda two: Statement("\\;\n".join(two)))
"""Two in one message, hence in one transaction, as \\; has it in psql."""
undone = any_write().map(
    lambda text: Statement(
        f"do $$ begin {re.sub('^select', 'perform', text)}; raise exception 'undone'; exception when raise_exception then null; end $$"
    )
)
"""In a block that takes it back."""
