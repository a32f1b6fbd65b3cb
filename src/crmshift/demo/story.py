"""The story of the demo: a migration and its way back, by the real commands, under live traffic, and the proof."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from crmshift.cli.output import console, count, table
from crmshift.demo import contact as side_by_side
from crmshift.demo import proof, seed
from crmshift.demo.application import Contact
from crmshift.demo.load import Loaded
from crmshift.demo.terminal import Command, Terminal, environment
from crmshift.demo.traffic import Traffic
from crmshift.embedded import EmbeddedServer
from crmshift.errors import CrmshiftError, ExitStatus, UsageError

if TYPE_CHECKING:
    from rich.console import Console

DATABASE, RECORD = "crm", "record"
CHAPTERS = ("legacy alone", "apply", "both sides", "rollback", "legacy again")
BREATH = 1.5
"""Seconds in which only the traffic is at work, so that there is something to lose in each chapter."""


@dataclass(frozen=True)
class Options:
    """What the command line was asked for."""

    contacts: int
    folder: Path | None
    postgres: int
    keep: bool


def tell(options: Options, run: Command) -> ExitStatus:
    """Tell it all. NO where a statement of an application failed, or legacy is not what the traffic made of it.

    run: the command line. Whatever happens, the writers and the server are stopped and the files removed, unless they are to be kept.
    """
    started = time.monotonic()
    out = console()
    traffic: list[Traffic] = []
    terminal = Terminal(out, run, lambda: _ticker(traffic))
    terminal.heading("crmshift demo", _INTRODUCTION)
    if options.folder is not None and not options.folder.is_dir():
        raise UsageError(f"There is no folder {options.folder}.")  # before a server is started for nothing
    with terminal.busy(lambda: f"starting PostgreSQL {options.postgres}"):
        server = EmbeddedServer.start(options.postgres)
    with server, environment(server.dsn(DATABASE)):
        status = _Story(terminal, server, traffic).tell(options)
        out.print(f"[dim]{time.monotonic() - started:.0f} s in all.[/dim]")
        if options.keep:
            _keep(out, server)
    return status


_INTRODUCTION = (
    "A CRM on legacy tables moves to customers and leads and back again, while two versions of its application go on "
    "writing. Every command below is the real one, on a PostgreSQL that exists only for this."
)


class _Story:
    def __init__(self, terminal: Terminal, server: EmbeddedServer, running: list[Traffic]) -> None:
        self.terminal = terminal
        self.out = terminal.out
        self.server = server
        self.dsn, self.record = server.dsn(DATABASE), server.dsn(RECORD)
        self._running = running

    def tell(self, options: Options) -> ExitStatus:
        self._legacy(options)
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            chosen = side_by_side.choose(conn)
        traffic = Traffic(self.dsn, self.record, aside=chosen.id)
        self._running.append(traffic)
        try:
            self._forward(traffic)
            self._look(traffic, chosen)
            self._back(traffic)
        finally:
            traffic.stop("v1", "v2")
        return self._prove(traffic)

    def _legacy(self, options: Options) -> None:
        self.terminal.heading("1 A CRM on legacy tables")
        with psycopg.connect(self.server.dsn(), autocommit=True) as admin:
            admin.execute(f"create database {DATABASE}")
            with psycopg.connect(self.dsn, autocommit=True) as conn, self.terminal.busy(lambda: "filling the tables"):
                loaded = seed.fill(conn, options.contacts, options.folder)
                if not loaded.contacts:
                    raise UsageError(f"{options.folder} holds no contacts.")
                seed.admit_applications(conn)
            admin.execute(f"create database {RECORD} template {DATABASE}")
            version = (admin.info.parameter_status("server_version") or "").split()[0]
            source = f"loaded from {options.folder}" if options.folder else "generated, the same ones every time"
            self.out.print(f"PostgreSQL {version}. Contacts are {source}.", markup=False)
            self.out.print(_what_is_there(loaded))

    def _forward(self, traffic: Traffic) -> None:
        self._chapter(traffic, "legacy alone")
        traffic.start("v1")
        self.out.print(
            "Version 1 of the application writes legacy from now on, as role [bold]crm_v1[/bold]. Version 2, role "
            "[bold]crm_v2[/bold], waits for its tables."
        )
        self.terminal.heading("2 What would run", "Reads only; nothing is installed yet.")
        self.terminal.command("plan", "--to", "parallel-operation")

        self.terminal.heading("3 Forward, under live writes")
        self._chapter(traffic, "apply")
        traffic.start("v2")  # it waits until its tables are there and synced, somewhere in the middle of the apply
        self.terminal.command("apply", "--to", "parallel-operation", "--yes", head=4, tail=9)
        self._chapter(traffic, "both sides")
        self.terminal.command("status")
        self._validate()

    def _validate(self, **trim: int) -> None:
        """Validate; keys that crossing writes left in the queue are settled first, as an operator would."""
        for attempt in (1, 2, 3):
            if self._queued():
                self.terminal.command("sync", "drain", expect=(0, 1))
            ran = self.terminal.command("validate", expect=0 if attempt == 3 or not self._queued() else (0, 1), **trim)
            if ran.status == 0:
                return

    def _queued(self) -> int:
        with psycopg.connect(self.dsn) as conn:
            row = conn.execute("select count(*) from crmshift.sync_queue").fetchone()
        assert row is not None
        return int(row[0])

    def _look(self, traffic: Traffic, chosen: Contact) -> None:
        self.terminal.heading("4 One contact, seen from both sides")
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            self.out.print(f"Contact {chosen.id} is the customer of the same id.")
            self.out.print(side_by_side.both_sides(conn, chosen))
            self.terminal.heading(
                "5 A write on either side",
                "Seen on the other as soon as it commits, for it is part of the same transaction.",
            )
            seen, as_told = side_by_side.write_and_look(conn, traffic, chosen)
            self.out.print(seen)
            self.out.print("The second lead is out of legacy's sight:")
            self.out.print(side_by_side.leads(conn, chosen))
        if not as_told:
            raise CrmshiftError("A write on one side was not seen on the other as it should.")
        with self.terminal.busy(lambda: "both applications at work"):
            time.sleep(2 * BREATH)
        self._validate(head=0, tail=1)

    def _back(self, traffic: Traffic) -> None:
        self.terminal.heading(
            "6 The way back",
            "What legacy cannot hold must be acknowledged by its number. Version 2 is stopped first, for its tables will go; "
            "version 1 goes on.",
        )
        traffic.stop("v2")
        self._chapter(traffic, "rollback")
        refused = self.terminal.command("rollback", "--to", "legacy", expect=int(ExitStatus.REFUSED))
        for _ in range(4):  # version 1 goes on deleting contacts, so what would be lost may have another number by now
            number = re.search(r"--accept-loss (\d+)", refused.output)
            if number is None:
                raise CrmshiftError("The refusal names no number to accept.")
            ran = self.terminal.command(
                "rollback", "--to", "legacy", "--accept-loss", number[1], "--yes", expect=(0, 3), head=1, tail=6
            )
            if ran.status == 0:
                break
            refused = ran
        else:
            raise CrmshiftError("The number of what would be lost kept changing.")
        self._chapter(traffic, "legacy again")
        with self.terminal.busy(lambda: "version 1 goes on"):
            time.sleep(BREATH)
        traffic.stop("v1")

    def _prove(self, traffic: Traffic) -> ExitStatus:
        self.terminal.heading(
            "7 Proof",
            "Beside every commit its meaning to legacy was written to a second database, which has never seen crmshift. Now "
            "all rows, all columns, and the catalogue are compared.",
        )
        with self.terminal.busy(lambda: "comparing"):
            compared = proof.compare_rows(self.dsn, self.record)
            leftovers = proof.leftovers(self.dsn, self.record)
        rows = table("table", ">rows", ">in the record", ">differ", "")
        for c in compared:
            rows.add_row(c.table, f"{c.rows:,}", f"{c.recorded:,}", f"{len(c.differing):,}", _mark(not c.differing))
        rows.add_row("[dim]objects in the catalogue[/dim]", "", "", f"{len(leftovers):,}", _mark(not leftovers))
        self.out.print(rows)
        for c in compared:
            for key in c.differing[:5]:
                self.out.print(f"[red]differs:[/red] {c.table} {key}")
        for what in leftovers[:10]:
            self.out.print(f"[red]only on one side:[/red] {what}")
        self.out.print("[bold]Live traffic[/bold]")
        self.out.print(_traffic_table(traffic))

        total = traffic.tallies.total()
        states = ", ".join(sorted(set(total.failures)))
        verdict = (
            "[green]failed: 0[/green]" if not total.failures else f"[red]failed: {len(total.failures)} ({states})[/red]"
        )
        same = not leftovers and not any(c.differing for c in compared)
        self.out.print(
            "[green]Legacy is exactly what the applications made of it.[/green]"
            if same
            else "[red]Legacy is not what the applications made of it.[/red]"
        )
        self.out.print(f"{count(total.run, 'application statement')}, [bold]{verdict}[/bold]")
        return ExitStatus.OK if same and not total.failures else ExitStatus.NO

    def _chapter(self, traffic: Traffic, name: str) -> None:
        assert name in CHAPTERS
        if traffic.tallies.chapter == "legacy alone":
            with self.terminal.busy(lambda: "version 1 at work"):
                time.sleep(BREATH / 2)
        traffic.raise_broken()
        traffic.tallies.chapter = name


def _what_is_there(loaded: Loaded) -> Any:
    made = table("table", ">rows")
    for name, n in vars(loaded).items():
        made.add_row(name, f"{n:,}")
    return made


def _traffic_table(traffic: Traffic) -> Any:
    made = table("while", "writes", ">statements", ">failed", ">p95", ">longest")
    for chapter in CHAPTERS:
        for side, role in (("v1", "legacy"), ("v2", "lead-centric")):
            tally = traffic.tallies.of(side, chapter)
            if tally.run:
                made.add_row(
                    chapter,
                    role,
                    f"{tally.run:,}",
                    str(len(tally.failures)),
                    f"{tally.p95 * 1000:.1f} ms",
                    f"{tally.longest * 1000:.0f} ms",
                )
    return made


def _ticker(running: list[Traffic]) -> str:
    if not running:
        return ""
    v1, v2 = (running[0].tallies.total(side) for side in ("v1", "v2"))
    return f"{v1.run:,} statements on legacy, {v2.run:,} on leads, failed {len(v1.failures) + len(v2.failures)}"


def _mark(good: bool) -> str:
    return "[green]✓[/green]" if good else "[red]✗[/red]"


def _keep(out: Console, server: EmbeddedServer) -> None:
    _, stop = server.keep()
    out.print("\nThe server is kept, with legacy in database crm:")
    for line in (f"  export CRMSHIFT_DSN='{server.dsn(DATABASE)}'", f"  to stop and remove it: {stop}"):
        out.print(line, soft_wrap=True, markup=False)
