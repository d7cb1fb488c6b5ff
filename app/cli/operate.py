"""``hookledger rebuild`` and ``doctor``: look after the server."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeRemainingColumn,
)
from rich.text import Text

from app.bootstrap.diagnosis import diagnose
from app.bootstrap.storage import open_existing_storage, rebuild_projections
from app.cli.output import JsonFlag, console, print_json, print_table
from config.settings import load_settings
from projections.rebuild import Progress as Step

_LEVELS = {
    "full": "every layer that counts",
    "container": "without namespaces: the other layers keep hooks in",
    "insufficient": "not enough for hooks that nobody has read",
}
"""What a level means, in half a sentence."""


def rebuild() -> None:
    """Replay every event from position 1 into fresh projections, then switch to them.

    The server may go on serving meanwhile; nothing in the ledger changes.
    """
    columns = (BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with (
        open_existing_storage() as storage,
        Progress("{task.description}", *columns, console=console) as progress,
    ):
        bar = progress.add_task("Replaying events", total=None)

        def tell(step: Step) -> None:
            progress.update(bar, description=step.stage, completed=step.done, total=step.total)

        position = rebuild_projections(storage, tell)
    console.print(f"The projections are rebuilt up to position {position}.")


class _Rate(ProgressColumn):
    """Events a second, lately."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0:,.0f}/s")


def doctor(
    *,
    as_json: JsonFlag = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail unless every check passes.")
    ] = False,
) -> None:
    """Check what this machine can do, and say what is missing and how to get it.

    Each isolation layer is tried in a throw-away process. Exit code 1 if the server would refuse
    to start.
    """
    report = diagnose(load_settings())
    if as_json:
        print_json(report)
    else:
        print_table(
            ("CHECK", "OK", "DETAIL"),
            [(check.name, check.ok, check.detail) for check in report.checks],
            empty="Nothing was checked.",
        )
        serves = "would start" if report.can_serve else "would refuse to start"
        console.print(
            f"\nIsolation: {report.level}, {_LEVELS[report.level]}.\nThe server {serves}.",
            markup=False,
        )
    failed = not report.can_serve or (strict and not all(check.ok for check in report.checks))
    raise typer.Exit(1 if failed else 0)
