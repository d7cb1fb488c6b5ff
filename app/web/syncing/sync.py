"""GitOps over HTTP: where each source stands, sync it now, plan without changing anything."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace

from starlette.responses import Response

from app.application.invoking.invoke import MIN_POSITION_WAIT
from app.application.syncing.results import SyncResult
from app.domain.errors import NotFound, Rejected
from app.web.protocol.endpoints import JSON, Answered, Endpoint, Inquiry, Operation, json_answer
from app.web.protocol.errors import RevisionRefused
from app.web.syncing.members import preview_members, result_members, source_members
from app.web.syncing.requests import SOURCE, SyncRequest, source_of


async def show_sync(inquiry: Inquiry) -> Response:
    """Answer each source, or one, as an operator wants to see it."""
    asked = inquiry.values[SOURCE.name]
    statuses = inquiry.services.sync.statuses()
    if asked is not None and all(status.id != asked for status in statuses):
        raise NotFound(f"There is no source `{asked}`.")
    sources = [source_members(each) for each in statuses if asked in (None, each.id)]
    return json_answer({"sources": sources, "position": inquiry.table.position})


async def sync_now(inquiry: Inquiry) -> Response:
    """Apply the branch's tip; a refused commit is a problem that lists every reason."""
    SyncRequest(inquiry, known=())
    return await result_answer(inquiry, source_of(inquiry).sync())


async def plan(inquiry: Inquiry) -> Response:
    """Answer what applying a ref would change; nothing is changed."""
    asked = SyncRequest(inquiry, known=("ref",))
    ref = asked.ref("ref")
    asked.check()
    source = source_of(inquiry)
    try:
        preview = await source.preview(ref)
    except Rejected as refusal:
        raise RevisionRefused(refusal.message, problems=refusal.problems) from refusal
    return json_answer(preview_members(preview))


async def result_answer(inquiry: Inquiry, run: Awaitable[SyncResult]) -> Response:
    """Answer what a run did, once this server answers by it.

    A commit that is refused is not the caller's mistake.
    """
    try:
        result = await run
    except Rejected as refusal:
        raise RevisionRefused(refusal.message, problems=refusal.problems) from refusal
    await inquiry.services.hooks.wait_for(result.position, timeout=MIN_POSITION_WAIT)
    return json_answer(
        result_members(result), headers={"hookledger-position": str(result.position)}
    )


ENDPOINTS = (
    Endpoint(
        Operation(
            id="showSync",
            method="GET",
            path="/v1/sync",
            summary="Show where each source stands",
            description="State, health, what holds or hinders it, and what was done about it.",
            group="Sync",
            scope="read:sync",
            positioned=True,
            parameters=(replace(SOURCE, description="Id of the one to show; left out: all."),),
            answers={200: Answered("The sources.", {JSON: "Sources"}, ("Hookledger-Position",))},
            problems=("not-found",),
        ),
        show_sync,
    ),
    Endpoint(
        Operation(
            id="syncNow",
            method="POST",
            path="/v1/sync",
            summary="Apply the branch's tip now",
            description="Answers when it is in force or held, at that `Hookledger-Position`.",
            group="Sync",
            scope="update:sync",
            body="Nothing",
            positioned=True,
            repeatable=True,
            parameters=(SOURCE,),
            answers={
                200: Answered("What was done.", {JSON: "SyncResult"}, ("Hookledger-Position",))
            },
            problems=("not-found", "revision-rejected", "stalled", "transient"),
        ),
        sync_now,
    ),
    Endpoint(
        Operation(
            id="planSync",
            method="POST",
            path="/v1/sync/plan",
            summary="Say what applying a ref would change",
            description=(
                "Nothing is changed. Without a ref, the branch's tip is planned; a pull request is "
                "`pull/<number>/head`. Fixtures are run; packages are not installed."
            ),
            group="Sync",
            scope="plan:sync",
            other_scopes=("update:sync",),
            body="PlanRequest",
            positioned=True,
            parameters=(SOURCE,),
            answers={200: Answered("The plan.", {JSON: "Preview"}, ("Hookledger-Position",))},
            problems=("not-found", "revision-rejected", "stalled", "transient"),
        ),
        plan,
    ),
)
