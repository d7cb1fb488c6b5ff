"""JSON Schemas of every request and answer, as the OpenAPI document holds them.

Members are all listed as required where they are always there. More may come in later versions,
so nothing says that there are no others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from app.application.reconcile import SyncStatus
from app.application.status import SyncState
from app.domain.outcomes import Language, Level, OutcomeKind
from app.domain.plans import ChangeKind
from app.web.oauth_schemas import OAUTH_SCHEMAS

Schema = dict[str, Any]


def reference(name: str) -> Schema:
    """Refer to a schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def or_null(schema: Schema) -> Schema:
    """Allow null beside a schema."""
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def _object(properties: dict[str, Schema], *, optional: dict[str, Schema] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**properties, **(optional or {})},
        "required": list(properties),
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _words(values: Iterable[str]) -> Schema:
    return {"type": "string", "enum": [str(value) for value in values]}


_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_NUMBER: Schema = {"type": "number", "minimum": 0}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_TIME: Schema = {"type": "string", "format": "date-time"}
_OBJECT: Schema = {"type": "object"}
_NEXT = or_null(_TEXT | {"description": "Give it as `cursor` to continue; null at the end."})
_POSITION: Schema = _COUNT | {"description": "Place of an event in the store, from 1 on."}
_COMMIT = or_null(_TEXT | {"description": "Id of a git commit."})

_HOOK: dict[str, Schema] = {
    "id": _TEXT | {"description": "A ULID."},
    "name": _TEXT,
    "trigger": _TEXT,
    "owner": _TEXT | {"description": "`source:<id>`, or `api`."},
    "path": or_null(_TEXT | {"description": "Folder in the source."}),
    "language": _words(get_args(Language)),
    "enabled": _FLAG | {"description": "Whether the trigger runs it."},
    "break_glass": _FLAG | {"description": "Whether an operator disabled it against git."},
    "digest": _TEXT | {"description": "SHA-256 of script, dependencies and settings."},
    "dependencies": {"type": "object", "additionalProperties": _TEXT},
    "settings": _OBJECT | {"description": "As in `hook.toml`: order, timeout_ms, network, …"},
    "secrets": _list(_TEXT) | {"description": "Names; values are shown nowhere."},
    "commit": _COMMIT,
    "position": _POSITION,
    "version_key": _TEXT | {"description": "Changes whenever what runs does."},
    "created_at": _TIME,
    "updated_at": _TIME,
}

_COMPLAINT = _object(
    {
        "message": _TEXT,
        "file": or_null(_TEXT),
        "line": or_null(_COUNT),
        "key": or_null(_TEXT | {"description": "Parameter, header or member concerned."}),
    }
)

_LINE: dict[str, Schema] = {
    "at": _TIME,
    "level": _words(get_args(Level)),
    "stream": _words(("stdout", "stderr", "log")),
    "text": _TEXT,
}

_EVENT = _object(
    {
        "position": _POSITION,
        "at": _TIME,
        "type": _TEXT | {"description": "E.g. `hook.script_changed`."},
        "actor": _TEXT,
        "origin": _TEXT | {"description": "git, api, dashboard, cli or system."},
        "subject": _TEXT | {"description": "Stream of the event, e.g. `hook:<id>`."},
        "hook": or_null(_TEXT),
        "hook_name": or_null(_TEXT | {"description": "The hook's name when it happened."}),
        "trigger": or_null(_TEXT),
        "source": or_null(_TEXT),
        "commit": _COMMIT,
        "correlation_id": or_null(_TEXT),
        "reason": or_null(_TEXT),
        "data": _OBJECT | {"description": "Members of the event; of scripts, digest and size."},
    }
)

SCHEMAS: Mapping[str, Schema] = {
    "Text": _TEXT,
    "Table": _TEXT | {"description": "Records (RFC 4180) under a head of the event's members."},
    "Document": _OBJECT,
    "Nothing": {"type": "object", "maxProperties": 0},
    "Payload": {"description": "What the trigger expects; `GET /v1/triggers` has an example."},
    "Index": _object(
        dict.fromkeys(("name", "version", "documentation", "health", "readiness", "metrics"), _TEXT)
    ),
    "Health": _object({"status": _words(("ok",))}),
    "Readiness": _object(
        {
            "ready": _FLAG,
            "checks": _list(_object({"name": _TEXT, "ok": _FLAG, "detail": _TEXT})),
        }
    ),
    "ProblemType": _object({"type": _TEXT, "title": _TEXT, "status": _COUNT, "remedy": _TEXT}),
    "Envelope": {
        "oneOf": [
            _object(
                {
                    "statusCode": {"const": 200},
                    "headers": _OBJECT,
                    "status": {"const": "success"},
                    "effects": _OBJECT | {"description": "What the caller is to honour."},
                },
                optional={"data": {"description": "What the hook returned, if anything."}},
            ),
            _object(
                {
                    "status": {"const": "error"},
                    "data": _OBJECT
                    | {"description": "Members of the hook's error; `message` above all."},
                }
            ),
        ]
    },
    "Accepted": _object({"invocation_id": _TEXT, "status": {"const": "accepted"}}),
    "Triggers": _object({"triggers": _list(reference("Trigger")), "position": _POSITION}),
    "Trigger": _object(
        {
            "id": _TEXT,
            "title": _TEXT,
            "purpose": _TEXT,
            "blocking": _FLAG | {"description": "Whether the caller waits for the result."},
            "parameters": _list(_TEXT),
            "example": _OBJECT | {"description": "A payload."},
            "enabled_hooks": _list(_TEXT) | {"description": "Ids, in order."},
            "position": _POSITION,
        }
    ),
    "Hooks": _object({"hooks": _list(reference("Hook")), "position": _POSITION, "next": _NEXT}),
    "Hook": _object(_HOOK),
    "HookWithScript": _object({**_HOOK, "script": _TEXT}),
    "Events": _object({"events": _list(reference("Event")), "next": _NEXT}),
    "Event": _EVENT,
    "EventLine": reference("Event") | {"description": "One event a line."},
    "Sources": _object({"sources": _list(reference("Source")), "position": _POSITION}),
    "Source": _object(
        {
            "id": _TEXT,
            "location": _TEXT,
            "branch": _TEXT,
            "path": _TEXT,
            "state": _words(SyncState),
            "reason": _TEXT,
            "since": or_null(_TIME),
            "applied": _COMMIT,
            "tip": _COMMIT,
            "checked_at": or_null(_TIME),
            "problems": _list(reference("Complaint")),
            "position": _POSITION,
        }
    ),
    "Complaint": _COMPLAINT,
    "PlanRequest": _object(
        {}, optional={"ref": or_null(_TEXT | {"minLength": 1, "maxLength": 255})}
    )
    | {"additionalProperties": False},
    "SyncResult": _object(
        {
            "status": _words(SyncStatus),
            "commit": _TEXT,
            "position": _POSITION,
            "plan": or_null(reference("Plan")),
        }
    ),
    "Plan": _object(
        {
            "commit": _TEXT,
            "tree": _TEXT,
            "digest": _TEXT | {"description": "Names exactly this plan."},
            "counts": {"type": "object", "additionalProperties": _COUNT},
            "changes": _list(reference("Change")),
        }
    ),
    "Change": _object(
        {
            "kind": _words(ChangeKind),
            "name": _TEXT,
            "trigger": _TEXT,
            "path": or_null(_TEXT),
            "hook": or_null(_TEXT | {"description": "Id; null if the change makes it."}),
            "fields": _list(_TEXT),
        }
    ),
    "Invocations": _object({"invocations": _list(reference("Invocation")), "next": _NEXT}),
    "Invocation": _object(
        {
            "invocation_id": _TEXT,
            "at": _TIME,
            "trigger": _TEXT,
            "hook_id": or_null(_TEXT),
            "hook_name": or_null(_TEXT),
            "commit": _COMMIT,
            "position": _POSITION,
            "caller": _TEXT | {"description": "Id of a client, or `queue`."},
            "kind": _words(OutcomeKind),
            "error": or_null(_TEXT),
            "queued_ms": _NUMBER,
            "ran_ms": _NUMBER,
            "total_ms": _NUMBER,
            "request_bytes": _COUNT,
            "response_bytes": _COUNT,
        }
    ),
    "Lines": _object({"lines": _list(reference("Line")), "next": _NEXT}),
    "Line": _object(
        {
            "sequence": _COUNT,
            "invocation_id": or_null(_TEXT),
            "hook_id": _TEXT,
            **_LINE,
        }
    ),
    "Problem": _object(
        {
            "type": _TEXT | {"format": "uri-reference"},
            "title": _TEXT,
            "status": _COUNT,
            "detail": _TEXT,
            "instance": _TEXT | {"format": "uri-reference"},
            "remedy": _TEXT | {"description": "What to do about it."},
        },
        optional={
            "problems": _list(reference("Complaint")),
            "correlation_id": _TEXT | {"description": "Where to look in the server's log."},
            "invocation_id": _TEXT,
            "logs": _list(_object(_LINE)) | {"description": "The hook's last lines."},
        },
    ),
    **OAUTH_SCHEMAS,
}
"""Every schema, by name."""
