"""How far a projection has come, for those who wait for a position: threads and event loops.

Waiters are woken, they do not ask again and again: in one process a position is seen well within a
millisecond after it was reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass

from app.domain.revisions import Position


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    position: Position
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[bool]

    def tell(self, *, reached: bool) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(self._resolve, reached)

    def _resolve(self, reached: bool) -> None:
        if not self.answer.done():
            self.answer.set_result(reached)


class Reached:
    """A position that only grows, and whose growth may end."""

    def __init__(self) -> None:
        self._position = Position(0)
        self._ended = False
        self._changed = threading.Condition()
        self._waiters: list[_Waiter] = []

    @property
    def position(self) -> Position:
        return self._position

    def advance(self, position: Position) -> None:
        """Wake all who wait for ``position`` or less."""
        with self._changed:
            if position <= self._position:
                return
            self._position = position
            self._changed.notify_all()
            served = [waiter for waiter in self._waiters if waiter.position <= position]
            self._waiters = [waiter for waiter in self._waiters if waiter.position > position]
        for waiter in served:
            waiter.tell(reached=True)

    def end(self) -> None:
        """Tell all who wait, now or later, that nothing more will come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
            left, self._waiters = self._waiters, []
        for waiter in left:
            waiter.tell(reached=False)

    def wait(self, position: Position, timeout: float) -> bool:
        """Block until ``position`` is reached; False after ``timeout`` seconds or the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._position >= position, timeout)
            return self._position >= position

    async def wait_for(self, position: Position, timeout: float) -> bool:
        """Wait until ``position`` is reached; False after ``timeout`` seconds or the end."""
        if self._position >= position:
            return True
        loop = asyncio.get_running_loop()
        waiter = _Waiter(position, loop, loop.create_future())
        with self._changed:
            if self._ended or self._position >= position:
                return self._position >= position
            self._waiters.append(waiter)
        try:
            async with asyncio.timeout(timeout):
                return await waiter.answer
        except TimeoutError:
            return self._position >= position
        finally:
            with self._changed, contextlib.suppress(ValueError):
                self._waiters.remove(waiter)
