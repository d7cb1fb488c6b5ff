"""What can be taken away from the page of the history, and verifying by a button."""

from __future__ import annotations

import csv
import io
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from app.application.history.verifications import Verification
from app.application.history.verify_history import Report, Verdict
from app.domain.callers.people import Role

REPORT = Report(Verdict.INTACT, 20, 20, 3, None, (), None)


def test_what_the_page_shows_is_downloaded_by_its_own_filters(
    site: Any, browser: Any, make_event: Any
) -> None:
    site.audit.rows = [make_event(1, hook="one"), make_event(2, hook="two")]
    browser.sign_in()
    assert "/history/download?hook=one&amp;format=csv" in browser.get("/history?hook=one").text
    answer = browser.get("/history/download?hook=one&format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    assert [row["hook"] for row in csv.DictReader(io.StringIO(answer.text))] == ["one"]


@pytest.mark.parametrize("style", ["ndjson", "json"])
def test_every_style_holds_every_event(
    site: Any, browser: Any, make_event: Any, style: str
) -> None:
    site.audit.rows = [make_event(number) for number in range(1, 4)]
    browser.sign_in()
    text = browser.get(f"/history/download?format={style}").text
    rows = orjson.loads(text)["events"] if style == "json" else map(orjson.loads, text.splitlines())
    assert sorted(row["position"] for row in rows) == [1, 2, 3]


def test_evidence_is_for_those_who_may_see_events_as_they_are_stored(
    site: Any, browser: Any, another_browser: Any, make_event: Any
) -> None:
    site.audit.rows = [make_event(3)]
    browser.sign_in()
    lines = browser.get("/history/download?format=evidence").text.splitlines()
    assert orjson.loads(lines[0])["format"] == "hookledger-evidence-v1"
    viewer = another_browser()
    viewer.sign_in(Role.VIEWER, "vera")
    assert viewer.get("/history/download?format=evidence").status_code == 403
    assert viewer.get("/history/download?format=csv").status_code == 200
    assert "format=evidence" not in viewer.get("/history").text


def test_a_download_and_a_verification_are_noted_with_the_person(site: Any, browser: Any) -> None:
    browser.sign_in()
    browser.get("/history/download?format=csv")
    browser.submit("/history/verification")
    assert [(access.kind, access.client) for access in site.access.noted] == [
        ("exported", "person:local|ada"),
        ("verified", "person:local|ada"),
    ]


def test_a_filter_that_is_none_is_a_page_that_says_so(browser: Any) -> None:
    browser.sign_in()
    assert browser.get("/history/download?format=exe").status_code == 400


@pytest.mark.parametrize(
    ("verdict", "told"), [(Verdict.INTACT, "Intact"), (Verdict.DAMAGED, "Damaged")]
)
def test_the_outcome_of_verifying_is_shown(
    site: Any, browser: Any, verdict: Verdict, told: str
) -> None:
    site.proved.finding = Verification(replace(REPORT, verdict=verdict), (), ("A warning.",))
    browser.sign_in()
    assert "Nothing was verified" in browser.get("/history/verification").text
    browser.submit("/history/verification")
    shown = settled(browser)
    assert told in shown
    assert "A warning." in shown
    assert "hx-get" not in shown


def test_the_first_wrong_event_is_led_to(site: Any, browser: Any) -> None:
    bad = replace(REPORT, verdict=Verdict.ALTERED, first_bad=7, messages=("<b>Event 7</b>",))
    site.proved.finding = Verification(bad, (), ())
    browser.sign_in()
    browser.submit("/history/verification")
    shown = settled(browser)
    assert 'href="/history/7"' in shown
    assert "&lt;b&gt;Event 7" in shown


def settled(browser: Any) -> str:
    """Return the part of the page that shows a run, once it has ended."""
    pause = threading.Event()
    for _ in range(500):
        shown: str = browser.get("/history/verification", **{"hx-request": "true"}).text
        if "Begun by" in shown and "progress" not in shown:
            return shown
        pause.wait(0.01)
    raise AssertionError(f"it never ended: {shown}")


def test_events_of_several_days_come_with_a_chart_that_names_them(
    site: Any, browser: Any, make_event: Any
) -> None:
    days = [datetime(2026, 11, day, 12, tzinfo=UTC) for day in (1, 1, 3)]
    site.audit.rows = [make_event(number, at=at) for number, at in enumerate(days, 1)]
    browser.sign_in()
    text = browser.get("/history").text
    assert 'data-counts="2,0,1"' in text
    assert '<time datetime="2026-11-03T00:00:00' in text
