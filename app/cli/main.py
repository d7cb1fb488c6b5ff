"""The ``hookledger`` command.

Exit codes: 0 done; 1 refused or failed, with the reason on standard error; 2 wrong usage, or, for
``plan``, that there are changes.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from importlib.metadata import version
from typing import Annotated

import typer
from eventsourcing.persistence import PersistenceError

from app.cli.on_demand import STYLE, group_of
from app.cli.output import errors, print_error
from app.domain.errors import HookledgerError, Stalled
from config.settings import SettingsError

COMMANDS = {
    "serve": "app.cli.serve:serve",
    "sync": "app.cli.steering:group",
    "plan": "app.cli.gitops:plan",
    "test": "app.cli.fixtures:run_fixtures",
    "run": "app.cli.runner:run",
    "invoke": "app.cli.invocations:invoke",
    "hooks": "app.cli.hooks:group",
    "diff": "app.cli.diff:diff",
    "secrets": "app.cli.secrets:group",
    "audit": "app.cli.audit:group",
    "invocations": "app.cli.invocations:group",
    "logs": "app.cli.logs:logs",
    "clients": "app.cli.clients:group",
    "sessions": "app.cli.sessions:group",
    "queue": "app.cli.queue:group",
    "keys": "app.cli.keys:group",
    "export": "app.cli.export:export",
    "migrate": "app.cli.migrate:migrate_export",
    "rebuild": "app.cli.operate:rebuild",
    "doctor": "app.cli.operate:doctor",
    "backup": "app.cli.backup:backup",
    "restore": "app.cli.backup:restore",
}
"""In the order of the help."""

cli = typer.Typer(
    name="hookledger",
    cls=group_of(COMMANDS),
    help="Self-hosted, event-sourced plugin server: a commit deploys, history proves it.",
    no_args_is_help=True,
    **STYLE,
)


@cli.callback(invoke_without_command=True)
def root(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)
    ] = False,
) -> None:
    if show_version:
        typer.echo(f"hookledger {version('hookledger')}")
        raise typer.Exit


def main() -> None:
    """Run the command and turn its errors into sentences and exit codes."""
    os.umask(0o077)  # whatever is written holds facts about hooks: for its owner only
    try:
        cli()
    except HookledgerError as error:
        print_error(error)
        sys.exit(1)
    except SettingsError as error:
        errors.print(f"hookledger: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    except (OSError, sqlite3.Error, PersistenceError) as error:
        # A full disk, a damaged or foreign file: nothing that a traceback would explain.
        print_error(Stalled(f"{error}. Is the disk full, or damaged? See `hookledger doctor`."))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
