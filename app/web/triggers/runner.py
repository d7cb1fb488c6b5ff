"""The runner: try a draft, or a saved hook, with a payload; nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import orjson
from starlette.responses import Response

from app.application.invoking.envelopes import parse_json
from app.application.invoking.run_draft import Draft, DraftResult
from app.domain.errors import NotFound, Problem, Rejected
from app.domain.outcomes import Language, LogLine
from app.domain.triggers.definitions import MAX_TIMEOUT_MS, MIN_TIMEOUT_MS
from app.domain.triggers.repository_settings import DEFAULT_TIMEOUT_MS
from app.web.protocol.endpoints import JSON, Answered, Endpoint, Inquiry, Operation, json_answer
from app.web.protocol.parameters import path_parameter

_SCOPE = "run:hooks"
_LANGUAGES: tuple[Language, ...] = get_args(Language)
_DRAFT = ("language", "script", "payload", "secrets", "headers", "dependencies", "timeout_ms")
_SAVED = ("payload", "headers")


async def run_draft(inquiry: Inquiry) -> Response:
    """Run a script that is not stored."""
    members, problems = _members(inquiry.body, _DRAFT, required=("language", "script", "payload"))
    if "language" in members and members["language"] not in _LANGUAGES:
        problems.append(Problem(f"must be {' or '.join(_LANGUAGES)}", key="language"))
    if "script" in members and not isinstance(members["script"], str):
        problems.append(Problem("must be a string", key="script"))
    timeout_ms = members.get("timeout_ms", DEFAULT_TIMEOUT_MS)
    if type(timeout_ms) is not int or not MIN_TIMEOUT_MS <= timeout_ms <= MAX_TIMEOUT_MS:
        message = f"must be a whole number from {MIN_TIMEOUT_MS} to {MAX_TIMEOUT_MS}"
        problems.append(Problem(message, key="timeout_ms"))
    _refuse(problems)
    result = await inquiry.services.drafts.run_draft(
        Draft(
            trigger=inquiry.path["trigger"],
            language=members["language"],
            script=members["script"],
            payload=members["payload"],
            secrets=members.get("secrets") or {},
            headers=members.get("headers") or {},
            dependencies=members.get("dependencies") or {},
            timeout_ms=timeout_ms,
        )
    )
    return json_answer(result_members(result))


async def run_hook(inquiry: Inquiry) -> Response:
    """Run a stored hook with its own secrets, enabled or not."""
    hook = inquiry.table.find_hook(inquiry.path["id"])
    if hook is None:
        raise NotFound(f"There is no hook `{inquiry.path['id']}` now.")
    members, problems = _members(inquiry.body, _SAVED, required=("payload",))
    _refuse(problems)
    result = await inquiry.services.drafts.run_saved(
        hook, members["payload"], members.get("headers") or {}
    )
    return json_answer(result_members(result))


def result_members(result: DraftResult) -> dict[str, Any]:
    """Choose what is shown of a run."""
    outcome = result.outcome
    return {
        "outcome": str(outcome.kind),
        "detail": outcome.detail or None,
        "result": None if result.envelope is None else orjson.loads(result.envelope),
        "effects": result.effects,
        "skipped": result.skipped,
        "logs": [line_members(line) for line in result.logs],
        "duration_ms": round(result.seconds * 1000, 3),
    }


def line_members(line: LogLine) -> dict[str, Any]:
    """Choose what is shown of a log line that belongs to an answer."""
    return {"at": line.at, "level": line.level, "stream": line.stream, "text": line.text}


def _members(
    body: bytes, known: tuple[str, ...], *, required: tuple[str, ...]
) -> tuple[Mapping[str, Any], list[Problem]]:
    members = parse_json(body)
    if not isinstance(members, dict):
        raise Rejected(f"The body must be a JSON object with: {', '.join(known)}.")
    problems = [
        Problem(f"unknown member; known are: {', '.join(known)}", key=key)
        for key in sorted(members.keys() - set(known))
    ]
    problems += [Problem("is missing", key=key) for key in required if key not in members]
    for key in ("secrets", "headers", "dependencies"):
        values = members.get(key) or {}
        if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
            problems.append(Problem("must be an object of strings", key=key))
    return members, problems


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise Rejected("Nothing was run.", problems=problems)


ENDPOINTS = (
    Endpoint(
        Operation(
            id="runDraft",
            method="POST",
            path="/v1/triggers/{trigger}/run",
            summary="Run a draft",
            description=(
                "Compiles and runs the script as if it were the trigger's hook: same isolation, "
                "same payload checks, same effects. Nothing is stored, and no secret but those "
                "in the body is given to it."
            ),
            group="Runner",
            scope=_SCOPE,
            parameters=(path_parameter("trigger", "Id of the trigger."),),
            body="Draft",
            body_required=True,
            answers={200: Answered("What came of it.", {JSON: "DraftResult"})},
            problems=("not-found", "stalled"),
        ),
        run_draft,
    ),
    Endpoint(
        Operation(
            id="runHook",
            method="POST",
            path="/v1/hooks/{id}/run",
            summary="Run a saved hook",
            description=(
                "Runs the hook as it is, enabled or not, with its own secrets; what it does "
                "elsewhere, it does. No execution record is written."
            ),
            group="Runner",
            scope=_SCOPE,
            parameters=(path_parameter("id", "Name of a hook, or its id (a ULID)."),),
            body="SavedRun",
            body_required=True,
            answers={200: Answered("What came of it.", {JSON: "DraftResult"})},
            problems=("not-found", "stalled"),
        ),
        run_hook,
    ),
)
