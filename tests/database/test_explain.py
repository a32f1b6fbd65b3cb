"""The life of one row: what is said of it is what is there, and no value is said unasked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from crmshift import db
from crmshift.errors import Refused, UsageError
from crmshift.explain import reading
from crmshift.explain.explanation import Explanation, Verdict
from tests.acceptance.commandline import must
from tests.support.templates import ADA, BEN, CLEO, EMIL, FIELD, NOBODY, apply_to

Make = Callable[[str], str]


@pytest.fixture
def dsn(make_database: Make) -> str:
    return make_database("parallel")


@pytest.fixture
def conn(dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


def told(dsn: str, asked: str, **options: Any) -> Explanation:
    conn = db.connect(dsn, "tests", read_only=True)
    try:
        return reading.run(conn, asked, **options)
    finally:
        conn.close()


def behind(conn: psycopg.Connection, *statements: str) -> None:
    """Write behind the triggers."""
    conn.execute("set session_replication_role = replica")
    for statement in statements:
        conn.execute(statement.encode())
    conn.execute("reset session_replication_role")


def verdicts(explained: Explanation, mapping: str) -> dict[str, Verdict]:
    """What is said of the columns of a row, other than that they are the same or not mapped."""
    row = next(r for r in explained.rows if r.mapping == mapping)
    return {c.name: c.verdict for c in row.columns if c.verdict not in (Verdict.SAME, Verdict.UNMAPPED)}


@pytest.mark.parametrize(
    ("kind", "mappings"),
    [
        (f"contact:{ADA}", ["contacts", "customers", "leads"]),
        (f"customer:{ADA}", ["contacts", "customers", "leads"]),
        (f"contacts: {ADA.upper()}", ["contacts", "customers", "leads"]),
        ("appointment:1", ["appointments", "lead_appointments"]),
        ("lead-appointment:1", ["appointments", "lead_appointments"]),
        (f"contact-custom-field:{ADA},{FIELD}", ["contact_custom_fields", "customer_custom_fields"]),
        (f"customer_custom_field:{ADA},{FIELD}", ["contact_custom_fields", "customer_custom_fields"]),
    ],
)
def test_a_row_is_the_same_by_whichever_side_it_is_asked_for(
    dsn: str, conn: psycopg.Connection, kind: str, mappings: list[str]
) -> None:
    explained = told(dsn, kind)
    assert explained.found
    assert explained.agrees
    assert explained.next_steps == ()
    assert [r.mapping for r in explained.rows] == mappings
    for row in explained.rows:
        mapped = conn.execute(
            "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0",
            [row.view],
        ).fetchall()
        assert {c.name for c in row.columns if c.made} == {name for (name,) in mapped}
        assert verdicts(explained, row.mapping) == {}
        assert row.writer is not None


def test_a_lead_is_its_contact_s(dsn: str, conn: psycopg.Connection) -> None:
    lead = conn.execute("select id from leads where customer_id = %s", [ADA]).fetchone()
    assert lead is not None
    explained = told(dsn, f"lead:{lead[0]}")
    assert (explained.subject, explained.key, explained.unspoken) == ("contacts", {"id": ADA}, False)
    assert [(h.mapping, h.verdict) for h in explained.hanging] == [
        ("customer_custom_fields", Verdict.SAME),
        ("customer_custom_fields", Verdict.SAME),
        ("lead_appointments", Verdict.SAME),
        ("lead_appointments", Verdict.SAME),
    ]


def test_what_a_column_is_made_from(dsn: str) -> None:
    explained = told(dsn, f"contact:{ADA}")
    made = {(r.mapping, c.name): c.made for r in explained.rows for c in r.columns if c.made}
    sources = {key: set(m.sources) for key, m in made.items()}
    assert sources["customers", "phone1"] == {"public.contacts.phone_number"}
    assert sources["contacts", "phone_number"] == {"public.customers.phone1"}
    assert sources["leads", "disposition"] == {"public.contacts.lead_status"}
    # through a subquery of the view
    assert sources["contacts", "lead_status"] == {
        "public.leads.id",
        "public.leads.disposition",
        "public.contacts.lead_status",
    }
    field = told(dsn, f"contact-custom-field:{ADA},{FIELD}")
    value = next(c for c in field.rows[0].columns if c.name == "value")
    assert value.made is not None
    assert value.made.sources == ("public.customer_custom_fields.value",), "a view of one table names no aliases"


def test_what_differs_is_missing_or_extra(dsn: str, conn: psycopg.Connection) -> None:
    behind(
        conn,
        f"update customers set city = 'Atlantis', phone1 = null where cst_id = '{ADA}'",
        "delete from lead_appointments where id = 1",
        f"update customer_custom_fields set value = 'Xanadu' where customer_id = '{ADA}' and field_id = '{FIELD}'",
        f"delete from leads where customer_id = '{CLEO}'",
        f"delete from contacts where id = '{EMIL}'",
    )
    ada = told(dsn, f"contact:{ADA}")
    assert not ada.agrees
    assert verdicts(ada, "customers") == {"city": Verdict.DIFFERS, "phone1": Verdict.DIFFERS}
    assert verdicts(ada, "contacts") == {"city": Verdict.DIFFERS, "phone_number": Verdict.DIFFERS}
    phone = next(c for c in ada.rows[1].columns if c.name == "phone1")
    assert (phone.expected.looks, phone.found.looks) == ("9 chars", "NULL")
    assert (phone.expected.value, phone.found.value) == (None, None), "not asked for"
    assert [(h.verdict, h.columns) for h in ada.hanging] == [
        (Verdict.DIFFERS, ("value",)),
        (Verdict.SAME, ()),
        (Verdict.MISSING, ()),
        (Verdict.SAME, ()),
    ]
    assert ada.next_steps == ("crmshift validate --repair",)
    cleo = told(dsn, f"contact:{CLEO}")
    assert [r.verdict for r in cleo.rows] == [Verdict.DIFFERS, Verdict.SAME, Verdict.MISSING]
    assert set(verdicts(cleo, "leads").values()) == {Verdict.MISSING}
    emil = told(dsn, f"customer:{EMIL}")
    assert [r.verdict for r in emil.rows] == [Verdict.MISSING, Verdict.EXTRA, Verdict.EXTRA]


def test_a_clock_that_the_lead_keeps_agrees_without_being_the_same(dsn: str, conn: psycopg.Connection) -> None:
    conn.execute("update contacts set lead_status = 'won', updated_at = '2026-01-01Z' where id = %s", [ADA])
    explained = told(dsn, f"contact:{ADA}")
    assert explained.agrees
    assert verdicts(explained, "customers") == {"lastchanged": Verdict.AGREES}


def test_values_are_shown_only_where_they_are_asked_for(dsn: str, conn: psycopg.Connection) -> None:
    conn.execute(
        "insert into crmshift.conflict_policy (subject, columns, policy) values ('contacts', '{email}', 'manual')"
    )
    must(0, "sync", "pause", dsn=dsn)
    conn.execute("update contacts set email = 'Avalon' where id = %s", [ADA])
    conn.execute("update customers set email = 'Arcadia' where cst_id = %s", [ADA])
    must(1, "sync", "resume", dsn=dsn)
    conn.execute("update customers set firstname = repeat('Camelot', 60) where cst_id = %s", [EMIL])
    behind(conn, f"update customers set city = 'Atlantis' where cst_id = '{ADA}'")
    conn.execute("update customers set address2 = 'Eldorado' where cst_id = %s", [BEN])
    conn.execute("delete from contacts where id = %s", [BEN])
    secrets = ("Avalon", "Arcadia", "Camelot", "Atlantis", "Eldorado", "Ada", "Emil", "Bode")
    seen = ""
    for who in (ADA, EMIL, BEN):
        for form in ("text", "json"):
            status = 0 if who == BEN else 1
            shut = must(status, "explain", f"contact:{who}", "--format", form, dsn=dsn)
            for secret in secrets:
                assert secret not in shut.out + shut.err
            seen += must(status, "explain", f"contact:{who}", "--show-values", "--format", form, dsn=dsn).out
    for secret in secrets:
        assert secret in seen


def test_what_waits_in_the_queue(dsn: str, conn: psycopg.Connection) -> None:
    conn.execute("update customers set firstname = repeat('x', 300) where cst_id = %s", [ADA])
    explained = told(dsn, f"contact:{ADA}")
    assert not explained.agrees
    assert verdicts(explained, "contacts") == {"firstname": Verdict.WAITS}
    assert verdicts(explained, "customers") == {"firstname": Verdict.WAITS}
    (entry,) = explained.queue
    assert (entry.side, entry.op, entry.reason, entry.sqlstate, entry.attempts, entry.whole) == (
        "target",
        "update",
        "failed",
        "22001",
        0,
        False,
    )
    assert entry.columns == ("firstname",)
    assert explained.next_steps == ("crmshift sync status", "crmshift sync drain")
    must(0, "sync", "pause", dsn=dsn)
    assert told(dsn, f"contact:{ADA}").next_steps == ("crmshift sync resume",)
    assert "failed 22001" in must(1, "explain", f"contact:{ADA}", dsn=dsn).out


def test_conflicts_open_and_settled(dsn: str, conn: psycopg.Connection) -> None:
    conn.execute(
        "insert into crmshift.conflict_policy (subject, columns, policy) values ('contacts', '{email}', 'manual')"
    )
    must(0, "sync", "pause", dsn=dsn)
    conn.execute("update contacts set email = 'here', city = 'here' where id = %s", [ADA])
    conn.execute("update customers set email = 'there', city = 'there' where cst_id = %s", [ADA])
    must(1, "sync", "resume", dsn=dsn)
    explained = told(dsn, f"contact:{ADA}")
    (conflict,) = explained.conflicts
    assert (conflict.columns, conflict.policy, conflict.winner) == (("email",), "manual", None)
    assert verdicts(explained, "contacts") == {"email": Verdict.CONFLICT, "city": Verdict.WAITS}
    assert verdicts(explained, "customers") == {"email": Verdict.CONFLICT, "city": Verdict.WAITS}
    assert explained.next_steps == (f"crmshift conflicts show {conflict.id}",)
    must(0, "conflicts", "resolve", str(conflict.id), "--take", "legacy", dsn=dsn)
    explained = told(dsn, f"contact:{ADA}", show_values=True)
    assert explained.agrees
    lost = {c.name: c.lost for r in explained.rows if r.mapping == "customers" for c in r.columns if c.lost}
    by_column = {c.columns: (c.winner, explained.losing.get(c.id)) for c in explained.conflicts}
    assert set(lost) == {"email", "address1", "city", "state", "zip"}, "an address is one group"
    assert by_column["email",] == ("legacy", {"email": ["ada@example.com", "there"]})
    assert by_column["st_address", "city", "state", "zip"] == ("target", {"city": ["Bonn", "here"]})


def test_what_legacy_has_no_place_for(dsn: str, conn: psycopg.Connection) -> None:
    lead = conn.execute(
        "insert into leads (customer_id, workspace_id, productid) select cst_id, workspace_id, 'roof' from customers where cst_id = %s returning id",
        [ADA],
    ).fetchone()
    assert lead is not None
    appointment = conn.execute(
        "insert into lead_appointments (lead_id, workspace_id) select id, workspace_id from leads where id = %s returning id",
        [lead[0]],
    ).fetchone()
    assert appointment is not None
    second = told(dsn, f"lead:{lead[0]}")
    assert second.unspoken
    assert second.agrees
    assert second.key == {"id": ADA}
    assert {(b.table, b.column) for b in second.beyond} == {("public.leads", None), ("public.lead_appointments", None)}
    alone = told(dsn, f"lead-appointment:{appointment[0]}")
    assert alone.found
    assert alone.unspoken
    assert {r.verdict for r in alone.rows} == {Verdict.NONE}
    assert "no place" in must(0, "explain", f"lead:{lead[0]}", dsn=dsn).out
    conn.execute("delete from contacts where id = %s", [ADA])
    for kind in (f"contact:{ADA}", f"customer:{ADA}", f"lead:{lead[0]}"):
        gone = told(dsn, kind)
        assert gone.found, kind
        assert ("public.leads", {"id": str(lead[0])}) in [(a.table, a.key) for a in gone.archive]
        assert {"public.lead_appointments"} <= {a.table for a in gone.archive}, "it hung on the lead"
    assert "neither side has it" in must(0, "explain", f"contact:{ADA}", dsn=dsn).out


def test_before_the_backfill_what_is_missing_may_not_have_moved(make_database: Make) -> None:
    explained = told(make_database("unmoved"), f"contact:{ADA}")
    assert not explained.backfilled
    assert [r.verdict for r in explained.rows] == [Verdict.EXTRA, Verdict.MISSING, Verdict.MISSING]
    assert explained.next_steps == ("crmshift apply --to parallel-operation",)


def test_all_is_read_in_one_snapshot(dsn: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = reading._rows

    def then_somebody_writes(*arguments: Any) -> Any:
        read = rows(*arguments)
        conn.execute("update customers set firstname = repeat('x', 300) where cst_id = %s", [ADA])
        return read

    monkeypatch.setattr(reading, "_rows", then_somebody_writes)
    explained = told(dsn, f"contact:{ADA}")
    assert explained.agrees
    assert explained.queue == ()
    assert told(dsn, f"contact:{ADA}").queue != ()


def test_when_a_row_was_written_is_told_where_the_server_keeps_it(make_server: Callable[..., Any], dsn: str) -> None:
    unknown = told(dsn, f"contact:{ADA}")
    assert not unknown.times_kept
    assert all(r.writer and r.writer.committed_at is None for r in unknown.rows)
    assert "track_commit_timestamp is off" in must(0, "explain", f"contact:{ADA}", dsn=dsn).out
    server = make_server(track_commit_timestamp="on")
    kept = server.dsn()
    with psycopg.connect(kept, autocommit=True) as conn:
        from tests.support.databases import SQL

        conn.execute((SQL / "legacy" / "schema.sql").read_bytes())
        conn.execute((SQL.parent / "tests" / "support" / "seed.sql").read_bytes())
        apply_to(kept, "parallel-operation")
        conn.execute("update contacts set city = 'Rom' where id = %s", [ADA])
        explained = told(kept, f"contact:{ADA}")
        written = {r.mapping: r.writer.committed_at for r in explained.rows if r.writer}
        assert written["contacts"] == written["customers"], "one transaction wrote both"
        assert written["leads"] < written["contacts"]
        assert f"{written['contacts']:%Y-%m-%d %H:%M:%S}" in must(0, "explain", f"contact:{ADA}", dsn=kept).out


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("contact", "expected KIND:ID"),
        ("contact:", "expected KIND:ID"),
        ("unicorn:1", "There is no kind unicorn."),
        ("contact:abc:", "id of public.contacts is of type uuid, and abc: is none."),
        ("appointment:99999999999999999999", "is of type bigint"),
        (f"contact-custom-field:{ADA}", "identified by contact_id, field_id"),
    ],
)
def test_what_cannot_be_asked_is_told(dsn: str, asked: str, said: str) -> None:
    answer = must(2, "explain", asked, dsn=dsn)
    assert said in answer.err
    with pytest.raises(UsageError):
        told(dsn, asked)


@pytest.mark.parametrize("asked", [f"contact:{NOBODY}", f"lead:{NOBODY}", "appointment:99", "lead-appointment:99"])
def test_a_row_that_nobody_knows_is_1(dsn: str, asked: str) -> None:
    assert f"There is no {asked} on either side" in must(1, "explain", asked, dsn=dsn).out
    document = must(1, "explain", asked, "--format", "json", dsn=dsn).document
    assert (document["found"], document["next_steps"]) == (False, [])


def test_nothing_installed_is_refused(legacy_db: str) -> None:
    assert "not installed" in must(3, "explain", f"contact:{ADA}", dsn=legacy_db).err


def test_a_role_that_does_not_see_every_row_is_refused(dsn: str, conn: psycopg.Connection) -> None:
    """What it does not see would be taken for missing."""
    conn.execute("drop role if exists explain_clerk")
    conn.execute("create role explain_clerk")
    try:
        conn.execute("grant usage on schema crmshift to explain_clerk")
        conn.execute("grant select on all tables in schema crmshift, public to explain_clerk")
        seeing = db.connect(dsn, "tests", read_only=True)
        seeing.execute("set role explain_clerk")
        with pytest.raises(Refused, match="Row-level security hides rows of public"):
            reading.run(seeing, f"contact:{ADA}")
        seeing.close()
    finally:
        conn.execute("drop owned by explain_clerk")
        conn.execute("drop role explain_clerk")


def test_the_document(dsn: str) -> None:
    document = must(0, "explain", f"contact:{ADA}", "--format", "json", dsn=dsn).document
    assert (document["asked"], document["found"], document["agrees"]) == (f"contact:{ADA}", True, True)
    row = document["rows"][1]
    assert (row["mapping"], row["direction"], row["table"], row["verdict"]) == (
        "customers",
        "to_target",
        "public.customers",
        "same",
    )
    column = next(c for c in row["columns"] if c["name"] == "phone1")
    made = column["made"]["expression"].replace(
        "c.phone_number", "phone_number"
    )  # PostgreSQL 15 names the alias of an only table
    column["made"]["expression"] = made
    assert json.dumps(column, sort_keys=True) == json.dumps(
        {
            "name": "phone1",
            "verdict": "same",
            "expected": {"looks": "9 chars"},
            "found": {"looks": "9 chars"},
            "made": {"expression": "CAST(phone_number AS TEXT)", "sources": ["public.contacts.phone_number"]},
            "lost": [],
        },
        sort_keys=True,
    )
