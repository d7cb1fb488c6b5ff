"""The worker's side of its proxy: how programs in it find the proxy, and nothing past it.

Whatever a socket is connected to, the kernel connects it to the proxy (``notifications``). What is
here keeps programs from being surprised by that; it keeps nobody in.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

from app.runtime.inside import trust
from app.runtime.inside.http_errors import NetworkDenied

HOST, PORT = "127.0.0.1", 3128

_ATTEMPTS = 100

_ADVICE = (
    "a hook connects through its proxy only: use `context.http`, or a library that reads the "
    "environment variable HTTPS_PROXY"
)


def install(given: Mapping[str, Any]) -> None:
    """Point libraries to the proxy; ``given`` is what ``WorkerProxy.load`` says."""
    proxy = f"http://{HOST}:{given['port']}"
    for name in ("http_proxy", "https_proxy"):
        os.environ[name] = os.environ[name.upper()] = proxy
    os.environ.update(trust.environment())
    if given["authorities"]:
        trust.trust_besides(given["authorities"])
    _guard_sockets()


def _guard_sockets() -> None:
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guarded(self: socket.socket, address: Any, /) -> None:
        _check(self, address)
        for _ in range(_ATTEMPTS):
            connect(self, address)
            if _is_connected(self):
                break

    def guarded_ex(self: socket.socket, address: Any, /) -> int:
        _check(self, address)
        result = 0
        for _ in range(_ATTEMPTS):
            result = connect_ex(self, address)
            if result or _is_connected(self):
                break
        return result

    socket.socket.connect = guarded  # type: ignore[assignment, method-assign]
    socket.socket.connect_ex = guarded_ex  # type: ignore[assignment, method-assign]


def _check(connecting: socket.socket, address: Any) -> None:
    if connecting.family == socket.AF_INET and tuple(address[:2]) != (HOST, PORT):
        raise NetworkDenied(f"Not connected to {address[0]!s}:{address[1]!s}: {_ADVICE}.")


def _is_connected(connecting: socket.socket) -> bool:
    # A signal can end a call before it is carried out, which Python then takes for connected.
    try:
        connecting.getpeername()
    except OSError:
        return False
    # In its place is now a socket from outside, which does not block: have it do as this one did.
    connecting.settimeout(connecting.gettimeout())
    return True
