"""The command line: parse, call, print, exit status. One module for each command."""

from __future__ import annotations

import sys
from typing import Any

import typer

from crmshift.cli import (
    apply,
    backfill,
    compare,
    conflicts,
    demo,
    explain,
    log,
    plan,
    repair,
    rollback,
    status,
    sync,
    validate,
)
from crmshift.cli.options import EXIT_STATUSES
from crmshift.cli.output import report_error
from crmshift.errors import CrmshiftError, ExitStatus, UsageError

app = typer.Typer(
    name="crmshift",
    help="Move a live CRM on PostgreSQL from contacts to customers and leads, without downtime, and back.",
    epilog="Start with [bold]crmshift demo[/bold], or on a database of your own: [bold]crmshift plan[/bold]."
    + EXIT_STATUSES,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(rich_help_panel="Migrate", epilog=plan.EXAMPLES + EXIT_STATUSES)(plan.plan)
app.command(rich_help_panel="Migrate", epilog=apply.EXAMPLES + EXIT_STATUSES)(apply.apply)
app.command(rich_help_panel="Migrate", epilog=rollback.EXAMPLES + EXIT_STATUSES)(rollback.rollback)
app.add_typer(backfill.app, epilog=backfill.EXAMPLES + EXIT_STATUSES, rich_help_panel="Migrate")
app.command(rich_help_panel="Look", epilog=validate.EXAMPLES + EXIT_STATUSES)(validate.validate)
app.command(rich_help_panel="Look", epilog=explain.EXAMPLES + EXIT_STATUSES)(explain.explain)
app.command(rich_help_panel="Look", epilog=compare.EXAMPLES + EXIT_STATUSES)(compare.compare)
app.command(rich_help_panel="Look", epilog=status.EXAMPLES + EXIT_STATUSES)(status.status)
app.command(rich_help_panel="Look", epilog=log.EXAMPLES + EXIT_STATUSES)(log.log)
app.add_typer(sync.app, epilog=sync.EXAMPLES + EXIT_STATUSES, rich_help_panel="Sync")
app.add_typer(conflicts.app, epilog=conflicts.EXAMPLES + EXIT_STATUSES, rich_help_panel="Sync")
app.add_typer(repair.app, epilog=repair.EXAMPLES + EXIT_STATUSES, rich_help_panel="Sync")
app.command(rich_help_panel="Try", epilog=demo.EXAMPLES + EXIT_STATUSES)(demo.demo)


@app.callback(invoke_without_command=True)
def version(show: bool = typer.Option(False, "--version", help="Show the version and exit.")) -> None:
    if show:
        from crmshift import __version__

        print(f"crmshift {__version__}")
        raise typer.Exit


_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""Base of Typer's usage errors, wherever this version of Typer keeps it."""


def main() -> None:
    """Run the command line; every error of ours ends as one message and its exit status."""
    try:
        status = app(standalone_mode=False)
        if status == 130:  # Typer's word for an interrupt
            raise KeyboardInterrupt
        sys.exit(status)
    except CrmshiftError as error:
        report_error(error, sys.argv[1:])
        sys.exit(error.exit_status)
    except _USAGE_ERROR as error:
        sys.exit(_report_usage(error))
    except (KeyboardInterrupt, typer.Abort):
        print("Interrupted. What is committed stays; the same command goes on from there.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(ExitStatus.TROUBLE)


def _report_usage(error: Any) -> int:
    # Called without arguments Typer has printed the help by the time it raises; that is the answer.
    if type(error).__name__ != "NoArgsIsHelpError":
        command = error.ctx.command_path if error.ctx else "crmshift"
        report_error(UsageError(error.format_message(), hint=f"See {command} --help."), sys.argv[1:])
    return ExitStatus.TROUBLE
