"""The lane of invocations says, byte for byte, what uvicorn would have the application say."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from app.domain.outcomes import Outcome, OutcomeKind
from app.domain.triggers.catalogue import CONTRACTS
from app.web.lane import LaneProtocol
from app.web.protocol.limits import BODY_LIMIT
from app.web.routes import build_app

TRIGGER = "pre-user-registration"
PAYLOAD = orjson.dumps(CONTRACTS[TRIGGER].example)
TOKEN = b"hlt_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"


class FakeTransport:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str) -> None:
        return None

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Connection:
    """A client's connection, without a network."""

    def __init__(self, site: Any, protocol: type[HttpToolsProtocol]) -> None:
        config = Config(build_app(site.services), lifespan="off", proxy_headers=False)
        config.load()
        self.state = ServerState()
        self.state.default_headers = [(b"date", b"Mon, 23 Nov 2026 00:00:00 GMT")]
        self.transport = FakeTransport()
        self.protocol = protocol(config, self.state, {})
        self.protocol.connection_made(self.transport)  # type: ignore[arg-type]

    @property
    def heard(self) -> bytes:
        """What was answered, without what differs from run to run."""
        answers = b"".join(self.transport.written)
        answers = re.sub(rb"dur=[\d.]+", b"dur=0", answers)
        return re.sub(rb'("correlation_id":)"\w+"', rb"\1", answers)

    async def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.protocol.data_received(piece)
            await settled()

    def lose(self) -> None:
        self.transport.closed = True
        self.protocol.connection_lost(None)


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def request(
    *headers: bytes,
    target: bytes = b"/v1/triggers/pre-user-registration/invoke",
    method: bytes = b"POST",
    version: bytes = b"1.1",
    token: bytes = TOKEN,
    length: bool = True,
    body: bytes = PAYLOAD,
) -> bytes:
    lines = [b"%b %b HTTP/%b" % (method, target, version), b"Host: site"]
    lines += [b"Authorization: Bearer " + token] if token else []
    lines += [b"Content-Length: %d" % len(body)] if length else []
    return b"\r\n".join((*lines, *headers, b"", body))


def dialogue(
    site: Any, protocol: type[HttpToolsProtocol], pieces: tuple[bytes, ...]
) -> tuple[bytes, bool]:
    async def scenario() -> tuple[bytes, bool]:
        connection = Connection(site, protocol)
        await connection.say(*pieces)
        heard, closed = connection.heard, connection.transport.closed
        connection.lose()
        await settled()
        assert not connection.state.tasks
        return heard, closed

    return asyncio.run(scenario())


PLAIN = request()
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(PAYLOAD), PAYLOAD)
DIALOGUES = {
    "a plain invocation": (PLAIN,),
    "one in pieces": (PLAIN[:30], PLAIN[30:200], PLAIN[200:-5], PLAIN[-5:]),
    "one after another": (PLAIN, PLAIN, PLAIN),
    "two at once": (PLAIN + PLAIN,),
    "two at once and one later": (PLAIN + PLAIN, PLAIN),
    "another route in between": (
        PLAIN,
        request(method=b"GET", target=b"/healthz", body=b""),
        PLAIN,
    ),
    "all of it at once": (PLAIN + request(method=b"GET", target=b"/healthz", body=b"") + PLAIN,),
    "the last one": (request(b"Connection: close"),),
    "one of HTTP/1.0": (request(version=b"1.0"),),
    "one of HTTP/1.0 that stays": (request(b"Connection: keep-alive", version=b"1.0"),),
    "a position reached": (request(b"Hookledger-Min-Position: 3"),),
    "no position": (request(b"Hookledger-Min-Position: soon"),),
    "a position twice": (request(b"Hookledger-Min-Position: 3", b"Hookledger-Min-Position: 3"),),
    "a harmless header twice": (request(b"Accept: a/b", b"Accept: c/d"),),
    "no token": (request(token=b""),),
    "a wrong token": (request(token=b"hlt_wrong"),),
    "a token twice": (request(b"Authorization: Bearer " + TOKEN),),
    "another token after the right one": (PLAIN, request(token=b"hlt_wrong"), PLAIN),
    "no token after the right one": (PLAIN, request(token=b""), PLAIN),
    "another length": (PLAIN, request(body=PAYLOAD + b" "), request(body=b"{}")),
    "another trigger": (
        PLAIN,
        request(target=b"/v1/triggers/send-phone-message/invoke"),
        request(target=b"/v1/triggers/nothing/invoke"),
        PLAIN,
    ),
    "another method after the right one": (PLAIN, request(method=b"PUT"), PLAIN),
    "another version": (PLAIN, request(version=b"1.0")),
    "other headers": (
        request(b"Hookledger-Min-Position: 3"),
        request(b"Hookledger-Min-Position: soon"),
        request(b"Hookledger-Min-Position: 3", b"Hookledger-Min-Position: 3"),
        PLAIN,
    ),
    "another length twice": (PLAIN, request(b"Content-Length: 3")),
    "another way to send": (
        PLAIN,
        request(b"Transfer-Encoding: chunked", length=False, body=CHUNKED),
        request(b"Expect: 100-continue"),
        PLAIN,
    ),
    "another method": (request(method=b"PUT"),),
    "HEAD": (request(method=b"HEAD", length=False, body=b""),),
    "a query": (request(target=b"/v1/triggers/pre-user-registration/invoke?a=b"),),
    "an encoded path": (request(target=b"/v1/triggers/pre%2Duser-registration/invoke"),),
    "an unknown trigger": (request(target=b"/v1/triggers/nothing/invoke"),),
    "a trigger without a hook": (request(target=b"/v1/triggers/send-phone-message/invoke"),),
    "a body that is no JSON": (request(body=b"{"),),
    "a payload that does not fit": (request(body=b"{}"),),
    "an empty body": (request(body=b""),),
    "no length": (request(length=False, body=b""),),
    "the length twice": (request(b"Content-Length: %d" % len(PAYLOAD)),),
    "too long": (request(body=b" " * (BODY_LIMIT + 1)),),
    "a length that is none": (request(b"Content-Length: 1e3", length=False),),
    "chunks": (request(b"Transfer-Encoding: chunked", length=False, body=CHUNKED),),
    "a key that is none": (request(b"Idempotency-Key: " + b"k" * 300),),
    "an expectation": (request(b"Expect: 100-continue", body=PAYLOAD),),
    "no HTTP": (b"hello\r\n\r\n",),
    "no HTTP after an invocation": (PLAIN, b"hello\r\n\r\n"),
}


@pytest.mark.parametrize("said", DIALOGUES.values(), ids=DIALOGUES)
@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(OutcomeKind.SUCCEEDED, b'{"user":{"user_metadata":{"a":1}}}'),
        Outcome(OutcomeKind.ERRORED, b'{"message":"no"}'),
        Outcome(OutcomeKind.TIMED_OUT, detail="Too slow."),
    ],
    ids=lambda outcome: outcome.kind,
)
def test_the_lane_answers_as_uvicorn_does(
    said: tuple[bytes, ...],
    outcome: Outcome,
    site: Any,
    make_site: Callable[[], Any],
    make_hook: Callable[..., Any],
) -> None:
    sites = site, make_site()
    for one in sites:
        one.put(make_hook())
        one.runner.outcome = outcome
    usual = dialogue(sites[0], HttpToolsProtocol, said)
    assert dialogue(sites[1], LaneProtocol, said) == usual
    assert usual[0].startswith(b"HTTP/1.1 ")
    assert len(sites[0].runner.calls) == len(sites[1].runner.calls)
    assert len(sites[0].journal.records) == len(sites[1].journal.records)


def test_an_error_nobody_foresaw_is_a_problem_in_the_lane_too(
    site: Any, make_hook: Callable[..., Any]
) -> None:
    site.put(make_hook())
    site.runner.raises = OSError("a secret path")
    heard, closed = dialogue(site, LaneProtocol, (PLAIN, PLAIN))
    assert heard.count(b"HTTP/1.1 500 ") == 2
    assert b"secret path" not in heard
    assert not closed


def test_a_plain_invocation_is_one_write(site: Any, make_hook: Callable[..., Any]) -> None:
    site.put(make_hook())

    async def scenario() -> int:
        connection = Connection(site, LaneProtocol)
        await connection.say(PLAIN)
        return len(connection.transport.written)

    assert asyncio.run(scenario()) == 1


class Gate:
    """A runner whose calls wait until they may pass."""

    def __init__(self, site: Any) -> None:
        self.opened = asyncio.Event()
        self._run = site.runner.run
        site.runner.run = self.run

    async def run(self, *arguments: Any) -> Any:
        await self.opened.wait()
        return await self._run(*arguments)


def test_an_invocation_whose_caller_leaves_is_finished_and_recorded(
    site: Any, make_hook: Callable[..., Any]
) -> None:
    site.put(make_hook())

    async def scenario() -> Connection:
        connection, gate = Connection(site, LaneProtocol), Gate(site)
        await connection.say(PLAIN)
        connection.lose()
        await settled()
        assert connection.state.tasks
        gate.opened.set()
        await settled()
        return connection

    connection = asyncio.run(scenario())
    assert connection.transport.written == []
    assert not connection.state.tasks
    assert len(site.journal.records) == 1


def test_a_caller_that_leaves_between_request_and_start_leaves_no_task(
    site: Any, make_hook: Callable[..., Any]
) -> None:
    site.put(make_hook())

    async def scenario() -> Connection:
        connection = Connection(site, LaneProtocol)
        await connection.say(PLAIN)
        connection.protocol.data_received(PLAIN)
        connection.lose()
        await settled()
        return connection

    connection = asyncio.run(scenario())
    assert not connection.state.tasks
    assert len(site.journal.records) == 2


def test_what_is_asked_meanwhile_waits_its_turn(site: Any, make_hook: Callable[..., Any]) -> None:
    site.put(make_hook())

    async def scenario() -> bytes:
        connection, gate = Connection(site, LaneProtocol), Gate(site)
        health = request(method=b"GET", target=b"/healthz", body=b"")
        await connection.say(PLAIN, health, PLAIN)
        assert connection.transport.written == []
        gate.opened.set()
        await settled()
        return connection.heard

    heard = asyncio.run(scenario())
    assert [b"INV0" in heard, heard.index(b"INV0") < heard.index(b'"ok"') < heard.index(b"INV1")]


def test_a_server_that_stops_answers_first(site: Any, make_hook: Callable[..., Any]) -> None:
    site.put(make_hook())

    async def scenario() -> Connection:
        connection, gate = Connection(site, LaneProtocol), Gate(site)
        await connection.say(PLAIN)
        connection.protocol.shutdown()
        assert not connection.transport.closed
        gate.opened.set()
        await settled()
        return connection

    connection = asyncio.run(scenario())
    assert b"HTTP/1.1 200 OK" in connection.heard
    assert b"connection: close" in connection.heard
    assert connection.transport.closed
    assert not connection.state.tasks


def test_a_client_that_reads_nothing_is_not_answered_from_the_lane(
    site: Any, make_hook: Callable[..., Any]
) -> None:
    site.put(make_hook())

    async def scenario() -> tuple[int, int]:
        connection = Connection(site, LaneProtocol)
        connection.protocol.pause_writing()
        await connection.say(PLAIN)
        before = len(connection.transport.written)
        connection.protocol.resume_writing()
        await settled()
        return before, len(connection.transport.written)

    before, after = asyncio.run(scenario())
    assert before == 0
    assert after > 0


def test_a_client_revoked_meanwhile_is_refused_on_the_same_connection(
    site: Any, make_hook: Callable[..., Any]
) -> None:
    site.put(make_hook())

    async def scenario() -> bytes:
        from dataclasses import replace

        connection = Connection(site, LaneProtocol)
        await connection.say(PLAIN)
        site.hooks.table = replace(site.hooks.table, tokens={})
        await connection.say(PLAIN)
        return connection.heard

    heard = asyncio.run(scenario())
    assert heard.index(b"HTTP/1.1 200 ") < heard.index(b"HTTP/1.1 401 ")
    assert len(site.runner.calls) == 1
