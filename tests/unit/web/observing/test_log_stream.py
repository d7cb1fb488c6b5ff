"""Live logs over HTTP: what a stream holds, who gets one, and when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from app.application.journal_views import StoredLine
from app.application.observing.following import open_live
from app.domain.outcomes import LogLine, Outcome, OutcomeKind
from app.web.observing import log_stream
from app.web.routes import build_app

TOKEN = "hlt_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"


def events(text: str) -> list[dict[str, Any]]:
    found = []
    for part in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in part.splitlines() if ": " in line)
        if "data" in fields:
            found.append({**fields, "data": orjson.loads(fields["data"])})
    return found


def stored(number: int, at: Any, text: str = "a line") -> StoredLine:
    return StoredLine(number, LogLine("INV1", "01J", at, "info", "stdout", text))


class Stream:
    """A stream over ASGI, read event by event; ``reading`` false: the client's window is full."""

    def __init__(self, site: Any, path: str, headers: Any = (), token: str = TOKEN) -> None:
        self.status = 0
        self.text = ""
        self.reading = asyncio.Event()
        self.reading.set()
        self.gone = asyncio.Event()
        path, _, query = path.partition("?")
        scope = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(),
            "query_string": query.encode(), "root_path": "", "client": ("1.2.3.4", 5),
            "headers": [(b"authorization", b"Bearer " + token.encode()), *headers],
        }  # fmt: skip
        self.task = asyncio.ensure_future(build_app(site.services)(scope, self.receive, self.send))

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.reading.wait()
        self.status = message.get("status", self.status)
        self.text += message.get("body", b"").decode()

    async def until(self, holds: Callable[[Stream], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds(self):  # noqa: ASYNC110 (the text is written by others)
                await asyncio.sleep(0.001)

    @property
    def events(self) -> list[dict[str, Any]]:
        return events(self.text)


@pytest.fixture
def live_site(site: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A site whose streams go on."""
    monkeypatch.setattr(log_stream, "TICK_SECONDS", 0.01)
    live = open_live(lambda hook: None, most=3, most_of_a_client=2)
    site.services = replace(site.services, live=live)
    return site


def test_a_stream_resumes_behind_the_last_event_of_its_client(site: Any, make_line: Any) -> None:
    site.journal.stored = [make_line(3), make_line(2), make_line(1)]
    answer = site.get("/v1/logs/stream", headers=[(b"last-event-id", b"1")])
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    found = events(answer.text)
    assert [(each["event"], each.get("id")) for each in found] == [
        ("open", "1"),
        ("line", "2"),
        ("line", "3"),
        ("end", None),
    ]
    assert found[1]["data"]["sequence"] == 2
    assert found[-1]["data"] == {"reason": "shutdown"}
    assert [each.get("id") for each in events(site.get("/v1/logs/stream?after=2").text)] == [
        "2",
        "3",
        None,
    ]


def test_whoever_comes_back_with_the_number_of_another_journal_is_given_one_of_this(
    site: Any, make_line: Any
) -> None:
    """Else what is stored between two visits would be before the place they come back with."""
    site.journal.stored = [make_line(2), make_line(1)]
    answer = site.get("/v1/logs/stream", headers=[(b"last-event-id", b"99999")])
    found = events(answer.text)
    assert [(each["event"], each.get("id")) for each in found] == [("open", "2"), ("end", None)]
    assert found[0]["data"] == {"after": 2}


def test_a_stream_holds_only_lines_with_the_text(site: Any, make_line: Any) -> None:
    site.journal.stored = [make_line(2, "the Gateway is down"), make_line(1, "all is well")]
    found = events(site.get("/v1/logs/stream?after=0&text=gateway").text)
    assert [each.get("id") for each in found if each["event"] == "line"] == ["2"]


def test_invocations_that_went_well_can_be_left_out(site: Any, make_hook: Any) -> None:
    site.put(make_hook())
    site.invoke()
    site.runner.outcome = Outcome(OutcomeKind.CRASHED)
    failed = site.invoke().json()["invocation_id"]
    found = events(site.get("/v1/invocations/stream?after=0&unsuccessful=true").text)
    told = [each["data"]["invocation_id"] for each in found if each["event"] == "invocation"]
    assert told == [failed]


def test_records_are_streamed_alike(site: Any, make_hook: Any) -> None:
    site.put(make_hook())
    invocation = site.invoke().headers["hookledger-invocation"]
    found = events(site.get("/v1/invocations/stream?after=0").text)
    assert [each["event"] for each in found] == ["open", "invocation", "end"]
    assert found[1]["data"]["invocation_id"] == invocation


@pytest.mark.parametrize("number", [b"", b"-1", b"x", b"1" * 19])
def test_what_is_no_id_of_an_event_is_refused(site: Any, number: bytes) -> None:
    answer = site.get("/v1/logs/stream", headers=[(b"last-event-id", number)])
    assert answer.status_code == 400
    assert answer.json()["problems"][0]["key"] == "Last-Event-ID"


def test_lines_come_as_they_are_stored_until_the_token_is_revoked(live_site: Any, now: Any) -> None:
    async def scenario() -> list[dict[str, Any]]:
        stream = Stream(live_site, "/v1/logs/stream")
        feed = live_site.services.live.lines
        await stream.until(lambda it: feed.readers == 1)
        feed.publish([stored(1, now)])
        await stream.until(lambda it: len(it.events) == 2)
        hooks = live_site.hooks
        hooks.table = replace(hooks.table, tokens={})
        feed.publish([stored(2, now, "not for you any more")])
        await stream.task
        assert feed.readers == 0
        assert not live_site.services.live.seats.taken
        return stream.events

    found = asyncio.run(scenario())
    assert [each["event"] for each in found] == ["open", "line", "end"]
    assert found[-1]["data"] == {"reason": "token"}


def test_a_silent_stream_ends_too_when_its_token_is_revoked(live_site: Any) -> None:
    async def scenario() -> list[dict[str, Any]]:
        stream = Stream(live_site, "/v1/logs/stream")
        await stream.until(lambda it: live_site.services.live.lines.readers == 1)
        live_site.hooks.table = replace(live_site.hooks.table, tokens={})
        await stream.task
        return stream.events

    assert [each["event"] for each in asyncio.run(scenario())] == ["open", "end"]


def test_a_silent_stream_is_kept_alive(live_site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_stream, "HEARTBEAT_SECONDS", 0.0)

    async def scenario() -> None:
        stream = Stream(live_site, "/v1/logs/stream")
        await stream.until(lambda it: it.text.count(": still here\n\n") >= 2)
        live_site.services.live.end()
        await stream.task

    asyncio.run(scenario())


def test_a_silent_stream_tells_how_far_there_is_nothing_for_its_reader(
    live_site: Any, now: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else who filters much would come back with an old place, and be told of a gap."""
    monkeypatch.setattr(log_stream, "HEARTBEAT_SECONDS", 0.0)

    async def scenario() -> str:
        stream = Stream(live_site, "/v1/logs/stream?text=rare")
        feed = live_site.services.live.lines
        await stream.until(lambda it: "id: 0\n: still here\n\n" in it.text)
        feed.publish([stored(1, now, "something rare"), *(stored(n, now) for n in range(2, 9))])
        await stream.until(lambda it: "id: 8\n: still here\n\n" in it.text)
        live_site.services.live.end()
        await stream.task
        return stream.text

    text = asyncio.run(scenario())
    assert text.index("id: 1\nevent: line") < text.index("id: 8\n: still here")
    assert "event: gap" not in text


def test_a_client_has_so_many_streams_and_gets_its_seats_back(live_site: Any) -> None:
    async def scenario() -> list[int]:
        live = live_site.services.live
        streams = [Stream(live_site, "/v1/logs/stream") for _ in range(2)]
        await streams[0].until(lambda it: live.lines.readers == 2)
        refused = Stream(live_site, "/v1/invocations/stream")
        await refused.task
        assert b"live_readers_per_client" in refused.text.encode()
        streams[0].gone.set()
        await streams[0].task
        again = Stream(live_site, "/v1/logs/stream")
        await again.until(lambda it: live.lines.readers == 2)
        live.end()
        await asyncio.gather(streams[1].task, again.task)
        assert not live.seats.taken
        return [refused.status, again.status]

    assert asyncio.run(scenario()) == [503, 200]


def test_of_fifty_readers_one_that_never_reads_holds_up_nobody(site: Any, now: Any) -> None:
    live = open_live(lambda hook: None, most=100, most_of_a_client=100)
    site.services = replace(site.services, live=live)

    async def scenario() -> tuple[list[Stream], Stream]:
        streams = [Stream(site, "/v1/logs/stream") for _ in range(50)]
        await streams[0].until(lambda it: live.lines.readers == 50)
        deaf, *others = streams
        deaf.reading.clear()
        for number in range(1, 30_001, 100):
            live.lines.publish([stored(n, now) for n in range(number, number + 100)])
            if number % 1000 == 1:
                for each in others:
                    await each.until(lambda it, n=number: f"id: {n}\n" in it.text)  # type: ignore[misc]
        deaf.reading.set()
        for each in others:
            await each.until(lambda it: "id: 30000\n" in it.text)
        await deaf.until(lambda it: "id: 30000\n" in it.text)
        live.end()
        await asyncio.gather(*(each.task for each in streams))
        return others, deaf

    others, deaf = asyncio.run(scenario())
    assert all("event: gap" not in each.text for each in others)
    gaps = [each["data"] for each in deaf.events if each["event"] == "gap"]
    received = sum(each["event"] == "line" for each in deaf.events)
    assert {each["reason"] for each in gaps} == {"too_slow"}
    assert received + sum(each["dropped"] for each in gaps) == 30_000
    assert received < 10_000


def test_a_client_that_reads_nothing_for_long_loses_its_seat(
    live_site: Any, now: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_stream, "STALLED_SECONDS", 0.01)

    async def scenario() -> None:
        live = live_site.services.live
        stream = Stream(live_site, "/v1/logs/stream")
        await stream.until(lambda it: live.lines.readers == 1)
        stream.reading.clear()
        live.lines.publish([stored(1, now)])
        await stream.task
        await stream.until(lambda it: not live.seats.taken and live.lines.readers == 0)

    asyncio.run(scenario())


def test_head_takes_no_seat(live_site: Any) -> None:
    assert live_site.ask("HEAD", "/v1/logs/stream").status_code == 200
    assert not live_site.services.live.seats.taken
