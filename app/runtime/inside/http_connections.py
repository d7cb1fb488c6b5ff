"""Connections through the proxy, one request at a time on each, kept for the next one."""

from __future__ import annotations

import http.client
import re
import select
import socket
import ssl
import threading
import time
from collections import defaultdict
from functools import cache

from app.runtime.inside.egress import HOST, PORT
from app.runtime.inside.http_errors import HttpError, NetworkDenied
from app.runtime.inside.http_messages import Headers, Place, Request, Response
from app.runtime.inside.rate_limits import IDEMPOTENT

_CHUNK = 65536
_KEPT = 4
"""Idle connections for each place."""
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3}) ?([^\r\n]*)\r\n")
_LONGEST_ANSWER = 16_384
_OK, _FORBIDDEN = 200, 403
_CLOSED = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)


class Connections:
    """The connections of one worker; threads may share it."""

    def __init__(self) -> None:
        self._idle: dict[Place, list[_Connection]] = defaultdict(list)
        self._lock = threading.Lock()

    def exchange(self, request: Request, ends_at: float) -> Response:
        """Send a request and read the answer; raise ``HttpError``.

        ``ends_at`` is the moment (monotonic seconds) by which the answer must be there.
        """
        connection = self._take(request.place)
        try:
            try:
                return connection.exchange(request, ends_at)
            except _CLOSED:
                if connection.is_new or request.method not in IDEMPOTENT:
                    raise
                # It was closed at the very moment when it was taken for another request.
                connection.close()
                connection = _Connection(request.place)
                return connection.exchange(request, ends_at)
        except TimeoutError:
            raise HttpError(f"{request} was not answered in time.") from None
        except HttpError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise HttpError(f"{request} failed: {_reason(error)}.") from error
        finally:
            if connection.is_reusable:
                self._keep(request.place, connection)
            else:
                connection.close()

    def _take(self, place: Place) -> _Connection:
        with self._lock:
            idle = self._idle[place]
            while idle:
                connection = idle.pop()
                if connection.is_alive():
                    connection.is_new = False
                    return connection
                connection.close()
        return _Connection(place)

    def _keep(self, place: Place, connection: _Connection) -> None:
        with self._lock:
            idle = self._idle[place]
            if len(idle) < _KEPT:
                idle.append(connection)
                return
        connection.close()


class _Connection(http.client.HTTPConnection):
    """Connects through a tunnel; TLS, where the scheme asks for it, ends here."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.host, place.port)
        self._place = place
        self._ends_at = 0.0
        self.is_new = True
        self.is_reusable = False

    def exchange(self, request: Request, ends_at: float) -> Response:
        self.is_reusable = False
        self._ends_at = ends_at
        if self.sock is not None:
            self.sock.settimeout(self._left())
        self.putrequest(request.method, request.path, skip_accept_encoding=True)
        for name, value in request.headers:
            if name not in ("content-length", "transfer-encoding", "host"):
                self.putheader(name, value)
        if request.body is not None or request.method in ("POST", "PUT", "PATCH"):
            self.putheader("content-length", str(len(request.body or b"")))
        self.endheaders(request.body)
        self.sock.settimeout(self._left())
        answer = self.getresponse()
        chunks = []
        while chunk := answer.read(_CHUNK):
            chunks.append(chunk)
            if self.sock is not None:
                self.sock.settimeout(self._left())
        if answer.length:
            raise http.client.IncompleteRead(b"", answer.length)
        self.is_reusable = self.sock is not None and not answer.will_close
        return Response(request, answer.status, Headers(answer.headers), b"".join(chunks))

    def connect(self) -> None:
        """Open the tunnel (``http.client``)."""
        self.sock = socket.socket()
        self.sock.settimeout(self._left())
        self.sock.connect((HOST, PORT))
        self.sock.settimeout(self._left())
        self._open_tunnel()
        if self._place.scheme == "https":
            self.sock.settimeout(self._left())
            self.sock = _tls().wrap_socket(self.sock, server_hostname=self._place.host)

    def is_alive(self) -> bool:
        """Tell whether the other side has neither closed it nor said anything unasked."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(0)

    def _open_tunnel(self) -> None:
        self.sock.sendall(f"CONNECT {self._place} HTTP/1.1\r\n\r\n".encode("ascii"))
        answer = b""
        # Nobody speaks to us before we do, so no byte of the other side is read here.
        while b"\r\n\r\n" not in answer:
            data = self.sock.recv(_LONGEST_ANSWER)
            answer += data
            if not data or len(answer) > _LONGEST_ANSWER:
                raise HttpError(f"The way to {self._place} was closed.")
        line = _STATUS_LINE.match(answer)
        status, reason = (int(line[1]), line[2].decode()) if line else (0, "no answer")
        if status == _FORBIDDEN:
            raise NetworkDenied(f"{reason}.")
        if status != _OK:
            raise HttpError(f"{reason[:1].upper()}{reason[1:]}.")

    def _left(self) -> float:
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted ({error.verify_message})"
    if isinstance(error, http.client.RemoteDisconnected):
        return "the connection was closed without an answer"
    return str(getattr(error, "strerror", "") or error) or type(error).__name__
