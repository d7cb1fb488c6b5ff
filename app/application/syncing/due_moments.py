"""When something about a source ends by itself: an override, a suspension, a hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from app.application.syncing.results import SourceSettings
from app.application.views import ActiveTable


def due_moments(source: SourceSettings, table: ActiveTable) -> list[datetime]:
    """Return all such moments, past ones included, in no order."""
    moments = list(override_ends(table, source.owner).values())
    row = table.sources.get(source.id)
    if row is not None and row.suspension is not None and row.suspension.until is not None:
        moments.append(row.suspension.until)
    if row is not None and row.held is not None:
        ends = [hold["until"] for hold in row.held.holds if hold.get("until")]
        moments += map(datetime.fromisoformat, ends)
    return moments


def override_ends(table: ActiveTable, owner: str) -> Mapping[str, datetime]:
    """Return when each override that ends by itself does, by the hook's ULID."""
    return {
        row.id: row.override.until
        for row in table.hooks.values()
        if row.override is not None and row.override.until is not None and row.owner == owner
    }
