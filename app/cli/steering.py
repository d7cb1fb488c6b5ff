"""``hookledger sync status|suspend|resume|approve|rollback``: a person steers a source."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.text import Text

from app.application.approve_plan import approve_plan
from app.application.suspend_source import resume_source, suspend_source
from app.application.sync_results import SyncResult
from app.bootstrap.ambient import cli_meta, utc_now
from app.bootstrap.engine import open_engine
from app.bootstrap.repositories import source_settings
from app.bootstrap.sources import stored_status
from app.bootstrap.storage import open_storage
from app.cli.durations import UntilOption, moment_of
from app.cli.gitops import print_result, sync
from app.cli.output import JsonFlag, console, moment, print_json, print_table, printable
from app.cli.plans import print_changes
from app.web.sync_members import source_members

Reason = Annotated[
    str, typer.Option("--reason", "-r", help="Why; stored with the event.", show_default=False)
]

group = typer.Typer(callback=sync, invoke_without_command=True)

_STATE_STYLES = {
    "Synced": "green",
    "Healthy": "green",
    "OutOfSync": "yellow",
    "Held": "yellow",
    "Suspended": "yellow",
    "Rejected": "red",
    "Degraded": "red",
}


@group.command()
def status(*, as_json: JsonFlag = False) -> None:
    """Show where the source stands, why, since when, and what to do."""
    with open_storage() as storage:
        members = source_members(stored_status(storage))
    if as_json:
        print_json(members)
    else:
        _print_status(members)


@group.command()
def suspend(reason: Reason, until: UntilOption = None) -> None:
    """Apply nothing by itself until it is resumed, or until a time."""
    end = moment_of(until)
    with open_storage() as storage:
        source = source_settings(storage.settings)
        position = suspend_source(
            storage.ledger, source, cli_meta(reason), until=end, now=utc_now()
        )
    told = f"until {moment(end)}" if end else "until `hookledger sync resume`"
    console.print(f"Source `{source.id}` is suspended {told} (position {position}).")


@group.command()
def resume(reason: Reason = "") -> None:
    """Follow the branch again; a running server applies its tip at once."""
    with open_storage() as storage:
        source = source_settings(storage.settings)
        position = resume_source(storage.ledger, source, cli_meta(reason))
    console.print(f"Source `{source.id}` is followed again (position {position}).")


@group.command()
def approve(
    digest: Annotated[str, typer.Argument(help="Of the held plan; `sync status` shows it.")],
    reason: Reason = "",
) -> None:
    """Let the held plan be applied, if it is exactly this one.

    A running server applies it at once; without one, `hookledger sync --once` does.
    """
    with open_storage() as storage:
        source = source_settings(storage.settings)
        position = approve_plan(storage.ledger, source, digest, cli_meta(reason))
    console.print(
        f"Plan {digest[:12]} is approved (position {position}). A running server applies it at "
        "once; without one, `hookledger sync --once` does."
    )


@group.command()
def rollback(
    commit: Annotated[str, typer.Argument(help="A commit, branch or tag that was in force.")],
    reason: Reason,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Put a formerly applied commit in force again, whole, and skip the bad one.

    The branch is still followed: its next new commit is applied as always.
    """

    async def run() -> SyncResult:
        with open_storage() as storage:
            async with open_engine(storage) as engine:
                return await engine.reconciler.roll_back(commit, cli_meta(reason))

    print_result(asyncio.run(run()), as_json=as_json)


def _print_status(source: Mapping[str, Any]) -> None:
    _print_line("state", source["state"], _STATE_STYLES.get(source["state"], ""))
    _print_line("since", moment(source["since"]))
    _print_line("why", source["reason"])
    _print_line("health", source["health"], _STATE_STYLES.get(source["health"], ""))
    for ailment in source["ailments"]:
        _print_line("", ailment)
    _print_line("in force", source["applied"] or "-")
    _print_line("newest", source["tip"] or "-")
    _print_line("follows", f"{source['location']} {source['branch']} {source['path']}")
    for problem in source["problems"]:
        place = ":".join(str(problem[part]) for part in ("file", "line") if problem[part])
        _print_line("problem", f"{place} {problem['message']}".strip(), "red")
    if source["held"]:
        _print_line("plan", source["held"]["digest"])
        print_changes(source["held"]["changes"])
    if source["history"]:
        console.print("\nWas in force:")
        rows = [(each["commit"][:12], moment(each["at"])) for each in source["history"]]
        print_table(("COMMIT", "SINCE"), rows, empty="")


def _print_line(label: str, value: str, style: str = "") -> None:
    line = Text(f"{label + ':' if label else '':<10}")
    line.append(printable(str(value)), style=style)
    console.print(line, soft_wrap=True)
