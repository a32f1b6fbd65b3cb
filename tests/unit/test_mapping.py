"""Reading a mapping file: what its view gives and reads, who feeds it, and what is said where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from crmshift.errors import UsageError
from crmshift.mapping import (
    SYNC_LOCK_TIMEOUT,
    MappingFile,
    backfilled,
    carried,
    describe_mapping,
    describe_source,
    parse,
    parse_all,
)
from crmshift.plan import load
from crmshift.project import Project, SqlFile, packaged_root

GOOD = """
create view crmshift.people_expected as
select c.id as person_id, upper(c.name) as name, l.status as state
  from public.contacts as c
  left join public.leads as l on l.contact_id = c.id and l.is_primary;
comment on view crmshift.people_expected is 'People; with a semicolon.';

insert into crmshift.mapping (name, entity, direction, target, key, key_types, only_where, position) values
    ('people', 'person', 'to_target', 'public.people', '{person_id}', '{uuid}', 't.alive', 7);
insert into crmshift.feed (mapping, source, key, mode, prepare) values
    ('people', 'public.contacts', '{id}', 'sync', null),
    ('people', 'public.leads', '{contact_id}', 'sync', 'crmshift.follow'),
    ('people', 'public.visits', '{person}', 'fill', null);
"""


def people(text: str = GOOD, name: str = "mapping/people") -> MappingFile:
    return parse(SqlFile(name, Path("sql", f"{name}.sql"), text))


def all_of_the_plan() -> tuple[MappingFile, ...]:
    project = Project.open(None)
    return parse_all(project.sql(f"mapping/{name}") for name in load(project.plan("lead_centric")).mappings)


def test_a_mapping_is_its_view_and_its_rows_in_the_registry() -> None:
    m = people()
    assert (m.name, m.entity, m.direction, m.target, m.position) == (
        "people",
        "person",
        "to_target",
        "public.people",
        7,
    )
    assert (m.key, m.key_types, m.only_where, m.conflict_where, m.before_remove) == (
        ("person_id",),
        ("uuid",),
        "t.alive",
        None,
        None,
    )
    assert m.columns == ("person_id", "name", "state")
    assert m.reads == {
        "public.contacts": frozenset({"id", "name"}),
        "public.leads": frozenset({"status", "contact_id", "is_primary"}),
    }
    assert [(f.source, f.key, f.mode, f.prepare) for f in m.feeds] == [
        ("public.contacts", ("id",), "sync", None),
        ("public.leads", ("contact_id",), "sync", "crmshift.follow"),
        ("public.visits", ("person",), "fill", None),
    ]


COMPARED = (
    GOOD
    + """
insert into crmshift.comparison (mapping, column_name, agrees) values
    ('people', 'state', 't.state = e.state or t.person_id in (select v.person from public.visits as v)');
"""
)


def test_a_column_may_be_compared_by_a_condition() -> None:
    assert people().agrees == {}
    m = people(COMPARED)
    assert m.agrees == {"state": "t.state = e.state or t.person_id in (select v.person from public.visits as v)"}
    assert "public.visits" not in m.reads, "what a condition reads does not make the row change"
    assert describe_mapping(m, [m])["agrees"] == m.agrees


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ("('people', 'state'", "('pets', 'state'", "stands in the file of its mapping, here people"),
        ("'state', 't", "'status', 't", "status, which is no column that people_expected compares"),
        ("'state', 't", "'person_id', 't", "person_id, which is no column that people_expected compares"),
        ("t.state = e.state", "t.state = = e.state", "how state agrees cannot be read as SQL"),
        ("t.state = e.state", "t.state = state", "names state without its table"),
        ("t.state = e.state", "t.state = e.status", "names e.status, which the view does not have"),
    ],
)
def test_what_a_condition_may_not_say(was: str, becomes: str, says: str) -> None:
    assert was in COMPARED
    with pytest.raises(UsageError, match=says):
        people(COMPARED.replace(was, becomes))


def test_columns_read_in_subqueries_count_as_read() -> None:
    m = people(GOOD.replace("upper(c.name)", "(select max(v.note) from public.visits as v where v.person = c.id)"))
    assert m.reads["public.visits"] == {"note", "person"}


def test_one_table_may_be_read_under_two_aliases() -> None:
    m = people(GOOD.replace("public.leads as l on l.contact_id", "public.contacts as l on l.parent"))
    assert m.reads == {"public.contacts": frozenset({"id", "name", "status", "parent", "is_primary"})}


# A change of the good file, and what is said of it.
WRONG = {
    "no SQL": (("create view", "create view view (("), "cannot be read as SQL"),
    "no view": (("create view crmshift.people_expected as\nselect", "select"), "expected one view, named crmshift.people_expected"),
    "a view of another name": (("view crmshift.people_expected as", "view crmshift.persons_expected as"), "expected one view, named crmshift.people_expected"),
    "a view in another schema": (("view crmshift.people_expected as", "view public.people_expected as"), "expected one view, named crmshift.people_expected"),
    "two views": (("comment on", "create view crmshift.other as select 1 as one;\ncomment on"), "expected one view"),
    "a star": (("upper(c.name) as name", "c.*"), "names its columns one by one"),
    "a bare star": (("select c.id as person_id, upper(c.name) as name, l.status as state", "select *"), "names its columns one by one"),
    "a table without schema": (("public.leads as l", "leads as l"), "write the table leads with its schema"),
    "a column without alias": (("upper(c.name)", "upper(name)"), "write the column name with the alias of its table"),
    "an alias of two tables": (("upper(c.name)", "(select c.n from public.other as c)"), "the alias c stands for two tables"),
    "no row in the registry": (("insert into crmshift.mapping", "insert into crmshift.maping"), "expected one row for crmshift.mapping, named people"),
    "a row of another name": (("('people', 'person'", "('persons', 'person'"), "expected one row for crmshift.mapping, named people"),
    "a key the view lacks": (("'{person_id}', '{uuid}'", "'{person_id,other}', '{uuid,text}'"), "the view lacks its key column other"),
    "nobody who feeds it": (("'sync'", "'fill'"), "no table feeds the mapping with mode 'sync'"),
    "a row from a query": (("values\n    ('people', 'person', 'to_target', 'public.people', '{person_id}', '{uuid}', 't.alive', 7)", "select 'people'"), "names its columns and gives plain values"),
    "an insert without columns": ((" (mapping, source, key, mode, prepare)", ""), "names its columns and gives plain values"),
    "an expression for a value": (("'t.alive'", "concat('t.', 'alive')"), "crmshift.mapping takes plain values"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_with_the_file(what: str) -> None:
    (good, bad), message = WRONG[what]
    assert good in GOOD
    with pytest.raises(UsageError) as error:
        people(GOOD.replace(good, bad))
    assert "mapping/people.sql" in error.value.message
    assert message in error.value.message


def test_a_file_may_feed_a_mapping_of_another_file() -> None:
    """What makes a note makes its customer: said in the file of the notes, which is new, and not in that of the customers."""
    visits = """
        create view crmshift.visits_expected as select v.id, v.person from public.visits as v;
        insert into crmshift.mapping (name, entity, direction, target, key, key_types, position)
        values ('visits', 'visit', 'to_target', 'public.visits_made', '{id}', '{bigint}', 8);
        insert into crmshift.feed (mapping, source, key, mode) values
            ('visits', 'public.visits', '{id}', 'sync'), ('people', 'public.visits', '{person}', 'fill');
        """
    alone = GOOD.replace(
        """'crmshift.follow'),
    ('people', 'public.visits', '{person}', 'fill', null);""",
        "'crmshift.follow');",
    )
    files = [
        SqlFile(f"mapping/{n}", Path(f"sql/mapping/{n}.sql"), text)
        for n, text in (("people", alone), ("visits", visits))
    ]
    back = [_back("contacts", "people", "contact_id"), _back("visits", "visits_made", "id")]
    whole = parse_all(files + back)
    both = whole[:2]
    assert [[(f.source, f.mode) for f in m.feeds] for m in both] == [
        [("public.contacts", "sync"), ("public.leads", "sync"), ("public.visits", "fill")],
        [("public.visits", "sync")],
    ]
    described = describe_source("public.visits", both)
    assert (described["keys"], described["key_types"]) == (["id", "person"], ["bigint", "uuid"])
    assert [(f["mapping"], f["columns"], f["mode"]) for f in described["feeds"]] == [
        ("people", ["person"], "fill"),
        ("visits", ["id"], "sync"),
    ]
    with pytest.raises(UsageError, match="it feeds people, which is no mapping of the plan"):
        parse_all(files[1:] + back[1:])
    with pytest.raises(UsageError, match="none of the tables it is made from has a mapping back"):
        parse_all(files + back[:1])


def _back(table: str, source: str, key: str) -> SqlFile:
    text = f"""
        create view crmshift.{table}_back_expected as select x.{key} as id from public.{source} as x;
        insert into crmshift.mapping (name, entity, direction, target, key, key_types, position)
        values ('{table}_back', 'x', 'to_legacy', 'public.{table}', '{{id}}', '{{uuid}}', 1);
        insert into crmshift.feed (mapping, source, key, mode) values ('{table}_back', 'public.{source}', '{{{key}}}', 'sync');
        """
    return SqlFile(f"mapping/{table}_back", Path(f"sql/mapping/{table}_back.sql"), text)


def test_only_a_table_that_something_on_the_target_is_synced_from_can_be_backfilled() -> None:
    assert backfilled("public.contacts", [people()])
    assert not backfilled("public.visits", [people()]), "it only fills"
    assert not backfilled("public.nothing", [people()])
    assert not backfilled("public.contacts", [people(GOOD.replace("'to_target'", "'to_legacy'"))])


def test_several_sync_feeds_mean_that_the_rows_written_are_locked_first() -> None:
    assert describe_mapping(people(), [people()])["lock_target"] is True
    alone = people(GOOD.replace("'{contact_id}', 'sync'", "'{contact_id}', 'fill'"))
    assert describe_mapping(alone, [alone])["lock_target"] is False


def test_what_a_row_is_about_is_named_by_the_mapping_back_to_its_legacy_table() -> None:
    back = people(
        """
        create view crmshift.contacts_expected as select p.person_id as id, p.name from public.people as p;
        insert into crmshift.mapping (name, entity, direction, target, key, key_types, position)
        values ('contacts', 'person', 'to_legacy', 'public.contacts', '{id}', '{uuid}', 1);
        insert into crmshift.feed (mapping, source, key, mode) values ('contacts', 'public.people', '{person_id}', 'sync');
        """,
        "mapping/contacts",
    )
    assert describe_mapping(people(), [people(), back])["subjects"] == [
        {"subject": "contacts", "key": ["id"], "columns": ["person_id"]}
    ]
    assert describe_mapping(back, [people(), back])["subjects"] == [
        {"subject": "contacts", "key": ["id"], "columns": ["id"]}
    ]
    assert describe_source("public.visits", [people(), back])["subjects"] == [
        {"subject": "contacts", "key": ["id"], "columns": ["person"], "mode": "fill"}
    ]


def test_a_source_is_described_by_all_that_it_feeds() -> None:
    described = describe_source("public.leads", [people()])
    assert described["lock_timeout"] == SYNC_LOCK_TIMEOUT
    assert (described["keys"], described["key_types"], described["side"]) == (["contact_id"], ["uuid"], "legacy")
    assert described["reads"] == ["contact_id", "is_primary", "status"]
    assert [(f["mapping"], f["mode"], f["prepare"]) for f in described["feeds"]] == [
        ("people", "sync", "crmshift.follow")
    ]


def test_a_source_that_only_fills_has_its_key_read_and_no_more() -> None:
    described = describe_source("public.visits", [people()])
    assert described["reads"] == ["person"]


def test_a_tables_own_key_leads_however_the_feeds_are_ordered() -> None:
    keys = {source: describe_source(source, all_of_the_plan())["keys"] for source in SOURCES}
    assert keys == SOURCES


SOURCES = {
    "public.contacts": ["id"],
    "public.contact_custom_fields": ["contact_id", "field_id"],
    "public.appointments": ["id", "contact_id"],
    "public.customers": ["cst_id"],
    "public.leads": ["customer_id"],
    "public.customer_custom_fields": ["customer_id", "field_id"],
    "public.lead_appointments": ["id"],
}


def test_a_table_that_feeds_nothing_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"public\.nothing feeds no mapping"):
        describe_source("public.nothing", [people()])


def test_carried_are_the_columns_that_any_mapping_reads() -> None:
    assert carried([people()])["public.contacts"] == {"id", "name"}


def test_every_legacy_column_is_carried_to_the_target() -> None:
    """The fifteen of contacts, the four of custom fields, the six of appointments: 100% data preservation."""
    columns = carried(m for m in all_of_the_plan() if m.direction == "to_target")
    assert columns["public.contacts"] == {
        "id",
        "workspace_id",
        "firstname",
        "lastname",
        "email",
        "phone_number",
        "st_address",
        "city",
        "state",
        "zip",
        "lead_source",
        "lead_status",
        "appointment_status",
        "created_at",
        "updated_at",
    }
    assert columns["public.contact_custom_fields"] == {"contact_id", "field_id", "value", "created_at"}
    assert columns["public.appointments"] == {"id", "contact_id", "scheduled_at", "apptdate", "status", "reminder_sent"}


def test_every_mapping_has_a_way_back_for_each_of_its_legacy_columns() -> None:
    mappings = all_of_the_plan()
    there = carried(m for m in mappings if m.direction == "to_target")
    back = {m.target: set(m.columns) for m in mappings if m.direction == "to_legacy"}
    assert {table: there[table] for table in back} == back


def test_positions_of_a_direction_are_the_order_of_the_plan() -> None:
    for direction in ("to_target", "to_legacy"):
        positions = [m.position for m in all_of_the_plan() if m.direction == direction]
        assert positions == sorted(set(positions))


def test_the_mapping_files_are_those_of_the_plan() -> None:
    files = {p.stem for p in (packaged_root() / "sql" / "mapping").glob("*.sql")}
    assert files == {m.name for m in all_of_the_plan()}
