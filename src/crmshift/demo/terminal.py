"""Runs the real command line inside the demo, and shows what it printed, cut in the middle where it is long."""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crmshift.errors import CrmshiftError, ExitStatus

if TYPE_CHECKING:
    from rich.console import Console


Command = Callable[[list[str]], int]
"""Runs the command line with these arguments, its errors shown, and gives the exit status."""

RULE = 100
"""Longest line of a heading: in a pipe the console is wider than a log wants."""


@dataclass(frozen=True)
class Ran:
    """A command's exit status, and all it printed."""

    status: int
    output: str


class _Heard(io.TextIOBase):
    """A stream that keeps what is written; looks like a terminal where the real one is one, so that tables fit and have colour."""

    encoding = "utf-8"

    def __init__(self, into: list[str], terminal: bool) -> None:
        self._into = into
        self._terminal = terminal

    def write(self, text: str) -> int:
        self._into.append(text)
        return len(text)

    def isatty(self) -> bool:
        return self._terminal

    def writable(self) -> bool:
        return True


class Terminal:
    """Where the story is told: headings, commands with their output, and a live line while one runs."""

    def __init__(self, out: Console, run: Command, ticker: Callable[[], str]) -> None:
        self.out = out
        self._run = run
        self._ticker = ticker
        self._stdout = sys.stdout

    def heading(self, title: str, text: str = "") -> None:
        self.out.print()
        line = "─" * max(min(self.out.width, RULE) - len(title) - 1, 0)
        self.out.print(f"[bold]{title}[/bold] [cyan]{line}[/cyan]")
        if text:
            self.out.print(text, width=min(self.out.width, RULE))

    def command(self, *args: str, expect: int | tuple[int, ...] = 0, head: int = 1000, tail: int = 0) -> Ran:
        """Run `crmshift <args>`, and show the first and last lines of what it prints.

        Raises `CrmshiftError` for an exit status nobody expected, after showing everything; `KeyboardInterrupt` where the
        command was interrupted.
        """
        said: list[str] = []
        argv = list(args)
        self.out.print(f"\n[bold green]$[/bold green] [bold]crmshift {shlex.join(argv)}[/bold]")
        with (
            self.busy(lambda: _last_line(said)),
            redirect_stdout(_Heard(said, self._stdout.isatty())),
            redirect_stderr(_Heard(said, False)),
        ):
            status = self._run(argv)
        if status in (130, ExitStatus.STOPPED):  # ^C, at once or after the batch in hand
            raise KeyboardInterrupt
        expected = status in ((expect,) if isinstance(expect, int) else expect)
        lines = [line.rstrip() for line in "".join(said).rstrip().splitlines()]
        self._show(lines, head if expected else len(lines), tail)
        if status:
            self.out.print(f"[dim]exit status {status}[/dim]")
        if not expected:
            raise CrmshiftError(
                f"crmshift {shlex.join(argv)} ended with exit status {status}, which the demo did not expect."
            )
        return Ran(status, "".join(said))

    def _show(self, lines: list[str], head: int, tail: int) -> None:
        skipped = len(lines) - head - tail
        if skipped < 4:  # saying so would take as much room
            head, skipped = len(lines), 0
        for line in lines[:head]:
            print(line, file=self._stdout)
        if skipped:
            self.out.print(f"[dim]  … {skipped} more lines[/dim]")
            for line in lines[len(lines) - tail :]:
                print(line, file=self._stdout)
        self._stdout.flush()

    @contextmanager
    def busy(self, what: Callable[[], str]) -> Iterator[None]:
        """On a terminal, a live line while the block runs: what is being done, and how the traffic fares."""
        live: Any = nullcontext()
        if self.out.is_terminal and self._stdout.isatty():
            from rich.console import Console
            from rich.live import Live
            from rich.spinner import Spinner
            from rich.text import Text

            spinner = Spinner("dots")

            def render() -> Spinner:
                text = Text(" · ".join(part for part in (what(), self._ticker()) if part), style="dim")
                text.truncate(max(self.out.width - 4, 10), overflow="ellipsis")
                spinner.text = text
                return spinner

            # A console of its own on the real stream: while a command is heard, sys.stdout is another.
            live = Live(
                console=Console(file=self._stdout, highlight=False),
                get_renderable=render,
                refresh_per_second=8,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
        with live:
            yield


def _last_line(said: list[str]) -> str:
    lines = "".join(said[-8:]).split("\n")
    return next(
        (line.strip() for line in reversed(lines) if line.strip().startswith(("applied", "undone", "backfill"))), ""
    )


@contextmanager
def environment(dsn: str) -> Iterator[None]:
    """The commands see the demo's database, and nothing of the settings of whoever runs the demo."""
    before = dict(os.environ)
    for name in [n for n in os.environ if n.startswith(("PG", "CRMSHIFT_")) or n == "DATABASE_URL"]:
        del os.environ[name]
    os.environ["CRMSHIFT_DSN"] = dsn
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
