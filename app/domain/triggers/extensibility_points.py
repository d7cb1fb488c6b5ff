"""The extensibility points of Auth0 Hooks: five that are always there, two that are optional.

Facts from Auth0's documentation and from auth0-ext-compilers 6.1.0.
"""

from __future__ import annotations

from app.domain.triggers.connections import (
    skip_unless_database,
    skip_unless_database_or_passwordless,
)
from app.domain.triggers.contracts import TriggerContract
from app.domain.triggers.effects import (
    carry_metadata,
    carry_scope,
    merge_registration,
    merge_tokens,
    no_effects,
    password_effects,
    registration_effects,
    token_effects,
)
from app.domain.triggers.payloads import (
    check_anything,
    check_credentials_exchange,
    check_password_exchange,
    check_send_phone_message,
    check_user_registration,
)

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

POINTS = (
    TriggerContract(
        id="credentials-exchange",
        title="Client Credentials Exchange",
        purpose="Add claims to access tokens of machine clients, or change their scopes.",
        blocking=True,
        parameters=("client", "scope", "audience", "context"),
        check=check_credentials_exchange,
        effects=token_effects,
        merge=merge_tokens,
        carry=carry_scope,
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
        merge=merge_registration,
        carry=carry_metadata,
        skip=skip_unless_database_or_passwordless,
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
        skip=skip_unless_database_or_passwordless,
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
        skip=skip_unless_database,
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

OPTIONAL_POINTS = (
    TriggerContract(
        id="password-exchange",
        title="Password Exchange",
        purpose="Add claims to the tokens of a password grant, or change their scopes (legacy).",
        blocking=True,
        parameters=("user", "client", "scope", "audience", "context"),
        check=check_password_exchange,
        effects=password_effects,
        missing_result_is_object=False,
        example={
            "audience": "https://my-tenant.example.com/api/v2/",
            "client": {"id": "ovXDyrbd9Lm8VeDA6TqN3kf2BEnGZ0hW", "name": "client-name"},
            "scope": ["read:connections"],
            "user": {"id": "abc123", "username": "user1", "email": "user1@example.com"},
        },
    ),
    TriggerContract(
        id="generic",
        title="Generic",
        purpose="Run a plain webtask function: any payload, any result.",
        blocking=True,
        parameters=("context",),
        languages=("node",),
        check=check_anything,
        effects=no_effects,
        missing_result_is_object=False,
        example={"hello": "world"},
    ),
)
"""Exist only where ``hookledger.toml`` names them: Auth0 had retired them before its hooks."""
