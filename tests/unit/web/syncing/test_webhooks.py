"""Notices over HTTP: authentic ones make the server look, nothing else comes of any."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.application.syncing.receive_webhooks import REMEMBERED, WebhookDesk, WebhookTarget

PAYLOADS = Path(__file__).parents[3] / "data" / "webhooks"
SECRET = b"0123456789abcdef"
PUSH = (PAYLOADS / "github.push.json").read_bytes()


@dataclass
class Forge:
    """A site with one source that takes notices, and GitHub's side of it."""

    site: Any
    hints: list[str] = field(default_factory=list)
    now: datetime = datetime(2026, 11, 20, tzinfo=UTC)

    def send(
        self,
        body: bytes = PUSH,
        path: str = "/webhooks/github/default",
        *,
        secret: bytes = SECRET,
        event: str = "push",
        delivery: str = "1",
        **more: Any,
    ) -> httpx.Response:
        signature = b"sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest().encode()
        headers = [
            (b"x-hub-signature-256", signature),
            (b"x-github-event", event.encode()),
            (b"x-github-delivery", delivery.encode()),
            *more.pop("headers", ()),
        ]
        answer = self.site.post(path, body, token=None, headers=headers, **more)
        assert isinstance(answer, httpx.Response)
        return answer


@pytest.fixture
def forge(site: Any) -> Forge:
    made = Forge(site)
    target = WebhookTarget("master", lambda: [SECRET], lambda: made.hints.append("default"))
    site.services = replace(
        site.services, webhooks=WebhookDesk({"default": target}, lambda: made.now)
    )
    return made


def test_a_signed_push_of_the_followed_branch_is_a_hint(forge: Forge) -> None:
    answer = forge.send()
    assert (answer.status_code, answer.json()["status"]) == (202, "hinted")
    assert forge.hints == ["default"]


@pytest.mark.parametrize(
    ("body", "event"),
    [
        ((PAYLOADS / "github.ping.json").read_bytes(), "ping"),
        ((PAYLOADS / "github.push-of-tag.json").read_bytes(), "push"),
        (PUSH.replace(b"refs/heads/master", b"refs/heads/other"), "push"),
        (PUSH, "issues"),
    ],
)
def test_other_branches_and_events_are_ignored(forge: Forge, body: bytes, event: str) -> None:
    answer = forge.send(body, event=event)
    assert (answer.status_code, answer.json()["status"]) == (202, "ignored")
    assert forge.hints == []


def test_nobody_learns_which_sources_there_are(forge: Forge) -> None:
    answers = [
        forge.send(secret=b"another secret!!"),
        forge.send(path="/webhooks/github/no-such-source"),
        forge.site.post("/webhooks/github/default", PUSH, token=None),
        forge.send(path="/webhooks/github/no-such-source", secret=b""),
    ]
    seen = {(a.status_code, a.json()["detail"], a.json()["type"]) for a in answers}
    assert len(seen) == 1
    assert answers[0].status_code == 401
    assert forge.hints == []
    refused = {(one.kind, one.client, one.route, one.reason) for one in forge.site.access.noted}
    assert refused == {("denied", "", "POST /webhooks/{forge}/{source}", "bad signature")}
    assert len(forge.site.access.noted) == len(answers)


def test_an_unknown_forge_is_not_found(forge: Forge) -> None:
    assert forge.send(path="/webhooks/sourcehut/default").status_code == 404


def test_an_access_token_does_not_stand_in_for_a_signature(forge: Forge) -> None:
    assert forge.site.post("/webhooks/github/default", PUSH).status_code == 401


def test_a_delivery_is_acted_on_once_within_an_hour(forge: Forge) -> None:
    assert [forge.send().json()["status"] for _ in range(2)] == ["hinted", "repeated"]
    assert forge.send(delivery="2").json()["status"] == "hinted"
    forge.now += timedelta(hours=2)
    assert forge.send().json()["status"] == "hinted"


def test_the_memory_of_deliveries_is_bounded(forge: Forge) -> None:
    desk = forge.site.services.webhooks
    headers = {"x-github-event": "push"}
    kind = desk.admit(
        "github",
        "default",
        {"x-hub-signature-256": "sha256=" + hmac.new(SECRET, PUSH, hashlib.sha256).hexdigest()},
        PUSH,
    )
    for number in range(REMEMBERED + 50):
        desk.receive(kind, "default", headers | {"x-github-delivery": str(number)}, PUSH)
    assert len(desk._seen["default"]._ids) <= REMEMBERED + 1


def test_a_body_beyond_the_limit_is_not_read(forge: Forge) -> None:
    assert forge.send(b" " * (256 * 1024 + 1)).status_code == 413
    most = json.dumps({"ref": "refs/heads/master"}).encode().ljust(256 * 1024)
    assert forge.send(most).status_code == 202
    assert forge.hints == ["default"]


@pytest.mark.parametrize("body", [b"", b"payload=%7B%7D", b"[]", b"[" * 100_000, b"\xff"])
def test_a_signed_body_that_cannot_be_read_is_a_problem(forge: Forge, body: bytes) -> None:
    answer = forge.send(body)
    assert answer.status_code == 400
    assert "application/json" in answer.json()["detail"]


def test_a_signature_that_is_there_twice_is_refused(forge: Forge) -> None:
    assert forge.send(headers=[(b"x-hub-signature-256", b"sha256=0")]).status_code == 400


def test_a_generic_notice_may_be_empty(forge: Forge) -> None:
    for body in (b"", b"{}", b'{"ref": "refs/heads/master"}'):
        signature = b"sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest().encode()
        answer = forge.site.post(
            "/webhooks/generic/default", body, token=None, headers=[(b"x-signature", signature)]
        )
        assert (answer.status_code, answer.json()["status"]) == (202, "hinted")
    assert forge.hints == ["default"] * 3
