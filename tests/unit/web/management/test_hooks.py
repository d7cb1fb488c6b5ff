"""Hooks over the Management API, request by request as Auth0's clients send them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.domain.errors import Problem
from app.domain.triggers.catalogue import CONTRACTS

PRE = "pre-user-registration"
DRAFT = {"name": "a-hook", "script": "module.exports = 1", "triggerId": PRE}


def test_a_created_hook_comes_back_with_its_defaults_in_auth0s_order(tenant: Any) -> None:
    answer = tenant.ask("POST", "/hooks", json=DRAFT)
    assert answer.status_code == 201
    made = answer.json()
    assert list(made) == ["id", "name", "script", "dependencies", "triggerId", "enabled"]
    assert made == DRAFT | {"id": made["id"], "enabled": False, "dependencies": {}}
    assert len(made["id"]) == 26
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


def test_a_hook_is_shown_in_the_order_of_auth0s_get(tenant: Any) -> None:
    made = tenant.create()
    shown = tenant.ask("GET", f"/hooks/{made['id']}").json()
    assert shown == made
    assert list(shown) == ["id", "name", "script", "dependencies", "enabled", "triggerId"]


@pytest.mark.parametrize(
    "script",
    [
        "function (user, context, callback) { callback(null, { user }); }",
        "this is ( no program at all",
        "\r\n\t tabs, \\ and “quotes” \u0000 \U0001f9ea\n\n",
    ],
)
def test_a_script_is_never_parsed_and_comes_back_byte_for_byte(tenant: Any, script: str) -> None:
    made = tenant.create(script=script)
    assert tenant.ask("GET", f"/hooks/{made['id']}").json()["script"] == script


@pytest.mark.parametrize(
    ("spoken", "kept"),
    [
        ("My Hook", "my-hook"),
        ("test-hook735", "test-hook735"),
        ("m2m-claims", "m2m-claims"),
        ("a  b", "a--b"),
        ("A", "a"),
        ("UPPER-case", "upper-case"),
    ],
)
def test_a_name_is_kept_in_lower_case_with_hyphens_and_changed_in_nothing_else(
    tenant: Any, spoken: str, kept: str
) -> None:
    assert tenant.create(name=spoken)["name"] == kept


@pytest.mark.parametrize(
    "name", ["", " a", "a ", "-a", "a-", "a_b", "ä", "a\n", "a\tb", "a/b", "x" * 101, "\u0130x"]
)
def test_a_name_outside_auth0s_pattern_is_refused(tenant: Any, name: str) -> None:
    answer = tenant.ask("POST", "/hooks", json=DRAFT | {"name": name})
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "invalid_body"
    assert "on property name" in answer.json()["message"]
    assert tenant.topics() == []


@pytest.mark.parametrize("trigger", CONTRACTS)
def test_every_extensibility_point_takes_hooks(tenant: Any, trigger: str) -> None:
    assert tenant.create(triggerId=trigger)["triggerId"] == trigger


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "'Missing required property: name'"),
        ({"name": "a", "script": "x"}, "'Missing required property: triggerId'"),
        (DRAFT | {"id": "01J"}, "'Additional properties not allowed: id'"),
        (DRAFT | {"secrets": {}}, "'Additional properties not allowed: secrets'"),
        (DRAFT | {"script": ""}, "'must not be empty' on property script"),
        (DRAFT | {"script": 1}, "'Expected type string but found type integer' on property script"),
        (DRAFT | {"name": None}, "'Expected type string but found type null' on property name"),
        (DRAFT | {"enabled": 1}, "'Expected type boolean but found type integer'"),
        (DRAFT | {"enabled": "yes"}, "'Expected type boolean but found type string'"),
        (DRAFT | {"triggerId": "pre-login"}, "'No enum match; known are: credentials-exchange"),
        (DRAFT | {"triggerId": []}, "'Expected type string but found type array'"),
        (DRAFT | {"dependencies": []}, "'Expected type object but found type array'"),
        (DRAFT | {"dependencies": {"a": 1}}, "on property dependencies.a"),
        (DRAFT | {"dependencies": {"a": "^1.0.0"}}, "must be one exact version such as 1.2.3"),
        (DRAFT | {"dependencies": {"a": "latest"}}, "must be one exact version"),
        (DRAFT | {"dependencies": {"../a": "1.0.0"}}, "is no name of an npm package"),
        (DRAFT | {"dependencies": {"a b": "1.0.0"}}, "is no name of an npm package"),
        (
            {"dependencies": {f"p{i}": "1.0.0" for i in range(101)}} | DRAFT,
            "more than 100 packages",
        ),
        (DRAFT | {"script": "x" * (256 * 1024 + 1)}, "must be at most 262144 bytes"),
        ([DRAFT], "'Expected type object but found type array'"),
        ("text", "'Expected type object but found type string'"),
        (None, "'Expected type object but found type null'"),
        (1.5, "'Expected type object but found type number'"),
    ],
)
def test_a_bad_draft_is_refused_with_a_sentence_about_the_property(
    tenant: Any, body: Any, sentence: str
) -> None:
    answer = tenant.ask("POST", "/hooks", content=json.dumps(body))
    assert answer.status_code == 400
    error = answer.json()
    assert list(error) == ["statusCode", "error", "message", "errorCode"]
    assert error["statusCode"] == 400
    assert error["error"] == "Bad Request"
    assert error["errorCode"] == "invalid_body"
    assert error["message"].startswith("Payload validation error: ")
    assert sentence in error["message"]
    assert tenant.topics() == []


def test_everything_that_is_wrong_is_said_at_once(tenant: Any) -> None:
    body = {"name": 1, "triggerId": "x", "foo": 1, "enabled": []}
    message = tenant.ask("POST", "/hooks", json=body).json()["message"]
    for part in ("name", "triggerId", "script", "foo", "enabled"):
        assert part in message


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b'{"name": "\\ud800"}', b"[" * 5000, b'{"name": NaN}']
)
def test_a_body_that_is_no_json_is_refused(tenant: Any, content: bytes) -> None:
    answer = tenant.ask("POST", "/hooks", content=content)
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "invalid_body"


def test_a_form_is_read_like_json(tenant: Any) -> None:
    form = DRAFT | {"enabled": "true", "dependencies[semver]": "7.5.4"}
    made = tenant.ask("POST", "/hooks", data=form).json()
    assert made["enabled"] is True
    assert made["dependencies"] == {"semver": "7.5.4"}


@pytest.mark.parametrize(
    "form",
    [b"name", b"name=a&name=b", b"name=%ff", b"name=\xff", b"dependencies=a&dependencies[x]=1", b"&".join(b"a%d=1" % i for i in range(201))],
)  # fmt: skip
def test_a_form_that_is_none_is_refused(tenant: Any, form: bytes) -> None:
    headers = [(b"content-type", b"application/x-www-form-urlencoded; charset=utf-8")]
    answer = tenant.ask("POST", "/hooks", content=form, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "invalid_body"


@pytest.mark.parametrize(("text", "flag"), [("true", True), ("false", False)])
def test_booleans_may_be_text(tenant: Any, text: str, flag: bool) -> None:
    assert tenant.create(enabled=text)["enabled"] is flag


def test_a_name_is_taken_whatever_the_trigger_and_however_it_is_written(tenant: Any) -> None:
    tenant.create(name="My Hook")
    body = DRAFT | {"name": "my-HOOK", "triggerId": "send-phone-message"}
    answer = tenant.ask("POST", "/hooks", json=body)
    assert answer.status_code == 409
    assert answer.json()["errorCode"] == "HookAlreadyExists"
    assert answer.json()["error"] == "Conflict"
    assert len(tenant.ask("GET", "/hooks").json()) == 1


def test_enabling_a_second_hook_switches_the_former_off_in_one_event(tenant: Any) -> None:
    first = tenant.create(name="first", enabled=True)
    tenant.create(name="other", triggerId="send-phone-message", enabled=True)
    tenant.create(name="second", enabled=True)
    assert tenant.enabled() == {"first": False, "other": True, "second": True}
    before = len(tenant.topics())
    tenant.ask("PATCH", f"/hooks/{first['id']}", json={"enabled": True})
    assert tenant.topics()[before:] == ["trigger.hook_enabled"]
    assert tenant.enabled() == {"first": True, "other": True, "second": False}


def test_a_patch_changes_what_it_names_and_answers_the_whole_hook(tenant: Any) -> None:
    made = tenant.create(dependencies={"semver": "7.5.4"}, enabled=True)
    answer = tenant.ask("PATCH", f"/hooks/{made['id']}", json={"script": "2"})
    assert answer.status_code == 200
    assert list(answer.json()) == list(made)
    assert answer.json() == made | {"script": "2"}
    cleared = tenant.ask("PATCH", f"/hooks/{made['id']}", json={"dependencies": {}}).json()
    assert cleared == made | {"script": "2", "dependencies": {}}
    assert tenant.ask("GET", f"/hooks/{made['id']}").json() == cleared


def test_a_patch_of_what_is_so_already_records_nothing(tenant: Any) -> None:
    made = tenant.create(enabled=True, dependencies={"semver": "7.5.4"})
    before = tenant.topics()
    body = {key: made[key] for key in ("name", "script", "enabled", "dependencies")}
    assert tenant.ask("PATCH", f"/hooks/{made['id']}", json=body).json() == made
    assert tenant.topics() == before


def test_a_renamed_hook_frees_its_name_and_cannot_take_anothers(tenant: Any) -> None:
    made = tenant.create(name="old")
    tenant.create(name="taken")
    path = f"/hooks/{made['id']}"
    answer = tenant.ask("PATCH", path, json={"name": "Taken", "script": "changed"})
    assert answer.status_code == 409
    assert answer.json()["errorCode"] == "HookAlreadyExists"
    assert tenant.ask("GET", path).json() == made
    assert tenant.ask("PATCH", path, json={"name": "New Name"}).json()["name"] == "new-name"
    tenant.create(name="old")
    assert tenant.ask("PATCH", path, json={"name": "old"}).status_code == 409


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "Too few properties defined (0), minimum 1"),
        ({"triggerId": PRE}, "Additional properties not allowed: triggerId"),
        ({"id": "x"}, "Additional properties not allowed: id"),
        ({"enabled": None}, "Expected type boolean but found type null"),
        ({"script": ""}, "must not be empty"),
        (None, "Expected type object but found type null"),
    ],
)
def test_a_bad_patch_changes_nothing(tenant: Any, body: Any, sentence: str) -> None:
    made = tenant.create()
    before = tenant.topics()
    answer = tenant.ask("PATCH", f"/hooks/{made['id']}", content=json.dumps(body))
    assert answer.status_code == 400
    assert sentence in answer.json()["message"]
    assert tenant.topics() == before


@pytest.mark.parametrize("content", [b"", b"{}", b"null", b"null\n"])
def test_a_delete_is_empty_whatever_body_it_carries_and_the_second_finds_nothing(
    tenant: Any, content: bytes
) -> None:
    made = tenant.create(enabled=True)
    headers = [(b"content-type", b"application/json")]
    answer = tenant.ask("DELETE", f"/hooks/{made['id']}", content=content, headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")
    again = tenant.ask("DELETE", f"/hooks/{made['id']}")
    assert again.status_code == 404
    assert again.json() == {
        "statusCode": 404,
        "error": "Not Found",
        "message": "Error: Hook does not exist",
        "errorCode": "HookDoesNotExist",
    }
    assert tenant.ask("GET", "/hooks").json() == []
    assert tenant.hooks.table.active_hook(PRE) is None


def test_a_deleted_hooks_name_is_free(tenant: Any) -> None:
    made = tenant.create()
    tenant.ask("DELETE", f"/hooks/{made['id']}")
    assert tenant.create()["id"] != made["id"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "/secrets"),
        ("POST", "/secrets"),
        ("PATCH", "/secrets"),
        ("DELETE", "/secrets"),
    ],
)
@pytest.mark.parametrize("hook", ["01GEPVQEH9SX3RSTYY561TR92N", "x", "a-hook", "%00", "x" * 300])
def test_an_unknown_id_is_not_found_whatever_its_form(
    tenant: Any, method: str, path: str, hook: str
) -> None:
    tenant.create()
    body = {"POST": {"A": "b"}, "PATCH": {"A": "b"} if path else {"script": "x"}, "DELETE": ["A"]}
    content = json.dumps(body[method]) if method in body else b""
    answer = tenant.ask(method, f"/hooks/{hook}{path}", content=content)
    assert answer.status_code == 404
    assert answer.json()["errorCode"] == "HookDoesNotExist"
    assert answer.json()["message"] == "Error: Hook does not exist"


def test_a_get_may_carry_a_literal_null(tenant: Any) -> None:
    tenant.create()
    headers = [(b"content-type", b"application/json")]
    answer = tenant.ask("GET", "/hooks", content=b"null\n", headers=headers)
    assert answer.status_code == 200


def test_packages_are_prepared_before_a_hook_needs_them(tenant: Any) -> None:
    made = tenant.create(dependencies={"semver": "7.5.4"})
    tenant.ask("PATCH", f"/hooks/{made['id']}", json={"dependencies": {"ms": "2.1.3"}})
    tenant.ask("PATCH", f"/hooks/{made['id']}", json={"enabled": True})
    assert tenant.prepared == [("node", {"semver": "7.5.4"}), ("node", {"ms": "2.1.3"})]


def test_a_hook_whose_packages_cannot_be_had_is_refused(tenant: Any) -> None:
    tenant.site.packages.problem = Problem("npm has no `semver` 9.9.9", key="dependencies.semver")
    answer = tenant.ask("POST", "/hooks", json=DRAFT | {"dependencies": {"semver": "9.9.9"}})
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "invalid_body"
    assert "npm has no `semver` 9.9.9" in answer.json()["message"]
    assert tenant.topics() == []


def test_a_change_that_is_not_in_force_yet_is_not_called_done(tenant: Any) -> None:
    tenant.hooks.stuck = True
    answer = tenant.ask("POST", "/hooks", json=DRAFT)
    assert answer.status_code == 503
    assert answer.json()["errorCode"] == "temporarily_unavailable"
    assert "stored at position" in answer.json()["message"]
    assert answer.headers["retry-after"] == "1"


def test_every_change_is_told_with_the_client_as_its_actor(tenant: Any) -> None:
    made = tenant.create(name="told", enabled=True)
    tenant.ask("PATCH", f"/hooks/{made['id']}", json={"name": "again", "script": "2"})
    tenant.ask("DELETE", f"/hooks/{made['id']}")
    rows = tenant.told()
    assert {row.actor for row in rows} == {"client:client-0"}
    assert {row.origin for row in rows} == {"api"}
    assert [row.type for row in rows] == [
        "hook_name.created",
        "hook.created",
        "trigger.created",
        "trigger.hook_enabled",
        "hook_name.created",
        "hook_name.released",
        "hook.renamed",
        "hook.script_changed",
        "trigger.hook_disabled",
        "hook_name.released",
        "hook.deleted",
    ]
    assert len({row.correlation_id for row in rows}) == 3
