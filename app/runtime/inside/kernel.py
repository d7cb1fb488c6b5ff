"""System calls that Python does not wrap, by ``ctypes``; each raises ``OSError`` when refused.

Numbers are those of Linux; calls added since 5.0 have one number on every architecture.
"""

from __future__ import annotations

import ctypes
import os
import platform

ARCHITECTURES = ("x86_64", "aarch64")
SECCOMP = {"x86_64": 317, "aarch64": 277}
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
CLOSE_RANGE = 436
MOUNT_SETATTR = 442
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_ADD_RULE = 445
LANDLOCK_RESTRICT_SELF = 446

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_GET_NO_NEW_PRIVS = 39
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def architecture() -> str:
    """Name the machine; raise ``OSError`` if its system calls are not known here."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise OSError(f"the architecture {machine!r} is not one of {', '.join(ARCHITECTURES)}")
    return machine


def syscall(number: int, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """Call by number; integers are passed as 64 bits."""
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return _checked(int(_libc.syscall(ctypes.c_long(number), *converted)))


def prctl(option: int, *arguments: int) -> int:
    """Change a setting of this process; arguments not given are 0 (prctl(2))."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    return _checked(int(_libc.prctl(ctypes.c_int(option), *(ctypes.c_ulong(a) for a in padded))))


def unshare(flags: int) -> None:
    """Leave the namespaces named by the ``CLONE_NEW*`` flags for new ones."""
    _checked(int(_libc.unshare(ctypes.c_int(flags))))


def setns(fd: int, flags: int) -> None:
    """Join the namespace behind ``fd``."""
    _checked(int(_libc.setns(ctypes.c_int(fd), ctypes.c_int(flags))))


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Mount ``source``, or bind it, or change how it is mounted, by ``flags`` (mount(2))."""
    given = (os.fsencode(source), os.fsencode(target), kind.encode())
    _checked(int(_libc.mount(*given, ctypes.c_ulong(flags), data.encode())))


def unmount(target: str, flags: int) -> None:
    """Take a mount away (umount2(2))."""
    _checked(int(_libc.umount2(os.fsencode(target), ctypes.c_int(flags))))


def drop_bounding_set() -> None:
    """Make sure no program that is executed later gains a capability."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            # EINVAL: past the last capability of this kernel. EPERM: never had any to drop.
            return


def drop_all_capabilities() -> None:
    """Empty the ambient, permitted, effective and inheritable sets."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    # struct __user_cap_header_struct {version 3, pid 0} and twice {effective, permitted, inherit.}
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    _checked(int(_libc.capset(header, (ctypes.c_uint32 * 6)())))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
