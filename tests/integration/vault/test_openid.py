"""Signing in with an OpenID Connect provider, an unfriendly one included."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from app.application.callers.session_ports import SignInAttempt
from app.domain.errors import Transient, Unauthenticated
from app.vault.openid import OpenIdClient, OpenIdProvider

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ATTEMPT = SignInAttempt("the-state", "the-nonce", "the-verifier-of-this-attempt-0123456789")
REDIRECT = "http://127.0.0.1:8080/login/openid/return"


class Provider:
    """A provider that says what a test wants it to."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"}, auto_kid=False)
        self.published = [self.key]
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "k1"}
        self.signed_by: Any = self.key
        self.metadata: dict[str, Any] = {}
        self.token_answer: tuple[int, bytes] | None = None
        self.asked: list[tuple[str, dict[str, str], str | None]] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.endswith("/.well-known/openid-configuration"):
                    self.answer(200, json.dumps(provider.described()).encode())
                else:
                    keys = [key.as_dict(private=False) for key in provider.published]
                    self.answer(200, json.dumps({"keys": keys}).encode())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                provider.asked.append((self.path, form, self.headers["authorization"]))
                self.answer(*(provider.token_answer or (200, provider.token())))

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}/realm"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def described(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        } | self.metadata

    def token(self) -> bytes:
        now = int(NOW.timestamp())
        claims = {
            "iss": self.issuer,
            "sub": "ada",
            "aud": "hookledger",
            "iat": now,
            "exp": now + 300,
            "nonce": ATTEMPT.nonce,
            "groups": ["ops"],
        } | self.claims
        claims = {name: value for name, value in claims.items() if value is not None}
        return json.dumps({"id_token": jwt.encode(self.header, claims, self.signed_by)}).encode()

    def client(self, secret: str = "se:cret") -> OpenIdProvider:
        made = OpenIdClient(self.issuer, "hookledger", secret, ("openid", "email"), REDIRECT)
        return OpenIdProvider(made, lambda: NOW)


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.server.shutdown()
    made.server.server_close()


def claims(provider: Provider, secret: str = "se:cret") -> Any:
    return asyncio.run(provider.client(secret).claims(ATTEMPT, "the-code"))


def test_the_browser_is_sent_with_state_nonce_and_challenge(provider: Provider) -> None:
    address = urlsplit(asyncio.run(provider.client().address(ATTEMPT)))
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{provider.issuer}/authorize"
    challenge = hashlib.sha256(ATTEMPT.verifier.encode()).digest()
    assert {name: values[0] for name, values in parse_qs(address.query).items()} == {
        "response_type": "code",
        "client_id": "hookledger",
        "redirect_uri": REDIRECT,
        "scope": "openid email",
        "state": ATTEMPT.state,
        "nonce": ATTEMPT.nonce,
        "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
        "code_challenge_method": "S256",
    }


def test_the_code_is_exchanged_for_verified_claims(provider: Provider) -> None:
    assert claims(provider)["groups"] == ["ops"]
    (path, form, authorization) = provider.asked[0]
    assert path == "/realm/token"
    assert form == {
        "grant_type": "authorization_code",
        "code": "the-code",
        "redirect_uri": REDIRECT,
        "code_verifier": ATTEMPT.verifier,
    }
    assert authorization is not None
    assert base64.b64decode(authorization.removeprefix("Basic ")) == b"hookledger:se%3Acret"


def test_a_secret_goes_into_the_form_where_the_provider_wants_it(provider: Provider) -> None:
    provider.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    claims(provider)
    assert provider.asked[0][1]["client_secret"] == "se:cret"
    assert provider.asked[0][2] is None


def test_a_public_client_has_no_secret_to_send(provider: Provider) -> None:
    claims(provider, secret="")
    assert provider.asked[0][1]["client_id"] == "hookledger"
    assert provider.asked[0][2] is None


@pytest.mark.parametrize(
    "bad",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": ["hookledger", "another"]},
        {"aud": ["hookledger", "another"], "azp": "another"},
        {"azp": "another"},
        {"exp": int(NOW.timestamp()) - 61},
        {"exp": None},
        {"iat": int(NOW.timestamp()) + 3600},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
    ],
)
def test_claims_that_are_not_for_this_sign_in_are_refused(
    provider: Provider, bad: dict[str, Any]
) -> None:
    provider.claims = bad
    with pytest.raises(Unauthenticated, match="did not sign you in"):
        claims(provider)


def another_key(provider: Provider) -> None:
    provider.signed_by = RSAKey.generate_key(2048, {"kid": "k1"}, auto_kid=False)


def unknown_key(provider: Provider) -> None:
    provider.header = {"alg": "RS256", "kid": "k2"}


def symmetric(provider: Provider) -> None:
    """Sign with the public key as if it were a shared secret (RFC 8725, 2.1)."""
    _, body, _ = json.loads(provider.token())["id_token"].split(".")
    head = encoded(b'{"alg": "HS256", "kid": "k1"}')
    key = provider.key.as_pem(private=False)
    signature = encoded(hmac.digest(key, f"{head}.{body}".encode(), "sha256"))
    token = json.dumps({"id_token": f"{head}.{body}.{signature}"})
    provider.token_answer = (200, token.encode())


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize("forge", [another_key, unknown_key, symmetric])
def test_a_token_that_the_provider_did_not_sign_is_refused(
    provider: Provider, forge: Callable[[Provider], None]
) -> None:
    forge(provider)
    with pytest.raises(Unauthenticated, match="did not sign you in"):
        claims(provider)


@pytest.mark.parametrize(
    "answer",
    [(400, b'{"error": "invalid_grant"}'), (200, b"{}"), (200, b"<html>"), (200, b'{"id_token": "a.b.c"}'), (200, b'{"id_token": 7}')],
)  # fmt: skip
def test_a_provider_that_does_not_vouch_signs_nobody_in(
    provider: Provider, answer: tuple[int, bytes]
) -> None:
    provider.token_answer = answer
    with pytest.raises(Unauthenticated, match="did not sign you in"):
        claims(provider)


def test_a_key_that_is_new_is_looked_for_once_more(provider: Provider) -> None:
    async def scenario() -> Any:
        client = provider.client()
        await client.address(ATTEMPT)
        new = RSAKey.generate_key(2048, {"kid": "k2"}, auto_kid=False)
        provider.published, provider.signed_by = [provider.key, new], new
        provider.header = {"alg": "RS256", "kid": "k2"}
        return await client.claims(ATTEMPT, "the-code")

    assert asyncio.run(scenario())["sub"] == "ada"


@pytest.mark.parametrize(
    "metadata",
    [{"issuer": "https://evil.example"}, {"token_endpoint": "http://evil.example/token"}, {"jwks_uri": None}],
)  # fmt: skip
def test_metadata_of_somebody_else_is_refused(provider: Provider, metadata: dict[str, Any]) -> None:
    provider.metadata = metadata
    with pytest.raises(Transient, match=r"dashboard\.openid\.issuer"):
        asyncio.run(provider.client().address(ATTEMPT))


def test_a_provider_that_is_down_may_be_up_again(provider: Provider) -> None:
    provider.server.server_close()
    provider.server.shutdown()
    with pytest.raises(Transient, match="cannot be reached"):
        asyncio.run(provider.client().address(ATTEMPT))
