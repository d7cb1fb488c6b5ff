"""JSON Schemas of every request and answer, as the OpenAPI document holds them.

Members are all listed as required where they are always there. More may come in later versions,
so nothing says that there are no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from app.domain.outcomes import Language, Level, OutcomeKind
from app.domain.triggers.definitions import Mode, OnError
from app.domain.triggers.recording import RecordMode
from app.web.schemas.commits import COMMIT_SCHEMAS
from app.web.schemas.history import HISTORY_SCHEMAS
from app.web.schemas.journal import JOURNAL_SCHEMAS
from app.web.schemas.oauth import OAUTH_SCHEMAS
from app.web.schemas.parts import (
    COMMIT,
    COUNT,
    FLAG,
    NEXT,
    NUMBER,
    OBJECT,
    PAGES,
    POSITION,
    TEXT,
    TEXTS,
    TIME,
    Schema,
    list_of,
    object_of,
    or_null,
    reference,
    words,
)
from app.web.schemas.sync import SYNC_SCHEMAS
from app.web.schemas.transparency import TRANSPARENCY_SCHEMAS
from app.web.schemas.webhooks import WEBHOOK_SCHEMAS

_RAN = {"outcome": words(OutcomeKind), "ran_ms": NUMBER}
_CHAIN = list_of(reference("ChainStep")) | {"description": "In a chain: each hook that ran."}

_HOOK: dict[str, Schema] = {
    "id": TEXT | {"description": "A ULID."},
    "name": TEXT,
    "trigger": TEXT,
    "owner": TEXT | {"description": "`source:<id>`, or `api`."},
    "path": or_null(TEXT | {"description": "Folder in the source."}),
    "language": words(get_args(Language)),
    "enabled": FLAG | {"description": "Whether the trigger runs it."},
    "break_glass": FLAG | {"description": "Whether an operator disabled it against git."},
    "override": or_null(reference("Act")) | {"description": "Who did, and why."},
    "digest": TEXT | {"description": "SHA-256 of script, dependencies and settings."},
    "dependencies": {"type": "object", "additionalProperties": TEXT},
    "settings": OBJECT | {"description": "As in `hook.toml`: order, timeout_ms, network, …"},
    "secrets": list_of(TEXT) | {"description": "Names; values are shown nowhere."},
    "commit": COMMIT,
    "position": POSITION,
    "version_key": TEXT | {"description": "Changes whenever what runs does."},
    "created_at": TIME,
    "updated_at": TIME,
}

_COMPLAINT = object_of(
    {
        "message": TEXT,
        "file": or_null(TEXT),
        "line": or_null(COUNT),
        "key": or_null(TEXT | {"description": "Parameter, header or member concerned."}),
    }
)

_LINE: dict[str, Schema] = {
    "at": TIME,
    "level": words(get_args(Level)),
    "stream": words(("stdout", "stderr", "log")),
    "text": TEXT,
}

SCHEMAS: Mapping[str, Schema] = {
    "Text": TEXT,
    "Table": TEXT | {"description": "Records (RFC 4180) under a head of the event's members."},
    "Document": OBJECT,
    "Nothing": {"type": "object", "maxProperties": 0},
    "ChainStep": object_of({"hook": TEXT, "commit": COMMIT, "position": POSITION, **_RAN}),
    "Payload": {"description": "What the trigger expects; `GET /v1/triggers` has an example."},
    "Index": object_of(
        dict.fromkeys(("name", "version", "documentation", "health", "readiness", "metrics"), TEXT)
    ),
    "Health": object_of({"status": words(("ok",))}),
    "Readiness": object_of(
        {
            "ready": FLAG,
            "checks": list_of(object_of({"name": TEXT, "ok": FLAG, "detail": TEXT})),
        }
    ),
    "ProblemType": object_of({"type": TEXT, "title": TEXT, "status": COUNT, "remedy": TEXT}),
    "Envelope": {
        "oneOf": [
            object_of(
                {
                    "statusCode": {"const": 200},
                    "headers": OBJECT,
                    "status": {"const": "success"},
                    "effects": OBJECT | {"description": "What the caller is to honour."},
                },
                optional={
                    "data": {"description": "What the hook returned, if anything."},
                    "hooks": _CHAIN,
                },
            ),
            object_of(
                {
                    "status": {"const": "error"},
                    "data": OBJECT
                    | {"description": "Members of the hook's error; `message` above all."},
                }
            ),
        ]
    },
    "Accepted": object_of({"invocation_id": TEXT, "status": {"const": "accepted"}}),
    "Triggers": object_of({"triggers": list_of(reference("Trigger")), "position": POSITION}),
    "Trigger": object_of(
        {
            "id": TEXT,
            "title": TEXT,
            "purpose": TEXT,
            "blocking": FLAG | {"description": "Whether the caller waits for the result."},
            "mode": words(get_args(Mode)) | {"description": "One hook, or several in turn."},
            "on_error": words(get_args(OnError))
            | {"description": "`open`: a failure of the platform passes, without effects."},
            "parameters": list_of(TEXT),
            "example": OBJECT | {"description": "A payload."},
            "payload_schema": or_null(OBJECT) | {"description": "JSON Schema, if it has one."},
            "result_schema": or_null(OBJECT) | {"description": "JSON Schema, if it has one."},
            "record": words(get_args(RecordMode)) | {"description": "Whether payloads are kept."},
            "mask": list_of(TEXT) | {"description": "What is masked in them, beside the usual."},
            "owner": or_null(TEXT) | {"description": "Who defines it; null: it is Auth0's."},
            "enabled_hooks": list_of(TEXT) | {"description": "Ids, in order."},
            "position": POSITION,
        }
    ),
    "Draft": object_of(
        {"language": words(get_args(Language)), "script": TEXT, "payload": {}},
        optional={
            "secrets": TEXTS,
            "headers": TEXTS,
            "dependencies": TEXTS,
            "timeout_ms": COUNT,
        },
    ),
    "SavedRun": object_of({"payload": {}}, optional={"headers": TEXTS}),
    "DraftResult": object_of(
        {
            "outcome": words(OutcomeKind),
            "detail": or_null(TEXT) | {"description": "What the platform says, if it failed."},
            "result": or_null(reference("Envelope")),
            "effects": or_null(OBJECT) | {"description": "What a caller would honour."},
            "skipped": or_null(TEXT) | {"description": "Why hooks would not run, if so."},
            "logs": list_of(object_of({"at": TIME, "level": TEXT, "stream": TEXT, "text": TEXT})),
            "duration_ms": NUMBER,
        }
    ),
    "Hooks": object_of({"hooks": list_of(reference("Hook")), "position": POSITION, "next": NEXT}),
    "Hook": object_of(_HOOK),
    "HookWithScript": object_of(
        {**_HOOK, "script": TEXT, "script_sha256": TEXT, "as_of": POSITION}
    ),
    "Complaint": _COMPLAINT,
    "Lines": object_of({"lines": list_of(reference("Line")), **PAGES}),
    "Line": object_of(
        {
            "sequence": COUNT,
            "invocation_id": or_null(TEXT),
            "hook_id": TEXT,
            **_LINE,
        }
    ),
    "Problem": object_of(
        {
            "type": TEXT | {"format": "uri-reference"},
            "title": TEXT,
            "status": COUNT,
            "detail": TEXT,
            "instance": TEXT | {"format": "uri-reference"},
            "remedy": TEXT | {"description": "What to do about it."},
        },
        optional={
            "problems": list_of(reference("Complaint")),
            "correlation_id": TEXT | {"description": "Where to look in the server's log."},
            "invocation_id": TEXT,
            "logs": list_of(object_of(_LINE)) | {"description": "The hook's last lines."},
        },
    ),
    **OAUTH_SCHEMAS,
    **COMMIT_SCHEMAS,
    **WEBHOOK_SCHEMAS,
    **SYNC_SCHEMAS,
    **HISTORY_SCHEMAS,
    **JOURNAL_SCHEMAS,
    **TRANSPARENCY_SCHEMAS,
}
"""Every schema, by name."""
