"""The dashboard on a real server, as a browser without scripts sees it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

SCRIPT = """\
module.exports = function (user, context, cb) {
  console.log('hello', context.webtask.secrets.GREETING ? 'with a greeting' : 'without');
  if (user.email === 'bad@example.com') throw new Error('no such luck');
  cb(null, { user: { app_metadata: { seen: true } } });
};
"""
PAYLOAD = '{"user": {"email": "a@example.com"}, "context": {"connection": {"name": "x"}}}'


class Visitor:
    def __init__(self, server: Any, workspace: Any, role: str) -> None:
        secret = workspace.run("sessions", "link", "--role", role).stdout.split()[0].split("#")[1]
        self.http = httpx.Client(
            base_url=server.address,
            headers={"accept": "text/html", "origin": server.address},
            timeout=30,
        )
        assert self.http.post("/login/link", data={"token": secret}).status_code == 303

    def page(self, path: str) -> str:
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def submit(self, path: str, **form: str) -> httpx.Response:
        found = re.search(r'name="csrf" value="(\w+)"', self.page("/access"))
        assert found
        return self.http.post(path, data={"csrf": found[1], **form})

    def do(self, path: str, **form: str) -> str:
        """Submit, and read the page that follows."""
        answer = self.submit(path, **form)
        assert answer.status_code == 303, answer.text
        return self.page(answer.headers["location"])


@pytest.fixture(scope="module")
def visit(shared_server: Any, shared_workspace: Any) -> Iterator[Callable[[str], Visitor]]:
    opened: dict[str, Visitor] = {}

    def enter(role: str) -> Visitor:
        if role not in opened:
            opened[role] = Visitor(shared_server, shared_workspace, role)
        return opened[role]

    yield enter
    for visitor in opened.values():
        visitor.http.close()


@pytest.fixture(scope="module")
def admin(visit: Callable[[str], Visitor]) -> Visitor:
    return visit("admin")


@pytest.fixture(scope="module")
def made(admin: Visitor) -> str:
    """A hook that was made at the dashboard."""
    page = admin.do(
        "/new-hook",
        name="greet",
        trigger="pre-user-registration",
        script=SCRIPT,
        dependencies="",
        reason="try it",
    )
    assert "`greet` is saved, and not enabled yet" in page
    return "greet"


def made_of(page: str) -> dict[str, str]:
    """Return what an editor's page says of what it was made of."""
    return dict(re.findall(r'name="(was_\w+)" value="(\w*)"', page))


def events(server: Any, **filters: str) -> list[dict[str, Any]]:
    """Return events of the audit log, which is written a moment after the page has answered."""
    page = server.eventually(f"/v1/audit?{urlencode(filters)}", lambda page: page["events"])
    found: list[dict[str, Any]] = page["events"]
    return found


def test_the_overview_tells_triggers_hooks_source_and_author(admin: Visitor) -> None:
    page = admin.page("/")
    for said in ("Pre-User Registration", "block-disposable-mail", "Synced", "Ada Author", "Last changes"):  # fmt: skip
        assert said in page


def test_what_is_made_here_is_an_event_of_the_person(shared_server: Any, made: str) -> None:
    (event,) = events(shared_server, hook=made, type="hook.created")
    assert event["actor"].startswith("person:local|")
    assert (event["origin"], event["reason"]) == ("dashboard", "try it")


def test_a_hook_goes_through_its_life(shared_server: Any, admin: Visitor, made: str) -> None:
    assert "is enabled" in admin.do(f"/hooks/{made}/enable")
    assert shared_server.invoke("pre-user-registration", {"user": {"email": "a@example.com"}, "context": {"connection": {"strategy": "auth0"}}}).status_code == 200  # fmt: skip
    opened = made_of(admin.page(f"/hooks/{made}/edit"))
    changed = {**opened, "script": SCRIPT.replace("hello", "good day"), "dependencies": ""}
    assert "is saved" in admin.do(f"/hooks/{made}/edit", **changed, reason="politer")
    changed["script"] = SCRIPT.replace("hello", "good night")
    stale = admin.submit(f"/hooks/{made}/edit", **changed, reason="later")
    assert stale.status_code == 409, "somebody else was faster"
    for side in ("good night", "good day", 'value="later"'):
        assert side in stale.text
    versions = admin.page(f"/hooks/{made}/versions/2")
    assert "politer" in versions
    assert "good day" in versions
    assert "hello" in versions
    refused = admin.submit(f"/hooks/{made}/disable", reason="  ")
    assert refused.status_code == 400
    assert "Disabled" in admin.do(f"/hooks/{made}/disable", reason="too polite")
    (event,) = events(shared_server, hook=made, type="trigger.hook_disabled")
    assert event["reason"] == "too polite"


def test_secrets_go_in_and_never_come_out(admin: Visitor, shared_server: Any, made: str) -> None:
    value = "s3cret-<b>value</b>-0815"
    assert "Secret `GREETING` is set" in admin.do(f"/hooks/{made}/secrets", name="GREETING", value=value)  # fmt: skip
    page = admin.do(f"/hooks/{made}/secrets", name="GREETING", value=value + "!")
    assert "Secret `GREETING` is replaced" in page
    for path in (f"/hooks/{made}", f"/hooks/{made}/edit", f"/hooks/{made}/versions", "/"):
        assert "s3cret" not in admin.page(path)
    saved = admin.submit("/run", hook=made, saved="yes", payload=PAYLOAD).text
    assert "hello with a greeting" in saved or "good day with a greeting" in saved
    draft = {"trigger": "pre-user-registration", "language": "node", "script": SCRIPT}
    assert "hello without" in admin.submit("/run", hook=made, payload=PAYLOAD, **draft).text
    given = admin.submit("/run", hook=made, payload=PAYLOAD, secrets="GREETING=x", **draft)
    assert "hello with a greeting" in given.text
    assert "is removed" in admin.do(f"/hooks/{made}/secrets/remove", name="GREETING")
    assert {event["type"] for event in events(shared_server, hook=made)} >= {
        "hook.secret_set",
        "hook.secret_removed",
    }


def test_the_runner_says_on_which_line_it_went_wrong(admin: Visitor) -> None:
    draft = {"trigger": "pre-user-registration", "language": "node", "script": SCRIPT}
    result = admin.submit("/run", payload=PAYLOAD.replace("a@", "bad@"), **draft).text
    assert 'data-problem-line="3"' in result
    assert "no such luck" in result
    draft["script"] = "module.exports = function (user, context, cb) {\n  cb(null, }\n};\n"
    result = admin.submit("/run", payload=PAYLOAD, **draft).text
    assert "Did not run" in result
    assert 'data-problem-line="2"' in result
    result = admin.submit("/run", payload='{"a": 1,\n b}', **draft).text
    assert 'data-problem-line="2" data-problem-in="payload"' in result
    python = {"trigger": "pre-user-registration", "language": "python"}
    script = "def hook(user, context):\n    x = 1\n    return user['nowhere']\n"
    result = admin.submit("/run", payload=PAYLOAD, script=script, **python).text
    assert 'data-problem-line="3"' in result


def test_a_hook_of_git_is_committed_and_can_be_stopped(shared_server: Any, admin: Visitor) -> None:
    name = "compose-message"
    page = admin.page(f"/hooks/{name}/edit")
    assert "belongs to git" in page
    assert f"hooks/send-phone-message/{name}/" in page
    refused = admin.submit(f"/hooks/{name}/edit", **made_of(page), script="x")
    assert refused.status_code == 409
    assert "belongs to git" in refused.text
    assert "Stopped by hand" in admin.do(f"/hooks/{name}/disable", reason="costs too much")
    (event,) = events(shared_server, hook=name, type="trigger.hook_disabled")
    assert event["data"]["break_glass"] is True
    assert "Enabled" in admin.do(f"/hooks/{name}/enable", reason="paid")
    assert admin.submit(f"/hooks/{name}/delete").status_code == 409


def test_a_draft_of_a_hook_of_git_becomes_a_commit(
    shared_server: Any, shared_workspace: Any, admin: Visitor, visit: Callable[[str], Visitor]
) -> None:
    name, git = "allow-company-domains", shared_workspace.git
    page = admin.page(f"/hooks/{name}/edit")
    path = "hooks_repo/hooks/pre-user-registration/allow-company-domains/hook.js"
    script = git("show", f"HEAD:{path}") + "\n"
    draft = {**made_of(page), "message": "Admit the sister company"}
    draft["script"] = script.replace("'example.org'", "'example.org', 'example.net'")
    before = git("rev-parse", "HEAD")
    assert visit("viewer").submit(f"/hooks/{name}/commit", **draft).status_code == 403
    broken = admin.submit(f"/hooks/{name}/commit", **{**draft, "script": "module.exports = ("})
    assert broken.status_code == 400
    assert "hook.js:1" in broken.text
    assert git("rev-parse", "HEAD") == before
    page = admin.do(f"/hooks/{name}/commit", **draft)
    assert git("log", "-1", "--format=%s") == "Admit the sister company"
    assert git("rev-parse", "HEAD")[:12] in page
    assert git("diff", "--name-only", before, "HEAD") == path
    again = admin.submit(f"/hooks/{name}/commit", **draft)
    assert "nothing to commit" in again.text
    draft["script"] = script + "\n"
    stale = admin.submit(f"/hooks/{name}/commit", **draft)
    assert stale.status_code == 409
    assert "Somebody changed `hook.js`" in stale.text
    assert 'value="Admit the sister company"' in stale.text


def test_what_is_made_without_a_reason_has_its_pages(admin: Visitor) -> None:
    page = admin.do("/new-hook", name="silent", trigger="post-user-registration", script=SCRIPT)
    assert "`silent` is saved" in page
    for path in ("/hooks/silent", "/hooks/silent/versions", "/hooks/silent/versions/1"):
        assert "silent" in admin.page(path)
    assert "is deleted" in admin.do("/hooks/silent/delete")


def test_roles_bound_what_is_shown_and_done(visit: Callable[[str], Visitor], made: str) -> None:
    viewer, operator = visit("viewer"), visit("operator")
    page = viewer.page(f"/hooks/{made}")
    assert "Edit and run" not in page
    assert "data-opens" not in page
    assert viewer.submit(f"/hooks/{made}/enable").status_code == 403
    assert viewer.submit("/run", payload="{}").status_code == 403
    page = operator.page(f"/hooks/{made}")
    assert "Edit and run" in page
    assert "Add a secret" in page
    assert 'id="delete"' not in page
    assert operator.submit("/new-hook", name="x").status_code == 403
    assert viewer.http.get("/new-hook").status_code == 403
    assert "Create a hook" not in viewer.page("/hooks")
    assert "Create a hook" in operator.page("/hooks")
    page = operator.page("/new-hook")
    assert "in git" in page
    assert "on this server</a>" not in page
    assert operator.submit(f"/hooks/{made}/delete").status_code == 403


def test_a_bad_draft_is_refused_with_all_reasons_and_kept(admin: Visitor) -> None:
    answer = admin.submit(
        "/new-hook", name="not a name!", trigger="pre-user-registration", script="<b>mine</b>"
    )
    assert answer.status_code == 400
    assert "&lt;b&gt;mine&lt;/b&gt;" in answer.text
    assert 'role="alert"' in answer.text


def test_hooks_are_found(admin: Visitor) -> None:
    page = admin.page("/hooks?text=DISPOSABLE")
    assert "block-disposable-mail" in page
    assert "welcome-note" not in page
    assert "welcome-note" in admin.page("/hooks?text=&trigger=&state=")
    assert "No hook is like that" in admin.page("/hooks?text=zzz")
    assert "allow-company-domains" in admin.page("/hooks?state=disabled&trigger=pre-user-registration")  # fmt: skip


def test_what_is_not_there_is_a_page_that_says_so(admin: Visitor) -> None:
    for path in ("/hooks/nowhere", "/hooks/greet/versions/99", "/elsewhere"):
        answer = admin.http.get(path)
        assert answer.status_code == 404
        assert "<h1>There is no such thing</h1>" in answer.text


def test_a_change_that_nobody_gave_a_reason_for_is_a_version(
    admin: Visitor, shared_server: Any
) -> None:
    new = {"name": "unexplained", "script": SCRIPT, "triggerId": "send-phone-message"}
    shared_server.client.post("/api/v2/hooks", json=new)
    assert "unexplained" in admin.page("/hooks/unexplained")
    assert "Version 1" in admin.page("/hooks/unexplained/versions/1")


def test_a_deleted_hook_is_gone(admin: Visitor, made: str) -> None:
    assert "is deleted" in admin.do(f"/hooks/{made}/delete", reason="was a trial")
    assert admin.http.get(f"/hooks/{made}").status_code == 404


def test_the_command_line_lists_and_ends_sessions(
    shared_server: Any, shared_workspace: Any
) -> None:
    visitor = Visitor(shared_server, shared_workspace, "viewer")
    newest = shared_workspace.json("sessions", "list")[0]
    assert newest["role"] == "viewer"
    assert newest["way"] == "link"
    shared_workspace.run("sessions", "end", newest["id"])
    assert visitor.http.get("/access").status_code == 303
    assert shared_workspace.run("sessions", "end", newest["id"], check=False).returncode == 1
    visitor.http.close()
