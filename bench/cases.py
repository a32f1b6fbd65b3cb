"""What is measured. Each case returns one sample for each variant; the runner interleaves, repeats and takes medians."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from bench.databases import HERE, Databases
from crmshift.embedded import EmbeddedServer


@dataclass(frozen=True)
class Case:
    """One row of the table.

    sample: measures once, seconds or milliseconds by variant. ratio: which variant over which. target: of the design, if any.
    """

    name: str
    unit: str
    ratio: tuple[str, str]
    target: float | None
    sample: Callable[[], dict[str, float]]


def cases(server: EmbeddedServer, databases: Databases, transactions: int) -> list[Case]:
    """All cases on these databases."""

    def pgbench(script: str, variants: tuple[str, ...], durable: bool) -> Callable[[], dict[str, float]]:
        return lambda: {v: _latency(server, databases, v, script, transactions, durable) for v in variants}

    found = []
    for durable in (False, True):
        how = "durable" if durable else "processor-bound"
        found += [
            Case(
                f"single-row status write, {how}: crmshift / row trigger",
                "ms",
                ("crmshift", "row_trigger"),
                1.0,
                pgbench("status_write", ("none", "row_trigger", "crmshift"), durable),
            ),
            Case(
                f"update of an unmapped column, {how}: crmshift / none",
                "ms",
                ("crmshift", "none"),
                1.1,
                pgbench("unmapped_write", ("none", "row_trigger", "crmshift"), durable),
            ),
        ]
    bulk = min(50_000, databases.contacts)
    return [
        *found,
        Case(
            f"UPDATE of {bulk:,} rows: crmshift / none",
            "s",
            ("crmshift", "none"),
            2.5,
            lambda: {v: _bulk(databases.dsns[v], bulk) for v in ("none", "row_trigger", "crmshift")},
        ),
        Case(
            f"backfill of {databases.contacts:,} contacts / raw INSERT … SELECT",
            "s",
            ("backfill", "raw"),
            1.3,
            lambda: _backfill(databases.dsns["crmshift"]),
        ),
        Case(
            f"validate {databases.contacts:,} contacts / one hash full join",
            "s",
            ("validate", "join"),
            1.5,
            lambda: _validate(databases.dsns["crmshift"]),
        ),
        Case("crmshift --help / python -c 'import typer'", "s", ("crmshift", "typer"), 1.3, _start_up),
    ]


def _latency(
    server: EmbeddedServer, databases: Databases, variant: str, script: str, transactions: int, durable: bool
) -> float:
    command = [
        str(server.bin_dir / "pgbench"), "--no-vacuum", "--protocol=prepared", "--client=1", f"--transactions={transactions}",
        f"--define=rows={databases.contacts}", f"--file={HERE / 'scripts' / f'{script}.sql'}", databases.dsns[variant],
    ]  # fmt: skip
    environment = os.environ | {"PGOPTIONS": f"-c synchronous_commit={'on' if durable else 'off'}"}
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    found = re.search(r"latency average = ([\d.]+) ms", output)
    assert found is not None, output
    return float(found[1])


def _timed(conn: psycopg.Connection[tuple[object, ...]], statement: bytes) -> float:
    started = time.perf_counter()
    conn.execute(statement)
    return time.perf_counter() - started


def _bulk(dsn: str, rows: int) -> float:
    with psycopg.connect(dsn, autocommit=True) as conn:
        return _timed(
            conn,
            f"update contacts set city = 'Town ' || clock_timestamp(), updated_at = now() where id <= lpad(to_hex({rows}), 32, '0')::uuid".encode(),
        )


def _backfill(dsn: str) -> dict[str, float]:
    with psycopg.connect(dsn, autocommit=True) as conn:

        def empty() -> None:
            conn.execute("set session_replication_role = replica")
            conn.execute(
                "truncate customers, leads, customer_custom_fields, lead_custom_fields, lead_appointments, appointment_custom_fields"
            )
            conn.execute("reset session_replication_role")
            conn.execute("delete from crmshift.backfill_walk")
            conn.execute("checkpoint")

        empty()
        conn.execute("set session_replication_role = replica")
        raw = _timed(
            conn,
            b"insert into customers (cst_id, workspace_id, firstname, lastname, email, phone1, address1, city, state, zip, dateadded, lastchanged) select id, workspace_id, firstname, lastname, email, phone_number, st_address, city, state, zip, created_at, updated_at from contacts",
        )
        raw += _timed(
            conn,
            b"insert into leads (customer_id, workspace_id, is_primary, source, disposition, entrydate, lastchangedon) select id, workspace_id, true, lead_source, lead_status, created_at, updated_at from contacts where lead_status is not null",
        )
        conn.execute("reset session_replication_role")
        empty()
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "crmshift", "backfill", "run", "--batch", "5000", "--dsn", dsn],
        check=True,
        capture_output=True,
    )
    return {"raw": raw, "backfill": time.perf_counter() - started}


def _validate(dsn: str) -> dict[str, float]:
    join = b"""
        select count(*) from contacts as c full join customers as t on t.cst_id = c.id
         where (c.firstname, c.lastname, c.email, c.phone_number, c.st_address, c.city, c.state, c.zip, c.workspace_id)
               is distinct from (t.firstname, t.lastname, t.email, t.phone1, t.address1, t.city, t.state, t.zip, t.workspace_id)
    """
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("vacuum analyze contacts, customers, leads")
        plain = _timed(conn, join)
        drift = _timed(conn, b"select count(*) from crmshift.drift('customers')")
    return {"join": plain, "validate": drift}


def _start_up() -> dict[str, float]:
    def seconds(*arguments: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        return time.perf_counter() - started

    return {"typer": seconds("-c", "import typer"), "crmshift": seconds("-m", "crmshift", "--help")}
