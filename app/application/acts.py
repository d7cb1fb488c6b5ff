"""What people did about hooks and sources, and what waits for them: parts of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Act:
    """What a person did: who, when, and why."""

    actor: str
    at: datetime
    reason: str | None = None
    until: datetime | None = None
    """When it ends by itself."""


@dataclass(frozen=True, slots=True)
class HeldPlan:
    """A plan that guards keep from being applied by itself."""

    commit: str
    digest: str
    counts: Mapping[str, int]
    changes: tuple[Mapping[str, Any], ...]
    holds: tuple[Mapping[str, Any], ...]
    """Of each guard: ``guard``, ``message``, ``until``."""
    at: datetime
    approval: Act | None = None


@dataclass(frozen=True, slots=True)
class AppliedRevision:
    """A commit that is or was in force."""

    commit: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Rollback:
    """A formerly applied commit is in force because somebody wanted it."""

    previous: str | None
    act: Act
