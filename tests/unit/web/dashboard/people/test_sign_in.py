"""Who is let in, for how long, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from msgspec import structs

from app.domain.callers.people import Role, local_person
from app.web.protocol.rate_limits import Buckets, Rate, RateLimits


def test_who_is_not_signed_in_is_sent_to_sign_in_and_then_on(browser: Any) -> None:
    answer = browser.get("/access?x=%3Cb%3E")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=" + quote("/access?x=%3Cb%3E", safe="")
    assert 'value="/access?x=%3Cb%3E"' in browser.get(answer.headers["location"]).text


def test_a_program_that_asks_for_the_first_page_gets_the_index(site: Any, browser: Any) -> None:
    assert site.get("/", token=None).json()["name"] == "hookledger"
    assert browser.get("/").headers["location"] == "/login"


def test_a_link_opens_once(site: Any, browser: Any, another_browser: Callable[[], Any]) -> None:
    secret = site.services.sign_in.offer_link(local_person("ada", Role.ADMIN))
    assert browser.post("/login/link", {"token": secret}).status_code == 303
    assert browser.get("/access").status_code == 200
    again = another_browser()
    refused = again.post("/login/link", {"token": secret})
    assert refused.status_code == 401
    assert "opens nothing any more" in refused.text
    assert again.get("/access").status_code == 303


def test_a_link_goes_on_to_the_page_that_was_asked_for(site: Any, browser: Any) -> None:
    secret = site.services.sign_in.offer_link(local_person("ada", Role.ADMIN))
    answer = browser.post("/login/link", {"token": secret, "next": "/access?a=b"})
    assert answer.headers["location"] == "/access?a=b"


@pytest.mark.parametrize(
    "elsewhere",
    ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/%2Fevil.example",
     "/%5Cevil.example", "/a\nb", "", "evil"],
)  # fmt: skip
def test_nobody_is_sent_to_another_server(site: Any, browser: Any, elsewhere: str) -> None:
    secret = site.services.sign_in.offer_link(local_person("ada", Role.ADMIN))
    answer = browser.post("/login/link", {"token": secret, "next": elsewhere})
    assert answer.headers["location"] == "/"


def test_a_client_signs_in_with_its_scopes_and_leaves_when_it_is_revoked(
    site: Any, browser: Any
) -> None:
    site.let_in("hlt_x", "read:hooks")
    client_id = f"client-{len(site.hooks.table.clients) - 1}"
    credentials = {"client_id": client_id, "client_secret": f"secret-{client_id}"}
    assert browser.post("/login/client", credentials).status_code == 303
    page = browser.get("/access").text
    assert f"client:{client_id}" in page
    assert 'href="/history"' not in page
    table = site.hooks.table
    gone = structs.replace(table.clients[client_id], revoked=True)
    site.hooks.table = replace(table, clients={**table.clients, client_id: gone})
    assert browser.get("/access").status_code == 303


@pytest.mark.parametrize(
    "form", [{}, {"client_id": "client-0"}, {"client_id": "client-0", "client_secret": "no"}]
)
def test_a_wrong_secret_lets_nobody_in(browser: Any, form: dict[str, str]) -> None:
    answer = browser.post("/login/client", form)
    assert answer.status_code == 401
    assert "no client with this id and secret" in answer.text
    assert not browser.cookies


def test_every_sign_in_makes_a_new_session_and_sign_out_ends_it(browser: Any) -> None:
    browser.sign_in()
    first = dict(browser.cookies)
    browser.sign_in()
    second = dict(browser.cookies)
    assert first != second
    answer = browser.submit("/logout")
    assert answer.headers["location"] == "/login"
    browser.cookies.update(second)
    assert browser.get("/access").status_code == 303


def test_the_cookie_is_for_this_host_and_no_script(site: Any, browser: Any) -> None:
    cookie = browser.sign_in().headers["set-cookie"]
    assert cookie.startswith("hookledger-session=")
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Max-Age=43200"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    site.services = replace(site.services, address="https://hooks.example.com")
    cookie = browser.sign_in().headers["set-cookie"]
    assert cookie.startswith("__Host-hookledger-session=")
    assert "Secure" in cookie
    assert "Domain" not in cookie


def test_on_loopback_servers_of_other_ports_keep_their_own_sessions(browser: Any) -> None:
    browser.host = "127.0.0.1:8080"
    assert browser.sign_in().headers["set-cookie"].startswith("hookledger-session-8080=")


def test_a_session_ends_by_itself(site: Any, browser: Any) -> None:
    sign_in = site.services.sign_in
    start, later = sign_in._clock(), timedelta()
    sign_in._clock = lambda: start + later
    browser.sign_in()
    later = timedelta(minutes=119)
    assert browser.get("/access").status_code == 200
    later = timedelta(minutes=119 + 119)
    assert browser.get("/access").status_code == 200, "each visit prolongs it"
    later += timedelta(minutes=121)
    assert browser.get("/access").status_code == 303, "nobody used it for two hours"
    later = timedelta()
    browser.sign_in()
    for hours in range(1, 12):
        later = timedelta(hours=hours)
        assert browser.get("/access").status_code == 200
    later = timedelta(hours=12)
    assert browser.get("/access").status_code == 303, "it lasts twelve hours at most"


def test_an_expired_link_opens_nothing(site: Any, browser: Any) -> None:
    sign_in = site.services.sign_in
    secret = sign_in.offer_link(local_person("ada", Role.ADMIN))
    start = sign_in._clock()
    sign_in._clock = lambda: start + timedelta(minutes=15)
    assert browser.post("/login/link", {"token": secret}).status_code == 401


def test_guessing_is_limited(site: Any, browser: Any) -> None:
    limits = RateLimits(tokens=Buckets(Rate(3, 0.001)), failures=Buckets(Rate(60, 1)))
    site.services = replace(site.services, limits=limits)
    form = {"client_id": "client-0", "client_secret": "guess"}
    statuses = [browser.post("/login/client", form).status_code for _ in range(4)]
    assert statuses == [401, 401, 401, 429]
    form["client_secret"] = "secret-client-0"
    assert browser.post("/login/client", form).status_code == 429, "also a right one, for a while"


def test_a_script_whose_session_ended_is_told_to_sign_in(browser: Any) -> None:
    answer = browser.get("/", hx_request="true", accept="*/*")
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/login")


def test_a_script_gets_the_part_that_it_refreshes(browser: Any) -> None:
    browser.sign_in()
    part = browser.get("/", hx_request="true", accept="*/*").text
    assert part.lstrip().startswith('<div id="live"')
    assert "<html" not in part
