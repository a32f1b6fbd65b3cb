"""Printing: data to standard output, everything else to standard error."""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from crmshift.errors import CrmshiftError, ExitStatus
from crmshift.progress import BackfillState, Hold, Pace, Progress

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from crmshift.steps import Step

FORMAT_VERSION = "1.0"


def console() -> Console:
    """Standard output. In a pipe, lines are not cut to a width nobody sees."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, soft_wrap=False, emoji=False)


def error_console() -> Console:
    """Standard error."""
    from rich.console import Console

    return Console(stderr=True, width=None if sys.stderr.isatty() else 200, highlight=False, emoji=False)


def print_json(command: str, status: ExitStatus, data: dict[str, Any], next_steps: Sequence[str] = ()) -> None:
    """One JSON document with the fields that every command has."""
    document = {
        "format_version": FORMAT_VERSION,
        "command": command,
        "exit_code": int(status),
        **data,
        "next_steps": list(next_steps),
    }
    print(json.dumps(document, indent=2, default=str, ensure_ascii=False))


def print_next_steps(next_steps: Sequence[str]) -> None:
    """What to type next, on standard error."""
    if next_steps:
        out = error_console()
        for i, step in enumerate(next_steps):
            out.print(f"[dim]{'Next:' if i == 0 else '     '}[/dim] [bold]{step}[/bold]")


def report_error(error: CrmshiftError, argv: Sequence[str]) -> None:
    """One error: what is wrong, and what to do. With `--format json` as a document on standard output too."""
    from rich.markup import escape

    out = error_console()
    out.print(f"[bold red]error:[/bold red] {escape(error.message)}", soft_wrap=True)
    if error.hint:
        out.print(f"[bold]hint:[/bold]  {escape(error.hint)}", soft_wrap=True)
    told = {"message": error.message, "hint": error.hint, "sqlstate": error.sqlstate}
    asked = {w.removeprefix("--format=") for w in argv if w.startswith("--format=")}
    asked |= {value for option, value in itertools.pairwise(argv) if option == "--format"}
    if "json" in asked:
        print_json(_command(argv), error.exit_status, {"error": told})
    elif "ndjson" in asked:
        stopped = error.exit_status is ExitStatus.STOPPED
        print_ndjson("stopped" if stopped else "error", exit_code=int(error.exit_status), error=told)


def _command(argv: Sequence[str]) -> str:
    """The words of the command line that name the command: one, or two where the first names a group."""
    words = list(itertools.takewhile(lambda word: not word.startswith("-"), argv))
    return " ".join(words[:2] if words and words[0] in ("backfill", "conflicts", "repair", "sync") else words[:1])


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table in the house's style; a leading > in a column's name aligns it right, a leading = keeps it on one line."""
    from rich import box
    from rich.table import Table

    made = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False
    )
    for column in columns:
        made.add_column(
            column.lstrip(">="),
            justify="right" if column.startswith(">") else "left",
            no_wrap=column.startswith("="),
            overflow="fold",
        )
    return made


def count(n: int, singular: str, plural: str | None = None) -> str:
    """`1 step`, `2 steps`."""
    return f"{n:,} {singular if n == 1 else plural or singular + 's'}"


def watcher() -> Progress:
    """Bars on a terminal, lines elsewhere."""
    return TerminalProgress() if sys.stderr.isatty() else LineProgress()


class LineProgress(Progress):
    """A line for each step, and one every 30 s while a backfill runs."""

    EVERY = 30.0

    def __init__(self) -> None:
        self._last = time.monotonic()

    def step_finished(self, step: Step, action: str, seconds: float) -> None:
        self._print(f"{'undone ' if action == 'undo' else 'applied'} {step.name} ({seconds:.2f} s)")

    def waiting(self, error: CrmshiftError, pause: float) -> None:
        self._print(f"waiting {pause:.1f} s: {error.message}")

    def backfill(self, state: BackfillState, pace: Pace) -> None:
        if state.finished or time.monotonic() - self._last >= self.EVERY:
            self._last = time.monotonic()
            held = "".join(f", held: {held_by(hold)}" for hold in pace.holds[:1])
            left = f", {duration(pace.seconds_left)} left" if pace.seconds_left and not state.finished else ""
            self._print(
                f"backfill from {walk_name(state)}: {state.rows_done:,} of {state.rows_total:,} rows, {pace.rate:,.0f} rows/s{left}, {state.queued:,} queued{held}"
            )

    def note(self, text: str) -> None:
        self._print(text)

    def _print(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class NdjsonProgress(LineProgress):
    """For machines: one object a second on standard output while a backfill runs; what people are told stays on standard error."""

    SECONDS = 1.0

    def __init__(self) -> None:
        super().__init__()
        self._said = 0.0

    def backfill(self, state: BackfillState, pace: Pace) -> None:
        if state.finished or time.monotonic() - self._said >= self.SECONDS:
            self._said = time.monotonic()
            print_ndjson(
                "progress",
                **asdict(state),
                rows_per_second=round(pace.rate, 1),
                seconds_left=None if pace.seconds_left is None or state.finished else round(pace.seconds_left, 1),
                workers=pace.workers,
                held_by=[asdict(hold) for hold in pace.holds],
            )


def print_ndjson(event: str, **fields: Any) -> None:
    """One object on a line of its own: what it is, when, and its fields."""
    line = {"format_version": FORMAT_VERSION, "event": event, "at": datetime.now(UTC), **fields}
    print(json.dumps(line, default=str, ensure_ascii=False), flush=True)


def walk_name(state: BackfillState) -> str:
    """The table that is walked, and the workspace where it is only one."""
    return f"{state.source}, workspace {state.workspace}" if state.workspace else state.source


def held_by(hold: Hold) -> str:
    """Which signal, what it reads, from where it pauses and where it goes on, and since when."""
    since = f"since {hold.since:%H:%M:%S}"
    if hold.signal == "paused":
        return f"{hold.measures}, {since}{': ' + hold.why if hold.why else ''}"
    if hold.why or hold.reading is None:
        return f"{hold.signal} {hold.why or 'cannot be read'}, {since}"
    return f"{hold.signal} is {reading(hold.reading, hold.unit)}, pauses at {reading(hold.pauses_at, hold.unit)}, goes on at {reading(hold.resumes_at, hold.unit)}, {since}"


def reading(value: float | None, unit: str) -> str:
    """`12.3 s`, `5`; empty where there is none."""
    return "" if value is None else f"{value:,.1f}".removesuffix(".0") + (f" {unit}" if unit else "")


def duration(seconds: float) -> str:
    """`45 s`, `12 min 3 s`, `3 h 20 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


class TerminalProgress(Progress):
    """One live line for the step in hand, a bar for a backfill, and a quiet line for what is done."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn
        from rich.progress import Progress as Bars
        from rich.table import Column
        from rich.text import Text

        class HeldBars(Bars):
            """The bars, and below them what holds the backfill."""

            held = ""

            def get_renderables(self) -> Iterator[RenderableType]:
                yield from super().get_renderables()
                if self.held:
                    yield Text(f"  ‖ {self.held}", style="yellow", overflow="fold")

        console = error_console()
        self._wide = console.width >= 110
        self._bars = HeldBars(
            SpinnerColumn(),
            TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=28 if self._wide else 8),
            TaskProgressColumn(table_column=Column(no_wrap=True, min_width=4)),
            TextColumn(
                "{task.fields[detail]}",
                style="dim",
                table_column=Column(no_wrap=True, min_width=0 if self._wide else 44),
            ),
            console=console,
            transient=True,
        )
        self._task: Any = None

    def step_started(self, step: Step, action: str) -> None:
        self._bars.start()
        self._end_task()
        self._task = self._bars.add_task(step.name, total=None, detail="")

    def step_finished(self, step: Step, action: str, seconds: float) -> None:
        self._end_task()
        mark = "[green]✓[/green]" if action == "apply" else "[yellow]↩[/yellow]"
        self._bars.console.print(f"{mark} {step.name} [dim]{seconds:.2f} s[/dim]")
        self._bars.stop()

    def waiting(self, error: CrmshiftError, pause: float) -> None:
        self._bars.console.print(f"[yellow]…[/yellow] waiting {pause:.1f} s: {error.message}")

    def backfill(self, state: BackfillState, pace: Pace) -> None:
        if self._task is None:
            self._bars.start()
            self._task = self._bars.add_task(f"backfill/{state.source.rpartition('.')[2]}", total=None, detail="")
        rows = f"{state.rows_done:,} of {state.rows_total:,} rows" if self._wide else f"{state.rows_done:,} rows"
        left = f", {duration(pace.seconds_left)} left" if pace.seconds_left is not None else ""
        workers = f", {count(pace.workers, 'worker')}" if self._wide else ""
        queued = f", {state.queued:,} queued" if state.queued and self._wide else ""
        self._bars.held = f"held: {held_by(pace.holds[0])}" if pace.holds else ""
        self._bars.update(
            self._task,
            total=max(state.rows_total, 1),
            completed=min(state.rows_done, max(state.rows_total, 1)),
            detail=f"{rows}, {pace.rate:,.0f}/s{left}{workers}{queued}",
        )
        if state.finished:
            self._end_task()
            self._bars.stop()

    def note(self, text: str) -> None:
        self._bars.console.print(text)

    def close(self) -> None:
        self._end_task()
        self._bars.stop()

    def _end_task(self) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
