"""What the server says of itself: each source's sync state, and whether it is ready to serve."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.application.reconcile import SourceSettings
from app.application.views import SourceRow
from app.domain.revisions import Position


class SyncState(enum.StrEnum):
    """Where a source stands."""

    UNKNOWN = "Unknown"
    """No run has finished yet."""
    SYNCED = "Synced"
    """What the branch says is in force."""
    OUT_OF_SYNC = "OutOfSync"
    """A newer commit is being applied, or the repository cannot be read."""
    REJECTED = "Rejected"
    """The newest commit was refused; the one before it stays in force."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What the watcher of a source last saw."""

    tip: str | None
    """Commit the branch pointed at."""
    checked_at: datetime | None
    error: str | None
    """Why the last run failed, for reasons other than a refused revision."""


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


def source_status(settings: SourceSettings, row: SourceRow | None, watch: Watch) -> SourceStatus:
    """Put together what is stored of a source and what its watcher sees."""
    state, reason, since = _judge(row, watch)
    return SourceStatus(
        id=settings.id,
        location=settings.location,
        branch=settings.branch,
        path=settings.path,
        state=state,
        reason=reason,
        since=since,
        applied=row.applied if row else None,
        tip=watch.tip,
        checked_at=watch.checked_at,
        problems=row.problems if row else (),
        position=row.position if row else Position(0),
        signer=row.signer if row else None,
    )


def _judge(row: SourceRow | None, watch: Watch) -> tuple[SyncState, str, datetime | None]:
    if watch.error is not None:
        return SyncState.OUT_OF_SYNC, watch.error, watch.checked_at
    if row is None:
        return SyncState.UNKNOWN, "The first sync has not finished yet.", None
    if row.rejected is not None:
        reason = (
            f"Commit {row.rejected[:12]} was refused for {len(row.problems)} reason(s); correct "
            "them in a new commit."
        )
        return SyncState.REJECTED, reason, row.rejected_at
    applied = (row.applied or "")[:12]
    return SyncState.SYNCED, f"Commit {applied} is in force.", row.applied_at
