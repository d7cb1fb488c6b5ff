"""Names to addresses, by the machine's resolver: hooks have none of their own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from app.runtime.egress.addresses import Address, read_address

Resolve = Callable[[str], Awaitable[list[Address]]]
"""Returns the addresses of a host, the preferred first; raises ``OSError`` if it has none."""

_THREADS = 64
"""A name whose server does not answer takes one for half a minute; there are others to go on."""


class Resolver:
    """Asks in threads of its own: a slow name server must not hold up the rest of the server.

    Who asks for a name that is being asked for gets the same answer: however often a hook asks for
    a slow one, it takes one thread.
    """

    def __init__(self, look_up: Callable[[str], list[Address]] | None = None) -> None:
        """Make a resolver; ``look_up`` blocks, and asks the machine's if not given."""
        self._look_up = look_up or _look_up
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="egress-names")
        self._asked: dict[str, asyncio.Future[list[Address]]] = {}

    async def __call__(self, host: str) -> list[Address]:
        """Return the host's addresses; an address is its own."""
        if (address := read_address(host)) is not None:
            return [address]
        if host not in self._asked:
            loop = asyncio.get_running_loop()
            asked = self._asked[host] = loop.run_in_executor(self._threads, self._look_up, host)
            asked.add_done_callback(partial(self._answered, host))
        return await asyncio.shield(self._asked[host])

    def close(self) -> None:
        """Let go of the threads; a look-up that still runs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _answered(self, host: str, asked: asyncio.Future[list[Address]]) -> None:
        del self._asked[host]
        if not asked.cancelled():
            asked.exception()  # nobody may be waiting for it any more


def _look_up(host: str) -> list[Address]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    addresses = (read_address(str(place[0])) for *_, place in found)
    return list(dict.fromkeys(address for address in addresses if address is not None))
