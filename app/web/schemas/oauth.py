"""JSON Schemas of the token endpoint and of what it publishes about itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}
_ADDRESS: dict[str, Any] = {"type": "string", "format": "uri"}

OAUTH_SCHEMAS: Mapping[str, dict[str, Any]] = {
    "TokenRequest": {
        "type": "object",
        "properties": {
            "grant_type": {"const": "client_credentials"},
            "client_id": _TEXT | {"description": "May come in `Authorization: Basic` instead."},
            "client_secret": _TEXT,
            "audience": {
                "type": ["string", "null"],
                "description": "An address of this server; default: its Management API.",
            },
            "scope": {
                "type": ["string", "null"],
                "description": "Scopes with blanks between them; default: all the client has.",
            },
        },
        "required": ["grant_type"],
    },
    "Token": {
        "type": "object",
        "properties": {
            "access_token": _TEXT | {"description": "A signed token (JWT, RS256)."},
            "token_type": {"const": "Bearer"},
            "expires_in": {"type": "integer", "minimum": 1, "description": "Seconds."},
            "scope": _TEXT | {"description": "What was granted, with blanks between."},
        },
        "required": ["access_token", "token_type", "expires_in", "scope"],
    },
    "TokenError": {
        "type": "object",
        "properties": {"error": _TEXT, "error_description": _TEXT},
        "required": ["error", "error_description"],
    },
    "KeySet": {
        "type": "object",
        "properties": {
            "keys": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": dict.fromkeys(("kty", "use", "alg", "kid", "n", "e"), _TEXT),
                    "required": ["kty", "use", "alg", "kid", "n", "e"],
                },
            }
        },
        "required": ["keys"],
    },
    "AuthorizationServer": {
        "type": "object",
        "properties": {
            "issuer": _ADDRESS,
            "token_endpoint": _ADDRESS,
            "jwks_uri": _ADDRESS,
            "grant_types_supported": _TEXTS,
            "token_endpoint_auth_methods_supported": _TEXTS,
            "scopes_supported": _TEXTS,
            "response_types_supported": _TEXTS,
            "subject_types_supported": _TEXTS,
            "id_token_signing_alg_values_supported": _TEXTS,
        },
        "required": [
            "issuer",
            "token_endpoint",
            "jwks_uri",
            "grant_types_supported",
            "token_endpoint_auth_methods_supported",
            "scopes_supported",
            "response_types_supported",
            "subject_types_supported",
            "id_token_signing_alg_values_supported",
        ],
    },
}
"""By name."""
