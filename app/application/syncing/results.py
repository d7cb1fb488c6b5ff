"""What is followed, and how a run ended: the words of every use case about a source."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from app.application.views import SourceRow
from app.domain.plans.plan import Plan
from app.domain.revisions import CommitSha, Position
from app.domain.sources.sync_policy import SyncPolicy


class SyncStatus(enum.StrEnum):
    """How a run ended."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    HELD = "held"
    """Guards hold the plan: it waits for an approval, another time, or another commit."""
    SKIPPED = "skipped"
    """A rollback keeps this commit out; the next one is applied."""
    SUSPENDED = "suspended"
    """Nothing is applied until somebody resumes."""

    @property
    def is_in_force(self) -> bool:
        """Whether the commit that the run was about is in force now."""
        return self in (SyncStatus.APPLIED, SyncStatus.UNCHANGED)


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """Which repository is followed, and by which rules, as the operator configured it."""

    id: str
    location: str
    branch: str
    path: str
    policy: SyncPolicy = field(default_factory=SyncPolicy)

    @property
    def owner(self) -> str:
        """Owner of the hooks that come from here."""
        return f"source:{self.id}"


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a run did."""

    status: SyncStatus
    commit: CommitSha
    position: Position
    plan: Plan | None


def same_place(source: SourceSettings, row: SourceRow) -> bool:
    """Tell whether ``row`` is about the repository and folder that are followed now."""
    return (row.location, row.path) == (source.location, source.path)
