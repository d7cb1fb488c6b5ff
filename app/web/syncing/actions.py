"""What a person may do about a source over HTTP: suspend, resume, approve, roll back."""

from __future__ import annotations

from starlette.responses import Response

from app.application.invoking.invoke import MIN_POSITION_WAIT
from app.domain.errors import Problem, Rejected
from app.domain.revisions import Position, is_digest
from app.web.protocol.endpoints import JSON, Answered, Endpoint, Inquiry, Operation, json_answer
from app.web.syncing.members import source_members
from app.web.syncing.requests import SOURCE, SyncRequest, source_of
from app.web.syncing.sync import result_answer


async def suspend(inquiry: Inquiry) -> Response:
    """Apply nothing by itself from now on."""
    asked = SyncRequest(inquiry, known=("reason", "until"))
    until, meta = asked.moment("until"), asked.meta()
    return await _shown(inquiry, await source_of(inquiry).suspend(until, meta))


async def resume(inquiry: Inquiry) -> Response:
    """Follow the branch again."""
    meta = SyncRequest(inquiry, known=("reason",)).meta()
    return await _shown(inquiry, await source_of(inquiry).resume(meta))


async def approve(inquiry: Inquiry) -> Response:
    """Let the held plan be applied, if it is the one that is named."""
    asked = SyncRequest(inquiry, known=("digest", "reason"))
    digest, meta = asked.text("digest"), asked.meta()
    if not is_digest(digest):
        problem = Problem("must be the digest of a plan: 64 hexadecimal digits", key="digest")
        raise Rejected("Nothing was approved.", problems=[problem])
    return await result_answer(inquiry, source_of(inquiry).approve(digest, meta))


async def roll_back(inquiry: Inquiry) -> Response:
    """Put a formerly applied commit in force again."""
    asked = SyncRequest(inquiry, known=("commit", "reason"))
    asked.text("commit")
    commit, meta = asked.ref("commit"), asked.meta()
    return await result_answer(inquiry, source_of(inquiry).roll_back(commit or "", meta))


async def _shown(inquiry: Inquiry, position: Position) -> Response:
    """Answer the sources as they are after what was done."""
    services = inquiry.services
    await services.hooks.wait_for(position, timeout=MIN_POSITION_WAIT)
    sources = [source_members(status) for status in services.sync.statuses()]
    return json_answer(
        {"sources": sources, "position": position},
        headers={"hookledger-position": str(position)},
    )


def _operation(
    name: str, path: str, summary: str, description: str, answered: Answered, *problems: str
) -> Operation:
    return Operation(
        id=name,
        method="POST",
        path=f"/v1/sync/{path}",
        summary=summary,
        description=description,
        group="Sync",
        scope="control:sync",
        body=f"{path.capitalize()}Request",
        body_required=True,
        positioned=True,
        repeatable=True,
        parameters=(SOURCE,),
        answers={200: answered},
        problems=("not-found", *problems),
    )


_POSITION = ("Hookledger-Position",)
_SOURCES = Answered("Every source, after it.", {JSON: "Sources"}, _POSITION)
_RESULT = Answered("What was done.", {JSON: "SyncResult"}, _POSITION)
_RUN = ("revision-rejected", "stalled", "transient")

ENDPOINTS = (
    Endpoint(
        _operation(
            "suspendSync",
            "suspend",
            "Apply nothing by itself",
            "Until `until`, or until it is resumed. Doing it twice changes nothing.",
            _SOURCES,
        ),
        suspend,
    ),
    Endpoint(
        _operation(
            "resumeSync",
            "resume",
            "Follow the branch again",
            "Its tip is applied soon after; `POST /v1/sync` does it now.",
            _SOURCES,
        ),
        resume,
    ),
    Endpoint(
        _operation(
            "approveSync",
            "approve",
            "Apply the plan that is held",
            "By its digest, so that nobody approves what they have not seen.",
            _RESULT,
            "conflict",
            *_RUN,
        ),
        approve,
    ),
    Endpoint(
        _operation(
            "rollbackSync",
            "rollback",
            "Go back to a commit that was in force",
            "What is in force and the branch's tip are skipped; the next new commit is applied.",
            _RESULT,
            "conflict",
            *_RUN,
        ),
        roll_back,
    ),
)
