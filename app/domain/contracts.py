"""What each trigger promises: parameters, payload, whether the caller waits, what is honoured.

The five extensibility points of Auth0 Hooks; facts from Auth0's documentation and from
auth0-ext-compilers 6.1.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from app.domain.effects import no_effects, registration_effects, token_effects
from app.domain.errors import NotFound
from app.domain.payloads import (
    check_credentials_exchange,
    check_send_phone_message,
    check_user_registration,
)


@dataclass(frozen=True, slots=True)
class TriggerContract:
    """The fixed part of a trigger."""

    id: str
    title: str
    purpose: str
    blocking: bool
    """Whether the caller waits for the result; if not, the invocation is queued durably."""
    parameters: tuple[str, ...]
    """Members of the payload that the hook gets by position."""
    check: Callable[[object], str | None]
    """Returns what is wrong with a payload, or None."""
    effects: Callable[[Mapping[str, Any], object], dict[str, Any]]
    """From payload and result, what the caller is to honour."""
    missing_result_is_object: bool
    """Whether a hook that returns nothing is answered with ``data: {}`` (else without ``data``)."""
    example: Mapping[str, Any]
    """A payload that passes ``check``, as Auth0's runner prefilled it."""


_CONNECTION = {
    "id": "con_6jzGTsSY0nh5Z3Fr",
    "name": "Username-Password-Authentication",
    "tenant": "my-tenant",
}
_USER = {
    "tenant": "my-tenant",
    "username": "user1",
    "email": "user1@example.com",
    "emailVerified": False,
    "phoneNumber": "1-000-000-0000",
    "phoneNumberVerified": False,
    "user_metadata": {"hobby": "surfing"},
    "app_metadata": {"plan": "full"},
}

_CONTRACTS = (
    TriggerContract(
        id="credentials-exchange",
        title="Client Credentials Exchange",
        purpose="Add claims to access tokens of machine clients, or change their scopes.",
        blocking=True,
        parameters=("client", "scope", "audience", "context"),
        check=check_credentials_exchange,
        effects=token_effects,
        missing_result_is_object=False,
        example={
            "audience": "https://my-tenant.example.com/api/v2/",
            "client": {
                "id": "ovXDyrbd9Lm8VeDA6TqN3kf2BEnGZ0hW",
                "name": "client-name",
                "tenant": "my-tenant",
                "metadata": {"plan": "full"},
            },
            "scope": ["read:connections"],
        },
    ),
    TriggerContract(
        id="pre-user-registration",
        title="Pre-User Registration",
        purpose="Refuse a sign-up, or add metadata to the new user.",
        blocking=True,
        parameters=("user", "context"),
        check=check_user_registration,
        effects=registration_effects,
        missing_result_is_object=True,
        example={
            "user": _USER | {"password": "xxxxxxx"},
            "context": {"requestLanguage": "en-us", "connection": _CONNECTION},
        },
    ),
    TriggerContract(
        id="post-user-registration",
        title="Post-User Registration",
        purpose="React to a new user, without delaying the sign-up.",
        blocking=False,
        parameters=("user", "context"),
        check=check_user_registration,
        effects=no_effects,
        missing_result_is_object=True,
        example={
            "user": _USER | {"id": "5bd1c9b4e4a3a12f8b6c0d11", "emailVerified": True},
            "context": {"requestLanguage": "en-us", "connection": _CONNECTION},
        },
    ),
    TriggerContract(
        id="post-change-password",
        title="Post-Change Password",
        purpose="React to a changed password, without delaying the change.",
        blocking=False,
        parameters=("user", "context"),
        check=check_user_registration,
        effects=no_effects,
        missing_result_is_object=True,
        example={
            "user": {
                "id": "abc123",
                "username": "user1",
                "email": "user1@example.com",
                "last_password_reset": "2019-02-27T14:14:29.206Z",
            },
            "context": {"connection": _CONNECTION},
        },
    ),
    TriggerContract(
        id="send-phone-message",
        title="Send Phone Message",
        purpose="Deliver a one-time code by a gateway of your own.",
        blocking=True,
        parameters=("recipient", "text", "context"),
        check=check_send_phone_message,
        effects=no_effects,
        missing_result_is_object=False,
        example={
            "recipient": "+15555550123",
            "text": "Here is your code: 123456",
            "context": {
                "message_type": "sms",
                "action": "second-factor-authentication",
                "language": "en",
                "code": "123456",
                "ip": "127.0.0.1",
                "user_agent": "Mozilla/5.0",
                "user": {
                    "user_id": "auth0|test12345",
                    "name": "user1",
                    "email": "user1@example.com",
                    "app_metadata": {},
                    "user_metadata": {},
                },
            },
        },
    ),
)

CONTRACTS: Mapping[str, TriggerContract] = MappingProxyType({c.id: c for c in _CONTRACTS})
"""Every trigger, by id."""


def contract_of(trigger: str) -> TriggerContract:
    """Return the contract; raise ``NotFound`` naming the triggers that exist."""
    try:
        return CONTRACTS[trigger]
    except KeyError:
        raise NotFound(
            f"There is no trigger `{trigger}`; known are: {', '.join(CONTRACTS)}."
        ) from None
