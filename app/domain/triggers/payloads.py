"""Payload checks of the Auth0 extensibility points, message for message and in Auth0's order.

Source of texts and order: auth0-ext-compilers 6.1.0, ``lib/compilers``. The first failing check
answers; the blank in ``Body .client`` is theirs. For the members of ``context`` of
send-phone-message the exact prefix is not public; we write the full path, ``Body.context.code``.

Objects are dicts, as a JSON parser makes them; to ask for any ``Mapping`` takes ten times as long.
"""

from __future__ import annotations

from collections.abc import Mapping

_RECEIVED = "received by extensibility point"


def check_credentials_exchange(payload: object) -> str | None:
    """Return what is wrong with the payload, or None."""
    if not isinstance(payload, dict):
        return _not_an_object("Body")
    if not isinstance(payload.get("client"), dict):
        return _not_an_object("Body .client")
    if payload.get("scope") and not isinstance(payload["scope"], list):
        return f"Body .scope {_RECEIVED} is neither empty nor an array"
    if not isinstance(payload.get("audience"), str):
        return _not_a_string("Body .audience")
    return None


def check_password_exchange(payload: object) -> str | None:
    """Return what is wrong with the payload, or None."""
    if not isinstance(payload, Mapping):
        return _not_an_object("Body")
    if not isinstance(payload.get("audience"), str):
        return _not_a_string("Body.audience")
    if payload.get("scope") and not isinstance(payload["scope"], list):
        return f"Body.scope {_RECEIVED} is neither empty nor an array"
    for member in ("user", "client"):
        if not isinstance(payload.get(member), Mapping):
            return _not_an_object(f"Body.{member}")
    return None


def check_anything(payload: object) -> str | None:  # noqa: ARG001
    """Take any payload: a generic webtask has no contract."""
    return None


def check_user_registration(payload: object) -> str | None:
    """Return what is wrong with the payload, or None; also for post-change-password."""
    if not isinstance(payload, dict):
        return _not_an_object("Body")
    for member in ("user", "context"):
        if not isinstance(payload.get(member), dict):
            return _not_an_object(f"Body.{member}")
    if not isinstance(payload["context"].get("connection"), dict):
        return _not_an_object("Body.context.connection")
    return None


def check_send_phone_message(payload: object) -> str | None:
    """Return what is wrong with the payload, or None."""
    if not isinstance(payload, dict):
        return _not_an_object("Body")
    for member in ("recipient", "text"):
        if not isinstance(payload.get(member), str):
            return _not_a_string(f"Body.{member}")
    context = payload.get("context")
    if not isinstance(context, dict):
        return _not_an_object("Body.context")
    return _check_phone_context(context)


def _check_phone_context(context: Mapping[str, object]) -> str | None:
    for member, choices in (
        ("message_type", ("sms", "voice")),
        ("action", ("enrollment", "second-factor-authentication")),
    ):
        if context.get(member) not in choices:
            expected = " or ".join(f"`{choice}`" for choice in choices)
            return f"Body.context.{member} {_RECEIVED} is not {expected}"
    for member in ("language", "code", "ip", "user_agent"):
        if not isinstance(context.get(member), str):
            return _not_a_string(f"Body.context.{member}")
    return _check_phone_client(context.get("client")) or (
        None if isinstance(context.get("user"), dict) else _not_an_object("Body.context.user")
    )


def _check_phone_client(client: object) -> str | None:
    if not client:
        return None
    if not isinstance(client, dict):
        return _not_an_object("Body.context.client")
    for member in ("client_id", "name"):
        if not isinstance(client.get(member), str):
            return _not_a_string(f"Body.context.client.{member}")
    metadata = client.get("client_metadata")
    if metadata and not isinstance(metadata, dict):
        return _not_an_object("Body.context.client.client_metadata")
    return None


def _not_an_object(place: str) -> str:
    return f"{place} {_RECEIVED} is not an object"


def _not_a_string(place: str) -> str:
    return f"{place} {_RECEIVED} is not a string"
