"""Who did what, and why, as an event tells it."""

from __future__ import annotations

from datetime import datetime

from app.application.acts import Act
from app.domain.aggregates import DomainEvent


def act_of(event: DomainEvent, until: datetime | None = None) -> Act:
    """Return who made ``event``; ``until`` is when that ends by itself."""
    return Act(
        actor=str(event.meta.get("actor", "unknown")),
        at=event.timestamp,
        reason=event.meta.get("reason"),
        until=until,
    )
