"""``hookledger sync`` and ``plan``: from a repository to hooks in force."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import orjson
import typer

from app.application.syncing.preview_plan import Preview
from app.application.syncing.results import SyncResult, SyncStatus
from app.bootstrap.engine import open_engine
from app.bootstrap.storage import open_storage
from app.cli.connection import (
    ServerOption,
    SourceOption,
    TokenOption,
    answered,
    of_source,
    post,
)
from app.cli.output import JsonFlag, console, print_json
from app.cli.plans import print_changes, print_preview
from app.cli.sync_progress import SyncProgress
from app.cli.trust import CaFile
from app.web.syncing.members import preview_members, result_members

NOT_IN_FORCE = 3
"""Exit code of a sync that found nothing wrong, but did not put the commit in force."""


def sync(
    context: typer.Context,
    *,
    once: Annotated[bool, typer.Option("--once", help="Apply the branch's tip and stop.")] = False,
    source: SourceOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Apply the followed branch: the whole commit or nothing of it.

    Without --once, go on following all sources, or one, until interrupted. A refused commit is
    recorded with its reasons, and ends --once with exit code 1; one that is held, skipped or met by
    a suspension, with 3.
    """
    if context.invoked_subcommand is not None:
        if once or source is not None or as_json:
            raise typer.BadParameter("options come after the command's name")
        return

    async def run() -> SyncResult:
        with open_storage() as storage:
            bar = SyncProgress(shown=once)
            opening = open_engine(storage, on_install=bar.installing, on_stage=bar.begin)
            async with opening as engine:
                if once:
                    with bar:
                        return await engine.sources.one(source).sync()
                followed = [engine.sources.one(source)] if source else engine.sources.all
                listed = ", ".join(each.settings.location for each in followed)
                console.print(f"Following {listed} (interrupt to stop).")
                await asyncio.gather(*(each.follow() for each in followed))
                raise AssertionError("watchers run until they are cancelled")

    print_result(result_members(asyncio.run(run())), as_json=as_json)


def plan(
    ref: Annotated[
        str | None,
        typer.Argument(
            help="Branch, tag, commit or pull/<number>/head; default: the branch's tip."
        ),
    ] = None,
    *,
    source: SourceOption = None,
    url: ServerOption = None,
    token: TokenOption = "",
    ca_file: CaFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what a commit would change, and change nothing.

    Exit code 0: nothing would change; 2: something would; 1: the commit would be refused, or the
    plan cannot be made.
    """
    with console.status("Planning …"):
        if url:
            path, body = of_source("/v1/sync/plan", source), orjson.dumps({"ref": ref})
            planned = answered(post(url, path, token, body, ca_file))
        else:
            planned = _planned(ref, source)
    if as_json:
        print_json(planned)
    else:
        print_preview(planned)
    raise typer.Exit(2 if planned["changes"] or planned["secrets"] else 0)


def print_result(result: Mapping[str, Any], *, as_json: bool) -> None:
    """Print how a run ended, as ``result_members`` has it; end with its exit code."""
    commit, status = result["commit"][:12], SyncStatus(result["status"])
    if as_json:
        print_json({name: result[name] for name in ("status", "commit", "position")})
    elif status is SyncStatus.APPLIED:
        console.print(f"Commit {commit} is in force (position {result['position']}).")
        if result["plan"] is not None:
            print_changes(result["plan"]["changes"])
    else:
        said = {
            SyncStatus.UNCHANGED: "is in force already.",
            SyncStatus.HELD: "is held; `hookledger sync status` says why, and how to approve it.",
            SyncStatus.SKIPPED: "is skipped since a rollback; the next new commit is applied.",
            SyncStatus.SUSPENDED: "waits: the source is suspended (`hookledger sync status`).",
        }
        console.print(f"Commit {commit} {said[status]}")
    if not status.is_in_force:
        raise typer.Exit(NOT_IN_FORCE)


def _planned(ref: str | None, source: str | None) -> Mapping[str, Any]:
    async def run() -> Preview:
        with open_storage() as storage:
            async with open_engine(storage) as engine:
                return await engine.sources.one(source).preview(ref)

    return preview_members(asyncio.run(run()))
