"""Effects: what of a result is honoured, and that nothing else is."""

from __future__ import annotations

import pytest

from app.domain.triggers.catalogue import CONTRACTS
from app.domain.triggers.effects import is_claim_name, registration_effects, token_effects


@pytest.mark.parametrize(
    "name",
    [
        "https://example.com/plan",
        "http://a.b",
        "https://notauth0.com/x",
        "https://auth0.com.evil.io/",
    ],
)
def test_http_urls_name_claims(name: str) -> None:
    assert is_claim_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "plan", "sub", "scope", "ftp://example.com/x", "https://", "https:///x", "//example.com/x",
        "https://auth0.com/x", "https://x.AUTH0.com/x", "https://webtask.io", "http://a.webtask.run/",
        "https://auth0.com./x", "https://user@auth0.com/x", "https://[::1", 7,
    ],
)  # fmt: skip
def test_other_keys_do_not(name: object) -> None:
    assert not is_claim_name(name)


def test_a_result_without_scope_clears_the_scopes() -> None:
    effects = token_effects({"scope": ["a"]}, {"https://e.com/p": 1, "sub": "evil"})
    assert effects == {"scope": [], "claims": {"https://e.com/p": 1}}


def test_no_result_leaves_the_scopes() -> None:
    assert token_effects({"scope": ["a"]}, None) == {"scope": ["a"], "claims": {}}
    assert token_effects({}, None) == {"scope": [], "claims": {}}


def test_scopes_that_are_no_text_are_dropped() -> None:
    assert token_effects({}, {"scope": ["a", 1, None]})["scope"] == ["a"]
    assert token_effects({}, {"scope": "a b"})["scope"] == []


def test_registration_honours_metadata_only() -> None:
    result = {"user": {"email": "new@e.com", "user_metadata": {"a": 1}, "app_metadata": {"b": 2}}}
    assert registration_effects({}, result) == {
        "user": {"user_metadata": {"a": 1}, "app_metadata": {"b": 2}}
    }


def test_metadata_keys_that_cannot_be_stored_are_dropped() -> None:
    result = {"user": {"user_metadata": {"a.b": 1, "$set": 2, "ok": {"c.d": 3}}}}
    assert registration_effects({}, result) == {"user": {"user_metadata": {"ok": {"c.d": 3}}}}


@pytest.mark.parametrize(
    "result", [None, [], "x", {}, {"user": None}, {"user": {"user_metadata": 1}}]
)
def test_a_result_without_metadata_has_no_effects(result: object) -> None:
    assert registration_effects({}, result) == {}


@pytest.mark.parametrize(
    "trigger", ["post-user-registration", "post-change-password", "send-phone-message"]
)
def test_other_triggers_honour_nothing(trigger: str) -> None:
    assert (
        CONTRACTS[trigger].effects({}, {"user": {"user_metadata": {"a": 1}}, "scope": ["x"]}) == {}
    )
