"""Stop following a source for a while, and go on."""

from __future__ import annotations

from datetime import datetime

from app.application.ledger import Ledger
from app.application.syncing.record_revision import change_source
from app.application.syncing.results import SourceSettings
from app.application.views import SourceRow
from app.domain.aggregates import Meta
from app.domain.errors import Problem, Rejected
from app.domain.revisions import Position
from app.domain.sources.source import Source


def suspend_source(
    ledger: Ledger, source: SourceSettings, meta: Meta, *, until: datetime | None, now: datetime
) -> Position:
    """Apply nothing by itself until ``until`` (None: until ``resume_source``). Blocking.

    Doing it twice records nothing; another ``until`` takes the place of the first. Raises
    ``Rejected`` for a time that has passed, or without a reason.
    """
    problems = []
    if not meta.reason:
        problems.append(Problem("say why; whoever waits for a commit will ask", key="reason"))
    if until is not None and until <= now:
        problems.append(Problem("must be in the future", key="until"))
    if problems:
        raise Rejected("The source was not suspended.", problems=problems)

    def tell(found: Source) -> None:
        found.suspend(until)

    return change_source(ledger, source, meta, tell)


def resume_source(ledger: Ledger, source: SourceSettings, meta: Meta) -> Position:
    """Follow the branch's tip again; a source that is not suspended is left as it is. Blocking."""
    return change_source(ledger, source, meta, Source.resume)


def is_suspended(row: SourceRow, now: datetime) -> bool:
    """Tell whether nothing is to be applied at ``now``."""
    if row.suspension is None:
        return False
    return row.suspension.until is None or now < row.suspension.until
