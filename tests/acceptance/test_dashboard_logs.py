"""Lines, invocations and figures at the dashboard, as a browser without scripts sees them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import orjson
import pytest

from app.domain.triggers.catalogue import CONTRACTS

PRE = "pre-user-registration"
ATTACK = "<script>alert(1)</script><img src=x onerror=alert(2)>"
SCRIPT = f"""
import logging

def hook(user, context):
    print("greets", user["username"], {ATTACK!r})
    logging.getLogger().error("a grave line")
    if user["username"] == "bad":
        raise ValueError({ATTACK!r})
    return {{"user": {{"app_metadata": {{"note": {ATTACK!r}}}}}}}
"""


class Visitor:
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
        assert "script-src 'self';" in answer.headers["content-security-policy"]
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text
        return answer.text


def payload(name: str) -> Any:
    example = orjson.loads(orjson.dumps(CONTRACTS[PRE].example))
    return {**example, "user": {**example["user"], "username": name, "nickname": ATTACK}}


@pytest.fixture(scope="module")
def used(shared_server: Any, shared_workspace: Any) -> Any:
    """A server whose hook was invoked twice: once well, once not."""
    shared_workspace.remove_hooks(PRE)
    shared_workspace.write_hook(PRE, "greeter", SCRIPT)
    settings = shared_workspace.repository / "hooks_repo" / "hookledger.toml"
    settings.write_text(f'[triggers.{PRE}]\nrecord = "masked"\nmask = ["email"]\n')
    commit = shared_workspace.commit("Greet")
    shared_server.until(PRE, payload("warm"), commit)
    return shared_server


@pytest.fixture(scope="module")
def good(used: Any) -> str:
    return invoked(used, "ada")


@pytest.fixture(scope="module")
def bad(used: Any) -> str:
    return invoked(used, "bad")


def invoked(server: Any, name: str) -> str:
    invocation: str = server.invoke(PRE, payload(name)).headers["hookledger-invocation"]
    server.eventually(f"/v1/invocations/{invocation}", lambda found: found.get("lines"))
    return invocation


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
def viewer(visit: Callable[[str], Visitor]) -> Visitor:
    return visit("viewer")


def lines(page: str) -> list[str]:
    listed = page.partition('<ol class="log lines"')[2].partition("</ol>")[0]
    return re.findall(r"<code>(.*?)</code>", listed)


def test_the_newest_lines_are_there_each_with_its_invocation(viewer: Visitor, good: str) -> None:
    page = viewer.page("/logs")
    assert any("greets ada" in line for line in lines(page))
    assert f'href="/invocations/{good}"' in page
    assert 'aria-current="page">' in page
    assert "&lt;script&gt;alert(1)" in page


def test_lines_are_found_by_every_filter(viewer: Visitor, good: str) -> None:
    for path in ("/logs", "/logs/past"):
        assert set(lines(viewer.page(f"{path}?text=GRAVE"))) == {"a grave line"}
        assert set(lines(viewer.page(f"{path}?level=error&text="))) == {"a grave line"}
        assert lines(viewer.page(f"{path}?hook=greeter"))
        assert lines(viewer.page(f"{path}?trigger={PRE}"))
        assert lines(viewer.page(f"{path}?trigger=credentials-exchange")) == []
        assert viewer.http.get(f"{path}?hook=nobody").status_code == 400
    assert lines(viewer.page("/logs/past?since=2020-01-01T00:00&until=2030-01-01T00:00"))
    assert lines(viewer.page("/logs/past?until=2020-01-01T00:00")) == []
    assert viewer.http.get("/logs/past?since=yesterday").status_code == 400


def test_lines_come_live_until_the_session_ends(
    used: Any, shared_workspace: Any, good: str
) -> None:
    visitor = Visitor(used, shared_workspace, "viewer")
    found: list[dict[str, Any]] = []
    with visitor.http.stream("GET", "/logs/stream?text=greets live&hook=greeter") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert "default-src 'none'" in stream.headers["content-security-policy"]
        event = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: "):
                data = orjson.loads(line.removeprefix("data: "))
                if event == "open":
                    used.invoke(PRE, payload("unseen"))
                    used.invoke(PRE, payload("live"))
                elif event == "line":
                    found.append(data)
                    newest = shared_workspace.json("sessions", "list")[0]
                    shared_workspace.run("sessions", "end", newest["id"])
                elif event == "end":
                    assert data == {"reason": "token"}
                    break
    (only,) = found
    assert only["text"].startswith("greets live")
    assert (only["hook"], only["level"]) == ("greeter", "info")
    assert visitor.http.get("/logs").status_code == 303
    visitor.http.close()


def test_invocations_are_found_by_every_filter(used: Any, viewer: Visitor, good: str, bad: str) -> None:  # fmt: skip
    record = used.client.get(f"/v1/invocations?invocation={bad}").json()["invocations"][0]
    page = viewer.page("/invocations")
    assert good in page
    assert bad in page
    for query in (
        "outcome=unsuccessful",
        f"outcome={record['kind']}",
        "text=alert(1)",
        f"outcome=unsuccessful&trigger={PRE}&hook=greeter&commit={record['commit']}",
    ):
        page = viewer.page(f"/invocations?{query}")
        assert bad in page, query
        assert good not in page, query
    assert good in viewer.page(f"/invocations?caller={record['caller']}&min_ms=0&text=")
    for query in ("caller=nobody", "min_ms=100000", "until=2020-01-01T00:00", "hook=nobody"):
        assert "No invocation is like that" in viewer.page(f"/invocations?{query}"), query
    assert viewer.http.get("/invocations?outcome=fine").status_code == 400


def test_an_invocation_tells_all_and_recorded_content_on_request(
    used: Any, viewer: Visitor, visit: Callable[[str], Visitor], good: str, bad: str
) -> None:
    page = viewer.page(f"/invocations/{bad}")
    assert "errored" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "a grave line" in lines(page)
    assert "Waited for a worker" in page
    assert "user1@example.com" not in page
    before = seen(used, bad)
    recorded = viewer.page(f"/invocations/{good}/recording")
    assert "&#34;email&#34;: &#34;<mark>***</mark>&#34;" in recorded
    assert "&#34;note&#34;" in recorded
    assert "Run it again" not in recorded, "a viewer runs nothing"
    part = visit("operator").page(f"/invocations/{good}/recording", **{"hx-request": "true"})
    assert "<html" not in part
    link = f"/hooks/greeter/edit?invocation={good}"
    assert link in part
    assert before == [], "opening the page is no look at the payload"
    accesses = used.eventually(
        f"/v1/access?kind=payload_read&subject=invocation:{good}",
        lambda found: sum(each["count"] for each in found["accesses"]) == 2,
    )
    assert accesses["accesses"][0]["client"].startswith("person:local|")
    editor = visit("operator").page(link)
    assert "Recorded of" in editor
    assert "&#34;username&#34;: &#34;ada&#34;" in editor


def seen(server: Any, invocation: str) -> Any:
    threading.Event().wait(0.5)
    query = f"/v1/access?kind=payload_read&subject=invocation:{invocation}"
    return server.client.get(query).json()["accesses"]


def test_what_is_not_known_is_a_page_that_says_so(viewer: Visitor, used: Any) -> None:
    for path in ("/invocations/nothing", "/invocations/nothing/recording"):
        assert viewer.http.get(path).status_code == 404
    answer = viewer.http.get("/hooks/greeter/edit?invocation=nothing")
    assert answer.status_code == 404


def test_a_client_without_the_scopes_is_shown_neither_lines_nor_payloads(
    used: Any, shared_workspace: Any, good: str
) -> None:
    made = shared_workspace.json("clients", "create", "narrow", "--scope", "read:invocations")
    with httpx.Client(base_url=used.address, headers={"accept": "text/html", "origin": used.address}) as http:  # fmt: skip
        form = {"client_id": made["client_id"], "client_secret": made["client_secret"]}
        assert http.post("/login/client", data=form).status_code == 303
        page = http.get(f"/invocations/{good}").text
        assert "you need the scope <code>read:payloads</code>" in page
        assert http.get(f"/invocations/{good}/recording").status_code == 403
        assert http.get(f"/hooks/greeter/edit?invocation={good}").status_code == 403
        assert http.get("/logs").status_code == 200
    assert httpx.get(f"{used.address}/logs/stream").status_code == 303


def test_figures_are_those_of_the_journal_and_lead_to_the_invocations(
    used: Any, viewer: Visitor, good: str, bad: str
) -> None:
    stats = used.client.get(f"/v1/invocations/stats?trigger={PRE}").json()["overall"]
    page = viewer.page("/")
    row = page.partition(f"/hooks?trigger={PRE}")[2].partition("</tr>")[0]
    assert f'aria-label="{stats["runs"]} invocations in the last hour"' in row
    links = re.findall(r'href="(/invocations\?[^"]+)"', row)
    assert len(links) == 3
    assert all(f"trigger={PRE}" in link for link in links)
    failing = next(link for link in links if "outcome=unsuccessful" in link)
    assert bad in viewer.page(failing.replace("&amp;", "&"))
    hook = viewer.page("/hooks/greeter")
    stats = used.client.get("/v1/invocations/stats?hook=greeter").json()["overall"]
    assert "Last hour, by the minute" in hook
    assert f'aria-label="{stats["runs"]} invocations in the last hour"' in hook
    assert "outcome=unsuccessful" in hook


def test_the_past_has_pages(used: Any, viewer: Visitor) -> None:
    for number in range(60):
        last = used.invoke(PRE, payload(f"n{number}")).headers["hookledger-invocation"]
    used.eventually(f"/v1/invocations/{last}", lambda found: found.get("lines"))
    first = viewer.page("/logs/past?hook=greeter")
    assert len(lines(first)) == 100
    older = re.search(r'href="(/logs/past\?[^"]+)">Older', first)
    assert older
    assert "hook=greeter" in older[1]
    second = viewer.page(older[1].replace("&amp;", "&"))
    assert lines(second)
    numbers = [set(re.findall(r'data-sequence="(\d+)"', page)) for page in (first, second)]
    assert not numbers[0] & numbers[1]
    older = re.search(r'href="(/invocations\?[^"]+)">Older', viewer.page("/invocations"))
    assert older
    assert "<tr>" in viewer.page(older[1].replace("&amp;", "&"))
