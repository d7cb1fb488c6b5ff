"""What may be asked of the token endpoint: audiences and scopes."""

from __future__ import annotations

import pytest

from app.domain.callers.tokens import (
    MAX_SCOPES,
    Audiences,
    TokenRefused,
    granted_scopes,
    scopes_of_hook,
)

AUDIENCES = Audiences.of(["https://localhost:8080"], ["https://old.example.com/api/v2/"])


@pytest.mark.parametrize(
    "asked",
    [
        "https://localhost:8080/api/v2/",
        "https://localhost:8080/api/v2",
        "https://localhost:8080/",
        "https://localhost:8080",
        "https://old.example.com/api/v2/",
    ],
)
def test_the_servers_names_are_audiences_with_and_without_the_last_slash(asked: str) -> None:
    assert AUDIENCES.chosen(asked) == asked


@pytest.mark.parametrize(
    "asked",
    [
        "https://evil.example.com/api/v2/",
        "http://localhost:8080/api/v2/",
        "https://localhost:8081/api/v2/",
        "https://localhost:8080/api/v2/x",
        "https://localhost:8080@evil.example.com/",
        "https://LOCALHOST:8080/api/v2/",
        " https://localhost:8080/",
        "/",
    ],
)
def test_another_audience_is_refused(asked: str) -> None:
    with pytest.raises(TokenRefused, match="Service not found") as refused:
        AUDIENCES.chosen(asked)
    assert refused.value.error == "access_denied"


def test_without_an_audience_the_management_api_is_meant() -> None:
    assert AUDIENCES.chosen(None) == AUDIENCES.chosen("") == "https://localhost:8080/api/v2/"


def test_what_is_no_text_is_no_audience() -> None:
    assert not AUDIENCES.holds(None)
    assert not AUDIENCES.holds(["https://localhost:8080/"])


def test_without_a_scope_everything_the_client_has_is_granted() -> None:
    for asked in (None, "", "  "):
        assert granted_scopes(asked, {"b", "a"}) == ["a", "b"]


def test_a_subset_is_granted_once_in_the_order_it_was_asked_for() -> None:
    assert granted_scopes("b a b", {"a", "b", "c"}) == ["b", "a"]


def test_a_scope_the_client_lacks_is_refused_by_name() -> None:
    with pytest.raises(TokenRefused, match="delete:hooks") as refused:
        granted_scopes("a delete:hooks", {"a"})
    assert refused.value.error == "invalid_scope"


def test_what_a_hook_grants_cannot_split_into_more() -> None:
    assert scopes_of_hook(["a", "b c", "d\n", "", 'e"', "f\\", "a", "ü", "g:h"]) == ["a", "g:h"]
    assert len(scopes_of_hook(f"s{number}" for number in range(1000))) == MAX_SCOPES
