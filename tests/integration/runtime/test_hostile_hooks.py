"""What a hostile hook tries; each test runs with every layer, and again without namespaces.

Each proves: the attack failed, and by which layer; the attacked call was answered in time; another
hook's warm worker went on, and so did the server; no process, shared memory or file is left over.
"""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.domain.outcomes import Outcome, OutcomeKind

VICTIM = """
calls = 0
def hook(event, context):
    global calls
    calls += 1
    return [calls, context.secrets["KEY"]]
"""
SECRET = "the-victim's-secret"

STOPPED_BY = {
    "seccomp": {"EPERM", "gaierror"},
    "Landlock": {"EACCES"},
    "mount namespace": {"ENOENT"},
    "resource limits": {"ValueError"},
    # Where every user may not read the standard library, what was not imported ahead is not there.
    "files of Python": {"ModuleNotFoundError"},
}
"""How a refusal looks, by the layer that it comes from."""


class Arena:
    """Attacks, watched."""

    def __init__(
        self,
        house: Any,
        attempt: str,
        until: Callable[[Callable[[], bool]], None],
        traces: Callable[[], set[str]],
    ) -> None:
        self.house = house
        self._attempt = attempt
        self._until = until
        self._traces = traces
        self._victim = house.version(VICTIM, secrets={"KEY": SECRET}, max_workers=1)
        self.calls = 0
        self._see_victim()

    def strike(
        self, script: str, event: object = None, *, timeout: float = 5, **limits: int
    ) -> Outcome:
        """Run a hostile script once, check all that must hold after any attack."""
        limits = {"max_workers": 1} | limits
        attacker = self.house.version(self._attempt + script, **limits)
        baseline, traces = len(self.house.processes()), self._traces()
        began = time.monotonic()
        outcome: Outcome = self.house.call(attacker, event, timeout=timeout)
        assert time.monotonic() - began < timeout + 2, "the call was answered in time"
        self._see_victim()
        self._until(lambda: len(self.house.processes()) <= baseline + 1)
        assert self._traces() == traces, "something outlived it"
        self._see_another_hook_run()
        return outcome

    def refuses(self, script: str, event: object = None, *, by: tuple[str, ...]) -> None:
        """Run a script that answers with a list of attempts; see which layers refused them."""
        outcome = self.strike(script, event)
        assert outcome.kind is OutcomeKind.SUCCEEDED, outcome
        answers = orjson.loads(outcome.data or b"[]")
        assert answers
        got = [answer["got"] for answer in answers if "got" in answer]
        assert got == [], "an attack worked"
        explained = set().union(*(STOPPED_BY[layer] for layer in by))
        assert {answer["refused"] for answer in answers} <= explained, "stopped by something else"

    def _see_victim(self) -> None:
        self.calls += 1
        outcome = self.house.call(self._victim)
        assert outcome.kind is OutcomeKind.SUCCEEDED, outcome
        # The count shows that it is still the same process.
        assert orjson.loads(outcome.data) == [self.calls, SECRET]

    def _see_another_hook_run(self) -> None:
        harmless = self.house.version("def hook(event, context):\n    return event", max_workers=1)
        outcome = self.house.call(harmless, "fine")
        assert (outcome.kind, outcome.data) == (OutcomeKind.SUCCEEDED, b'"fine"')


@pytest.fixture(scope="module")
def arena(house: Any, attempt: str, until: Any, traces: Any) -> Arena:
    return Arena(house, attempt, until, traces)


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that every user of the machine may read and write: only isolation protects it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        database = folder / "hookledger.db"
        database.write_text("every event")
        database.chmod(0o666)
        yield folder


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


# Files


def test_no_file_can_be_read(arena: Arena, open_folder: Path) -> None:
    import orjson as package

    paths = [
        "/etc/passwd", "/etc/hostname", "/", "/proc", "/proc/self/environ", "/sys", "/dev", "/root",
        "/home", "/tmp", __file__, str(open_folder), str(open_folder / "hookledger.db"),
        package.__file__, str(Path(package.__file__).parent.parent), "..", ".",
    ]  # fmt: skip
    arena.refuses(
        """
import os
def hook(paths, context):
    found = []
    for path in paths:
        listed = attempt(os.listdir, path)
        found.append(attempt(open, path) if listed == {"refused": "ENOTDIR"} else listed)
    return found
""",
        paths,
        by=("Landlock", "mount namespace"),
    )


def test_nothing_can_be_written(arena: Arena, open_folder: Path) -> None:
    before = sorted(open_folder.iterdir())
    arena.refuses(
        """
import os, tempfile
def write(path):
    with open(path, "w") as file: file.write("owned")
def hook(folder, context):
    library = os.path.dirname(os.__file__)
    found = [
        attempt(write, path)
        for path in (f"{folder}/new", f"{folder}/hookledger.db", "/tmp/x", "/dev/shm/x", "x",
                     "/dev/null", "/proc/self/oom_score_adj", f"{library}/os.py", f"{library}/new")
    ]
    for base in (folder, "/tmp", library, "."):
        found += [attempt(os.mkdir, f"{base}/made"), attempt(os.symlink, "/", f"{base}/link")]
        found += [attempt(os.mkfifo, f"{base}/pipe"), attempt(os.chmod, base, 0o777)]
        found += [attempt(os.open, base, os.O_TMPFILE | os.O_RDWR)]
    found += [attempt(os.unlink, f"{folder}/hookledger.db"), attempt(os.truncate, f"{folder}/hookledger.db", 0)]
    found += [attempt(os.rename, f"{folder}/hookledger.db", f"{folder}/gone"), attempt(tempfile.mkstemp)]
    return found + [attempt(os.chdir, "/tmp"), attempt(os.chroot, "/")]
""",
        str(open_folder),
        by=("seccomp", "mount namespace"),
    )
    assert sorted(open_folder.iterdir()) == before
    assert (open_folder / "hookledger.db").read_text() == "every event"


def test_packages_of_the_server_cannot_be_imported(arena: Arena) -> None:
    arena.refuses(
        """
import importlib
def hook(event, context):
    return [attempt(importlib.import_module, name)
            for name in ("starlette", "pytest", "pip", "config.settings", "app.domain.hooks.hook")]
""",
        by=("Landlock", "mount namespace", "files of Python"),
    )


# Network


def test_no_socket_reaches_anything(arena: Arena, open_folder: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(type=socket.SOCK_DGRAM) as udp,
    ):
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(0.1)
        tcp.settimeout(0.1)
        with socket.socket(socket.AF_UNIX) as unix, socket.socket(socket.AF_UNIX) as abstract:
            unix.bind(str(open_folder / "socket"))
            unix.listen()
            (open_folder / "socket").chmod(0o777)
            abstract.bind(f"\0hookledger-test-{os.getpid()}")
            abstract.listen()
            arena.refuses(
                """
import socket
def connect(family, address):
    with socket.socket(family) as s: s.connect(address)
def send(address):
    with socket.socket(type=socket.SOCK_DGRAM) as s: s.sendto(b"leak", address)
def through_a_pair(address):
    one, other = socket.socketpair(type=socket.SOCK_DGRAM)
    try: one.sendto(b"leak", address)
    finally: one.close(), other.close()
def adopted(path):
    one, other = socket.socketpair()
    one.connect(path)
def hook(given, context):
    tcp, udp, path, name = given
    return [
        attempt(connect, socket.AF_INET, ("127.0.0.1", tcp)), attempt(send, ("127.0.0.1", udp)),
        attempt(connect, socket.AF_UNIX, path), attempt(connect, socket.AF_UNIX, "\\0" + name),
        attempt(through_a_pair, path), attempt(adopted, path),
        attempt(socket.create_server, ("127.0.0.1", 0)), attempt(socket.getaddrinfo, "example.com", 80),
        attempt(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW), attempt(socket.socket, socket.AF_INET6),
        attempt(socket.socket, socket.AF_VSOCK), attempt(socket.socket, socket.AF_PACKET, socket.SOCK_RAW),
    ]
""",
                [
                    tcp.getsockname()[1],
                    udp.getsockname()[1],
                    str(open_folder / "socket"),
                    f"hookledger-test-{os.getpid()}",
                ],
                by=("seccomp",),
            )
        with pytest.raises(TimeoutError):
            tcp.accept()
        with pytest.raises(TimeoutError):
            udp.recv(4)
    (open_folder / "socket").unlink()


# The kernel

REFUSED_CALLS = {
    "x86_64": {
        "unshare": (272, 0x10000000), "setns": (308, 3, 0), "mount": (165, 0, 0, 0, 0, 0),
        "pivot_root": (155, 0, 0), "io_uring_setup": (425, 1, 0), "bpf": (321, 0, 0, 0),
        "keyctl": (250, 0, 0), "userfaultfd": (323, 0), "perf_event_open": (298, 0, 0, 0, 0, 0),
        "open_by_handle_at": (304, 0, 0, 0), "setuid": (105, 0), "prctl": (157, 4, 1),
        "clone-new-user": (56, 0x10000000 | 17, 0, 0, 0, 0), "seccomp": (317, 0, 0, 0),
        "fork": (57,), "vfork": (58,), "ptrace": (101, 0), "memfd_secret": (447, 0),
        "pidfd_getfd": (438, 3, 3, 0), "rt_sigqueueinfo": (129, 1, 9, 0), "personality": (135, 0x40000),
        "landlock_create_ruleset": (444, 0, 0, 1), "kcmp": (312, 1, 1, 0, 0, 0), "mq_open": (240, 0, 0, 0, 0),
        "sendmsg": (46, 3, 0, 0), "recvmsg": (47, 3, 0, 0), "tgkill": (234, 1, 1, 9), "pidfd_send_signal": (424, 0, 9, 0, 0),
        "add_key": (248, 0, 0, 0, 0, 0), "inotify_init1": (294, 0), "fanotify_init": (300, 0, 0), "process_madvise": (440, 0, 0, 0, 0, 0),
        "chroot": (161, 0), "init_module": (175, 0, 0, 0), "kexec_load": (246, 0, 0, 0, 0), "clock_settime": (227, 0, 0),
        "open_tree": (428, 0, 0, 0), "move_mount": (429, 0, 0, 0, 0, 0), "fsopen": (430, 0, 0), "mount_setattr": (442, 0, 0, 0, 0, 0),
        "vmsplice": (278, 0, 0, 0, 0), "io_setup": (206, 1, 0), "name_to_handle_at": (303, 0, 0, 0, 0, 0), "execve": (59, 0, 0, 0),
        "rt_tgsigqueueinfo": (297, 1, 1, 9, 0), "shmat": (30, 0, 0, 0), "sched_setscheduler": (144, 0, 0, 0), "timer_create": (222, 0, 0, 0), "execveat": (322, 0, 0, 0, 0, 0),
    },
    "aarch64": {
        "unshare": (97, 0x10000000), "setns": (268, 3, 0), "mount": (40, 0, 0, 0, 0, 0),
        "io_uring_setup": (425, 1, 0), "bpf": (280, 0, 0, 0), "userfaultfd": (282, 0),
        "clone-new-user": (220, 0x10000000 | 17, 0, 0, 0, 0), "ptrace": (117, 0),
        "setuid": (146, 0), "prctl": (167, 4, 1),
    },
}  # fmt: skip


def test_calls_that_widen_the_attack_surface_are_refused(arena: Arena) -> None:
    arena.refuses(
        """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    if libc.syscall(*arguments) == -1: raise OSError(ctypes.get_errno(), "refused")
def hook(calls, context):
    return [attempt(call, *arguments) for arguments in calls]
""",
        list(REFUSED_CALLS[os.uname().machine].values()),
        by=("seccomp",),
    )


def test_limits_cannot_be_raised_nor_ids_regained(arena: Arena) -> None:
    arena.refuses(
        """
import os, resource
def raised(which):
    resource.setrlimit(which, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
def lowered(): resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
def hook(event, context):
    assert os.getuid() != 0 and os.getgid() != 0
    return [attempt(raised, which) for which in (resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC)] + [
        attempt(lowered), attempt(os.setuid, 0), attempt(os.setresuid, 0, 0, 0), attempt(os.setgroups, [0]),
        attempt(os.setsid), attempt(os.nice, -5),
    ]
""",
        by=("seccomp", "resource limits"),
    )


# What a worker holds


def test_a_worker_holds_nothing_of_the_server(arena: Arena) -> None:
    outcome = arena.strike("""
import gc, os, sys
def is_open(fd):
    try: os.fstat(fd)
    except OSError: return False
    return True
def hook(event, context):
    values = [v for o in gc.get_objects() if isinstance(o, dict) for v in list(o.values())]
    seen = any(type(value) is str and "'s-secret" in value for value in values)
    started_with = [sys.argv, sys.orig_argv]
    return [[fd for fd in range(1024) if is_open(fd)], dict(os.environ), started_with, seen]
""")
    assert orjson.loads(outcome.data or b"") == [[0, 1, 2, 3], {}, [[""], [""]], False]


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
