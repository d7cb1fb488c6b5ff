"""Requests as hooks write them, and answers as they read them; nothing is sent here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlencode, urlsplit

from app.runtime.inside.http_errors import HttpError
from app.runtime.inside.json_codec import decode, encode

Params = Mapping[str, Any] | Sequence[tuple[str, Any]]

USER_AGENT = "hookledger"
_PORTS = {"http": 80, "https": 443}
_FIRST_ERROR, _FIRST_SERVER_ERROR = 400, 500


@dataclass(frozen=True, slots=True)
class Place:
    """Where requests go."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        """Write it as the `network` list of a manifest does."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent."""

    method: str
    place: Place
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None

    def __str__(self) -> str:
        """Name it without its query, which may hold what is secret."""
        path = self.path.partition("?")[0]
        return f"{self.method} {self.place.scheme}://{self.place}{path}"


class Headers(Mapping[str, str]):
    """Header fields by name in any case; several of one name are joined by commas."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def __getitem__(self, name: str) -> str:
        values = self._message.get_all(name)
        if values is None:
            raise KeyError(name)
        return ", ".join(str(value) for value in values)

    def __iter__(self) -> Any:
        return iter(dict.fromkeys(key.lower() for key in self._message))

    def __len__(self) -> int:
        return len({key.lower() for key in self._message})

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"


class Response:
    """An answer, read to its end."""

    def __init__(self, request: Request, status: int, headers: Headers, content: bytes) -> None:
        self._request = request
        self.status = status
        self.headers = headers
        self.content = content

    @property
    def ok(self) -> bool:
        """Whether the status says neither that the request was wrong nor that it failed."""
        return self.status < _FIRST_ERROR

    @property
    def text(self) -> str:
        """The content as text, by the charset it says it has; UTF-8 if it says none."""
        message = Message()
        message["content-type"] = self.headers.get("content-type", "")
        charset = message.get_content_charset("utf-8")
        try:
            return self.content.decode(charset, "replace")
        except LookupError:
            return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the content as JSON; raise ``HttpError`` if it is none."""
        try:
            return decode(self.content)
        except ValueError as error:
            raise HttpError(
                f"{self._request} was answered {self.status} without JSON: {error}.", self.status
            ) from None

    def raise_for_status(self) -> Response:
        """Return the response itself; raise ``HttpError`` for a status from 400 on."""
        if self.ok:
            return self
        whose = "the server failed" if self.status >= _FIRST_SERVER_ERROR else "it was refused"
        raise HttpError(f"{self._request} was answered {self.status}: {whose}.", self.status)

    def __repr__(self) -> str:
        return f"<Response {self.status} of {self._request}>"


def make_request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None,
    params: Params | None,
    json: Any,
    data: bytes | str | Params | None,
) -> Request:
    """Put a request together; raise ``ValueError`` or ``TypeError`` for what is none."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is no http:// or https:// address.")
    if parts.username is not None:
        raise ValueError("Put no credentials into an address; send an `Authorization` header.")
    host = parts.hostname
    if not host.isascii():
        host = host.encode("idna").decode()
    place = Place(parts.scheme, host, parts.port or _PORTS[parts.scheme])
    query = "&".join(filter(None, (parts.query, urlencode(params or (), doseq=True))))
    body, kind = _body(json, data)
    fields = dict(_fields(headers or {}))
    for name, value in (
        *(("user-agent", USER_AGENT), ("accept", "*/*"), ("accept-encoding", "identity")),
        *((("content-type", kind),) if kind else ()),
    ):
        fields.setdefault(name, value)
    path = (parts.path or "/") + (f"?{query}" if query else "")
    return Request(method.upper(), place, path, tuple(fields.items()), body)


def _fields(headers: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    for name, value in headers.items():
        if not all(isinstance(text, str) for text in (name, value)):
            raise TypeError(f"The header {name!r} is {value!r}; names and values are strings.")
        yield name.lower(), value


def _body(json: Any, data: bytes | str | Params | None) -> tuple[bytes | None, str]:
    if json is not None and data is not None:
        raise TypeError("A request has `json` or `data`, not both.")
    if json is not None:
        return encode(json), "application/json"
    if data is None or isinstance(data, bytes):
        return data, ""
    if isinstance(data, str):
        return data.encode(), "text/plain; charset=utf-8"
    return urlencode(data, doseq=True).encode(), "application/x-www-form-urlencoded"
