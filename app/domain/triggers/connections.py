"""Which connections a point applies to: Auth0 ran no hook for social and enterprise ones.

A payload whose connection names no strategy, as Auth0's own, is taken for one that applies.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

_DATABASE = ("auth0",)
_PASSWORDLESS = ("email", "sms")
"""Names of strategies as Auth0's Management API gives them for a connection."""


def skip_unless_database_or_passwordless(payload: Mapping[str, Any]) -> str | None:
    """Say why a registration does not concern hooks, or None."""
    return _skip(payload, (*_DATABASE, *_PASSWORDLESS), "database and passwordless")


def skip_unless_database(payload: Mapping[str, Any]) -> str | None:
    """Say why a change of password does not concern hooks, or None."""
    return _skip(payload, _DATABASE, "database")


def _skip(payload: Mapping[str, Any], applies_to: Collection[str], described: str) -> str | None:
    strategy = payload["context"]["connection"].get("strategy")
    if strategy is None or strategy in applies_to:
        return None
    shown = strategy if isinstance(strategy, str) and strategy.isascii() else "unknown"
    shown = "".join(c for c in shown[:50] if c.isalnum() or c in "-_.")
    return f"connection strategy {shown}; hooks run for {described} connections"
