"""Names to addresses, by the machine's resolver: hooks have none of their own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from app.runtime.egress.addresses import Address, read_address

Resolve = Callable[[str], Awaitable[list[Address]]]
"""Returns the addresses of a host, the preferred first; raises ``OSError`` if it has none."""

_THREADS = 8


class Resolver:
    """Asks in threads of its own: a slow name server must not hold up the rest of the server."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="egress-names")

    async def __call__(self, host: str) -> list[Address]:
        """Return the host's addresses; an address is its own."""
        if (address := read_address(host)) is not None:
            return [address]
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _look_up, host)

    def close(self) -> None:
        """Let go of the threads; a look-up that still runs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str) -> list[Address]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    addresses = (read_address(str(place[0])) for *_, place in found)
    return list(dict.fromkeys(address for address in addresses if address is not None))
