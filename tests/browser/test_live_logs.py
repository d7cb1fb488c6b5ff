"""Lines that appear while somebody looks: held, filtered, bounded, and never read as markup."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

ATTACK = "<img src=x onerror=\"document.title='taken'\">"
SCRIPT = f"""
def hook(user, context):
    print("greets", user["email"], {ATTACK!r})
    if user["email"].startswith("many"):
        for number in range(700):
            print("counts", number)
    return {{}}
"""


@pytest.fixture(scope="module")
def talking_server(sample_server: Any) -> Any:
    trigger = sample_server.repository / "hooks_repo" / "hooks" / "post-user-registration"
    shutil.rmtree(trigger)
    folder = trigger / "talker"
    folder.mkdir(parents=True)
    (folder / "hook.py").write_text(SCRIPT)
    (folder / "hook.toml").write_text("enabled = true\n")
    sample_server.commit("Let a hook talk")
    return sample_server


def greet(server: Any, address: str) -> None:
    payload = {"user": {"email": address}, "context": {"connection": {"strategy": "auth0"}}}
    server.ask("POST", "/v1/triggers/post-user-registration/invoke", json=payload)


def opened(visitor: Any, path: str) -> Page:
    page: Page = visitor.open(path)
    expect(page.get_by_text("Live.", exact=True)).to_be_visible()
    return page


def lines(page: Page, text: str) -> Any:
    return page.locator("ol.log > li", has_text=text)


@pytest.fixture
def visitor(talking_server: Any, visit: Callable[..., Any]) -> Any:
    made = visit(talking_server)
    made.sign_in()
    for _ in range(100):  # until the commit is live
        greet(talking_server, "warm@example.com")
        if talking_server.ask("GET", "/v1/logs?hook=talker").json().get("lines"):
            break
        made.page.wait_for_timeout(50)
    return made


def test_lines_appear_pause_holds_them_and_each_leads_to_its_invocation(visitor: Any) -> None:
    page = opened(visitor, "/logs")
    greet(visitor.server, "ada@example.com")
    expect(lines(page, "greets ada@example.com")).to_be_visible()
    expect(lines(page, "greets ada@example.com")).to_contain_text("onerror")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused.")).to_be_visible()
    greet(visitor.server, "ben@example.com")
    page.wait_for_timeout(800)
    expect(lines(page, "greets ben@example.com")).to_have_count(0)
    page.get_by_role("button", name="Go on").click()
    expect(lines(page, "greets ben@example.com")).to_have_count(1)
    expect(lines(page, "greets ada@example.com")).to_have_count(1)
    lines(page, "greets ben@example.com").get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Invocation")
    expect(lines(page, "greets ben@example.com")).to_be_visible()
    assert page.title().endswith("· hookledger")


def test_a_filter_follows_in_the_address_and_a_hook_leads_to_its_page(visitor: Any) -> None:
    page = opened(visitor, "/logs")
    page.get_by_label("Find in the text").fill("greets carol")
    page.wait_for_url(re.compile("text=greets"))
    expect(page.get_by_text("Live.", exact=True)).to_be_visible()
    greet(visitor.server, "dave@example.com")
    greet(visitor.server, "carol@example.com")
    expect(lines(page, "greets carol@example.com")).to_have_count(1)
    expect(lines(page, "greets dave@example.com")).to_have_count(0)
    page.reload()
    expect(lines(page, "greets carol@example.com")).to_have_count(1)
    page.get_by_role("link", name="talker").first.click()
    expect(page.get_by_role("heading", name="talker", level=1)).to_be_visible()


def test_a_hidden_page_follows_nobody_and_misses_nothing(visitor: Any) -> None:
    page = opened(visitor, "/logs")
    show = """(hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(show, arg=True)
    expect(page.get_by_text("Waiting until somebody looks.")).to_be_visible()
    greet(visitor.server, "eve@example.com")
    page.wait_for_timeout(800)
    expect(lines(page, "greets eve@example.com")).to_have_count(0)
    page.evaluate(show, arg=False)
    expect(lines(page, "greets eve@example.com")).to_have_count(1)


def test_so_many_lines_stay_and_no_more(visitor: Any) -> None:
    page = opened(visitor, "/logs")
    greet(visitor.server, "many@example.com")
    expect(lines(page, "counts 699")).to_be_visible()
    expect(page.locator("ol.log > li")).to_have_count(500)
    greet(visitor.server, "last@example.com")
    expect(page.locator("ol.log > li").first).to_contain_text("greets last@example.com")
    expect(page.locator("ol.log > li")).to_have_count(500)


def test_a_page_in_the_past_and_filters_of_invocations_work(visitor: Any) -> None:
    page = visitor.open("/logs/past")
    page.get_by_label("Level").select_option("error")
    page.wait_for_url(re.compile("level=error"))
    page.goto(visitor.server.address + "/invocations")
    page.get_by_label("Hook").fill("talker")
    page.get_by_label("Hook").press("Enter")
    page.wait_for_url(re.compile("hook=talker"))
    expect(page.get_by_role("row").nth(1)).to_contain_text("talker")
    page.get_by_text("More filters").click()
    page.get_by_label("Took at least (ms)").fill("99999")
    page.get_by_label("Took at least (ms)").press("Enter")
    expect(page.get_by_text("No invocation is like that.")).to_be_visible()
