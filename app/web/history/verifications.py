"""Verifying the history over HTTP: begin, watch, read the outcome."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.responses import Response

from app.application.history.verifications import Verification, VerificationRun
from app.domain.errors import NotFound
from app.web.protocol.endpoints import JSON, Answered, Endpoint, Inquiry, Operation, json_answer


async def begin(inquiry: Inquiry) -> Response:
    """Begin to verify, or answer the run that goes on."""
    actor = f"client:{inquiry.client.id}" if inquiry.client is not None else "client"
    inquiry.note("verified", "")
    run = await inquiry.services.read(partial(inquiry.services.verifications.start, actor))
    return json_answer(run_members(run), 202)


async def show(inquiry: Inquiry) -> Response:
    """Answer the run that goes on, or how the last one ended."""
    run = inquiry.services.verifications.latest
    if run is None:
        raise NotFound("Nothing was verified since the server started; POST here to begin.")
    return json_answer(run_members(run))


def run_members(run: VerificationRun) -> dict[str, Any]:
    """Choose what is shown of a run."""
    return {
        "actor": run.actor,
        "begun_at": run.begun_at,
        "ended_at": run.ended_at,
        "done": run.done,
        "total": max(run.total, run.done),
        "failure": run.failure,
        "outcome": None if run.found is None else outcome_members(run.found),
    }


def outcome_members(found: Verification) -> dict[str, Any]:
    """Choose what is shown of an outcome."""
    report = found.report
    return {
        "verdict": found.verdict,
        "events": report.events,
        "tree_size": report.tree_size,
        "first_bad_position": report.first_bad,
        "agreeing_checkpoints": report.agreeing,
        "signed_size": report.newest_agreeing.size if report.newest_agreeing else None,
        "messages": [*report.messages, *found.refused],
        "warnings": found.warnings,
    }


def _operation(method: str, name: str, summary: str, description: str, status: int) -> Operation:
    return Operation(
        id=name,
        method="POST" if method == "POST" else "GET",
        path="/v1/audit/verification",
        summary=summary,
        description=description,
        group="Audit",
        scope="read:audit",
        answers={status: Answered("The run.", {JSON: "VerificationRun"})},
        problems=("not-found",) if method == "GET" else (),
    )


ENDPOINTS = (
    Endpoint(
        _operation(
            "GET",
            "showVerification",
            "Show the verification that goes on, or the last one",
            "`ended_at` is null while it goes on. Forgotten when the server ends.",
            200,
        ),
        show,
    ),
    Endpoint(
        _operation(
            "POST",
            "verifyHistory",
            "Verify the whole history",
            "Reads every stored event anew and compares it with the tree and every checkpoint, as "
            "`hookledger audit verify` does. One at a time: while one goes on, it is answered.",
            202,
        ),
        begin,
    ),
)
