"""One definition, every use: what is derived from a mapping, read from the files or from the catalogue, is the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from crmshift import apply, db, mapping
from crmshift.backfill import StopSignal
from crmshift.errors import Refused
from crmshift.plan import Verb, load
from crmshift.progress import Progress
from crmshift.project import Project, packaged_root
from tests.support.agreement import assert_in_sync, drain
from tests.support.databases import Databases
from tests.support.servers import Server
from tests.support.templates import ADA, BEN, FIELD, WORKSPACE, apply_compiled, apply_to, compiled, roll_back_to

PLAN = load(packaged_root() / "plans" / "lead_centric.yaml")
FILES = mapping.parse_all(Project.open(None).sql(f"mapping/{name}") for name in PLAN.mappings)
SOURCES = sorted({feed.source for file in FILES for feed in file.feeds})


@pytest.fixture(scope="module")
def installed(server: Server, databases: Databases) -> Iterator[str]:
    """The DSN of a database with everything installed, for tests that only read."""
    name = databases.clone("parallel")
    yield server.dsn(name)
    databases.drop(name)


def value(conn: psycopg.Connection, query: str, *parameters: object) -> Any:
    row = conn.execute(query, parameters or None).fetchone()
    return row and row[0]


@pytest.mark.parametrize("name", PLAN.mappings)
def test_a_mapping_is_described_the_same_by_its_file_and_by_the_catalogue(installed: str, name: str) -> None:
    file = next(f for f in FILES if f.name == name)
    with psycopg.connect(installed) as conn:
        assert value(conn, "select crmshift.describe_mapping(%s)", name) == mapping.describe_mapping(file, FILES)


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_is_described_the_same_by_the_files_and_by_the_catalogue(installed: str, source: str) -> None:
    with psycopg.connect(installed) as conn:
        assert value(conn, "select crmshift.describe_source(%s)", source) == mapping.describe_source(source, FILES)


def test_what_plan_shows_is_what_the_installed_functions_derive(installed: str) -> None:
    plan = compiled(installed)
    with psycopg.connect(installed) as conn:
        for step in plan.steps:
            if step.planned.verb is Verb.INSTALL:
                query = "select object, statement from crmshift.mapping_statements(crmshift.describe_mapping(%s)) order by ordinal"
            elif step.planned.verb is Verb.ATTACH:
                query = "select object, statement from crmshift.trigger_statements(crmshift.describe_source(%s)) order by ordinal"
            else:
                continue
            rows = conn.execute(query, [step.planned.subject]).fetchall()
            assert rows == [(s.object, s.sql) for s in step.statements], step.name
            assert rows


def test_the_functions_in_the_database_are_the_derived_ones(installed: str) -> None:
    """Nobody edited them since: the body in the catalogue is the body that plan shows."""
    plan = compiled(installed)
    with psycopg.connect(installed) as conn:
        for step in plan.steps:
            if step.planned.verb in (Verb.INSTALL, Verb.ATTACH):
                for statement in step.statements:
                    if statement.sql.startswith("create or replace function"):
                        name = statement.object.removeprefix("crmshift.")
                        body = value(
                            conn,
                            "select prosrc from pg_proc where pronamespace = 'crmshift'::regnamespace and proname = %s",
                            name,
                        )
                        assert body.strip() in statement.sql, statement.object


def test_the_same_statements_are_derived_before_and_after_installing(make_database: Callable[[str], str]) -> None:
    dsn = make_database("legacy")
    before = compiled(dsn)
    apply_to(dsn, "sync-layer")
    after = compiled(dsn)
    assert [(s.name, s.checksum, s.undo) for s in before.steps] == [(s.name, s.checksum, s.undo) for s in after.steps]


def test_a_plan_can_be_made_out_in_a_read_only_session(make_database: Callable[[str], str]) -> None:
    from crmshift.steps import compile_plan

    conn = db.connect(make_database("legacy"), "tests", read_only=True)
    try:
        project = Project.open(None)
        assert len(compile_plan(PLAN, project, conn).steps) == len(PLAN.steps)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            conn.execute("create table t ()")
    finally:
        conn.close()


# --- P5: shown is run


class Spy:
    """Writes down what reaches the server, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.executed: list[str] = []
        execute = psycopg.Cursor.execute

        def spying(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
            self.executed.append(query if isinstance(query, str) else query.as_string(cursor))
            return execute(cursor, query, *args, **kwargs)

        monkeypatch.setattr(psycopg.Cursor, "execute", spying)


def test_apply_executes_the_statements_that_plan_shows_and_changes_the_database_by_no_other(
    make_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = make_database("seeded")
    plan = compiled(dsn)
    shown = [s.sql for step in plan.steps if step.transactional for s in step.statements]
    connection = db.connect(dsn, "tests")
    spy = Spy(monkeypatch)
    apply.run(connection, plan, PLAN.phases[-1].name, Progress(), StopSignal())
    connection.close()
    monkeypatch.undo()
    assert [s for s in spy.executed if s in set(shown)] == shown
    others = {s.strip().lower() for s in spy.executed if s not in set(shown)}
    writing = {s for s in others if not s.startswith(("select", "with", "set ", "begin", "commit"))}
    assert {s.split("(")[0].split()[2] for s in writing} == {
        *("crmshift.step_run", "crmshift.validation_run"),
        "crmshift.backfill_reading",  # what the signals of a backfill last read, noted by itself
    }


def test_the_ledger_keeps_what_was_executed_and_what_takes_it_back(installed: str) -> None:
    plan = compiled(installed)
    with psycopg.connect(installed) as conn:
        rows = conn.execute(
            "select step, statements, undo, checksum from crmshift.step_run where event = 'finished' order by id"
        ).fetchall()
    steps = [plan.step(s.name) for s in plan.plan.up_to("parallel-operation")]
    assert rows == [(s.name, [x.sql for x in s.statements], [x.sql for x in s.undo], s.checksum) for s in steps]


# --- a mapping is all there is to write


def project_with(folder: Path, changes: dict[str, Callable[[str], str]]) -> Path:
    """A project folder with changed copies of packaged files."""
    for name, change in changes.items():
        source = packaged_root() / name
        text = source.read_text(encoding="utf-8")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(change(text), encoding="utf-8")
        assert change(text) != text, f"{name} is changed"
    return folder


def test_one_more_column_is_one_line_in_each_view_and_no_python(
    make_database: Callable[[str], str], tmp_path: Path
) -> None:
    dsn = make_database("seeded")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("alter table contacts add column birthday date")
        conn.execute("update contacts set birthday = '1815-12-10' where id = %s", [ADA])
    project = project_with(
        tmp_path,
        {
            "sql/schema/customers.sql": lambda s: s.replace(
                "    zip          text,\n", "    zip          text,\n    born         date,\n"
            ),
            "sql/mapping/customers.sql": lambda s: s.replace(
                "       c.created_at", "       c.birthday as born,\n       c.created_at", 1
            ),
            "sql/mapping/contacts.sql": lambda s: s.replace(
                "       t.dateadded ", "       t.born as birthday,\n       t.dateadded ", 1
            ),
        },
    )
    apply_to(dsn, "parallel-operation", project)
    with psycopg.connect(dsn, autocommit=True) as conn:
        assert value(conn, "select born::text from customers where cst_id = %s", ADA) == "1815-12-10"
        conn.execute("update contacts set birthday = '1791-12-26' where id = %s", [BEN])
        assert value(conn, "select born::text from customers where cst_id = %s", BEN) == "1791-12-26"
        conn.execute("update customers set born = '1792-01-01' where cst_id = %s", [BEN])
        assert value(conn, "select birthday::text from contacts where id = %s", BEN) == "1792-01-01"
        assert_in_sync(conn)
        conn.execute("set session_replication_role = replica")
        conn.execute("update contacts set birthday = null where id = %s", [ADA])
        assert value(conn, "select columns from crmshift.drift('customers')") == ["born"]
        assert value(conn, "select columns from crmshift.drift('contacts')") == ["birthday"]
    roll_back_to(dsn, "legacy", plan=compiled(dsn, project))


def test_a_legacy_column_that_is_not_mapped_is_refused_unless_it_is_listed_as_left_behind(
    make_database: Callable[[str], str], tmp_path: Path
) -> None:
    dsn = make_database("seeded")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("alter table contacts add column score integer")
    with pytest.raises(Refused, match=r"The column score of public\.contacts is not carried over"):
        apply_to(dsn, "sync-layer")
    project = project_with(
        tmp_path,
        {"plans/lead_centric.yaml": lambda s: s.replace("left_behind: {}", "left_behind: {public.contacts: [score]}")},
    )
    apply_to(dsn, "sync-layer", project)


NOTES_SQL = {
    "schema/customer_notes": """
        create table public.customer_notes (
            note_id      bigint primary key default nextval('public.contact_notes_id_seq'),
            customer_id  uuid not null,
            workspace_id uuid not null,
            body         text,
            pinned       boolean not null,
            foreign key (workspace_id, customer_id) references public.customers (workspace_id, cst_id) on update cascade on delete cascade
        );
        alter table public.customer_notes enable row level security;
        alter table public.customer_notes force row level security;
        create policy customer_notes_of_workspace on public.customer_notes
            using (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid);
        create policy customer_notes_of_owner on public.customer_notes to current_user using (true);
        """,
    "rollback/schema/customer_notes": "drop table public.customer_notes;",
    "mapping/customer_notes": """
        create view crmshift.customer_notes_expected as
        select n.id as note_id, n.contact_id as customer_id, c.workspace_id, n.text as body, coalesce(n.stars, 0) > 0 as pinned
          from public.contact_notes as n join public.contacts as c on c.id = n.contact_id;
        insert into crmshift.mapping (name, entity, direction, target, key, key_types, position)
        values ('customer_notes', 'note', 'to_target', 'public.customer_notes', '{note_id}', '{bigint}', 5);
        insert into crmshift.feed (mapping, source, key, mode) values
            ('customer_notes', 'public.contact_notes', '{id}', 'sync'),
            ('customers', 'public.contact_notes', '{contact_id}', 'fill'), ('leads', 'public.contact_notes', '{contact_id}', 'fill');
        """,
    "rollback/mapping/customer_notes": """
        delete from crmshift.feed where source = 'public.contact_notes';
        delete from crmshift.mapping where name = 'customer_notes';
        drop view crmshift.customer_notes_expected;
        """,
    "mapping/contact_notes": """
        create view crmshift.contact_notes_expected as
        select n.note_id as id, n.customer_id as contact_id, n.body as text, case when n.pinned then coalesce(nullif(o.stars, 0), 1) else 0 end as stars
          from public.customer_notes as n left join public.contact_notes as o on o.id = n.note_id;
        insert into crmshift.mapping (name, entity, direction, target, key, key_types, position)
        values ('contact_notes', 'note', 'to_legacy', 'public.contact_notes', '{id}', '{bigint}', 4);
        insert into crmshift.feed (mapping, source, key, mode) values ('contact_notes', 'public.customer_notes', '{note_id}', 'sync');
        """,
    "rollback/mapping/contact_notes": """
        delete from crmshift.mapping where name = 'contact_notes';
        drop view crmshift.contact_notes_expected;
        """,
}


def project_with_notes(folder: Path) -> Path:
    """A plan of its own in which one more pair of tables is mapped, both ways: six SQL files and some lines of YAML."""
    for name, text in NOTES_SQL.items():
        path = folder / "sql" / f"{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    plan = yaml.safe_load((packaged_root() / "plans" / "lead_centric.yaml").read_text(encoding="utf-8"))
    plan["name"] = "with_notes"
    plan["mappings"]["to_target"].append("customer_notes")
    plan["mappings"]["to_legacy"].append("contact_notes")
    steps: list[dict[str, str]] = plan["phases"][0]["steps"]
    last_mapping = max(i for i, s in enumerate(steps) if s.get("run", "").startswith("mapping/"))
    steps[last_mapping + 1 : last_mapping + 1] = [{"run": f"mapping/{n}"} for n in ("customer_notes", "contact_notes")]
    steps.insert(steps.index({"run": "schema/leads"}), {"run": "schema/customer_notes"})
    last_install = max(i for i, s in enumerate(steps) if "install" in s)
    steps[last_install + 1 : last_install + 1] = [{"install": n} for n in ("customer_notes", "contact_notes")]
    steps += [{"attach": "public.customer_notes"}, {"attach": "public.contact_notes"}]
    backfills: list[dict[str, str]] = plan["phases"][1]["steps"]
    backfills.insert(1, {"backfill": "public.contact_notes"})
    (folder / "plans").mkdir()
    (folder / "plans" / "with_notes.yaml").write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
    return folder


def test_a_whole_new_entity_needs_sql_and_yaml_and_no_python(
    make_database: Callable[[str], str], tmp_path: Path
) -> None:
    dsn = make_database("seeded")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(
            """
            create table contact_notes (id bigint generated by default as identity primary key,
                                        contact_id uuid not null references contacts on delete cascade, text varchar(80), stars integer);
            insert into contact_notes (contact_id, text, stars) select id, 'note on ' || firstname, 3 from contacts;
            """
        )
    project = project_with_notes(tmp_path)
    apply_to(dsn, "parallel-operation", project, "with_notes")
    with psycopg.connect(dsn, autocommit=True) as conn:
        assert value(conn, "select count(*) from customer_notes where pinned") == 5
        conn.execute("insert into contact_notes (contact_id, text) values (%s, 'from legacy')", [BEN])
        assert value(conn, "select customer_id::text from customer_notes where body = 'from legacy'") == BEN
        conn.execute(
            "insert into customer_notes (customer_id, workspace_id, body, pinned) values (%s, %s, 'from the target', true)",
            [BEN, WORKSPACE],
        )
        assert conn.execute("select stars from contact_notes where text = 'from the target'").fetchall() == [(1,)]
        conn.execute("update contact_notes set text = 'longer' where text = 'note on Ada'")
        conn.execute("delete from customer_notes where body = 'note on Emil'")
        assert value(conn, "select count(*) from contact_notes where text = 'note on Emil'") == 0
        conn.execute("delete from contacts where id = %s", [ADA])
        assert value(conn, "select count(*) from customer_notes where body = 'longer'") == 0
        conn.execute("update customer_notes set body = repeat('x', 81) where body = 'from legacy'")
        assert conn.execute("select subject, sqlstate from crmshift.sync_queue").fetchall() == [
            ("contact_notes", "22001")
        ]
        conn.execute("update customer_notes set body = 'short' where body = repeat('x', 81)")
        drain(conn)
        assert_in_sync(conn)
        names = {row[0] for row in conn.execute("select name from crmshift.check_list").fetchall()}
        assert "drift_customer_notes" in names
    roll_back_to(dsn, "legacy", plan=compiled(dsn, project, "with_notes"))
    with psycopg.connect(dsn) as conn:
        assert value(conn, "select count(*) from contact_notes where text = 'short'") == 1
        assert value(conn, "select to_regclass('customer_notes')") is None


def test_the_description_of_the_new_entity_is_the_same_in_the_catalogue(
    make_database: Callable[[str], str], tmp_path: Path
) -> None:
    dsn = make_database("legacy")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(
            """create table contact_notes (id bigint generated by default as identity primary key,
                                           contact_id uuid references contacts on delete cascade, text varchar(80), stars integer)"""
        )
    plan = compiled(dsn, project_with_notes(tmp_path), "with_notes")
    apply_compiled(dsn, plan, "sync-layer")
    with psycopg.connect(dsn) as conn:
        for file in plan.mappings:
            described = value(conn, "select crmshift.describe_mapping(%s)", file.name)
            assert json.dumps(described, sort_keys=True) == json.dumps(
                mapping.describe_mapping(file, plan.mappings), sort_keys=True
            )
        for source in ("public.contact_notes", "public.customer_notes", "public.contacts"):
            described = value(conn, "select crmshift.describe_source(%s)", source)
            assert described == mapping.describe_source(source, plan.mappings)


def test_a_mapping_with_names_that_need_quotes_works(make_database: Callable[[str], str], tmp_path: Path) -> None:
    """Camel case, a space, a reserved word: real legacy schemas have them."""
    dsn = make_database("seeded")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(
            """alter table contacts add column "Home Page" text; alter table contacts add column "order" integer"""
        )
        conn.execute("""update contacts set "Home Page" = 'https://x', "order" = 1 where id = %s""", [ADA])
    project = project_with(
        tmp_path,
        {
            "sql/schema/customers.sql": lambda s: s.replace(
                "    zip          text,\n", '    zip text, "Home" text, "user" integer,\n'
            ),
            "sql/mapping/customers.sql": lambda s: s.replace(
                "       c.created_at",
                '       c."Home Page" as "Home",\n       c."order" as "user",\n       c.created_at',
                1,
            ),
            "sql/mapping/contacts.sql": lambda s: s.replace(
                "       t.dateadded ",
                '       t."Home" as "Home Page",\n       t."user" as "order",\n       t.dateadded ',
                1,
            ),
        },
    )
    apply_to(dsn, "parallel-operation", project)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("""update contacts set "order" = 2 where id = %s""", [ADA])
        conn.execute("""update customers set "Home" = 'https://y' where cst_id = %s""", [ADA])
        assert conn.execute("""select "Home", "user" from customers where cst_id = %s""", [ADA]).fetchone() == (
            "https://y",
            2,
        )
        assert conn.execute("""select "Home Page", "order" from contacts where id = %s""", [ADA]).fetchone() == (
            "https://y",
            2,
        )
        assert_in_sync(conn)


def test_a_column_of_a_type_without_equality_is_refused_before_any_write_could_fail(
    make_database: Callable[[str], str], tmp_path: Path
) -> None:
    """json has no =, so that it could not be compared."""
    dsn = make_database("seeded")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("alter table contacts add column extra json")
    project = project_with(
        tmp_path,
        {
            "sql/schema/customers.sql": lambda s: s.replace("    zip          text,\n", "    zip text, extra json,\n"),
            "sql/mapping/customers.sql": lambda s: s.replace(
                "       c.created_at", "       c.extra,\n       c.created_at", 1
            ),
            "sql/mapping/contacts.sql": lambda s: s.replace(
                "       t.dateadded ", "       t.extra,\n       t.dateadded ", 1
            ),
        },
    )
    with pytest.raises(Refused, match=r"extra of public\.contacts is of type json, which has no equality"):
        apply_to(dsn, "sync-layer", project)
    with psycopg.connect(dsn, autocommit=True) as conn:
        assert value(conn, "select to_regnamespace('crmshift')") is None
        conn.execute("""update contacts set extra = '{"a": 1}', city = 'Rom' where id = %s""", [ADA])


# --- planned once


def test_the_writers_are_planned_once_and_not_at_every_call(installed: str) -> None:
    """A generic plan for an array of keys never looks cheaper: unless it is forced, every write is planned anew."""
    with psycopg.connect(installed) as conn:
        settings = conn.execute(
            """
            select proname, proconfig from pg_proc
             where pronamespace = 'crmshift'::regnamespace and proname in (select 'tg_' || (parse_ident(source))[2] from crmshift.feed)
            """
        ).fetchall()
    assert len(settings) == len(SOURCES)
    for name, config in settings:
        assert "plan_cache_mode=force_generic_plan" in config, name


@pytest.mark.shows("trap upsert order")
def test_every_writer_takes_its_rows_in_the_order_of_their_keys(installed: str) -> None:
    """Two writers of the same rows in two orders would deadlock."""
    writers = 0
    for step in compiled(installed).steps:
        for statement in step.statements if step.planned.verb is Verb.INSTALL else ():
            for clause in ("on conflict (", "for no key update"):
                for before in statement.sql.split(clause)[:-1]:
                    if re.search(r"values \([^()]*\)\s*$", before):
                        continue  # one row
                    assert re.search(r"order by [dekt]\.[^\n]*\s*$", before), statement.object
                    writers += 1
    assert writers >= 2 * len(FILES)


@pytest.mark.shows("mission P4")
def test_the_derived_drift_query_names_key_kind_and_columns(make_database: Callable[[str], str]) -> None:
    with psycopg.connect(make_database("parallel"), autocommit=True) as conn:
        conn.execute("set session_replication_role = replica")
        conn.execute("update customer_custom_fields set value = 'x', created_at = null where field_id = %s", [FIELD])
        conn.execute("delete from customers where cst_id = %s", [BEN])
        conn.execute("insert into customers (cst_id, workspace_id) values (%s, %s)", [WORKSPACE, WORKSPACE])
        assert conn.execute("select key, kind, columns from crmshift.drift('customer_custom_fields')").fetchall() == [
            ({"customer_id": ADA, "field_id": FIELD}, "differs", ["value", "created_at"])
        ]
        assert conn.execute(
            "select key ->> 'cst_id', kind, columns from crmshift.drift('customers') order by 1"
        ).fetchall() == [
            (WORKSPACE, "extra", None),
            (BEN, "missing", None),
        ]
        assert conn.execute("select kind from crmshift.drift('customers', %s)", [WORKSPACE]).fetchall()
        assert not conn.execute("select kind from crmshift.drift('customers', %s)", [FIELD]).fetchall()
