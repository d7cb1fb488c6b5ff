"""From nothing to a hook of git that runs, and its entry in the history: at the dashboard alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

ATTACK = "<img src=x onerror=\"document.title='taken'\">"
NAME, MESSAGE = "seen-marker", f"Mark who signs up {ATTACK}"
BROKEN = "def hook(user context):\n    return {}\n"
RAISES = "def hook(user, context):\n    return {'user': {'app_metadata': user['metadata']}}\n"
WORKS = (
    "def hook(user, context):\n"
    f"    print('saw', user['email'], {ATTACK!r})\n"
    "    return {'user': {'app_metadata': {'seen': True}}}\n"
)


class Author:
    """Somebody at the dashboard; every page they come to is for everybody, under the policy."""

    def __init__(self, visitor: Any) -> None:
        self.visitor = visitor
        self.page: Page = visitor.page
        self.answers: list[Any] = []
        self.page.on("response", self.note)

    def note(self, answer: Any) -> None:
        self.answers.append(answer)

    def arrive(self, heading: str) -> None:
        expect(self.page.get_by_role("heading", name=heading, level=1)).to_be_visible()
        self.page.wait_for_load_state("networkidle")
        assert self.visitor.violations() == [], self.page.url
        assert self.page.title() != "taken", self.page.url

    def write(self, text: str) -> None:
        self.page.locator(".cm-editor").first.wait_for()
        self.page.get_by_role("textbox", name="Script").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)

    def run(self) -> None:
        self.page.get_by_role("button", name="Run the draft").click()

    def policies(self) -> set[bool]:
        """Tell of each page whether its policy admits no script but ours."""
        pages = [each for each in self.answers if each.request.resource_type == "document"]
        found = [each.headers.get("content-security-policy", "") for each in pages]
        return {"default-src 'none'; script-src 'self';" in policy for policy in found}


def test_from_an_empty_repository_to_a_hook_that_runs_and_its_entry_in_the_history(
    fresh_server: Any, visit: Callable[..., Any]
) -> None:
    author = Author(visit(fresh_server))
    page, visitor = author.page, author.visitor
    page.goto(fresh_server.link)
    author.arrive("Overview")

    # The empty list says what a hook is, and leads on.
    page.get_by_role("link", name="Hooks", exact=True).click()
    author.arrive("Hooks")
    expect(page.get_by_text("A hook is a small function")).to_be_visible()
    page.get_by_role("link", name="Create a hook").last.click()
    author.arrive("Create a hook")
    page.get_by_role("link", name="Python, in git").click()
    page.get_by_role("link", name="Pre-User Registration").click()
    author.arrive("Pre-User Registration")

    # What is wrong stands on its line, whether the script cannot be read or fails.
    author.write(BROKEN)
    author.run()
    expect(page.get_by_text("Did not run")).to_be_visible()
    expect(page.locator(".cm-line", has=page.locator(".cm-lintRange-error"))).to_contain_text("def hook(user context)")  # fmt: skip
    author.write(RAISES)
    author.run()
    expect(page.get_by_text("Line 2.")).to_be_visible()
    expect(page.locator(".cm-line", has=page.locator(".cm-lintRange-error"))).to_contain_text("return")  # fmt: skip
    assert visitor.violations() == []

    # A commit of what cannot be read is refused, at file and line, and the draft stays.
    author.write(BROKEN)
    page.get_by_role("button", name="Commit it").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill(NAME)
    dialog.get_by_label("Message").fill(MESSAGE)
    dialog.get_by_role("button", name="Commit", exact=True).click()
    expect(page.get_by_role("alert").first).to_contain_text(f"{NAME}/hook.py:1")
    assert visitor.violations() == []
    visitor.complaints.clear()  # what browsers say of any answer that is 400
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.locator(".cm-line", has=page.locator(".cm-lintRange-error"))).to_contain_text("def hook(user context)")  # fmt: skip

    # It works; what came of the run is kept as a fixture, and tried.
    author.write(WORKS)
    author.run()
    result = page.get_by_role("region", name="Result")
    expect(result.get_by_text("succeeded")).to_be_visible()
    result.get_by_role("button", name="Keep it as a fixture").click()
    fixture = page.get_by_role("textbox", name="fixtures/example-1.json")
    expect(fixture).to_be_focused()
    page.get_by_role("button", name="Run the fixtures").click()
    expect(page.get_by_text("1 fixture passed")).to_be_visible()
    written = page.locator('textarea[name="file:fixtures/example-1.json"]').input_value()
    fixture.fill(written.replace('"seen": true', '"seen": false'))
    page.get_by_role("button", name="Run the fixtures").click()
    expect(page.get_by_text("1 of 1 fixture failed")).to_be_visible()
    assert visitor.violations() == []
    fixture.fill(written)
    expect(page.get_by_text("Draft kept in this browser")).to_be_visible()

    # The draft outlives the page, the fixture with it, and is live once it is committed.
    visitor.open("/new-hook?source=default&language=python&trigger=pre-user-registration")
    expect(page.get_by_role("textbox", name="Script")).to_contain_text("print('saw'")
    expect(fixture).to_contain_text('"seen": true')
    page.get_by_role("button", name="Commit it").click()
    dialog.get_by_label("Name").fill(NAME)
    dialog.get_by_label("Message").fill(MESSAGE)
    dialog.get_by_role("button", name="Commit", exact=True).click()
    author.arrive(NAME)
    expect(page.get_by_text("in force since position")).to_be_visible()
    expect(page.get_by_text("Enabled", exact=True).first).to_be_visible()
    assert fresh_server.log() == [MESSAGE, "Start"]
    page.get_by_role("link", name="Edit and run").click()
    author.arrive(NAME)
    page.get_by_text("fixtures/example-1.json", exact=True).click()
    page.get_by_role("button", name="Run it (fixtures/example-1.json)").click()
    expect(page.get_by_text("1 fixture passed")).to_be_visible()

    # It answers, and its invocation tells of the commit.
    answer = fresh_server.sign_up("a@example.com")
    assert answer.json()["data"] == {"user": {"app_metadata": {"seen": True}}}
    commit, invocation = (answer.headers[f"hookledger-{of}"] for of in ("revision", "invocation"))
    for _ in range(100):  # the journal writes in batches
        if fresh_server.ask("GET", f"/v1/invocations?hook={NAME}").json()["invocations"]:
            break
        page.wait_for_timeout(50)
    visitor.open(f"/hooks/{NAME}")
    page.locator(f'a[href="/invocations/{invocation}"]').first.click()
    page.wait_for_url(f"**/invocations/{invocation}")
    expect(page.get_by_text("saw a@example.com")).to_be_visible()
    expect(page.get_by_title(commit).first).to_be_visible()
    author.arrive("Invocation")

    # The history names the commit, its message, and who made it here.
    page.get_by_role("link", name="History").click()
    author.arrive("History")
    expect(page.get_by_text(f"“{MESSAGE}”").first).to_be_visible()
    event = fresh_server.ask("GET", f"/v1/audit?hook={NAME}&type=hook.created").json()["events"][0]
    assert event["commit"] == commit
    visitor.open(f"/history/{event['position']}")
    expect(page.get_by_text(commit).first).to_be_visible()
    author.arrive(NAME)
    assert author.policies() == {True}
