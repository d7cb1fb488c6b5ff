"""Push notices in, at most a look at the branch out: authentic, not seen before, of our branch."""

from __future__ import annotations

import enum
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.application.ports import Clock
from app.domain.errors import NotFound, Rejected, Unauthenticated
from app.domain.sources.webhooks import FORGES, Forge, Headers, is_authentic

REMEMBERED = 1_000
"""Deliveries of each source that are remembered, and for how long: a replay beyond either costs one
look at the branch, which changes nothing."""
REMEMBERED_FOR = timedelta(hours=1)


class ReceiptStatus(enum.StrEnum):
    """What came of a notice."""

    HINTED = "hinted"
    IGNORED = "ignored"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a notice."""

    status: ReceiptStatus
    reason: str


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """A source that may be told of pushes."""

    branch: str
    secrets: Callable[[], Sequence[bytes]]
    """The secrets that are valid now; several while one replaces another. May read a file."""
    hint: Callable[[], None]
    """Have the branch looked at soon; called in the event loop."""


class WebhookDesk:
    """The use case; for one event loop."""

    def __init__(self, targets: Mapping[str, WebhookTarget], clock: Clock) -> None:
        self._targets = targets
        self._clock = clock
        self._seen = {source: _Memory() for source in targets}
        # Whoever does not know a secret must not learn which sources have one, not even by time.
        self._nobody = WebhookTarget("", lambda: (_UNGUESSABLE,), lambda: None)

    def admit(self, forge: str, source: str, headers: Headers, body: bytes) -> Forge:
        """Return how to read a notice that is authentic; blocking.

        Raises ``NotFound`` for an unknown forge, and the same ``Unauthenticated`` for an unknown
        source, one without a secret, and a wrong or missing signature.
        """
        kind = FORGES.get(forge)
        if kind is None:
            raise NotFound(f"There are no webhooks of this forge; known are: {', '.join(FORGES)}.")
        target = self._targets.get(source, self._nobody)
        if not is_authentic(kind, headers, body, target.secrets(), self._clock()):
            raise Unauthenticated(
                "The webhook's signature is not that of a secret configured for this source."
            )
        return kind

    def receive(self, kind: Forge, source: str, headers: Headers, body: bytes) -> Receipt:
        """Act on a notice that was admitted; raise ``Rejected`` if it cannot be read."""
        target = self._targets[source]
        if not kind.is_push(headers):
            return Receipt(ReceiptStatus.IGNORED, "This event is no push.")
        branches = _branches(kind, body)
        if branches is not None and target.branch not in branches:
            return Receipt(ReceiptStatus.IGNORED, "The push is of another branch than followed.")
        delivery = kind.delivery_id(headers)
        if delivery is not None and not self._seen[source].is_new(delivery, self._clock()):
            return Receipt(ReceiptStatus.REPEATED, "This delivery was received before.")
        target.hint()
        return Receipt(ReceiptStatus.HINTED, "The branch is looked at now.")


_UNGUESSABLE = secrets.token_bytes(32)


class _Memory:
    """Ids of deliveries, the oldest first."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, datetime] = OrderedDict()

    def is_new(self, delivery: str, now: datetime) -> bool:
        while self._ids:
            oldest = next(iter(self._ids))
            if now - self._ids[oldest] < REMEMBERED_FOR and len(self._ids) <= REMEMBERED:
                break
            del self._ids[oldest]
        if delivery in self._ids:
            return False
        self._ids[delivery] = now
        return True


def _branches(kind: Forge, body: bytes) -> frozenset[str] | None:
    """Return the branches a push is about; None if it does not say, which means: any."""
    if kind.event_header is None and not body.strip():
        return None
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        raise Rejected(
            "The body is no JSON object; set the webhook's content type to application/json."
        )
    if kind.event_header is None and "ref" not in payload:
        return None
    return frozenset(kind.branches(payload))
