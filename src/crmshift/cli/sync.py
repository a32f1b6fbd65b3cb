"""crmshift sync: steering the sync, and the queue of writes whose sync is outstanding."""

from __future__ import annotations

import sys
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from crmshift.cli.options import EXIT_STATUSES, Dsn, Format, OutputFormat, connected
from crmshift.errors import ExitStatus, Refused

if TYPE_CHECKING:
    from crmshift.sync import Control, Outstanding

EXAMPLES = """
[bold]Examples[/bold]\n
crmshift sync status · what is queued, and why\n
crmshift sync pause --why "vendor loads data" · queue writes instead of syncing them\n
crmshift sync resume · sync again, and settle what was queued\n
crmshift sync drain · settle what is queued\n
crmshift sync drain --follow · and keep doing so\n
crmshift sync mode appointment queued · sync appointments later, not in the application's transaction\n
crmshift sync on-error customer raise · fail what cannot be synced instead of queueing it
"""

app = typer.Typer(name="sync", help="Steer the sync, and settle what is outstanding.", no_args_is_help=True)

Entity = Annotated[
    str | None,
    typer.Option("--entity", metavar="NAME", help="Only this entity, as sync status names it.", show_default=False),
]


class Mode(StrEnum):
    """When the other side is written."""

    IMMEDIATE = "immediate"
    QUEUED = "queued"


class OnError(StrEnum):
    """What becomes of a write that cannot be synced."""

    QUEUE = "queue"
    RAISE = "raise"


@app.command(epilog=EXAMPLES + EXIT_STATUSES)
def status(dsn: Dsn = None, format: OutputFormat = Format.TEXT) -> None:
    """Show how each entity is synced, and what is queued, why, and what to do. Reads only. Exit 1 where anything is queued or paused."""
    from crmshift import db, sync
    from crmshift.cli.output import console, print_json, print_next_steps, table

    with connected(dsn, "sync status", read_only=True) as conn:
        db.require_installed(conn, "crmshift.sync_queue")
        controls, queue = sync.controls(conn), sync.outstanding(conn)
    paused = [c for c in controls if c.paused]
    answer = ExitStatus.NO if queue or paused else ExitStatus.OK
    next_steps = _next_steps(paused, queue)
    if format is Format.JSON:
        data = {"entities": [asdict(c) for c in controls], "queue": [asdict(g) for g in queue]}
        print_json("sync status", answer, data, next_steps)
        raise typer.Exit(answer)
    out = console()
    steering = table("entity", "writes are", "a failure is", "changed by", "why")
    for c in controls:
        how = "[yellow]queued: paused[/yellow]" if c.paused else "queued" if c.mode == Mode.QUEUED else "synced at once"
        when = f"{c.changed_by}, {c.changed_at:%Y-%m-%d %H:%M:%S}" if c.changed_at else ""
        steering.add_row(c.entity, how, "raised" if c.on_error == OnError.RAISE else "queued", when, c.why or "")
    out.print(steering)
    if queue:
        listed = table("row of", "written on", "because", ">rows", "oldest", ">tries", "what to do")
        for g in queue:
            listed.add_row(
                g.subject,
                g.side,
                _because(g),
                f"{g.rows:,}",
                f"{g.oldest:%Y-%m-%d %H:%M:%S}",
                f"{g.attempts:,}",
                _remedy(g, bool(paused)),
            )
        out.print(listed)
    else:
        out.print("[green]The sync queue is empty.[/green]")
    print_next_steps(next_steps)
    raise typer.Exit(answer)


@app.command(epilog=EXAMPLES + EXIT_STATUSES)
def pause(
    dsn: Dsn = None,
    why: Annotated[str | None, typer.Option("--why", metavar="TEXT", help="For whoever looks at sync status.")] = None,
    entity: Entity = None,
    patience: Annotated[
        float, typer.Option("--patience", metavar="SECONDS", min=0, help="How long to wait for transactions under way.")
    ] = 10.0,
    format: OutputFormat = Format.TEXT,
) -> None:
    """Queue writes from the next statement on instead of syncing them. Locks no table; applications go on.

    Returns when the transactions that were under way have ended, or exits with 5 and names them: until then
    they may still be synced.
    """
    from crmshift import db, sync
    from crmshift.cli.output import console, print_json, print_next_steps

    with connected(dsn, "sync pause") as conn:
        db.require_installed(conn, "crmshift.sync_queue")
        left = sync.pause(conn, why, entity, patience)
    answer = ExitStatus.STOPPED if left else ExitStatus.OK
    next_steps = ["crmshift sync status", "crmshift sync resume"]
    if format is Format.JSON:
        print_json("sync pause", answer, {"paused": entity or "all", "under_way": left}, next_steps)
    else:
        console().print(left or f"Paused{f': {entity}' if entity else ''}. Writes are queued from now on.")
        print_next_steps(next_steps)
    raise typer.Exit(answer)


@app.command(epilog=EXAMPLES + EXIT_STATUSES)
def resume(
    dsn: Dsn = None,
    entity: Entity = None,
    no_drain: Annotated[bool, typer.Option("--no-drain", help="Leave the queue as it is.")] = False,
    format: OutputFormat = Format.TEXT,
) -> None:
    """Sync writes again, and settle what was queued meanwhile. Exit 1 where rows remain queued."""
    from crmshift import db, sync

    with connected(dsn, "sync resume") as conn:
        db.require_installed(conn, "crmshift.sync_queue")
        sync.resume(conn, entity)
    if not no_drain and entity is None:
        drain(dsn, format=format)


@app.command(epilog=EXAMPLES + EXIT_STATUSES)
def mode(
    entity: Annotated[str, typer.Argument(metavar="ENTITY", help="As sync status names it.")],
    to: Annotated[Mode, typer.Argument(metavar="immediate|queued")],
    dsn: Dsn = None,
) -> None:
    """Say when writes of an entity are synced: in the application's transaction, or later by a drain."""
    from crmshift import db, sync
    from crmshift.cli.output import print_next_steps

    with connected(dsn, "sync mode") as conn:
        db.require_installed(conn, "crmshift.sync_queue")
        sync.set_mode(conn, entity, to)
    print_next_steps(["crmshift sync drain --follow"] if to is Mode.QUEUED else ["crmshift sync drain"])


@app.command("on-error", epilog=EXAMPLES + EXIT_STATUSES)
def on_error(
    entity: Annotated[str, typer.Argument(metavar="ENTITY", help="As sync status names it.")],
    what: Annotated[OnError, typer.Argument(metavar="queue|raise")],
    dsn: Dsn = None,
) -> None:
    """Say what becomes of a write of an entity that cannot be synced: it succeeds and is queued, or it fails."""
    from crmshift import db, sync

    with connected(dsn, "sync on-error") as conn:
        db.require_installed(conn, "crmshift.sync_queue")
        sync.set_on_error(conn, entity, what)


@app.command(epilog=EXAMPLES + EXIT_STATUSES)
def drain(
    dsn: Dsn = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Keep settling what is due, until stopped; leave the rest to a person.")
    ] = False,
    every: Annotated[
        float,
        typer.Option("--every", metavar="SECONDS", min=0.1, help="With --follow: between two looks at the queue."),
    ] = 2.0,
    format: OutputFormat = Format.TEXT,
) -> None:
    """Settle what is queued, by the current state of both sides and never by replaying. Exit 1 where rows remain.

    Where both sides wrote one row while they could not agree, its policy decides, and what is lost goes to the conflict log.
    """
    from crmshift import db, sync
    from crmshift.backfill import StopSignal
    from crmshift.cli.output import console, error_console, print_json, print_next_steps

    with connected(dsn, "sync drain") as conn:
        db.require_installed(conn, "crmshift.sync_queue")
        if follow:
            with StopSignal().listening(lambda text: print(text, file=sys.stderr)) as stop:
                sync.follow(
                    conn,
                    lambda: stop.raised,
                    lambda d: error_console().print(
                        f"settled {d.settled:,}, still queued {d.failed:,}, conflicts {d.conflicts:,}"
                    ),
                    every,
                )
            raise typer.Exit(ExitStatus.OK)
        if sync.is_paused(conn):
            raise Refused(
                "The sync is paused: what is drained now would be queued again.", hint="Run: crmshift sync resume"
            )
        with db.single_driver(conn):
            done = sync.drain(conn)
        queue = sync.outstanding(conn)
    remaining = sum(g.rows for g in queue)
    answer = ExitStatus.NO if remaining else ExitStatus.OK
    next_steps = ["crmshift sync status"] if remaining else ["crmshift conflicts list"] if done.conflicts else []
    if format is Format.JSON:
        print_json("sync drain", answer, {**asdict(done), "remaining": remaining}, next_steps)
    else:
        console().print(f"Settled {done.settled:,}, conflicts {done.conflicts:,}, still queued {remaining:,}.")
        print_next_steps(next_steps)
    raise typer.Exit(answer)


def _because(group: Outstanding) -> str:
    named = " ".join(x for x in (group.sqlstate, group.constraint or group.column, group.table) if x)
    return f"{group.reason}: {named}" if named else group.reason


def _remedy(group: Outstanding, paused: bool) -> str:
    if group.reason == "manual":
        return "decide: crmshift conflicts list"
    if group.reason == "not_converged":
        return "two triggers rewrite each other: change one, then drain"
    if group.reason in ("paused", "held", "parent") and not group.attempts:
        return "crmshift sync resume" if paused else "crmshift sync drain"
    if group.transient:
        return (
            f"passes by itself: drain, due {group.retry_at:%H:%M:%S}" if group.retry_at else "passes by itself: drain"
        )
    return "mend the cause, then drain"


def _next_steps(paused: list[Control], queue: tuple[Outstanding, ...]) -> list[str]:
    steps = (
        ["crmshift sync resume"]
        if paused
        else ["crmshift sync drain"]
        if any(g.reason != "manual" for g in queue)
        else []
    )
    if any(g.reason == "manual" for g in queue):
        steps.append("crmshift conflicts list --open")
    if any(not g.transient and g.reason == "failed" for g in queue):
        steps.append('psql -c "select subject, key, sqlstate, constraint_name, column_name from crmshift.sync_queue"')
    return steps
