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

from app.cli.on_demand import STYLE, Place, group_of
from app.cli.output import errors, print_error
from app.domain.errors import HookledgerError, Stalled
from config.settings import SettingsError

COMMANDS = {
    "serve": Place("app.cli.serve:serve", "Follow the repository, run hooks, answer over HTTP."),
    "sync": Place("app.cli.steering:group", "Apply the followed branch; hold, approve, roll back."),
    "plan": Place("app.cli.gitops:plan", "Show what a commit would change, and change nothing."),
    "test": Place("app.cli.fixtures:run_fixtures", "Run the fixtures of hooks in a work tree."),
    "run": Place("app.cli.runner:run", "Try a script as a trigger's hook; nothing is stored."),
    "invoke": Place(
        "app.cli.invocations:invoke", "Invoke a trigger over HTTP and print the answer."
    ),
    "hooks": Place("app.cli.hooks:group", "List, show, edit, enable and disable hooks."),
    "diff": Place("app.cli.diff:diff", "Show what changed between two moments."),
    "secrets": Place("app.cli.secrets:group", "Set, seal, list and remove secrets of a hook."),
    "audit": Place("app.cli.audit:group", "Query and verify the history of every change."),
    "invocations": Place(
        "app.cli.invocations:group", "See what hooks did: records, one in full, figures."
    ),
    "logs": Place("app.cli.logs:logs", "Print what hooks wrote, or follow it."),
    "clients": Place("app.cli.clients:group", "Create, list and revoke clients."),
    "sessions": Place(
        "app.cli.sessions:group", "List and end sessions at the dashboard; make a link to it."
    ),
    "queue": Place("app.cli.queue:group", "List, re-drive and discard failed deliveries."),
    "keys": Place("app.cli.keys:group", "List and rotate master keys and signing keys."),
    "export": Place(
        "app.cli.export:export", "Write every hook of a server as files to be followed."
    ),
    "migrate": Place(
        "app.cli.migrate:migrate_export", "Turn an export of Auth0's Deploy CLI into hooks."
    ),
    "rebuild": Place(
        "app.cli.operate:rebuild", "Replay every event into fresh tables, then use those."
    ),
    "doctor": Place(
        "app.cli.operate:doctor", "Check what this machine can do, and say what is missing."
    ),
    "backup": Place(
        "app.cli.backup:backup", "Copy the databases; a server may be running on them."
    ),
    "restore": Place("app.cli.backup:restore", "Put a backup in place once every file is checked."),
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
