"""What may be applied by itself, as the operator of a source decided."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import timedelta

from app.domain.sources.sync_windows import SyncWindow


class Approval(enum.StrEnum):
    """Who lets a plan be applied."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


class ForcePush(enum.StrEnum):
    """What becomes of a tip that does not come after the applied commit."""

    ALLOW = "allow"
    HOLD = "hold"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class SyncPolicy:
    """The rules of one source; the defaults are those of ``config/defaults.toml``."""

    approval: Approval = Approval.AUTOMATIC
    on_force_push: ForcePush = ForcePush.HOLD
    allow_empty: bool = False
    max_deletions: int = 5
    max_deletions_percent: float = 20.0
    """Of the hooks that the source owns; the larger of the two limits counts."""
    windows: tuple[SyncWindow, ...] = ()
    compare_every: timedelta = timedelta(minutes=5)
    """How often the hook table is compared with the applied commit."""
    heal: bool = True
    """Whether what is found to differ is set right."""

    def deletions_allowed(self, owned: int) -> int:
        """Return how many of ``owned`` hooks one plan may retire by itself."""
        return max(self.max_deletions, int(owned * self.max_deletions_percent / 100))
