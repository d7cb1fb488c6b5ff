"""Rows of the read side: immutable, made by the projections, read by everybody else.

``ActiveTable`` is the whole of what the hot path needs, replaced as one pointer when events arrive.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import msgspec

from app.application.acts import Act, AppliedRevision, HeldPlan, Rollback
from app.domain.hooks.secrets import SealedSecret
from app.domain.outcomes import Language
from app.domain.revisions import Position

T = TypeVar("T")

START = Position(0)
"""Before the first event."""


class HookRow(msgspec.Struct, frozen=True):
    """A hook that exists, with what produced its present form."""

    id: str
    """ULID, as callers know it."""
    name: str
    trigger: str
    owner: str
    """``source:<id>`` or ``api``."""
    path: str | None
    """Folder in the source, e.g. ``hooks/pre-user-registration/no-throwaway``."""
    language: Language
    script: str
    digest: str
    """Covers script, dependencies and settings, not secrets."""
    dependencies: Mapping[str, str]
    settings: Mapping[str, Any]
    """``enabled``, ``order``, ``timeout_ms``, ``network``, ``required_secrets``, ``prune``."""
    secrets: Mapping[str, SealedSecret]
    enabled: bool
    """Whether the trigger runs it (a fact of the trigger, copied here)."""
    break_glass: bool
    """Whether an operator disabled it against its manifest."""
    commit: str | None
    """Commit of the last event that changed what runs; None if that came from elsewhere."""
    position: Position
    """Position of that event."""
    version_key: str
    """Changes whenever a worker must be replaced: code, settings or secrets."""
    created_at: datetime
    updated_at: datetime
    override: Act | None = None
    """By whom it was disabled against its manifest; None if it is not."""


class TriggerRow(msgspec.Struct, frozen=True):
    """A trigger with its enabled hooks, in order."""

    id: str
    hooks: tuple[str, ...]
    """ULIDs of the enabled hooks."""
    position: Position
    """Position of the last event of the trigger; 0 if it was never used."""
    owner: str | None = None
    """Who defines it, e.g. ``source:main``; None for one of Auth0's as it is by itself."""
    definition: str | None = None
    """``TriggerDefinition.text``, under the same condition."""


class ClientRow(msgspec.Struct, frozen=True):
    """A client that may call."""

    id: str
    name: str
    scopes: frozenset[str]
    secret_hash: str
    token_hash: str
    revoked: bool
    created_at: datetime
    metadata: Mapping[str, str] = {}
    """What hooks of `credentials-exchange` see as ``client.metadata``."""


class SourceRow(msgspec.Struct, frozen=True):
    """A followed repository and what of it is in force."""

    id: str
    location: str
    branch: str
    path: str
    applied: str | None
    tree: str | None
    applied_at: datetime | None
    rejected: str | None
    """The newest refused commit, None once a later one was applied."""
    rejected_at: datetime | None
    problems: tuple[Mapping[str, Any], ...]
    position: Position
    signer: Mapping[str, Any] | None = None
    """Members of the ``Signer`` who vouches for the applied commit; None if none was demanded."""
    held: HeldPlan | None = None
    suspension: Act | None = None
    skipped: tuple[str, ...] = ()
    """Commits that a rollback keeps out."""
    rollback: Rollback | None = None
    """Set while the applied commit is one that was rolled back to."""
    history: tuple[AppliedRevision, ...] = ()
    """The newest that were in force, newest first, the present one included."""


def _empty() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ActiveTable:
    """Everything the server needs to answer, as of one position."""

    position: Position = START
    hooks: Mapping[str, HookRow] = field(default_factory=_empty)
    """By ULID; deleted hooks are not in it."""
    names: Mapping[str, str] = field(default_factory=_empty)
    """Hook name to ULID."""
    triggers: Mapping[str, TriggerRow] = field(default_factory=_empty)
    clients: Mapping[str, ClientRow] = field(default_factory=_empty)
    tokens: Mapping[str, str] = field(default_factory=_empty)
    """Hash of an access token to the id of its client; revoked clients are not in it."""
    sources: Mapping[str, SourceRow] = field(default_factory=_empty)

    def active_hook(self, trigger: str) -> HookRow | None:
        """Return the hook that answers ``trigger``, if one is enabled."""
        row = self.triggers.get(trigger)
        return self.hooks.get(row.hooks[0]) if row is not None and row.hooks else None

    def active_hooks(self, trigger: str) -> tuple[HookRow, ...]:
        """Return the hooks that answer ``trigger``, in order; more than one in a chain."""
        row = self.triggers.get(trigger)
        return () if row is None else tuple(map(self.hooks.__getitem__, row.hooks))

    def find_hook(self, name_or_id: str) -> HookRow | None:
        """Look a hook up by ULID or by name."""
        return self.hooks.get(name_or_id) or self.hooks.get(self.names.get(name_or_id, ""))


class AuditRow(msgspec.Struct, frozen=True):
    """One event, told for people."""

    position: Position
    at: datetime
    type: str
    """The event's topic, e.g. ``hook.script_changed``."""
    actor: str
    origin: str
    subject: str
    """Stream of the event, e.g. ``hook:01J…``."""
    hook: str | None
    """ULID of the hook concerned."""
    hook_name: str | None
    """The hook's name when it happened."""
    trigger: str | None
    source: str | None
    commit: str | None
    correlation_id: str | None
    reason: str | None
    data: Mapping[str, Any]
    """The event's members, without ciphertext and hashes; scripts as digest and size."""
    signer: Mapping[str, str] | None = None
    """Who verifiably signed the commit: ``principal``, and ``fingerprint`` if it is known."""


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Filters are combined with *and*; None means any."""

    actor: str | None = None
    hook: str | None = None
    """ULID or name."""
    trigger: str | None = None
    type: str | None = None
    """A topic, or its part before the dot (``hook`` matches ``hook.created``); any of several that
    are separated by commas."""
    commit: str | None = None
    """A full commit id, or at least 7 digits of its beginning."""
    since: datetime | None = None
    """Inclusive."""
    until: datetime | None = None
    """Exclusive."""
    text: str | None = None
    """Words that all occur in the event's text."""
    origin: str | None = None
    signer: str | None = None
    """Principal or fingerprint of the key that signed the commit."""
    correlation: str | None = None
    from_position: int | None = None
    """Inclusive."""
    to_position: int | None = None
    """Inclusive."""


class CountBy(enum.StrEnum):
    """What events are counted by."""

    TYPE = "type"
    DAY = "day"
    """In UTC."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many events there are of each type, or of each day, in the order of these."""

    counts: Mapping[str, int]
    complete_from: Position
    """All that match are counted from this position on; 0 for all there are. Only words that occur
    very often make it another."""
    position: Position
    """The newest position that was looked at."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list; ``next`` continues it and is None at the end."""

    items: tuple[T, ...]
    next: str | None
    previous: str | None = None
    """Leads back to the rows before; None at the beginning, and for lists that only go on."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An accepted invocation of a non-blocking trigger, waiting for its run."""

    invocation_id: str
    trigger: str
    payload: bytes
    caller: str
    accepted_at: datetime
    attempts: int = 0
