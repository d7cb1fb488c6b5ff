"""Secrets over the Management API: written, never shown, all of a request or none."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

MASK = "_VALUE_NOT_SHOWN_"


@pytest.fixture
def path(tenant: Any) -> str:
    return f"/hooks/{tenant.create()['id']}/secrets"


def names(tenant: Any, path: str) -> list[str]:
    return sorted(tenant.ask("GET", path).json())


def test_a_hook_without_secrets_shows_an_empty_object(tenant: Any, path: str) -> None:
    answer = tenant.ask("GET", path)
    assert (answer.status_code, answer.json()) == (200, {})


def test_values_are_shown_as_the_mask(tenant: Any, path: str) -> None:
    answer = tenant.ask("POST", path, json={"SECRET1": "one", "api-key": "two"})
    assert (answer.status_code, answer.json()) == (201, {})
    assert tenant.ask("GET", path).json() == {"SECRET1": MASK, "api-key": MASK}
    assert sorted(tenant.vault.values.values()) == ["one", "two"]


def test_a_patch_answers_201_changes_what_it_names_and_keeps_the_rest(
    tenant: Any, path: str
) -> None:
    tenant.ask("POST", path, json={"A": "1", "B": "2"})
    answer = tenant.ask("PATCH", path, json={"A": "3"})
    assert (answer.status_code, answer.json()) == (201, {})
    assert sorted(tenant.vault.values.values()) == ["2", "3"]


def test_a_delete_takes_an_array_and_destroys_the_values(tenant: Any, path: str) -> None:
    tenant.ask("POST", path, json={"A": "1", "B": "2", "C": "3"})
    answer = tenant.ask("DELETE", path, json=["A", "B", "A"])
    assert (answer.status_code, answer.content) == (204, b"")
    assert names(tenant, path) == ["C"]
    assert list(tenant.vault.values.values()) == ["3"]


def test_an_existing_name_is_a_conflict_and_nothing_is_added(tenant: Any, path: str) -> None:
    tenant.ask("POST", path, json={"A": "1"})
    answer = tenant.ask("POST", path, json={"B": "2", "A": "3"})
    assert answer.status_code == 409
    assert answer.json()["errorCode"] == "SecretAlreadyExists"
    assert "`A`" in answer.json()["message"]
    assert names(tenant, path) == ["A"]
    assert tenant.vault.values == {"k1": "1"}


@pytest.mark.parametrize(
    ("method", "body"), [("PATCH", {"A": "2", "B": "3"}), ("DELETE", ["A", "B"])]
)
def test_an_unknown_name_is_not_found_and_nothing_is_changed(
    tenant: Any, path: str, method: str, body: Any
) -> None:
    tenant.ask("POST", path, json={"A": "1"})
    answer = tenant.ask(method, path, json=body)
    assert answer.status_code == 404
    assert answer.json()["errorCode"] == "SecretDoesNotExist"
    assert "`B`" in answer.json()["message"]
    assert names(tenant, path) == ["A"]
    assert tenant.vault.values == {"k1": "1"}


def test_a_hook_has_at_most_20_secrets(tenant: Any, path: str) -> None:
    many = {f"S{number}": "x" for number in range(20)}
    answer = tenant.ask("POST", path, json=many | {"S20": "x"})
    assert answer.status_code == 400
    assert "Too many properties defined (21), maximum 20" in answer.json()["message"]
    assert tenant.ask("POST", path, json=many).status_code == 201
    answer = tenant.ask("POST", path, json={"S20": "x"})
    assert answer.status_code == 400
    assert "has 20 secrets" in answer.json()["message"]
    assert len(tenant.vault.values) == 20
    assert tenant.ask("PATCH", path, json=many).status_code == 201


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "Too few properties defined (0), minimum 1"),
        (None, "Expected type object but found type null"),
        (["SHOWN"], "Expected type object but found type array"),
        ({"A": 1}, "'Expected type string but found type integer' on property A"),
        ({"A": {"x": "SHOWN"}}, "'Expected type string but found type object' on property A"),
        ({"A": None}, "'Expected type string but found type null' on property A"),
        ({"A": ""}, "'must not be empty; remove the secret instead' on property A"),
        ({"A": "SHOWN" * 1000}, "'must be at most 4096 bytes' on property A"),
        ({"a b": "SHOWN"}, "on property a b"),
        ({"": "SHOWN"}, "must be 1 to 128 letters"),
        ({"x" * 129: "SHOWN"}, "must be 1 to 128 letters"),
    ],
)
def test_a_bad_value_is_refused_without_repeating_it(
    tenant: Any, path: str, method: str, body: Any, sentence: str
) -> None:
    tenant.ask("POST", path, json={"A": "1"})
    answer = tenant.ask(method, path, content=json.dumps(body))
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "invalid_body"
    assert sentence in answer.json()["message"]
    assert "SHOWN" not in answer.text
    assert tenant.vault.values == {"k1": "1"}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ([], "Array is too short (0), minimum 1"),
        ({"A": "1"}, "Expected type array but found type object"),
        ([1], "Expected type string but found type integer"),
        (None, "Expected type array but found type null"),
    ],
)
def test_a_delete_without_names_is_refused(
    tenant: Any, path: str, body: Any, sentence: str
) -> None:
    answer = tenant.ask("DELETE", path, content=json.dumps(body))
    assert answer.status_code == 400
    assert sentence in answer.json()["message"]


def test_a_form_is_read_like_json(tenant: Any, path: str) -> None:
    assert tenant.ask("POST", path, data={"A": "a&b=c", "B": "true"}).status_code == 201
    assert sorted(tenant.vault.values.values()) == ["a&b=c", "true"]


def test_secrets_are_gone_with_their_hook(tenant: Any, path: str) -> None:
    tenant.ask("POST", path, json={"A": "1", "B": "2"})
    assert tenant.ask("DELETE", path.removesuffix("/secrets")).status_code == 204
    assert tenant.vault.values == {}


def test_the_mask_is_stored_but_flagged_in_the_history(
    tenant: Any, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "hookledger.web"):
        assert tenant.ask("POST", path, json={"A": MASK, "B": "real"}).status_code == 201
    assert "mask_stored_as_secret" in caplog.text
    reasons = [row.reason for row in tenant.told() if row.type == "hook.secret_set"]
    assert all(reason.startswith(f"A: the value is {MASK}") for reason in reasons)


def test_no_value_is_in_answers_events_history_or_log(
    tenant: Any, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    value = "hunter2-very-secret"
    with caplog.at_level(logging.DEBUG):
        answers = [
            tenant.ask("POST", path, json={"A": value}),
            tenant.ask("POST", path, json={"A": value}),
            tenant.ask("PATCH", path, json={"A": value}),
            tenant.ask("PATCH", path, json={"B": value}),
            tenant.ask("POST", path, json=[value]),
            tenant.ask("POST", path, json={"A": [value]}),
            tenant.ask("POST", path, content=f'{{"A": "{value}'),
            tenant.ask("POST", path, data={"A": value}),
            tenant.ask("GET", path),
        ]
    assert not [answer for answer in answers if value in answer.text]
    assert value.encode() not in tenant.stored()
    assert value not in repr(tenant.told())
    assert value not in caplog.text
    assert not [record for record in caplog.records if value in repr(vars(record))]
