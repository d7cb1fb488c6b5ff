"""The dashboard's history: found, proved, and gone back to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest


class Visitor:
    """A browser that somebody of a role is signed in with."""

    def __init__(self, server: Any, workspace: Any, role: str) -> None:
        secret = workspace.run("sessions", "link", "--role", role).stdout.split()[0].split("#")[1]
        self.http = httpx.Client(
            base_url=server.address,
            headers={"accept": "text/html", "origin": server.address},
            timeout=30,
        )
        assert self.http.post("/login/link", data={"token": secret}).status_code == 303

    def page(self, path: str, **headers: str) -> str:
        answer = self.http.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.text


@pytest.fixture(scope="module")
def admin(shared_server: Any, shared_workspace: Any) -> Iterator[Visitor]:
    visitor = Visitor(shared_server, shared_workspace, "admin")
    yield visitor
    visitor.http.close()


@pytest.fixture(scope="module")
def viewer(shared_server: Any, shared_workspace: Any) -> Iterator[Visitor]:
    visitor = Visitor(shared_server, shared_workspace, "viewer")
    yield visitor
    visitor.http.close()


def test_events_are_told_filtered_and_linked(admin: Visitor) -> None:
    page = admin.page("/history")
    assert "Applied a commit from" in page
    assert 'href="/history/' in page
    hooks = admin.page("/history?type=hook.created&text=&actor=")
    assert "block-disposable-mail" in hooks
    assert "Applied a commit from" not in hooks
    assert "No event is like that" in admin.page("/history?actor=nobody")


def test_pages_go_both_ways_and_keep_the_filters(admin: Visitor, shared_server: Any) -> None:
    for number in range(26):
        shared_server.client.post("/v1/sync/suspend", json={"reason": f"round {number}"})
        shared_server.client.post("/v1/sync/resume", json={"reason": f"round {number}"})
    shared_server.eventually(
        "/v1/audit?limit=1", lambda page: page["events"][0]["type"] == "source.resumed"
    )
    first = admin.page("/history?type=source.suspended,source.resumed&since=2020-01-01T00:00:00Z")
    older = re.search(r'href="(/history\?[^"]+)">Older', first)
    assert older
    second = admin.page(older[1].replace("&amp;", "&"))
    assert "round 0" in second
    newer = re.search(r'href="(/history\?[^"]+)">Newer', second)
    assert newer
    assert "round 25" in admin.page(newer[1].replace("&amp;", "&"))


def test_an_event_is_shown_as_stored_with_its_proof(admin: Visitor) -> None:
    page = admin.page("/history/1")
    assert "In the signed history" in page
    assert "hookledger.example" not in page
    assert re.search(r'<code class="hash"[^>]*>[0-9a-f]{64}</code>', page)
    assert "&#34;meta&#34;" in page
    assert admin.http.get("/history/999999").status_code == 404
    assert admin.http.get("/history/x").status_code == 404


def test_hashes_of_credentials_are_for_those_who_may_export(
    admin: Visitor, viewer: Visitor, shared_server: Any
) -> None:
    (event,) = shared_server.client.get("/v1/audit?type=client.created&limit=1").json()["events"]
    assert "token_hash" in admin.page(f"/history/{event['position']}")
    page = viewer.page(f"/history/{event['position']}")
    assert "token_hash" not in page
    assert "export:audit" in page
    assert "In the signed history" in page


def test_hooks_are_seen_as_they_were_and_what_changed_since(admin: Visitor) -> None:
    now = admin.page("/history/as-of")
    assert "the same as now" in now
    before = admin.page("/history/as-of?as_of=1")
    assert "There was no hook then" in before
    assert "block-disposable-mail" in before, "among what has changed since"
    part = admin.page("/history/as-of?as_of=1", **{"hx-request": "true"})
    assert part.lstrip().startswith('<div id="past"')
    assert admin.http.get("/history/as-of?as_of=5000").status_code == 400


def test_what_others_wrote_is_text(admin: Visitor, shared_server: Any) -> None:
    reason = "<script>alert(1)</script>"
    shared_server.client.post("/v1/sync/suspend", json={"reason": reason})
    shared_server.client.post("/v1/sync/resume", json={"reason": reason})
    (event,) = shared_server.eventually(
        "/v1/audit?type=source.resumed&limit=1",
        lambda page: page["events"] and page["events"][0]["reason"] == reason,
    )["events"]
    for path in ("/history", f"/history/{event['position']}"):
        page = admin.page(path)
        assert reason not in page
        assert "&lt;script&gt;alert(1)" in page


def test_a_person_without_the_scope_sees_no_history(shared_server: Any) -> None:
    answer = httpx.get(f"{shared_server.address}/history", headers={"accept": "text/html"})
    assert answer.status_code in (303, 401)
