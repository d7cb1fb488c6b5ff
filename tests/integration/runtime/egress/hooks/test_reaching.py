"""Hooks with a `network` list reach what it names, as ordinary code does, and in time."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.outcomes import OutcomeKind
from tests.integration.runtime.egress.hooks.scripts import FETCH, TRY


def test_a_hook_reaches_what_its_manifest_lists(house: Any, target: Any) -> None:
    version = house.hook(FETCH, target.place)
    assert house.answer(version, f"{target.url}/a?b=c") == [200, "/a?b=c"]


def test_a_name_is_resolved_for_a_hook_that_has_no_resolver(house: Any, target: Any) -> None:
    version = house.hook(FETCH, target.named)
    assert house.answer(version, f"{target.named_url}/x") == [200, "/x"]


def test_tls_ends_in_the_hook_and_trusts_the_operators_authority(
    house: Any, secure_target: Any
) -> None:
    version = house.hook(FETCH, secure_target.named)
    assert house.answer(version, f"{secure_target.named_url}/s") == [200, "/s"]


def test_a_certificate_of_another_name_is_refused(house: Any, secure_target: Any) -> None:
    other = f"other.example.com:{secure_target.port}"
    script = (
        f"{TRY}\ndef hook(event, context):\n    return attempt(lambda: context.http.get(event))"
    )
    name, text = house.answer(house.hook(script, other), f"https://{other}/x?key=secret")
    assert name == "HttpError"
    assert "the certificate is not trusted" in text
    assert "secret" not in text
    assert secure_target.seen == []


def test_all_methods_send_what_they_are_given(house: Any, target: Any) -> None:
    script = """
def hook(event, context):
    http = context.http
    made = [
        http.post(event, json={"a": 1}, headers={"Authorization": "Bearer x"}),
        http.put(event, data={"b": "2"}),
        http.patch(event, data="c"),
        http.delete(event),
        http.head(event),
        http.request("GET", event, params={"q": "d e"}),
    ]
    return [answer.status for answer in made]
"""
    assert house.answer(house.hook(script, target.place), f"{target.url}/") == [200] * 6
    assert [(seen["method"], seen["path"], seen["body"]) for seen in target.seen] == [
        ("POST", "/", '{"a":1}'), ("PUT", "/", "b=2"), ("PATCH", "/", "c"),
        ("DELETE", "/", ""), ("HEAD", "/", ""), ("GET", "/?q=d+e", ""),
    ]  # fmt: skip
    assert target.seen[0]["headers"]["authorization"] == "Bearer x"
    assert target.seen[0]["headers"]["host"] == target.place
    assert target.connections == 1, "one connection served them all"


def test_calls_of_a_worker_share_a_connection(house: Any, target: Any) -> None:
    version = house.hook(FETCH, target.place)
    for number in range(3):
        assert house.answer(version, f"{target.url}/{number}")[0] == 200
    assert target.connections == 1


def test_a_connection_that_the_server_closed_is_replaced(house: Any, target: Any) -> None:
    version = house.hook(FETCH, target.place)
    for _ in range(3):
        assert house.answer(version, f"{target.url}/closing")[0] == 200
    assert target.connections == 3


def test_an_async_hook_awaits_many_requests_at_once(house: Any, target: Any) -> None:
    script = """
import asyncio
async def hook(event, context):
    answers = await asyncio.gather(*(context.http.get(f"{event}/{n}") for n in range(20)))
    return [answer.json()["path"] for answer in answers]
"""
    assert house.answer(house.hook(script, target.place), target.url) == [
        f"/{n}" for n in range(20)
    ]


@pytest.mark.parametrize("kind", ["plain", "secure"])
def test_ordinary_libraries_find_the_proxy(
    house: Any, target: Any, secure_target: Any, kind: str
) -> None:
    server = target if kind == "plain" else secure_target
    script = """
import urllib.request
def hook(event, context):
    with urllib.request.urlopen(event + "/one") as answer:
        return [answer.status, answer.read().decode()]
"""
    status, text = house.answer(house.hook(script, server.named), server.named_url)
    assert status == 200
    assert '"path": "/one"' in text


def test_sockets_of_a_hooks_own_event_loop_reach_the_proxy(house: Any, target: Any) -> None:
    script = """
import asyncio
async def hook(event, context):
    reader, writer = await asyncio.open_connection("127.0.0.1", 3128)
    writer.write(f"CONNECT {event} HTTP/1.1\\r\\n\\r\\n".encode())
    answer = await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(b"GET /loop HTTP/1.1\\r\\nConnection: close\\r\\n\\r\\n")
    page = await reader.read()
    writer.close()
    return [answer.decode(), page.decode()]
"""
    answer, page = house.answer(house.hook(script, target.place), target.place)
    assert answer.startswith("HTTP/1.1 200 ")
    assert '"path": "/loop"' in page


def test_the_top_level_of_a_script_may_fetch_too(house: Any, target: Any) -> None:
    script = f"""
import urllib.request
KEYS = urllib.request.urlopen("{target.url}/keys").read().decode()
def hook(event, context):
    return KEYS
"""
    assert '"path": "/keys"' in house.answer(house.hook(script, target.place))
    assert len(target.seen) == 1


def test_what_a_call_used_is_in_its_log_with_secrets_masked(house: Any, target: Any) -> None:
    version = house.hook(FETCH, target.named, secrets={"NAME": "api.example.com"})
    house.answer(version, f"{target.named_url}/x", name="told")
    (line,) = [line for line in house.lines if line.invocation_id == "told"]
    assert (line.stream, line.level, line.hook_id) == ("log", "info", version.hook_id)
    assert line.text.startswith(f"network: used ***:{target.port} (127.0.0.1): sent ")


def test_counters_tell_what_all_hooks_did(house: Any, target: Any) -> None:
    before = dict(house.runner.egress.bytes)
    house.answer(house.hook(FETCH, target.place), target.url)
    assert house.runner.egress.connections["connected"] > 0
    assert house.runner.egress.bytes["received"] > before.get("received", 0)


def test_a_request_ends_with_its_timeout_and_the_hook_goes_on(house: Any, target: Any) -> None:
    target.gate.clear()
    script = f"""{TRY}
def hook(event, context):
    return attempt(lambda: context.http.get(event, timeout=0.2))
"""
    name, text = house.answer(house.hook(script, target.place), f"{target.url}/slow?secret")
    assert (name, text) == ("HttpError", f"GET {target.url}/slow was not answered in time.")


def test_a_request_never_outlasts_the_call(house: Any, target: Any) -> None:
    target.gate.clear()
    outcome = house.call(house.hook(FETCH, target.place), target.url, timeout=0.5)
    assert outcome.kind in (OutcomeKind.TIMED_OUT, OutcomeKind.ERRORED)
    assert outcome.ran < 2


def test_a_host_that_asks_for_patience_gets_it(house: Any, target: Any) -> None:
    target.answers = [(429, {"Retry-After": "0"}), (503, {"Retry-After": "0"})]
    assert house.answer(house.hook(FETCH, target.place), f"{target.url}/x") == [200, "/x"]
    assert len(target.seen) == 3


def test_a_host_that_takes_nothing_more_is_not_asked(house: Any, target: Any) -> None:
    target.answers = [(200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "3600"})]
    script = f"""{TRY}
def hook(event, context):
    context.http.get(event)
    return attempt(lambda: context.http.get(event))
"""
    name, text = house.answer(house.hook(script, target.place), target.url)
    assert name == "RateLimited"
    assert "takes no further request for 3600.0 s" in text
    assert len(target.seen) == 1
