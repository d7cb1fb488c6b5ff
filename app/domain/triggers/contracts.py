"""What each trigger promises: parameters, payload, whether the caller waits, what is honoured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.outcomes import Language
from app.domain.triggers.definitions import Mode, OnError
from app.domain.triggers.effects import carry_nothing, merge_members
from app.domain.triggers.recording import RecordMode

Members = Mapping[str, Any]


def _never(payload: Members) -> str | None:  # noqa: ARG001 (a contract that skips nothing)
    return None


def _anything(result: object) -> str | None:  # noqa: ARG001 (a contract that takes any result)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerContract:
    """A trigger as callers and hooks know it."""

    id: str
    title: str
    purpose: str
    blocking: bool
    """Whether the caller waits for the result; if not, the invocation is queued durably."""
    parameters: tuple[str, ...]
    """Members of the payload that the hook gets by position."""
    check: Callable[[object], str | None]
    """Returns what is wrong with a payload, or None."""
    effects: Callable[[Members, object], dict[str, Any]]
    """From payload and result, what the caller is to honour."""
    missing_result_is_object: bool
    """Whether a hook that returns nothing is answered with ``data: {}`` (else without ``data``)."""
    example: Members
    """A payload that passes ``check``, as Auth0's runner prefilled it."""
    skip: Callable[[Members], str | None] = _never
    """Returns why no hook is to run for this payload, or None."""
    check_result: Callable[[object], str | None] = _anything
    """Returns what is wrong with a result, or None."""
    merge: Callable[[Members, Members], dict[str, Any]] = merge_members
    """In a chain: from the effects so far and those of the next hook, both."""
    carry: Callable[[Members, Members], Members] = carry_nothing
    """In a chain: from what the hooks get and the effects so far, what the next hook gets."""
    languages: tuple[Language, ...] = ("python", "node")
    takes_event: bool = False
    """Whether the hook gets the payload whole, as its ``event``, instead of members of it."""
    mode: Mode = "single"
    on_error: OnError = "closed"
    payload_schema: Members | None = None
    result_schema: Members | None = None
    record: RecordMode = "none"
    mask: tuple[str, ...] = ()
    """Rules for what is recorded, beside those that always hold."""

    def hook_payload(self, body: bytes) -> bytes:
        """Return the JSON object whose members hooks get, from the JSON text of a payload."""
        return b'{"event":%b}' % body if self.takes_event else body
