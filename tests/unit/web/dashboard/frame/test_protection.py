"""Requests of other sites, roles, headers, and text that would like to be code."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from app.domain.callers.people import Role
from app.web.dashboard.site import PAGES

ATTACK = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'{{7*7}}"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://site.evil.example"},
        {"origin": "http://site:81"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
    ],
)
def test_a_form_of_another_site_does_nothing(browser: Any, headers: dict[str, str]) -> None:
    browser.sign_in()
    answer = browser.submit("/logout", **headers)
    assert answer.status_code == 403
    assert "did not come from a page of this dashboard" in answer.text
    assert browser.get("/access").status_code == 200


@pytest.mark.parametrize("form", [{}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": "é"}])
def test_a_form_without_the_sessions_token_does_nothing(browser: Any, form: dict[str, str]) -> None:
    browser.sign_in()
    answer = browser.post("/logout", form)
    assert answer.status_code == 403
    assert "session that has ended" in answer.text
    assert browser.get("/access").status_code == 200


def test_the_token_of_another_session_is_worth_nothing(
    browser: Any, another_browser: Callable[[], Any]
) -> None:
    browser.sign_in()
    other = another_browser()
    other.sign_in(user="eve")
    assert browser.post("/logout", {"csrf": other.token()}).status_code == 403


def test_every_address_that_changes_something_demands_token_and_origin(browser: Any) -> None:
    browser.sign_in()
    changing = [page for page in PAGES if page.method == "POST"]
    assert changing
    for page in changing:
        path = re.sub(r"\{\w+\}", "x", page.path)
        assert browser.post(path).status_code == 403, path
        assert browser.post(path, origin="").status_code == 403, path


def test_every_page_demands_a_session_and_its_scope(site: Any, browser: Any) -> None:
    guarded = [page for page in PAGES if page.scope is not None]
    for page in PAGES:
        path = re.sub(r"\{\w+\}", "x", page.path)
        answer = browser.get(path) if page.method == "GET" else browser.post(path)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/login"), path
    site.let_in("hlt_x", "invoke:triggers")
    client_id = f"client-{len(site.hooks.table.clients) - 1}"
    browser.post("/login/client", {"client_id": client_id, "client_secret": f"secret-{client_id}"})
    for page in guarded:
        path = re.sub(r"\{\w+\}", "x", page.path)
        answer = browser.get(path) if page.method == "GET" else browser.submit(path)
        assert answer.status_code == 403, path
        assert page.scope in answer.text


@pytest.mark.parametrize("path", ["/login", "/", "/access", "/nowhere", "/login/link"])
def test_every_answer_tells_the_browser_what_to_refuse(browser: Any, path: str) -> None:
    browser.sign_in()
    answer = browser.get(path)
    policy = answer.headers["content-security-policy"]
    nonce = re.search(r"'nonce-([\w-]{20,})'", policy)
    assert nonce
    assert policy.split("; ") == [
        "default-src 'none'",
        "script-src 'self'",
        f"style-src 'self' 'nonce-{nonce[1]}'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    assert nonce[1] not in browser.get(path).headers["content-security-policy"], "each its own"
    assert not re.search(r"<script(?![^>]* src=)|\son\w+=|style=|javascript:", answer.text)


def test_hostile_text_stays_text(
    site: Any, browser: Any, make_hook: Any, make_event: Any, make_line: Any
) -> None:
    site.put(make_hook("a-hook", secrets={}, commit=ATTACK))
    site.audit.rows = [
        make_event(9, hook_name=ATTACK, reason=ATTACK, actor=ATTACK, commit=ATTACK),
        make_event(8, hook_name=None, trigger=ATTACK, data={"commit_by": {"author": ATTACK}}),
    ]
    site.journal.stored = [make_line(1, ATTACK)]
    site.put(make_hook("other-hook"))
    invocation = site.invoke().headers["hookledger-invocation"]
    site.journal.records = [
        structs.replace(record, hook_name=ATTACK, error=ATTACK, caller=ATTACK, commit=ATTACK)
        for record in site.journal.records
    ]
    journal = ("/logs", "/logs/past", "/invocations", f"/invocations/{invocation}")
    browser.sign_in(user=ATTACK)
    for path in ("/", "/access", f"/{ATTACK}", *journal):
        page = browser.get(path, user_agent=ATTACK).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "49" not in re.sub(r"\d{4}-\d\d-\d\d|[0-9a-f]{64}", "", page.split("<h1>")[-1])


def test_a_viewer_ends_only_own_sessions(browser: Any, another_browser: Callable[[], Any]) -> None:
    browser.sign_in(Role.ADMIN, "ada")
    viewer = another_browser()
    viewer.sign_in(Role.VIEWER, "vic")
    ids = re.findall(r"/access/sessions/(\w+)/end", browser.get("/access").text)
    own = re.findall(r"/access/sessions/(\w+)/end", viewer.get("/access").text)
    assert len(ids) == 2
    assert len(own) == 1
    (other,) = set(ids) - set(own)
    assert viewer.submit(f"/access/sessions/{other}/end").status_code == 403
    assert browser.submit(f"/access/sessions/{own[0]}/end").status_code == 303
    assert viewer.get("/access").status_code == 303
