"""Who is let in: tokens good and bad, scopes, and what the refusals say."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from app.web.routes import OPERATIONS

TOKEN = "hlt_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
GUARDED = [o for o in OPERATIONS if o.scope and o.problem_documents]
OPEN = {
    "/v1/keys/checkpoint",
    "/",
    "/healthz",
    "/readyz",
    "/openapi.json",
    "/problems/{slug}",
    "/oauth/token",
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/v1/keys/age",
    "/webhooks/{forge}/{source}",  # signed instead
}


def reachable(path: str) -> str:
    return path.replace("{trigger}", "pre-user-registration").replace("{id}", "a-hook")


def authorization(value: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"authorization", value)]


def test_only_probes_and_descriptions_are_open() -> None:
    assert {operation.path for operation in OPERATIONS if operation.scope is None} == OPEN


@pytest.mark.parametrize("operation", GUARDED, ids=lambda o: o.id)
def test_a_route_without_a_token_answers_401_and_says_how(site: Any, operation: Any) -> None:
    answer = site.ask(operation.method, reachable(operation.path), token=None)
    assert answer.status_code == 401
    assert answer.json()["type"] == "/problems/unauthenticated"
    assert answer.headers["www-authenticate"] == 'Bearer realm="hookledger"'
    assert "Authorization: Bearer" in answer.json()["remedy"]


@pytest.mark.parametrize("operation", GUARDED, ids=lambda o: o.id)
def test_a_route_names_the_scope_that_is_missing(site: Any, operation: Any) -> None:
    others = {o.scope for o in OPERATIONS if o.scope} - set(operation.scopes)
    site.let_in("hlt_other", *others)
    answer = site.ask(operation.method, reachable(operation.path), token="hlt_other")
    assert answer.status_code == 403
    assert f"`{operation.scope}`" in answer.json()["detail"]
    assert f'scope="{" ".join(operation.scopes)}"' in answer.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("operation", GUARDED, ids=lambda o: o.id)
def test_the_one_scope_is_enough(site: Any, make_hook: Any, operation: Any) -> None:
    site.put(make_hook())
    site.let_in("hlt_just", operation.scope)
    answer = site.ask(operation.method, reachable(operation.path), token="hlt_just")
    assert answer.status_code not in (401, 403)


@pytest.mark.parametrize(
    "value",
    [
        b"Bearer wrong",
        b"Bearer ",
        b"Bearer",
        b"bearer" + TOKEN.encode(),
        b"Basic " + TOKEN.encode(),
        b"Token " + TOKEN.encode(),
        TOKEN.encode(),
        b"Bearer " + TOKEN.encode()[:-1],
        b"Bearer " + TOKEN.encode().upper(),
        b"Bearer " + TOKEN.encode() + b", Bearer " + TOKEN.encode(),
        b"Bearer " + TOKEN.encode() + b"\x00",
        b"Bearer " + TOKEN.encode() + b"\r\nx-evil: 1",
        b"Bearer \xff\xfe\xfd",
        b"Bearer " + b"x" * 60_000,
        b"",
    ],
)
def test_what_is_not_exactly_one_valid_token_is_refused(site: Any, value: bytes) -> None:
    for method, path in (("GET", "/v1/hooks"), ("POST", "/v1/triggers/x/invoke")):
        answer = site.ask(method, path, token=None, headers=authorization(value))
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert "x-evil" not in answer.headers
        assert TOKEN not in answer.text


def test_the_scheme_is_read_in_any_case_and_with_any_blanks(site: Any) -> None:
    for scheme in (b"Bearer ", b"bearer ", b"bEARER ", b"Bearer   "):
        given = authorization(scheme + TOKEN.encode())
        assert site.get("/v1/hooks", token=None, headers=given).status_code == 200


def test_two_authorization_headers_are_refused_even_if_both_are_valid(site: Any) -> None:
    twice = authorization(b"Bearer " + TOKEN.encode())
    for method, path in (("GET", "/v1/hooks"), ("POST", "/v1/triggers/x/invoke")):
        answer = site.ask(method, path, headers=twice)
        assert answer.status_code == 400
        assert answer.json()["problems"][0]["key"] == "authorization"


def test_the_hash_of_a_token_opens_nothing(site: Any) -> None:
    for stored in site.hooks.table.tokens:
        assert site.get("/v1/hooks", token=stored).status_code == 401


def test_a_revoked_client_is_refused(site: Any) -> None:
    table = site.hooks.table
    revoked = {key: structs.replace(client, revoked=True) for key, client in table.clients.items()}
    site.hooks.table = replace(table, clients=revoked)
    assert site.get("/v1/hooks").status_code == 401


def test_an_unknown_caller_learns_nothing_of_what_exists(site: Any, make_hook: Any) -> None:
    site.put(make_hook())
    for path in ("/v1/hooks/a-hook", "/v1/hooks/nothing", "/v1/hooks?misspelt=1"):
        assert site.get(path, token=None).status_code == 401


def test_nothing_is_read_of_the_body_of_an_unknown_caller(site: Any, make_hook: Any) -> None:
    site.put(make_hook())

    async def body() -> Any:
        raise AssertionError("the body was read")
        yield b""

    answer = site.invoke(body(), token="wrong")
    assert answer.status_code == 401


def test_tokens_and_queries_stay_out_of_the_log(
    site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="hookledger")
    site.get("/v1/audit?text=personal")
    site.get("/v1/audit", token="hlt_wrong")
    lines = [vars(record) for record in caplog.records if record.name == "hookledger.web"]
    assert [(line["method"], line["path"], line["status"], line["client"]) for line in lines] == [
        ("GET", "/v1/audit", 200, "client-0"),
        ("GET", "/v1/audit", 401, None),
    ]
    assert all(line["ms"] >= 0 for line in lines)
    told = repr(lines)
    assert TOKEN not in told
    assert "hlt_wrong" not in told
    assert "personal" not in told


def test_an_invocation_leaves_no_line_of_its_own(
    site: Any, make_hook: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="hookledger")
    site.put(make_hook())
    site.invoke()
    assert [record for record in caplog.records if record.name == "hookledger.web"] == []


def test_a_signed_token_speaks_for_its_client_and_no_more_scopes_than_it_names(site: Any) -> None:
    claims = {"azp": "client-0", "scope": "read:audit", "exp": 2e9}
    token = site.signer.sign(claims)
    assert site.get("/v1/audit", token=token).status_code == 200
    assert site.get("/v1/hooks", token=token).status_code == 403


def test_a_signed_token_gives_nothing_that_its_client_lost(site: Any) -> None:
    site.let_in("hlt_small", "read:hooks")
    token = site.signer.sign({"azp": "client-1", "scope": "read:hooks read:audit", "exp": 2e9})
    assert site.get("/v1/hooks", token=token).status_code == 200
    assert site.get("/v1/audit", token=token).status_code == 403


def test_a_revoked_client_is_refused_at_once_with_a_signed_token_that_was_good(site: Any) -> None:
    token = site.signer.sign({"azp": "client-0", "scope": "read:audit", "exp": 2e9})
    assert site.get("/v1/audit", token=token).status_code == 200
    table = site.hooks.table
    revoked = {key: structs.replace(client, revoked=True) for key, client in table.clients.items()}
    site.hooks.table = replace(table, clients=revoked)
    assert site.get("/v1/audit", token=token).status_code == 401
    site.hooks.table = replace(table, clients={})
    assert site.get("/v1/audit", token=token).status_code == 401


def test_a_token_of_a_trusted_issuer_is_named_with_its_issuer(site: Any, make_hook: Any) -> None:
    site.put(make_hook())
    claims = {"by": "corporate", "azp": "ada", "scope": "invoke:triggers", "exp": 2e9}
    assert site.invoke(token=site.signer.sign(claims)).status_code == 200
    assert site.journal.records[0].caller == "corporate|ada"
    assert site.get("/v1/audit", token=next(iter(site.signer.signed))).status_code == 403


def test_one_of_several_scopes_is_enough_where_any_will_do(site: Any) -> None:
    from app.web.admission.auth import admit
    from app.web.protocol.errors import MissingScope

    site.let_in("hlt_one", "read:audit")
    given = authorization(b"Bearer hlt_one")
    table = site.hooks.table
    assert admit(table, given, "read:hooks", "read:audit").id == "client-1"
    with pytest.raises(MissingScope, match="one of the scopes `read:hooks`, `update:hooks`"):
        admit(table, given, "read:hooks", "update:hooks")
