"""crmshift sync: the queue of keys whose sync is outstanding."""

from __future__ import annotations

import typer

from crmshift.cli.options import EXIT_STATUSES, Dsn, Format, OutputFormat, connected
from crmshift.errors import ExitStatus, Refused

EXAMPLES = """
[bold]Examples[/bold]\n
crmshift sync status · what is queued, and why\n
crmshift sync drain · settle it
"""

app = typer.Typer(name="sync", help="The sync queue: what is outstanding, and settling it.", no_args_is_help=True)


@app.command(epilog=EXAMPLES + EXIT_STATUSES)
def status(dsn: Dsn = None, format: OutputFormat = Format.TEXT) -> None:
    """Show what is queued, by mapping and reason. Reads only. Exit 1 where anything is."""
    from crmshift import db
    from crmshift.cli.output import console, print_json, print_next_steps, table

    with connected(dsn, "sync status", read_only=True) as conn:
        _require_queue(conn)
        rows = db.fetch_all(
            conn,
            """
            select subject, reason, sqlstate, constraint_name, count(*), min(at)
              from crmshift.sync_queue group by 1, 2, 3, 4 order by 5 desc, 1
            """,
        )
    status = ExitStatus.NO if rows else ExitStatus.OK
    next_steps = ["crmshift sync drain"] if rows else []
    if format is Format.JSON:
        names = ("mapping", "reason", "sqlstate", "constraint", "keys", "oldest")
        print_json("sync status", status, {"queue": [dict(zip(names, row, strict=True)) for row in rows]}, next_steps)
    elif rows:
        listed = table("mapping", "reason", "SQLSTATE", "constraint", ">keys", "oldest", "passes by itself")
        for mapping, reason, state, constraint, n, oldest in rows:
            transient = (state or "")[:2] in ("40", "53", "55")
            listed.add_row(
                mapping,
                reason,
                state or "",
                constraint or "",
                f"{n:,}",
                f"{oldest:%Y-%m-%d %H:%M:%S}",
                "yes: drain" if transient else "no: mend the cause, then drain",
            )
        console().print(listed)
        print_next_steps(next_steps)
    else:
        console().print("[green]The sync queue is empty.[/green]")
    raise typer.Exit(status)


@app.command(epilog=EXAMPLES + EXIT_STATUSES)
def drain(dsn: Dsn = None, format: OutputFormat = Format.TEXT) -> None:
    """Settle what is queued, from the current state of either side. Exit 1 where keys remain.

    Where both sides wrote one row while they could not agree, the later write stands and the other goes to crmshift.conflict_log.
    """
    from crmshift import db, validation
    from crmshift.cli.output import console, print_json, print_next_steps

    with connected(dsn, "sync drain") as conn:
        _require_queue(conn)
        with db.single_driver(conn):
            settled, failed, conflicts = validation.drain(conn)
        remaining = db.fetch_value(conn, "select count(*) from crmshift.sync_queue")
    status = ExitStatus.NO if remaining else ExitStatus.OK
    query = "select subject, key, sqlstate, constraint_name, column_name from crmshift.sync_queue"
    next_steps = [f'psql -c "{query}"', "crmshift sync status"] if remaining else []
    if format is Format.JSON:
        print_json(
            "sync drain",
            status,
            {"settled": settled, "failed": failed, "conflicts": conflicts, "remaining": remaining},
            next_steps,
        )
    else:
        console().print(f"Settled {settled:,}, conflicts {conflicts:,}, still queued {remaining:,}.")
        print_next_steps(next_steps)
    raise typer.Exit(status)


def _require_queue(conn: object) -> None:
    from typing import cast

    from crmshift.db import Connection, fetch_value

    if fetch_value(cast(Connection, conn), "select to_regclass('crmshift.sync_queue')") is None:
        raise Refused("crmshift is not installed in this database.", hint="Run: crmshift apply --to sync-layer")
