"""Openings of secrets are noted, and figures tell who follows."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from app.application.journal_views import Access, StoredLine
from app.application.observing.following import LineFilter, open_live
from app.application.observing.live import MOST_BYTES
from app.bootstrap.metrics import LiveCollector, expose
from app.bootstrap.observation import NotedVault
from app.domain.errors import NotFound
from app.domain.hooks.secrets import SealedSecret
from app.domain.outcomes import LogLine

NOON = datetime(2026, 11, 23, tzinfo=UTC)
SEALED = SealedSecret("API_KEY", "01KEY", "sealed")


class FakeVault:
    def __init__(self) -> None:
        self.seal = self.destroy = self.protect = self.reveal = lambda *_: None

    def open(self, hook_id: str, secret: SealedSecret) -> str:
        if hook_id == "gone":
            raise NotFound("destroyed")
        return "value"


def noted_vault() -> tuple[NotedVault, list[Access]]:
    noted: list[Access] = []
    log: Any = type("Log", (), {"note": staticmethod(noted.append)})
    vault: Any = FakeVault()
    return NotedVault(vault, log), noted


def test_the_version_of_a_secret_is_noted_when_it_was_opened_never_its_value() -> None:
    vault, noted = noted_vault()
    assert vault.open("01HOOK", SEALED) == "value"
    assert noted == [Access("secret_opened", subject="hook:01HOOK secret:API_KEY key:01KEY")]


def test_what_could_not_be_opened_is_not_noted() -> None:
    vault, noted = noted_vault()
    with pytest.raises(NotFound):
        vault.open("gone", SEALED)
    assert noted == []


def test_figures_tell_who_follows_and_what_they_lost() -> None:
    async def scenario() -> str:
        live, registry = open_live(lambda _: None, most=1, most_of_a_client=1), CollectorRegistry()
        registry.register(LiveCollector(live))
        live.lines.subscribe(LineFilter())
        line = StoredLine(1, LogLine(None, "h", NOON, "info", "stdout", "x" * MOST_BYTES))
        for _ in range(3):
            live.lines.publish([line])
        await asyncio.sleep(0.01)
        return expose(registry).decode()

    told = asyncio.run(scenario())
    assert 'hookledger_live_readers{of="lines"} 1.0' in told
    assert 'hookledger_live_readers{of="executions"} 0.0' in told
    assert 'hookledger_live_dropped_total{of="lines"} 2.0' in told
