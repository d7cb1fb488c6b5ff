"""Messages to a worker: in order, the urgent at once, the others together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from app.runtime.outbox import Outbox


class FakeTransport:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.closing


def in_a_loop(scenario: Callable[[Outbox, FakeTransport], None]) -> list[bytes]:
    async def run() -> list[bytes]:
        transport = FakeTransport()
        scenario(Outbox(transport), transport)  # type: ignore[arg-type]
        await asyncio.sleep(0)
        return transport.written

    return asyncio.run(run())


def test_what_is_posted_in_one_round_leaves_in_one_write_in_its_order() -> None:
    def scenario(outbox: Outbox, transport: FakeTransport) -> None:
        for message in (b"1", b"2", b"3"):
            outbox.post(message, at_once=False)
        assert transport.written == []

    assert in_a_loop(scenario) == [b"123"]


def test_an_idle_worker_is_told_at_once() -> None:
    def scenario(outbox: Outbox, transport: FakeTransport) -> None:
        outbox.post(b"1", at_once=True)
        assert transport.written == [b"1"]
        outbox.post(b"2", at_once=False)

    assert in_a_loop(scenario) == [b"1", b"2"]


def test_nothing_overtakes_what_waits() -> None:
    def scenario(outbox: Outbox, transport: FakeTransport) -> None:
        outbox.post(b"1", at_once=False)
        outbox.post(b"2", at_once=True)

    assert in_a_loop(scenario) == [b"12"]


def test_nothing_is_written_to_a_worker_that_was_ended_meanwhile() -> None:
    def scenario(outbox: Outbox, transport: FakeTransport) -> None:
        outbox.post(b"1", at_once=False)
        transport.closing = True

    assert in_a_loop(scenario) == []
