"""Connections that a worker asks for and the server makes: seccomp's user notification.

A worker with a network may call ``connect``, but the kernel never carries it out: it stops the
caller and notifies whoever holds the listener, which is the server. Whatever address was meant, the
server puts an end of a connection to its own proxy in the place of the worker's socket, and has
``connect`` return 0. So there is no address to check, nothing to race with, and no other way out.

Source: seccomp_unotify(2), ``linux/seccomp.h``. Kernel 5.9 or newer.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import socket
import struct
from dataclasses import dataclass

from app.runtime.inside import kernel
from app.runtime.inside.seccomp import (
    ALLOW,
    AUDIT_ARCH,
    JUMP_EQUAL,
    LOAD,
    RETURN,
    Instruction,
    encode,
)

CONNECT = {"x86_64": 42, "aarch64": 203}
USER_NOTIFICATION = 0x7FC00000

_SET_MODE_FILTER = 1
_FLAG_NEW_LISTENER = 1 << 3

_RECEIVE, _SEND, _ADD_DESCRIPTOR = 0xC0502100, 0xC0182101, 0x40182103
_REPLACE = 1

_NOTIFICATION = struct.Struct("<QIIiIQ6Q")
"""``struct seccomp_notif``: id, pid, flags, then ``struct seccomp_data``."""
_RESPONSE = struct.Struct("<QqiI")
_ADDITION = struct.Struct("<QIIII")
_FIRST_ARGUMENT = 6


@dataclass(frozen=True, slots=True)
class Notification:
    """A thread that waits in ``connect``."""

    id: int
    descriptor: int
    """Number of the socket, in the worker."""


def program(architecture: str) -> list[Instruction]:
    """Return the filter that notifies of ``connect``; for all else it leaves the word to others."""
    return [
        (LOAD, 0, 0, 4),
        (JUMP_EQUAL, 0, 3, AUDIT_ARCH[architecture]),
        (LOAD, 0, 0, 0),
        (JUMP_EQUAL, 0, 1, CONNECT[architecture]),
        (RETURN, 0, 0, USER_NOTIFICATION),
        (RETURN, 0, 0, ALLOW),
    ]


def install() -> int:
    """Have the kernel notify of every ``connect`` of this thread; return the listener.

    The process must have given up new privileges.
    """
    machine = kernel.architecture()
    code = encode(program(machine))
    kept = ctypes.create_string_buffer(code, len(code))
    description = struct.pack("<H6xQ", len(code) // 8, ctypes.addressof(kept))
    return kernel.syscall(
        kernel.SECCOMP[machine], _SET_MODE_FILTER, _FLAG_NEW_LISTENER, description
    )


def hand_over(door: int) -> None:
    """Install the filter and send its listener away through the socket ``door``."""
    listener = install()
    with socket.socket(fileno=door) as sending:
        socket.send_fds(sending, [b"."], [listener])
    os.close(listener)


def receive(listener: int) -> Notification | None:
    """Return who waits; None if nobody does any more. Never blocks."""
    if not _events(listener) & select.POLLIN:
        return None
    buffer = bytearray(_NOTIFICATION.size)
    try:
        fcntl.ioctl(listener, _RECEIVE, buffer)
    except FileNotFoundError:
        return None
    values = _NOTIFICATION.unpack(buffer)
    return Notification(values[0], values[_FIRST_ARGUMENT] & 0xFFFF_FFFF)


def is_orphan(listener: int) -> bool:
    """Tell whether every process with the filter is gone."""
    return bool(_events(listener) & select.POLLHUP)


def replace(listener: int, waiting: Notification, descriptor: int) -> None:
    """Put our ``descriptor`` in the place of the worker's socket; raise ``OSError``."""
    addition = (waiting.id, _REPLACE, descriptor, waiting.descriptor, os.O_CLOEXEC)
    fcntl.ioctl(listener, _ADD_DESCRIPTOR, _ADDITION.pack(*addition))


def answer(listener: int, waiting: Notification, error: int = 0) -> None:
    """Let ``connect`` return, with an errno or without; raise ``OSError`` if nobody waits."""
    fcntl.ioctl(listener, _SEND, bytearray(_RESPONSE.pack(waiting.id, 0, -error, 0)))


def _events(listener: int) -> int:
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    return sum(events for _, events in poll.poll(0))
