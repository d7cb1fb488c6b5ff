"""What every page must hold to: accessible, light, closed to scripts that are not ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

SAMPLE = "block-disposable-mail"
FAST = ("/", f"/hooks/{SAMPLE}", f"/hooks/{SAMPLE}/edit", "/logs")
"""Looked at in the fast selection too."""
PAGES = [
    *FAST,
    *(
        pytest.param(path, marks=pytest.mark.slow)
        for path in (
            "/hooks",
            f"/hooks/{SAMPLE}/versions",
            f"/hooks/{SAMPLE}/versions/1",
            "/secrets",
            "/new-hook",
            "/new-hook?trigger=credentials-exchange",
            "/new-hook?source=default&language=python",
            "/new-hook?source=default&language=python&trigger=send-phone-message",
            "/access",
            "/sync",
            "/sync/default/commits",
            "/history",
            "/history/1",
            "/history/as-of?as_of=5",
            "/history/verification",
            "/logs/past",
            "/invocations?min_ms=0",
            "/hooks/nowhere",
        )
    ),
]
PAGE_BYTES = 300_000
ATTACK = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"


@pytest.fixture
def signed_in(sample_server: Any, visit: Callable[..., Any]) -> Any:
    visitor = visit(sample_server)
    visitor.sign_in()
    return visitor


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_nobody_is_shut_out(signed_in: Any, path: str, colours: str) -> None:
    signed_in.page.emulate_media(color_scheme=colours, reduced_motion="reduce")
    page = signed_in.open(path)
    page.wait_for_load_state("networkidle")
    assert signed_in.violations() == []
    if path == "/hooks/nowhere":  # what browsers say of any answer that is 404
        signed_in.complaints.clear()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_nobody_is_shut_out_at_the_door(
    sample_server: Any, visit: Callable[..., Any], colours: str
) -> None:
    visitor = visit(sample_server, color_scheme=colours)
    visitor.open("/login")
    assert visitor.violations() == []


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_an_invocation_shuts_nobody_out_and_fits_a_phone(signed_in: Any, colours: str) -> None:
    answer = signed_in.server.sign_up("somebody@mailinator.com")
    signed_in.page.wait_for_timeout(500)  # the journal writes in batches
    signed_in.page.emulate_media(color_scheme=colours, reduced_motion="reduce")
    page = signed_in.open(f"/invocations/{answer.headers['hookledger-invocation']}")
    page.get_by_text("Waited for a worker").wait_for()
    assert signed_in.violations() == []
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_dialogs_and_results_are_for_everybody(signed_in: Any) -> None:
    page = signed_in.open(f"/hooks/{SAMPLE}")
    page.get_by_role("button", name="Stop it").first.click()
    assert signed_in.violations() == []
    page = signed_in.open(f"/hooks/{SAMPLE}/edit")
    page.get_by_role("button", name="Run the draft").click()
    page.get_by_role("region", name="Result").get_by_text("Effects").wait_for()
    assert signed_in.violations() == []


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_a_plan_and_a_commit_are_for_everybody(signed_in: Any, colours: str) -> None:
    server = signed_in.server
    script = next((server.repository / "hooks_repo" / "hooks").rglob("hook.py"))
    server.git("switch", "--quiet", "-C", "topic")
    script.write_text("# What a topic would change.\n" + script.read_text())
    server.commit("Say what it is for")
    server.git("switch", "--quiet", "main")
    signed_in.page.emulate_media(color_scheme=colours, reduced_motion="reduce")
    page = signed_in.open("/sync")
    page.get_by_label("Plan a branch, tag, commit or pull request").fill("topic")
    page.get_by_role("button", name="Plan it").click()
    added = page.locator(".unified .added", has_text="+# What a topic would change.")
    expect(added).to_be_visible()
    assert signed_in.violations() == []
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page = signed_in.open("/sync/default/commits")
    page.locator(".events a").first.click()
    expect(page.get_by_role("heading", name="What became of it")).to_be_visible()
    assert signed_in.violations() == []


def test_the_whole_history_is_verified_by_a_button(signed_in: Any) -> None:
    page = signed_in.open("/history")
    page.get_by_role("link", name="Verify").click()
    page.get_by_role("button", name="Verify now").click()
    expect(page.get_by_text("Every event is what was recorded and signed.")).to_be_visible()
    assert signed_in.violations() == []


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_small_and_fits_a_phone(
    sample_server: Any, visit: Callable[..., Any], path: str
) -> None:
    visitor = visit(sample_server, viewport={"width": 360, "height": 740})
    visitor.sign_in()
    visitor.context.clear_cookies(name="nothing")
    fresh = visit(
        sample_server,
        viewport={"width": 360, "height": 740},
        storage_state=visitor.context.storage_state(),
    )
    session = fresh.context.new_cdp_session(fresh.page)
    session.send("Network.enable")
    sizes: list[float] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page = fresh.open(path)
    page.wait_for_load_state("networkidle")
    assert 0 < sum(sizes) <= PAGE_BYTES
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    if path == "/hooks/nowhere":
        fresh.complaints.clear()


def test_text_that_would_be_a_script_stays_text(
    sample_server: Any, visit: Callable[..., Any]
) -> None:
    visitor = visit(sample_server)
    visitor.sign_in()
    page: Page = visitor.open("/new-hook?trigger=post-user-registration")
    page.locator(".cm-editor").first.wait_for()
    page.get_by_role("textbox", name="Script").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(
        f"module.exports = function (user, context, cb) {{\n  console.log({ATTACK!r});\n  throw new Error({ATTACK!r});\n}};\n"
    )
    page.get_by_role("button", name="Run the draft").click()
    page.get_by_role("region", name="Result").get_by_text("document.title").first.wait_for()
    page.get_by_role("button", name="Create", exact=True).click()
    page.get_by_role("dialog").get_by_label("Name").first.fill("attack")
    page.get_by_role("dialog").get_by_label("What changes, and why").fill(ATTACK)
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    page.wait_for_url("**/hooks/attack")
    sample_server.ask(
        "POST",
        "/v1/triggers/post-user-registration/invoke",
        json={"user": {"email": "a@example.com"}, "context": {"connection": {"strategy": "auth0"}}},
    )
    for path in (
        *("/", "/hooks", "/hooks/attack", "/hooks/attack/versions/1", "/hooks/attack/edit"),
        *("/logs", "/logs/past", "/invocations"),
    ):
        visitor.open(path).wait_for_load_state("networkidle")
        assert page.title().endswith("· hookledger")


def test_a_script_that_gets_into_a_page_does_not_run(signed_in: Any) -> None:
    page: Page = signed_in.open("/")
    page.evaluate(
        """() => {
            const inline = document.createElement('script');
            inline.textContent = "document.title = 'taken'";
            document.body.append(inline);
            const image = document.createElement('img');
            image.setAttribute('onerror', "document.title = 'taken'");
            image.src = '/nothing.png';
            document.body.append(image);
            const far = document.createElement('script');
            far.src = 'https://evil.example/x.js';
            document.body.append(far);
        }"""
    )
    page.wait_for_load_state("networkidle")
    assert page.title() == "Overview · hookledger"
    refused = [
        complaint for complaint in signed_in.complaints if "Content Security Policy" in complaint
    ]
    assert len(refused) >= 3
    signed_in.complaints.clear()
