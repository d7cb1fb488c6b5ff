"""What is said to one worker, in as few writes as costs no time: each one wakes its process."""

from __future__ import annotations

import asyncio


class Outbox:
    """Writes to a worker's connection, in order."""

    __slots__ = ("_call_soon", "_transport", "_waiting")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._call_soon = asyncio.get_running_loop().call_soon
        self._waiting: list[bytes] = []

    def post(self, message: bytes, *, at_once: bool) -> None:
        """Write now, or together with all that is posted until the loop comes round."""
        if self._waiting:
            self._waiting.append(message)
        elif at_once:
            self._transport.write(message)
        else:
            self._waiting.append(message)
            self._call_soon(self._flush)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not self._transport.is_closing():
            self._transport.write(b"".join(waiting))
