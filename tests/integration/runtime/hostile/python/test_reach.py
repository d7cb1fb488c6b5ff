"""Hooks that reach for files, the network, the kernel and what a worker holds."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import orjson
import pytest

from tests.integration.runtime.hostile.python.arena import PythonArena as Arena

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
