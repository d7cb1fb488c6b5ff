"""What became of commits: the list of a source, one commit, and what applying one would do."""

from __future__ import annotations

import re
from functools import partial

from starlette.responses import Response

from app.application.syncing.status import SourceStatus
from app.application.views import AuditQuery
from app.domain.errors import NotFound, Problem, Rejected
from app.web.dashboard.frame.pages import Page, Visit
from app.web.dashboard.frame.wording import matters, told
from app.web.dashboard.sources.sync_page import SECTION, source_of
from app.web.protocol.parameters import CURSOR
from app.web.syncing.requests import REF

_TOPICS = (
    "source.revision_applied,source.revision_rejected,source.plan_held,source.plan_approved,"
    "source.rolled_back"
)
_LISTED = 30
_CHANGES = 200
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?\Z")


async def list_commits(visit: Visit) -> Response:
    """Show what became of each commit, newest first."""
    source, query = _source(visit), AuditQuery(type=_TOPICS)
    page = await visit.services.read(
        partial(visit.services.audit.query, query, cursor=visit.values["cursor"], limit=_LISTED)
    )
    entries = [told(row) for row in page.items if row.source == source.id]
    return visit.render("commits.html", source=source, entries=entries, next=page.next)


async def show_commit(visit: Visit) -> Response:
    """Show what one commit did, or why it did nothing."""
    source, sha = _source(visit), visit.path["sha"]
    if not _SHA.match(sha):
        raise NotFound(f"`{sha[:80]}` is no whole id of a commit.")
    page = await visit.services.read(
        partial(visit.services.audit.query, AuditQuery(commit=sha), cursor=None, limit=_CHANGES)
    )
    rows = [row for row in page.items if row.source in (None, source.id)]
    verdicts = [told(row) for row in rows if row.type in _TOPICS.split(",")]
    if not rows:
        raise NotFound(f"Nothing is known of commit {sha[:12]}: source {source.id} never saw it.")
    return visit.render(
        "commit.html",
        source=source,
        sha=sha,
        first=told(rows[-1]),
        signer=next((row.signer for row in rows if row.signer), None),
        verdicts=verdicts,
        changes=[told(row) for row in rows if matters(row) and row.type not in _TOPICS.split(",")],
        more=page.next is not None,
    )


async def plan(visit: Visit) -> Response:
    """Show what applying a ref would do; nothing is changed, but fixtures are run."""
    if not visit.may("plan:sync"):
        visit.require("update:sync")
    ref = visit.form.word("ref")
    if ref and not REF.match(ref):
        problem = Problem("must be a branch, a tag, a commit or `pull/<number>/head`", key="ref")
        raise Rejected("There is nothing of that name to plan.", problems=[problem])
    source = source_of(visit)
    try:
        preview = await source.preview(ref or None)
    except Rejected as refusal:
        return visit.render(
            "plan.html", status=422, source=source.id, ref=ref, refusal=refusal, preview=None
        )
    return visit.render("plan.html", source=source.id, ref=ref, refusal=None, preview=preview)


def _source(visit: Visit) -> SourceStatus:
    named = visit.path["source"]
    for status in visit.services.sync.statuses():
        if status.id == named:
            return status
    raise NotFound(f"This server follows no source `{named[:80]}`.")


_LIST = f"{SECTION}/{{source}}/commits"

PAGES = (
    Page(
        path=_LIST,
        handle=list_commits,
        scope="read:audit",
        section=SECTION,
        parameters=(CURSOR,),
    ),
    Page(path=f"{_LIST}/{{sha}}", handle=show_commit, scope="read:audit", section=SECTION),
    Page(path=f"{SECTION}/plan", handle=plan, scope="read:sync", method="POST", section=SECTION),
)
