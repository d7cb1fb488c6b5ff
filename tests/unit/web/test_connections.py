"""Connections: what is said in one round of the loop leaves in one write, in order, and is not lost."""

from __future__ import annotations

import asyncio
from typing import Any

from app.web.connections import JoinedWrites


class FakeTransport:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str) -> str:
        return name


def joined() -> tuple[Any, FakeTransport]:
    transport = FakeTransport()
    return JoinedWrites(transport, asyncio.get_running_loop()), transport  # type: ignore[arg-type]


def test_writes_of_one_round_are_one_write_in_their_order() -> None:
    async def scenario() -> list[bytes]:
        connection, transport = joined()
        connection.write(b"head ")
        connection.write(b"body")
        assert transport.written == []
        await asyncio.sleep(0)
        connection.write(b"next")
        await asyncio.sleep(0)
        return transport.written

    assert asyncio.run(scenario()) == [b"head body", b"next"]


def test_what_waits_is_written_before_the_connection_closes() -> None:
    async def scenario() -> tuple[list[bytes], bool]:
        connection, transport = joined()
        connection.write(b"last words")
        connection.close()
        await asyncio.sleep(0)
        return transport.written, transport.closed

    assert asyncio.run(scenario()) == ([b"last words"], True)


def test_nothing_is_written_to_a_connection_that_is_gone() -> None:
    async def scenario() -> list[bytes]:
        connection, transport = joined()
        connection.write(b"too late")
        transport.closed = True
        await asyncio.sleep(0)
        return transport.written

    assert asyncio.run(scenario()) == []


def test_everything_else_is_the_transports_own() -> None:
    async def scenario() -> object:
        return joined()[0].get_extra_info("peername")

    assert asyncio.run(scenario()) == "peername"
