"""Names and texts as they stand in a script for people: quoted where they must be, as PostgreSQL prints them."""

from __future__ import annotations

import re

from psycopg import sql

# What quote_ident quotes; a word too many does no harm.
_RESERVED = """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case cast char
    character check coalesce collate collation column concurrently constraint create cross current_catalog current_date
    current_role current_schema current_time current_timestamp current_user dec decimal default deferrable desc distinct do
    else end except exists extract false fetch float for foreign freeze from full grant greatest group grouping having ilike
    in initially inner inout int integer intersect interval into is isnull join json json_array json_arrayagg json_exists
    json_object json_objectagg json_query json_scalar json_serialize json_table json_value lateral leading least left like
    limit localtime localtimestamp merge_action national natural nchar none normalize not notnull null nullif numeric offset
    on only or order out outer overlaps overlay placing position precision primary real references returning right row select
    session_user setof similar smallint some substring symmetric system_user table tablesample then time timestamp to
    trailing treat trim true union unique user using values varchar variadic verbose when where window with xmlattributes
    xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable
"""
_WORDS = frozenset(_RESERVED.split())
LONGEST = 63
"""Bytes of a name that PostgreSQL keeps."""


def quoted(name: str) -> str:
    """A name, quoted where it must be."""
    if re.fullmatch(r"[a-z_][a-z0-9_]*", name) and name not in _WORDS:
        return name
    return sql.Identifier(name).as_string(None)


def qualified(schema: str, name: str) -> str:
    """A name with its schema."""
    return f"{quoted(schema)}.{quoted(name)}" if schema else quoted(name)


def literal(text: str) -> str:
    """A text as a constant."""
    return sql.Literal(text).as_string(None).strip()


def shortened(name: str) -> str:
    """A name that is not longer than PostgreSQL keeps."""
    return name.encode()[:LONGEST].decode(errors="ignore")
