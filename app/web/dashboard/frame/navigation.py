"""The entries of the menu, in their order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; shown to whoever has the scope of its page, once there is such a page."""

    title: str
    path: str
    icon: str
    """A name in ``templates/parts/icons.html``."""


MENU = (
    Entry("Overview", "/", "overview"),
    Entry("Hooks", "/hooks", "hooks"),
    Entry("Secrets", "/secrets", "lock"),
    Entry("Logs", "/logs", "logs"),
    Entry("History", "/history", "history"),
    Entry("Sync", "/sync", "sync"),
    Entry("Access", "/access", "access"),
)
