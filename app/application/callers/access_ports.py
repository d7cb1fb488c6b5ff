"""Where accesses are noted: by whoever lets in, refuses, opens or shows."""

from __future__ import annotations

from typing import Protocol

from app.application.journal_views import Access, AccessQuery, AccessRecord
from app.application.views import Page


class AccessLog(Protocol):
    """Accesses, counted; not events, because anybody can cause any number of them."""

    def note(self, access: Access) -> None:
        """Count; never waits, never raises."""
        ...

    def accesses(self, query: AccessQuery, *, cursor: str | None, limit: int) -> Page[AccessRecord]:
        """Return a page, newest first; call it from a thread.

        Raises ``Rejected`` for a cursor that is not one of ours.
        """
        ...
