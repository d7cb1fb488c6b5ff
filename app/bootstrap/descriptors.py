"""File descriptors: how many the server needs when all that may be open is, and gets."""

from __future__ import annotations

import resource

from app.application.syncing.status import Check
from app.runtime.egress.gateway import MOST_OPEN
from config.settings import Settings

_OF_A_WORKER = 3
"""Its process, its connection, its output."""
_OF_A_WAY_OUT = 2
_OTHERS = 150
"""Databases, repositories, installers, and what starts workers."""


def raise_limit() -> None:
    """Use all that the process may have; it often starts with 1,024, for ``select``'s sake."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def enough_descriptors(settings: Settings) -> Check:
    """Compare what may be open at once with what the process may have."""
    needed = (
        settings.max_connections
        + settings.max_workers * _OF_A_WORKER
        + MOST_OPEN * _OF_A_WAY_OUT
        + _OTHERS
    )
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY or most >= needed:
        return Check(
            "file descriptors", ok=True, detail=f"{needed} may be needed, {most} are there"
        )
    return Check(
        "file descriptors",
        ok=False,
        detail=f"{needed} may be needed, but the process may have {most}; raise it (`LimitNOFILE=` "
        "of systemd, `--ulimit nofile=` of a container), or lower max_connections",
    )
