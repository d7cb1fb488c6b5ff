"""``context.http``: what is sent, what is waited for, and what hooks are told; without a network."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from email.message import Message
from typing import Any

import pytest

from app.runtime.inside.http_client import AsyncHttp, Client, Http
from app.runtime.inside.http_errors import HttpError, NetworkDenied, RateLimited
from app.runtime.inside.http_messages import Headers, Place, Request, Response

WALL = 1_800_000_000.0

Answer = tuple[int, dict[str, str], bytes]


class World:
    """Time that passes only by sleeping, and a server that answers from a list."""

    def __init__(self, *answers: Answer) -> None:
        self.now = 100.0
        self.slept: list[float] = []
        self.sent: list[Request] = []
        self.deadlines: list[float] = []
        self._answers = list(answers)
        self.client = Client(
            self._exchange,
            clock=lambda: self.now,
            wall_clock=lambda: WALL + self.now,
            sleep=self._sleep,
        )

    def http(self, seconds: float = 10.0) -> Http:
        return Http(self.client, self.now + seconds)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def _exchange(self, request: Request, ends_at: float) -> Response:
        self.sent.append(request)
        self.deadlines.append(ends_at)
        status, headers, content = self._answers.pop(0)
        return Response(request, status, headers_of(headers), content)


def headers_of(fields: dict[str, str]) -> Headers:
    message = Message()
    for name, value in fields.items():
        message[name] = value
    return Headers(message)


def ok(**headers: str) -> Answer:
    return 200, {name.replace("_", "-"): value for name, value in headers.items()}, b"{}"


def test_a_request_goes_where_its_address_says() -> None:
    world = World(ok())
    world.http().get("https://API.example.com/a%20b?x=1", params={"y": ["2", "ü"], "z": 3})
    (request,) = world.sent
    assert (request.method, request.place) == ("GET", Place("https", "api.example.com", 443))
    assert request.path == "/a%20b?x=1&y=2&y=%C3%BC&z=3"
    assert dict(request.headers)["user-agent"] == "hookledger"
    assert request.body is None


@pytest.mark.parametrize(
    ("given", "body", "kind"),
    [
        ({"json": {"a": [1, None]}}, b'{"a":[1,null]}', "application/json"),
        ({"data": {"a": "ü b"}}, b"a=%C3%BC+b", "application/x-www-form-urlencoded"),
        ({"data": "ü"}, "ü".encode(), "text/plain; charset=utf-8"),
        ({"data": b"\x00"}, b"\x00", None),
        ({"json": 0}, b"0", "application/json"),
    ],
)
def test_a_body_is_sent_as_what_it_is(given: dict[str, Any], body: bytes, kind: str | None) -> None:
    world = World(ok(), ok())
    world.http().post("http://h/", **given)
    world.http().put("http://h/", headers={"Content-Type": "mine"}, **given)
    first, second = world.sent
    assert first.body == body
    assert dict(first.headers).get("content-type") == kind
    assert dict(second.headers)["content-type"] == "mine"


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("ftp://h/", ValueError), ("//h/", ValueError), ("h/", ValueError), ("https:///x", ValueError),
        ("https://user:pass@h/", ValueError), ("https://h:99999/", ValueError),
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_before_anything_is_sent(
    url: str, error: type[Exception]
) -> None:
    world = World()
    with pytest.raises(error):
        world.http().get(url)
    assert world.sent == []


def test_a_request_has_one_body_and_headers_that_are_text() -> None:
    world = World()
    with pytest.raises(TypeError, match="not both"):
        world.http().post("http://h/", json=1, data=b"")
    with pytest.raises(TypeError, match="x-number"):
        world.http().get("http://h/", headers={"x-number": 1})


def test_names_beyond_ascii_are_asked_for_as_dns_knows_them() -> None:
    world = World(ok())
    world.http().get("https://bücher.example/")
    assert world.sent[0].place.host == "xn--bcher-kva.example"


def test_an_answer_is_read_as_what_it_is() -> None:
    world = World(
        (200, {"Content-Type": "text/plain; charset=latin-1", "X-A": "1"}, b"\xfc"),
        (418, {}, "ü".encode()),
    )
    first = world.http().get("http://h/")
    assert (first.text, first.headers["x-a"], first.ok) == ("ü", "1", True)
    assert first.raise_for_status() is first
    second = world.http().get("http://h/p?token=secret")
    assert (second.text, second.ok) == ("ü", False)
    with pytest.raises(HttpError) as refused:
        second.raise_for_status()
    assert refused.value.status == 418
    assert str(refused.value) == "GET http://h:80/p was answered 418: it was refused."
    with pytest.raises(HttpError, match="without JSON"):
        second.json()


def test_what_is_shown_of_an_error_holds_no_query() -> None:
    world = World((500, {}, b""))
    with pytest.raises(HttpError) as error:
        world.http().get("https://h/x?key=secret").raise_for_status()
    assert "secret" not in f"{error.value}{vars(error.value)}"


def test_a_request_that_was_put_off_is_sent_again_when_it_says() -> None:
    world = World((429, {"Retry-After": "2"}, b""), (429, {}, b""), ok())
    assert world.http().post("http://h/", json={}).status == 200
    assert len(world.sent) == 3
    assert 2 <= world.slept[0] <= 2.2
    assert 0.5 <= world.slept[1] <= 0.7


def test_there_is_no_waiting_beyond_the_deadline() -> None:
    world = World((429, {"Retry-After": "60"}, b"busy"))
    assert world.http(10).get("http://h/").status == 429
    assert world.slept == []


def test_after_some_retries_the_answer_is_what_it_is() -> None:
    world = World(*[(429, {}, b"")] * 9)
    assert world.http(100).get("http://h/").status == 429
    assert len(world.sent) == 5


def test_a_post_is_not_repeated_when_it_may_have_been_carried_out() -> None:
    world = World((503, {"Retry-After": "1"}, b""))
    assert world.http().post("http://h/").status == 503
    assert len(world.sent) == 1


def test_the_next_request_waits_until_the_host_takes_it() -> None:
    spent = ok(x_ratelimit_remaining="0", x_ratelimit_reset=str(int(WALL + 100 + 3)))
    world = World(spent, ok(), ok())
    world.http().get("http://h/")
    world.http().get("http://other/")
    assert world.slept == []
    world.http().get("http://h/")
    assert 3 <= world.slept[0] <= 3.2


def test_a_wait_that_does_not_fit_is_an_error_each_time() -> None:
    spent = ok(x_ratelimit_remaining="0", x_ratelimit_reset="60")
    world = World(spent)
    world.http().get("http://h/")
    for _ in range(2):
        with pytest.raises(
            RateLimited, match=r"h:80 takes no further request for 60\.0 s"
        ) as error:
            world.http(10).get("http://h/?key=secret")
        assert (error.value.status, error.value.retry_after) == (429, 60.0)
        assert "secret" not in str(error.value)


def test_a_timeout_shortens_the_deadline_and_never_extends_it() -> None:
    world = World(ok(), ok(), ok())
    world.http(10).get("http://h/", timeout=3)
    world.http(10).get("http://h/", timeout=30)
    world.http(10).get("http://h/")
    assert world.deadlines == [103.0, 110.0, 110.0]


def test_a_hook_without_a_network_is_told_what_to_write() -> None:
    with pytest.raises(NetworkDenied) as denied:
        Http(None, 0).get("https://api.example.com/x")
    text = 'The hook has no network: list "api.example.com:443" under `network` in hook.toml.'
    assert str(denied.value) == text
    assert isinstance(denied.value, HttpError)
    assert isinstance(denied.value, OSError)


def test_in_an_async_hook_requests_are_awaited_and_run_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=10)

    def exchange(request: Request, ends_at: float) -> Response:
        together.wait()
        return Response(request, 200, headers_of({}), request.path.encode())

    async def hook() -> list[str]:
        http = AsyncHttp(Client(exchange), 1e12)
        answers = await asyncio.gather(*(http.get(f"http://h/{n}") for n in range(3)))
        return [answer.text for answer in answers]

    assert asyncio.run(hook()) == ["/0", "/1", "/2"]


@pytest.mark.parametrize("name", ["get", "head", "post", "put", "patch", "delete"])
def test_each_method_has_its_function(name: str) -> None:
    world = World(ok())
    send: Callable[[str], Response] = getattr(world.http(), name)
    send("http://h/")
    assert world.sent[0].method == name.upper()
