"""Everything a database's catalogue says, so that a before and an after can be compared to the last row.

Brute force on purpose: every row of every table of pg_catalog that describes this database, by OID. Whatever an
installation leaves behind, of whatever kind, is a row here that was not there before.
"""

from __future__ import annotations

from collections import Counter
from typing import LiteralString

import psycopg
from psycopg import sql

# Statistics of the planner, and hints that VACUUM or the first use set and nothing takes back.
_SKIPPED_TABLES = frozenset({"pg_statistic", "pg_statistic_ext_data"})
_SKIPPED_COLUMNS = """
    relpages reltuples relallvisible relallfrozen relfrozenxid relminmxid relhastriggers relhasindex relhasrules relhassubclass
    relfilenode reltoastrelid indcheckxmin datfrozenxid datminmxid
"""
# Shared by all databases of the cluster, but with rows that belong to one.
_SHARED: dict[str, LiteralString] = {
    "pg_db_role_setting": "setdatabase in (0, (select oid from pg_database where datname = current_database()))",
    "pg_shdepend": "dbid = (select oid from pg_database where datname = current_database())",
    "pg_database": "datname = current_database()",
}


def catalogue(connection: psycopg.Connection) -> Counter[str]:
    """The catalogue's rows, each as text that begins with the name of its table."""
    rows: Counter[str] = Counter()
    tables = connection.execute(
        """
        select c.relname, c.relisshared from pg_class as c
         where c.relnamespace = 'pg_catalog'::regnamespace and c.relkind = 'r' order by 1
        """
    ).fetchall()
    for table, shared in tables:
        if table in _SKIPPED_TABLES or (shared and table not in _SHARED):
            continue
        query = sql.SQL("select (to_jsonb(t) - %s::text[])::text from {} as t where {}").format(
            sql.Identifier("pg_catalog", table), sql.SQL(_SHARED.get(table, "true"))
        )
        rows.update(f"{table} {row[0]}" for row in connection.execute(query, [_SKIPPED_COLUMNS.split()]))
    return rows


def changes(before: Counter[str], after: Counter[str]) -> list[str]:
    """What is there that was not, and what is gone; empty where the two agree."""
    return [f"left: {row}" for row in (after - before)] + [f"gone: {row}" for row in (before - after)]
