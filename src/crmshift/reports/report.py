"""A report that was asked for with `--report`: what kind, and where it goes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from crmshift.errors import UsageError
from crmshift.reports import github, html, junit, markdown
from crmshift.validation.result import Validation

FILES: dict[str, Callable[[Validation], str]] = {
    "junit": junit.render,
    "markdown": markdown.render,
    "html": html.render,
}
EXPECTED = f"{', '.join(f'{kind}=FILE' for kind in FILES)} or github"


@dataclass(frozen=True)
class Report:
    """A kind, and the file it goes to. For github that is the step summary, None where GitHub names none."""

    kind: str
    path: Path | None


def requested(options: Iterable[str]) -> tuple[Report, ...]:
    """The reports that options ask for.

    Raises `UsageError` for one that cannot be written, before anything is validated.
    """
    reports = tuple(_parsed(option) for option in options)
    files = [r.path.resolve() for r in reports if r.path is not None]
    for report, path in zip((r for r in reports if r.path is not None), files, strict=True):
        if files.count(path) > 1:
            raise UsageError(f"--report: {report.path} is asked for twice.")
        _try(report, path)
    return reports


def write(reports: Iterable[Report], validation: Validation) -> None:
    """Write them all; workflow commands go to standard error, which GitHub reads too.

    Raises `UsageError` where one cannot be written: then its file is as it was before.
    """
    for report in reports:
        try:
            if report.kind == "github":
                _tell_github(report.path, validation)
            elif report.path is not None:
                _replace(report.path.resolve(), FILES[report.kind](validation))
        except OSError as error:
            raise _unwritable(report, error) from error


def _parsed(option: str) -> Report:
    kind, _, path = option.partition("=")
    if option == "github":
        summary = os.environ.get(github.SUMMARY_VARIABLE)
        return Report(kind, Path(summary) if summary else None)
    if kind not in FILES or not path:
        raise UsageError(f"--report {option}: expected {EXPECTED}.")
    return Report(kind, Path(path))


def _try(report: Report, path: Path) -> None:
    """Make the file that will be renamed, or open the one that will be appended to, and leave no trace."""
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"--report {report.kind}: {report.path} cannot be written: it is not a regular file.")
        if report.kind == "github":
            with path.open("ab"):
                return
        beside = _beside(path)
        with beside.open("xb"):
            beside.unlink()
    except OSError as error:
        raise _unwritable(report, error) from error


def _replace(path: Path, text: str) -> None:
    """The whole file or nothing: written beside it, then renamed."""
    beside = _beside(path)
    try:
        with beside.open("xb") as file:
            file.write(text.encode())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")


def _tell_github(summary: Path | None, validation: Validation) -> None:
    for line in github.commands(validation):
        print(line, file=sys.stderr, flush=True)
    if summary is not None:
        with summary.open("ab") as file:
            file.write(markdown.render(validation, github.SUMMARY_LIMIT - file.tell()).encode())


def _unwritable(report: Report, error: OSError) -> UsageError:
    return UsageError(f"--report {report.kind}: {report.path} cannot be written: {error.strerror}.")
