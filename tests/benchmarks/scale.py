"""How the size of a repository shows: in the first sync, and in a commit to one hook of it."""

from __future__ import annotations

import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.bootstrap.engine import Engine, open_engine
from app.bootstrap.storage import Storage, open_storage
from config.settings import load_settings
from tests.benchmarks.processes import TRIGGER, git, make_repository, write_version

_HOOK = "hook-00000"
_GIVE_UP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Figures for one size of repository."""

    hooks: int
    commits: int
    first_seconds: float
    """From the beginning of the first sync until its hooks are in the table."""
    median_ms: float
    """From the moment that the ref moved until the table has the commit."""
    p99_ms: float


def measure(sizes: Sequence[int] = (10, 1_000, 10_000), commits: int = 100) -> list[Scale]:
    """Sync a repository of each size, and move its branch again and again."""
    return [_measure(size, commits) for size in sizes]


def _measure(hooks: int, commits: int) -> Scale:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        repository = make_repository(root, hooks)
        shas = [git(repository, "rev-parse", "HEAD")]
        for number in range(1, commits + 1):
            write_version(repository / "hooks" / TRIGGER / "group-000" / _HOOK, number)
            git(repository, "commit", "--quiet", "--all", "--message", f"Version {number}")
            shas.append(git(repository, "rev-parse", "HEAD"))
        git(repository, "update-ref", "refs/heads/main", shas[0])
        return asyncio.run(_follow(root, repository, shas, hooks))


async def _follow(root: Path, repository: Path, shas: list[str], hooks: int) -> Scale:
    settings = load_settings(
        repo=str(repository),
        repo_path="",
        data_dir=root / "var",
    )
    with open_storage(settings) as storage:
        async with open_engine(storage) as engine:
            begun = time.perf_counter()
            result = await engine.sources.one(None).sync()
            if not await storage.hooks.wait_for(result.position, _GIVE_UP_SECONDS):
                raise RuntimeError("the first sync did not become visible")
            first = time.perf_counter() - begun
            await asyncio.to_thread(_settle, storage)
            gc.collect()
            gc.freeze()  # as the server does
            watching = asyncio.ensure_future(engine.sources.follow())
            await asyncio.sleep(0.5)
            took = sorted([await _one(engine, repository, sha) for sha in shas[1:]])
            watching.cancel()
    gc.unfreeze()
    return Scale(
        hooks=hooks,
        commits=len(took),
        first_seconds=first,
        median_ms=statistics.median(took),
        p99_ms=took[min(int(len(took) * 0.99), len(took) - 1)],
    )


def _settle(storage: Storage) -> None:
    """Wait until the stored views have what the first sync brought."""
    while any(follower.state().lag for follower in storage.followers):
        time.sleep(0.05)


async def _one(engine: Engine, repository: Path, sha: str) -> float:
    await asyncio.sleep(0.03)  # the watcher has come to rest, as when a person commits
    hooks, ref = engine.storage.hooks, repository / ".git" / "refs" / "heads" / "main"
    lock = ref.with_name("main.lock")
    lock.write_text(f"{sha}\n")
    moved = time.perf_counter()
    lock.rename(ref)
    while (row := hooks.table.find_hook(_HOOK)) is None or row.commit != sha:
        if time.perf_counter() - moved > _GIVE_UP_SECONDS:
            raise RuntimeError(f"commit {sha} did not become visible")
        await asyncio.sleep(0.0002)
    return (time.perf_counter() - moved) * 1000
