"""``POST /oauth/token`` as the clients of Auth0 and of OAuth 2 ask it, and what a hook may change."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import httpx
import orjson
import pytest
from msgspec import structs

from app.domain.errors import Transient
from app.domain.outcomes import Outcome, OutcomeKind

EXCHANGE = "credentials-exchange"
FORM = {
    "grant_type": "client_credentials",
    "client_id": "client-0",
    "client_secret": "secret-client-0",
    "audience": "http://site/api/v2/",
}


def asked(site: Any, **fields: Any) -> httpx.Response:
    data = {name: value for name, value in (FORM | fields).items() if value is not ...}
    answer: httpx.Response = site.ask("POST", "/oauth/token", token=None, data=data)
    return answer


def asked_as_json(site: Any, **fields: Any) -> httpx.Response:
    answer: httpx.Response = site.ask("POST", "/oauth/token", token=None, json=FORM | fields)
    return answer


def basic(client_id: str, secret: str) -> list[tuple[bytes, bytes]]:
    text = base64.b64encode(f"{client_id}:{secret}".encode())
    return [(b"authorization", b"Basic " + text)]


def error_of(answer: httpx.Response) -> tuple[int, str]:
    document = answer.json()
    assert document["error_description"]
    return answer.status_code, document["error"]


def test_a_form_is_answered_with_a_token_that_lets_in(site: Any) -> None:
    answer = asked(site)
    assert answer.status_code == 200
    document = answer.json()
    assert document["token_type"] == "Bearer"
    assert document["expires_in"] == 3600
    assert "read:hooks" in document["scope"].split()
    assert answer.headers["pragma"] == "no-cache"
    assert site.get("/v1/hooks", token=document["access_token"]).status_code == 200


def test_the_claims_are_those_auth0_writes(site: Any) -> None:
    token = asked(site, scope="read:hooks").json()["access_token"]
    claims = site.signer.signed[token]
    assert claims["iss"] == "http://site/"
    assert claims["sub"] == "client-0@clients"
    assert claims["azp"] == "client-0"
    assert claims["aud"] == "http://site/api/v2/"
    assert claims["gty"] == "client-credentials"
    assert claims["scope"] == "read:hooks"
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["jti"]


def test_json_is_answered_too_and_null_is_as_good_as_absent(site: Any) -> None:
    assert asked_as_json(site, organization=None, audience=None, x=7).status_code == 200


def test_the_secret_may_come_in_the_header(site: Any) -> None:
    for secret in ("secret-client-0", "secret%2Dclient%2D0"):
        answer = site.ask(
            "POST",
            "/oauth/token",
            token=None,
            headers=basic("client-0", secret),
            data={"grant_type": "client_credentials"},
        )
        assert answer.status_code == 200


def test_a_wrong_secret_or_client_is_refused_in_one_and_the_same_way(site: Any) -> None:
    wrong = asked(site, client_secret="secret-client-1")
    assert wrong.status_code == 401
    assert wrong.json() == {"error": "access_denied", "error_description": "Unauthorized"}
    for fields in (
        {"client_id": "client-9"},
        {"client_secret": site.hooks.table.clients["client-0"].secret_hash},
        {"client_secret": "\udcff".encode("utf-8", "surrogatepass")},
    ):
        other = asked(site, **fields)
        assert (other.status_code, other.text) == (wrong.status_code, wrong.text)
    headers = basic("client-0", "no")
    answer = site.ask(
        "POST",
        "/oauth/token",
        token=None,
        headers=headers,
        data={"grant_type": "client_credentials"},
    )
    assert answer.headers["www-authenticate"] == 'Basic realm="hookledger"'
    assert "www-authenticate" not in wrong.headers


def test_a_revoked_client_gets_no_token(site: Any) -> None:
    table = site.hooks.table
    revoked = {key: structs.replace(client, revoked=True) for key, client in table.clients.items()}
    site.hooks.table = replace(table, clients=revoked)
    assert error_of(asked(site)) == (401, "access_denied")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"grant_type": ...}, (400, "invalid_request")),
        ({"grant_type": ""}, (400, "invalid_request")),
        ({"grant_type": "password"}, (400, "unsupported_grant_type")),
        ({"client_id": ...}, (400, "invalid_request")),
        ({"client_secret": ...}, (400, "invalid_request")),
        ({"client_secret": ""}, (400, "invalid_request")),
        ({"scope": "read:hooks nonsense"}, (400, "invalid_scope")),
        ({"audience": "https://elsewhere.example.com/"}, (401, "access_denied")),
        ({"client_id": ["client-0", "client-1"]}, (400, "invalid_request")),
    ],
)
def test_what_is_wrong_is_said_in_oauths_words(
    site: Any, fields: Any, error: tuple[int, str]
) -> None:
    assert error_of(asked(site, **fields)) == error


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{", b"application/json"),
        (b'{"grant_type": {"a": 1}}', b"application/json"),
        (b"[]", b"application/json"),
        (b"%ff=%ff", b"application/x-www-form-urlencoded"),
        (
            b"&".join(b"a%d=1" % number for number in range(60)),
            b"application/x-www-form-urlencoded",
        ),
        (b"<xml/>", b"text/xml"),
        (b"", b""),
    ],
)
def test_a_body_that_cannot_be_read_is_invalid(site: Any, body: bytes, content_type: bytes) -> None:
    answer = site.ask(
        "POST", "/oauth/token", token=None, content=body, headers=[(b"content-type", content_type)]
    )
    assert error_of(answer) == (400, "invalid_request")


@pytest.mark.parametrize("value", [b"Basic !!!", b"Basic /w==", b"Basic"])
def test_a_header_that_cannot_be_read_is_invalid(site: Any, value: bytes) -> None:
    answer = site.ask(
        "POST",
        "/oauth/token",
        token=None,
        headers=[(b"authorization", value)],
        data={"grant_type": "client_credentials"},
    )
    assert error_of(answer)[0] in (400, 401)


def test_a_client_named_twice_is_refused(site: Any) -> None:
    answer = site.ask("POST", "/oauth/token", token=None, headers=basic("client-0", "x"), data=FORM)
    assert error_of(answer) == (400, "invalid_request")


def test_secrets_in_the_address_are_refused(site: Any) -> None:
    answer = site.ask("POST", "/oauth/token?client_secret=secret-client-0", token=None, data=FORM)
    assert error_of(answer) == (400, "invalid_request")


def test_a_large_body_is_not_read(site: Any) -> None:
    assert asked(site, padding="x" * 20_000).status_code == 413


def test_secrets_and_tokens_stay_out_of_the_log(
    site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="hookledger")
    token = asked(site).json()["access_token"]
    asked(site, client_secret="a wrong secret")
    told = repr([vars(record) for record in caplog.records])
    assert "token_issued" in told
    assert token not in told
    assert "secret-client-0" not in told
    assert "a wrong secret" not in told


def test_the_metadata_say_where_everything_is(site: Any) -> None:
    for name in ("openid-configuration", "oauth-authorization-server"):
        document = site.get(f"/.well-known/{name}", token=None).json()
        assert document["issuer"] == "http://site/"
        assert document["token_endpoint"] == "http://site/oauth/token"
        assert document["jwks_uri"] == "http://site/.well-known/jwks.json"
    assert site.get("/.well-known/jwks.json", token=None).json()["keys"]


def hooked(site: Any, make_hook: Any, result: Any = None, **outcome: Any) -> None:
    """Have the token endpoint ask a hook that answers so."""
    site.put(make_hook("exchange", trigger=EXCHANGE))
    site.services.tokens.policy = replace(site.services.tokens.policy, ask_hook=True)
    given = {"kind": OutcomeKind.SUCCEEDED, "data": orjson.dumps(result)} | outcome
    site.runner.outcome = Outcome(**given)


def test_no_hook_is_asked_unless_so_configured(site: Any, make_hook: Any) -> None:
    site.put(make_hook("exchange", trigger=EXCHANGE))
    assert asked(site).status_code == 200
    assert site.runner.calls == []


def test_without_an_enabled_hook_tokens_are_as_they_would_be(site: Any) -> None:
    site.services.tokens.policy = replace(site.services.tokens.policy, ask_hook=True)
    assert asked(site, scope="read:hooks").json()["scope"] == "read:hooks"


def test_the_hook_sees_client_scope_and_audience(site: Any, make_hook: Any) -> None:
    hooked(site, make_hook)
    asked(site, scope="read:hooks")
    [call] = site.runner.calls
    assert orjson.loads(call.payload) == {
        "client": {
            "id": "client-0",
            "name": "a client",
            "tenant": "a-tenant",
            "metadata": {"plan": "gold"},
        },
        "scope": ["read:hooks"],
        "audience": "http://site/api/v2/",
        "context": {},
    }
    assert site.journal.records[0].caller == "client-0"


def test_the_hook_changes_scopes_and_adds_claims(site: Any, make_hook: Any) -> None:
    hooked(site, make_hook, {"scope": ["read:audit", "a b"], "https://x.example/plan": "full"})
    document = asked(site, scope="read:hooks").json()
    assert document["scope"] == "read:audit"
    assert site.signer.signed[document["access_token"]]["https://x.example/plan"] == "full"


def test_the_hook_cannot_write_the_claims_that_decide(site: Any, make_hook: Any) -> None:
    result = dict.fromkeys(("iss", "sub", "aud", "exp", "iat", "azp", "jti", "gty"), "evil")
    hooked(site, make_hook, {"scope": ["read:hooks"], **result})
    token = asked(site).json()["access_token"]
    assert "evil" not in site.signer.signed[token].values()


def test_the_hook_gives_no_client_a_right_here_that_it_does_not_hold(
    site: Any, make_hook: Any
) -> None:
    hooked(site, make_hook, {"scope": ["read:hooks", "read:audit"]})
    site.let_in("hlt_small", "read:hooks")
    answer = asked(site, client_id="client-1", client_secret="secret-client-1")
    token = answer.json()["access_token"]
    assert site.get("/v1/hooks", token=token).status_code == 200
    assert site.get("/v1/audit", token=token).status_code == 403


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("InvalidScopeError", (400, "invalid_scope")),
        ("InvalidRequestError", (400, "invalid_request")),
        ("ServerError", (500, "server_error")),
        (None, (500, "server_error")),
    ],
)
def test_an_error_of_the_hook_becomes_oauths(
    site: Any, make_hook: Any, name: str | None, error: tuple[int, str]
) -> None:
    data = {"message": "not today", "stack": "secret places"} | ({"name": name} if name else {})
    hooked(site, make_hook, data, kind=OutcomeKind.ERRORED)
    answer = asked(site)
    assert error_of(answer) == error
    assert answer.json()["error_description"] == "not today"
    assert "secret places" not in answer.text


@pytest.mark.parametrize("kind", [kind for kind in OutcomeKind if not kind.is_answer])
def test_a_hook_that_cannot_be_asked_closes_the_door_or_leaves_it_open(
    site: Any, make_hook: Any, kind: OutcomeKind
) -> None:
    hooked(site, make_hook, kind=kind, data=None, detail="internal detail")
    answer = asked(site)
    assert error_of(answer) == (503, "server_error")
    assert "internal detail" not in answer.text
    tokens = site.services.tokens
    tokens.policy = replace(tokens.policy, on_error="open")
    assert asked(site, scope="read:hooks").json()["scope"] == "read:hooks"


def test_a_platform_that_fails_before_the_hook_starts_is_the_same(
    site: Any, make_hook: Any
) -> None:
    hooked(site, make_hook)
    site.runner.raises = Transient("no disk")
    assert error_of(asked(site)) == (503, "server_error")


def test_claims_that_fit_no_header_are_refused(site: Any, make_hook: Any) -> None:
    hooked(site, make_hook, {"scope": [], "https://x.example/big": "x" * 5000})
    assert error_of(asked(site)) == (500, "server_error")


def test_only_a_client_that_proved_itself_reaches_the_hook(site: Any, make_hook: Any) -> None:
    hooked(site, make_hook)
    asked(site, client_secret="wrong")
    asked(site, scope="nonsense")
    asked(site, audience="https://elsewhere.example.com/")
    assert site.runner.calls == []


def test_what_nobody_foresaw_is_a_server_error(site: Any, caplog: Any) -> None:
    def broken(claims: Any) -> str:
        raise RuntimeError("secret detail")

    site.signer.sign = broken
    answer = asked(site)
    assert error_of(answer) == (500, "server_error")
    assert "secret detail" not in answer.text
