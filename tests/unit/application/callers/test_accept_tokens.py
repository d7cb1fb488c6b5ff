"""Signed tokens are verified once and remembered for a while; clients are looked up each time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from app.application.callers import accept_tokens
from app.application.callers.accept_tokens import TokenDesk
from app.application.views import ActiveTable, ClientRow
from app.domain.callers.tokens import VerifiedToken
from app.domain.errors import Unauthenticated

START = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass
class FakeVerifier:
    expires_at: float = START.timestamp() + 3600
    asked: list[str] = field(default_factory=list)

    def verify(self, token: str) -> VerifiedToken:
        self.asked.append(token)
        if token.startswith("bad"):
            raise Unauthenticated
        return VerifiedToken(VerifiedToken.OWN, "c", frozenset({"a", "z"}), self.expires_at)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def verifier() -> FakeVerifier:
    return FakeVerifier()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(verifier: FakeVerifier, clock: Clock) -> TokenDesk:
    return TokenDesk(verifier, clock)


def table(*scopes: str, revoked: bool = False) -> ActiveTable:
    row = ClientRow("c", "c", frozenset(scopes), "", "", revoked, START)
    return ActiveTable(clients={"c": row})


def test_a_good_token_is_verified_once(desk: TokenDesk, verifier: FakeVerifier) -> None:
    known = table("a", "b")
    first = desk.client_of(known, "good")
    assert first.scopes == {"a"}
    assert desk.client_of(known, "good") is first
    assert verifier.asked == ["good"]


def test_it_is_verified_again_after_a_minute(
    desk: TokenDesk, verifier: FakeVerifier, clock: Clock
) -> None:
    desk.client_of(table("a"), "good")
    clock.now += timedelta(seconds=accept_tokens.REMEMBERED_SECONDS)
    desk.client_of(table("a"), "good")
    assert verifier.asked == ["good", "good"]


def test_it_is_not_remembered_beyond_its_end(
    desk: TokenDesk, verifier: FakeVerifier, clock: Clock
) -> None:
    verifier.expires_at = START.timestamp() + 5
    desk.client_of(table("a"), "good")
    clock.now += timedelta(seconds=5)
    desk.client_of(table("a"), "good")
    assert verifier.asked == ["good", "good"]


def test_a_change_of_the_client_counts_at_once(desk: TokenDesk) -> None:
    assert desk.client_of(table("a", "z"), "good").scopes == {"a", "z"}
    assert desk.client_of(table("z"), "good").scopes == {"z"}
    with pytest.raises(Unauthenticated, match="revoked"):
        desk.client_of(table("a", revoked=True), "good")
    with pytest.raises(Unauthenticated, match="revoked"):
        desk.client_of(ActiveTable(), "good")


def test_a_flood_of_bad_tokens_is_not_remembered(desk: TokenDesk, verifier: FakeVerifier) -> None:
    desk.client_of(table("a"), "good")
    for number in range(3):
        with pytest.raises(Unauthenticated):
            desk.client_of(table("a"), f"bad {number}")
    assert len(desk._remembered) == 1


def test_what_is_remembered_is_bounded(
    desk: TokenDesk, verifier: FakeVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accept_tokens, "MAX_REMEMBERED", 3)
    for number in range(10):
        desk.client_of(table("a"), f"good {number}")
    assert len(desk._remembered) == 3
