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

from app.cli import (
    access,
    audit,
    backup,
    clients,
    diff,
    export,
    fixtures,
    gitops,
    hooks,
    invocations,
    keys,
    logs,
    migrate,
    operate,
    queue,
    runner,
    secrets,
    serve,
    sessions,
    steering,
)
from app.cli.examples import show_examples
from app.cli.output import errors, print_error
from app.domain.errors import HookledgerError, Stalled
from config.settings import SettingsError

cli = typer.Typer(
    name="hookledger",
    help="Self-hosted, event-sourced plugin server: a commit deploys, history proves it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
cli.command("serve")(serve.serve)
cli.add_typer(steering.group, name="sync")
cli.command("plan")(gitops.plan)
cli.command("test")(fixtures.run_fixtures)
cli.command("run")(runner.run)
cli.command("invoke")(invocations.invoke)
cli.add_typer(hooks.group, name="hooks")
cli.command("diff")(diff.diff)
cli.add_typer(secrets.group, name="secrets")
cli.add_typer(audit.group, name="audit")
audit.group.command("access")(access.access)
cli.add_typer(invocations.group, name="invocations")
cli.command("logs")(logs.logs)
cli.add_typer(clients.group, name="clients")
cli.add_typer(sessions.group, name="sessions")
cli.add_typer(queue.group, name="queue")
cli.add_typer(keys.group, name="keys")
cli.command("export")(export.export)
cli.command("migrate")(migrate.migrate_export)
cli.command("rebuild")(operate.rebuild)
cli.command("doctor")(operate.doctor)
cli.command("backup")(backup.backup)
cli.command("restore")(backup.restore)
show_examples(cli)


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
