"""JSON Schemas of the answers about the past: events, counts and comparisons."""

from __future__ import annotations

from collections.abc import Mapping

from app.application.history.table_diff import HookChange
from app.web.schemas.parts import (
    COMMIT,
    COUNT,
    NEXT,
    OBJECT,
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

_EVENT = object_of(
    {
        "position": POSITION,
        "at": TIME,
        "type": TEXT | {"description": "E.g. `hook.script_changed`."},
        "actor": TEXT,
        "origin": TEXT | {"description": "git, api, dashboard, cli or system."},
        "subject": TEXT | {"description": "Stream of the event, e.g. `hook:<id>`."},
        "hook": or_null(TEXT),
        "hook_name": or_null(TEXT | {"description": "The hook's name when it happened."}),
        "trigger": or_null(TEXT),
        "source": or_null(TEXT),
        "commit": COMMIT,
        "signer": or_null(
            object_of({}, optional={"principal": TEXT, "fingerprint": TEXT})
            | {"description": "Who verifiably signed the commit."}
        ),
        "correlation_id": or_null(TEXT),
        "reason": or_null(TEXT),
        "data": OBJECT | {"description": "Members of the event; of scripts, digest and size."},
    }
)
_FIELDS = list_of(
    object_of(
        {
            "field": TEXT | {"description": "E.g. `enabled`, `settings.timeout_ms`."},
            "from": {"description": "Null if it was not there."},
            "to": {"description": "Null if it is gone."},
        }
    )
)
_ROW_DIFF = object_of({"id": TEXT, "fields": _FIELDS})

HISTORY_SCHEMAS: Mapping[str, Schema] = {
    "Events": object_of({"events": list_of(reference("Event")), **PAGES}),
    "Event": _EVENT,
    "EventLine": reference("Event") | {"description": "One event a line."},
    "EventExport": object_of({"events": list_of(reference("Event"))}),
    "EventCounts": object_of(
        {
            "by": words(("type", "day")),
            "counts": {"type": "object", "additionalProperties": COUNT},
            "total": COUNT,
            "complete_from": COUNT
            | {"description": "Position from which on all is counted; 0: everything is."},
            "position": POSITION,
        }
    ),
    "Secrets": object_of(
        {
            "secrets": list_of(
                object_of(
                    {"name": TEXT, "version": TEXT | {"description": "Another for each value."}}
                )
            ),
            "position": POSITION,
        }
    ),
    "Diff": object_of(
        {
            "from": POSITION,
            "to": POSITION,
            "hooks": list_of(
                object_of(
                    {
                        "id": TEXT,
                        "name": TEXT,
                        "trigger": TEXT,
                        "change": words(HookChange),
                        "fields": _FIELDS,
                        "script": or_null(TEXT | {"description": "A unified diff."}),
                    }
                )
            ),
            "triggers": list_of(_ROW_DIFF),
            "sources": list_of(_ROW_DIFF),
            "next": NEXT,
        }
    ),
}
