"""How a worker waits for its next call: asleep, or awake for a moment when calls come one by one.

To fall asleep and be woken takes longer than most hooks run. While one caller sends one call after
the other, the next comes within a fraction of a millisecond, so the worker looks for it that long
before it sleeps. It does not while calls overlap, nor once the caller pauses (ADR 0013).

It sleeps in ``poll``: whoever sleeps in ``recv`` is woken for nothing when the server has read the
answer, since the kernel then tells everybody who waits at the socket that there is room in it.
"""

from __future__ import annotations

import os
import select
import socket
import time

from app.runtime.inside import protocol

PATIENCE = 0.0003
"""Seconds to look for the next call."""
ENOUGH = 16
"""Score from which on it is looked for."""
_MOST, _SETBACK = 64, 4
"""A call that came alone and soon counts one; any other takes a few away."""


class Receiver:
    """Receives from the server; blocking."""

    def __init__(self, connection: socket.socket, processors: int) -> None:
        """With one of the ``processors`` only, whoever is to send the next call could not run."""
        self._connection = connection
        self._sleep = select.poll()
        self._sleep.register(connection, select.POLLIN)
        self._may_look = processors > 1
        self._score = 0

    def receive(self, calls: int) -> bytes:
        """Return what has come, nothing when the server is gone; ``calls`` came the last time."""
        alone = calls == 1
        began = time.perf_counter()
        if alone and self._may_look and self._score >= ENOUGH:
            data = self._looked(began + PATIENCE)
        else:
            data = self._slept()
        if alone and time.perf_counter() - began < PATIENCE:
            self._score = min(self._score + 1, _MOST)
        else:
            self._score = max(self._score - _SETBACK, 0)
        return data

    def _looked(self, until: float) -> bytes:
        while time.perf_counter() < until:
            try:
                return self._connection.recv(protocol.RECEIVE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                os.sched_yield()  # whoever else can use this processor goes first
        return self._slept()

    def _slept(self) -> bytes:
        self._sleep.poll()
        return self._connection.recv(protocol.RECEIVE_BYTES)
