"""`Idempotency-Key` below `/api/v2`: no second hook, no second event, errors in Auth0's shape."""

from __future__ import annotations

from typing import Any

NEW = {"name": "a-hook", "script": "module.exports = 1", "triggerId": "pre-user-registration"}
KEY = [(b"idempotency-key", b"9b1f7b1e-64ac-4c1a-8f0e-3c4a9e7d2b11")]


def test_a_hook_that_is_created_twice_by_one_key_is_one_hook(tenant: Any) -> None:
    first = tenant.ask("POST", "/hooks", json=NEW, headers=KEY)
    again = tenant.ask("POST", "/hooks", json=NEW, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert tenant.topics().count("hook.created") == 1


def test_a_deletion_that_is_repeated_is_answered_as_done(tenant: Any) -> None:
    path = f"/hooks/{tenant.create()['id']}"
    assert tenant.ask("DELETE", path, headers=KEY).status_code == 204
    again = tenant.ask("DELETE", path, headers=KEY)
    assert (again.status_code, again.content) == (204, b"")
    assert tenant.ask("DELETE", path).status_code == 404


def test_secrets_that_are_set_again_are_sealed_once(tenant: Any) -> None:
    path = f"/hooks/{tenant.create()['id']}/secrets"
    for _ in range(2):
        assert tenant.ask("POST", path, json={"A": "one"}, headers=KEY).status_code == 201
    assert tenant.vault.made == 1
    assert tenant.topics().count("hook.secret_set") == 1


def test_what_is_kept_of_a_request_with_secrets_is_no_secret(tenant: Any) -> None:
    path = f"/hooks/{tenant.create()['id']}/secrets"
    tenant.ask("POST", path, json={"A": "sk_live_4711"}, headers=KEY)
    (kept,) = tenant.site.answers.kept.values()
    assert b"sk_live" not in kept.answer.body + kept.fingerprint


def test_a_name_that_is_taken_stays_taken_for_the_key(tenant: Any) -> None:
    made = tenant.create()
    assert tenant.ask("POST", "/hooks", json=NEW, headers=KEY).status_code == 409
    tenant.ask("DELETE", f"/hooks/{made['id']}")
    again = tenant.ask("POST", "/hooks", json=NEW, headers=KEY)
    assert (again.status_code, again.json()["errorCode"]) == (409, "HookAlreadyExists")
    assert tenant.ask("POST", "/hooks", json=NEW).status_code == 201


def test_a_key_with_another_body_is_an_error_in_auth0s_shape(tenant: Any) -> None:
    tenant.ask("POST", "/hooks", json=NEW, headers=KEY)
    answer = tenant.ask("POST", "/hooks", json=NEW | {"name": "b-hook"}, headers=KEY)
    assert (answer.status_code, answer.json()["errorCode"]) == (422, "idempotency_key_reused")
    assert tenant.topics().count("hook.created") == 1


def test_a_body_that_cannot_be_read_is_not_kept(tenant: Any) -> None:
    assert tenant.ask("POST", "/hooks", content=b"{", headers=KEY).status_code == 400
    assert tenant.ask("POST", "/hooks", json=NEW, headers=KEY).status_code == 201
