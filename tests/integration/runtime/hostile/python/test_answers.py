"""Hooks that lie: while they are loaded, to the server, and after their answer."""

from __future__ import annotations

import time
from typing import Any

import pytest

from app.domain.outcomes import OutcomeKind
from tests.integration.runtime.hostile.python.arena import PythonArena as Arena

# While the script is loaded, and after the answer

FRAME = """
import os, struct
def frame(number, kind, body=b""):
    return struct.pack("<IIB", len(body) + 1, number, kind) + body
def put(data):
    while data: data = data[os.write(3, data):]
"""


@pytest.mark.parametrize(
    ("top_level", "kind"),
    [
        ("import os; os._exit(0)", OutcomeKind.CRASHED),
        ("import os; os.fork()", OutcomeKind.ERRORED),
        ("bytearray(10 << 30)", OutcomeKind.OUT_OF_MEMORY),
        ("import sys; sys.exit(0)", OutcomeKind.ERRORED),
        ("put(frame(0, 0x12, b'0'))", OutcomeKind.VIOLATED),
        ("put(frame(1, 0x14, b'1'))", OutcomeKind.VIOLATED),
        ("put(frame(0, 0x13, b'x' * (2 << 20)))", OutcomeKind.VIOLATED),
        ("while True: put(frame(0, 0x17, b'\\0\\0'))", OutcomeKind.VIOLATED),
    ],
    ids=[
        "exit", "fork", "memory", "leave", "ready", "answer", "huge-failure", "flood",
    ],
)  # fmt: skip
def test_the_top_level_of_a_script_can_do_no_more_than_a_call(
    arena: Arena, top_level: str, kind: OutcomeKind
) -> None:
    outcome = arena.strike(f"{FRAME}\n{top_level}\ndef hook(event, context): return 1")
    assert outcome.kind is kind
    assert outcome.ran < 2


@pytest.mark.parametrize(
    "left",
    [
        "class Left(str):\n    def __del__(self):\n        while True: pass",
        "import atexit, time\natexit.register(time.sleep, 60)\nLeft = str",
    ],
    ids=["finalizer", "at-exit"],
)
def test_what_never_ends_after_the_answer_costs_the_hook_alone(arena: Arena, left: str) -> None:
    script = f"{left}\ndef hook(event, context):\n    return Left('x')"
    outcome = arena.strike(script, timeout=0.5)
    assert outcome.kind in (OutcomeKind.SUCCEEDED, OutcomeKind.TIMED_OUT)


def test_changed_modules_of_ours_forge_nothing(arena: Arena) -> None:
    house = arena.house
    version = house.version(
        """
import sys
def hook(event, context):
    caller = sys._getframe(1).f_locals
    if event == "frame": sys.modules["app.runtime.inside.protocol"].message = lambda *given: b"\\xff" * 64
    if event == "number": caller["self"]._finish = lambda number, *given: caller["self"]._send(number + 1, 0x14, b"1")
    if event == "started": caller["self"]._send(caller["number"], 0x16)
    return "done"
""",
        max_workers=1,
    )
    for way in ("frame", "number", "started"):
        assert house.call(version, way, timeout=2).kind is OutcomeKind.VIOLATED
    arena.strike("def hook(event, context): return 1")


# The connection to the server


@pytest.mark.parametrize(
    "body",
    [
        "put(os.urandom(100_000))",
        "put(b'GET / HTTP/1.1' * 100)",
        "put(struct.pack('<II', 0xFFFFFFFF, 1))",
        "put(struct.pack('<II', 0, 1))",
        "put(frame(99, 0x14, b'1'))",
        "put(frame(0, 0x14, b'1'))",
        "put(frame(1, 0x12, b'0'))",
        "put(frame(1, 0x77))",
        "put(frame(99, 0x17, b'\\x00\\x00late'))",
        "put(frame(1, 0x17, b'\\xff\\xff'))",
        "put(frame(1, 0x17))",
        "put(frame(0, 0x11, b'[]'))",
        "put(frame(0, 0x13, b'{}'))",
        "put(frame(1, 0x16))",
        "put(frame(2, 0x14, b'1'))",
        "put(frame(1, 0x01, b'{}'))",
        "while True: put(frame(1, 0x17, b'\\x00\\x00' + b'x' * 1000))",
        "while True: put(frame(0, 0x17, b'\\x00\\x00'))",
    ],
    ids=[
        "garbage", "text", "huge-length", "no-length", "forged-id", "id-0", "ready-again", "unknown-kind",
        "log-for-another", "log-level", "log-empty", "confined-again", "load-failed",
        "denied-start", "answer-to-come", "load", "flood", "flood-of-0",
    ],
)  # fmt: skip
def test_a_worker_that_breaks_the_protocol_is_killed(arena: Arena, body: str) -> None:
    outcome = arena.strike(
        f"{FRAME}\ndef hook(event, context):\n    {body}\n    import time; time.sleep(60)"
    )
    assert outcome.kind is OutcomeKind.VIOLATED
    assert "killed" in outcome.detail
    assert outcome.ran < 2


def test_an_answer_dripped_byte_by_byte_costs_the_hook_its_time_only(arena: Arena) -> None:
    outcome = arena.strike(
        f"""{FRAME}
def hook(event, context):
    data = struct.pack("<IIB", 1_000_000, 1, 0x14)
    put(data)
    while True: put(b"x")
""",
        timeout=0.5,
        result_bytes=2_000_000,
    )
    assert outcome.kind in (OutcomeKind.TIMED_OUT, OutcomeKind.SUCCEEDED, OutcomeKind.VIOLATED)


def test_an_answer_sent_twice_harms_no_later_call(arena: Arena, until: Any) -> None:
    house = arena.house
    version = house.version(
        f"{FRAME}\ndef hook(event, context):\n    if event: put(frame(1, 0x14, b'7'))\n    return 8",
        max_workers=1,
    )
    assert house.call(version, "twice").kind in (OutcomeKind.SUCCEEDED, OutcomeKind.VIOLATED)
    until(lambda: house.call(version).data == b"8")


@pytest.mark.parametrize("second", [1, 2, 0xFFFF_FFFF])
def test_an_answer_that_nobody_waits_for_costs_the_worker(arena: Arena, second: int) -> None:
    house = arena.house
    script = f"""{FRAME}
import time
calls = 0
def hook(event, context):
    global calls
    calls += 1
    if event:
        put(frame(1, 0x14, b"7") + frame({second}, 0x14, b"8"))
        time.sleep(60)
    return calls
"""
    version = house.version(script, max_workers=1)
    assert house.call(version, "forge").data == b"7"
    assert house.call(version).data == b"1", "it is another process"


def test_a_worker_whose_answer_cannot_be_read_is_replaced(arena: Arena) -> None:
    house = arena.house
    version = house.version(
        f"""{FRAME}
import time
def hook(event, context):
    if event:
        put(frame(1, 0x14, b"}}{{"))
        time.sleep(60)
    return "answered"
""",
        max_workers=1,
    )
    outcome = house.call(version, "forge")
    assert outcome.data == b"}{"
    house.distrust(version, outcome)
    assert house.call(version, timeout=5).data == b'"answered"'


def test_a_huge_answer_is_refused(arena: Arena) -> None:
    outcome = arena.strike("def hook(event, context):\n    return 'x' * (5 << 20)")
    assert outcome.kind is OutcomeKind.VIOLATED
    assert "5242883" in outcome.detail
    outcome = arena.strike("def hook(event, context):\n    return 'x' * (200 << 20)")
    # Writing it as JSON takes the memory twice; a library may die of that in its own way.
    assert not outcome.kind.is_answer


def test_huge_prints_are_cut_and_said_to_be(arena: Arena) -> None:
    house = arena.house
    before = len(house.lines)
    outcome = arena.strike("""
import sys
def hook(event, context):
    for number in range(20_000):
        print("x" * 1000)
    sys.stdout.write("y" * 5_000_000)
    return "done"
""")
    assert outcome.data == b'"done"'
    texts = [line.text for line in house.lines[before:]]
    assert sum(map(len, texts)) < 70_000
    assert "lines were dropped" in texts[-1]
    assert len(outcome.logs) == 20
    assert outcome.logs[-1].text == texts[-1]


def test_floods_past_python_are_dropped(arena: Arena) -> None:
    house = arena.house
    before = len(house.lines)
    outcome = arena.strike(
        """
import os
def hook(event, context):
    for _ in range(20_000):
        try: os.write(2, b"raw line\\n" * 100)
        except BlockingIOError: pass
    return "done"
"""
    )
    assert outcome.data == b'"done"'
    assert 0 < len(house.lines) - before < 3000


def test_a_flood_of_calls_that_crash_does_not_starve_others(arena: Arena) -> None:
    house = arena.house
    version = house.version("import os\ndef hook(event, context):\n    os._exit(1)")
    for _ in range(4):
        assert house.call(version, timeout=3).kind is OutcomeKind.CRASHED
    began = time.monotonic()
    arena.strike("def hook(event, context):\n    return 1")
    assert time.monotonic() - began < 2
