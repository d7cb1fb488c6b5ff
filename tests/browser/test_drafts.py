"""Drafts that others were faster than: nothing is undone unseen, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

NAME = "welcome-note"


class Writer:
    """Two people at one hook: one at the dashboard, one in the repository."""

    def __init__(self, server: Any, visitor: Any) -> None:
        self.server, self.visitor = server, visitor
        self.page: Page = visitor.page
        self.folder: Path = next(server.repository.rglob(f"{NAME}/hook.py")).parent

    def edit(self) -> None:
        self.visitor.open(f"/hooks/{NAME}/edit")
        self.page.locator(".cm-editor").first.wait_for()

    def write(self, file: str, text: str) -> None:
        self.page.get_by_role("textbox", name=file).click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)

    def keeps(self) -> None:
        expect(self.page.get_by_text("Draft kept in this browser")).to_be_visible()

    def theirs(self, file: str, text: str) -> None:
        """Let somebody else commit."""
        (self.folder / file).write_text(text)
        self.server.commit(f"Change {file} meanwhile")
        assert self.server.ask("POST", "/v1/sync").status_code == 200

    def text(self, file: str) -> Any:
        return expect(self.page.get_by_role("textbox", name=file))

    def commit(self, message: str) -> None:
        self.page.get_by_role("button", name="Commit it").click()
        self.page.get_by_role("dialog").get_by_label("Message").fill(message)
        self.page.keyboard.press("Enter")

    def is_refused(self) -> None:
        expect(self.page.get_by_role("alert")).to_contain_text("Somebody changed")
        self.visitor.complaints.clear()  # what browsers say of any answer that is 409


@pytest.fixture
def writer(fresh_server: Any, visit: Callable[..., Any]) -> Iterator[Writer]:
    folder = fresh_server.repository / "hooks_repo/hooks/post-user-registration" / NAME
    folder.mkdir(parents=True)
    (folder / "hook.toml").write_text("enabled = true\n")
    (folder / "hook.py").write_text(script("one", "two", "three", "four", "five", "six"))
    fresh_server.commit("Welcome people")
    assert fresh_server.ask("POST", "/v1/sync").status_code == 200
    visitor = visit(fresh_server)
    visitor.sign_in()
    yield Writer(fresh_server, visitor)
    assert visitor.violations() == []


def script(*words: str) -> str:
    lines = "".join(f"    print('{word}')\n" for word in words)
    return f"def hook(user, context):\n{lines}    return {{}}\n"


def test_a_draft_of_an_older_version_is_offered_and_never_put_in_place(writer: Writer) -> None:
    page = writer.page
    writer.edit()
    writer.write("Script", script("mine", "two", "three", "four", "five", "six"))
    writer.keeps()
    writer.theirs("hook.py", script("one", "two", "three", "four", "five", "theirs"))
    writer.theirs("hook.toml", "enabled = true\norder = 7\n")

    # What there is now is shown; the draft is offered, and compared.
    writer.edit()
    writer.text("Script").to_contain_text("theirs")
    writer.text("Script").not_to_contain_text("mine")
    older = page.get_by_role("group", name="An older draft")
    expect(older).to_contain_text("hook.py has changed since, and differs in the draft.")
    expect(older).to_contain_text("hook.toml has changed too, and stays as it is now.")
    older.get_by_role("button", name="Compare").click()
    expect(older.locator(".cm-changedLine", has_text="theirs")).to_have_count(1)
    expect(older.locator(".cm-changedLine", has_text="mine")).to_have_count(1)
    assert writer.visitor.violations() == []

    # Taken, it is of what it was made of: its commit would undo what they did, and is refused.
    older.get_by_role("button", name="Take the draft").click()
    writer.text("Script").to_contain_text("mine")
    writer.text("hook.toml").to_contain_text("order = 7")
    writer.commit("Say mine")
    writer.is_refused()
    expect(page.get_by_role("alert")).to_contain_text("`hook.py`")
    conflict = page.get_by_role("group", name="Conflict in hook.py")
    expect(conflict.locator(".cm-changedLine", has_text="theirs")).to_have_count(1)
    expect(conflict.locator(".cm-changedLine", has_text="mine")).to_have_count(1)
    assert writer.server.log()[0] == "Change hook.toml meanwhile"
    assert writer.visitor.violations() == []

    # Both are put together; what will be in the commit is listed, and the message is still there.
    conflict.get_by_role("button", name="Put both together").click()
    expect(conflict).to_have_count(0)
    writer.text("Script").to_contain_text("mine")
    writer.text("Script").to_contain_text("theirs")
    page.get_by_role("button", name="Commit it").click()
    expect(page.get_by_label("Message")).to_have_value("Say mine")
    expect(page.get_by_role("dialog")).to_contain_text(f"{NAME}/ hook.py")
    page.get_by_role("dialog").get_by_role("button", name="Commit", exact=True).click()
    expect(page.get_by_text("in force since position")).to_be_visible()
    writer.server.git("reset", "--hard", "--quiet")
    assert (writer.folder / "hook.py").read_text() == script("mine", "two", "three", "four", "five", "theirs")  # fmt: skip
    assert (writer.folder / "hook.toml").read_text() == "enabled = true\norder = 7\n"
    writer.edit()
    expect(page.locator("[data-draft-state]")).to_have_text("")
    expect(older).to_have_count(0)


def test_an_older_draft_is_discarded_or_waits(writer: Writer) -> None:
    page, older = writer.page, writer.page.get_by_role("group", name="An older draft")
    writer.edit()
    writer.write("Script", script("mine"))
    writer.keeps()
    writer.theirs("hook.py", script("theirs"))
    writer.edit()
    writer.write("Script", script("newer"))  # a draft of what there is now, beside the older one
    writer.keeps()
    writer.edit()
    writer.text("Script").to_contain_text("newer")
    older.get_by_role("button", name="Take the draft").click()
    writer.text("Script").to_contain_text("mine")
    older.get_by_role("button", name="Take the draft").click()  # the other one in turn
    writer.text("Script").to_contain_text("newer")
    older.get_by_role("button", name="Discard it").click()
    expect(older).to_have_count(0)
    writer.edit()
    expect(older).to_have_count(0)
    writer.text("Script").to_contain_text("newer")
    page.get_by_role("button", name="Discard the draft").click()
    writer.text("Script").to_contain_text("theirs")


def test_what_others_change_while_the_page_is_open_is_a_conflict_too(writer: Writer) -> None:
    page, conflict = writer.page, writer.page.get_by_role("group", name="Conflict in hook.py")
    writer.edit()
    writer.write("Script", script("mine"))
    writer.keeps()
    writer.theirs("hook.py", script("theirs"))
    writer.commit("Say mine")
    writer.is_refused()
    writer.text("Script").to_contain_text("mine")
    expect(conflict).to_contain_text("Both changed the same lines")
    expect(conflict.get_by_role("button", name="Put both together")).to_have_count(0)
    conflict.get_by_role("button", name="Let mine replace it").click()
    page.get_by_role("button", name="Commit it").click()
    page.get_by_role("dialog").get_by_role("button", name="Commit", exact=True).click()
    expect(page.get_by_text("in force since position")).to_be_visible()
    assert writer.server.log()[0] == "Say mine"


def test_a_draft_of_one_file_leaves_what_others_do_to_the_rest(writer: Writer) -> None:
    page = writer.page
    writer.edit()
    page.get_by_text("Add a file").click()
    page.get_by_label("Path").fill("fixtures/one.json")
    page.keyboard.press("Enter")
    content = json.dumps({"payload": {}, "expect": {"result": None}})
    page.get_by_role("textbox", name="fixtures/one.json").fill(content)
    writer.keeps()
    writer.theirs("hook.py", script("theirs"))
    writer.commit("Add a fixture")
    expect(page.get_by_text("in force since position")).to_be_visible()
    writer.server.git("reset", "--hard", "--quiet")
    assert (writer.folder / "hook.py").read_text() == script("theirs")
    assert (writer.folder / "fixtures/one.json").read_text() == content


def test_a_refused_commit_of_the_branch_is_shown_with_its_reasons_and_mended(
    writer: Writer,
) -> None:
    page = writer.page
    (writer.folder / "hook.py").write_text("def hook(user context):\n    return {}\n")
    (writer.folder / "secrets.age").write_bytes(b"sealed")
    (writer.folder / "icon.png").write_bytes(b"\x89PNG\xff")
    writer.server.commit("Break it")
    writer.server.ask("POST", "/v1/sync")
    writer.edit()
    expect(page.get_by_text("which is not in force, but refused")).to_be_visible()
    expect(page.locator(".cm-line", has=page.locator(".cm-lintRange-error"))).to_contain_text("def hook(user context)")  # fmt: skip
    page.get_by_text("2 more files, not shown").click()
    expect(page.get_by_text("icon.png is not text")).to_be_visible()
    expect(page.get_by_text("secrets.age is sealed")).to_be_visible()

    # What is not changed is not committed.
    page.get_by_role("button", name="Commit it").click()
    expect(page.get_by_text("there is nothing to commit yet")).to_be_visible()
    expect(page.get_by_role("button", name="Commit", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Cancel").click()

    # The manifest is judged with each run.
    writer.write("Script", script("mended"))
    writer.write("hook.toml", "enabled = true\ntimeout = 3\n")
    page.get_by_role("button", name="Run the draft").click()
    expect(page.get_by_role("region", name="Result")).to_contain_text("hook.toml:2 timeout must be a duration")  # fmt: skip
    expect(page.locator(".cm-line", has=page.locator(".cm-lintRange-error"))).to_contain_text("timeout = 3")  # fmt: skip
    assert writer.visitor.violations() == []


def test_a_hook_of_this_server_is_guarded_in_the_same_way(writer: Writer) -> None:
    page, server = writer.page, writer.server
    begun = {"name": "sms", "triggerId": "send-phone-message", "script": node("begun")}
    made = server.ask("POST", "/api/v2/hooks", json=begun).json()
    writer.visitor.open("/hooks/sms/edit")
    page.locator(".cm-editor").first.wait_for()
    writer.write("Script", node("mine"))
    writer.keeps()
    changed = server.ask("PATCH", f"/api/v2/hooks/{made['id']}", json={"script": node("theirs")})
    assert changed.status_code == 200
    save(page, "Say mine")
    writer.is_refused()
    conflict = page.get_by_role("group", name="Conflict in hook.js")
    expect(conflict.locator(".cm-changedLine", has_text="theirs")).to_have_count(1)
    assert writer.visitor.violations() == []
    conflict.get_by_role("button", name="Take what is there").click()
    writer.text("Script").to_contain_text("theirs")
    expect(page.locator("[data-draft-state]")).to_have_text("")
    writer.write("Script", node("both"))
    save(page, "Say both")
    expect(page.get_by_text("`sms` is saved")).to_be_visible()
    assert server.ask("GET", "/v1/hooks/sms").json()["script"] == node("both")


def test_a_folder_that_cannot_be_read_is_told_of(writer: Writer) -> None:
    page, server = writer.page, writer.server
    assert server.ask("POST", "/v1/sync/suspend", json={"reason": "to look"}).status_code == 200
    server.git("rm", "-r", "--quiet", str(writer.folder))
    server.commit("Remove it")
    writer.edit()
    expect(page.get_by_text("The hook's folder cannot be read from the branch")).to_be_visible()
    writer.text("Script").to_contain_text("one")
    page.get_by_role("button", name="Commit it").click()
    expect(page.get_by_role("dialog")).to_contain_text("It cannot be committed from here")
    expect(page.get_by_role("button", name="Commit", exact=True)).to_have_count(0)


def node(word: str) -> str:
    return f"module.exports = function (recipient, text, context, cb) {{\n  cb(null, {{ {word}: 1 }});\n}};\n"


def save(page: Page, reason: str) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("dialog").get_by_label("What changes, and why").fill(reason)
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
