"""The benchmark of the past still runs, on a log of a few events."""

from __future__ import annotations

import contextlib
from pathlib import Path

from app.application.ledger import Ledger
from app.domain.aggregates import Meta, recorded_as
from app.domain.hooks.hook import Hook
from app.eventstore.sqlite import sqlite_environment
from tests.benchmarks import history


def generate(database: Path, events: int, *, hooks: int = 1000, seed: int = 1) -> None:
    """Create hooks, one event each."""
    assert seed == 1
    with contextlib.closing(Ledger(sqlite_environment(database))) as ledger:
        for number in range(min(events, hooks)):
            with recorded_as(Meta(actor=f"client:{number % 3}", origin="api")):
                hook = Hook.create(
                    f"01J0000000000000000000{number:04}",
                    name=f"hook-{number}",
                    trigger="t",
                    owner="api",
                    path=None,
                    language="python",
                    script="",
                    dependencies={},
                    settings={},
                    digest="d",
                )
                ledger.record(hook)


def test_the_past_is_measured_and_reported() -> None:
    times = history.measure(generate, events=30, questions=20)
    assert all(0 < each.median <= each.p99 <= each.worst for each in times)
    text = history.report(times, 30)
    assert "## The past, of 30 events" in text
    assert text.count("| audit, ") == 4
    assert "| hooks as of the oldest tenth |" in text
