"""Hooks with a `network` list, at both levels of isolation: what they reach, and what they cannot."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.domain.outcomes import OutcomeKind
from app.runtime.isolation import level_of

FETCH = """
def hook(event, context):
    answer = context.http.get(event)
    return [answer.status, answer.json()["path"]]
"""

TRY = """
def attempt(action):
    try:
        return ["worked", str(action())]
    except Exception as error:
        return [type(error).__name__, str(error)]
"""

RAW = (
    TRY
    + """
import _socket, socket

def raw(address, family=socket.AF_INET, kind=socket.SOCK_STREAM, protocol=0):
    # Past everything that Python code of ours could check.
    connecting = _socket.socket(family, kind, protocol)
    connecting.setblocking(True)
    connecting.connect(address)
    connecting.sendall(b"GET /raw HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n")
    import select
    select.select([connecting], [], [], 2)
    return connecting.recv(300)
"""
)


@pytest.fixture(scope="module", params=["full", "container"])
def house(request: pytest.FixtureRequest, reports: Any, network_house: Any) -> Iterator[Any]:
    if request.param == "full" and level_of(reports) != "full":
        pytest.skip("this machine cannot isolate fully")
    names = type("Names", (), {"table": {}})()

    async def resolve(host: str) -> list[Any]:
        from ipaddress import ip_address

        return [ip_address(names.table.get(host, "127.0.0.1"))]

    made = network_house(namespaces=request.param == "full", names=resolve)
    made.names = names
    assert made.runner.level == request.param
    yield made
    made.close()


# What works


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


# Time


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


# What does not work


def test_a_place_that_is_not_listed_is_named_with_what_to_do(house: Any, target: Any) -> None:
    script = f"""{TRY}
import hookledger
def hook(event, context):
    assert issubclass(hookledger.NetworkDenied, hookledger.HttpError)
    return attempt(lambda: context.http.get(event))
"""
    version = house.hook(script, "api.example.com:443")
    name, text = house.answer(version, target.url, name="denied")
    message = f"{target.place} is not in this hook's `network` list; add it in hook.toml"
    assert (name, text) == ("NetworkDenied", f"{message}.")
    assert house.lines_of("denied") == [f"network: refused: {message}"]
    assert target.connections == 0


def test_a_hook_without_a_list_reaches_nothing_and_is_told_what_to_write(
    house: Any, target: Any
) -> None:
    script = f"""{RAW}
import os
def hook(event, context):
    address = tuple(event["address"])
    return [
        attempt(lambda: context.http.get(event["url"])),
        attempt(lambda: raw(address)),
        sorted(name for name in os.environ if "proxy" in name.lower()),
    ]
"""
    event = {"url": target.url, "address": ["127.0.0.1", target.port]}
    http, raw, names = house.answer(house.hook(script), event)
    text = f'The hook has no network: list "{target.place}" under `network` in hook.toml.'
    assert http == ["NetworkDenied", text]
    assert raw[0] == "PermissionError"
    assert names == []
    assert target.connections == 0


def test_whatever_a_socket_is_connected_to_it_is_the_proxy(house: Any, target: Any) -> None:
    script = f"""{RAW}
def hook(event, context):
    return [attempt(lambda: raw((host, port))) for host, port in event]
"""
    places = [
        ["127.0.0.1", target.port], ["0.0.0.0", target.port], ["169.254.169.254", 80],
        ["127.0.0.1", 8080], ["10.0.0.1", 53], ["1.1.1.1", 443],
    ]  # fmt: skip
    version = house.hook(script, target.place)
    for result in house.answer(version, places):
        assert result[0] == "worked"
        assert "HTTP/1.1 400 this is a hook's way out, a proxy" in result[1]
    assert target.connections == 0, "even a listed place is reached by asking the proxy only"


def test_ordinary_code_that_connects_past_the_proxy_is_told_so(house: Any, target: Any) -> None:
    script = f"""{TRY}
import socket, asyncio
async def hook(event, context):
    async def connect():
        return await asyncio.open_connection(*event)
    try:
        found = await connect()
    except OSError as error:
        found = [type(error).__name__, str(error)]
    return [attempt(lambda: socket.create_connection(tuple(event))), found]
"""
    version = house.hook(script, target.place)
    for name, text in house.answer(version, ["127.0.0.1", target.port]):
        assert name == "NetworkDenied"
        assert "a hook connects through its proxy only: use `context.http`" in text


@pytest.mark.parametrize(
    "making",
    [
        "_socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "_socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)",  # multipath TCP
        "_socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)",  # SCTP
        "_socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
        "_socket.socket(socket.AF_INET6, socket.SOCK_STREAM)",
        "_socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)",
        "_socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
        "_socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)",
        "_socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)",
        "_socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
        "_socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)",
    ],
)
def test_no_other_kind_of_socket_can_be_made(house: Any, making: str) -> None:
    script = f"{RAW}\ndef hook(event, context):\n    return attempt(lambda: {making})"
    assert house.answer(house.hook(script, "127.0.0.1:1"))[0] == "PermissionError"


def test_a_socket_cannot_serve_send_elsewhere_or_be_freed(house: Any, target: Any) -> None:
    script = f"""{RAW}
def connected():
    made = _socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.connect(("127.0.0.1", 3128))
    return made

def reconnected(address):
    made = connected()
    made.connect(address)
    made.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
    import select
    select.select([made], [], [], 2)
    return made.recv(300)

def hook(event, context):
    address = ("127.0.0.1", event)
    new = lambda: _socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    fast_open = 0x20000000
    return [
        attempt(lambda: reconnected(address)),
        attempt(lambda: new().bind(("127.0.0.1", 0))),
        attempt(lambda: new().listen(1)),
        attempt(lambda: connected().listen(1)),
        attempt(lambda: new().sendto(b"x", fast_open, address)),
        attempt(lambda: connected().sendmsg([b"x"], [], 0, address)),
        attempt(lambda: new().setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")),
        attempt(lambda: new().setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 1)),
        attempt(lambda: new().setsockopt(socket.IPPROTO_TCP, 19, 1)),
        attempt(lambda: new().setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)),
    ]
"""
    first, *others = house.answer(house.hook(script, target.place), target.port)
    assert "this is a hook's way out" in first[1]
    assert [name for name, _ in others] == ["PermissionError"] * len(others)
    assert target.connections == 0


def test_a_worker_that_connects_its_own_descriptors_hurts_itself_alone(house: Any) -> None:
    victim = house.hook(
        "calls = 0\ndef hook(e, c):\n    global calls\n    calls += 1\n    return calls"
    )
    assert house.answer(victim) == 1
    script = """
import ctypes
LIBC = ctypes.CDLL(None)
def hook(event, context):
    return [LIBC.connect(number, b"nonsense", -1) for number in (event, 63, 1 << 20, -1)]
"""
    for number in (0, 1, 2, 3):
        outcome = house.call(house.hook(script, "127.0.0.1:1"), number, timeout=2)
        if number == 3:
            assert not outcome.kind.is_answer
        else:
            assert outcome.data == b"[0,0,-1,-1]", "the address is not even looked at"
    assert house.answer(victim) == 2


def test_a_worker_that_connects_without_end_goes_on_and_so_does_the_server(
    house: Any, target: Any, until: Any
) -> None:
    script = f"""{TRY}
import _socket, socket, time
def hook(event, context):
    kept, failed = [], 0
    for _ in range(300):
        try:
            made = _socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            made.connect(("127.0.0.1", 3128))
            kept.append(made)
        except OSError as error:
            failed += 1
            if error.errno == 24:
                kept.clear()
    kept.clear()
    time.sleep(0.5)
    return [failed > 0, context.http.get(event).status]
"""
    version = house.hook(script, target.place)
    assert house.answer(version, target.url, timeout=20) == [True, 200]
    assert house.runner.egress.open <= 48 + 16
    assert house.answer(house.hook(FETCH, target.place), target.url)[0] == 200


def test_a_worker_cannot_keep_the_server_busy_with_connecting(house: Any) -> None:
    script = """
import _socket, socket, time
def hook(event, context):
    count, began = 0, time.monotonic()
    while time.monotonic() < began + 2:
        made = _socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try: made.connect(("127.0.0.1", 3128))
        except OSError: pass
        made.close()
        count += 1
    return [count, time.monotonic() - began]
"""
    count, seconds = house.answer(house.hook(script, "127.0.0.1:1"))
    assert count <= 200 * (seconds + 2)


def test_connections_that_were_refused_keep_no_port_from_others(house: Any) -> None:
    script = """
import _socket, socket
def hook(event, context):
    ports = []
    for _ in range(20):
        made = _socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.connect(("127.0.0.1", 3128))
        made.setblocking(True)
        ports.append(made.getpeername()[1])
        made.sendall(b"CONNECT nowhere.example:1 HTTP/1.1\\r\\n\\r\\n")
        while made.recv(1000): pass
        made.close()
    return ports
"""
    ports = house.answer(house.hook(script, "127.0.0.1:1"))
    # Programs that run beside this test may hold a few of them.
    assert sum(map(_may_be_bound, ports)) > len(ports) // 2


def _may_be_bound(port: int) -> bool:
    with socket.socket() as another_program:
        try:
            another_program.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def test_threads_may_connect_at_the_same_time(house: Any, target: Any) -> None:
    script = """
from concurrent.futures import ThreadPoolExecutor
def hook(event, context):
    with ThreadPoolExecutor(8) as pool:
        return [answer.status for answer in pool.map(context.http.get, [event] * 32)]
"""
    assert house.answer(house.hook(script, target.place), target.url) == [200] * 32


def test_a_call_that_is_killed_while_it_connects_takes_nothing_with_it(
    house: Any, target: Any
) -> None:
    script = """
import _socket, socket
def hook(event, context):
    while True:
        made = _socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.connect(("127.0.0.1", 3128))
        made.close()
"""
    outcome = house.call(house.hook(script, target.place), timeout=0.3)
    assert outcome.kind is OutcomeKind.TIMED_OUT
    assert house.answer(house.hook(FETCH, target.place), target.url)[0] == 200


def test_the_connections_of_a_worker_end_with_it(house: Any, target: Any, until: Any) -> None:
    target.gate.clear()
    outcome = house.call(
        house.hook("def hook(e, c):\n    c.http.get(e, timeout=60)", target.place),
        target.url,
        timeout=0.5,
    )
    assert not outcome.kind.is_answer or outcome.kind is OutcomeKind.ERRORED
    version = house.hook(FETCH, target.place)
    target.gate.set()
    house.answer(version, target.url)
    house.do(house.runner.prepare([version]))
    house.do(house.runner.prepare([]))
    until(lambda: target.open == 0)
    until(lambda: house.runner.egress.open == 0)


def test_a_worker_that_was_stopped_between_calls_goes_on_with_its_connection(
    house: Any, target: Any, until: Any
) -> None:
    version = house.hook(FETCH, target.place)
    house.answer(version, target.url)
    until(lambda: "T" in house.processes().values())
    assert house.answer(version, f"{target.url}/after") == [200, "/after"]


def test_a_signal_while_connecting_is_of_no_matter(house: Any, target: Any) -> None:
    script = """
import signal
def hook(event, context):
    rang = []
    signal.signal(signal.SIGALRM, lambda *_: rang.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        made = [context.http.get(event, headers={"Connection": "close"}).status for _ in range(50)]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return [made == [200] * 50, len(rang) > 0]
"""
    assert house.answer(house.hook(script, target.place), target.url) == [True, True]


def test_without_the_means_to_keep_it_in_a_hook_with_a_network_does_not_run(
    network_house: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.runtime.runner.has_egress", lambda _: False)
    house = network_house(namespaces=False, names=None)
    try:
        began = time.monotonic()
        outcome = house.call(house.hook(FETCH, "127.0.0.1:1"))
        assert outcome.kind is OutcomeKind.CRASHED
        assert "Hooks with a `network` list cannot run on this machine" in outcome.detail
        assert time.monotonic() - began < 5
        assert house.answer(house.hook("def hook(e, c):\n    return 1")) == 1
    finally:
        house.close()
