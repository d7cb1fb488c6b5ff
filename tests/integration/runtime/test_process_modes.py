"""What a manifest's ``[process]`` promises: fresh processes, replacement, concurrency, readiness."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, cast

import orjson
import pytest

from app.domain.outcomes import HookVersion, Lifecycle, Outcome, OutcomeKind

FRESH = Lifecycle(mode="fresh")
COUNTING = """
import builtins, json, sys, time
here = object()
calls = 0
def hook(event, context):
    global calls
    calls += 1
    seen = [calls, getattr(builtins, "left", None), getattr(json, "left", None), "left" in sys.modules]
    builtins.left = json.left = sys.modules["left"] = "behind"
    if event: time.sleep(event)
    return seen
"""
UNTOUCHED = [1, None, None, False]
IDENTITY = "import random\nme = random.random()\ndef hook(event, context):\n    return me"
SLEEPER = """
import time, random
me = random.random()
def hook(event, context):
    began = time.monotonic()
    time.sleep(event)
    return [me, began, time.monotonic()]
"""


@pytest.fixture
def new_runner(new_house: Any) -> Iterator[Callable[..., Any]]:
    """Runners for one test."""
    made = []

    def make(**options: Any) -> Any:
        house = new_house(**options)
        made.append(house)
        house.do(house.runner.start())
        return house

    yield make
    for house in made:
        house.close()


def at_once(house: Any, version: HookVersion, calls: list[Any]) -> list[Outcome]:
    async def together() -> list[Outcome]:
        return list(await asyncio.gather(*(house.runner.run(version, call) for call in calls)))

    return cast("list[Outcome]", house.do(together()))


def answers(outcomes: list[Outcome]) -> list[Any]:
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.SUCCEEDED}, outcomes
    return [orjson.loads(outcome.data or b"null") for outcome in outcomes]


def keep(house: Any, *versions: HookVersion) -> None:
    house.do(house.runner.prepare(versions))


def release(house: Any) -> None:
    house.do(house.runner.prepare([]))


# A process per call


def test_a_fresh_call_sees_nothing_of_another(house: Any, payload: Any) -> None:
    version = house.version(COUNTING, lifecycle=FRESH, max_workers=6)
    assert answers([house.call(version, 0) for _ in range(5)]) == [UNTOUCHED] * 5
    assert answers(at_once(house, version, [payload(0.02)] * 20)) == [UNTOUCHED] * 20


def test_a_fresh_async_hook_is_alone_too(house: Any, payload: Any) -> None:
    script = COUNTING.replace("def hook", "async def hook").replace(
        "time.sleep(event)", "await __import__('asyncio').sleep(event)"
    )
    version = house.version(script, lifecycle=FRESH, max_workers=3)
    assert answers(at_once(house, version, [payload(0.02)] * 9)) == [UNTOUCHED] * 9


def test_fresh_calls_run_at_the_same_time(house: Any, payload: Any) -> None:
    version = house.version(SLEEPER, lifecycle=FRESH, max_workers=4)
    found = answers(at_once(house, version, [payload(0.5)] * 3))
    assert max(began for _, began, _ in found) < min(ended for *_, ended in found)
    assert len({me for me, *_ in found}) == 3


def test_nothing_of_a_fresh_call_lives_on(house: Any, until: Callable[..., None]) -> None:
    before = set(house.processes())
    version = house.version(
        """
import threading, atexit
def hook(event, context):
    threading.Thread(target=threading.Event().wait).start()
    atexit.register(threading.Event().wait)
    return "gone"
""",
        lifecycle=FRESH,
    )
    assert house.call(version).data == b'"gone"'
    until(lambda: set(house.processes()) <= before)


def test_a_kept_fresh_hook_has_processes_ready_after_every_call(
    house: Any, payload: Any, until: Callable[..., None]
) -> None:
    base = len(house.processes())
    version = house.version(
        COUNTING, lifecycle=Lifecycle(mode="fresh", min_ready=3), max_workers=12
    )
    keep(house, version)
    for _ in range(3):
        until(lambda: len(house.processes()) == base + 3)
        assert answers(at_once(house, version, [payload(0)] * 3)) == [UNTOUCHED] * 3
    release(house)
    until(lambda: len(house.processes()) == base)


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        ("while True: pass", OutcomeKind.TIMED_OUT, "0.4 s"),
        ("x = bytearray(1 << 30)", OutcomeKind.OUT_OF_MEMORY, "256 MiB"),
        ("import os; os._exit(3)", OutcomeKind.CRASHED, "exit code 3"),
        ("import os; os.write(3, b'x' * 100)", OutcomeKind.VIOLATED, "killed"),
        ("1 / 0", OutcomeKind.ERRORED, ""),
    ],
    ids=["time", "memory", "exit", "protocol", "error"],
)
def test_a_fresh_call_that_fails_says_how_and_harms_no_other(
    house: Any, payload: Any, body: str, kind: OutcomeKind, told: str
) -> None:
    version = house.version(
        f"def hook(event, context):\n    if event == 'fine': return 1\n    print('last words')\n    {body}",
        lifecycle=FRESH,
        max_workers=6,
    )
    calls = [payload("fine"), payload("bad", timeout=0.4), payload("fine")] * 2
    outcomes = at_once(house, version, calls)
    assert [outcome.data for outcome in outcomes[0::3] + outcomes[2::3]] == [b"1"] * 4
    for outcome in outcomes[1::3]:
        assert outcome.kind is kind
        assert told in outcome.detail
        if kind is not OutcomeKind.VIOLATED:
            # What comes with bytes that break the protocol is not believed.
            assert outcome.logs[-1].text == "last words"


def test_fresh_calls_that_fail_one_after_another_cause_no_pause(house: Any) -> None:
    version = house.version(
        "import os\ndef hook(event, context):\n    if event: os._exit(1)\n    return 1",
        lifecycle=FRESH,
    )
    kinds = Counter(house.call(version, "die", timeout=2).kind for _ in range(8))
    assert kinds == {OutcomeKind.CRASHED: 8}
    assert house.call(version, timeout=2).data == b"1"


def test_a_fresh_script_that_does_not_load_says_why(house: Any) -> None:
    version = house.version("1 / 0", lifecycle=FRESH)
    for _ in range(3):
        outcome = house.call(version)
        assert outcome.kind is OutcomeKind.ERRORED
        assert b"ZeroDivisionError" in (outcome.data or b"")


# What a hostile call tries against the calls after it

STRIKE = """
import os, struct
def frame(number, kind, body=b""):
    return struct.pack("<IIB", len(body) + 1, number, kind) + body
def quietly(action, *arguments):
    try: action(*arguments)
    except BaseException: pass
def hook(event, context):
    if event == "strike":
        STRIKE
    return [event, len(os.environ)]
"""


@pytest.mark.parametrize(
    "strike",
    [
        "[os.write(3, frame(number, 0x14, b'666')) for number in (1, 2, 3)]",
        "os.write(3, frame(1, 0x14, b'666') * 1000)",
        "os.write(3, frame(1, 0x14, b'666'))\n        while True: os.read(3, 1 << 16)",
        "os.write(3, frame(0, 0x12, b'0'))",
        "[quietly(os.kill, pid, 9) for pid in (-1, 0, 1, os.getppid(), *range(2, 50))]",
        "quietly(os.fork)",
        "import ctypes; [ctypes.CDLL(None).ptrace(16, pid, 0, 0) for pid in range(1, 50)]",
        "quietly(os.set_inheritable, 3, True), quietly(os.dup2, 3, 0), quietly(os.close, 3)",
        "import random, time; random.seed(1); time.time = lambda: 0; os.environ['LEFT'] = 'behind'",
        "import sys; sys.modules['json'] = sys.modules['socket'] = None; sys.setrecursionlimit(50)",
        "import builtins; builtins.len = lambda _: 666",
        "import signal; [quietly(signal.signal, number, signal.SIG_IGN) for number in range(1, 65)]",
        "import threading\n        for _ in range(20): quietly(threading.Thread(target=lambda: [1 for _ in iter(int, 1)]).start)",
    ],
    ids=[
        "answering-later-calls", "answering-often", "staying-to-read-on", "ready-again", "killing", "forking", "ptrace", "hanging-up",
        "globals", "modules", "builtins", "ignoring-signals", "threads",
    ],
)  # fmt: skip
def test_a_hostile_fresh_call_reaches_no_other(
    house: Any, payload: Any, until: Callable[..., None], strike: str
) -> None:
    neighbour = house.version(IDENTITY, max_workers=1)
    itself = house.call(neighbour).data
    before = set(house.processes())
    version = house.version(STRIKE.replace("STRIKE", strike), lifecycle=FRESH, max_workers=5)
    calls = [payload(n if n % 3 else "strike", timeout=5) for n in range(12)]
    outcomes = at_once(house, version, calls)
    innocent = [outcome for n, outcome in enumerate(outcomes) if n % 3]
    assert answers(innocent) == [[n, 0] for n in range(12) if n % 3]
    assert answers([house.call(version, "after")]) == [["after", 0]]
    assert house.call(neighbour).data == itself
    until(lambda: set(house.processes()) <= before)


# Replacement


def test_a_process_is_replaced_after_its_calls_and_no_call_waits(
    new_runner: Any, until: Callable[..., None]
) -> None:
    house = new_runner()
    # A top level that takes long shows whether anybody waits for it.
    script = f"import time\ntime.sleep(0.2)\n{IDENTITY}"
    version = house.version(script, lifecycle=Lifecycle(max_calls=5), max_workers=1)
    keep(house, version)
    outcomes = []

    def replaced(times: int) -> bool:
        outcomes.append(house.call(version))
        return len({outcome.data for outcome in outcomes}) > times

    until(lambda: replaced(2))
    assert len({outcome.data for outcome in outcomes[:5]}) == 1
    assert max(outcome.queued for outcome in outcomes) < 0.15
    until(lambda: len(house.processes()) <= 4)


def test_a_process_is_replaced_when_it_is_old_even_if_idle(
    new_runner: Any, until: Callable[..., None]
) -> None:
    house = new_runner()
    version = house.version(IDENTITY, lifecycle=Lifecycle(max_age=1.0))
    keep(house, version)
    before = set(house.processes())
    until(lambda: len(before - set(house.processes())) == 1)
    assert house.call(version).queued < 0.1


def test_a_replaced_process_finishes_its_calls(
    new_runner: Any, payload: Any, until: Callable[..., None]
) -> None:
    house = new_runner()
    script = """
import asyncio, random
me = random.random()
async def hook(event, context):
    await asyncio.sleep(event)
    return me
"""
    version = house.version(script, lifecycle=Lifecycle(max_calls=1))
    keep(house, version)
    long = house.later(house.runner.run(version, payload(1.0)))
    first: list[Any] = []

    def replaced() -> bool:
        first.append(orjson.loads(house.call(version, 0).data))
        return len(set(first)) > 1

    until(replaced)
    assert answers([long()]) == first[:1]


def test_a_replacement_that_does_not_load_leaves_the_old_process_at_work(
    new_runner: Any, payload: Any, until: Callable[..., None]
) -> None:
    house = new_runner()
    secrets = {"LOADS": "yes"}
    version = house.version(IDENTITY, lifecycle=Lifecycle(max_calls=2), max_workers=1)
    opened = []

    def open_once() -> dict[str, str]:
        opened.append(1)
        if len(opened) > 1:
            raise RuntimeError("the vault is gone")
        return secrets

    object.__setattr__(version, "open_secrets", open_once)
    keep(house, version)
    seen = set()

    def tried_again() -> bool:
        seen.update(answers(at_once(house, version, [payload()] * 5)))
        return len(opened) > 2

    until(tried_again)
    assert len(seen) == 1
    assert len(opened) < 10, "it is tried again, after pauses"


# Concurrency


def test_with_concurrency_1_nothing_waits_inside_a_process(house: Any, payload: Any) -> None:
    script = """
import os, select, time
def hook(event, context):
    time.sleep(0.02)
    return bool(select.select([3], [], [], 0)[0])
"""
    for concurrency, expected in ((1, {False}), (4, {False, True})):
        version = house.version(script, lifecycle=Lifecycle(concurrency=concurrency), max_workers=1)
        house.call(version)
        assert set(answers(at_once(house, version, [payload()] * 6))) <= expected
        if concurrency == 1:
            assert set(answers(at_once(house, version, [payload()] * 6))) == {False}


@pytest.mark.parametrize(("concurrency", "at_most"), [(1, 1), (3, 3)])
def test_async_calls_in_flight_are_capped(
    house: Any, payload: Any, concurrency: int, at_most: int
) -> None:
    script = """
import asyncio
now = most = 0
async def hook(event, context):
    global now, most
    now += 1
    most = max(most, now)
    await asyncio.sleep(0.02)
    now -= 1
    return most
"""
    version = house.version(script, lifecycle=Lifecycle(concurrency=concurrency), max_workers=1)
    assert max(answers(at_once(house, version, [payload()] * 12))) == at_most


@pytest.mark.parametrize("concurrency", [1, 4])
def test_calls_behind_a_killed_one_run_exactly_once(
    house: Any, payload: Any, concurrency: int
) -> None:
    script = """
def hook(event, context):
    print("ran", event)
    while event == "loop": pass
    return event
"""
    version = house.version(script, lifecycle=Lifecycle(concurrency=concurrency), max_workers=1)
    assert house.call(version, "warm").data == b'"warm"'
    names = [f"behind-{concurrency}-{number}" for number in range(3)]
    calls = [payload("loop", timeout=0.4), *(payload(n, name=n) for n in names)]
    stuck, *others = at_once(house, version, calls)
    assert stuck.kind is OutcomeKind.TIMED_OUT
    assert answers(others) == names
    for name in names:
        lines = house.lines_of(name)
        # The fixture that runs both levels shares the runner's name space, never the call's.
        assert lines == [f"ran {name}"]


# Readiness


def test_as_many_processes_as_asked_for_are_ready_and_stay_so(
    new_runner: Any, payload: Any, until: Callable[..., None]
) -> None:
    house = new_runner()
    base = len(house.processes())
    version = house.version(SLEEPER, lifecycle=Lifecycle(min_ready=3), max_workers=5)
    keep(house, version)
    until(lambda: len(house.processes()) == base + 3)
    victim = max(house.processes())
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in house.processes() and len(house.processes()) == base + 3)
    until(lambda: len({me for me, *_ in answers(at_once(house, version, [payload(0.3)] * 3))}) == 3)


def test_processes_grow_with_load_and_shrink_again(
    new_runner: Any, payload: Any, until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.runtime.runner._SHRINK_AFTER", 0.5)
    house = new_runner()
    base = len(house.processes())
    version = house.version(SLEEPER, lifecycle=Lifecycle(min_ready=2), max_workers=5)
    keep(house, version)
    at_once(house, version, [payload(0.1)] * 12)
    assert len(house.processes()) > base + 2
    until(lambda: len(house.processes()) == base + 2)


def test_more_processes_asked_for_than_there_may_be_cause_no_churn(new_runner: Any) -> None:
    house = new_runner(most=3)
    versions = [house.version(IDENTITY, lifecycle=Lifecycle(min_ready=2)) for _ in range(3)]
    keep(house, *versions)
    before = set(house.processes())
    house.do(asyncio.sleep(0.5))
    assert set(house.processes()) == before
    assert {house.call(version).kind for version in versions} == {OutcomeKind.SUCCEEDED}


def test_an_expected_version_has_its_process_before_it_is_enabled(
    new_runner: Any, until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.runtime.runner._LINGER", 0.5)
    house = new_runner()
    base = len(house.processes())
    enabled, refused = house.version(IDENTITY), house.version(IDENTITY)

    async def expect(version: HookVersion) -> None:
        house.runner.expect([version])

    house.do(expect(enabled))
    until(lambda: len(house.processes()) == base + 1)
    before = set(house.processes())
    keep(house, enabled)
    assert house.call(enabled).kind is OutcomeKind.SUCCEEDED
    assert set(house.processes()) == before, "it is the process that was started ahead"
    house.do(expect(refused))
    until(lambda: len(house.processes()) == base + 2)
    until(lambda: set(house.processes()) == before)


# Memory over all hooks


def test_all_processes_together_get_no_more_memory_than_they_may(
    new_runner: Any, payload: Any
) -> None:
    house = new_runner(max_memory="600MiB")
    base = len(house.processes())
    versions = [house.version(SLEEPER, max_workers=1) for _ in range(4)]
    running = [house.later(house.runner.run(version, payload(0.3))) for version in versions]
    house.do(asyncio.sleep(0.15))
    assert len(house.processes()) <= base + 2
    assert answers([result() for result in running])
    assert len(house.processes()) <= base + 2


def test_a_call_that_gets_no_memory_says_so(new_runner: Any, payload: Any) -> None:
    house = new_runner(max_memory="300MiB")
    running = house.later(house.runner.run(house.version(SLEEPER), payload(0.8)))
    outcome = house.call(house.version(IDENTITY), timeout=0.2)
    assert outcome.kind is OutcomeKind.OVERLOADED
    assert "300 MiB that all together may use" in outcome.detail
    assert running().kind is OutcomeKind.SUCCEEDED


def test_one_large_hook_takes_the_place_of_several_idle_ones(
    new_runner: Any, until: Callable[..., None]
) -> None:
    house = new_runner(max_memory="1GiB")
    base = len(house.processes())
    small = [house.version(IDENTITY, memory_bytes=250 << 20) for _ in range(4)]
    for version in small:
        house.call(version)
    assert len(house.processes()) == base + 4
    assert house.call(house.version(IDENTITY, memory_bytes=700 << 20)).data
    until(lambda: len(house.processes()) == base + 2)


def test_a_hook_that_never_fits_is_refused_at_once_with_what_to_do(new_runner: Any) -> None:
    house = new_runner(max_memory="300MiB")
    for _ in range(2):
        outcome = house.call(house.version(IDENTITY, memory_bytes=512 << 20), timeout=30)
        assert outcome.kind is OutcomeKind.OVERLOADED
        assert "max_memory" in outcome.detail
        assert outcome.queued < 1
