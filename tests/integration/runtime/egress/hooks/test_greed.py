"""Hooks that connect without end, or end while they connect: others do not notice."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from app.domain.outcomes import OutcomeKind
from tests.integration.runtime.egress.hooks.scripts import FETCH, TRY


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
