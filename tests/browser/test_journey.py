"""From an empty server to a hook that runs, and to the entry in the history that says so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from app.domain.triggers.catalogue import CONTRACTS


def write(page: Page, place: str, text: str) -> None:
    """Type over all of an editor."""
    page.locator(".cm-editor").first.wait_for()  # in the place of a plain field
    editor = page.get_by_role("textbox", name=place)
    editor.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def test_the_whole_way(empty_server: Any, visit: Callable[..., Any]) -> None:
    visitor = visit(empty_server)
    page: Page = visitor.page
    page.goto(empty_server.link)
    expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
    assert "#" not in page.url, "the secret of the link stays nowhere"
    page.get_by_role("link", name="Hooks", exact=True).click()
    expect(page.get_by_text("No hooks yet")).to_be_visible()
    page.get_by_role("link", name="Create a hook").last.click()
    page.get_by_role("link", name="Pre-User Registration").click()

    # A mistake is shown on its line.
    write(page, "Script", "module.exports = function (user, context, cb) {\n  cb(null, }\n};\n")
    page.get_by_role("button", name="Run the draft").click()
    expect(page.get_by_text("Did not run")).to_be_visible()
    expect(page.locator(".cm-lintRange-error").first).to_be_visible()

    # A draft outlives a reload, and runs by the keyboard.
    script = "module.exports = function (user, context, cb) {\n  console.log('hello ' + user.email);\n  cb(null, { user: { app_metadata: { seen: true } } });\n};\n"
    write(page, "Script", script)
    expect(page.get_by_text("Draft kept in this browser")).to_be_visible()
    page.reload()
    expect(page.get_by_role("textbox", name="Script")).to_contain_text("hello ")
    page.locator(".cm-editor").first.wait_for()
    page.get_by_role("textbox", name="Payload").click()
    page.keyboard.press("Control+Enter")
    result = page.get_by_role("region", name="Result")
    expect(result.get_by_text("succeeded")).to_be_visible()
    expect(result.get_by_text("hello user1@example.com")).to_be_visible()
    expect(result.locator(".cm-line", has_text="app_metadata").first).to_be_visible()

    page.get_by_role("button", name="Create", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=False).first.fill("first-hook")
    dialog.get_by_label("What changes, and why").fill("the first of many")
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="first-hook", level=1)).to_be_visible()
    expect(page.get_by_text("`first-hook` is enabled")).to_be_visible()

    answer = empty_server.sign_up("a@example.com")
    assert answer.json()["data"] == {"user": {"app_metadata": {"seen": True}}}
    for _ in range(100):  # the journal writes in batches
        if empty_server.ask("GET", "/v1/invocations?hook=first-hook").json()["invocations"]:
            break
        page.wait_for_timeout(50)
    page.reload()
    expect(page.get_by_role("img", name="Durations of the newest 1 invocation:")).to_be_visible()

    # The draft is gone: what is edited next is what is saved.
    page.get_by_role("link", name="Edit and run").click()
    expect(page.get_by_role("textbox", name="Script")).to_contain_text("hello ")
    expect(page.get_by_text("Draft kept")).to_have_count(0)

    # The pages and the API tell the same story.
    page.get_by_role("link", name="Overview").click()
    changes = page.get_by_role("region", name="Last changes").or_(
        page.locator("section", has=page.locator("#changes"))
    )
    expect(changes.get_by_text("“the first of many”").first).to_be_visible()
    event = empty_server.ask("GET", "/v1/audit?hook=first-hook&type=hook.created").json()["events"][
        0
    ]
    assert (event["origin"], event["reason"]) == ("dashboard", "the first of many")
    assert event["actor"].startswith("person:")

    # Stop it, with a reason, by the keyboard alone.
    page.goto(empty_server.address + "/hooks/first-hook")
    page.get_by_role("button", name="Stop it").first.focus()
    page.keyboard.press("Enter")
    page.keyboard.type("enough of it")
    page.keyboard.press("Enter")
    expect(page.get_by_text("is stopped")).to_be_visible()
    assert empty_server.sign_up("a@example.com").status_code == 204

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.go_back()
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_hook_is_committed_tried_and_changed_in_git(
    empty_server: Any, visit: Callable[..., Any]
) -> None:
    visitor = visit(empty_server)
    visitor.sign_in()
    page: Page = visitor.open("/new-hook")
    page.get_by_role("link", name="Python, in git").click()
    page.get_by_role("link", name="Post-Change Password").click()
    expect(page.get_by_role("textbox", name="Script")).to_contain_text("def hook(user, context):")

    # What is wrong is said, with file and line, and nothing is committed.
    write(page, "Script", "def hook(user context):\n    return {}\n")
    page.get_by_role("button", name="Commit it").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("note-change")
    dialog.get_by_label("Message").fill("Note changed passwords")
    dialog.get_by_role("button", name="Commit", exact=True).click()
    expect(page.get_by_role("alert").first).to_contain_text("note-change/hook.py:1")
    assert empty_server.log() == ["Start"]
    visitor.complaints.clear()  # what browsers say of any answer that is 400

    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    write(
        page,
        "Script",
        "def hook(user, context):\n    print('noted', user['id'])\n    return {'noted': True}\n",
    )
    page.get_by_role("button", name="Run the draft").click()
    expect(page.get_by_role("region", name="Result").get_by_text("succeeded")).to_be_visible()

    # A fixture is tried against the draft, and committed with it.
    page.get_by_text("Add a file").click()
    page.get_by_label("Path").fill("fixtures/notes-it.json")
    page.get_by_role("button", name="Add it").click()
    fixture = page.get_by_role("textbox", name="fixtures/notes-it.json")
    payload = CONTRACTS["post-change-password"].example
    wrong = json.dumps({"payload": payload, "expect": {"result": {"noted": False}}})
    fixture.fill(wrong)
    page.get_by_role("button", name="Run the fixtures").click()
    expect(page.get_by_text("1 of 1 fixture failed")).to_be_visible()
    expect(page.get_by_text("result: expected")).to_be_visible()
    fixture.fill(wrong.replace('"noted": false', '"noted": true'))
    page.get_by_role("button", name="Run the fixtures").click()
    expect(page.get_by_text("1 fixture passed")).to_be_visible()
    page.get_by_role("button", name="Commit it").click()
    dialog.get_by_role("button", name="Commit", exact=True).click()
    expect(page.get_by_role("heading", name="note-change", level=1)).to_be_visible()
    expect(page.get_by_text("in force since position")).to_be_visible()
    assert empty_server.log() == ["Note changed passwords", "Start"]

    # Other files of its folder are committed along; a draft of them outlives a reload.
    page.get_by_role("link", name="Edit and run").click()
    page.locator(".cm-editor").first.wait_for()
    page.get_by_role("textbox", name="hook.toml").fill("enabled = true\ntimeout = 3\n")
    page.get_by_role("button", name="Commit it").click()
    dialog.get_by_label("Message").fill("Give it three seconds")
    dialog.get_by_role("button", name="Commit", exact=True).click()
    expect(page.get_by_role("alert").first).to_contain_text("note-change/hook.toml:2")
    visitor.complaints.clear()
    expect(dialog.get_by_label("Message")).to_have_value("Give it three seconds")
    dialog.get_by_role("button", name="Cancel").click()
    wrong_line = page.locator(".cm-line", has=page.locator(".cm-lintRange-error"))
    expect(wrong_line).to_contain_text("timeout = 3")
    changed = 'enabled = true\ntimeout = "3s"\n'
    page.get_by_role("textbox", name="hook.toml").fill(changed)
    expect(page.get_by_text("Draft kept in this browser")).to_be_visible()
    visitor.open("/hooks/note-change/edit")
    expect(page.get_by_role("textbox", name="hook.toml")).to_contain_text('timeout = "3s"')
    page.get_by_role("button", name="Commit it").click()
    expect(dialog.get_by_label("Message")).to_have_value("Give it three seconds")
    dialog.get_by_role("button", name="Commit", exact=True).click()
    expect(page.get_by_text("in force since position")).to_be_visible()
    hook = empty_server.ask("GET", "/v1/hooks/note-change").json()
    assert (hook["settings"]["timeout_ms"], hook["enabled"]) == (3000, True)

    # The history says who made the commit that is in force.
    page.goto(empty_server.address + "/history?hook=note-change")
    expect(page.get_by_text("“Give it three seconds”").first).to_be_visible()
    assert empty_server.log()[0] == "Give it three seconds"


def test_a_hook_of_git_is_compared_and_secrets_are_set(
    sample_server: Any, visit: Callable[..., Any]
) -> None:
    script = next(sample_server.repository.rglob("block-disposable-mail/hook.py"))
    script.write_text(script.read_text().replace('"discard.email"', '"discarded.example"'))
    sample_server.commit("Refuse another domain", "Ben Builder <ben@example.com>")
    visitor = visit(sample_server)
    visitor.sign_in()
    page: Page = visitor.open("/hooks/block-disposable-mail/versions")
    expect(page.get_by_text("Ben Builder")).to_be_visible()
    page.get_by_role("link", name="2", exact=True).click()
    expect(page.locator(".cm-merge-a .cm-changedLine").first).to_contain_text("discard.email")
    expect(page.locator(".cm-merge-b .cm-changedLine").first).to_contain_text("discarded.example")

    visitor.open("/hooks/block-disposable-mail")
    expect(page.locator(".cm-line").first).to_be_visible()
    page.get_by_role("button", name="Add a secret").click()
    page.get_by_role("dialog").get_by_label("Name").first.fill("API_KEY")
    page.get_by_role("dialog").get_by_label("Value").fill("hidden-value")
    page.get_by_role("button", name="Set it").click()
    expect(page.get_by_text("Secret `API_KEY` is set.")).to_be_visible()
    assert "hidden-value" not in page.content()
    page.get_by_role("button", name="Remove API_KEY").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("Secret `API_KEY` is removed.")).to_be_visible()

    with page.expect_download() as download:
        visitor.open("/hooks/block-disposable-mail/edit")
        page.get_by_role("button", name="Commit it").click()
        page.get_by_role("button", name="Download it").click()
    assert download.value.suggested_filename == "hook.py"
    assert download.value.path().read_text() == script.read_text()


def test_a_missing_secret_is_found_and_set(sample_server: Any, visit: Callable[..., Any]) -> None:
    folder = sample_server.repository / "hooks_repo/hooks/send-phone-message/needs-a-key"
    folder.mkdir(parents=True)
    (folder / "hook.toml").write_text('enabled = false\n[secrets]\nrequired = ["SMS_KEY"]\n')
    (folder / "hook.py").write_text("def hook(recipient, text, context):\n    return {}\n")
    sample_server.commit("Need a key")
    assert sample_server.ask("POST", "/v1/sync").status_code == 200
    visitor = visit(sample_server)
    visitor.sign_in()
    page: Page = visitor.page
    page.get_by_role("link", name="Secrets").click()
    page.get_by_role("combobox", name="State").select_option("missing")
    page.wait_for_url("**state=missing*")
    row = page.get_by_role("row").filter(has_text="needs-a-key")
    expect(row.get_by_text("Missing")).to_be_visible()
    row.get_by_role("button", name="Set SMS_KEY of needs-a-key").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Hook")).to_have_value("needs-a-key")
    expect(dialog.get_by_label("Value")).to_be_focused()
    page.keyboard.type("hidden-value")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Secret `SMS_KEY` is set for `needs-a-key`.")).to_be_visible()
    expect(row.get_by_text("Set", exact=True)).to_be_visible()
    assert "hidden-value" not in page.content()


def test_the_overview_refreshes_itself_without_losing_the_place(
    sample_server: Any, visit: Callable[..., Any]
) -> None:
    visitor = visit(sample_server)
    visitor.sign_in()
    page: Page = visitor.page
    link = page.get_by_role("link", name="Pre-User Registration")
    link.focus()
    page.evaluate("document.getElementById('live').kept = true")
    bars = page.get_by_role("row").filter(has=link).get_by_role("img")
    before = int((bars.get_attribute("aria-label") or "").split()[0])
    for number in range(5):
        sample_server.sign_up(f"a{number}@example.com")
    expect(bars).to_have_accessible_name(
        re.compile(rf"^{before + 5} invocations in the last hour"), timeout=30_000
    )
    assert page.evaluate("document.activeElement.textContent") == "Pre-User Registration"
    assert page.evaluate("document.getElementById('live').kept") is True
    page.get_by_role("button", name="Colours").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"


def test_hooks_are_found_while_one_types(sample_server: Any, visit: Callable[..., Any]) -> None:
    visitor = visit(sample_server)
    visitor.sign_in()
    page: Page = visitor.open("/hooks")
    page.get_by_role("searchbox").press_sequentially("dispos")
    expect(page.get_by_role("link", name="welcome-note")).to_have_count(0)
    expect(page.get_by_role("link", name="block-disposable-mail")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "text"
    page.wait_for_url("**text=dispos*")
    page.reload()
    expect(page.get_by_role("link", name="welcome-note")).to_have_count(0)
    page.get_by_role("combobox", name="State").select_option("disabled")
    expect(page.get_by_text("No hook is like that")).to_be_visible()
