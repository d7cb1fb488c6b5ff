"""Carry a request out once, however often it is sent with the same ``Idempotency-Key``.

After draft-ietf-httpapi-idempotency-key-header-07: a repetition gets the first answer, a key that
comes with another request is refused, and so is a repetition while the first is under way. That is
known in memory only: a server that dies in between forgets it, and a repetition is carried out
anew, by rules (unique names, optimistic concurrency) that let nothing happen twice.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, ClassVar, Protocol

import msgspec

from app.domain.errors import Conflict, HookledgerError

_LOG = logging.getLogger("hookledger.answers")

KEPT_FOR = timedelta(hours=24)
MOST_OF_A_CALLER = 10_000
"""Answers; beyond it the oldest go."""
MOST_BYTES_OF_A_CALLER = 32 << 20
"""Of them together."""
_FAILED = 500
"""From this status on an answer says nothing of the request, and is not kept."""


class KeyInUse(Conflict):
    """The first request with this idempotency key is still under way; try again in a moment."""

    slug: ClassVar[str] = "idempotency-key-in-use"


class KeyReused(HookledgerError):
    """This idempotency key came with another request before; take a new key for each request."""

    slug: ClassVar[str] = "idempotency-key-reused"


class Answer(msgspec.Struct, frozen=True):
    """What a caller got."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class KeptAnswer(msgspec.Struct, frozen=True):
    """An answer, and the request that it belongs to."""

    fingerprint: bytes
    answer: Answer


class AnswerStore(Protocol):
    """Keeps answers for ``KEPT_FOR``, within the bounds above. Blocking: call it from a thread."""

    def find(self, caller: str, key: str) -> KeptAnswer | None:
        """Return what is kept under a caller's key."""
        ...

    def keep(self, caller: str, key: str, kept: KeptAnswer) -> None:
        """Store durably; what the key held before is replaced."""
        ...


class InThread(Protocol):
    """Does something blocking in a thread."""

    def __call__(self, work: Callable[[], Any], /) -> Awaitable[Any]: ...


class AnswerOnce:
    """Knows which keys are under way; used by one event loop."""

    def __init__(self, store: AnswerStore) -> None:
        self._store = store
        self._under_way: set[tuple[str, str]] = set()

    async def __call__(
        self,
        caller: str,
        key: str,
        fingerprint: bytes,
        carry_out: Callable[[], Awaitable[Answer]],
        in_thread: InThread,
    ) -> tuple[Answer, bool]:
        """Return the answer, and whether it is the repetition of an earlier one.

        ``fingerprint`` is a hash of all that makes the request. Raises ``KeyInUse``, ``KeyReused``,
        and what ``carry_out`` raises, after which the key is free again.
        """
        place = (caller, key)
        if place in self._under_way:
            raise KeyInUse
        self._under_way.add(place)
        try:
            kept = await in_thread(lambda: self._store.find(caller, key))
            if kept is not None:
                if not hmac.compare_digest(kept.fingerprint, fingerprint):
                    raise KeyReused
                return kept.answer, True
            answer = await carry_out()
            if answer.status < _FAILED:
                await self._keep(place, KeptAnswer(fingerprint, answer), in_thread)
            return answer, False
        finally:
            self._under_way.discard(place)

    async def _keep(self, place: tuple[str, str], kept: KeptAnswer, in_thread: InThread) -> None:
        try:
            await in_thread(lambda: self._store.keep(*place, kept))
        except HookledgerError as error:  # what was asked for is done, and must be told
            _LOG.error("The answer to a request with an idempotency key is not kept: %s", error)
