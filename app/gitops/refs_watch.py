"""Notices that refs may have changed: from the file system at once, from a heartbeat for certain.

The *directories* of refs are watched: git replaces a ref's file at each update, and a watch on the
file would die with it. Network file systems report nothing of what other machines write, and a
directory that is replaced takes its watch along; the heartbeat covers both.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import os
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from asyncinotify import Inotify, Mask
from watchfiles import awatch

_log = logging.getLogger("hookledger.watcher")

_REPORTED = Mask.CREATE | Mask.CLOSE_WRITE | Mask.MOVED_TO | Mask.MOVED_FROM | Mask.DELETE
_ARMED = _REPORTED | Mask.ONLYDIR | Mask.DONT_FOLLOW
_MOST_AT_ONCE = 1000
"""Events read in one go, so that somebody who moves refs without end does not hold up the loop."""
_SHORTEST_POLL = 0.1
"""As a part of the longest."""
_STEP_MS = 5
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
    watch_once = watch_by_inotify if sys.platform == "linux" else watch_by_watchfiles
    pause = delay = min(heartbeat, _FIRST_REARM)
    while True:
        watched = _identity(refs)
        try:
            async with contextlib.aclosing(watch_once(refs, heartbeat)) as notices:
                async for notice in notices:
                    delay = pause
                    yield notice
                    if _identity(refs) != watched:
                        break
        except Exception as error:  # noqa: BLE001 (the watcher is not Python's, nor are its errors)
            if delay == pause:
                _log.warning("watch_interrupted", extra={"refs": str(refs), "reason": str(error)})
            for _ in range(round(delay / pause)):
                await asyncio.sleep(pause)
                yield Notice.HEARTBEAT
            delay = min(delay * 2, _LONGEST_REARM)
        yield Notice.REARMED


async def poll(longest: float, jitter: Callable[[], float]) -> AsyncGenerator[Notice, None]:
    """Yield a heartbeat at most every ``longest`` seconds, and each time after another while.

    ``jitter`` gives numbers from 0 to 1. Servers that were started together, or sources of one
    forge, do not ask together.
    """
    while True:
        await asyncio.sleep(longest * max(jitter(), _SHORTEST_POLL))
        yield Notice.HEARTBEAT


async def watch_by_inotify(refs: Path, heartbeat: float) -> AsyncGenerator[Notice, None]:
    """Yield notices until the kernel has dropped some; the event loop waits, and no thread does."""
    ready, loop = asyncio.Event(), asyncio.get_running_loop()
    with Inotify() as inotify:
        os.set_blocking(inotify.fd, False)  # the library's own flag for it has the wrong value
        _arm(inotify, refs)
        loop.add_reader(inotify.fd, ready.set)
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(heartbeat):
                        await ready.wait()
                told = ready.is_set()
                ready.clear()
                complete = _take_up(inotify)
                yield Notice.CHANGE if told else Notice.HEARTBEAT
                if not complete:
                    return
        finally:
            loop.remove_reader(inotify.fd)


def _arm(inotify: Inotify, folder: Path) -> None:
    """Watch ``folder`` and all below it; one that vanishes meanwhile needs no watch."""
    inotify.add_watch(folder, _ARMED)
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                inotify.add_watch(Path(parent, name), _ARMED)


def _take_up(inotify: Inotify) -> bool:
    """Read what was reported, and watch new folders; tell whether the kernel reported all."""
    with contextlib.suppress(BlockingIOError):
        for _ in range(_MOST_AT_ONCE):
            event = inotify.sync_get()
            if event is None or Mask.Q_OVERFLOW in event.mask:
                return False
            is_new = Mask.ISDIR in event.mask and event.mask & (Mask.CREATE | Mask.MOVED_TO)
            if is_new and event.path is not None:
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    _arm(inotify, event.path)
    return True


async def watch_by_watchfiles(refs: Path, heartbeat: float) -> AsyncGenerator[Notice, None]:
    """Yield notices for ever, where there is no inotify; a thread wakes 200 times a second."""
    batches = awatch(
        refs,
        # The default filter drops everything below a `.git`.
        watch_filter=None,
        step=_STEP_MS,
        debounce=10 * _STEP_MS,
        rust_timeout=max(1, round(heartbeat * 1000)),
        yield_on_timeout=True,
        recursive=True,
        # Polling compares whole seconds, and misses the second of two quick updates.
        force_polling=False,
    )
    async with contextlib.aclosing(batches):
        async for changes in batches:
            yield Notice.CHANGE if changes else Notice.HEARTBEAT


def _identity(directory: Path) -> tuple[int, int] | None:
    try:
        found = directory.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
