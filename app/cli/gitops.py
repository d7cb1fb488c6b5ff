"""``hookledger sync`` and ``plan``: from a repository to hooks in force."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from app.application.preview_plan import Preview
from app.application.sync_results import SyncResult, SyncStatus
from app.bootstrap.engine import open_engine
from app.bootstrap.storage import open_storage
from app.cli.connection import TokenOption, post
from app.cli.output import JsonFlag, console, print_json, telling
from app.cli.plans import print_changes, print_preview
from app.domain.errors import HookledgerError, Problem, Rejected
from app.web.sync_members import preview_members

NOT_IN_FORCE = 3
"""Exit code of a sync that found nothing wrong, but did not put the commit in force."""


def sync(
    context: typer.Context,
    *,
    once: Annotated[bool, typer.Option("--once", help="Apply the branch's tip and stop.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Apply the followed branch: the whole commit or nothing of it.

    Without --once, go on following until interrupted. A refused commit is recorded with its
    reasons, and ends --once with exit code 1; one that is held, skipped or met by a suspension,
    with 3.
    """
    if context.invoked_subcommand is not None:
        return

    async def run() -> SyncResult:
        with open_storage() as storage:
            status = console.status("Reading and applying the commit …")
            async with open_engine(storage, on_install=telling(status)) as engine:
                if once:
                    with status:
                        return await engine.reconciler.sync()
                console.print(f"Following {engine.source.location} (interrupt to stop).")
                await engine.follow()
                raise AssertionError("the watcher runs until it is cancelled")

    print_result(asyncio.run(run()), as_json=as_json)


def plan(
    ref: Annotated[
        str | None,
        typer.Argument(
            help="Branch, tag, commit or pull/<number>/head; default: the branch's tip."
        ),
    ] = None,
    *,
    url: Annotated[
        str | None,
        typer.Option(
            envvar="HOOKLEDGER_URL", help="Ask the server there, instead of reading its data."
        ),
    ] = None,
    token: TokenOption = "",
    ca_file: Annotated[
        Path | None,
        typer.Option(envvar="HOOKLEDGER_CA_FILE", help="Certificates to trust, as PEM."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what a commit would change, and change nothing.

    Exit code 0: nothing would change; 2: something would; 1: the commit would be refused, or the
    plan cannot be made.
    """
    with console.status("Planning …"):
        planned = _asked(url, token, ref, ca_file) if url else _planned(ref)
    if as_json:
        print_json(planned)
    else:
        print_preview(planned)
    raise typer.Exit(2 if planned["changes"] or planned["secrets"] else 0)


def print_result(result: SyncResult, *, as_json: bool) -> None:
    """Print how a run ended; end with its exit code."""
    commit = result.commit[:12]
    if as_json:
        print_json({"status": result.status, "commit": result.commit, "position": result.position})
    elif result.status is SyncStatus.APPLIED:
        console.print(f"Commit {commit} is in force (position {result.position}).")
        if result.plan is not None:
            print_changes([change.described() for change in result.plan.changes])
    else:
        said = {
            SyncStatus.UNCHANGED: "is in force already.",
            SyncStatus.HELD: "is held; `hookledger sync status` says why, and how to approve it.",
            SyncStatus.SKIPPED: "is skipped since a rollback; the next new commit is applied.",
            SyncStatus.SUSPENDED: "waits: the source is suspended (`hookledger sync status`).",
        }
        console.print(f"Commit {commit} {said[result.status]}")
    if not result.status.is_in_force:
        raise typer.Exit(NOT_IN_FORCE)


def _planned(ref: str | None) -> Mapping[str, Any]:
    async def run() -> Preview:
        with open_storage() as storage:
            async with open_engine(storage) as engine:
                return await engine.reconciler.preview(ref)

    return preview_members(asyncio.run(run()))


def _asked(url: str, token: str, ref: str | None, ca_file: Path | None) -> Mapping[str, Any]:
    answer = post(url, "/v1/sync/plan", token, orjson.dumps({"ref": ref}), ca_file)
    try:
        document = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise HookledgerError(f"{url} answered {answer.status_code}, but nothing of ours.")
    if answer.is_success:
        return document
    problems = [
        Problem(**{member: told.get(member) for member in ("message", "file", "line", "key")})
        for told in document.get("problems", ())
    ]
    raise Rejected(f"{document.get('detail')} {document.get('remedy')}", problems=problems)
