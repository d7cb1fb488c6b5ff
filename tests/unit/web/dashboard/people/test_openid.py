"""Going to an identity provider and coming back."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.application.callers.session_ports import SignInAttempt
from app.application.callers.sign_in import OpenIdPolicy
from app.domain.callers.people import Role, person_of_claims
from app.domain.errors import Transient

ROLES = {"staff": Role.VIEWER, "ops": Role.OPERATOR, "root": Role.ADMIN}


@dataclass
class FakeProvider:
    says: dict[str, Any] = field(default_factory=lambda: {"sub": "ada", "name": "Ada", "groups": ["ops", "staff"]})  # fmt: skip
    asked: list[tuple[SignInAttempt, str]] = field(default_factory=list)
    down: bool = False

    async def address(self, attempt: SignInAttempt) -> str:
        if self.down:
            raise Transient("The identity provider cannot be reached.")
        return f"https://login.example.com/authorize?state={attempt.state}&nonce={attempt.nonce}"

    async def claims(self, attempt: SignInAttempt, code: str) -> Mapping[str, Any]:
        self.asked.append((attempt, code))
        return self.says


@pytest.fixture
def provider(site: Any) -> FakeProvider:
    made = FakeProvider()
    site.services.sign_in._provider = made
    site.services.sign_in.openid = OpenIdPolicy("Example", "sub", "groups", ROLES)
    return made


def depart(browser: Any, onward: str = "/access") -> str:
    answer = browser.post("/login/openid", {"next": onward})
    assert answer.status_code == 200
    found = re.search(
        r'http-equiv="refresh" content="0;url=(https://login\.example\.com/[^"]+)"', answer.text
    )
    assert found
    state: str = parse_qs(urlsplit(html.unescape(found[1])).query)["state"][0]
    return state


def test_somebody_goes_and_comes_back_in_their_role(browser: Any, provider: FakeProvider) -> None:
    assert "Sign in with Example" in browser.get("/login").text
    state = depart(browser)
    answer = browser.get(f"/login/openid/return?state={state}&code=c0de&iss=x&session_state=y")
    assert (answer.status_code, answer.headers["location"]) == (303, "/access")
    ((attempt, code),) = provider.asked
    assert (attempt.state, code) == (state, "c0de")
    page = browser.get("/access").text
    assert "person:ada" in page
    assert "<dd>operator</dd>" in page


def test_a_return_is_good_once_and_in_its_own_browser(
    browser: Any, another_browser: Callable[[], Any], provider: FakeProvider
) -> None:
    state = depart(browser)
    stranger = another_browser()
    answer = stranger.get(f"/login/openid/return?state={state}&code=c0de")
    assert answer.status_code == 401
    assert "not begun in this browser" in answer.text
    answer = browser.get(f"/login/openid/return?state={state}&code=c0de")
    assert answer.status_code == 401, "the attempt is used up"
    assert provider.asked == []


@pytest.mark.parametrize(
    "query", ["", "state=x", "state=x&code=y", "error=access_denied&error_description=<b>no</b>"]
)
def test_a_return_without_a_beginning_signs_nobody_in(
    browser: Any, provider: FakeProvider, query: str
) -> None:
    answer = browser.get(f"/login/openid/return?{query}")
    assert answer.status_code == 401
    assert "<b>no</b>" not in answer.text
    assert browser.get("/access").status_code == 303


def test_who_has_no_role_is_told_so(browser: Any, provider: FakeProvider) -> None:
    provider.says["groups"] = ["guests"]
    answer = browser.get(f"/login/openid/return?state={depart(browser)}&code=c")
    assert answer.status_code == 403
    assert "has no role here" in answer.text


def test_a_provider_that_is_down_is_said_at_the_door(browser: Any, provider: FakeProvider) -> None:
    provider.down = True
    answer = browser.post("/login/openid", {"next": "/"})
    assert answer.status_code == 503
    assert "cannot be reached" in answer.text


def test_another_site_cannot_send_somebody_to_sign_in(browser: Any, provider: FakeProvider) -> None:
    assert browser.post("/login/openid", origin="https://evil.example").status_code == 403


def person(claims: dict[str, Any], subject: str = "sub", role: str = "groups") -> Any:
    return person_of_claims(claims, subject_claim=subject, role_claim=role, roles=ROLES)


def test_the_highest_role_counts_wherever_the_claim_is() -> None:
    assert person({"sub": "a", "groups": ["staff", "root", "ops"]}).role is Role.ADMIN
    assert person({"sub": "a", "groups": "staff"}).role is Role.VIEWER
    nested = {"sub": "a", "realm_access": {"roles": ["ops"]}}
    assert person(nested, role="realm_access.roles").role is Role.OPERATOR
    dotted = {"sub": "a", "https://example.com/roles": ["ops"]}
    assert person(dotted, role="https://example.com/roles").role is Role.OPERATOR


@pytest.mark.parametrize(
    "claims",
    [
        {"groups": ["root"]},
        {"sub": "", "groups": ["root"]},
        {"sub": "a\nb", "groups": ["root"]},
        {"sub": "local|root", "groups": ["root"]},
        {"sub": "x" * 201, "groups": ["root"]},
        {"sub": "a", "groups": {"root": True}},
        {"sub": "a"},
    ],
)
def test_whoever_cannot_be_named_or_placed_is_not_let_in(claims: dict[str, Any]) -> None:
    from app.domain.errors import Forbidden

    with pytest.raises(Forbidden):
        person(claims)


def test_an_address_counts_only_if_it_is_verified() -> None:
    from app.domain.errors import Forbidden

    claims = {"email": "ada@example.com", "groups": ["ops"]}
    for verified in (None, False, "true"):
        with pytest.raises(Forbidden, match="not verified"):
            person(claims | {"email_verified": verified}, subject="email")
    found = person(claims | {"email_verified": True}, subject="email")
    assert found.actor == "person:ada@example.com"
