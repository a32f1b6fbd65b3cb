"""What `compare --mapping` reads out of types and expressions, without a database."""

from __future__ import annotations

import pytest

from crmshift.compare.mapped import types
from crmshift.compare.mapped.definitions import check_of, keys_of_constraint, keys_of_index, reference
from crmshift.compare.mapped.expressions import CannotRewriteError, Renaming, canonical, rewritten
from crmshift.compare.mapped.names import identifier

CONTACTS = Renaming(
    "public.contacts",
    "public.customers",
    {"id": "cst_id", "workspace_id": "workspace_id", "phone": "phone1", "state": "user"},
)
FIELDS = Renaming("public.fields", "public.customer_fields", {"contact_id": "customer_id"})
ELSEWHERE = {"public.contacts": CONTACTS}


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("character varying(20)", "text"),
        ("character varying(20)", "character varying(20)"),
        ("character varying(20)", "varchar(30)"),
        ("text", "character varying"),
        ("character(5)", "character varying(5)"),
        ("smallint", "integer"),
        ("integer", "double precision"),
        ("bigint", "numeric"),
        ("integer", "numeric(12,2)"),
        ("numeric(8,2)", "numeric(10,2)"),
        ("real", "double precision"),
        ("timestamp(3) with time zone", "timestamp with time zone"),
        ("date", "timestamp without time zone"),
        ("text[]", "text[]"),
    ],
)
def test_types_that_hold_as_much(source: str, target: str) -> None:
    assert types.change(source, target) is None


@pytest.mark.parametrize(
    ("source", "target", "limit"),
    [
        ("text", "character varying(20)", 20),
        ("character varying(255)", "character varying(20)", 20),
        ("integer", "character varying(3)", 3),
        ("character varying(5)", "character(5)", None),
        ("bigint", "integer", None),
        ("bigint", "double precision", None),
        ("bigint", "numeric(10,0)", None),
        ("numeric(8,2)", "numeric(8,1)", None),
        ("numeric(8,2)", "numeric(8,3)", None),
        ("numeric", "integer", None),
        ("double precision", "real", None),
        ("timestamp with time zone", "timestamp without time zone", None),
        ("timestamp with time zone", "timestamp(0) with time zone", None),
        ("timestamp without time zone", "timestamp with time zone", None),
        ("timestamp without time zone", "date", None),
        ("text", "uuid", None),
        ("text[]", "jsonb", None),
    ],
)
def test_types_that_hold_less(source: str, target: str, limit: int | None) -> None:
    change = types.change(source, target)
    assert change is not None
    assert (change.verdict.value, change.limit) == ("narrowed", limit)


@pytest.mark.parametrize("source", ["integer", "date", "jsonb", "boolean", "text[]"])
def test_text_takes_what_another_type_refuses(source: str) -> None:
    change = types.change(source, "text")
    assert change is not None
    assert change.verdict.value == "lost"


def test_case_counts_or_does_not() -> None:
    lost, narrowed = types.change("public.citext", "text"), types.change("character varying(9)", "public.citext")
    assert lost is not None
    assert narrowed is not None
    assert (lost.verdict.value, narrowed.verdict.value) == ("lost", "narrowed")
    assert "case" in lost.what
    assert "case" in narrowed.what
    assert types.change("public.citext", "ext.citext[]") is not None
    shorter = types.change("public.citext", "character varying(9)")
    assert shorter is not None
    assert shorter.limit == 9


def test_only_names_of_columns_and_tables_are_replaced() -> None:
    assert (
        rewritten("((phone)::text ~~ 'phone state%'::text)", CONTACTS, {}) == "((phone1)::text ~~ 'phone state%'::text)"
    )
    assert rewritten('("state" = state.f)', Renaming("a.b", "c.d", {"state": "user"}), {}) == '("user" = state.f)'
    assert rewritten("phone(phone)", CONTACTS, {}) == "phone(phone1)"
    assert rewritten("(phone = ('x'::state)::text)", CONTACTS, {}) == "(phone1 = ('x'::state)::text)"
    own = "(EXISTS ( SELECT FROM public.contacts c WHERE ((c.id = fields.contact_id) AND (c.phone IS NULL))))"
    assert rewritten(own, FIELDS, ELSEWHERE) == (
        "(EXISTS ( SELECT FROM public.customers c WHERE ((c.cst_id = customer_fields.customer_id) AND (c.phone1 IS NULL))))"
    )
    without_alias = "(contact_id IN ( SELECT contacts.id FROM public.contacts))"
    assert rewritten(without_alias, FIELDS, ELSEWHERE) == (
        "(customer_id IN ( SELECT contacts.cst_id FROM public.customers contacts))"
    )
    other = "(EXISTS ( SELECT FROM public.members m WHERE (m.phone = contacts.phone)))"
    assert (
        rewritten(other, CONTACTS, ELSEWHERE)
        == "(EXISTS ( SELECT FROM public.members m WHERE (m.phone = customers.phone1)))"
    )


@pytest.mark.parametrize(
    "text", ["(zip = 'x')", "(EXISTS ( SELECT FROM public.contacts c WHERE (c.zip = 'x'))) AND phone", "a ((("]
)
def test_what_has_no_counterpart_is_not_guessed(text: str) -> None:
    with pytest.raises(CannotRewriteError):
        rewritten(text, CONTACTS, ELSEWHERE)


def test_expressions_that_mean_the_same() -> None:
    same = [
        ("((a)::text = 'x'::text)", "a = 'x'::character varying"),
        (
            "(w = (NULLIF(current_setting('s'::text, true), ''::text))::uuid)",
            "(w = (current_setting('s'::text))::uuid)",
        ),
        ("CURRENT_TIMESTAMP", "now()"),
    ]
    for one, other in same:
        assert canonical(one) == canonical(other)
    different = [("a = 'x'", "a = 'X'"), ("(a OR b) AND c", "a OR (b AND c)"), ("a", "b"), ("NULLIF(a, 'x')", "a")]
    for one, other in different:
        assert canonical(one) != canonical(other)


def test_what_definitions_are_on() -> None:
    keys = keys_of_index(
        "CREATE UNIQUE INDEX i ON public.t USING btree (a DESC NULLS LAST, lower((b)::text) text_pattern_ops, ((c || '),('::text)), \"D e\")"
        " INCLUDE (z) NULLS NOT DISTINCT WHERE (a > 0)"
    )
    assert keys.keys == ("a", "lower((b)::text)", "((c || '),('::text))", '"D e"')
    assert keys.options == ("", "text_pattern_ops", "", "")
    assert (keys.method, keys.nulls_equal, keys.where) == ("btree", True, "(a > 0)")
    assert keys_of_constraint('UNIQUE NULLS NOT DISTINCT (a, "B c")').keys == ("a", '"B c"')
    key = reference('FOREIGN KEY (a, "B") REFERENCES other."T"(c, d) ON DELETE CASCADE')
    assert (key.columns, key.table, key.to) == (("a", "B"), "other.T", ("c", "d"))
    assert check_of("CHECK ((a <> ')'::text)) NO INHERIT") == "(a <> ')'::text)"


def test_names_are_quoted_where_they_have_to_be() -> None:
    assert identifier("public", "leads").as_string() == "public.leads"
    assert identifier("Public", "user", "a b", 'x"y').as_string() == '"Public"."user"."a b"."x""y"'
