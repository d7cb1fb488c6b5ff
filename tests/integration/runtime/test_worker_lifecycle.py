"""Workers come and go: deadlines, replacement, growth, bounds, and what survives a kill."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from app.domain.outcomes import HookVersion, Outcome, OutcomeKind

ECHO = "def hook(event, context):\n    return event"
STUCK_ON_LOOP = """
def hook(event, context):
    while event == "loop": pass
    return event
"""
COUNTING_SLEEPER = """
import time
calls = 0
def hook(event, context):
    global calls
    calls += 1
    time.sleep(event)
    return calls
"""


@pytest.fixture
def small_house(new_house: Any) -> Iterator[Any]:
    """A runner for one test, with room for two workers in all."""
    made = new_house(most=2)
    made.do(made.runner.start())
    yield made
    made.close()


def at_once(house: Any, version: HookVersion, calls: list[Any]) -> list[Outcome]:
    async def together() -> list[Outcome]:
        return list(await asyncio.gather(*(house.runner.run(version, call) for call in calls)))

    return cast("list[Outcome]", house.do(together()))


# Deadlines and queues


def test_calls_behind_a_stuck_one_run_on_another_worker(house: Any, payload: Any) -> None:
    version = house.version(STUCK_ON_LOOP, max_workers=1)
    assert house.call(version, "warm").data == b'"warm"'
    calls = [payload("loop", timeout=0.4), *(payload(n, timeout=10) for n in range(3))]
    stuck, *others = at_once(house, version, calls)
    assert stuck.kind is OutcomeKind.TIMED_OUT
    assert [outcome.data for outcome in others] == [b"0", b"1", b"2"]
    assert all(outcome.queued >= 0.4 for outcome in others)


def test_the_clock_of_a_call_begins_when_its_turn_comes(house: Any, payload: Any) -> None:
    version = house.version(COUNTING_SLEEPER, max_workers=1)
    assert house.call(version, 0).data == b"1"
    first, second = at_once(house, version, [payload(0.3, timeout=0.5)] * 2)
    assert (first.data, second.data) == (b"2", b"3")
    assert second.queued >= 0.3
    assert second.ran < 0.5


def test_a_call_that_waited_too_long_is_never_started(house: Any, payload: Any) -> None:
    version = house.version(COUNTING_SLEEPER, max_workers=1)
    assert house.call(version, 0).data == b"1"
    calls = [payload(0.5, timeout=2), payload(0, timeout=0.2), payload(0, timeout=2)]
    first, late, last = at_once(house, version, calls)
    assert first.data == b"2"
    assert late.kind is OutcomeKind.OVERLOADED
    assert "did not start" in late.detail
    assert last.data == b"3"


def test_a_stuck_async_call_takes_its_neighbours_down_and_says_so(house: Any, payload: Any) -> None:
    version = house.version(
        """
import asyncio
async def hook(event, context):
    while event == "loop": await asyncio.sleep(0)
    await asyncio.sleep(event)
    return event
""",
        max_workers=1,
    )
    assert house.call(version, 0).data == b"0"
    calls = [payload(5, timeout=9), payload("loop", timeout=0.3), payload(0.01, timeout=9)]
    neighbour, stuck, quick = at_once(house, version, calls)
    assert quick.data == b"0.01"
    assert stuck.kind is OutcomeKind.TIMED_OUT
    assert neighbour.kind is OutcomeKind.CRASHED
    assert "Another call in the same worker passed its deadline" in neighbour.detail
    assert house.call(version, 0).data == b"0"


def test_the_top_level_of_a_script_has_a_deadline_too(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.runtime.workers.LOAD_SECONDS", 0.3)
    outcome = house.call(house.version("while True: pass"), timeout=5)
    assert outcome.kind is OutcomeKind.TIMED_OUT
    assert "top level" in outcome.detail


def test_a_call_is_told_that_the_script_is_still_loading(house: Any) -> None:
    version = house.version(f"import time\ntime.sleep(0.6)\n{ECHO}")
    outcome = house.call(version, timeout=0.2)
    assert outcome.kind is OutcomeKind.OVERLOADED
    assert "top level was still running" in outcome.detail
    assert house.call(version, 1).data == b"1"


def test_a_caller_that_goes_away_disturbs_nobody(house: Any, payload: Any) -> None:
    version = house.version(COUNTING_SLEEPER, max_workers=1)
    assert house.call(version, 0).data == b"1"

    async def leave() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(house.runner.run(version, payload(0.3)), 0.05)

    house.do(leave())
    assert house.call(version, 0).data == b"3"


def test_waiting_calls_get_a_second_worker(house: Any, payload: Any) -> None:
    version = house.version(
        "import time\nhere = object()\ndef hook(event, context):\n    time.sleep(0.1)\n    return id(here) + hash(here)",
        max_workers=2,
    )
    house.call(version)
    baseline = len(house.processes())
    at_once(house, version, [payload(timeout=30)] * 30)
    assert len(house.processes()) == baseline + 1


# Preparing


def test_a_prepared_version_is_warm_and_others_retire(
    small_house: Any, until: Callable[..., None]
) -> None:
    house = small_house
    old, new = house.version(ECHO), house.version(ECHO)
    house.do(house.runner.prepare([old]))
    assert house.call(old, 1).queued < 0.003
    house.do(house.runner.prepare([new]))
    assert house.call(new, 1).queued < 0.003
    until(lambda: len(house.processes()) == 3)


def test_a_running_call_finishes_on_the_old_code(
    small_house: Any, payload: Any, until: Callable[..., None]
) -> None:
    house = small_house
    old = house.version(COUNTING_SLEEPER, max_workers=1)
    new = house.version("def hook(event, context):\n    return 'new'", max_workers=1)
    house.do(house.runner.prepare([old]))
    running = house.later(house.runner.run(old, payload(0.5)))
    house.do(house.runner.prepare([new]))
    assert house.call(new).data == b'"new"'
    assert len(house.processes()) == 4
    assert running().data == b"1"
    until(lambda: len(house.processes()) == 3)


def test_preparing_a_script_that_does_not_load_ends(small_house: Any) -> None:
    house = small_house
    broken, fine = house.version("1 / 0"), house.version(ECHO)
    house.do(house.runner.prepare([broken, fine]), 5)
    assert house.call(fine, 1).data == b"1"
    assert house.call(broken).kind is OutcomeKind.ERRORED


def test_a_kept_worker_that_dies_is_replaced_before_it_is_needed(
    small_house: Any, until: Callable[..., None]
) -> None:
    house = small_house
    version = house.version(ECHO)
    before = set(house.processes())
    house.do(house.runner.prepare([version]))
    (worker,) = set(house.processes()) - before
    os.kill(worker, signal.SIGKILL)
    until(lambda: len(house.processes()) == 3 and worker not in house.processes())
    assert house.call(version, 1).data == b"1"


# Bounds


def test_more_hooks_than_workers_take_turns(small_house: Any) -> None:
    house = small_house
    versions = [house.version(ECHO) for _ in range(5)]
    for round_number in range(2):
        for version in versions:
            assert house.call(version, round_number).data == str(round_number).encode()
            assert len(house.processes()) <= 2 + 2


def test_a_call_waits_for_room_as_long_as_its_timeout(small_house: Any, payload: Any) -> None:
    house = small_house
    busy = house.version(COUNTING_SLEEPER, max_workers=2)
    running = [house.later(house.runner.run(busy, payload(0.7))) for _ in range(2)]
    house.call(busy, 0, timeout=5)
    running += [house.later(house.runner.run(busy, payload(0.7))) for _ in range(2)]
    waiting = house.version(ECHO)
    patient = house.later(house.runner.run(waiting, payload("patient", timeout=9)))
    outcome = house.call(house.version(ECHO), timeout=0.1)
    assert outcome.kind is OutcomeKind.OVERLOADED
    assert "busy with other hooks" in outcome.detail
    assert patient().data == b'"patient"'
    assert all(result().kind is OutcomeKind.SUCCEEDED for result in running)


# The process that starts workers


def test_workers_come_back_after_their_starter_was_killed(
    house: Any, payload: Any, until: Callable[..., None]
) -> None:
    version = house.version(COUNTING_SLEEPER, max_workers=1)
    house.call(version, 0)
    starter = house.runner.launcher_pid
    old = set(house.processes())
    running = house.later(house.runner.run(version, payload(5)))
    queued = house.later(house.runner.run(version, payload(0)))
    os.kill(next(pid for pid in old if parent_of(pid) == starter), signal.SIGKILL)
    outcome = running()
    assert outcome.kind is OutcomeKind.CRASHED
    assert "starts workers ended" in outcome.detail
    assert queued().data == b"1"
    assert house.runner.launcher_pid != starter
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in old))


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
    except OSError:  # it has ended meanwhile
        return 0


def test_stopping_leaves_no_process_and_no_descriptor(
    new_house: Any, session: Any, payload: Any
) -> None:
    before = descriptors()
    house = new_house()
    house.do(house.runner.start())
    starter = house.runner.launcher_pid
    for script in (ECHO, "import os\ndef hook(event, context): os._exit(1)", "1 / 0"):
        house.call(house.version(script))
    stuck = house.later(house.runner.run(house.version(STUCK_ON_LOOP), payload("loop", timeout=30)))
    assert len(session(starter)) > 2
    house.close()
    assert session(starter) == {}
    assert descriptors() <= before
    assert stuck().kind in (OutcomeKind.CRASHED, OutcomeKind.OVERLOADED)


def descriptors() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def test_a_stopped_runner_says_so(new_house: Any, payload: Any) -> None:
    house = new_house()
    house.do(house.runner.start())
    house.do(house.runner.stop())
    outcome = house.do(house.runner.run(house.version(ECHO), payload()))
    assert outcome.kind is OutcomeKind.OVERLOADED
    assert "stopping" in outcome.detail
    house.close()


SERVER = """
import asyncio, sys
from datetime import UTC, datetime
from app.domain.outcomes import Call, HookVersion
from app.runtime.runner import IsolatedRunner

async def main():
    runner = IsolatedRunner(
        isolation="required", on_log=print, clock=lambda: datetime.now(UTC),
        namespaces=sys.argv[1] == "full",
    )
    await runner.start()
    scripts = {
        "node": "module.exports = (event, cb) => cb(null, [event, process.getuid()])",
        "python": "import os\\ndef hook(event):\\n    return [event, os.getuid()]",
    }
    answers = []
    for language, script in scripts.items():
        version = HookVersion(
            key=language, hook_id="h", name="n", trigger="t", language=language, script=script,
            parameters=("event",), open_secrets=dict,
        )
        outcome = await runner.run(version, Call("i", b'{"event": "echo"}', 10))
        answers.append(outcome.data.decode())
    print(runner.level, runner.launcher_pid, *answers, flush=True)
    if sys.argv[2] == "stay":
        await runner.run(version, Call("i", b'{"event": "echo"}', 10))
        await asyncio.sleep(60)
    await runner.stop()

asyncio.run(main())
"""


@pytest.mark.parametrize("level", ["full", "container"])
def test_nothing_outlives_a_killed_server(
    level: str, repository_root: Path, session: Any, until: Callable[..., None]
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, level, "stay"], cwd=repository_root, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        answer = server.stdout.readline().split()
        starter = int(answer[1])
        # The zygote's two halves and two workers; others in reserve may have come by now.
        assert len(session(starter)) >= 4
        server.kill()
        # What is dead and waits to be reaped is the machine's first process's affair.
        until(lambda: set(session(starter).values()) <= {"Z"})


@pytest.mark.parametrize("level", ["full", "container"])
def test_an_ordinary_user_can_isolate_hooks_too(
    level: str, repository_root: Path, is_root: bool
) -> None:
    if not is_root:
        pytest.skip("every other test shows it when the tests run as an ordinary user")
    user = 20_000
    interpreter = next(filter(lambda path: usable_by(user, path), interpreters()), None)
    if interpreter is None:
        pytest.skip(f"user {user} can execute no Python {sys.version_info[:2]} here")
    packages = [str(repository_root), *(path for path in sys.path if "site-packages" in path)]
    done = subprocess.run(
        [interpreter, "-c", SERVER, level, "go"],
        cwd="/",
        user=user,
        group=user,
        extra_groups=[],
        env={"PYTHONPATH": os.pathsep.join(packages), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    reached, _, *answers = done.stdout.split()
    assert reached == level
    assert [orjson.loads(answer) for answer in answers] == [["echo", user]] * 2


def interpreters() -> list[str]:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return [sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"]


def usable_by(user: int, path: str) -> bool:
    if not Path(path).exists():
        return False
    try:
        done = subprocess.run([path, "-c", ""], user=user, group=user, extra_groups=[], cwd="/")
    except PermissionError:
        return False
    return done.returncode == 0


def test_deaths_one_after_another_are_followed_by_a_pause(house: Any) -> None:
    version = house.version(
        textwrap.dedent("""
            import os
            def hook(event, context):
                if event == "die": os._exit(1)
                return event
        """),
        max_workers=1,
    )
    took = []
    for _ in range(5):
        began = time.monotonic()
        assert house.call(version, "die").kind is OutcomeKind.CRASHED
        took.append(time.monotonic() - began)
    assert took[4] > 0.15
    assert house.call(version, 1).data == b"1"
    began = time.monotonic()
    assert house.call(version, "die").kind is OutcomeKind.CRASHED
    assert house.call(version, 2).data == b"2"
    # Without the answer between, the pause would be 0.8 s by now.
    assert time.monotonic() - began < 0.7


def test_a_deadline_that_passes_after_the_answer_is_nobodys_failure(
    house: Any, caplog: pytest.LogCaptureFixture
) -> None:
    version = house.version(ECHO)
    assert house.call(version, 1, timeout=0.1).data == b"1"
    house.do(asyncio.sleep(0.3))
    assert [record.getMessage() for record in caplog.records] == []
