"""The system call filter of both architectures, interpreted instruction by instruction."""

from __future__ import annotations

import struct

import pytest

from app.runtime.inside import seccomp
from app.runtime.inside.seccomp import ALLOW, AUDIT_ARCH, EPERM, ERRNO, KILL_PROCESS
from app.runtime.inside.syscall_table import ENOSYS, NODE_RULES, RULES, Rule

REFUSED = ERRNO | EPERM
BY_NAME = {rule.name: rule for rule in RULES}

FORBIDDEN = {
    "x86_64": {
        "socket": 41, "connect": 42, "accept": 43, "bind": 49, "listen": 50, "sendmsg": 46,
        "recvmsg": 47, "sendmmsg": 307, "setsockopt": 54, "fork": 57, "vfork": 58, "execve": 59,
        "execveat": 322, "kill": 62, "tkill": 200, "tgkill": 234, "rt_sigqueueinfo": 129,
        "rt_tgsigqueueinfo": 297, "pidfd_open": 434, "pidfd_send_signal": 424, "pidfd_getfd": 438,
        "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "memfd_create": 319,
        "memfd_secret": 447, "shmget": 29, "shmat": 30, "semget": 64, "msgget": 68, "mq_open": 240,
        "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "unshare": 272,
        "setns": 308, "setuid": 105, "setgid": 106, "setresuid": 117, "setgroups": 116,
        "capset": 126, "prctl": 157, "arch_prctl": 158, "seccomp": 317, "bpf": 321, "keyctl": 250,
        "add_key": 248, "userfaultfd": 323, "perf_event_open": 298, "io_uring_setup": 425,
        "open_by_handle_at": 304, "openat2": 437, "creat": 85, "unlink": 87, "unlinkat": 263,
        "mkdir": 83, "rename": 82, "link": 86, "symlink": 88, "chmod": 90, "fchmod": 91,
        "truncate": 76, "ftruncate": 77, "setrlimit": 160, "sched_setaffinity": 203,
        "setpriority": 141, "personality": 135, "init_module": 175, "kexec_load": 246,
        "reboot": 169, "swapon": 167, "inotify_init1": 294, "fanotify_init": 300,
        "setsid": 112, "setpgid": 109, "timer_create": 222, "process_madvise": 440, "ioperm": 173,
    },
    "aarch64": {
        "socket": 198, "connect": 203, "accept": 202, "bind": 200, "listen": 201, "sendmsg": 211,
        "recvmsg": 212, "sendmmsg": 269, "setsockopt": 208, "execve": 221, "execveat": 281,
        "kill": 129, "tkill": 130, "tgkill": 131, "rt_sigqueueinfo": 138, "pidfd_open": 434,
        "pidfd_send_signal": 424, "pidfd_getfd": 438, "ptrace": 117, "process_vm_readv": 270,
        "process_vm_writev": 271, "memfd_create": 279, "memfd_secret": 447, "shmget": 194,
        "shmat": 196, "semget": 190, "msgget": 186, "mq_open": 180, "mount": 40, "umount2": 39,
        "pivot_root": 41, "chroot": 51, "unshare": 97, "setns": 268, "setuid": 146,
        "setresuid": 147, "setgroups": 159, "capset": 91, "prctl": 167, "seccomp": 277,
        "bpf": 280, "keyctl": 219, "add_key": 217, "userfaultfd": 282, "perf_event_open": 241,
        "io_uring_setup": 425, "open_by_handle_at": 265, "openat2": 437, "unlinkat": 35,
        "mkdirat": 34, "fchmod": 52, "truncate": 45, "ftruncate": 46, "setrlimit": 164,
        "sched_setaffinity": 122, "setpriority": 140, "personality": 92, "init_module": 105,
        "reboot": 142, "swapon": 224, "setsid": 157, "timer_create": 107,
    },
}  # fmt: skip


def verdict(
    architecture: str,
    number: int,
    *arguments: int,
    audit: int | None = None,
    rules: tuple[Rule, ...] = RULES,
) -> int:
    """Run the filter as the kernel does, on ``struct seccomp_data``."""
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    token = AUDIT_ARCH[architecture] if audit is None else audit
    data = struct.pack("<iIQ6Q", number, token, 0, *padded)
    program = seccomp.assemble(architecture, rules)
    accumulator, position = 0, 0
    while True:
        code, if_true, if_false, constant = program[position]
        position += 1
        if code == seccomp.RETURN:
            return constant
        if code == seccomp.LOAD:
            accumulator = struct.unpack_from("<I", data, constant)[0]
            continue
        holds = {
            seccomp.JUMP_EQUAL: accumulator == constant,
            seccomp.JUMP_GREATER_EQUAL: accumulator >= constant,
            seccomp.JUMP_BITS: bool(accumulator & constant),
        }[code]
        position += if_true if holds else if_false


@pytest.fixture(params=["x86_64", "aarch64"])
def architecture(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def number(architecture: str, name: str) -> int:
    found = BY_NAME[name].number(architecture)
    assert found is not None
    return found


def test_a_call_of_the_list_is_allowed(architecture: str) -> None:
    for rule in RULES:
        found = rule.number(architecture)
        if found is not None and not rule.conditions and not rule.refused_as:
            assert verdict(architecture, found) == ALLOW, rule.name


def test_a_call_that_reaches_out_of_the_worker_is_refused(architecture: str) -> None:
    for name, found in FORBIDDEN[architecture].items():
        assert verdict(architecture, found) == REFUSED, name


def test_a_call_that_nobody_knows_yet_is_refused(architecture: str) -> None:
    for unknown in range(470, 600):
        assert verdict(architecture, unknown) == REFUSED


def test_no_number_is_listed_twice(architecture: str) -> None:
    for rules in (RULES, NODE_RULES):
        numbers = [n for rule in rules if (n := rule.number(architecture)) is not None]
        assert len(numbers) == len(set(numbers))


def test_calls_of_another_architecture_end_the_worker(architecture: str) -> None:
    other = next(token for name, token in AUDIT_ARCH.items() if name != architecture)
    assert verdict(architecture, 0, audit=other) == KILL_PROCESS
    assert verdict(architecture, 0, audit=0x40000003) == KILL_PROCESS  # i386


def test_calls_of_the_x32_interface_end_the_worker() -> None:
    assert verdict("x86_64", 0x40000000 | 41) == KILL_PROCESS
    assert verdict("x86_64", 0x40000000) == KILL_PROCESS


def test_threads_may_be_made_and_processes_may_not(architecture: str) -> None:
    clone = number(architecture, "clone")
    thread = 0x3D0F00  # what glibc's pthread_create asks for
    assert verdict(architecture, clone, thread) == ALLOW
    assert verdict(architecture, clone, 17) == REFUSED  # fork: SIGCHLD
    assert verdict(architecture, clone, 0x4111) == REFUSED  # vfork, as posix_spawn does
    for namespace in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert verdict(architecture, clone, thread | namespace) == REFUSED
    assert verdict(architecture, number(architecture, "clone3")) == ERRNO | ENOSYS


@pytest.mark.parametrize("flags", [0o1, 0o2, 0o100 | 0o1, 0o1000, 0o2001, 0o100, 0o20200000 | 0o2])
def test_files_are_opened_for_reading_only(architecture: str, flags: int) -> None:
    openat = number(architecture, "openat")
    assert verdict(architecture, openat, 3, 0x7F00, 0o2000000) == ALLOW  # O_CLOEXEC
    assert verdict(architecture, openat, 3, 0x7F00, flags) == REFUSED
    if architecture == "x86_64":
        assert verdict(architecture, 2, 0x7F00, 0) == ALLOW
        assert verdict(architecture, 2, 0x7F00, flags) == REFUSED


def test_nothing_is_sent_to_an_address(architecture: str) -> None:
    sendto = number(architecture, "sendto")
    assert verdict(architecture, sendto, 3, 0x7F00, 5, 0, 0, 0) == ALLOW
    assert verdict(architecture, sendto, 3, 0x7F00, 5, 0, 0x7F00, 16) == REFUSED
    assert verdict(architecture, sendto, 3, 0x7F00, 5, 0, 0x7F00_0000_0000, 16) == REFUSED


def test_limits_can_be_read_and_not_set(architecture: str) -> None:
    prlimit = number(architecture, "prlimit64")
    assert verdict(architecture, prlimit, 0, 9, 0, 0x7F00) == ALLOW
    assert verdict(architecture, prlimit, 0, 9, 0x7F00, 0) == REFUSED
    assert verdict(architecture, prlimit, 0, 9, 0x1_0000_0000, 0) == REFUSED


def test_pairs_are_local_and_descriptors_signal_nobody(architecture: str) -> None:
    assert verdict(architecture, number(architecture, "socketpair"), 1, 1) == ALLOW
    assert verdict(architecture, number(architecture, "socketpair"), 2, 1) == REFUSED
    fcntl, ioctl = number(architecture, "fcntl"), number(architecture, "ioctl")
    assert verdict(architecture, fcntl, 3, 3) == ALLOW
    for command in (8, 10, 15, 1024, 1026, 1031, 1033):  # owners of signals, leases, pipe sizes
        assert verdict(architecture, fcntl, 3, command) == REFUSED
    assert verdict(architecture, ioctl, 3, 0x5421) == ALLOW
    assert verdict(architecture, ioctl, 0, 0x5412) == REFUSED  # TIOCSTI


def test_node_may_start_and_nothing_else_more(architecture: str) -> None:
    started_by = {"execve", "arch_prctl"}
    for name, found in FORBIDDEN[architecture].items():
        expected = ALLOW if name == "execve" else REFUSED
        assert verdict(architecture, found, rules=NODE_RULES) == expected, name
    assert {rule.name for rule in NODE_RULES} - set(BY_NAME) == started_by | {"set_tid_address"}
    if architecture == "x86_64":
        set_fs, set_gs, shadow_stack = 0x1002, 0x1001, 0x5001
        assert verdict("x86_64", 158, set_fs, rules=NODE_RULES) == ALLOW
        for code in (set_gs, shadow_stack):
            assert verdict("x86_64", 158, code, rules=NODE_RULES) == REFUSED


def test_node_gets_no_memory_that_its_limit_does_not_count(architecture: str) -> None:
    private, shared, anonymous, growing, reserved = 0x02, 0x01, 0x20, 0x100, 0x4000
    mmap = number(architecture, "mmap")
    for flags in (private, private | anonymous, private | anonymous | reserved):
        assert verdict(architecture, mmap, 0, 4096, 3, flags, rules=NODE_RULES) == ALLOW
    for flags in (shared, shared | private, shared | anonymous, private | anonymous | growing):
        assert verdict(architecture, mmap, 0, 4096, 3, flags, rules=NODE_RULES) == REFUSED


def test_node_may_make_threads_and_no_processes(architecture: str) -> None:
    clone = number(architecture, "clone")
    assert verdict(architecture, clone, 0x3D0F00, rules=NODE_RULES) == ALLOW
    for flags in (17, 0x4111, 0x3D0F00 | 0x10000000):
        assert verdict(architecture, clone, flags, rules=NODE_RULES) == REFUSED
    clone3 = number(architecture, "clone3")
    assert verdict(architecture, clone3, rules=NODE_RULES) == ERRNO | ENOSYS


@pytest.mark.parametrize("rules", [RULES, NODE_RULES], ids=["python", "node"])
def test_the_program_fits_the_kernel(architecture: str, rules: tuple[Rule, ...]) -> None:
    program = seccomp.assemble(architecture, rules)
    assert len(program) <= 4096
    assert len(seccomp.encode(program)) == 8 * len(program)
    assert all(0 <= jump <= 255 for _, yes, no, _ in program for jump in (yes, no))
