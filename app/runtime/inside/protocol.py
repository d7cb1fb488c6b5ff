"""Messages between server and worker: ``<u32 length><u32 id><u8 kind>`` and a body, both ways.

The length counts kind and body. Ids are the server's; 0 stands for no call. What a hook is given
and what it returns stays bytes here: only the worker parses it. The worker's side is hostile once
a script is loaded, so the parser knows a longest message and keeps nothing it cannot account for.
"""

from __future__ import annotations

import struct
from typing import Literal

HEADER = struct.Struct("<II")
CALL_HEADER = struct.Struct("<IIBddBI")
_CALL_BODY = struct.Struct("<ddBI")
_LOG_HEAD = 2

LOAD = 0x01
"""To the worker, once: JSON of what to run. Only a confined worker is sent one."""
CALL = 0x02
"""To the worker: start before (monotonic seconds), timeout, lengths of the two texts that follow:
the invocation id, and what is to be shown of the request (JSON, or nothing); then the payload."""

CONFINED = 0x11
"""From the worker, once, first: JSON list of the layers in force."""
READY = 0x12
"""From the worker, once: one byte, 1 if the hook is ``async def``."""
LOAD_FAILED = 0x13
"""From the worker, instead of READY: the error as JSON."""
RESULT = 0x14
"""From the worker, one per call: JSON, or nothing when the hook returned nothing."""
ERROR = 0x15
"""From the worker, one per call: the error as JSON."""
SKIPPED = 0x16
"""From the worker, one per call that came too late to be started."""
LOG = 0x17
"""From the worker: a byte for the level, one for the stream, the line."""

LEVELS: tuple[Literal["debug", "info", "warning", "error"], ...] = (
    "debug",
    "info",
    "warning",
    "error",
)
STREAMS: tuple[Literal["stdout", "stderr", "log"], ...] = ("stdout", "stderr", "log")

RECEIVE_BYTES = 65536
"""CPython allocates the whole buffer first; from 128 KiB that is an mmap per call (26 µs)."""

LINE_COST = 64
"""A line of a log counts at least this many bytes: short ones cost time instead of room."""

EXIT_UNCAUGHT = 70
"""An error that belongs to no call, so that none can be answered with it (Node.js)."""
EXIT_OUT_OF_MEMORY = 71
EXIT_UNCONFINED = 78


class Violation(Exception):
    """The other side sent what it never sends."""


class Frames:
    """Cuts a stream of bytes into messages; refuses one that says it is longer than ``longest``."""

    __slots__ = ("_longest", "_rest")

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Return the complete messages as (id, kind, body); raise ``Violation``."""
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < HEADER.size + self._length(rest):
                return []
            data = bytes(rest)
            rest.clear()
        messages = []
        position, end = 0, len(data)
        while end - position >= HEADER.size:
            length, number = HEADER.unpack_from(data, position)
            if not 0 < length <= self._longest:
                raise self._too_long(length)
            following = position + 8 + length
            if following > end:
                break
            messages.append((number, data[position + 8], data[position + 9 : following]))
            position = following
        if position < end:
            rest += data[position:]
        return messages

    def _length(self, data: bytearray) -> int:
        """Length of the first message; of its header alone as long as that is incomplete."""
        if len(data) < HEADER.size:
            return 1
        length: int = HEADER.unpack_from(data)[0]
        if not 0 < length <= self._longest:
            raise self._too_long(length)
        return length

    def _too_long(self, length: int) -> Violation:
        return Violation(f"sent a message of {length} bytes; {self._longest} are the most")


def message(number: int, kind: int, body: bytes = b"") -> bytes:
    """Pack one message."""
    return HEADER.pack(len(body) + 1, number) + bytes((kind,)) + body


def call_message(
    number: int,
    start_before: float,
    timeout: float,
    invocation_id: bytes,
    payload: bytes,
    request: bytes = b"",
) -> bytes:
    """Pack a call; ``start_before`` in monotonic seconds, an id of at most 255 bytes."""
    length = 1 + _CALL_BODY.size + len(invocation_id) + len(request) + len(payload)
    head = CALL_HEADER.pack(
        length, number, CALL, start_before, timeout, len(invocation_id), len(request)
    )
    return b"".join((head, invocation_id, request, payload))


def read_call(body: bytes) -> tuple[float, float, str, bytes, bytes]:
    """Unpack a call's body: start before, timeout, invocation id, payload, request."""
    start_before, timeout, id_length, request_length = _CALL_BODY.unpack_from(body)
    id_end = _CALL_BODY.size + id_length
    end = id_end + request_length
    invocation_id = body[_CALL_BODY.size : id_end].decode()
    return start_before, timeout, invocation_id, body[end:], body[id_end:end]


def log_body(level: int, stream: int, text: str) -> bytes:
    """Pack a line of a log."""
    return bytes((level, stream)) + text.encode("utf-8", "replace")


def read_log(body: bytes) -> tuple[int, int, str]:
    """Unpack a line: indices into ``LEVELS`` and ``STREAMS``, and the text; raise ``Violation``."""
    if len(body) < _LOG_HEAD or body[0] >= len(LEVELS) or body[1] >= len(STREAMS):
        raise Violation("sent a log line without a level and a stream")
    return body[0], body[1], body[_LOG_HEAD:].decode("utf-8", "replace")
