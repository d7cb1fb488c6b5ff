"""``hookledger sync status|suspend|resume|approve|rollback``: a person steers a source."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.text import Text

from app.application.syncing.approve_plan import approve_plan
from app.application.syncing.results import SyncResult
from app.application.syncing.suspend_source import resume_source, suspend_source
from app.bootstrap.ambient import cli_meta, utc_now
from app.bootstrap.engine import open_engine
from app.bootstrap.sources import chosen, chosen_source, stored_statuses
from app.bootstrap.storage import open_existing_storage
from app.cli.connection import (
    ServerOption,
    SourceOption,
    TokenOption,
    answered,
    get,
    of_source,
    post,
)
from app.cli.durations import UntilOption, moment_of
from app.cli.gitops import print_result, sync
from app.cli.output import JsonFlag, console, moment, print_json, print_table, printable
from app.cli.plans import print_changes
from app.cli.trust import CaFile
from app.web.syncing.members import result_members, source_members

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
def status(
    *,
    source: SourceOption = None,
    url: ServerOption = None,
    token: TokenOption = "",
    ca_file: CaFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Show where each source stands, why, since when, and what to do.

    With --json, one source is an object, several are a list `sources` of them.
    """
    if url:
        found = answered(get(url, of_source("/v1/sync", source), token, ca_file))["sources"]
    else:
        with open_existing_storage() as storage:
            known = stored_statuses(storage)
            wanted = {chosen([each.id for each in known], source)} if source else set()
            found = [source_members(each) for each in known if not wanted or each.id in wanted]
    if as_json:
        print_json(found[0] if len(found) == 1 else {"sources": found})
        return
    for number, members in enumerate(found):
        if len(found) > 1:
            _print_line("\nsource" if number else "source", members["id"], "bold")
        _print_status(members)


@group.command()
def suspend(
    reason: Reason,
    until: UntilOption = None,
    *,
    source: SourceOption = None,
    url: ServerOption = None,
    token: TokenOption = "",
    ca_file: CaFile = None,
) -> None:
    """Apply nothing by itself until it is resumed, or until a time."""
    end = moment_of(until)
    if url:
        body = {"reason": reason, "until": end}
        position = _asked(url, "suspend", source, token, body, ca_file)["position"]
    else:
        with open_existing_storage() as storage:
            followed = chosen_source(storage.settings, source)
            meta = cli_meta(reason)
            position = suspend_source(storage.ledger, followed, meta, until=end, now=utc_now())
    told = f"until {moment(end)}" if end else "until `hookledger sync resume`"
    console.print(f"{_named(source)} is suspended {told} (position {position}).")


@group.command(short_help="Follow the branch again after a suspension.")
def resume(
    reason: Reason = "",
    *,
    source: SourceOption = None,
    url: ServerOption = None,
    token: TokenOption = "",
    ca_file: CaFile = None,
) -> None:
    """Follow the branch again; a running server applies its tip at once."""
    if url:
        body = {"reason": reason}
        position = _asked(url, "resume", source, token, body, ca_file)["position"]
    else:
        with open_existing_storage() as storage:
            followed = chosen_source(storage.settings, source)
            position = resume_source(storage.ledger, followed, cli_meta(reason))
    console.print(f"{_named(source)} is followed again (position {position}).")


@group.command()
def approve(
    digest: Annotated[str, typer.Argument(help="Of the held plan; `sync status` shows it.")],
    reason: Reason = "",
    *,
    source: SourceOption = None,
    url: ServerOption = None,
    token: TokenOption = "",
    ca_file: CaFile = None,
) -> None:
    """Let the held plan be applied, if it is exactly this one.

    A running server applies it at once; without one, `hookledger sync --once` does.
    """
    if url:
        body = {"digest": digest, "reason": reason}
        print_result(_asked(url, "approve", source, token, body, ca_file), as_json=False)
        return
    with open_existing_storage() as storage:
        followed = chosen_source(storage.settings, source)
        position = approve_plan(storage.ledger, followed, digest, cli_meta(reason))
    console.print(
        f"Plan {digest[:12]} is approved (position {position}). A running server applies it at "
        "once; without one, `hookledger sync --once` does."
    )


@group.command(short_help="Put a former commit in force again, whole.")
def rollback(
    commit: Annotated[str, typer.Argument(help="A commit, branch or tag that was in force.")],
    reason: Reason,
    *,
    source: SourceOption = None,
    url: ServerOption = None,
    token: TokenOption = "",
    ca_file: CaFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Put a formerly applied commit in force again, whole, and skip the bad one.

    The branch is still followed: its next new commit is applied as always.
    """

    async def run() -> SyncResult:
        with open_existing_storage() as storage:
            async with open_engine(storage) as engine:
                return await engine.sources.one(source).roll_back(commit, cli_meta(reason))

    if url:
        body = {"commit": commit, "reason": reason}
        result = _asked(url, "rollback", source, token, body, ca_file)
    else:
        result = result_members(asyncio.run(run()))
    print_result(result, as_json=as_json)


def _asked(
    url: str,
    act: str,
    source: str | None,
    token: str,
    body: Mapping[str, Any],
    ca_file: Path | None,
) -> dict[str, Any]:
    """Have the server do it; return what it answers."""
    path = of_source(f"/v1/sync/{act}", source)
    done: dict[str, Any] = answered(post(url, path, token, orjson.dumps(body), ca_file))
    return done


def _named(source: str | None) -> str:
    return f"Source `{source}`" if source is not None else "The source"


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
