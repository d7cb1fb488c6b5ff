"""The server's side of ``inside.notifications``: hands a worker connections to its proxy.

They are of TCP, since clients set TCP's options on what they connect, and made over loopback: an
end that a worker holds can be read and written, and connected to nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import socket
from collections.abc import Callable
from ipaddress import ip_address

from app.runtime.inside import notifications

_LOOPBACK = int(ip_address("127.1.0.0"))
_ADDRESSES = 1 << 22
_numbers = itertools.count()

Adopt = Callable[[socket.socket], bool]
"""Takes the proxy's end of a connection; False if there may be no further one."""

_PATIENCE = 1.0


class Handover:
    """Waits for a worker's listener, then for its connections; ``close`` ends all of it."""

    def __init__(self, adopt: Adopt, most_per_second: int) -> None:
        self._adopt = adopt
        self._most_per_second = most_per_second
        self._made = 0
        self._second = 0.0
        self._ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener = -1
        self._ours.setblocking(False)  # noqa: FBT003 (the name says it)
        asyncio.get_running_loop().add_reader(self._ours, self._take_listener)

    def close(self) -> None:
        """Let go; a ``connect`` that still waits fails with ``ENOSYS``."""
        loop = asyncio.get_running_loop()
        if self._ours.fileno() >= 0:
            loop.remove_reader(self._ours)
            self._ours.close()
        self.theirs.close()
        if self._listener >= 0:
            loop.remove_reader(self._listener)
            os.close(self._listener)
            self._listener = -1

    def _take_listener(self) -> None:
        try:
            _, fds, _, _ = socket.recv_fds(self._ours, 1, 1)
        except BlockingIOError:
            return
        except OSError:
            fds = []
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._ours)
        self._ours.close()
        self.theirs.close()
        if fds:
            self._listener = fds[0]
            loop.add_reader(self._listener, self._serve)

    def _serve(self) -> None:
        waiting = notifications.receive(self._listener)
        if waiting is None:
            # Nobody: either the one that waited was killed, or the worker is gone.
            if notifications.is_orphan(self._listener):
                self.close()
            return
        # The worker may be killed at any time; then nobody waits for what fails here.
        with contextlib.suppress(OSError):
            notifications.answer(self._listener, waiting, self._connect(waiting))
        self._pace()

    def _pace(self) -> None:
        """Let a worker wait that connects without end: each time takes the server's."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._second + 1:
            self._second, self._made = loop.time(), 0
        self._made += 1
        if self._made >= self._most_per_second:
            loop.remove_reader(self._listener)
            loop.call_at(self._second + 1, self._go_on)

    def _go_on(self) -> None:
        if self._listener >= 0:
            asyncio.get_running_loop().add_reader(self._listener, self._serve)

    def _connect(self, waiting: notifications.Notification) -> int:
        """Give the worker a connection; return the errno of its ``connect``, 0 if it has one."""
        try:
            ours, theirs = _connected_pair()
        except OSError as error:
            return error.errno or errno.EMFILE
        with theirs:
            try:
                notifications.replace(self._listener, waiting, theirs.fileno())
            except OSError as error:
                ours.close()
                return error.errno or errno.EBADF
        if self._adopt(ours):
            return 0
        ours.close()
        return errno.ECONNREFUSED


def _next_address() -> str:
    """Return an address of this machine that was not used for long.

    An end that was closed first keeps its port for a minute: of one address, the ports would soon
    all be taken, and each search for a free one hold the server up.
    """
    return str(ip_address(_LOOPBACK + next(_numbers) % _ADDRESSES))


def _connected_pair() -> tuple[socket.socket, socket.socket]:
    """Connect two sockets to each other; both do not block."""
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.socket())
        listener.settimeout(_PATIENCE)
        listener.bind((_next_address(), 0))
        listener.listen(1)
        theirs = socket.socket()
        opened.callback(theirs.close)
        theirs.settimeout(_PATIENCE)
        theirs.connect(listener.getsockname())
        ours, peer = listener.accept()
        while peer != theirs.getsockname():
            # Some other program was quicker.
            ours.close()
            ours, peer = listener.accept()
        opened.pop_all()
        listener.close()
    for end in (ours, theirs):
        end.setblocking(False)  # noqa: FBT003 (the name says it)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ours, theirs
