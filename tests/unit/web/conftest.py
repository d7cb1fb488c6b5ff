"""Fixtures of the web: sites, and rows to show."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from app.application.journal_views import (
    StoredLine,
)
from app.application.views import (
    AuditRow,
    HookRow,
)
from app.domain.outcomes import LogLine
from app.domain.revisions import Position
from tests.unit.web.doubles import NOW, PRE
from tests.unit.web.site import Site, new_site


@pytest.fixture
def site() -> Site:
    return new_site()


@pytest.fixture
def make_site() -> Callable[[], Site]:
    return new_site


@pytest.fixture
def make_hook() -> Callable[..., HookRow]:
    def make(name: str = "a-hook", **members: Any) -> HookRow:
        row = HookRow(
            id=f"01J{name.upper().replace('-', ''):0>23}",
            name=name,
            trigger=PRE,
            owner="source:default",
            path=f"hooks/{PRE}/{name}",
            language="python",
            script="def hook(user, context):\n    return {}\n",
            digest="d" * 64,
            dependencies={},
            settings={
                "enabled": True,
                "order": 0,
                "timeout_ms": 5000,
                "network": [],
                "required_secrets": [],
                "prune": "auto",
            },
            secrets={},
            enabled=True,
            break_glass=False,
            commit="c" * 40,
            position=Position(9),
            version_key="v1",
            created_at=NOW,
            updated_at=NOW,
        )
        return structs.replace(row, **members)

    return make


@pytest.fixture
def make_event() -> Callable[..., AuditRow]:
    def make(position: int, **members: Any) -> AuditRow:
        row = AuditRow(
            position=Position(position),
            at=NOW + timedelta(seconds=position),
            type="hook.created",
            actor="source:default",
            origin="git",
            subject="hook:01JAHOOK",
            hook="01JAHOOK",
            hook_name="a-hook",
            trigger=PRE,
            source="default",
            commit="c" * 40,
            correlation_id=None,
            reason="Add a hook",
            data={"script": {"sha256": "e" * 64, "bytes": 40, "lines": 2}},
        )
        return structs.replace(row, **members)

    return make


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def make_line() -> Callable[..., StoredLine]:
    def make(number: int, text: str = "a line") -> StoredLine:
        return StoredLine(number, LogLine("INV1", "01J", NOW, "info", "stdout", text))

    return make
