"""One invocation with all that is known of it, and many of them in figures."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import orjson
from starlette.responses import Response

from app.application.journal_views import (
    ExecutionQuery,
    Latency,
    LogQuery,
    Recording,
    Stats,
    StatsQuery,
    Tally,
)
from app.domain.errors import NotFound
from app.web.observing.journal import line_members, record_members
from app.web.protocol.endpoints import JSON, Answered, Endpoint, Inquiry, Operation, json_answer
from app.web.protocol.parameters import SINCE, UNTIL, path_parameter, text

SHOWN_RUNS = 100
SHOWN_LINES = 500
DEFAULT_WINDOW = timedelta(hours=1)


async def show_invocation(inquiry: Inquiry) -> Response:
    """Answer every run of an invocation, the hooks of a chain and attempts alike, and its lines."""
    invocation_id, journal = inquiry.path["id"], inquiry.services.journal

    def ask() -> dict[str, Any] | None:
        runs = journal.executions(
            ExecutionQuery(invocation_id=invocation_id), cursor=None, limit=SHOWN_RUNS
        )
        lines = journal.lines(LogQuery(invocation_id=invocation_id), cursor=None, limit=SHOWN_LINES)
        if not runs.items and not lines.items:
            return None
        return {
            "invocation_id": invocation_id,
            "runs": [record_members(record) for record in reversed(runs.items)],
            "lines": [line_members(line) for line in reversed(lines.items)],
            "earlier_lines": lines.next is not None,
            "recorded": journal.is_recorded(invocation_id),
        }

    found = await inquiry.services.read(ask)
    if found is None:
        raise unknown_invocation(invocation_id)
    return json_answer(found)


async def show_recordings(inquiry: Inquiry) -> Response:
    """Answer payloads and results, decrypted; that it was asked for is on record before."""
    invocation_id = inquiry.path["id"]
    inquiry.note("payload_read", f"invocation:{invocation_id}"[:100])
    found = await inquiry.services.read(partial(inquiry.services.journal.recordings, invocation_id))
    if not found:
        raise NotFound(
            f"Nothing was recorded of an invocation `{invocation_id}`: its trigger may not say"
            ' `record = "masked"`, or it is past its time.'
        )
    return json_answer({"recordings": [_recording(each) for each in found]})


async def show_stats(inquiry: Inquiry) -> Response:
    """Answer counts and percentiles of a window."""
    values, services = inquiry.values, inquiry.services
    until = values["until"] or services.clock()
    query = StatsQuery(
        since=values["since"] or until - DEFAULT_WINDOW,
        until=until,
        trigger=values["trigger"],
        hook=values["hook"],
        commit=values["commit"],
    )
    return json_answer(stats_members(await services.read(partial(services.journal.stats, query))))


def stats_members(stats: Stats) -> dict[str, Any]:
    """Choose what is shown of statistics."""
    return {
        "since": stats.since,
        "until": stats.until,
        "width_seconds": stats.width_seconds,
        "overall": _tally(stats.overall),
        "hooks": [
            {
                "trigger": group.trigger,
                "hook_id": group.hook_id,
                "hook_name": group.hook_name,
                "commit": group.commit,
                **_tally(group.tally),
            }
            for group in stats.groups
        ],
        "series": [{"at": point.at, **_tally(point.tally)} for point in stats.series],
    }


def _tally(tally: Tally) -> dict[str, Any]:
    return {
        "runs": tally.runs,
        "outcomes": {kind.value: count for kind, count in tally.outcomes.items()},
        "error_rate": round(tally.error_rate, 6),
        "failure_rate": round(tally.failure_rate, 6),
        "total_ms": _latency(tally.total),
        "ran_ms": _latency(tally.ran),
    }


def _latency(latency: Latency) -> dict[str, float | None]:
    return {"p50": latency.p50, "p95": latency.p95, "p99": latency.p99}


def _recording(recording: Recording) -> dict[str, Any]:
    content = recording.content
    return {
        "hook_id": recording.hook_id,
        "at": recording.at,
        "payload": None if content.payload is None else orjson.Fragment(content.payload),
        "result": None if content.result is None else orjson.Fragment(content.result),
        "masked": content.masked,
        "left_out": content.left_out,
    }


def unknown_invocation(invocation_id: str) -> NotFound:
    """Say that nothing is known of an invocation, and why that may be."""
    return NotFound(
        f"No invocation `{invocation_id}` is recorded: it may be past its time, or wait for its"
        " first attempt."
    )


_ID = path_parameter("id", "Id of an invocation, from `Hookledger-Invocation`.")

ENDPOINTS = (
    Endpoint(
        Operation(
            id="showInvocationStats",
            method="GET",
            path="/v1/invocations/stats",
            summary="Show how many runs ended how, and how long they took",
            description=(
                "By hook and commit, and as a series: by the minute, or by the hour if the window "
                "is longer than six hours. Percentiles are within 3.2 %. Without `since` the "
                "window is the last hour."
            ),
            group="Journal",
            scope="read:invocations",
            parameters=(
                text("trigger", "Id of a trigger."),
                text("hook", "Id of a hook, or a name it had."),
                text(
                    "commit", "The commit that ran: its id, or 7 digits or more of its beginning."
                ),
                SINCE,
                UNTIL,
            ),
            answers={200: Answered("The figures.", {JSON: "InvocationStats"})},
        ),
        show_stats,
    ),
    Endpoint(
        Operation(
            id="showInvocation",
            method="GET",
            path="/v1/invocations/{id}",
            summary="Show an invocation: every run, and its log lines",
            description="In order of time; of the lines, the last 500.",
            group="Journal",
            scope="read:invocations",
            parameters=(_ID,),
            answers={200: Answered("The invocation.", {JSON: "InvocationDetail"})},
            problems=("not-found",),
        ),
        show_invocation,
    ),
    Endpoint(
        Operation(
            id="showRecordings",
            method="GET",
            path="/v1/invocations/{id}/recording",
            summary="Show payload and result of an invocation, if its trigger has them recorded",
            description="Masked, as they were stored. Each look is noted in `GET /v1/access`.",
            group="Journal",
            scope="read:payloads",
            parameters=(_ID,),
            answers={200: Answered("Payload and result of each run.", {JSON: "Recordings"})},
            problems=("not-found", "stalled"),
        ),
        show_recordings,
    ),
)
