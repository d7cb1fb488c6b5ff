"""JSON Schemas of what the journal answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from app.application.journal_views import AccessKind
from app.domain.outcomes import OutcomeKind
from app.web.schemas.parts import (
    COMMIT,
    COUNT,
    FLAG,
    NUMBER,
    PAGES,
    POSITION,
    TEXT,
    TIME,
    Schema,
    list_of,
    object_of,
    or_null,
    reference,
    words,
)

_SHARE = NUMBER | {"maximum": 1}
_TALLY: dict[str, Schema] = {
    "runs": COUNT,
    "outcomes": {"type": "object", "additionalProperties": COUNT},
    "error_rate": _SHARE | {"description": "Share that did not succeed."},
    "failure_rate": _SHARE | {"description": "Share in which the platform failed."},
    "total_ms": reference("Latency"),
    "ran_ms": reference("Latency"),
}

JOURNAL_SCHEMAS: Mapping[str, Schema] = {
    "Invocations": object_of({"invocations": list_of(reference("Invocation")), **PAGES}),
    "Invocation": object_of(
        {
            "invocation_id": TEXT,
            "at": TIME,
            "trigger": TEXT,
            "hook_id": or_null(TEXT),
            "hook_name": or_null(TEXT),
            "commit": COMMIT,
            "position": POSITION,
            "caller": TEXT | {"description": "Id of a client, or `queue`."},
            "kind": words(OutcomeKind),
            "error_class": or_null(TEXT | {"description": "Name of the error the hook raised."}),
            "error": or_null(TEXT),
            "queued_ms": NUMBER,
            "ran_ms": NUMBER,
            "total_ms": NUMBER,
            "request_bytes": COUNT,
            "response_bytes": COUNT,
        }
    ),
    "InvocationDetail": object_of(
        {
            "invocation_id": TEXT,
            "runs": list_of(reference("Invocation"))
            | {"description": "More than one in a chain, and after failed attempts."},
            "lines": list_of(reference("Line")),
            "earlier_lines": FLAG | {"description": "Whether there are more in `/v1/logs`."},
            "recorded": FLAG | {"description": "Whether payload and result are at `/recording`."},
        }
    ),
    "Recordings": object_of(
        {
            "recordings": list_of(
                object_of(
                    {
                        "hook_id": or_null(TEXT),
                        "at": TIME,
                        "payload": {"description": "Masked; null if it was left out."},
                        "result": {"description": "The result, or the error's members; masked."},
                        "masked": list_of(TEXT)
                        | {"description": "The trigger's rules, beside those that always hold."},
                        "left_out": or_null(TEXT),
                    }
                )
            )
        }
    ),
    "Latency": object_of(dict.fromkeys(("p50", "p95", "p99"), or_null(NUMBER))),
    "InvocationStats": object_of(
        {
            "since": TIME,
            "until": TIME,
            "width_seconds": COUNT | {"description": "Of the series: 60 or 3,600."},
            "overall": object_of(_TALLY),
            "hooks": list_of(
                object_of(
                    {
                        "trigger": TEXT,
                        "hook_id": or_null(TEXT),
                        "hook_name": or_null(TEXT),
                        "commit": COMMIT,
                        **_TALLY,
                    }
                )
            ),
            "series": list_of(object_of({"at": TIME, **_TALLY})),
        }
    ),
    "Accesses": object_of({"accesses": list_of(reference("Access")), **PAGES}),
    "Access": object_of(
        {
            "kind": words(get_args(AccessKind)),
            "client": or_null(TEXT | {"description": "Id; null if not known."}),
            "address": or_null(TEXT | {"description": "`*`: too many to tell apart."}),
            "route": or_null(TEXT),
            "reason": or_null(TEXT),
            "subject": or_null(TEXT),
            "count": COUNT,
            "first_at": TIME,
            "last_at": TIME,
        }
    ),
}
"""By name."""
