"""Compares the database with the record of what the applications wrote: rows by digest, structure by the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

TABLES: dict[str, tuple[str, ...]] = {
    "workspaces": ("id",),
    "custom_fields": ("id",),
    "contacts": ("id",),
    "contact_custom_fields": ("contact_id", "field_id"),
    "appointments": ("id",),
}


@dataclass(frozen=True)
class Compared:
    """A table and what was found: rows of it, rows of the record, and the keys of those that are not the same."""

    table: str
    rows: int
    recorded: int
    differing: tuple[str, ...]


def compare_rows(dsn: str, record: str) -> list[Compared]:
    """Every column of every row of the legacy tables against the record."""
    with psycopg.connect(dsn) as here, psycopg.connect(record) as there:
        return [_compare(here, there, table, key) for table, key in TABLES.items()]


def _compare(
    here: psycopg.Connection[Any], there: psycopg.Connection[Any], table: str, key: tuple[str, ...]
) -> Compared:
    query = sql.SQL("select concat_ws(' ', {}), md5(t::text) from public.{} as t").format(
        sql.SQL(", ").join(map(sql.Identifier, key)), sql.Identifier(table)
    )
    ours, theirs = dict(here.execute(query).fetchall()), dict(there.execute(query).fetchall())
    differing = [k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k)]
    return Compared(table, len(ours), len(theirs), tuple(sorted(differing)))


_STRUCTURE: LiteralString = """
with n as (
    select oid, nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
)
select 'schema ' || nspname from n
union all
select format('%s %I.%I', case c.relkind when 'r' then 'table' when 'v' then 'view' when 'i' then 'index' when 'S' then 'sequence'
                                        else c.relkind::text end, n.nspname, c.relname)
  from pg_class as c join n on n.oid = c.relnamespace
union all
select format('column %s.%I %s%s', c.oid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), case when a.attnotnull then ' not null' end)
  from pg_class as c join n on n.oid = c.relnamespace join pg_attribute as a on a.attrelid = c.oid
 where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'v')
union all
select format('constraint %I on %s: %s', k.conname, k.conrelid::regclass, pg_get_constraintdef(k.oid))
  from pg_constraint as k join n on n.oid = k.connamespace
union all
select format('trigger %I on %s', t.tgname, t.tgrelid::regclass) from pg_trigger as t where not t.tgisinternal
union all
select format('policy %I on %s', p.polname, p.polrelid::regclass) from pg_policy as p
union all
select 'function ' || p.oid::regprocedure from pg_proc as p join n on n.oid = p.pronamespace
"""


def leftovers(dsn: str, record: str) -> list[str]:
    """Tables, columns, constraints, triggers, policies, functions and schemas that only one of the two has."""
    with psycopg.connect(dsn) as here, psycopg.connect(record) as there:
        ours, theirs = ({row[0] for row in conn.execute(_STRUCTURE)} for conn in (here, there))
    return sorted(ours ^ theirs)
