"""Payload checks: Auth0's messages, in Auth0's order."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.errors import NotFound
from app.domain.triggers.catalogue import CONTRACTS, contract_of

OBJECT = "received by extensibility point is not an object"
STRING = "received by extensibility point is not a string"
PHONE = dict(CONTRACTS["send-phone-message"].example)


def without(payload: dict[str, Any], *path: str) -> dict[str, Any]:
    if len(path) == 1:
        return {key: value for key, value in payload.items() if key != path[0]}
    return payload | {path[0]: without(payload[path[0]], *path[1:])}


def with_(payload: dict[str, Any], value: Any, *path: str) -> dict[str, Any]:
    if len(path) == 1:
        return payload | {path[0]: value}
    return payload | {path[0]: with_(payload[path[0]], value, *path[1:])}


@pytest.mark.parametrize("trigger", list(CONTRACTS))
def test_the_example_passes(trigger: str) -> None:
    contract = CONTRACTS[trigger]
    assert contract.check(contract.example) is None


@pytest.mark.parametrize("trigger", list(CONTRACTS))
@pytest.mark.parametrize("payload", [None, [], "text", 1, True])
def test_a_body_that_is_no_object_is_refused(trigger: str, payload: object) -> None:
    assert CONTRACTS[trigger].check(payload) == f"Body {OBJECT}"


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({}, f"Body .client {OBJECT}"),
        ({"client": [], "scope": "x"}, f"Body .client {OBJECT}"),
        (
            {"client": {}, "scope": "read:x"},
            "Body .scope received by extensibility point is neither empty nor an array",
        ),
        ({"client": {}, "scope": []}, f"Body .audience {STRING}"),
        ({"client": {}, "scope": "", "audience": "a"}, None),
        ({"client": {}, "audience": "a"}, None),
    ],
)
def test_credentials_exchange(payload: dict[str, Any], message: str | None) -> None:
    assert CONTRACTS["credentials-exchange"].check(payload) == message


@pytest.mark.parametrize(
    "trigger", ["pre-user-registration", "post-user-registration", "post-change-password"]
)
@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({}, f"Body.user {OBJECT}"),
        ({"user": {}}, f"Body.context {OBJECT}"),
        ({"user": {}, "context": {}}, f"Body.context.connection {OBJECT}"),
        ({"user": {}, "context": {"connection": {}}}, None),
    ],
)
def test_registration_and_change_password(
    trigger: str, payload: dict[str, Any], message: str | None
) -> None:
    assert CONTRACTS[trigger].check(payload) == message


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (without(PHONE, "recipient"), f"Body.recipient {STRING}"),
        (without(PHONE, "text"), f"Body.text {STRING}"),
        (without(PHONE, "context"), f"Body.context {OBJECT}"),
        (
            with_(PHONE, "fax", "context", "message_type"),
            "Body.context.message_type received by extensibility point is not `sms` or `voice`",
        ),
        (
            with_(PHONE, "login", "context", "action"),
            "Body.context.action received by extensibility point is not `enrollment` or `second-factor-authentication`",
        ),
        (without(PHONE, "context", "language"), f"Body.context.language {STRING}"),
        (without(PHONE, "context", "code"), f"Body.context.code {STRING}"),
        (without(PHONE, "context", "ip"), f"Body.context.ip {STRING}"),
        (without(PHONE, "context", "user_agent"), f"Body.context.user_agent {STRING}"),
        (with_(PHONE, "x", "context", "client"), f"Body.context.client {OBJECT}"),
        (
            with_(PHONE, {"name": "n"}, "context", "client"),
            f"Body.context.client.client_id {STRING}",
        ),
        (
            with_(
                PHONE, {"client_id": "i", "name": "n", "client_metadata": 1}, "context", "client"
            ),
            f"Body.context.client.client_metadata {OBJECT}",
        ),
        (without(PHONE, "context", "user"), f"Body.context.user {OBJECT}"),
        (PHONE, None),
    ],
)
def test_send_phone_message(payload: dict[str, Any], message: str | None) -> None:
    assert CONTRACTS["send-phone-message"].check(payload) == message


def test_the_first_failing_check_answers() -> None:
    assert CONTRACTS["send-phone-message"].check({"context": 1}) == f"Body.recipient {STRING}"


def test_an_unknown_trigger_names_the_known_ones() -> None:
    with pytest.raises(NotFound, match="pre-user-registration"):
        contract_of("pre-user")
