"""What the proxy understands of what it is asked, and what it refuses to."""

from __future__ import annotations

import pytest

from app.runtime.egress.policy import Target
from app.runtime.egress.requests import BadRequest, Request, read_request, refusal


def read(*lines: str) -> Request:
    return read_request("\r\n".join([*lines, "", ""]).encode("latin-1"))


def test_a_tunnel_is_asked_for_by_name_and_port() -> None:
    request = read("CONNECT Api.Example.com:443 HTTP/1.1", "Host: whatever", "User-Agent: x")
    assert request == Request(Target("api.example.com", 443))
    assert request.is_tunnel


def test_a_plain_request_is_passed_on_in_the_form_that_servers_know() -> None:
    request = read(
        "POST http://Api.Example.com/a/b?c=d HTTP/1.1",
        "Host: other.example",
        "Proxy-Authorization: Basic abc",
        "Proxy-Connection: keep-alive",
        "Connection: keep-alive, X-Hop",
        "X-Hop: 1",
        "X-Stays: ü",
        "Content-Length: 3",
    )
    assert request.target == Target("api.example.com", 80)
    assert request.body_bytes == 3
    assert request.head.decode("latin-1").split("\r\n") == [
        "POST /a/b?c=d HTTP/1.1",
        "Host: api.example.com",
        "X-Stays: ü",
        "Content-Length: 3",
        "Connection: close",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("url", "path", "host"),
    [
        ("http://h:8080/", "/", "h:8080"),
        ("http://h", "/", "h"),
        ("HTTP://h?q=1", "/?q=1", "h"),
        ("http://[::1]:81/x", "/x", "[::1]:81"),
        ("http://h/?a=/b", "/?a=/b", "h"),
    ],
)
def test_the_parts_of_an_address_go_where_they_belong(url: str, path: str, host: str) -> None:
    lines = read(f"GET {url} HTTP/1.1").head.decode().split("\r\n")
    assert lines[:2] == [f"GET {path} HTTP/1.1", f"Host: {host}"]


def test_a_body_without_a_length_is_none_and_a_chunked_one_is_passed_on() -> None:
    assert read("GET http://h/ HTTP/1.1").body_bytes == 0
    assert read("POST http://h/ HTTP/1.1", "Transfer-Encoding: chunked").body_bytes is None


def test_connection_cannot_name_away_what_frames_a_body() -> None:
    request = read("POST http://h/ HTTP/1.1", "Connection: content-length", "Content-Length: 5")
    assert b"Content-Length: 5\r\n" in request.head
    assert request.body_bytes == 5


@pytest.mark.parametrize(
    "lines",
    [
        ("CONNECT api.example.com HTTP/1.1",),
        ("CONNECT user@api.example.com:443 HTTP/1.1",),
        ("CONNECT api.example.com:443",),
        ("CONNECT  api.example.com:443 HTTP/1.1",),
        ("CONNECT api.example.com:443 HTTP/2.0",),
        ("CONNECT http://api.example.com:443 HTTP/1.1",),
        ("CONNECT api.example.com:443\x00 HTTP/1.1",),
        ("CONNECT api.example.com:443 HTTP/1.1", "no field"),
        ("CONNECT api.example.com:443 HTTP/1.1", " folded: line"),
        ("CONNECT api.example.com:443 HTTP/1.1", "name : value"),
        ("CONNECT api.example.com:443 HTTP/1.1", "a: b\nc: d"),
        ("CONNECT api.example.com:443\nHost: x HTTP/1.1",),
        ("GET / HTTP/1.1", "Host: api.example.com"),
        ("OPTIONS * HTTP/1.1",),
        ("GET https://api.example.com/ HTTP/1.1",),
        ("GET ftp://api.example.com/ HTTP/1.1",),
        ("GET http://user:pass@api.example.com/ HTTP/1.1",),
        ("GET http://api.example.com:99999/ HTTP/1.1",),
        ("GET http:///x HTTP/1.1",),
        ("GET http://h?a/b HTTP/1.1",),
        ("G@T http://h/ HTTP/1.1",),
        ("\xc9T http://h/ HTTP/1.1",),
        ("POST http://h/ HTTP/1.1", "Content-Length: 1", "Content-Length: 2"),
        ("POST http://h/ HTTP/1.1", "Content-Length: 1", "content-length: 1"),
        ("POST http://h/ HTTP/1.1", "Content-Length: -1"),
        ("POST http://h/ HTTP/1.1", "Content-Length: 1, 1"),
        ("POST http://h/ HTTP/1.1", "Content-Length: 0x1"),
        ("POST http://h/ HTTP/1.1", "Content-Length: 1", "Transfer-Encoding: chunked"),
        ("POST http://h/ HTTP/1.1", "Transfer-Encoding: gzip, chunked"),
        ("POST http://h/ HTTP/1.1", "Transfer-Encoding: chunked", "Transfer-Encoding: x"),
        ("POST http://h/ HTTP/1.1", "Transfer-Encoding: xchunked"),
        ("",),
        ("\x16\x03\x01\x02",),
    ],
)
def test_what_is_not_plainly_a_request_is_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(BadRequest):
        read(*lines)


def test_a_refusal_says_why_in_its_first_line_and_nothing_can_break_out_of_it() -> None:
    answer = refusal(403, "höst\r\nX: y is not listed")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"HTTP/1.1 403 h?st??X: y is not listed"
    assert body == b"h?st??X: y is not listed"
    assert f"Content-Length: {len(body)}".encode() in head
