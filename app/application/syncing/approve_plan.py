"""Let a held plan be applied."""

from __future__ import annotations

from app.application.ledger import Ledger
from app.application.syncing.record_revision import change_source
from app.application.syncing.results import SourceSettings
from app.domain.aggregates import Meta
from app.domain.errors import Problem, Rejected
from app.domain.revisions import Position, is_digest
from app.domain.sources.source import Source


def approve_plan(ledger: Ledger, source: SourceSettings, plan_digest: str, meta: Meta) -> Position:
    """Approve the plan that is held, by its digest; the next run applies just that. Blocking.

    Raises ``Rejected`` for what is no digest, ``Conflict`` if another plan is held, or none.
    """
    if not is_digest(plan_digest):
        problem = Problem("must be the digest of a plan: 64 hexadecimal digits", key="digest")
        raise Rejected("Nothing was approved.", problems=[problem])

    def tell(found: Source) -> None:
        found.approve_plan(plan_digest)

    return change_source(ledger, source, meta, tell)
