"""Signatures of forges, against their own published examples and an independent library."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from app.domain.sources.webhooks import FORGES, is_authentic

PAYLOADS = Path(__file__).parents[3] / "data" / "webhooks"
NOW = datetime(2026, 11, 20, tzinfo=UTC)
SECRET = b"It's a Secret to Everybody"


def authentic(forge: str, headers: dict[str, str], body: bytes, *secrets: bytes) -> bool:
    return is_authentic(FORGES[forge], headers, body, secrets or (SECRET,), NOW)


def test_githubs_own_example_is_authentic() -> None:
    """Docs of GitHub: "Testing the webhook payload validation"."""
    documented = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert authentic("github", {"x-hub-signature-256": documented}, b"Hello, World!")
    assert not authentic("github", {"x-hub-signature-256": documented}, b"Hello, World")
    assert not authentic("github", {"x-hub-signature-256": documented[7:]}, b"Hello, World!")


def test_bitbuckets_own_example_is_authentic() -> None:
    """Docs of Bitbucket: "Testing validations", the same secret and body as GitHub's header."""
    documented = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
    assert authentic("bitbucket", {"x-hub-signature": documented}, b"Hello World!")
    assert not authentic("bitbucket", {"x-hub-signature-256": documented}, b"Hello World!")


@pytest.mark.parametrize("forge", ["gitlab", "generic"])
def test_an_independent_library_signs_standard_webhooks(forge: str) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = '{"ref": "refs/heads/main"}'
    signature = Webhook(secret).sign("msg_1", NOW, body)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": f"v1,bm90IHRoaXMgb25l {signature} v1a,x",
    }
    assert authentic(forge, headers, body.encode(), secret.encode())
    assert not authentic(forge, headers, body.encode(), b"another secret of ours")
    assert not authentic(forge, headers | {"webhook-id": "msg_2"}, body.encode(), secret.encode())
    without = {name: value for name, value in headers.items() if name != "webhook-id"}
    assert not authentic(forge, without, body.encode(), secret.encode())


@pytest.mark.parametrize("age", [timedelta(seconds=301), timedelta(seconds=-301)])
def test_a_standard_webhook_out_of_its_time_is_a_replay(age: timedelta) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    sent = NOW - age
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", sent, "{}"),
    }
    assert not authentic("gitlab", headers, b"{}", secret.encode())


@pytest.mark.parametrize("time", ["", "-1", "1e9", "٣", "9" * 5000, "nan"])
def test_a_time_that_is_none_is_refused(time: str) -> None:
    headers = {"webhook-id": "a", "webhook-timestamp": time, "webhook-signature": "v1,x"}
    assert not authentic("gitlab", headers, b"{}")


def test_gitlabs_token_is_compared_whole() -> None:
    token = {"x-gitlab-token": SECRET.decode()}
    assert authentic("gitlab", token, b"{}")
    assert not authentic("gitlab", {"x-gitlab-token": SECRET.decode()[:-1]}, b"{}")
    assert not authentic("gitlab", {"x-gitlab-token": "ü"}, b"{}")
    assert not authentic("gitlab", {}, b"{}")
    # A bad signature is not made good by a token.
    assert not authentic("gitlab", token | {"webhook-signature": "v1,x"}, b"{}")


@pytest.mark.parametrize("header", ["x-gitea-signature", "x-forgejo-signature"])
def test_gitea_and_forgejo_sign_without_a_prefix(header: str) -> None:
    body = (PAYLOADS / "gitea.push.json").read_bytes()
    signature = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    for forge in ("gitea", "forgejo"):
        assert authentic(forge, {header: signature}, body)
        assert authentic(forge, {"x-hub-signature-256": f"sha256={signature}"}, body)
        assert not authentic(forge, {header: signature[:-1] + "x"}, body)


@pytest.mark.parametrize("forge", FORGES)
def test_nothing_is_authentic_without_a_signature_or_a_secret(forge: str) -> None:
    assert not authentic(forge, {}, b"{}")
    signed = {"x-hub-signature-256": "sha256=" + hmac.new(b"", b"{}", hashlib.sha256).hexdigest()}
    assert not is_authentic(FORGES[forge], signed, b"{}", (), NOW)


def test_each_of_several_secrets_will_do() -> None:
    signature = "sha256=" + hmac.new(b"the new one", b"{}", hashlib.sha256).hexdigest()
    headers = {"x-hub-signature-256": signature}
    assert authentic("github", headers, b"{}", b"the old one", b"the new one")
    assert authentic("github", headers, b"{}", b"the new one", b"a newer one")
    assert not authentic("github", headers, b"{}", b"the old one", b"a newer one")


@pytest.mark.parametrize(
    ("forge", "payload", "branches"),
    [
        ("github", "github.push", ["master"]),
        ("github", "github.push-of-tag", []),
        ("gitea", "gitea.push", ["main"]),
        ("gitlab", "gitlab.push", ["main"]),
        ("bitbucket", "bitbucket.push", ["main", "main"]),
        ("bitbucket", "bitbucket-server.push", ["main"]),
    ],
)
def test_real_payloads_name_their_branches(forge: str, payload: str, branches: list[str]) -> None:
    read = json.loads((PAYLOADS / f"{payload}.json").read_bytes())
    assert list(FORGES[forge].branches(read)) == branches


@pytest.mark.parametrize("forge", FORGES)
@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"ref": None},
        {"ref": ["refs/heads/main"]},
        {"ref": "main"},
        {"push": 1, "changes": 2},
        {"push": {"changes": [1, None, {"new": 3}, {"new": {"name": {}, "type": "branch"}}]}},
    ],
)
def test_odd_payloads_name_no_branch(forge: str, payload: dict[str, object]) -> None:
    assert list(FORGES[forge].branches(payload)) == []
