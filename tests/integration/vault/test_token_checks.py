"""Forged, stolen and stale access tokens, written as their forgers write them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from app.domain.callers.tokens import Audiences, VerifiedToken
from app.domain.errors import Transient, Unauthenticated
from app.vault import issuers
from app.vault.issuers import TrustedIssuer, TrustedIssuers, keys_of
from app.vault.sealing import SealingVault
from app.vault.signing_keys import SigningKeys
from app.vault.token_checks import MAX_TOKEN_CHARACTERS, JwtChecks

ISSUER = "https://hooks.example.com/"
AUDIENCE = "https://hooks.example.com/api/v2/"
THEIRS = "https://login.example.com/"


@pytest.fixture
def own(tmp_path: Path, vault: SealingVault, clock: Any) -> Iterator[SigningKeys]:
    keys = SigningKeys(tmp_path / "signing.db", vault, clock, lifetime=timedelta(hours=1))
    yield keys
    keys.close()


@pytest.fixture(scope="session")
def their_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "theirs", "use": "sig"})


@pytest.fixture
def jwks(tmp_path: Path, their_key: RSAKey) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [their_key.as_dict(private=False)]}))
    return path


@pytest.fixture
def trusted(jwks: Path) -> TrustedIssuers:
    one = TrustedIssuer(
        "corporate", THEIRS, str(jwks), (AUDIENCE,), {"hooks.run": ("invoke:triggers",)}
    )
    return TrustedIssuers([one])


@pytest.fixture
def checks(own: SigningKeys, trusted: TrustedIssuers, clock: Any) -> JwtChecks:
    return JwtChecks(
        issuer=ISSUER,
        audiences=Audiences.of([ISSUER], []),
        own=own,
        trusted=trusted,
        clock=clock,
    )


@pytest.fixture
def claims(clock: Any) -> Callable[..., dict[str, Any]]:
    def make(**others: Any) -> dict[str, Any]:
        now = int(clock().timestamp())
        made = {
            "iss": ISSUER,
            "sub": "c1@clients",
            "azp": "c1",
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 3600,
            "scope": "read:hooks read:audit",
        } | others
        return {name: value for name, value in made.items() if value is not ...}

    return make


def encoded(part: Any) -> str:
    text = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def refused(checks: JwtChecks, token: str) -> str:
    with pytest.raises(Unauthenticated) as error:
        checks.verify(token)
    assert len(token) < 40 or token not in str(error.value)
    return str(error.value)


def test_our_own_token_proves_client_scopes_and_end(
    checks: JwtChecks, own: SigningKeys, claims: Any
) -> None:
    verified = checks.verify(own.sign(claims()))
    assert verified == VerifiedToken(
        VerifiedToken.OWN, "c1", frozenset({"read:hooks", "read:audit"}), claims()["exp"]
    )


def test_a_token_without_signature_is_refused(
    checks: JwtChecks, own: SigningKeys, claims: Any
) -> None:
    kid = own.published()[0].kid
    for name in ("none", "None", "NONE", "nOnE", ""):
        head = encoded({"alg": name, "kid": kid})
        for signature in ("", "eA"):
            refused(checks, f"{head}.{encoded(claims())}.{signature}")


def test_a_token_signed_with_the_public_key_as_a_password_is_refused(
    checks: JwtChecks, own: SigningKeys, claims: Any
) -> None:
    key = own.published()[0]
    document = key.public.as_dict(private=False)
    for secret in (
        key.public.as_pem(private=False),
        key.public.as_pem(private=False).strip(),
        key.public.as_der(private=False),
        json.dumps(document).encode(),
        str(document["n"]).encode(),
    ):
        for alg, digest in (("HS256", hashlib.sha256), ("HS512", hashlib.sha512)):
            signed = f"{encoded({'alg': alg, 'kid': key.kid})}.{encoded(claims())}"
            mac = hmac.new(secret, signed.encode(), digest).digest()
            refused(checks, f"{signed}.{encoded(mac)}")


def test_a_token_that_brings_its_own_key_is_refused(
    checks: JwtChecks, own: SigningKeys, claims: Any
) -> None:
    evil = RSAKey.generate_key(2048)
    kid = own.published()[0].kid
    for extra in (
        {"jwk": evil.as_dict(private=False)},
        {"jku": "https://evil.example.com/jwks.json"},
        {"x5u": "https://evil.example.com/x5u"},
        {},
    ):  # each beside a key id of ours
        token = jwt.encode({"alg": "RS256", "kid": kid, **extra}, claims(), evil)
        assert re.search("bad signature|no signed token", refused(checks, token))


def test_a_key_of_another_issuer_signs_nothing_in_our_name(
    checks: JwtChecks, trusted: TrustedIssuers, claims: Any, their_key: RSAKey
) -> None:
    asyncio.run(trusted.refresh())
    token = jwt.encode({"alg": "RS256", "kid": "theirs"}, claims(), their_key)
    assert "its key is not in use" in refused(checks, token)


def test_our_key_signs_nothing_in_the_name_of_another_issuer(
    checks: JwtChecks, trusted: TrustedIssuers, own: SigningKeys, claims: Any
) -> None:
    asyncio.run(trusted.refresh())
    assert "no such key" in refused(checks, own.sign(claims(iss=THEIRS)))


@pytest.mark.parametrize("kid", ["", "../../etc/passwd", "' OR 1=1 --", "x" * 1000, 7, None, ["a"]])
def test_a_key_id_is_a_name_and_nothing_else(
    checks: JwtChecks, own: SigningKeys, claims: Any, kid: Any
) -> None:
    _, body, signature = own.sign(claims()).split(".")
    refused(checks, f"{encoded({'alg': 'RS256', 'kid': kid})}.{body}.{signature}")


def test_a_changed_token_is_refused(checks: JwtChecks, own: SigningKeys, claims: Any) -> None:
    head, body, signature = own.sign(claims()).split(".")
    more = encoded(claims(scope="delete:hooks"))
    refused(checks, f"{head}.{more}.{signature}")
    refused(checks, f"{head}.{body}.{signature[:-8]}")
    refused(checks, f"{head}.{body}.")
    refused(
        checks, f"{encoded({'alg': 'RS512', 'kid': own.published()[0].kid})}.{body}.{signature}"
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": ...}, "missing"),
        ({"exp": "soon"}, "invalid claim"),
        ({"exp": True}, "invalid claim"),
        ({"iat": ...}, "missing"),
        ({"iat": 9_999_999_999}, "invalid"),
        ({"nbf": 9_999_999_999}, "invalid"),
        ({"sub": ...}, "missing"),
        ({"sub": "c2@clients"}, "names no client"),
        ({"azp": ...}, "names no client"),
        ({"azp": 1}, "names no client"),
        ({"aud": ...}, "missing"),
        ({"aud": "https://evil.example.com/"}, "another audience"),
        ({"aud": f"https://evil.example.com/ {AUDIENCE}"}, "another audience"),
        ({"aud": {"x": AUDIENCE}}, "audience|invalid"),
        ({"iss": ...}, "issuer is missing"),
        ({"iss": ISSUER.rstrip("/")}, "not trusted"),
        ({"iss": "https://evil.example.com/"}, "not trusted"),
        ({"iss": [ISSUER]}, "issuer is missing"),
    ],
)
def test_each_claim_counts(
    checks: JwtChecks, own: SigningKeys, claims: Any, changes: Any, reason: str
) -> None:
    assert re.search(reason, refused(checks, own.sign(claims(**changes))))


def test_a_token_ends_to_the_second(
    checks: JwtChecks, own: SigningKeys, claims: Any, clock: Any
) -> None:
    token = own.sign(claims())
    clock.advance(timedelta(seconds=3599))
    checks.verify(token)
    clock.advance(timedelta(seconds=2))
    assert "expired" in refused(checks, token)


def test_one_of_several_audiences_is_enough(
    checks: JwtChecks, own: SigningKeys, claims: Any
) -> None:
    assert checks.verify(own.sign(claims(aud=["https://x/", AUDIENCE]))).subject == "c1"


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c",
        "a.b.c.d.e",
        "é.é.é",
        "e30.e30.e30",
        "\udcff.a.b",
        "bnVsbA.bnVsbA.eA",
    ],
)
def test_what_is_no_token_is_refused(checks: JwtChecks, token: str) -> None:
    refused(checks, token)


def test_an_oversized_token_is_refused_before_it_is_read(
    checks: JwtChecks, own: SigningKeys, claims: Any
) -> None:
    token = own.sign(claims(padding="x" * MAX_TOKEN_CHARACTERS))
    assert f"longer than {MAX_TOKEN_CHARACTERS}" in refused(checks, token)
    refused(checks, "a." * 1_000_000)


def test_deeply_nested_and_critical_headers_are_refused(
    checks: JwtChecks, own: SigningKeys, claims: Any
) -> None:
    kid = own.published()[0].kid
    _, body, signature = own.sign(claims()).split(".")
    deep = b'{"alg":"RS256","kid":' + b"[" * 2000 + b"]" * 2000 + b"}"
    refused(checks, f"{encoded(deep)}.{body}.{signature}")
    head: dict[str, Any] = {"alg": "RS256", "kid": kid, "crit": ["exp"]}
    refused(checks, f"{encoded(head)}.{body}.{signature}")
    head = {"alg": "RS256", "kid": kid, "b64": False, "crit": ["b64"]}
    refused(checks, f"{encoded(head)}.{body}.{signature}")


def test_a_token_of_a_trusted_issuer_is_accepted_with_its_scopes_translated(
    checks: JwtChecks, trusted: TrustedIssuers, claims: Any, their_key: RSAKey
) -> None:
    asyncio.run(trusted.refresh())
    for claim in ("scope", "scp", "permissions"):
        given = claims(iss=THEIRS, sub="ada", scope=...) | {claim: ["hooks.run", "delete:hooks"]}
        token = jwt.encode({"alg": "RS256", "kid": "theirs"}, given, their_key)
        verified = checks.verify(token)
        assert (verified.issuer, verified.subject) == ("corporate", "ada")
        assert verified.scopes == {"invoke:triggers"}


@pytest.mark.parametrize(
    ("alg", "key"),
    [
        ("PS256", RSAKey.generate_key(2048, {"kid": "theirs"})),
        ("RS512", RSAKey.generate_key(2048, {"kid": "theirs", "alg": "RS512"})),
        ("ES256", ECKey.generate_key("P-256", {"kid": "theirs"})),
        ("ES384", ECKey.generate_key("P-384", {"kid": "theirs"})),
        ("Ed25519", OKPKey.generate_key("Ed25519", {"kid": "theirs"})),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_issuers_sign_with_the_algorithms_of_their_keys(
    checks: JwtChecks, trusted: TrustedIssuers, claims: Any, jwks: Path, alg: str, key: Any
) -> None:
    jwks.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    asyncio.run(trusted.refresh())
    token = jwt.encode({"alg": alg, "kid": "theirs"}, claims(iss=THEIRS), key, algorithms=[alg])
    assert checks.verify(token).issuer == "corporate"


@pytest.mark.parametrize(
    "changes", [{"aud": "https://other.example.com/"}, {"sub": ""}, {"sub": "a\nb"}, {"sub": 5}]
)
def test_a_token_of_a_trusted_issuer_for_somebody_else_is_refused(
    checks: JwtChecks, trusted: TrustedIssuers, claims: Any, their_key: RSAKey, changes: Any
) -> None:
    asyncio.run(trusted.refresh())
    given = claims(iss=THEIRS, **changes)
    refused(checks, jwt.encode({"alg": "RS256", "kid": "theirs"}, given, their_key))


def test_unknown_keys_are_fetched_beside_the_request_and_not_for_every_bad_token(
    checks: JwtChecks,
    trusted: TrustedIssuers,
    claims: Any,
    their_key: RSAKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []
    original = issuers._read

    async def counting(place: str) -> bytes:
        read.append(place)
        return await original(place)

    monkeypatch.setattr(issuers, "_read", counting)
    good = jwt.encode({"alg": "RS256", "kid": "theirs"}, claims(iss=THEIRS), their_key)
    bad = jwt.encode({"alg": "RS256", "kid": "new"}, claims(iss=THEIRS), their_key)

    async def story() -> None:
        running = asyncio.ensure_future(trusted.run())
        with pytest.raises(Transient, match="being fetched"):
            checks.verify(good)
        for _ in range(500):
            if read:
                break
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert checks.verify(good).subject == "c1@clients"
        for _ in range(100):
            refused(checks, bad)
        await asyncio.sleep(0.05)
        assert len(read) == 1
        running.cancel()

    asyncio.run(story())


def test_keys_that_cannot_be_fetched_are_neither_trusted_nor_forgotten(
    checks: JwtChecks, trusted: TrustedIssuers, claims: Any, their_key: RSAKey, jwks: Path
) -> None:
    good = jwt.encode({"alg": "RS256", "kid": "theirs"}, claims(iss=THEIRS), their_key)
    found = trusted.find(THEIRS)
    assert found is not None
    content = jwks.read_text()
    jwks.write_text("<html>")
    asyncio.run(found.fetch())
    with pytest.raises(Transient):
        checks.verify(good)
    jwks.write_text(content)
    asyncio.run(found.fetch())
    assert checks.verify(good).issuer == "corporate"
    jwks.unlink()
    asyncio.run(found.fetch())
    assert checks.verify(good).issuer == "corporate"


def test_only_keys_for_signatures_are_taken_from_a_key_set() -> None:
    good = ECKey.generate_key("P-256", {"kid": "ec"})
    entries = [
        good.as_dict(private=False),
        OKPKey.generate_key("Ed25519", {"kid": "ed"}).as_dict(private=False),
        OctKey.generate_key(256, {"kid": "oct"}).as_dict(),
        {"kty": "RSA", "kid": "short", "e": "AQAB", "n": "u" * 171},
        RSAKey.generate_key(2048, {"kid": "enc", "use": "enc"}).as_dict(private=False),
        RSAKey.generate_key(2048).as_dict(private=False),
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        "nonsense",
    ]
    assert set(keys_of(json.dumps({"keys": entries}).encode())) == {"ec", "ed"}
    for document in (b"[]", b"{}", b'{"keys": 1}', b"nothing"):
        with pytest.raises(ValueError):
            keys_of(document)


def test_a_key_for_encryption_by_its_algorithm_verifies_nothing(
    own: SigningKeys, claims: Any, clock: Any, tmp_path: Path
) -> None:
    key = RSAKey.generate_key(2048, {"kid": "k"})
    public = key.as_dict(private=False) | {"alg": "RSA-OAEP"}
    path = tmp_path / "oaep.json"
    path.write_text(json.dumps({"keys": [public]}))
    trusted = TrustedIssuers([TrustedIssuer("x", THEIRS, str(path), (AUDIENCE,), {})])
    checks = JwtChecks(
        issuer=ISSUER, audiences=Audiences.of([ISSUER], []), own=own, trusted=trusted, clock=clock
    )
    asyncio.run(trusted.refresh())
    refused(checks, jwt.encode({"alg": "RS256", "kid": "k"}, claims(iss=THEIRS), key))
