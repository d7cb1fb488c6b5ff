"""Servers to be reached, proxies to reach them through, and hooks that have a network."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trustme
import uvloop

from app.domain.outcomes import HookVersion
from app.runtime.egress.addresses import Address
from app.runtime.egress.bounds import Bounds
from app.runtime.egress.gateway import Gateway
from app.runtime.egress.proxy import WorkerProxy
from app.runtime.runner import DEFAULT_FIRST_UID, IsolatedRunner

T = TypeVar("T")

LOOPBACK = (ip_network("127.0.0.0/8"),)
NAME = "api.example.com"


class Target:
    """A web server that answers with what it was sent, and remembers it."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        target = self
        self.seen: list[dict[str, Any]] = []
        self.connections = 0
        self.open = 0
        self.answers: list[tuple[int, dict[str, str]]] = []
        """What to answer first."""
        self.gate = threading.Event()
        self.gate.set()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def setup(self) -> None:
                target.connections += 1
                target.open += 1
                super().setup()

            def finish(self) -> None:
                target.open -= 1
                super().finish()

            def answer(self) -> None:
                length = int(self.headers.get("content-length", 0))
                seen = {
                    "method": self.command,
                    "path": self.path,
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                    "body": self.rfile.read(length).decode(),
                }
                target.seen.append(seen)
                target.gate.wait(30)
                status, fields = target.answers.pop(0) if target.answers else (200, {})
                body = json.dumps(seen).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                for name, value in fields.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)
                if self.path == "/closing":
                    # Without a word about it, as servers do that are restarted.
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer  # noqa: N815

            def log_message(self, *args: Any) -> None: ...

        class Server(ThreadingHTTPServer):
            request_queue_size = 64
            daemon_threads = True

            def finish_request(self, request: Any, client_address: Any) -> None:
                connection = tls.wrap_socket(request, server_side=True) if tls else request
                super().finish_request(connection, client_address)
                connection.close()

            def handle_error(self, request: Any, client_address: Any) -> None: ...

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self.place = f"127.0.0.1:{self.port}"
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://{self.place}"
        self.named = f"{NAME}:{self.port}"
        self.named_url = f"{scheme}://{self.named}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Line:
    """A server that says and reads bytes: ``talk`` is given each connection."""

    def __init__(self, talk: Callable[[socket.socket], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.place = f"127.0.0.1:{self.port}"
        self.connections: list[socket.socket] = []
        self._talk = talk
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self._talk(connection)


class Names:
    """A resolver that answers from a table, and counts."""

    def __init__(self) -> None:
        self.table: dict[str, list[list[str]]] = {}
        """Answers by name; each but the last is given once."""
        self.asked: list[str] = []

    async def __call__(self, host: str) -> list[Address]:
        self.asked.append(host)
        answers = self.table.get(host, [[host]])
        given = answers.pop(0) if len(answers) > 1 else answers[0]
        try:
            return [ip_address(text) for text in given]
        except ValueError:
            raise OSError(-2, "Name or service not known") from None


class Loop:
    """An event loop in a thread."""

    def __init__(self, *, uv: bool = True) -> None:
        self._loop = uvloop.new_event_loop() if uv else asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, T], seconds: float = 60) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Door:
    """A worker's proxy that anybody may connect to."""

    def __init__(self, loop: Loop, gateway: Gateway, hosts: tuple[str, ...]) -> None:
        self.said: list[tuple[str, str]] = []
        self.gateway = gateway
        self._loop = loop
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self.proxy = loop.do(self._open(hosts))

    def ask(self, *parts: bytes, read: bool = True) -> bytes:
        """Send the parts, and return all that is answered until the end of the connection."""
        with self.connect() as client:
            for part in parts:
                client.sendall(part)
            return read_all(client) if read else b""

    def connect(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port))
        client.settimeout(30)
        return client

    def tunnel(self, place: str) -> socket.socket:
        """Open a tunnel that is expected to be given."""
        with contextlib.ExitStack() as unless_given:
            client = unless_given.enter_context(self.connect())
            client.sendall(f"CONNECT {place} HTTP/1.1\r\n\r\n".encode())
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                data = client.recv(1)
                if not data:
                    raise ConnectionError(f"no tunnel was given: {answer!r}")
                answer += data
            assert answer.startswith(b"HTTP/1.1 200 "), answer
            unless_given.pop_all()
        return client

    def lines(self) -> list[str]:
        return [text for _, text in self.said]

    def tell(self, name: str) -> None:
        async def told() -> None:
            getattr(self.proxy, name)()

        self._loop.do(told())

    def close(self) -> None:
        self._loop.do(self._shut())
        self._listener.close()

    async def _open(self, hosts: tuple[str, ...]) -> WorkerProxy:
        proxy = self.gateway.proxy(hosts, lambda level, text: self.said.append((level, text)))
        self._accepting = asyncio.ensure_future(self._accept(proxy))
        return proxy

    async def _accept(self, proxy: WorkerProxy) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(self._listener)
            except OSError:
                return
            if not proxy.adopt(client):
                client.close()

    async def _shut(self) -> None:
        # A cancelled wait could lose a connection that has just been accepted.
        self._listener.shutdown(socket.SHUT_RDWR)
        await asyncio.wait([self._accepting])
        self.proxy.close()
        while self.gateway.counters.open:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0)
        # What was aborted is closed in the next round of the loop.
        await asyncio.sleep(0)


def read_all(client: socket.socket) -> bytes:
    answer = b""
    try:
        while data := client.recv(65536):
            answer += data
    except ConnectionResetError:
        pass
    return answer


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def authority_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


@pytest.fixture
def target() -> Iterator[Target]:
    made = Target()
    yield made
    made.close()


@pytest.fixture
def secure_target(authority: trustme.CA) -> Iterator[Target]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(NAME, "127.0.0.1").configure_cert(context)
    made = Target(context)
    yield made
    made.close()


@pytest.fixture
def line() -> Iterator[Callable[[Callable[[socket.socket], None]], Line]]:
    made: list[Line] = []

    def make(talk: Callable[[socket.socket], None]) -> Line:
        made.append(Line(talk))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def names() -> Names:
    made = Names()
    made.table[NAME] = [["127.0.0.1"]]
    return made


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def loop(request: pytest.FixtureRequest) -> Iterator[Loop]:
    made = Loop(uv=request.param == "uvloop")
    yield made
    made.close()


@pytest.fixture
def door(loop: Loop, names: Names) -> Iterator[Callable[..., Door]]:
    """Makes proxies; by default, the operator has opened this machine to hooks."""
    made: list[Door] = []

    def make(*hosts: str, opened: Any = LOOPBACK, **bounds: Any) -> Door:
        gateway = Gateway(opened=opened, bounds=Bounds(**bounds), resolve=names)
        made.append(Door(loop, gateway, hosts))
        return made[-1]

    yield make
    for each in made:
        each.close()
        each.gateway.close()


@pytest.fixture(scope="session")
def network_house(new_house: type[Any], authority_file: Path) -> Callable[..., Any]:
    """Makes runners whose hooks may have a network; to be closed by the caller."""

    class NetworkHouse(new_house):  # type: ignore[misc]
        def __init__(
            self, *, namespaces: bool, names: Names, opened: Any = LOOPBACK, **bounds: Any
        ) -> None:
            super().__init__(namespaces=namespaces)
            self.gateway = Gateway(
                opened=opened,
                authorities_file=authority_file,
                bounds=Bounds(**bounds),
                resolve=names,
            )
            self.runner = IsolatedRunner(
                isolation="required",
                on_log=self.lines.append,
                clock=lambda: datetime.now(UTC),
                worker_uid_base=DEFAULT_FIRST_UID,
                max_workers_total=16,
                namespaces=namespaces,
                gateway=self.gateway,
            )
            self.do(self.runner.start())

        def hook(self, script: str, *hosts: str, **options: Any) -> HookVersion:
            version: HookVersion = self.version(script, **({"max_workers": 1} | options))
            return dataclasses.replace(version, network=hosts)

        def answer(self, version: HookVersion, event: object = None, **options: Any) -> Any:
            outcome = self.call(version, event, **options)
            assert outcome.kind == "succeeded", outcome
            return json.loads(outcome.data or b"null")

    return NetworkHouse
