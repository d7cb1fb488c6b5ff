"""The proxy of one worker: its connections, how many they may be, what is said of them."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from app.runtime.egress.bounds import Bounds, Budget, Counters
from app.runtime.egress.conversations import Conversation, Level, Terms
from app.runtime.egress.handover import Handover
from app.runtime.egress.names import Resolve
from app.runtime.egress.policy import Policy
from app.runtime.inside.egress import PORT

logger = logging.getLogger("hookledger.runtime")

Say = Callable[[Level, str], None]
"""Takes a line for the log of the worker's hook."""

Admit = Callable[[int], bool]
"""Tells whether the server has room for one more connection of a worker that has so many."""


class WorkerProxy:
    """Lives as long as its worker."""

    def __init__(
        self,
        policy: Policy,
        resolve: Resolve,
        say: Say,
        *,
        bounds: Bounds,
        counters: Counters,
        admit: Admit,
        authorities: str | None = None,
    ) -> None:
        """Make a proxy that nobody can reach yet.

        ``authorities`` are certificates (PEM) that the worker is to trust besides.
        """
        self._say_line = say
        self._bounds = bounds
        self._counters = counters
        self._admit = admit
        self._budget = Budget(bounds, counters)
        self._terms = Terms(
            policy,
            resolve,
            bounds,
            counters,
            self._budget,
            asyncio.Semaphore(bounds.connections),
            self._say,
        )
        self._lines = 0
        self._conversations: dict[asyncio.Task[None], Conversation] = {}
        self._handover: Handover | None = None
        self._closed = False
        self.load: Mapping[str, Any] = {
            "port": PORT,
            "hosts": policy.entries,
            "authorities": authorities,
        }
        """What the worker is told of it."""

    def open_door(self) -> int:
        """Return the descriptor of the socket that the worker is to send its listener through."""
        self._handover = Handover(self.adopt, self._bounds.new_per_second)
        return self._handover.theirs.fileno()

    def adopt(self, client: socket.socket) -> bool:
        """Serve a connected, non-blocking socket; False, and it is not ours, if it is too many."""
        if self._closed:
            return False
        if len(self._conversations) >= self._bounds.open:
            self._say("warning", f"refused: {self._bounds.open} connections are open already")
            self._counters.connections["refused"] += 1
            return False
        if not self._admit(len(self._conversations)):
            self._say("warning", "refused: the server has no room for more connections")
            self._counters.connections["refused"] += 1
            return False
        conversation = Conversation(self._terms)
        task = asyncio.ensure_future(conversation.run(client))
        self._conversations[task] = conversation
        self._counters.open += 1
        task.add_done_callback(partial(self._ended, client))
        return True

    def renew(self) -> None:
        """Hear that a call begins: it may use as much as any."""
        self._budget.renew()
        self._lines = 0

    def report(self) -> None:
        """Hear that a call ends: what it used is said while its log is open."""
        for conversation in self._conversations.values():
            conversation.report()

    def close(self) -> None:
        """End every connection, at once."""
        self._closed = True
        if self._handover is not None:
            self._handover.close()
        for task in self._conversations:
            task.cancel()

    def _ended(self, client: socket.socket, task: asyncio.Task[None]) -> None:
        if not self._conversations.pop(task).started:
            client.close()
        self._counters.open -= 1
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a connection of a hook broke", exc_info=error)

    def _say(self, level: Level, text: str) -> None:
        self._lines += 1
        if self._lines < self._bounds.lines_per_call:
            self._say_line(level, f"network: {text}")
        elif self._lines == self._bounds.lines_per_call:
            self._say_line("warning", "network: further lines are left out until the next call")


class NoNetwork:
    """Stands in for the proxy of a worker that has none."""

    load = None

    def renew(self) -> None:
        """Nothing is counted."""

    def report(self) -> None:
        """Nothing was used."""

    def close(self) -> None:
        """Nothing is open."""
