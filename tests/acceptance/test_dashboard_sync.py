"""Sync at the dashboard: what a source is like, what may be done about it, and by whom."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

TRIGGER, HOOK = "pre-user-registration", "block-disposable-mail"
ATTACK = "<script>document.title='taken'</script>"
BROKEN = "def hook(user, context:\n"


class Visitor:
    def __init__(self, server: Any, workspace: Any, role: str) -> None:
        link = workspace.run("sessions", "link", "--role", role).stdout.split()[0]
        headers = {"accept": "text/html", "origin": server.address}
        self.http = httpx.Client(base_url=server.address, headers=headers, timeout=30)
        self.http.post("/login/link", data={"token": link.split("#")[1]})

    def submit(self, path: str, **form: str) -> httpx.Response:
        found = re.search(r'name="csrf" value="(\w+)"', self.http.get("/access").text)
        assert found
        return self.http.post(path, data={"csrf": found[1], **form})

    def page(self, path: str) -> str:
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text


Enter = Callable[[str], Visitor]


@pytest.fixture
def enter(server: Any, workspace: Any) -> Iterator[Enter]:
    """Let somebody in, by their role."""
    opened: list[Visitor] = []

    def let_in(role: str) -> Visitor:
        opened.append(Visitor(server, workspace, role))
        return opened[-1]

    yield let_in
    for visitor in opened:
        visitor.http.close()


def status(server: Any) -> Any:
    return server.client.get("/v1/sync").json()["sources"][0]


def test_a_person_suspends_resumes_syncs_and_rolls_back(
    server: Any, workspace: Any, enter: Enter
) -> None:
    admin, first = enter("admin"), workspace.git("rev-parse", "HEAD")
    assert "not proven" in admin.page("/sync")
    assert admin.submit("/sync/suspend", hours="1", reason=" ").status_code == 400
    assert admin.submit("/sync/suspend", hours="9", reason="x").status_code == 400
    assert admin.submit("/sync/suspend", hours="1", reason=ATTACK).status_code == 303
    page = admin.page("/sync")
    assert status(server)["state"] == "Suspended"
    assert ATTACK not in page
    assert "&lt;script&gt;" in page
    assert admin.submit("/sync/resume", reason="over").status_code == 303
    workspace.write_hook(TRIGGER, HOOK, "def hook(user, context):\n    return {}\n")
    second = workspace.commit(ATTACK)
    assert admin.submit("/sync/now").status_code == 303
    assert status(server)["applied"] == second
    source = status(server)["id"]
    for path in (f"/sync/{source}/commits", f"/sync/{source}/commits/{second}"):
        assert ATTACK not in admin.page(path)
    assert HOOK in admin.page(f"/sync/{source}/commits/{second}")
    assert admin.submit("/sync/rollback", commit="0" * 40, reason="x").status_code == 400
    assert admin.submit("/sync/rollback", commit=first, reason="it fails").status_code == 303
    assert status(server)["applied"] == first
    found = server.eventually("/v1/audit?type=source.rolled_back", lambda page: page["events"])
    events = found["events"]
    assert events[0]["actor"].startswith("person:")
    assert (events[0]["origin"], events[0]["reason"]) == ("dashboard", "it fails")
    assert "it fails" in admin.page(f"/sync/{source}/commits")


def test_a_refused_commit_is_told_by_file_and_line(
    server: Any, workspace: Any, enter: Enter
) -> None:
    operator = enter("operator")
    workspace.write_hook(TRIGGER, HOOK, BROKEN)
    sha = workspace.commit("Break it")
    planned = operator.submit("/sync/plan", ref="main")
    assert planned.status_code == 422
    assert "hook.py:1" in planned.text
    assert operator.submit("/sync/now").status_code == 303
    assert "hook.py:1" in operator.page("/sync")
    assert "hook.py:1" in operator.page(f"/sync/{status(server)['id']}/commits/{sha}")


def test_a_plan_shows_what_would_change_and_changes_nothing(
    server: Any, workspace: Any, enter: Enter
) -> None:
    admin, before = enter("admin"), status(server)["applied"]
    workspace.git("switch", "--quiet", "--create", "feature/x")
    workspace.write_hook(TRIGGER, HOOK, f"def hook(user, context):\n    return {ATTACK!r}\n")
    workspace.commit("Try")
    workspace.git("switch", "--quiet", "main")
    page = admin.submit("/sync/plan", ref="feature/x").text
    assert "+++ b/" in page
    assert ATTACK not in page
    assert status(server)["applied"] == before
    assert admin.submit("/sync/plan", ref="--upload-pack=x").status_code == 400
    assert admin.submit("/sync/plan", ref="nowhere").status_code == 404


def test_a_held_plan_is_approved_by_its_digest(server: Any, workspace: Any, enter: Enter) -> None:
    admin = enter("admin")
    for folder in workspace.hooks.iterdir():
        workspace.remove_hooks(folder.name)
    (workspace.hooks / ".gitkeep").touch()
    workspace.commit("Remove all")
    assert admin.submit("/sync/now").status_code == 303
    held = status(server)["held"]
    assert held["digest"] in admin.page("/sync")
    assert admin.submit("/sync/approve", digest="0" * 64, reason="x").status_code == 409
    assert admin.submit("/sync/approve", digest=held["digest"], reason="").status_code == 400
    assert admin.submit("/sync/approve", digest=held["digest"], reason="agreed").status_code == 303
    assert status(server)["state"] == "Synced", admin.page("/sync")


def test_who_may_not_control_a_source_is_refused(server: Any, workspace: Any, enter: Enter) -> None:
    viewer, before = enter("viewer"), status(server)
    for action in ("now", "plan", "suspend", "resume", "approve", "rollback"):
        refused = viewer.submit(f"/sync/{action}", reason="x", digest="x", commit="x", hours="1")
        assert refused.status_code == 403, action
    page = viewer.page("/sync")
    assert 'data-opens="suspend"' not in page
    assert 'action="/sync/now"' not in page
    assert status(server)["state"] == before["state"]


def test_who_is_on_call_steers_a_source(server: Any, enter: Enter) -> None:
    operator = enter("operator")
    assert 'data-opens="suspend"' in operator.page("/sync")
    suspended = operator.submit("/sync/suspend", reason="incident 4711", hours="1")
    assert suspended.status_code == 303, suspended.text
    assert status(server)["state"] == "Suspended"
    assert operator.submit("/sync/resume", reason="over").status_code == 303
    assert status(server)["state"] != "Suspended"
    assert operator.submit("/sync/rollback", commit="0" * 40, reason="x").status_code == 400


def test_what_is_disabled_against_git_may_run_again(server: Any, enter: Enter) -> None:
    operator = enter("operator")
    assert operator.submit(f"/hooks/{HOOK}/disable", reason="too strict").status_code == 303
    page = operator.page("/sync")
    assert "too strict" in page
    [override] = status(server)["overrides"]
    assert operator.submit(f"/hooks/{override['hook']}/enable").status_code == 303
    assert status(server)["overrides"] == []


def test_a_commit_or_source_that_nobody_saw_is_not_found(server: Any, enter: Enter) -> None:
    viewer, source = enter("viewer"), status(server)["id"]
    for path in ("nowhere/commits", f"{source}/commits/xyz", f"{source}/commits/{'0' * 40}"):
        assert viewer.http.get(f"/sync/{path}").status_code == 404
