"""What of a payload may be kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.domain.errors import Rejected
from app.domain.triggers.definitions import TriggerDefinition, parse_definition
from app.domain.triggers.recording import MaskRules, is_sensitive

TRIGGER = "order-placed"


def masked(value: Any, *rules: str, trigger: str = TRIGGER) -> Any:
    return MaskRules.of(trigger, rules).apply(value)[0]


@pytest.mark.parametrize(
    "name",
    [
        "password", "newPassword", "old_password", "passwd", "client_secret", "clientSecret",
        "access_token", "refreshToken", "id-token", "Authorization", "Set-Cookie", "api_key",
        "x-api-key", "privateKey", "otp", "credentials",
    ],
)  # fmt: skip
def test_members_that_hold_credentials_are_masked_without_a_rule(name: str) -> None:
    assert masked({"deep": [{name: "value", "kept": 1}]}) == {"deep": [{name: "***", "kept": 1}]}


@pytest.mark.parametrize("name", ["user", "tokens_used", "email", "keyboard", "pinned", "code"])
def test_other_members_stay(name: str) -> None:
    assert not is_sensitive(name)


def test_a_name_is_masked_wherever_it_is_whatever_its_case() -> None:
    value = {"email": "a", "list": [{"EMAIL": {"x": 1}}]}
    assert masked(value, "email") == {"email": "***", "list": [{"EMAIL": "***"}]}


def test_a_pointer_masks_one_place() -> None:
    value = {"user": {"phone": "1", "a/b": 2, "m~n": 3}, "phone": "4"}
    assert masked(value, "/user/phone", "/user/a~1b", "/user/m~0n") == {
        "user": {"phone": "***", "a/b": "***", "m~n": "***"},
        "phone": "4",
    }


def test_a_star_stands_for_any_member_or_index() -> None:
    value = {"items": [{"card": 1, "sum": 2}, {"card": 3}]}
    assert masked(value, "/items/*/card") == {"items": [{"card": "***", "sum": 2}, {"card": "***"}]}
    assert masked(value, "/items/0") == {"items": ["***", {"card": 3}]}


def test_texts_that_were_hidden_are_told() -> None:
    _, hidden = MaskRules.of(TRIGGER, ("secrets",)).apply(
        {"secrets": {"a": ["one", 2], "b": "two"}, "password": "three"}
    )
    assert hidden == {"one", "two", "three"}


def test_the_code_of_a_phone_message_is_masked_and_the_text_that_holds_it() -> None:
    value = {"text": "your code is 123456", "context": {"code": "123456", "ip": "1.2.3.4"}}
    assert masked(value, trigger="send-phone-message") == {
        "text": "***",
        "context": {"code": "***", "ip": "1.2.3.4"},
    }


def test_a_trigger_says_what_is_recorded() -> None:
    text = b'record = "masked"\nmask = ["email", "/a/b"]\n'
    definition = parse_definition("triggers/order-placed.toml", TRIGGER, text)
    assert (definition.record, definition.mask) == ("masked", ("email", "/a/b"))
    assert TriggerDefinition.from_members(json.loads(definition.text)) == definition


def test_a_definition_that_does_not_record_reads_as_it_always_did() -> None:
    definition = parse_definition("triggers/order-placed.toml", TRIGGER, b'title = "Order"\n')
    assert "record" not in definition.text
    assert "mask" not in definition.text


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (b'record = "all"', "record"),
        (b'mask = "email"', "mask"),
        (b"mask = [1]", "mask"),
        (b'mask = ["/a~2b"]', "mask"),
        (b'mask = [""]', "mask"),
    ],
)
def test_what_cannot_be_recorded_so_is_refused(text: bytes, key: str) -> None:
    with pytest.raises(Rejected) as refused:
        parse_definition("triggers/order-placed.toml", TRIGGER, text)
    assert [problem.key for problem in refused.value.problems] == [key]
