"""What a worker gives up before it sees a script, in the one order that works.

What this does not stop: burning processor time until the deadline; bugs in the kernel behind the
calls that ``syscall_table`` allows; without a mount namespace, asking whether a file exists and how
large it is (Landlock guards opening, not ``stat``); without Landlock, reading the packages of other
hooks. Memory and time are bounded, not fair shares. A worker that executes Node.js may be dumped
again, to nobody: what would, ``ptrace`` and ``/proc``, the other layers keep away.

Ids go before ``PDEATHSIG``, which a change of ids resets; Landlock goes before the filter, which
refuses the call; the filter goes last, since it refuses nearly everything used here.
"""

from __future__ import annotations

import os
import resource
import signal
from dataclasses import dataclass

from app.runtime.inside import kernel, landlock, notifications, seccomp

OPEN_FILES = 64
PROCESSES = 64
"""Threads count; no process can be made. Enforced only for ids of a worker's own."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a worker is to be confined by; every part holds or the worker does not start."""

    memory: tuple[int, int]
    """Which limit bounds memory, ``RLIMIT_AS`` or ``RLIMIT_DATA``, and at how many bytes."""
    uid: int | None
    """User and group id to become; None to stay what we are (an ordinary user)."""
    ruleset: int | None
    """File descriptor of a Landlock rule set; None where the kernel has no Landlock."""
    filter: bytes | None
    """Encoded seccomp program; None where the kernel refuses one."""
    first_closed: int
    """File descriptors from this one on are closed."""
    door: int | None = None
    """Socket through which the listener of ``notifications`` goes to the server; None: no network,
    and then ``filter`` must not allow ``connect``."""


def confine(confinement: Confinement) -> tuple[str, ...]:
    """Confine this process for good; return the names of the layers; raise ``OSError``."""
    layers = ["memory", *_limit(confinement)]
    if confinement.uid is not None:
        _become(confinement.uid)
    kernel.drop_all_capabilities()
    if os.getuid() == 0:
        raise PermissionError("a worker must not run as root")
    layers.append("uid")
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    layers.append("no-new-privileges")
    if confinement.ruleset is not None:
        landlock.restrict_self(confinement.ruleset)
        layers.append("landlock")
    if confinement.door is not None:
        # What is inherited, a descriptor of every other worker, may leave none for the listener.
        door = os.dup2(confinement.door, confinement.first_closed)
        kernel.syscall(kernel.CLOSE_RANGE, door + 1, 0xFFFF_FFFF, 0)
        notifications.hand_over(door)
        layers.append("egress")
    kernel.syscall(kernel.CLOSE_RANGE, confinement.first_closed, 0xFFFF_FFFF, 0)
    if confinement.filter is not None:
        seccomp.install(confinement.filter)
        layers.append("seccomp")
    return tuple(layers)


def set_limit(which: int, value: int) -> None:
    """Lower a resource limit, soft and hard; never raise one that is lower already."""
    hard = resource.getrlimit(which)[1]
    lowered = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (lowered, lowered))


def _limit(confinement: Confinement) -> tuple[str, ...]:
    set_limit(*confinement.memory)
    set_limit(resource.RLIMIT_FSIZE, 0)
    set_limit(resource.RLIMIT_CORE, 0)
    set_limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    set_limit(resource.RLIMIT_MSGQUEUE, 0)
    set_limit(resource.RLIMIT_MEMLOCK, 0)
    if confinement.uid is None:
        # The kernel counts all processes of a user: the limit would hit its other programs.
        return ()
    set_limit(resource.RLIMIT_NPROC, PROCESSES)
    return ("processes",)


def _become(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
