"""The socket and uvicorn's server on it: listening, signals, and saying so."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import anyio.to_thread
import uvicorn

from app.bootstrap.tls import ServedCertificate
from app.domain.errors import Stalled
from config.settings import Settings


@contextlib.contextmanager
def bound_socket(settings: Settings) -> Iterator[socket.socket]:
    """Take the address and port without listening yet; raise ``Stalled`` if they cannot be had.

    Callers are refused until the server is ready rather than kept waiting.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((settings.host, settings.port))
        except OSError as error:
            raise _taken(settings.host, settings.port, error) from error
        yield made


class Server(uvicorn.Server):
    """uvicorn's server, that says when it listens and leaves the process alive when it stops."""

    def __init__(
        self,
        config: uvicorn.Config,
        certificate: ServedCertificate | None,
        listening: Callable[[], None],
        stopping: Callable[[], None],
    ) -> None:
        super().__init__(config)
        config.load()
        self._certificate = certificate
        config.ssl = certificate.context if certificate is not None else None
        self._listening = listening
        self._stopping = stopping

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGTERM and SIGINT, and stay alive to close what is open; reload at SIGHUP.

        The library raises the signal again once it has stopped serving, which would end the process
        before the journal is written and the workers have ended.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        if self._certificate is not None:
            loop.add_signal_handler(signal.SIGHUP, self._certificate.reload)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.remove_signal_handler(number)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; raise ``Stalled`` when another process took the port after all."""
        try:
            await super().startup(sockets)
        except OSError as error:
            host, port = sockets[0].getsockname()[:2] if sockets else ("", 0)
            raise _taken(host, port, error) from error
        await anyio.to_thread.run_sync(self._listening)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; what would go on for ever, as streams do, is told first."""
        self._stopping()
        await super().shutdown(sockets)


def _taken(host: str, port: int, error: OSError) -> Stalled:
    return Stalled(
        f"The server cannot listen on {host}:{port} ({error.strerror or error}); "
        "another program may have the port: choose one with --port."
    )
