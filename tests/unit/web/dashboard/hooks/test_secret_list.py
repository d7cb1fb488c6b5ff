"""The list of secrets: who requires what, what is missing, and never a value."""

from __future__ import annotations

import re
from typing import Any

import pytest

from app.domain.callers.people import Role
from app.domain.hooks.secrets import SealedSecret


def sealed(*names: str) -> dict[str, SealedSecret]:
    return {name: SealedSecret(name, f"key-{name}", "c2VjcmV0") for name in names}


@pytest.fixture
def hooks(site: Any, make_hook: Any) -> None:
    settings = make_hook().settings
    site.put(make_hook("paid", secrets=sealed("API_KEY", "OLD_KEY"), settings={**settings, "required_secrets": ["API_KEY"]}))  # fmt: skip
    site.put(make_hook("waits", enabled=False, settings={**settings, "required_secrets": ["A_KEY"]}))  # fmt: skip
    site.put(make_hook("starves", settings={**settings, "required_secrets": ["API_KEY", "URL"]}))


def listed(page: str) -> list[tuple[str, str]]:
    return re.findall(
        r'<code>(\w+)</code></th>.*?<a href="/hooks/([\w-]+)#secrets">', page, re.DOTALL
    )


@pytest.mark.usefixtures("hooks")
def test_what_is_missing_stands_first_and_that_of_running_hooks_before_all(browser: Any) -> None:
    browser.sign_in()
    page = browser.get("/secrets").text
    assert listed(page) == [
        ("API_KEY", "starves"),
        ("URL", "starves"),
        ("A_KEY", "waits"),
        ("API_KEY", "paid"),
        ("OLD_KEY", "paid"),
    ]
    assert "2 secrets are missing that enabled hooks require" in page
    assert "c2VjcmV0" not in page
    assert "key-API_KEY" not in page


@pytest.mark.usefixtures("hooks")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("text=api+paid", [("API_KEY", "paid")]),
        ("state=missing&text=key", [("API_KEY", "starves"), ("A_KEY", "waits")]),
        ("state=set", [("API_KEY", "paid"), ("OLD_KEY", "paid")]),
        ("state=extra", [("OLD_KEY", "paid")]),
        ("trigger=send-phone-message", []),
    ],
)
def test_secrets_are_found(browser: Any, query: str, found: list[tuple[str, str]]) -> None:
    browser.sign_in()
    assert listed(browser.get(f"/secrets?{query}").text) == found
    assert listed(browser.get(f"/secrets?{query}", hx_request="true").text) == found


def test_many_secrets_come_in_pages(site: Any, browser: Any, make_hook: Any) -> None:
    for number in range(13):
        names = (f"S{place:02}" for place in range(4))
        site.put(make_hook(f"hook-{number:02}", secrets=sealed(*names)))
    browser.sign_in()
    first = browser.get("/secrets").text
    assert "1 to 50 of 52 secrets" in first
    second = browser.get("/secrets?cursor=50").text
    assert "51 to 52 of 52 secrets" in second
    assert len({*listed(first), *listed(second)}) == 52


def test_an_empty_list_teaches(browser: Any) -> None:
    browser.sign_in()
    page = browser.get("/secrets").text
    assert "No secrets yet" in page
    assert "required = [" in page


@pytest.mark.usefixtures("hooks")
def test_a_viewer_sees_names_and_sets_nothing(browser: Any) -> None:
    browser.sign_in(Role.VIEWER)
    page = browser.get("/secrets").text
    assert "A_KEY" in page
    assert "data-opens" not in page
    refused = browser.submit("/secrets", {"hook": "paid", "name": "API_KEY", "value": "x"})
    assert refused.status_code == 403


@pytest.mark.usefixtures("hooks")
@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"hook": "gone", "name": "API_KEY", "value": "x"}, 404, "There is no hook `gone`"),
        ({"name": "API_KEY", "value": "x"}, 400, "The hook&#39;s name is missing"),
        ({"hook": "paid", "name": "API_KEY"}, 400, "value is missing"),
    ],
)
def test_what_cannot_be_set_is_told(
    browser: Any, form: dict[str, str], status: int, said: str
) -> None:
    browser.sign_in()
    answer = browser.submit("/secrets", form)
    assert (answer.status_code, said in answer.text) == (status, True)
