"""The body limit and other hostile requests, against a real server on the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
import uvicorn

from app.domain.triggers.catalogue import CONTRACTS
from app.web.protocol.errors import Disconnected
from app.web.protocol.limits import BODY_LIMIT, read_body
from app.web.routes import build_app

TOKEN = "hlt_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
PATH = "/v1/triggers/pre-user-registration/invoke"
HEADERS = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def port(site: Any, make_hook: Any) -> Iterator[int]:
    site.put(make_hook())
    config = uvicorn.Config(
        build_app(site.services),
        host="127.0.0.1",
        port=0,
        http="httptools",
        lifespan="off",
        log_config=None,
    )
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(10)
    listening.close()
    assert not thread.is_alive()


def padded(size: int) -> bytes:
    """A payload of exactly so many bytes."""
    payload = {**CONTRACTS["pre-user-registration"].example, "padding": ""}
    rest = size - len(orjson.dumps(payload))
    return orjson.dumps({**payload, "padding": "x" * rest})


def in_chunks(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 10_000):
        yield body[start : start + 10_000]


def raw(port: int, request: bytes) -> bytes:
    """Send bytes as they are and read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                answer += chunk
    return answer


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_exactly_the_limit_is_read(port: int, chunked: bool) -> None:
    body = padded(BODY_LIMIT)
    content: Any = in_chunks(body) if chunked else body
    answer = httpx.post(f"http://127.0.0.1:{port}{PATH}", content=content, headers=HEADERS)
    assert answer.status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [BODY_LIMIT + 1, 20 * BODY_LIMIT])
def test_a_larger_body_is_refused_with_and_without_a_declared_length(
    port: int, site: Any, chunked: bool, size: int
) -> None:
    body = padded(size)
    content: Any = in_chunks(body) if chunked else body
    answer = httpx.post(f"http://127.0.0.1:{port}{PATH}", content=content, headers=HEADERS)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/too-large"
    assert str(BODY_LIMIT) in answer.json()["detail"]
    assert site.runner.calls == []


def test_a_declared_length_is_refused_before_anything_is_read() -> None:
    async def receive() -> Any:
        raise AssertionError("the body was read")

    for declared in (str(BODY_LIMIT + 1).encode(), b"9" * 5000):
        with pytest.raises(Exception, match=str(BODY_LIMIT)):
            asyncio.run(read_body([(b"content-length", declared)], receive))


def test_reading_stops_at_the_limit() -> None:
    chunks = 0

    async def receive() -> Any:
        nonlocal chunks
        chunks += 1
        return {"type": "http.request", "body": b"x" * 100, "more_body": True}

    with pytest.raises(Exception, match="1000"):
        asyncio.run(read_body([], receive, limit=1000))
    assert chunks == 11


def test_a_client_that_leaves_has_sent_no_request() -> None:
    messages = iter(
        [
            {"type": "http.request", "body": b"{}", "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> Any:
        return next(messages)

    with pytest.raises(Disconnected):
        asyncio.run(read_body([], receive))


def test_the_body_of_a_read_is_not_looked_at(site: Any) -> None:
    async def body() -> Any:
        raise AssertionError("the body was read")
        yield b""

    assert site.ask("GET", "/v1/hooks", content=body()).status_code == 200


def test_other_requests_have_the_same_limit(port: int) -> None:
    body = b'{"ref": "' + b"x" * BODY_LIMIT + b'"}'
    for content in (body, in_chunks(body)):
        answer = httpx.post(
            f"http://127.0.0.1:{port}/v1/sync/plan", content=content, headers=HEADERS
        )
        assert answer.status_code == 413


def test_a_server_that_refused_a_body_serves_on(port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=HEADERS) as client:
        for _ in range(3):
            assert client.post(PATH, content=in_chunks(padded(BODY_LIMIT * 2))).status_code == 413
            assert client.post(PATH, content=padded(1000)).status_code == 200


def test_a_length_and_a_chunked_body_together_are_refused(port: int, site: Any) -> None:
    """The classic of request smuggling: two servers that disagree on where a request ends."""
    smuggled = (
        f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n"
        "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n"
        "0\r\n\r\nPOST /v1/sync HTTP/1.1\r\nhost: x\r\n\r\n"
    )
    answer = raw(port, smuggled.encode())
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1
    assert site.gitops.runs == 0


@pytest.mark.parametrize(
    "line", ["content-length: 2\r\ncontent-length: 3", "x y: 1", "x: a\rb: c", "content-length: -1"]
)
def test_broken_headers_are_refused(port: int, site: Any, line: str) -> None:
    request = (
        f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n{line}\r\n\r\n{{}}"
    )
    assert raw(port, request.encode()).startswith(b"HTTP/1.1 400")
    assert site.runner.calls == []


def test_two_authorization_headers_are_refused_on_the_wire(port: int) -> None:
    request = (
        f"GET /v1/hooks HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n"
        f"Authorization: Bearer {TOKEN}\r\nconnection: close\r\n\r\n"
    )
    assert raw(port, request.encode()).startswith(b"HTTP/1.1 400")


def test_newlines_in_a_path_reach_no_header(port: int) -> None:
    request = b"GET /v1/%0d%0aset-cookie:a=b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    head, _, body = raw(port, request).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404")
    assert b"set-cookie" not in head
    assert orjson.loads(body)["instance"] == "/v1/%0D%0Aset-cookie:a=b"


def test_a_client_that_leaves_in_the_middle_of_its_body_hurts_nobody(
    port: int, site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: 90\r\n\r\n{{"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head.encode())
    answer = httpx.post(f"http://127.0.0.1:{port}{PATH}", content=padded(1000), headers=HEADERS)
    assert answer.status_code == 200
    assert len(site.runner.calls) == 1
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_an_export_that_breaks_is_cut_off_rather_than_ended(
    port: int, site: Any, make_event: Any
) -> None:
    site.audit.rows = [make_event(position) for position in range(1200, 0, -1)]
    site.audit.fails_at = str(701)
    with httpx.stream(
        "GET", f"http://127.0.0.1:{port}/v1/audit?format=csv", headers=HEADERS
    ) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()


@pytest.fixture
def impatient(site: Any, make_hook: Any) -> Iterator[int]:
    """A server that waits for nothing."""
    from app.web.lane import lane_protocol

    site.put(make_hook())
    config = uvicorn.Config(
        build_app(site.services),
        http=lane_protocol(header_seconds=0.1, request_seconds=0.3),
        lifespan="off",
        log_config=None,
    )
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(10)
    listening.close()
    assert not thread.is_alive()


HEAD = f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n".encode()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"P",
        HEAD,
        HEAD + b"content-length: 100\r\n\r\n",
        HEAD + b"content-length: 100\r\n\r\n{",
        HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\n{",
    ],
)
def test_a_request_that_does_not_come_is_cut_off_with_a_problem(
    impatient: int, site: Any, sent: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", impatient), timeout=10) as connection:
        connection.sendall(sent)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"connection: close" in head
    assert orjson.loads(body)["type"] == "/problems/too-slow"
    assert site.runner.calls == []


def test_a_request_that_trickles_in_is_cut_off_too(impatient: int, site: Any) -> None:
    pause = threading.Event()
    with socket.create_connection(("127.0.0.1", impatient), timeout=10) as connection:
        connection.sendall(HEAD + b"content-length: 1000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(500):
                connection.sendall(b" ")
                pause.wait(0.01)
            raise AssertionError("it was read on and on")
    assert site.runner.calls == []


def test_a_slow_answer_is_waited_for(impatient: int, site: Any) -> None:
    original = site.runner.run

    async def slow(version: Any, call: Any) -> Any:
        await asyncio.sleep(0.7)
        return await original(version, call)

    site.runner.run = slow
    with httpx.Client(base_url=f"http://127.0.0.1:{impatient}", headers=HEADERS) as client:
        assert client.post(PATH, content=padded(1000)).status_code == 200
        assert client.post(PATH, content=padded(1000)).status_code == 200


def test_beyond_the_most_connections_requests_are_refused(site: Any) -> None:
    config = uvicorn.Config(
        build_app(site.services),
        http="httptools",
        lifespan="off",
        log_config=None,
        limit_concurrency=3,
    )
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    address = listening.getsockname()
    try:
        idle = [socket.create_connection(address, timeout=10) for _ in range(3)]
        assert httpx.get(f"http://127.0.0.1:{address[1]}/healthz").status_code == 503
        for connection in idle:
            connection.close()
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


def test_a_connection_that_rests_is_closed_without_a_word(site: Any, make_hook: Any) -> None:
    from app.web.lane import lane_protocol

    site.put(make_hook())
    config = uvicorn.Config(
        build_app(site.services),
        http=lane_protocol(header_seconds=0.1, request_seconds=0.3),
        lifespan="off",
        log_config=None,
        timeout_keep_alive=0,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        with socket.create_connection(listening.getsockname(), timeout=10) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            heard = b""
            while data := client.recv(65536):
                heard += data
        server.should_exit = True
        thread.join(10)
    assert heard.startswith(b"HTTP/1.1 200")
    assert heard.count(b"HTTP/1.1") == 1
