"""Notices that refs may have changed: from the file system at once, from a heartbeat for certain.

The *directory* of refs is watched: git replaces a ref's file at each update, and a watch on the
file would die with it. Network file systems report nothing of what other machines write, and a
directory that is replaced takes its watch along; the heartbeat covers both.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
from collections.abc import AsyncGenerator
from pathlib import Path

from watchfiles import awatch

_log = logging.getLogger("hookledger.watcher")

_STEP_MS = 2
"""How often the file watcher looks at what it collected; each costs an idle server some CPU."""
_DEBOUNCE_MS = 50
_FIRST_REARM = 0.25
_LONGEST_REARM = 5.0


class Notice(enum.Enum):
    """Why it is time to look at the refs."""

    CHANGE = "change"
    """Something below the directory changed; which ref it was cannot be relied on."""
    HEARTBEAT = "heartbeat"
    REARMED = "rearmed"
    """The file watcher was started again, and may have missed anything before."""


async def watch_refs(refs: Path, heartbeat: float) -> AsyncGenerator[Notice, None]:
    """Yield notices for ever, one at least every ``heartbeat`` seconds.

    Survives errors of the file watcher, and that ``refs`` vanishes, appears or is replaced.
    """
    pause = delay = min(heartbeat, _FIRST_REARM)
    while True:
        try:
            async with contextlib.aclosing(_watch_once(refs, heartbeat)) as notices:
                async for notice in notices:
                    delay = pause
                    yield notice
        except Exception as error:  # noqa: BLE001 (the watcher is not Python's, nor are its errors)
            if delay == pause:
                _log.warning("watch_interrupted", extra={"refs": str(refs), "reason": str(error)})
            for _ in range(round(delay / pause)):
                await asyncio.sleep(pause)
                yield Notice.HEARTBEAT
            delay = min(delay * 2, _LONGEST_REARM)
        yield Notice.REARMED


async def _watch_once(refs: Path, heartbeat: float) -> AsyncGenerator[Notice, None]:
    """Yield notices until another directory has taken the place of ``refs``."""
    watched = _identity(refs)
    batches = awatch(
        refs,
        # The default filter drops everything below a `.git`.
        watch_filter=None,
        step=_STEP_MS,
        debounce=_DEBOUNCE_MS,
        rust_timeout=max(1, round(heartbeat * 1000)),
        yield_on_timeout=True,
        recursive=True,
        # Polling compares whole seconds, and misses the second of two quick updates.
        force_polling=False,
    )
    async with contextlib.aclosing(batches):
        async for changes in batches:
            yield Notice.CHANGE if changes else Notice.HEARTBEAT
            if _identity(refs) != watched:
                return


def _identity(directory: Path) -> tuple[int, int]:
    found = directory.stat()
    return found.st_dev, found.st_ino
