"""The history in a browser: the slider along the time, times of the reader's zone, the proof."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import expect


@pytest.fixture
def reader(sample_server: Any, visit: Callable[..., Any]) -> Any:
    made = visit(sample_server, timezone_id="America/New_York")
    made.sign_in()
    return made


def test_one_walks_through_the_past_by_the_keyboard(
    serve: Callable[..., Any], visit: Callable[..., Any], tmp_path: Path
) -> None:
    with serve(tmp_path, samples=True) as server:
        threading.Event().wait(1.1)  # stops of the slider are a second apart
        manifest = next(server.repository.rglob("block-disposable-mail/hook.toml"))
        manifest.write_text('timeout = "2s"\n' + manifest.read_text())
        server.commit("Give it less time")
        answer = server.ask("POST", "/v1/sync")
        assert answer.is_success, answer.text
        reader = visit(server)
        reader.sign_in()
        page = reader.open("/history/as-of")
        slider = page.get_by_role("slider", name="Moment")
        expect(page.get_by_text("the same as now")).to_be_visible()

        slider.focus()
        page.keyboard.press("Home")

        expect(page.get_by_role("heading", name="What has changed since")).to_be_visible()
        expect(slider).not_to_have_attribute("aria-valuetext", "Now")
        page.wait_for_url("**/history/as-of?*at=*")
        page.get_by_role("link", name="One later").click()
        expect(page.get_by_role("link", name="One event earlier")).to_be_visible()
        page.get_by_role("link", name="Now", exact=True).click()
        expect(slider).to_have_attribute("aria-valuetext", "Now")
        assert reader.violations() == []


def test_the_slider_tells_the_moment_that_a_link_led_to(reader: Any) -> None:
    at = reader.server.ask("GET", "/v1/audit?from_position=5&to_position=5").json()["events"][0][
        "at"
    ]
    page = reader.open("/history/as-of?as_of=5")
    told = page.evaluate(
        """(at) => new Intl.DateTimeFormat(undefined, {dateStyle: "full", timeStyle: "medium"})
            .format(new Date(at))""",
        at,
    )
    expect(page.get_by_role("slider", name="Moment")).to_have_attribute("aria-valuetext", told)
    page = reader.open("/history/as-of")
    expect(page.get_by_role("slider", name="Moment")).to_have_attribute("aria-valuetext", "Now")


def test_where_one_is_can_be_seen_in_the_menu_of_a_phone(
    sample_server: Any, visit: Callable[..., Any]
) -> None:
    made = visit(sample_server, viewport={"width": 360, "height": 740})
    made.sign_in()
    for path in ("/", "/history", "/access"):
        current = made.open(path).get_by_role("navigation", name="Main").locator("[aria-current]")
        expect(current).to_be_in_viewport(ratio=0.95)


def test_times_are_typed_and_shown_in_the_zone_of_the_reader(reader: Any) -> None:
    page = reader.open("/history/as-of")
    field = page.get_by_label("A time (your time)")
    field.fill("2090-06-01T08:30:00")

    field.locator("xpath=ancestor::form").get_by_role("button").click()

    page.wait_for_url("**as_of=2090-06-01T12%3A30%3A00Z")
    reader.complaints.clear()  # that moment is yet to come, which is an answer of 400


def test_filters_by_time_are_sent_in_utc_and_come_back_as_they_were_typed(reader: Any) -> None:
    page = reader.open("/history")
    page.get_by_text("More filters").click()
    page.get_by_label("Not before (your time)").fill("2020-01-01T00:00")

    page.wait_for_url("**since=2020-01-01T05%3A00%3A00Z**")

    expect(page.locator(".events > li").first).to_be_visible()
    page.reload()
    expect(page.get_by_label("Not before (your time)")).to_have_value("2020-01-01T00:00")


def test_the_browser_computes_the_proof_of_an_event_again(reader: Any) -> None:
    for position in (1, 2, 5, 12):
        page = reader.open(f"/history/{position}")
        expect(page.locator("[data-verdict]")).to_contain_text("Your browser computed it again")
    assert reader.violations() == []


@pytest.mark.parametrize(
    ("true", "false", "verdict"),
    [
        ("source:default", "source:defau1t", "not those whose digest was proved"),
        ('data-version="1"', 'data-version="2"', "does not hash to the leaf"),
        ("data-beside>", "data-beside>00", "do not lead to the root"),
    ],
)
def test_the_browser_tells_a_page_that_was_changed_on_its_way(
    reader: Any, true: str, false: str, verdict: str
) -> None:
    def change(route: Any) -> None:
        answer = route.fetch()
        before, mark, rest = answer.text().partition("data-proof")
        route.fulfill(response=answer, body=before + mark + rest.replace(true, false))

    reader.page.route("**/history/5", change)

    page = reader.open("/history/5")

    expect(page.locator("[data-verdict].bad")).to_contain_text(verdict)
