"""The process that runs one version of a hook: confined first, then given its script.

Life: rehearse, before the fork; say what confines us; get script and secrets; run the module;
answer calls until the server closes the connection or kills us. One answer per call is sent at
once, never gathered over calls: the server takes the oldest unanswered call of a sync worker for
the only one that was started.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import CoroutineType, MappingProxyType
from typing import Any, NoReturn

import orjson

from app.runtime.inside import egress, protocol
from app.runtime.inside.capture import Capture, Scope
from app.runtime.inside.context import HookContext
from app.runtime.inside.hook_errors import describe, describe_unserialisable, hookledger_module
from app.runtime.inside.http_client import AsyncHttp, Client, Http
from app.runtime.inside.json_codec import decode, encode
from app.runtime.inside.receiving import Receiver
from app.runtime.inside.scripts import check, is_async, load_hook

CONTEXT = "context"


@dataclass(frozen=True, slots=True)
class _Load:
    """What the server tells a confined worker."""

    script: str
    file: str
    name: str
    parameters: tuple[str, ...]
    packages: str | None
    """Folder of what the script may import besides."""
    secrets: Mapping[str, str]
    log_bytes: int
    egress: Mapping[str, Any] | None
    """What ``egress.install`` is given; None: no network."""
    checks: bool
    """Whether this worker compiles scripts instead of running one."""


def serve(worker: Worker, connection: socket.socket, layers: tuple[str, ...]) -> NoReturn:
    """Serve until the server is done with us; ends the process, never returns."""
    random.seed()  # else every fork would draw the same numbers
    try:
        worker.run(connection, layers)
    except MemoryError:
        os._exit(protocol.EXIT_OUT_OF_MEMORY)
    except OSError:
        # The server is gone, or has closed the connection on us.
        os._exit(0)
    os._exit(0)


class Worker:
    """Runs a hook, once this process is a worker; made before it is."""

    def __init__(self) -> None:
        self._sending = threading.RLock()
        self._capture = Capture(self._send, self._sending)
        self._frames = protocol.Frames(0xFFFF_FFFF)
        self._file = "hook.py"
        self._hook: Callable[..., Any] = check
        self._parameters: tuple[str, ...] = ()
        self._secrets: Mapping[str, str] = MappingProxyType({})
        self._log = logging.getLogger("hook")
        self._client: Client | None = None
        self._http: type[Http] = Http

    def take_over(self) -> None:
        """Make this process one in which nothing but hooks will run."""
        self._capture.install()
        self._log.setLevel(logging.DEBUG)
        sys.modules["hookledger"] = hookledger_module()

    def run(self, connection: socket.socket, layers: tuple[str, ...]) -> None:
        """Be the worker at ``connection`` until the other side closes it."""
        self._connection = connection
        self._send(0, protocol.CONFINED, orjson.dumps(layers))
        load = self._await_load()
        self._capture.allow(load.log_bytes)
        if not self._prepare(load):
            return
        if is_async(self._hook):
            self._http = AsyncHttp
            self._send(0, protocol.READY, b"\x01")
            asyncio.run(self._serve_async())
        else:
            self._send(0, protocol.READY, b"\x00")
            self._serve_sync()

    def _await_load(self) -> _Load:
        while True:
            data = self._connection.recv(protocol.RECEIVE_BYTES)
            if not data:
                os._exit(0)
            for _, _, body in self._frames.feed(data):
                given = orjson.loads(body)
                given["parameters"] = tuple(given["parameters"])
                given["secrets"] = MappingProxyType(given["secrets"])
                return _Load(**given)

    def _prepare(self, load: _Load) -> bool:
        """Run the script; False if it failed, which the server has been told."""
        if load.checks:
            self._hook = check
            return True
        self._file, self._parameters, self._secrets = load.file, load.parameters, load.secrets
        if load.packages is not None:
            # Last, so that no package can stand in for a module of the standard library.
            sys.path.append(load.packages)
        if load.egress is not None:
            egress.install(load.egress)
            self._client = Client()
        scope = self._capture.begin(0, alone=False)
        try:
            self._hook = load_hook(load.script, load.file)
        except MemoryError:
            raise
        except BaseException as error:  # noqa: BLE001 (any error of the script is an answer)
            self._capture.end(scope)
            self._send(0, protocol.LOAD_FAILED, describe(error, load.file))
            return False
        self._capture.end(scope)
        return True

    def _serve_sync(self) -> None:
        receiver, calls = Receiver(self._connection, len(os.sched_getaffinity(0))), 0
        while data := receiver.receive(calls):
            messages = self._frames.feed(data)
            for number, _, body in messages:
                self._answer(number, body)
            calls = len(messages)

    def _answer(self, number: int, body: bytes) -> None:
        start_before, timeout, invocation_id, payload, _ = protocol.read_call(body)
        if time.monotonic() > start_before:
            self._send(number, protocol.SKIPPED)
            return
        scope = self._capture.begin(number, alone=True)
        try:
            result = self._hook(*self._arguments(payload, timeout, invocation_id))
            if type(result) is CoroutineType:
                result = asyncio.run(result)
        except MemoryError:
            raise
        except BaseException as error:  # noqa: BLE001 (SystemExit too is an error of the hook)
            self._finish(number, scope, protocol.ERROR, describe(error, self._file))
        else:
            self._finish(number, scope, *self._encoded(result))

    async def _serve_async(self) -> None:
        loop = asyncio.get_running_loop()
        closed = loop.create_future()
        running: set[asyncio.Task[None]] = set()

        def receive() -> None:
            data = self._connection.recv(protocol.RECEIVE_BYTES)
            if not data:
                loop.remove_reader(self._connection)
                closed.set_result(None)
            for number, _, body in self._frames.feed(data):
                task = loop.create_task(self._answer_async(number, body))
                running.add(task)
                task.add_done_callback(running.discard)

        loop.add_reader(self._connection, receive)
        await closed
        os._exit(0)

    async def _answer_async(self, number: int, body: bytes) -> None:
        start_before, timeout, invocation_id, payload, _ = protocol.read_call(body)
        if time.monotonic() > start_before:
            self._send(number, protocol.SKIPPED)
            return
        scope = self._capture.begin(number, alone=False)
        try:
            result = await self._hook(*self._arguments(payload, timeout, invocation_id))
        except MemoryError:
            os._exit(protocol.EXIT_OUT_OF_MEMORY)
        except BaseException as error:  # noqa: BLE001 (see _answer)
            self._finish(number, scope, protocol.ERROR, describe(error, self._file))
        else:
            self._finish(number, scope, *self._encoded(result))

    def _arguments(self, payload: bytes, timeout: float, invocation_id: str) -> list[Any]:
        members = decode(payload)
        if not isinstance(members, dict):
            members = {}
        if self._hook is check:
            return [members]
        arguments = [members.get(name) for name in self._parameters]
        if self._parameters and self._parameters[-1] == CONTEXT:
            given = arguments[-1]
            arguments[-1] = HookContext(
                given if isinstance(given, dict) else {},
                secrets=self._secrets,
                log=self._log,
                http=self._http(self._client, time.monotonic() + timeout),
                invocation_id=invocation_id,
                ends_at=time.time() + timeout,
            )
        return arguments

    def _encoded(self, result: Any) -> tuple[int, bytes]:
        if result is None:
            return protocol.RESULT, b""
        try:
            return protocol.RESULT, encode(result)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 (also what a hook's own class raises)
            return protocol.ERROR, describe_unserialisable(error)

    def _finish(self, number: int, scope: Scope, kind: int, body: bytes) -> None:
        # One lock for both: a line of a late thread must not follow the answer of its call.
        with self._sending:
            self._capture.end(scope)
            self._send(number, kind, body)

    def _send(self, number: int, kind: int, body: bytes = b"") -> None:
        with self._sending:
            self._connection.sendall(protocol.message(number, kind, body))
