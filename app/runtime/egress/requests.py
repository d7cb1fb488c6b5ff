"""What a client asks of a proxy, and how it is answered: bytes in, values out.

``CONNECT host:port`` for a tunnel, or ``GET http://host/path`` for one plain request (RFC 9112,
3.2.2 and 3.2.3). The client is hostile: whatever is not plainly one of the two is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.runtime.egress.policy import Target, read_target

END_OF_HEAD = b"\r\n\r\n"

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_VERSIONS = ("HTTP/1.0", "HTTP/1.1")
_PLAIN = "http://"
_HTTP_PORT = 80
_PARTS_OF_REQUEST_LINE = 3
_FOR_THE_PROXY = frozenset(
    (
        *("connection", "host", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "te", "upgrade"),
    )
)


class BadRequest(Exception):
    """Not what a client of a proxy asks."""


@dataclass(frozen=True, slots=True)
class Request:
    """A tunnel to a target, or one request that is passed on to it."""

    target: Target
    head: bytes = b""
    """What the target is sent first; nothing of a tunnel's own."""
    body_bytes: int | None = None
    """How much of what follows is the target's; None: all of it."""

    @property
    def is_tunnel(self) -> bool:
        """Whether the client waits to be told that it is connected."""
        return not self.head


def read_request(head: bytes) -> Request:
    """Read a head, its empty line included; raise ``BadRequest``."""
    line, *rest = head.removesuffix(END_OF_HEAD).decode("latin-1").split("\r\n")
    if re.search(r"[\r\n\0]", line + "".join(rest)):
        raise BadRequest("the head of the request holds bare line breaks")
    parts = line.split(" ")
    if not line.isascii() or len(parts) != _PARTS_OF_REQUEST_LINE or parts[2] not in _VERSIONS:
        raise BadRequest("the request begins with no request line of HTTP/1.1")
    method, target, _ = parts
    fields = [_read_field(field) for field in rest]
    if method == "CONNECT":
        return Request(_target(target))
    return _plain_request(method, target, fields)


def established() -> bytes:
    """Answer that the tunnel is there."""
    return b"HTTP/1.1 200 Connection established\r\n\r\n"


def refusal(status: int, reason: str) -> bytes:
    """Answer that it is not; most clients show of a proxy's answer its status line only."""
    sentence = re.sub(r"[^ -~]", "?", reason)
    return (
        f"HTTP/1.1 {status} {sentence}\r\n"
        "Content-Type: text/plain\r\n"
        f"Content-Length: {len(sentence)}\r\n"
        "Connection: close\r\n\r\n"
        f"{sentence}"
    ).encode()


def _plain_request(method: str, url: str, fields: list[tuple[str, str]]) -> Request:
    if not url.lower().startswith(_PLAIN):
        raise BadRequest(
            "this is a hook's way out, a proxy: it takes CONNECT host:port and http:// addresses"
        )
    if not _TOKEN.match(method):
        raise BadRequest("the method of the request is none")
    authority, slash, path = url[len(_PLAIN) :].partition("/")
    authority, question, query = authority.partition("?")
    path = f"{slash}{path}" if slash else f"/{question}{query}"
    if slash and question:
        raise BadRequest("the address has a question mark before its path")
    target = _target(authority if re.search(r":[0-9]+\Z", authority) else f"{authority}:80")
    host = str(target).removesuffix(":80") if target.port == _HTTP_PORT else str(target)
    kept = [
        f"{name}: {value}\r\n"
        for name, value in fields
        if name.lower() not in _FOR_THE_PROXY | _named_by_connection(fields)
    ]
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{''.join(kept)}Connection: close\r\n\r\n"
    return Request(target, head.encode("latin-1"), _body_bytes(fields))


def _target(text: str) -> Target:
    try:
        return read_target(text)
    except ValueError as error:
        raise BadRequest(str(error)) from None


def _read_field(field: str) -> tuple[str, str]:
    name, colon, value = field.partition(":")
    if not colon or not _TOKEN.match(name):
        raise BadRequest("the request has a line that is no header field")
    return name, value.strip(" \t")


def _named_by_connection(fields: list[tuple[str, str]]) -> frozenset[str]:
    named = ",".join(value for name, value in fields if name.lower() == "connection")
    # What frames the body is not for a client to have removed.
    framing = {"content-length", "transfer-encoding"}
    return frozenset(option.strip().lower() for option in named.split(",")) - framing


def _body_bytes(fields: list[tuple[str, str]]) -> int | None:
    lengths = [value for name, value in fields if name.lower() == "content-length"]
    codings = [value for name, value in fields if name.lower() == "transfer-encoding"]
    if codings:
        if lengths or codings != ["chunked"]:
            raise BadRequest("the request says in two ways how long its body is")
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or not re.fullmatch(r"[0-9]{1,15}", lengths[0]):
        raise BadRequest("the length of the request's body is unclear")
    return int(lengths[0])
