"""Reading a token request: as a form or as JSON, the client's secret in it or in ``Basic``."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus

import orjson

from app.application.callers.issue_tokens import TokenRequest
from app.domain.callers.tokens import CLIENT_CREDENTIALS, TokenRefused
from app.web.protocol.endpoints import FORM
from app.web.protocol.limits import Headers, only

BODY_LIMIT = 16 * 1024
"""Bytes; far more than a request of this kind needs."""

_MAX_FIELDS = 50
_BASIC = b"basic "


def token_request(headers: Headers, body: bytes) -> TokenRequest:
    """Read a request of RFC 6749, section 4.4.2; raise ``TokenRefused``."""
    fields = _fields(headers, body)
    grant = fields.get("grant_type")
    if not grant:
        raise _invalid("The parameter grant_type is missing.")
    if grant != CLIENT_CREDENTIALS:
        raise TokenRefused("unsupported_grant_type", f"Unsupported grant type: {grant[:100]}")
    client_id, secret = _credentials(headers, fields)
    return TokenRequest(
        client_id=client_id,
        client_secret=secret,
        audience=fields.get("audience"),
        scope=fields.get("scope"),
    )


def _fields(headers: Headers, body: bytes) -> Mapping[str, str]:
    media = (only(headers, b"content-type") or b"").split(b";")[0].strip().lower()
    # Some clients send JSON and call it a form, or say nothing.
    return _from_json(body) if body.lstrip()[:1] == b"{" else _from_form(media, body)


def _from_form(media: bytes, body: bytes) -> Mapping[str, str]:
    if body and media not in (FORM.encode(), b""):
        raise _invalid(f"The body must be {FORM} or application/json.")
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS
        )
    except ValueError:
        raise _invalid("The body is not a form.") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _invalid("A parameter is there more than once.")
    return fields


def _from_json(body: bytes) -> Mapping[str, str]:
    """Read an object; null is as good as absent, and what is no text nobody here asks for."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _invalid("The body is not valid JSON.") from None
    return {name: value for name, value in parsed.items() if isinstance(value, str)}


def _credentials(headers: Headers, fields: Mapping[str, str]) -> tuple[str, str]:
    value = only(headers, b"authorization")
    given = fields.get("client_id"), fields.get("client_secret")
    if value is None or value[: len(_BASIC)].lower() != _BASIC:
        client_id, secret = given
        if not client_id or not secret:
            raise _invalid("The parameters client_id and client_secret are needed.")
        return client_id, secret
    basic = _basic(value)
    if given[1] is not None or given[0] not in (None, basic[0]):
        raise _invalid("The client is named twice, in the header and in the body.")
    return basic


def _basic(value: bytes) -> tuple[str, str]:
    """Read id and secret, each form-encoded before they were joined (RFC 6749, 2.3.1)."""
    try:
        text = base64.b64decode(value[len(_BASIC) :].strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise _invalid("The header Authorization cannot be read.") from None
    client_id, _, secret = text.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)


def _invalid(message: str) -> TokenRefused:
    return TokenRefused("invalid_request", message)
