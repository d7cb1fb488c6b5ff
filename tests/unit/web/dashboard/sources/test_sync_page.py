"""The page of sources: one at a time, with a way to the others, and forms that name theirs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from app.application.syncing.status import SourceStatus, SyncState
from app.domain.revisions import Position

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def status(source: str, state: SyncState = SyncState.SYNCED) -> SourceStatus:
    return SourceStatus(
        id=source,
        location=f"/srv/{source}",
        branch="main",
        path="",
        state=state,
        reason="It is.",
        since=NOW,
        applied="c" * 40,
        tip="c" * 40,
        checked_at=NOW,
        problems=(),
        position=Position(7),
    )


@pytest.fixture
def page(site: Any, browser: Any) -> Any:
    site.gitops.known = [status("default"), status("old", SyncState.UNMANAGED)]
    browser.sign_in()
    return browser


def test_the_first_source_is_shown_and_the_others_are_linked(page: Any) -> None:
    text = page.get("/sync").text
    assert "/srv/default" in text
    assert "/srv/old" not in text
    assert 'href="/sync?source=old"' in text
    assert 'name="source" value="default"' in text


def test_a_source_that_is_followed_no_more_can_be_looked_at_only(page: Any) -> None:
    text = page.get("/sync?source=old").text
    assert "/srv/old" in text
    assert "<form" not in text.split("<main")[1].split("</main>")[0]
    assert page.get("/sync?source=other").status_code == 404


def test_what_is_done_is_done_to_the_source_of_the_form_and_shown_there(
    page: Any, site: Any
) -> None:
    done = page.submit("/sync/suspend", {"source": "default", "hours": "1", "reason": "x"})
    assert (done.status_code, done.headers["location"]) == (303, "/sync?source=default")
    assert [name for name, *_ in site.gitops.acts] == ["suspend"]
    refused = page.submit("/sync/suspend", {"source": "old", "hours": "1", "reason": "x"})
    assert refused.status_code == 404
    assert len(site.gitops.acts) == 1
