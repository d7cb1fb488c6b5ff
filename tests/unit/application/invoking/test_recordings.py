"""Payloads and results that are recorded hold nothing that is to stay hidden."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import orjson

from app.application.invoking.recordings import MAX_CONTENT_BYTES, content_of
from app.domain.outcomes import Outcome, OutcomeKind
from app.domain.triggers.catalogue import CONTRACTS
from app.masking.masks import mask_for

PRE = CONTRACTS["pre-user-registration"]
RECORDING = replace(PRE, record="masked", mask=("email",))


def answered(data: Any) -> Outcome:
    return Outcome(OutcomeKind.SUCCEEDED, orjson.dumps(data))


def recorded(payload: Any, result: Any, *secrets: str) -> tuple[Any, Any]:
    content = content_of(RECORDING, payload, answered(result), mask_for(secrets))
    assert content is not None
    assert content.payload is not None
    assert content.result is not None
    return orjson.loads(content.payload), orjson.loads(content.result)


def test_nothing_is_recorded_unless_the_trigger_says_so() -> None:
    assert content_of(PRE, {}, answered({}), str) is None


def test_passwords_and_what_rules_name_are_masked() -> None:
    payload = {"user": {"email": "a@example.com", "password": "hunter22", "name": "Ann"}}
    shown, _ = recorded(payload, {})
    assert shown == {"user": {"email": "***", "password": "***", "name": "Ann"}}


def test_what_is_hidden_in_the_payload_is_hidden_in_the_result_wherever_the_hook_put_it() -> None:
    encoded = base64.b64encode(b"hunter22!").decode()
    result = {"note": "hunter22! is weak", "hunter22!": encoded, "kept": [1, None, True]}
    _, shown = recorded({"user": {"password": "hunter22!"}}, result)
    assert shown == {"note": "*** is weak", "***": "***", "kept": [1, None, True]}


def test_secrets_of_the_hook_are_masked_without_breaking_the_json() -> None:
    secret = 'x","y":"'
    shown, result = recorded({"a": f"<{secret}>"}, {"b": secret}, secret)
    assert (shown, result) == ({"a": "<***>"}, {"b": "***"})


def test_the_members_of_an_error_are_recorded_as_its_result() -> None:
    outcome = Outcome(OutcomeKind.ERRORED, b'{"message": "no", "token": "t"}')
    content = content_of(RECORDING, {}, outcome, str)
    assert content is not None
    assert content.result == b'{"message":"no","token":"***"}'


def test_what_is_too_large_is_left_out_and_said_to_be() -> None:
    content = content_of(RECORDING, {"a": "x" * MAX_CONTENT_BYTES}, answered({"b": 1}), str)
    assert content is not None
    assert (content.payload, content.result) == (None, b'{"b":1}')
    assert content.left_out is not None
    assert content.left_out.startswith("The payload has 65")


def test_what_is_nested_too_deeply_is_left_out() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    content = content_of(RECORDING, {"a": deep}, answered({}), str)
    assert content is not None
    assert content.payload is None
    assert content.left_out == "Payload or result is nested too deeply."


def test_a_run_without_an_answer_has_no_result() -> None:
    content = content_of(RECORDING, {}, Outcome(OutcomeKind.TIMED_OUT, detail="late"), str)
    assert content is not None
    assert (content.payload, content.result) == (b"{}", None)
