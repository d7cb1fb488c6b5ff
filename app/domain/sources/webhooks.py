"""Push notices of forges: are they authentic, and which branches do they say have moved.

Each forge signs the raw body with a secret that it shares with us. A notice is only ever a reason
to look at the branch again: no commit, address or name in it is believed.

GitHub, "Validating webhook deliveries"; Gitea and Forgejo, "Webhooks"; GitLab, "Webhooks" (secret
token) and Standard Webhooks 1.0 (signing token); Bitbucket, "Manage webhooks".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

MAX_AGE_SECONDS = 300
"""How far the time of a signature may be from now, where it bears one (Standard Webhooks)."""

Headers = Mapping[str, str]
"""Names in lower case."""

_HEADS = "refs/heads/"
_WHSEC = "whsec_"
_MAX_SIGNATURES = 10
_MAX_ID = 200


@dataclass(frozen=True, slots=True)
class Forge:
    """How one kind of forge signs and tells."""

    is_authentic: Callable[[Headers, bytes, bytes, datetime], bool]
    """Given headers, body, one secret and the time."""
    id_headers: tuple[str, ...]
    """Headers that name a delivery, the same when it is sent again."""
    event_header: str | None
    push_events: frozenset[str]
    branches: Callable[[Mapping[str, Any]], Iterable[str]]
    """Short names of the branches that a push is about."""

    def delivery_id(self, headers: Headers) -> str | None:
        found = (headers[name] for name in self.id_headers if headers.get(name))
        return next(found, "")[:_MAX_ID] or None

    def is_push(self, headers: Headers) -> bool:
        if self.event_header is None:
            return True
        return headers.get(self.event_header, "") in self.push_events


def is_authentic(
    forge: Forge, headers: Headers, body: bytes, secrets: Sequence[bytes], now: datetime
) -> bool:
    """Tell whether one of ``secrets`` signed the body; each is tried, whichever it is."""
    judged = [forge.is_authentic(headers, body, secret, now) for secret in secrets]
    return any(judged)


def _hex_hmac(*names: str, prefix: str = "") -> Callable[[Headers, bytes, bytes, datetime], bool]:
    def is_signed(headers: Headers, body: bytes, secret: bytes, _now: datetime) -> bool:
        given = next((headers[name] for name in names if name in headers), "")
        expected = prefix + hmac.new(secret, body, hashlib.sha256).hexdigest()
        return _same(given, expected)

    return is_signed


def _standard(headers: Headers, body: bytes, secret: bytes, now: datetime) -> bool:
    sent_id, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent_id or not sent_at.isascii() or not sent_at.isdecimal():
        return False
    # Text of thousands of digits is no time.
    if len(sent_at) > len("9999999999") or abs(now.timestamp() - int(sent_at)) > MAX_AGE_SECONDS:
        return False
    signed = f"{sent_id}.{sent_at}.".encode() + body
    digest = hmac.new(_standard_key(secret), signed, hashlib.sha256).digest()
    expected = f"v1,{base64.b64encode(digest).decode()}"
    given = headers.get("webhook-signature", "").split(" ")[:_MAX_SIGNATURES]
    return any(_same(signature, expected) for signature in given)


def _standard_key(secret: bytes) -> bytes:
    if secret.startswith(_WHSEC.encode()):
        try:
            return base64.b64decode(secret.removeprefix(_WHSEC.encode()), validate=True)
        except binascii.Error:
            return secret
    return secret


def _gitlab(headers: Headers, body: bytes, secret: bytes, now: datetime) -> bool:
    if "webhook-signature" in headers:
        return _standard(headers, body, secret, now)
    return _same(headers.get("x-gitlab-token", ""), secret.decode("utf-8", "replace"))


def _gitea(headers: Headers, body: bytes, secret: bytes, now: datetime) -> bool:
    if "x-hub-signature-256" in headers:
        return _github(headers, body, secret, now)
    return _gitea_own(headers, body, secret, now)


def _generic(headers: Headers, body: bytes, secret: bytes, now: datetime) -> bool:
    if "webhook-signature" in headers:
        return _standard(headers, body, secret, now)
    return _generic_own(headers, body, secret, now)


_github = _hex_hmac("x-hub-signature-256", prefix="sha256=")
_gitea_own = _hex_hmac("x-forgejo-signature", "x-gitea-signature")
_bitbucket = _hex_hmac("x-hub-signature", prefix="sha256=")
_generic_own = _hex_hmac("x-signature", prefix="sha256=")


def _same(given: str, expected: str) -> bool:
    # As bytes: for text that is not ASCII, compare_digest raises.
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def _by_ref(payload: Mapping[str, Any]) -> Iterator[str]:
    ref = payload.get("ref")
    if isinstance(ref, str) and ref.startswith(_HEADS):
        yield ref.removeprefix(_HEADS)


def _of_bitbucket(payload: Mapping[str, Any]) -> Iterator[str]:
    """Read both forms: ``push.changes[].new`` of the cloud, ``changes[].ref`` of a data centre."""
    push = payload.get("push")
    listed = push.get("changes") if isinstance(push, Mapping) else payload.get("changes")
    for change in listed if isinstance(listed, list) else ():
        if not isinstance(change, Mapping):
            continue
        for member in ("new", "old", "ref"):
            place = change.get(member)
            if not isinstance(place, Mapping):
                continue
            name = place.get("displayId") if member == "ref" else place.get("name")
            if isinstance(name, str) and str(place.get("type")).lower() == "branch":
                yield name


def _gitea_like(name: str) -> Forge:
    return Forge(
        is_authentic=_gitea,
        id_headers=(f"x-{name}-delivery", "x-gitea-delivery", "x-github-delivery"),
        event_header=f"x-{name}-event",
        push_events=frozenset({"push"}),
        branches=_by_ref,
    )


FORGES: Mapping[str, Forge] = {
    "github": Forge(
        is_authentic=_github,
        id_headers=("x-github-delivery",),
        event_header="x-github-event",
        push_events=frozenset({"push"}),
        branches=_by_ref,
    ),
    "gitlab": Forge(
        is_authentic=_gitlab,
        id_headers=("webhook-id", "idempotency-key", "x-gitlab-event-uuid"),
        event_header="x-gitlab-event",
        push_events=frozenset({"Push Hook", "System Hook"}),
        branches=_by_ref,
    ),
    "gitea": _gitea_like("gitea"),
    "forgejo": _gitea_like("forgejo"),
    "bitbucket": Forge(
        is_authentic=_bitbucket,
        id_headers=("x-request-uuid", "x-request-id"),
        event_header="x-event-key",
        push_events=frozenset({"repo:push", "repo:refs_changed"}),
        branches=_of_bitbucket,
    ),
    "generic": Forge(
        is_authentic=_generic,
        id_headers=("webhook-id", "x-delivery"),
        event_header=None,
        push_events=frozenset(),
        branches=_by_ref,
    ),
}
"""By the name that stands in the webhook's path."""
