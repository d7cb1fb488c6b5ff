"""Pages that have nothing to show teach, and pages that have name it as people do."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("path", "teaches"),
    [
        ("/invocations", "Each call of a trigger"),
        ("/logs/past", "can be searched here"),
        ("/logs", "shows up here as they write it"),
    ],
)
def test_a_page_without_anything_says_what_will_stand_there(
    browser: Any, path: str, teaches: str
) -> None:
    browser.sign_in()
    assert teaches in browser.get(path).text


@pytest.mark.parametrize("path", ["/invocations", "/logs/past"])
def test_filters_that_nothing_matches_can_be_taken_off(browser: Any, path: str) -> None:
    browser.sign_in()
    text = browser.get(f"{path}?text=nowhere").text
    assert "is like that" in text
    assert f'<a href="{path}">Show all' in text


def test_a_client_that_was_made_is_called_by_its_name(
    site: Any, browser: Any, make_event: Any
) -> None:
    nobody = {"hook": None, "hook_name": None, "trigger": None, "source": None, "commit": None}
    made = {"type": "client.created", "subject": "client:01JACLIENT", "data": {"name": "billing"}}
    site.audit.rows = [make_event(1, **nobody, **made)]
    browser.sign_in()
    assert "<strong>billing</strong>" in browser.get("/history").text
