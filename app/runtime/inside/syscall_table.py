"""What a hook may ask of the kernel: a list of what is allowed; all else is refused.

Allowed is what Python and Node.js need to compute, to read files (Landlock and the mount namespace
say which), to run threads and an event loop. Numbers: x86_64 from ``asm/unistd_64.h``, aarch64 from
``asm-generic/unistd.h``; None where the architecture has no such call. Order matters a little: the
filter is a list that is searched from the top, so the calls of the hot path come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_CLONE_THREAD = 0x0001_0000
_CLONE_NEW = 0x7E02_0000
_AF_UNIX = 1
_MAP_SHARED, _MAP_GROWSDOWN = 0x01, 0x100
_ARCH_SET_FS = 0x1002
_WRITE_FLAGS = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000
"""O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND; O_TMPFILE is refused without O_WRONLY or O_RDWR."""

ENOSYS = 38


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of one argument of a call, or the call is refused."""

    kind: Literal["one-of", "any-bit", "no-bit", "null"]
    argument: int
    values: tuple[int, ...] = ()
    """The values compared with the low 32 bits: choices, or one mask."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One allowed call (``refused_as`` 0), or one refused with an errno of its own."""

    name: str
    x86_64: int | None
    aarch64: int | None
    conditions: tuple[Condition, ...] = ()
    refused_as: int = 0

    def number(self, architecture: str) -> int | None:
        """Return the call's number, or None where there is no such call."""
        return self.x86_64 if architecture == "x86_64" else self.aarch64


RULES = (
    Rule("recvfrom", 45, 207),
    # An address would make a connectionless send of it.
    Rule("sendto", 44, 206, (Condition("null", 4),)),
    Rule("futex", 202, 98),
    Rule("read", 0, 63),
    Rule("write", 1, 64),
    Rule("clock_gettime", 228, 113),
    Rule("epoll_wait", 232, None),
    Rule("epoll_pwait", 281, 22),
    Rule("epoll_pwait2", 441, 441),
    Rule("epoll_ctl", 233, 21),
    Rule("epoll_create1", 291, 20),
    Rule("poll", 7, None),
    Rule("ppoll", 271, 73),
    Rule("select", 23, None),
    Rule("pselect6", 270, 72),
    Rule("mmap", 9, 222),
    Rule("munmap", 11, 215),
    Rule("mremap", 25, 216),
    Rule("mprotect", 10, 226),
    Rule("madvise", 28, 233),
    Rule("brk", 12, 214),
    Rule("readv", 19, 65),
    Rule("writev", 20, 66),
    Rule("pread64", 17, 67),
    Rule("lseek", 8, 62),
    Rule("close", 3, 57),
    Rule("openat", 257, 56, (Condition("no-bit", 2, (_WRITE_FLAGS,)),)),
    Rule("open", 2, None, (Condition("no-bit", 1, (_WRITE_FLAGS,)),)),
    Rule("fstat", 5, 80),
    Rule("stat", 4, None),
    Rule("lstat", 6, None),
    Rule("newfstatat", 262, 79),
    Rule("statx", 332, 291),
    Rule("getdents64", 217, 61),
    Rule("readlink", 89, None),
    Rule("readlinkat", 267, 78),
    Rule("access", 21, None),
    Rule("faccessat", 269, 48),
    Rule("faccessat2", 439, 439),
    Rule("getcwd", 79, 17),
    Rule("pipe", 22, None),
    Rule("pipe2", 293, 59),
    Rule("eventfd2", 290, 19),
    Rule("dup", 32, 23),
    Rule("dup2", 33, None),
    Rule("dup3", 292, 24),
    # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC: nothing that signals others.
    Rule("fcntl", 72, 25, (Condition("one-of", 1, (0, 1, 2, 3, 4, 1030)),)),
    # TCGETS, TIOCGWINSZ, FIONBIO, FIONREAD, FIOCLEX, FIONCLEX: what the standard library asks.
    Rule(
        "ioctl",
        16,
        29,
        (Condition("one-of", 1, (0x5401, 0x5413, 0x5421, 0x541B, 0x5451, 0x5450)),),
    ),
    # An event loop wakes itself through a pair; a pair reaches nobody else.
    Rule("socketpair", 53, 199, (Condition("one-of", 0, (_AF_UNIX,)),)),
    Rule("getsockname", 51, 204),
    Rule("getpeername", 52, 205),
    Rule("getsockopt", 55, 209),
    Rule("shutdown", 48, 210),
    Rule("gettimeofday", 96, 169),
    Rule("clock_getres", 229, 114),
    Rule("time", 201, None),
    Rule("times", 100, 153),
    Rule("nanosleep", 35, 101),
    Rule("clock_nanosleep", 230, 115),
    Rule("getitimer", 36, 102),
    Rule("setitimer", 38, 103),
    Rule("alarm", 37, None),
    Rule("rt_sigaction", 13, 134),
    Rule("rt_sigprocmask", 14, 135),
    Rule("rt_sigreturn", 15, 139),
    Rule("sigaltstack", 131, 132),
    Rule("restart_syscall", 219, 128),
    # Threads, but no processes: glibc falls back to clone when clone3 does not exist, and clone
    # shows its flags to the filter, clone3 hides them behind a pointer.
    Rule(
        "clone",
        56,
        220,
        (Condition("any-bit", 0, (_CLONE_THREAD,)), Condition("no-bit", 0, (_CLONE_NEW,))),
    ),
    Rule("clone3", 435, 435, refused_as=ENOSYS),
    Rule("set_robust_list", 273, 99),
    Rule("rseq", 334, 293),
    Rule("membarrier", 324, 283),
    Rule("sched_yield", 24, 124),
    Rule("sched_getaffinity", 204, 123),
    Rule("getcpu", 309, 168),
    Rule("getpid", 39, 172),
    Rule("gettid", 186, 178),
    Rule("getppid", 110, 173),
    Rule("getuid", 102, 174),
    Rule("geteuid", 107, 175),
    Rule("getgid", 104, 176),
    Rule("getegid", 108, 177),
    Rule("getrandom", 318, 278),
    Rule("getrusage", 98, 165),
    Rule("getrlimit", 97, 163),
    # Reading limits only.
    Rule("prlimit64", 302, 261, (Condition("null", 2),)),
    Rule("uname", 63, 160),
    Rule("exit", 60, 93),
    Rule("exit_group", 231, 94),
)

_MMAP = next(rule for rule in RULES if rule.name == "mmap")

NODE_RULES = (
    *(rule for rule in RULES if rule is not _MMAP),
    # The limit of a Node.js worker counts private memory only, and no stacks.
    Rule(
        "mmap",
        _MMAP.x86_64,
        _MMAP.aarch64,
        (Condition("no-bit", 3, (_MAP_SHARED | _MAP_GROWSDOWN,)),),
    ),
    # To become Node.js: Landlock, or what the mount namespace lacks, leaves no other program.
    Rule("execve", 59, 221),
    Rule("set_tid_address", 218, 96),
    # The thread pointer, as every program sets it at its start.
    Rule("arch_prctl", 158, None, (Condition("one-of", 0, (_ARCH_SET_FS,)),)),
)
"""``RULES`` and what a program needs to start, less memory that no limit would count."""
