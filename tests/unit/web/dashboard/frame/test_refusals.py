"""Who is refused at the dashboard is noted, as at every other door."""

from __future__ import annotations

import re
from typing import Any

from app.domain.callers.people import Role, local_person
from app.web.dashboard.site import PAGES


def told(site: Any) -> list[tuple[str, str, str]]:
    assert {(one.kind, one.address) for one in site.access.noted} <= {("denied", "192.0.2.7")}
    found = [(one.client, one.route, one.reason) for one in site.access.noted]
    site.access.noted.clear()
    return found


def test_a_page_that_a_role_does_not_have_is_noted_with_the_person(site: Any, browser: Any) -> None:
    browser.sign_in(Role.VIEWER, user="eve")
    assert told(site) == []
    held = local_person("eve", Role.VIEWER).scopes
    guarded = [page for page in PAGES if page.scope is not None and page.scope not in held]
    assert guarded
    for page in guarded:
        path = re.sub(r"\{\w+\}", "x", page.path)
        answer = browser.get(path) if page.method == "GET" else browser.submit(path)
        assert answer.status_code == 403, path
        noted = ("person:local|eve", f"{page.method} {page.path}", f"missing scope {page.scope}")
        assert told(site) == [noted]


def test_a_form_of_another_site_is_noted_with_the_person_it_was_played_on(
    site: Any, browser: Any
) -> None:
    browser.sign_in(user="ada")
    browser.submit("/logout", origin="https://evil.example")
    browser.post("/logout", {"csrf": "0" * 64})
    assert told(site) == [("person:local|ada", "POST /logout", "foreign form")] * 2


def test_a_failed_sign_in_is_noted_and_names_only_clients_that_exist(
    site: Any, browser: Any
) -> None:
    browser.post("/login/link", {"token": "guessed"})
    browser.post("/login/client", {"client_id": "client-0", "client_secret": "guessed"})
    browser.post("/login/client", {"client_id": "<script>", "client_secret": "guessed"})
    assert told(site) == [
        ("", "POST /login/link", "bad sign-in"),
        ("client-0", "POST /login/client", "bad sign-in"),
        ("", "POST /login/client", "bad sign-in"),
    ]


def test_a_return_from_the_identity_provider_that_is_refused_is_noted(
    site: Any, browser: Any
) -> None:
    browser.get("/login/openid/return?state=guessed&code=guessed")
    assert told(site) == [("", "GET /login/openid/return", "bad sign-in")]


def test_signing_in_and_pages_that_are_not_there_are_not_noted(site: Any, browser: Any) -> None:
    browser.get("/access")
    browser.sign_in()
    browser.get("/hooks/no-such-hook")
    browser.get("/no-such-page")
    assert told(site) == []
