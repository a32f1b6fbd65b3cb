"""Printing: data to standard output, everything else to standard error."""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from crmshift.errors import CrmshiftError, ExitStatus
from crmshift.progress import BackfillState, Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from crmshift.steps import Step

FORMAT_VERSION = "1.0"


def console() -> Console:
    """Standard output. In a pipe, lines are not cut to a width nobody sees."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, soft_wrap=False)


def error_console() -> Console:
    """Standard error."""
    from rich.console import Console

    return Console(stderr=True, width=None if sys.stderr.isatty() else 200, highlight=False)


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
    if "--format=json" in argv or any(pair == ("--format", "json") for pair in itertools.pairwise(argv)):
        print_json(
            _command(argv),
            error.exit_status,
            {"error": {"message": error.message, "hint": error.hint, "sqlstate": error.sqlstate}},
        )


def _command(argv: Sequence[str]) -> str:
    """The words of the command line that name the command: one, or two where the first names a group."""
    words = list(itertools.takewhile(lambda word: not word.startswith("-"), argv))
    return " ".join(words[:2] if words and words[0] in ("backfill", "conflicts", "sync") else words[:1])


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

    def backfill(self, state: BackfillState, seconds: float) -> None:
        if state.finished or time.monotonic() - self._last >= self.EVERY:
            self._last = time.monotonic()
            rate = state.rows_done / seconds if seconds > 0 else 0.0
            self._print(
                f"backfill from {state.source}: {state.rows_done:,} of {state.rows_total:,} rows, {rate:,.0f} rows/s, {state.queued:,} queued"
            )

    def note(self, text: str) -> None:
        self._print(text)

    def _print(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class TerminalProgress(Progress):
    """One live line for the step in hand, a bar for a backfill, and a quiet line for what is done."""

    def __init__(self) -> None:
        from rich.progress import (
            BarColumn,
            SpinnerColumn,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.progress import (
            Progress as Bars,
        )

        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TaskProgressColumn(),
            TextColumn("{task.fields[detail]}", style="dim"),
            TimeRemainingColumn(compact=True),
            console=error_console(),
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

    def backfill(self, state: BackfillState, seconds: float) -> None:
        if self._task is None:
            self._bars.start()
            self._task = self._bars.add_task(f"backfill from {state.source}", total=None, detail="")
        rate = state.rows_done / seconds if seconds > 0 else 0.0
        self._bars.update(
            self._task,
            total=max(state.rows_total, 1),
            completed=state.rows_done,
            detail=f"{state.rows_done:,} rows, {rate:,.0f}/s",
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
