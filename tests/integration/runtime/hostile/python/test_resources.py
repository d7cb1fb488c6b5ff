"""Hooks that take time, memory and processes: no more than they may."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from app.domain.outcomes import OutcomeKind
from tests.integration.runtime.hostile.python.arena import PythonArena as Arena

# Time


@pytest.mark.parametrize(
    "body",
    [
        "    while True: pass",
        "    import re; re.match(r'(a+)+$', 'a' * 64 + 'b')",
        """
    import signal
    for number in range(1, 65):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    while True:
        try:
            while True: pass
        except BaseException: pass""",
        "    import time; time.sleep(3600)",
        "    import threading; threading.Lock().acquire(); threading.Event().wait()",
        "    return 7 ** (7 ** 12) % 11",
    ],
    ids=["loop", "regex", "ignoring-signals", "sleep", "wait", "arithmetic"],
)
def test_a_hook_does_not_outlive_its_deadline(arena: Arena, body: str) -> None:
    began = time.monotonic()
    outcome = arena.strike(f"def hook(event, context):\n{body}", timeout=0.4)
    assert outcome.kind is OutcomeKind.TIMED_OUT
    assert "0.4 s" in outcome.detail
    assert 0.4 <= outcome.ran < 1
    assert time.monotonic() - began < 3


def test_threads_left_behind_stand_still(arena: Arena, until: Any) -> None:
    house = arena.house
    script = """
import threading
count = 0
def spin():
    global count
    while True: count += 1
def hook(event, context):
    if event == "start":
        threading.Thread(target=spin, daemon=True).start()
    return count
"""
    attacker = house.version(script, max_workers=1)
    before = set(house.processes())
    assert house.call(attacker, "start").kind is OutcomeKind.SUCCEEDED
    (process,) = set(house.processes()) - before
    until(lambda: house.processes().get(process) == "T")
    outcome = house.call(attacker, "look")
    assert outcome.kind is OutcomeKind.SUCCEEDED
    assert int(outcome.data) > 0


# Memory


@pytest.mark.parametrize(
    "body",
    [
        "    return len(bytearray(10 << 30))",
        "    kept = []\n    while True: kept.append(bytearray(1 << 20))",
        "    import mmap\n    kept = []\n    while True: kept.append(mmap.mmap(-1, 1 << 20))",
        "    x = 'x'\n    while True: x += x",
    ],
    ids=["at-once", "step-by-step", "shared-mapping", "text"],
)
def test_a_hook_does_not_get_more_memory_than_it_may(arena: Arena, body: str) -> None:
    outcome = arena.strike(f"def hook(event, context):\n{body}")
    if outcome.kind is OutcomeKind.ERRORED:
        assert b"OSError" in (outcome.data or b"")  # a mapping is refused as an error of its own
    else:
        assert outcome.kind is OutcomeKind.OUT_OF_MEMORY
        assert "256 MiB" in outcome.detail


def test_memory_that_no_limit_counts_is_refused(arena: Arena) -> None:
    arena.refuses(
        """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def checked(*arguments):
    result = getattr(libc, arguments[0])(*arguments[1:])
    if result == -1: raise OSError(ctypes.get_errno(), "refused")
    return result
def shared_memory():
    from multiprocessing.shared_memory import SharedMemory
    return SharedMemory(create=True, size=1 << 20)
def hook(event, context):
    return [
        attempt(os.memfd_create, "x"),
        attempt(checked, "shmget", 0, 1 << 30, 0o1600),
        attempt(checked, "msgget", 0, 0o1600),
        attempt(checked, "semget", 0, 1, 0o1600),
        attempt(shared_memory),
    ]
""",
        by=("seccomp", "files of Python"),
    )


def test_too_many_threads_harm_only_their_worker(arena: Arena) -> None:
    outcome = arena.strike("""
import threading
def hook(event, context):
    stop = threading.Event()
    started = 0
    try:
        for _ in range(10_000):
            threading.Thread(target=stop.wait, daemon=True).start()
            started += 1
    except RuntimeError:
        pass
    stop.set()
    return started
""")
    if outcome.kind is OutcomeKind.SUCCEEDED:
        assert int(outcome.data or b"0") < 100
    else:
        assert outcome.kind in (OutcomeKind.OUT_OF_MEMORY, OutcomeKind.CRASHED)


# Processes


def test_no_process_can_be_made(arena: Arena) -> None:
    arena.refuses(
        """
import os, subprocess
def bomb():
    while True: os.fork()
def spawn():
    return os.posix_spawn("/bin/true", ["true"], {})
def process():
    import multiprocessing
    child = multiprocessing.get_context("fork").Process(target=print)
    child.start()
def hook(event, context):
    return [
        attempt(os.fork), attempt(bomb), attempt(spawn), attempt(process),
        attempt(subprocess.run, ["/bin/true"]), attempt(os.execv, "/bin/true", ["true"]),
        attempt(os.forkpty), attempt(os.popen, "true"),
    ]
""",
        by=("seccomp", "files of Python"),
    )


def test_no_other_process_can_be_reached(arena: Arena) -> None:
    targets = [os.getpid(), *arena.house.processes()]
    arena.refuses(
        """
import ctypes, os, signal
libc = ctypes.CDLL(None, use_errno=True)
def ptrace(pid):
    if libc.ptrace(16, pid, 0, 0) == -1: raise OSError(ctypes.get_errno(), "refused")
def peek(pid):
    class Vector(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
    buffer = ctypes.create_string_buffer(8)
    here, there = Vector(ctypes.addressof(buffer), 8), Vector(0x400000, 8)
    if libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) == -1:
        raise OSError(ctypes.get_errno(), "refused")
def hook(targets, context):
    found = [attempt(os.kill, pid, 9) for pid in (-1, 0, 1, os.getppid(), *targets)]
    for pid in (1, os.getppid(), *targets):
        found += [attempt(os.pidfd_open, pid), attempt(ptrace, pid), attempt(peek, pid)]
        found += [attempt(open, f"/proc/{pid}/{name}") for name in ("environ", "mem", "maps", "cmdline")]
        found.append(attempt(os.setpriority, os.PRIO_PROCESS, pid, 19))
        found.append(attempt(os.sched_setaffinity, pid, {0}))
    return found + [attempt(os.listdir, "/proc"), attempt(os.killpg, 1, 9)]
""",
        targets,
        by=("seccomp", "Landlock", "mount namespace"),
    )


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        ("import os; os._exit(0)", OutcomeKind.CRASHED, "exit code 0"),
        ("import os; os._exit(3)", OutcomeKind.CRASHED, "exit code 3"),
        ("import os; os._exit(78)", OutcomeKind.CRASHED, "exit code 78"),
        ("import ctypes; ctypes.string_at(0)", OutcomeKind.CRASHED, "SIGSEGV"),
        ("import os; os.abort()", OutcomeKind.CRASHED, "SIG"),
        ("import os; os.close(3); import time; time.sleep(60)", OutcomeKind.VIOLATED, "connection"),
    ],
    ids=["exit-0", "exit-3", "exit-as-if-unconfined", "segfault", "abort", "hang-up"],
)
def test_a_worker_that_ends_is_an_error_of_the_call(
    arena: Arena, body: str, kind: OutcomeKind, told: str
) -> None:
    outcome = arena.strike(f"def hook(event, context):\n    {body}")
    assert outcome.kind is kind
    assert told in outcome.detail
    assert outcome.ran < 2


@pytest.mark.parametrize(
    "ending", ["sys.exit(3)", "raise KeyboardInterrupt", "raise GeneratorExit"]
)
def test_leaving_by_an_exception_is_an_error_of_the_hook(arena: Arena, ending: str) -> None:
    outcome = arena.strike(f"import sys\ndef hook(event, context):\n    {ending}")
    assert outcome.kind is OutcomeKind.ERRORED
