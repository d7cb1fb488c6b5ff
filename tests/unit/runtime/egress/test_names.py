"""Names to addresses: who asks for one that is slow must not hold others up."""

from __future__ import annotations

import asyncio
import threading
from ipaddress import ip_address

import pytest

from app.runtime.egress.addresses import Address
from app.runtime.egress.names import Resolver

ADDRESS = ip_address("192.0.2.1")


class NameServer:
    """Answers at once, except for slow names: those wait until the end."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.end = threading.Event()

    def __call__(self, host: str) -> list[Address]:
        self.asked.append(host)
        if host.startswith("slow"):
            self.end.wait(30)
        if host == "nowhere":
            raise OSError(-2, "Name or service not known")
        return [ADDRESS]


async def given_up(resolver: Resolver, host: str) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await resolver(host)


def test_a_slow_name_asked_for_again_and_again_holds_nobody_up() -> None:
    server = NameServer()

    async def ask() -> None:
        resolver = Resolver(server)
        for _ in range(100):
            await given_up(resolver, "slow.example")
        assert await resolver("quick.example") == [ADDRESS]
        server.end.set()
        assert await resolver("slow.example") == [ADDRESS]
        resolver.close()

    asyncio.run(ask())
    assert server.asked == ["slow.example", "quick.example"]


def test_several_slow_names_hold_nobody_up_either() -> None:
    server = NameServer()

    async def ask() -> None:
        resolver = Resolver(server)
        for number in range(32):
            await given_up(resolver, f"slow-{number}.example")
        assert await resolver("quick.example") == [ADDRESS]
        server.end.set()
        resolver.close()

    asyncio.run(ask())


def test_an_answer_is_not_kept() -> None:
    server = NameServer()

    async def ask() -> None:
        resolver = Resolver(server)
        for _ in range(2):
            assert await resolver("quick.example") == [ADDRESS]
            with pytest.raises(OSError, match="not known"):
                await resolver("nowhere")
        assert await resolver("192.0.2.9") == [ip_address("192.0.2.9")]
        resolver.close()

    asyncio.run(ask())
    assert server.asked == ["quick.example", "nowhere"] * 2
