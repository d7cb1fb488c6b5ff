"""What the server says of itself: each source's sync state, and whether it is ready to serve."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.application.acts import Act, AppliedRevision, HeldPlan, Rollback
from app.application.syncing.compare_table import Drift
from app.application.syncing.results import SourceSettings
from app.application.syncing.stages import Operation
from app.application.views import ActiveTable, HookRow, SourceRow
from app.domain.revisions import Position


class SyncState(enum.StrEnum):
    """Where a source stands."""

    UNKNOWN = "Unknown"
    """No run has finished yet."""
    SYNCED = "Synced"
    """What the branch says is in force."""
    OUT_OF_SYNC = "OutOfSync"
    """Something else is in force than what the branch says; the reason says what, and why."""
    HELD = "Held"
    """The newest commit is in order, but guards keep it from being applied by itself."""
    REJECTED = "Rejected"
    """The newest commit was refused; the one before it stays in force."""
    SUSPENDED = "Suspended"
    """Nothing is applied until somebody resumes, or the time is over."""
    UNMANAGED = "Unmanaged"
    """The configuration names the source no more; what it brought stays in force as it is."""


class Health(enum.StrEnum):
    """Whether what is in force can run."""

    UNKNOWN = "Unknown"
    """Nothing has been applied yet."""
    PROGRESSING = "Progressing"
    """A commit is being put in force."""
    HEALTHY = "Healthy"
    """Every enabled hook of the source has its secrets and its packages."""
    DEGRADED = "Degraded"
    """Some lack them."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What the watcher of a source last saw."""

    tip: str | None
    """Commit the branch pointed at."""
    checked_at: datetime | None
    error: str | None
    """Why the last run failed, for reasons other than a refused revision."""


@dataclass(frozen=True, slots=True)
class Work:
    """What the reconciler of a source does now, and last found."""

    operation: Operation = Operation.IDLE
    drift: Drift | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """A hook that a person keeps disabled against git."""

    hook: str
    """ULID."""
    name: str
    trigger: str
    act: Act


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A source as an operator wants to see it."""

    id: str
    location: str
    branch: str
    path: str
    state: SyncState
    reason: str
    """A sentence; says what to do where something is to be done."""
    since: datetime | None
    applied: str | None
    tip: str | None
    checked_at: datetime | None
    problems: tuple[Mapping[str, Any], ...]
    position: Position
    operation: Operation = Operation.IDLE
    health: Health = Health.UNKNOWN
    ailments: tuple[str, ...] = ()
    """Sentences: what keeps hooks from running, and what to do."""
    held: HeldPlan | None = None
    suspension: Act | None = None
    rollback: Rollback | None = None
    skipped: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()
    drift: Drift | None = None
    history: tuple[AppliedRevision, ...] = field(default=(), repr=False)
    signer: Mapping[str, Any] | None = None
    """Whose signature vouches for the applied commit."""


@dataclass(frozen=True, slots=True)
class Check:
    """One condition of readiness."""

    name: str
    ok: bool
    detail: str
    """Figures when it holds; what is wrong and what to do when it does not."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the server can answer truthfully now."""

    checks: tuple[Check, ...]

    @property
    def ready(self) -> bool:
        return all(check.ok for check in self.checks)


def overrides_of(table: ActiveTable, owner: str) -> Iterator[Override]:
    """Return the hooks of ``owner`` that a person disabled against git."""
    for row in table.hooks.values():
        if row.owner == owner and row.break_glass:
            act = row.override or Act("unknown", row.updated_at)
            yield Override(row.id, row.name, row.trigger, act)


def hooks_in_force(table: ActiveTable, settings: SourceSettings) -> tuple[HookRow, ...]:
    """Return the enabled hooks of a source."""
    return tuple(row for row in table.hooks.values() if row.enabled and row.owner == settings.owner)


def row_of(table: ActiveTable, settings: SourceSettings) -> SourceRow | None:
    """Return what is stored of a source; None before its first event."""
    return table.sources.get(settings.id)
