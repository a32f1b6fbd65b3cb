"""Names in statements that people read: quoted where PostgreSQL needs it, as by quote_ident."""

from __future__ import annotations

import re

from psycopg import sql


def quoted(name: str) -> str:
    """A name, with quotes where PostgreSQL needs them."""
    plain = re.fullmatch(r"[a-z_][a-z0-9_$]*", name) and name not in _KEYWORDS
    return name if plain else sql.Identifier(name).as_string()


def identifier(*parts: str) -> sql.SQL:
    """A name for a statement that people read: as quote_ident writes it."""
    return sql.SQL(".".join(map(quoted, parts)))


def table_identifier(table: str) -> sql.SQL:
    """The same for a table given as `schema.table`."""
    return identifier(*table.split(".", 1))


# All but those that are no more than words: pg_get_keywords().
_KEYWORDS = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case
    cast char character check coalesce collate collation column concurrently constraint create cross
    current_catalog current_date current_role current_schema current_time current_timestamp current_user dec
    decimal default deferrable desc distinct do else end except exists extract false fetch float for foreign
    freeze from full grant greatest group grouping having ilike in initially inner inout int integer intersect
    interval into is isnull join json json_array json_arrayagg json_exists json_object json_objectagg json_query
    json_scalar json_serialize json_table json_value lateral leading least left like limit localtime
    localtimestamp merge_action national natural nchar none normalize not notnull null nullif numeric offset on
    only or order out outer overlaps overlay placing position precision primary real references returning right
    row select session_user setof similar smallint some substring symmetric system_user table tablesample then
    time timestamp to trailing treat trim true union unique user using values varchar variadic verbose when where
    window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
    xmlserialize xmltable
    """.split()  # noqa: SIM905
)
