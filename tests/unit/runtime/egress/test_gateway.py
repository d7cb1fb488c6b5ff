"""What all workers' proxies share is shared fairly."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from app.runtime.egress.bounds import Bounds
from app.runtime.egress.gateway import MOST_OPEN, Gateway
from app.runtime.egress.proxy import WorkerProxy


def adopted(proxy: WorkerProxy, ends: contextlib.ExitStack, wanted: int) -> int:
    """Open connections on which nothing is said; return how many were taken."""
    for number in range(wanted):
        ours, theirs = socket.socketpair()
        ends.enter_context(theirs)
        ours.setblocking(False)
        if not proxy.adopt(ours):
            ours.close()
            return number
    return wanted


@pytest.mark.parametrize("greedy", [1, 8, 30])
def test_however_many_take_all_they_can_one_more_gets_some(greedy: int) -> None:
    async def crowd() -> tuple[list[int], int]:
        gateway = Gateway(bounds=Bounds(open=MOST_OPEN))
        with contextlib.ExitStack() as ends:
            proxies = [gateway.proxy(["a.example:1"], lambda *_: None) for _ in range(greedy + 1)]
            taken = [adopted(proxy, ends, MOST_OPEN) for proxy in proxies[:-1]]
            left = adopted(proxies[-1], ends, 4)
            for proxy in proxies:
                proxy.close()
            await asyncio.sleep(0)
        gateway.close()
        return taken, left

    taken, left = asyncio.run(crowd())
    assert sum(taken) <= MOST_OPEN
    assert left >= 1
