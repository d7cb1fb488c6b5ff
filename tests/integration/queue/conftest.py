"""A queue on a real file, encrypted by a real vault."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.application.ports import Deliver
from app.application.views import Delivery
from app.queue.consumer import Consumer
from app.queue.sqlite import SqliteQueue
from app.vault.sealing import SealingVault, open_vault

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class MovableClock:
    """Goes as time goes, and can be moved on by hand."""

    def __init__(self) -> None:
        self._moved = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._moved

    def advance(self, by: timedelta) -> None:
        self._moved += by


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "queue.db"


@pytest.fixture
def vault(tmp_path: Path, clock: MovableClock) -> Iterator[SealingVault]:
    opened = open_vault(tmp_path / "master.keys", tmp_path / "vault.db", clock)
    yield opened
    opened.close()


@pytest.fixture
def open_queue(
    path: Path, vault: SealingVault, clock: MovableClock
) -> Iterator[Callable[[], SqliteQueue]]:
    """Open the same file once more, as another process would."""
    opened: list[SqliteQueue] = []

    def open_it() -> SqliteQueue:
        opened.append(SqliteQueue(path, vault, clock))
        return opened[-1]

    yield open_it
    for queue in opened:
        queue.close()


@pytest.fixture
def queue(open_queue: Callable[[], SqliteQueue]) -> SqliteQueue:
    return open_queue()


@pytest.fixture
def delivery() -> Callable[..., Delivery]:
    def make(invocation_id: str = "i1", payload: bytes = b'{"user":{}}') -> Delivery:
        return Delivery(invocation_id, "post-user-registration", payload, "client", NOON)

    return make


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Wait for a condition, ten seconds at most."""

    async def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true"
            await asyncio.sleep(0.002)

    return wait


@contextlib.asynccontextmanager
async def _consuming(
    queue: SqliteQueue, deliver: Deliver, clock: Any, **options: Any
) -> AsyncIterator[None]:
    consumer = Consumer(queue, deliver, clock, **{"grace": 0.2, **options})
    task = asyncio.get_running_loop().create_task(consumer.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class Recorder:
    """Notes what is delivered, and answers as it is told."""

    def __init__(self, *answers: Any) -> None:
        self.seen: list[Delivery] = []
        self._answers = list(answers)

    async def __call__(self, delivery: Delivery) -> bool:
        self.seen.append(delivery)
        answer = self._answers.pop(0) if self._answers else True
        if isinstance(answer, BaseException):
            raise answer
        return bool(answer)

    @property
    def ids(self) -> list[str]:
        return [delivery.invocation_id for delivery in self.seen]


@pytest.fixture
def consuming() -> Callable[..., contextlib.AbstractAsyncContextManager[None]]:
    """Run a consumer while a block runs."""
    return _consuming


@pytest.fixture
def recorder() -> type[Recorder]:
    """Make functions that note what is delivered, and answer as they are told."""
    return Recorder
