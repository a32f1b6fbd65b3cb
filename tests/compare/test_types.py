"""Which changes of a column's type may change its values for good."""

from __future__ import annotations

import pytest

from crmshift.compare.ddl.types import Conversion


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("text", '"char"'),
        ("text", "name"),
        ("text", "date"),
        ("text", "numeric"),
        ("text", "integer"),
        ("text", "boolean"),
        ("text", "jsonb"),
        ("text", "uuid"),
        ("character varying(5)", "integer"),
        ("integer", "boolean"),
        ("integer", "real"),
        ("bigint", "double precision"),
        ("double precision", "numeric"),
        ("double precision", "real"),
        ("numeric", "integer"),
        ("numeric(10,2)", "numeric(10,1)"),
        ("numeric", "numeric(10,2)"),
        ("json", "jsonb"),
        ("interval", "interval hour"),
        ("interval day to second", "interval day to second(2)"),
        ("interval", "time without time zone"),
        ("timestamp with time zone", "date"),
        ("timestamp with time zone", "timestamp(0) with time zone"),
        ("timestamp with time zone", "timestamp without time zone"),  # by the TimeZone of whoever runs it
        ("timestamp without time zone", "timestamp with time zone"),
        ("time with time zone", "time without time zone"),
        ("inet", "cidr"),
        ("text[]", "integer[]"),
    ],
)
def test_what_may_lose(old: str, new: str):
    assert Conversion.between(old, new).may_lose


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("text", "text"),
        ("character varying(5)", "character varying(3)"),  # what is too long fails
        ("integer", "text"),
        ("timestamp with time zone", "text"),
        ("public.stage", "text"),
        ("text", "public.stage"),
        ("public.stage", "public.stage_before"),
        ("smallint", "bigint"),
        ("bigint", "integer"),  # what is too large fails
        ("integer", "numeric"),
        ("integer", "double precision"),
        ("real", "double precision"),
        ("numeric(10,2)", "numeric(12,2)"),
        ("numeric(10,2)", "numeric"),
        ("date", "timestamp without time zone"),
        ("timestamp(0) with time zone", "timestamp with time zone"),
        ("interval hour", "interval hour"),
        ("jsonb", "json"),
        ("text", "json"),
        ("boolean", "integer"),
        ("integer[]", "bigint[]"),
    ],
)
def test_what_keeps_every_value(old: str, new: str):
    assert not Conversion.between(old, new).may_lose
