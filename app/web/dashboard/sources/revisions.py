"""What the history knows of the commit that is in force: by whom, with which message."""

from __future__ import annotations

from functools import partial

from app.application.syncing.status import SourceStatus
from app.application.views import AuditQuery
from app.web.dashboard.frame.pages import Visit
from app.web.dashboard.frame.wording import Told, told


async def applied_revision(visit: Visit, status: SourceStatus) -> Told | None:
    """Return the event that put a source's commit in force; None for who may not read it."""
    if status.applied is None or not visit.may("read:audit"):
        return None
    query = AuditQuery(type="source.revision_applied", commit=status.applied)
    page = await visit.services.read(
        partial(visit.services.audit.query, query, cursor=None, limit=1)
    )
    return told(page.items[0]) if page.items else None
