"""Validation as an engine: ranges, workers, samples, what was written since, standbys, accuracy, and what is stored."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from crmshift import db, overview
from crmshift.embedded import EmbeddedServer
from crmshift.embedded.account import home, server_account
from crmshift.errors import CrmshiftError, LockNotObtained, Refused, UsageError
from crmshift.validation import checks, compare_rows, runs
from crmshift.validation.reader import Reader
from crmshift.validation.result import Validation
from tests.acceptance.commandline import must
from tests.support.history import CONTACTS
from tests.support.templates import ADA, BEN, DORA, FIELD, NOBODY, OTHER_WORKSPACE, WORKSPACE, apply_to, load_plan
from tests.support.writing import rows, value, write

Make = Callable[[str], str]
Db = Callable[[str], psycopg.Connection]

ROOT = Path(__file__).parents[2]
RUNS = int(os.environ.get("CRMSHIFT_VALIDATIONS", "60"))


@contextmanager
def driver(dsn: str) -> Iterator[db.Connection]:
    conn = db.connect(dsn, "tests")
    try:
        yield conn
    finally:
        conn.close()


@contextmanager
def behind_the_triggers(conn: psycopg.Connection) -> Iterator[psycopg.Connection]:
    conn.execute("set session_replication_role = replica")
    yield conn
    conn.execute("reset session_replication_role")


@pytest.fixture
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many ranges and many statements even of a few rows."""
    monkeypatch.setattr(compare_rows, "RANGE_ROWS", 3)
    monkeypatch.setattr(compare_rows, "FIRST", 1)
    monkeypatch.setattr(compare_rows, "SECONDS", 0.0)


@pytest.fixture
def ranges_of_a_history(small_ranges: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some twenty ranges of thousands of rows."""
    monkeypatch.setattr(compare_rows, "RANGE_ROWS", 300)


def drifted(result: Validation) -> dict[str, int]:
    return {c.name: c.count for c in result.checks if c.entity and c.count}


# --- What other tools take for equal, and what they cry about. A table with columns of every kind, mapped onto another.

PROBE = """
create table public.probe_old (id bigint primary key, a text, b text, amount numeric(14, 2), loose numeric, at timestamptz,
                               flag boolean, ratio double precision, small real, doc jsonb);
create table public.probe_new (like public.probe_old including all);
create view crmshift.probe_expected as select o.id, o.a, o.b, o.amount, o.loose, o.at, o.flag, o.ratio, o.small, o.doc from public.probe_old as o;
insert into crmshift.mapping (name, entity, direction, target, key, key_types, position)
values ('probe', 'probe', 'to_target', 'public.probe_new', '{id}', '{bigint}', 99);
insert into crmshift.feed (mapping, source, key, mode) values ('probe', 'public.probe_old', '{id}', 'sync');
"""


@pytest.fixture
def probe(db: Db) -> psycopg.Connection:
    conn = db("synced")
    conn.execute(PROBE)
    for (statement,) in conn.execute(
        "select s.statement from crmshift.mapping_statements(crmshift.describe_mapping('probe')) as s where s.object ~ 'drift|verdict'"
    ).fetchall():
        conn.execute(statement)
    return conn


def probed(conn: psycopg.Connection) -> list[tuple[object, ...]]:
    """Key, kind and columns of what differs, and whether a comparison in one range says the same as one in many."""
    whole, parts = (
        conn.execute(
            """
            select f ->> 'key', f ->> 'kind', f -> 'columns'
              from crmshift.key_ranges('probe', %s) as r cross join lateral crmshift.compare_rows('probe', null, r.after, r.up_to) as c,
                   jsonb_array_elements(c.findings) as f order by f -> 'key' -> 'id'
            """,
            [size],
        ).fetchall()
        for size in (1_000_000, 1)
    )
    assert whole == parts
    return [(kind, columns) for _, kind, columns in whole]


@pytest.mark.shows("false equal NULL and ''")
@pytest.mark.shows("false equal NULL and blanks")
@pytest.mark.shows("false equal NULL and a sentinel")
@pytest.mark.parametrize("other", ["''", "'   '", "'<null>'", "'DEFAULT_REPLACEMENT_STRING'", "'NULL'", "' '"])
def test_null_equals_nothing_but_null(probe: psycopg.Connection, other: str) -> None:
    probe.execute(
        f"insert into probe_old (id, a) values (1, null), (2, {other}); insert into probe_new (id) values (1), (2)"
    )
    assert probed(probe) == [("differs", ["a"])]
    probe.execute(f"delete from probe_new; insert into probe_new (id, a) values (1, {other}), (2, {other})")
    assert probed(probe) == [("differs", ["a"])]


@pytest.mark.shows("false equal blanks around")
@pytest.mark.parametrize("other", ["' a '", "'a '", "' a'", "E'a\\n'", "'A'"])
def test_blanks_around_a_value_are_part_of_it(probe: psycopg.Connection, other: str) -> None:
    probe.execute(f"insert into probe_old (id, a) values (1, 'a'); insert into probe_new (id, a) values (1, {other})")
    assert probed(probe) == [("differs", ["a"])]


@pytest.mark.shows("false equal neighbours")
@pytest.mark.shows("false equal separators")
@pytest.mark.parametrize(
    ("old", "new"), [(("ab", "c"), ("a", "bc")), (("a|b", "c"), ("a", "b|c")), (("a,b", None), ("a", "b"))]
)
def test_columns_are_compared_one_by_one_never_joined(
    probe: psycopg.Connection, old: tuple[str, str], new: tuple[str, str]
) -> None:
    probe.execute("insert into probe_old (id, a, b) values (1, %s, %s)", old)
    probe.execute("insert into probe_new (id, a, b) values (1, %s, %s)", new)
    assert probed(probe) == [("differs", ["a", "b"])]


@pytest.mark.shows("false equal big numbers")
def test_keys_that_agree_in_eleven_digits_are_two_keys(probe: psycopg.Connection) -> None:
    probe.execute("insert into probe_old (id) values (123456789012); insert into probe_new (id) values (123456789013)")
    assert probed(probe) == [("missing", None), ("extra", None)]


@pytest.mark.shows("false equal money")
@pytest.mark.shows("false equal timestamps")
@pytest.mark.shows("false equal booleans")
@pytest.mark.shows("false equal floats")
@pytest.mark.parametrize(
    ("column", "old", "new"),
    [
        ("amount", "1234567890.12", "1234567890.13"),
        ("loose", "123456789012.0000000001", "123456789012.0000000002"),
        ("at", "'2024-01-01 10:00:00.1Z'", "'2024-01-01 10:00:00.9Z'"),
        ("at", "'2024-01-01 10:00:00.000001Z'", "'2024-01-01 10:00:00.000002Z'"),
        ("at", "'infinity'", "null"),
        ("flag", "null", "false"),
        ("ratio", "1.0001", "1.0004"),
        ("ratio", "0.1::float8 + 0.2::float8", "0.3"),
        ("doc", "'{\"a\": 1}'", '\'{"a": "1"}\''),
        ("doc", "'null'", "null"),
    ],
)
def test_the_least_difference_of_a_value_is_one(probe: psycopg.Connection, column: str, old: str, new: str) -> None:
    probe.execute(
        f"insert into probe_old (id, {column}) values (1, {old}); insert into probe_new (id, {column}) values (1, {new})"
    )
    assert probed(probe) == [("differs", [column])]


@pytest.mark.shows("false equal row with a NULL")
@pytest.mark.parametrize("column", ["small", "ratio", "a", "doc"])
def test_a_null_in_one_column_hides_no_difference_in_another(probe: psycopg.Connection, column: str) -> None:
    probe.execute(
        f"insert into probe_old (id, b, {column}) values (1, 'x', null); insert into probe_new (id, b, {column}) values (1, 'y', null)"
    )
    assert probed(probe) == [("differs", ["b"])]


@pytest.mark.shows("false alarm notation")
def test_two_ways_to_write_one_value_are_no_difference(probe: psycopg.Connection) -> None:
    probe.execute(
        """
        insert into probe_old values (1, 'ä', '', 1.10, 1.0, '2024-01-01 10:00Z', true, '-0', 'NaN', '{"a": 1, "b": [2]}');
        insert into probe_new values (1, U&'\\00E4', '', 1.1, 1.000, '2024-01-01 12:00+02', 't', 0, 'NaN', '{"b":[2],"a":1}')
        """
    )
    assert probed(probe) == []


@pytest.mark.shows("false alarm numeric without precision")
def test_numbers_of_any_length_are_compared(probe: psycopg.Connection) -> None:
    probe.execute(
        "insert into probe_old (id, loose) values (1, 10::numeric ^ 300), (2, 'NaN'); insert into probe_new select * from probe_old"
    )
    assert probed(probe) == []


@pytest.mark.shows("false alarm empty table")
@pytest.mark.parametrize(("full", "kind"), [("probe_old", "missing"), ("probe_new", "extra")])
def test_an_empty_side_is_rows_that_lack_and_no_error(probe: psycopg.Connection, full: str, kind: str) -> None:
    assert probed(probe) == []
    probe.execute(f"insert into {full} (id) values (1), (2), (-3)")
    assert probed(probe) == [(kind, None)] * 3


# --- ranges


def test_ranges_leave_no_key_out_whichever_side_has_it_and_whenever_it_came(probe: psycopg.Connection) -> None:
    """Made out from what is there, and then keys come before the first, between, and after the last."""
    probe.execute("insert into probe_old (id) select n * 10 from generate_series(1, 500) as n")
    ranges = probe.execute("select after, up_to from crmshift.key_ranges('probe', 20)").fetchall()
    assert 12 <= len(ranges) <= 26
    assert ranges[0][0] is None
    assert ranges[-1][1] is None
    assert [up_to for _, up_to in ranges[:-1]] == [after for after, _ in ranges[1:]]
    for side, kind, keys in (
        ("probe_old", "missing", [-5, 15, 5, 10**12, -(10**15)]),
        ("probe_new", "extra", [-6, 16, 10**13]),
    ):
        probe.execute(f"delete from {side}")
        probe.execute(f"insert into {side} (id) select unnest(%s::bigint[])", [keys])
        found = [
            f["key"]["id"]
            for after, up_to in ranges
            for (findings,) in probe.execute(
                "select findings from crmshift.compare_rows('probe', null, %s, %s)",
                [
                    psycopg.types.json.Jsonb(after) if after else None,
                    psycopg.types.json.Jsonb(up_to) if up_to else None,
                ],
            ).fetchall()
            for f in findings
            if f["kind"] == kind
        ]
        assert sorted(found) == sorted(keys)
        probe.execute("truncate probe_old, probe_new")


def test_keys_of_several_columns_are_ranged_over_as_well(ranges_of_a_history: None, make_database: Make) -> None:
    dsn = make_database("history")
    apply_to(dsn, "parallel-operation")
    with psycopg.connect(dsn, autocommit=True) as conn, driver(dsn) as own:
        conn.execute("set session_replication_role = replica")
        lost = conn.execute("delete from customer_custom_fields where value like 'v%7%' returning customer_id").rowcount
        assert lost > 50
        assert conn.execute("select count(*) from crmshift.key_ranges('customer_custom_fields', 20)").fetchone()[0] > 10  # type: ignore[index]
        result = checks.run(own)
        check = next(c for c in result.checks if c.name == "drift_customer_custom_fields")
        assert (check.count, check.by_kind, check.entity) == (lost, {"missing": lost}, "custom field")
        assert {str(w): n for w, n in check.by_workspace.items()} == {WORKSPACE: lost}
        keys = [(f.key["customer_id"], f.key["field_id"]) for f in check.findings if f.key]
        assert len(keys) == 20
        assert keys == sorted(keys), "the first ones, in order"


def test_workers_share_the_ranges_and_find_the_same(ranges_of_a_history: None, make_database: Make) -> None:
    dsn = make_database("history")
    apply_to(dsn, "parallel-operation")
    with psycopg.connect(dsn, autocommit=True) as conn, driver(dsn) as own:
        conn.execute("set session_replication_role = replica")
        conn.execute("update customers set city = 'x' where lastname like '%33'")
        conn.execute("delete from leads where customer_id in (select id from contacts where lastname like '%4')")
        one, three = checks.run(own), checks.run(own, workers=3)
        assert drifted(one) == drifted(three)
        assert drifted(one)["drift_customers"] == CONTACTS // 100
        assert one.accuracies == three.accuracies
        for a, b in zip(one.checks, three.checks, strict=True):
            assert (a.findings, a.by_kind, a.by_workspace) == (b.findings, b.by_kind, b.by_workspace)


def test_a_worker_that_fails_fails_the_validation(
    small_ranges: None, make_database: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A side that was read by half is no answer."""
    dsn = make_database("parallel")
    with psycopg.connect(dsn, autocommit=True) as conn, driver(dsn) as own:
        conn.execute("alter function crmshift.verdict_customers(jsonb) rename to elsewhere")
        conn.execute("set session_replication_role = replica; update customers set city = 'x'")
        for workers in (1, 3):
            with pytest.raises(CrmshiftError, match="42883"):
                checks.run(own, workers=workers)
    must(2, "validate", dsn=dsn)


# --- under live writes


@pytest.mark.shows("false alarm live writes")
@pytest.mark.default_pg
def test_writers_on_both_sides_never_raise_an_alarm(
    small_ranges: None, make_database: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """Values, inserts, deletes and changes of key, so that rows move between ranges while they are compared."""
    dsn = make_database("parallel")
    with psycopg.connect(dsn, autocommit=True) as conn:
        write(
            conn,
            "insert into contacts (workspace_id, firstname, lead_status) select :alpha, n::text, 'new' from generate_series(1, 40) as n",
        )
    enough, errors, writes = threading.Event(), [], [0, 0, 0, 0]

    def busy(number: int) -> None:
        dice = random.Random(number)
        statements = (
            (
                "update contacts set city = %(v)s, lead_status = %(v)s where id = (select id from contacts where id > %(u)s order by id limit 1)",
                5,
            ),
            (
                "update customers set zip = %(v)s where cst_id = (select cst_id from customers where cst_id > %(u)s order by 1 limit 1)",
                5,
            ),
            (
                "update leads set disposition = %(v)s where is_primary and customer_id = (select customer_id from leads where customer_id > %(u)s order by 1 limit 1)",
                5,
            ),
            (f"insert into contacts (id, workspace_id, lead_status) values (%(u)s, '{WORKSPACE}', 'new')", 2),
            (
                "update contacts set id = %(u)s where id = (select id from contacts as c where firstname is null and not exists (select from appointments as a where a.contact_id = c.id) limit 1)",
                2,
            ),
            (
                "delete from contacts where id = (select id from contacts where firstname is null and id > %(u)s limit 1)",
                4,
            ),
            (f"insert into customers (cst_id, workspace_id) values (%(u)s, '{OTHER_WORKSPACE}')", 1),
            (
                f"update customer_custom_fields set value = %(v)s where customer_id = '{ADA}' and field_id = '{FIELD}'",
                2,
            ),
            ("update appointments set status = %(v)s where id = 1", 2),
        )
        with psycopg.connect(dsn, autocommit=True) as conn:
            while not enough.is_set():
                [statement] = dice.choices([s for s, _ in statements], [w for _, w in statements])
                try:
                    conn.execute(
                        statement, {"v": str(dice.randrange(10**6)), "u": uuid.UUID(int=dice.getrandbits(128))}
                    )
                    writes[number] += 1
                except psycopg.errors.DeadlockDetected:
                    pass  # applications of ours cross each other
                except psycopg.Error as error:
                    errors.append(str(error))

    threads = [threading.Thread(target=busy, args=[n]) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        with driver(dsn) as own:
            for number in range(RUNS):
                result = checks.run(own, workers=1 + number % 3)
                assert drifted(result) == {}, [c.findings for c in result.checks if c.entity]
                assert result.accuracy.rows > 0
    finally:
        enough.set()
        for thread in threads:
            thread.join()
    assert not errors, errors[:3]
    assert min(writes) > 0
    with capsys.disabled():
        print(f"\nno false alarm: {RUNS} validations beside {sum(writes):,} writes")


def test_what_stands_in_the_queue_is_outstanding_and_no_drift(make_database: Make) -> None:
    dsn = make_database("parallel")
    with psycopg.connect(dsn, autocommit=True) as conn, driver(dsn) as own:
        conn.execute("call crmshift.pause()")
        write(conn, "update contacts set city = 'Rom' where id = :ada")
        with behind_the_triggers(conn):
            write(conn, "update customers set city = 'Rom' where cst_id = :ben")
        result = checks.run(own)
        assert drifted(result) == {"drift_customers": 1}
        assert result.outstanding == 1
        assert next(c for c in result.checks if c.name == "drift_customers").findings[0].key == {"cst_id": BEN}


# --- one clock for two


def test_legacys_clock_is_the_later_of_the_two_and_the_customer_s_alone_where_there_is_no_lead(
    make_database: Make,
) -> None:
    dsn = make_database("parallel")
    times = (None, "2025-01-01Z", "2025-01-02Z")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("insert into contacts (id, workspace_id) values (%s, %s)", [NOBODY, WORKSPACE])
        assert value(conn, f"select count(*) from leads where customer_id = '{NOBODY}'") == 0
        with behind_the_triggers(conn):
            for contact, customer, lead in itertools.product(times, times, times):
                conn.execute("update contacts set updated_at = %s where id in (%s, %s)", [contact, ADA, NOBODY])
                conn.execute("update customers set lastchanged = %s where cst_id in (%s, %s)", [customer, ADA, NOBODY])
                conn.execute("update leads set lastchangedon = %s where customer_id = %s", [lead, ADA])
                differing = {
                    str(key["cst_id"] if "cst_id" in key else key["customer_id"]): columns
                    for mapping in ("customers", "leads")
                    for key, columns in conn.execute(f"select key, columns from crmshift.drift_{mapping}()").fetchall()
                }
                expected = set()
                if contact != max((t for t in (customer, lead) if t), default=None):
                    expected.add(ADA)
                if contact != customer:
                    expected.add(NOBODY)
                assert set(differing) == expected, (contact, customer, lead)
                assert all(c in (["lastchanged"], ["lastchangedon"]) for c in differing.values())


# --- nothing to compare


def test_a_crm_that_never_had_a_contact_is_clean(make_database: Make) -> None:
    dsn = make_database("legacy")
    with psycopg.connect(dsn, autocommit=True) as conn, driver(dsn) as own:
        conn.execute("insert into workspaces (id, name) values (%s, 'New')", [WORKSPACE])
        apply_to(dsn, "parallel-operation")  # every validation on the way passes
        empty = checks.run(own)
        assert (empty.clean, empty.empty, empty.accuracy.rows) == (True, True, 0)
        assert "no row yet" in must(0, "validate", dsn=dsn).out
        for part in (["--workspace", WORKSPACE], ["--sample", "50"]):
            must(1, "validate", *part, dsn=dsn)

        conn.execute("insert into contacts (id, workspace_id, lead_status) values (%s, %s, 'new')", [ADA, WORKSPACE])
        assert checks.run(own).clean
        conn.execute("delete from contacts")
        lost = checks.run(own)
        assert (lost.clean, lost.accuracy.rows) == (False, 0), "there was one, and now there is none on either side"
        assert [c.name for c in lost.checks if not c.passed] == ["rows_compared"]


# --- accuracy


def test_accuracy_is_agreeing_rows_over_all_rows_by_entity_and_in_total(make_database: Make) -> None:
    dsn = make_database("parallel")
    with psycopg.connect(dsn, autocommit=True) as conn, driver(dsn) as own:
        counts = {
            "customer": value(conn, "select count(*) from contacts"),
            "lead": value(conn, "select count(*) from leads where is_primary"),
            "custom field": value(conn, "select count(*) from contact_custom_fields"),
            "appointment": value(conn, "select count(*) from appointments"),
        }
        assert {a.entity: (a.rows, a.agreeing) for a in checks.run(own).accuracies} == {
            e: (n, n) for e, n in counts.items()
        }
        with behind_the_triggers(conn):
            write(conn, "update customers set city = 'x' where cst_id = :ben")
            write(conn, "insert into customers (cst_id, workspace_id) values (:nobody, :alpha)")
        result = checks.run(own, fail_under=80)
        assert (result.accuracies[0].rows, result.accuracies[0].agreeing) == (
            counts["customer"] + 1,
            counts["customer"] - 1,
        )
        total = sum(counts.values())
        assert result.accuracy.percent == pytest.approx(100 * (total - 1) / (total + 1))
    assert must(1, "validate", "--fail-under", "99.9", dsn=dsn)
    with psycopg.connect(dsn, autocommit=True) as conn, behind_the_triggers(conn):
        write(conn, "delete from customers where cst_id = :nobody")
    must(0, "validate", "--fail-under", "80", dsn=dsn)
    must(1, "validate", dsn=dsn)


def test_nothing_compared_is_a_failure(make_database: Make) -> None:
    dsn = make_database("synced")
    with driver(dsn) as own:
        assert not checks.run(own, fail_under=0).clean


# --- values


def test_values_are_read_only_where_they_are_asked_for(make_database: Make) -> None:
    dsn = make_database("parallel")
    with psycopg.connect(dsn, autocommit=True) as conn, driver(dsn) as own:
        with behind_the_triggers(conn):
            write(
                conn,
                "update customers set city = 'Rom', zip = null where cst_id = :ada; delete from customers where cst_id = :dora",
            )
        hidden = checks.run(own)
        assert all(f.values is None for c in hidden.checks for f in c.findings)
        shown = {
            f.key["cst_id"]: f
            for c in checks.run(own, show_values=True).checks
            if c.name == "drift_customers"
            for f in c.findings
            if f.key
        }
        assert shown[ADA].values == {"city": ("Bonn", "Rom"), "zip": ("53111", None)}
        missing = shown[DORA].values
        assert missing is not None
        assert missing["firstname"] == ("Dora", None)
    said = must(1, "validate", dsn=dsn)
    assert "Rom" not in said.out + said.err


# --- a part


def test_since_compares_what_was_written_and_finds_what_is_gone(ranges_of_a_history: None, make_database: Make) -> None:
    dsn = make_database("history")
    apply_to(dsn, "parallel-operation")
    with psycopg.connect(dsn, autocommit=True) as conn, driver(dsn) as own:
        first = checks.run(own)
        assert first.clean
        assert first.compared == first.accuracy.rows > CONTACTS
        nothing = checks.run(own, since="last")
        assert nothing.clean
        assert nothing.scope.since == first.number
        assert nothing.compared == 0
        assert nothing.accuracy.rows == first.accuracy.rows
        with behind_the_triggers(conn):
            conn.execute("update customers set city = 'x' where lastname in ('17', '18')")
            conn.execute("update contacts set lead_status = 'y' where lastname = '20'")
            conn.execute("delete from customers where lastname = '21'")
            conn.execute("delete from appointments where contact_id in (select id from contacts where lastname = '27')")
            conn.execute("begin; savepoint s; update contacts set zip = '1' where lastname = '30'; release s; commit")
        result = checks.run(own, since=str(first.number))
        assert (
            drifted(result)
            == drifted(checks.run(own))
            == {"drift_customers": 4, "drift_leads": 1, "drift_lead_appointments": 1}
        )
        assert 5 <= result.compared < 100
        assert "written since validation" in " ".join(result.coverage)
        with pytest.raises(Refused, match="rows differed"):
            checks.run(own, since=str(result.number))
        with pytest.raises(UsageError, match="no stored validation"):
            checks.run(own, since="4711")


def test_since_looks_at_the_rows_that_hang_on_what_was_written(make_database: Make) -> None:
    """A lead that becomes primary behind the triggers takes no appointment along: no appointment was written."""
    dsn = make_database("parallel")
    with psycopg.connect(dsn, autocommit=True) as conn, driver(dsn) as own:
        write(
            conn,
            "insert into leads (customer_id, workspace_id, source, disposition, appointment_status, lastchangedon) "
            "select customer_id, workspace_id, source, disposition, appointment_status, lastchangedon from leads where customer_id = :ada",
        )
        assert checks.run(own).clean
        primary = value(conn, "select id::text from leads where customer_id = :ada and is_primary")
        with behind_the_triggers(conn):
            conn.execute("update leads set is_primary = false where customer_id = %s", [ADA])
            conn.execute("update leads set is_primary = true where customer_id = %s and id::text <> %s", [ADA, primary])
        assert drifted(checks.run(own, since="last"))["drift_lead_appointments"] == 2


def test_since_refuses_what_cannot_be_a_beginning(make_database: Make) -> None:
    dsn = make_database("parallel")
    with psycopg.connect(dsn, autocommit=True) as conn, driver(dsn) as own:
        with pytest.raises(Refused, match="no stored validation to start from") as none:
            conn.execute("truncate crmshift.validation_run cascade")
            checks.run(own, since="last")
        assert none.value.exit_status == 3
        sampled = checks.run(own, sample=50)
        workspace = checks.run(own, uuid.UUID(WORKSPACE))
        for part in (sampled, workspace):
            with pytest.raises(Refused, match="a part only"):
                checks.run(own, since=str(part.number))
        assert checks.run(own, uuid.UUID(WORKSPACE), since="last").scope.since == workspace.number
        whole = checks.run(own)
        conn.execute("update crmshift.validation_run set server = server + 1 where id = %s", [whole.number])
        with pytest.raises(Refused, match="another cluster"):
            checks.run(own, since=str(whole.number))
        conn.execute(
            "update crmshift.validation_run set server = server - 1, plan = 'other' where id = %s", [whole.number]
        )
        with pytest.raises(Refused, match="plan is another"):
            checks.run(own, since=str(whole.number))


def test_a_transaction_that_was_open_then_counts_as_written_since(make_database: Make) -> None:
    dsn = make_database("parallel")
    with psycopg.connect(dsn) as open_one, driver(dsn) as own:
        open_one.execute("set session_replication_role = replica")
        open_one.execute("savepoint s")
        open_one.execute("update customers set city = 'x' where cst_id = %s", [ADA])
        open_one.execute("release s")
        assert checks.run(own).clean
        open_one.commit()
        assert drifted(checks.run(own, since="last")) == {"drift_customers": 1}


def test_since_sees_through_a_freeze_and_a_rewrite(make_database: Make) -> None:
    dsn = make_database("parallel")
    with psycopg.connect(dsn, autocommit=True) as conn, driver(dsn) as own:
        assert checks.run(own).clean
        with behind_the_triggers(conn):
            write(conn, "update customers set city = 'x' where cst_id = :ada")
        conn.execute("vacuum (full, freeze) customers")
        assert drifted(checks.run(own, since="last")) == {"drift_customers": 1}


def test_a_sample_takes_the_same_keys_on_both_sides_and_says_what_it_may_miss(make_database: Make) -> None:
    dsn = make_database("history")
    apply_to(dsn, "parallel-operation")
    with psycopg.connect(dsn, autocommit=True) as conn, driver(dsn) as own:
        sampled = checks.run(own, sample=20)
        assert sampled.clean
        assert 0.15 * CONTACTS < sampled.accuracies[0].rows < 0.25 * CONTACTS
        assert not sampled.scope.complete
        assert sampled.scope.chance_to_miss(10) == pytest.approx(0.8**10)
        assert "11%" in sampled.coverage[0]
        with behind_the_triggers(conn):
            conn.execute("update customers set city = 'x' where lastname like '%5'")
        seen = checks.run(own, sample=20).checks
        count = next(c.count for c in seen if c.name == "drift_customers")
        assert 0.1 * CONTACTS * 0.1 < count < 0.1 * CONTACTS * 0.3
        seen_by_status = overview.read(own, load_plan()[0])
        assert seen_by_status.validated is not None
        assert seen_by_status.validated.complete, "that of apply, not this one of a part"
        last, complete = runs.last(own), runs.last(own, complete=True)
        assert last is not None
        assert not last.complete
        assert complete is not None
        assert complete.complete


# --- stored


def test_a_result_is_stored_with_where_the_database_stood_and_grows_stale(make_database: Make) -> None:
    dsn = make_database("parallel")
    with psycopg.connect(dsn, autocommit=True) as conn, driver(dsn) as own:
        result = checks.run(own, fail_under=50)
        assert rows(
            conn,
            "select clean, complete, fail_under, drifted, ledger = (select max(id) from crmshift.step_run), length(plan), accuracies "
            f"from crmshift.validation_run where id = {result.number}",
        ) == [
            (
                True,
                True,
                50.0,
                0,
                True,
                64,
                [{"entity": a.entity, "rows": a.rows, "agreeing": a.agreeing} for a in result.accuracies],
            )
        ]
        write(conn, "update contacts set zip = '1'")
        conn.execute("select pg_stat_force_next_flush()")
        conn.execute("select 1")
        conn.execute("update crmshift.validation_run set at = at - interval '31 h'")
        stored = runs.last(own)
        assert stored is not None
        assert stored.stale == "31 h old, 10 writes since"  # five contacts, and five customers after them
        assert stored.same_plan
        conn.execute("select pg_stat_reset()")
        stored = runs.last(own)
        assert stored is not None
        assert stored.stale == "31 h old, writes since not known"
    assert "31 h old, writes since not known" in must(0, "status", dsn=dsn).out


# --- a standby


def on(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(statement.encode())


@contextmanager
def standby_of(primary: EmbeddedServer, settings: dict[str, str]) -> Iterator[EmbeddedServer]:
    account = server_account()
    place = home(account)
    backup = [primary.bin_dir / "pg_basebackup", "--pgdata", place / "standby", "--write-recovery-conf"]
    try:
        done, said = account.run([*backup, "--checkpoint=fast", "--dbname", primary.dsn()])
        assert done == 0, said
        with EmbeddedServer.start(data_dir=place / "standby", bin_dir=primary.bin_dir, settings=settings) as standby:
            yield standby
    finally:
        shutil.rmtree(place, ignore_errors=True)


@pytest.mark.slow
def test_a_standby_is_read_and_its_result_stored_on_the_primary(
    small_ranges: None, make_server: Callable[..., EmbeddedServer]
) -> None:
    """One that soon cancels what is in the way of replay; and how far it is behind is said."""
    settings = {
        "wal_level": "replica",
        "max_wal_senders": "4",
        "max_connections": "200",
        "max_standby_streaming_delay": "10ms",
        "hot_standby_feedback": "off",
    }
    primary = make_server(**settings)
    on(primary.dsn(), "create database crm")
    dsn = primary.dsn("crm")
    for file in ("sql/legacy/schema.sql", "tests/support/seed.sql"):
        on(dsn, (ROOT / file).read_text(encoding="utf-8"))
    apply_to(dsn, "parallel-operation")
    with standby_of(primary, settings) as standby, driver(dsn) as own:
        copy = standby.dsn("crm")
        with psycopg.connect(dsn, autocommit=True) as conn, psycopg.connect(copy, autocommit=True) as replica:

            def caught_up() -> None:
                lsn = value(conn, "select pg_current_wal_insert_lsn()")
                deadline = time.monotonic() + 30
                while replica.execute("select pg_last_wal_replay_lsn() >= %s", [lsn]).fetchone() != (True,):
                    assert time.monotonic() < deadline
                    time.sleep(0.05)

            caught_up()
            clean = checks.run(own, read_dsn=copy, workers=2)
            assert clean.clean
            assert clean.scope.standby_lag is not None
            assert value(conn, f"select standby_lag is not null from crmshift.validation_run where id = {clean.number}")
            replica.execute("select pg_wal_replay_pause()")
            with behind_the_triggers(conn):
                write(conn, "update customers set city = 'x' where cst_id = :ada")
            time.sleep(0.2)
            behind = checks.run(own, read_dsn=copy)
            assert behind.clean, "it has not heard of it"
            assert behind.scope.standby_lag is not None
            assert behind.scope.standby_lag > 0.1
            assert "behind" in " ".join(behind.coverage)
            replica.execute("select pg_wal_replay_resume()")
            caught_up()
            found = checks.run(own, read_dsn=copy, since=str(behind.number))
            assert drifted(found) == {"drift_customers": 1}, "written before that one ended, and not seen by it"
            with behind_the_triggers(conn):
                write(conn, "update customers set city = 'Bonn' where cst_id = :ada")
            caught_up()
            enough = threading.Event()

            def churn() -> None:
                with psycopg.connect(dsn, autocommit=True) as writer:
                    while not enough.is_set():
                        writer.execute("update contacts set zip = random()::text")
                        writer.execute("vacuum contacts, customers, leads")
                        enough.wait(2)  # longer than a check takes on a busy machine

            thread = threading.Thread(target=churn)
            thread.start()
            seen_by: list[int] = []

            def look(reading: db.Connection) -> None:
                seen_by.append(reading.info.backend_pid)
                if len(seen_by) == 1:
                    with db.translated():
                        reading.execute(
                            """
                            do $$ begin
                                begin perform count(*), pg_sleep(20) from contacts;
                                exception when assert_failure then null;
                                end;
                            end $$
                            """
                        )

            try:
                with closing(Reader(db.connect(copy, "tests"), lambda: db.connect(copy, "tests"))) as reader:
                    reader.undisturbed(look)
                assert len(set(seen_by)) == 2, "ended, for it was in a subtransaction, and opened anew"
                for _ in range(10):
                    result = checks.run(own, read_dsn=copy)
                    assert drifted(result) == {}, [c.findings for c in result.checks if c.count]
            finally:
                enough.set()
                thread.join()


def test_what_apply_validated_is_of_the_plan_it_reached(make_database: Make) -> None:
    with psycopg.connect(make_database("parallel")) as conn:
        found = conn.execute("select same_plan from crmshift.validation_state order by id desc limit 1").fetchall()
    assert found == [(True,)]


def test_read_dsn_must_lead_to_a_copy(make_database: Make) -> None:
    dsn, other = make_database("parallel"), make_database("parallel")
    with driver(dsn) as own:
        with pytest.raises(UsageError, match="another database"):
            checks.run(own, read_dsn=other)
        assert checks.run(own, read_dsn=dsn).scope.standby_lag is None, "the primary itself is no standby"


def test_a_range_that_a_standby_cancels_is_halved_and_tried_again(
    small_ranges: None, make_database: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = make_database("history")
    apply_to(dsn, "parallel-operation")
    monkeypatch.setattr(compare_rows, "RANGE_ROWS", 500)
    monkeypatch.setattr(compare_rows, "FIRST", 8)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    real, sizes = compare_rows._Ranges.compare, []

    def cancelled(self: compare_rows._Ranges, taken: range, conn: db.Connection) -> None:
        sizes.append(len(taken))
        if len(taken) > 2 or len(sizes) % 5 == 0:
            raise CrmshiftError("canceling statement due to conflict with recovery", sqlstate="40001")
        real(self, taken, conn)

    monkeypatch.setattr(compare_rows._Ranges, "compare", cancelled)
    with driver(dsn) as own:
        result = checks.run(own)
        assert result.clean
        assert result.accuracies[0].rows == CONTACTS + 5
        assert {8, 4, 2, 1} <= set(sizes)
        monkeypatch.setattr(
            compare_rows._Ranges,
            "compare",
            lambda *_: (_ for _ in ()).throw(CrmshiftError("conflict", sqlstate="40001")),
        )
        with pytest.raises(LockNotObtained, match="cancelled"):
            checks.run(own)
