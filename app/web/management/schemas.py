"""JSON Schemas of what the Management API takes and answers, as the OpenAPI document holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.domain.hooks.names import MAX_NAME_LENGTH
from app.domain.hooks.secrets import MASK, MAX_SECRETS_PER_HOOK, MAX_VALUE_BYTES
from app.domain.triggers.catalogue import CONTRACTS
from app.web.schemas.parts import Schema, reference

_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_NAME: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_NAME_LENGTH,
    "pattern": "^[a-zA-Z0-9]([ \\-a-zA-Z0-9]*[a-zA-Z0-9])?$",
    "description": "Kept in lower case, with a hyphen for each blank.",
}
_SCRIPT: Schema = {
    "type": "string",
    "minLength": 1,
    "description": "A Node.js script; never parsed when it is saved.",
}
_ENABLED: Schema = {
    "type": ["boolean", "string"],
    "enum": [True, False, "true", "false"],
    "description": "True replaces the trigger's enabled hook.",
}
_DEPENDENCIES: Schema = {
    "type": "object",
    "additionalProperties": _TEXT,
    "description": "npm packages, each with one exact version.",
}
_TRIGGER: Schema = {"type": "string", "enum": list(CONTRACTS)}
_HOOK: dict[str, Schema] = {
    "id": _TEXT | {"description": "A ULID."},
    "name": _TEXT,
    "script": _TEXT,
    "dependencies": {"type": "object", "additionalProperties": _TEXT},
    "triggerId": _TRIGGER,
    "enabled": {"type": "boolean"},
}


def _page(name: str, items: Schema) -> Schema:
    """Either shape of a list."""
    rows: Schema = {"type": "array", "items": items}
    totals: dict[str, Any] = {"total": _COUNT, "start": _COUNT, "limit": _COUNT, name: rows}
    return {
        "oneOf": [
            rows,
            {"type": "object", "properties": totals, "required": list(totals)},
        ]
    }


MANAGEMENT_SCHEMAS: Mapping[str, Schema] = {
    "ManagedHook": {"type": "object", "properties": _HOOK, "required": list(_HOOK)},
    "ManagedHookFields": {
        "type": "object",
        "properties": _HOOK,
        "additionalProperties": False,
        "description": "A hook; of its members, those that were asked for.",
    },
    "ManagedHooks": _page("hooks", reference("ManagedHookFields")),
    "ManagedHookDraft": {
        "type": "object",
        "properties": {
            "name": _NAME,
            "script": _SCRIPT,
            "triggerId": _TRIGGER,
            "enabled": _ENABLED | {"default": False},
            "dependencies": _DEPENDENCIES,
        },
        "required": ["name", "script", "triggerId"],
        "additionalProperties": False,
    },
    "ManagedHookPatch": {
        "type": "object",
        "properties": {
            "name": _NAME,
            "script": _SCRIPT,
            "enabled": _ENABLED,
            "dependencies": _DEPENDENCIES,
        },
        "minProperties": 1,
        "additionalProperties": False,
    },
    "SecretValues": {
        "type": "object",
        "additionalProperties": {"type": "string", "minLength": 1, "maxLength": MAX_VALUE_BYTES},
        "minProperties": 1,
        "maxProperties": MAX_SECRETS_PER_HOOK,
        "description": "Values by name.",
    },
    "SecretNames": {"type": "array", "items": _TEXT, "minItems": 1},
    "MaskedSecrets": {
        "type": "object",
        "additionalProperties": {"const": MASK},
        "description": "The mask by name; values are shown nowhere.",
    },
    "Auth0Clients": _page("clients", {"type": "object"}),
    "ManagementError": {
        "type": "object",
        "properties": {
            "statusCode": _COUNT,
            "error": _TEXT,
            "message": _TEXT,
            "errorCode": _TEXT | {"description": "What a program may rely on."},
            "attributes": {"type": "object", "description": "With a bad token, what is wrong."},
        },
        "required": ["statusCode", "error", "message", "errorCode"],
    },
}
"""Every schema of the Management API, by name."""
