"""What shows below a directory of refs is reported at once, wherever and however it appears."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from app.gitops.refs_watch import Notice, watch_by_inotify, watch_by_watchfiles, watch_refs

Watch = Callable[[Path, float], AsyncGenerator[Notice, None]]
LONG = 30.0


async def settle(notices: AsyncGenerator[Notice, None]) -> None:
    """Read notices until nothing is reported any more."""
    while await anext(notices) is not Notice.HEARTBEAT:
        pass


@pytest.mark.parametrize("watch", [watch_by_inotify, watch_by_watchfiles, watch_refs])
def test_an_update_in_a_folder_that_is_new_is_reported(tmp_path: Path, watch: Watch) -> None:
    async def run() -> None:
        async with contextlib.aclosing(watch(tmp_path, 0.2)) as notices:
            await settle(notices)
            (tmp_path / "heads/team/a").mkdir(parents=True)
            assert await anext(notices) is Notice.CHANGE
            await settle(notices)
            (tmp_path / "heads/team/a/branch").write_text("x")
            assert await anext(notices) is Notice.CHANGE

    asyncio.run(run())


def test_a_folder_that_vanishes_at_once_is_survived(tmp_path: Path) -> None:
    async def run() -> None:
        async with contextlib.aclosing(watch_by_inotify(tmp_path, 0.2)) as notices:
            await settle(notices)
            for number in range(50):
                (tmp_path / f"d{number}" / "e").mkdir(parents=True)
                (tmp_path / f"d{number}" / "e").rmdir()
                (tmp_path / f"d{number}").rmdir()
            await settle(notices)
            (tmp_path / "ref").write_text("x")
            assert await anext(notices) is Notice.CHANGE

    asyncio.run(run())


def test_a_flood_of_updates_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    async def run() -> None:
        async with contextlib.aclosing(watch_by_inotify(tmp_path, LONG)) as notices:
            waiting = asyncio.ensure_future(anext(notices))
            await asyncio.sleep(0)
            for number in range(3000):
                (tmp_path / str(number)).write_text("x")
            assert await waiting is Notice.CHANGE
            # More was reported than is read in one go, and the rest comes with the next notices.
            assert await anext(notices) is Notice.CHANGE

    asyncio.run(run())
