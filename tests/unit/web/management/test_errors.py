"""Refusals in Auth0's shape: tokens, scopes, routes, methods, sizes and what nobody foresaw."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from app.web.routes import MANAGEMENT

OPERATIONS = [endpoint.operation for endpoint in MANAGEMENT]


def below(operation: Any) -> str:
    path: str = operation.path.removeprefix("/api/v2").replace("{id}", "x")
    return path


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.id)
def test_without_a_token_nothing_is_answered(tenant: Any, operation: Any) -> None:
    answer = tenant.ask(operation.method, below(operation), token=None)
    assert answer.status_code == 401
    assert answer.json() == {
        "statusCode": 401,
        "error": "Unauthorized",
        "message": "Missing authentication",
        "errorCode": "missing_authentication",
    }
    assert answer.headers["www-authenticate"] == 'Bearer realm="hookledger"'


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.id)
def test_a_bad_token_is_401_and_never_403(tenant: Any, operation: Any) -> None:
    """A 403 on the list makes the Deploy CLI believe that there are no hooks."""
    answer = tenant.ask(operation.method, below(operation), token="wrong")
    assert answer.status_code == 401
    assert answer.json() == {
        "statusCode": 401,
        "error": "Unauthorized",
        "message": "Invalid token",
        "errorCode": "invalid_token",
        "attributes": {"error": "Invalid token"},
    }


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.id)
def test_a_missing_scope_is_named_as_auth0_names_it(tenant: Any, operation: Any) -> None:
    others = {scope for each in OPERATIONS for scope in each.scopes} - set(operation.scopes)
    tenant.hooks.catch_up()
    tenant.site.let_in("hlt_other", *others)
    answer = tenant.ask(operation.method, below(operation), token="hlt_other")
    assert answer.status_code == 403
    assert answer.json() == {
        "statusCode": 403,
        "error": "Forbidden",
        "message": f"Insufficient scope, expected any of: {','.join(operation.scopes)}",
        "errorCode": "insufficient_scope",
    }
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("operation", "scope"),
    [(operation, scope) for operation in OPERATIONS for scope in operation.scopes],
    ids=lambda each: getattr(each, "id", each),
)
def test_any_of_the_scopes_is_enough(tenant: Any, operation: Any, scope: str) -> None:
    tenant.site.let_in("hlt_just", scope)
    answer = tenant.ask(operation.method, below(operation), token="hlt_just")
    assert answer.status_code not in (401, 403)


def test_secrets_are_written_with_the_scope_of_either_document() -> None:
    scopes = {operation.id: operation.scopes for operation in OPERATIONS}
    assert scopes["addManagedSecrets"] == ("update:hooks", "create:hooks")
    assert scopes["updateManagedSecrets"] == ("update:hooks",)
    assert scopes["deleteManagedSecrets"] == ("delete:hooks", "update:hooks")


@pytest.mark.parametrize("path", ["/rules", "/hooks/", "/hooks/x/y", "/", "/hooks/x/secrets/A"])
def test_an_unknown_route_is_not_found_in_auth0s_shape(tenant: Any, path: str) -> None:
    answer = tenant.ask("GET", path)
    assert answer.status_code == 404
    assert list(answer.json()) == ["statusCode", "error", "message", "errorCode"]
    assert answer.json()["errorCode"] == "not_found"


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/hooks"), ("DELETE", "/hooks"), ("POST", "/hooks/x"), ("PUT", "/hooks/x/secrets")],
)
def test_a_wrong_method_is_refused_in_auth0s_shape(tenant: Any, method: str, path: str) -> None:
    answer = tenant.ask(method, path)
    assert answer.status_code == 405
    assert answer.json()["errorCode"] == "method_not_allowed"
    assert "GET" in answer.headers["allow"]


def test_a_body_over_the_limit_is_not_read(tenant: Any) -> None:
    answer = tenant.ask("POST", "/hooks", content=b" " * (1024 * 1024 + 1))
    assert answer.status_code == 413
    assert answer.json()["errorCode"] == "payload_too_large"


def test_the_largest_script_fits_in_a_body(tenant: Any) -> None:
    script = '\n"' * (128 * 1024)
    assert tenant.create(script=script)["script"] == script


def test_two_tokens_are_one_too_many(tenant: Any) -> None:
    answer = tenant.ask("GET", "/hooks", headers=[(b"authorization", b"Bearer other")])
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "invalid_request"


def test_what_nobody_foresaw_is_logged_and_says_nothing(
    tenant: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("the disk said: s3cret")

    monkeypatch.setattr(tenant.ledger, "record", broken)
    with caplog.at_level(logging.ERROR):
        answer = tenant.ask(
            "POST",
            "/hooks",
            json={"name": "a", "script": "x", "triggerId": "send-phone-message"},
        )
    assert answer.status_code == 500
    assert answer.json()["errorCode"] == "internal_error"
    assert "s3cret" not in answer.text
    (record,) = [record for record in caplog.records if record.message == "unexpected_error"]
    assert vars(record)["correlation_id"] in answer.json()["message"]


def test_a_demanded_position_is_waited_for(tenant: Any) -> None:
    tenant.create()
    position = tenant.ledger.head()
    headers = [(b"hookledger-min-position", str(position).encode())]
    answer = tenant.ask("GET", "/hooks", headers=headers)
    assert answer.headers["hookledger-position"] == str(position)
    headers = [(b"hookledger-min-position", b"9999")]
    late = tenant.ask("GET", "/hooks", headers=headers)
    assert late.status_code == 503
    assert late.json()["errorCode"] == "temporarily_unavailable"


def test_a_write_says_its_position(tenant: Any) -> None:
    answer = tenant.ask(
        "POST", "/hooks", json={"name": "a", "script": "x", "triggerId": "send-phone-message"}
    )
    assert answer.headers["hookledger-position"] == str(tenant.ledger.head())
