"""Landlock: which files a process may read, and that it may do nothing else to any.

Source: ``Documentation/userspace-api/landlock.rst`` and ``linux/landlock.h``. The rule set is built
once, in the zygote, and inherited as a file descriptor: a worker only has to apply it. All rights
that the kernel knows are handled (refused unless granted); granted is reading, and to a worker that
becomes another program, executing that one.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path

from app.runtime.inside import kernel

_CREATE_VERSION = 1
_RULE_PATH_BENEATH = 1
_EXECUTE = 1 << 0
_READ_FILE = 1 << 2
_READ_DIR = 1 << 3
_NET_BIND_AND_CONNECT = 3
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 3

_FIRST_WITH_REFER, _FIRST_WITH_TRUNCATE, _FIRST_WITH_NET = 2, 3, 4
_FIRST_WITH_IOCTL, _FIRST_WITH_SCOPES = 5, 6

PACKAGE_FOLDERS = ("site-packages", "dist-packages")
"""Folders inside the standard library's that hold other people's packages."""


def abi() -> int:
    """Return the kernel's Landlock version; raise ``OSError`` where there is none."""
    return kernel.syscall(kernel.LANDLOCK_CREATE_RULESET, None, 0, _CREATE_VERSION)


def build_ruleset(readable: Iterable[str], executable: Iterable[str] = ()) -> int:
    """Return a rule set's file descriptor that lets nothing be opened but what is given."""
    version = abi()
    size = 24 if version >= _FIRST_WITH_SCOPES else 16 if version >= _FIRST_WITH_NET else 8
    attributes = struct.pack(
        "<QQQ",
        (1 << _filesystem_rights(version)) - 1,
        _NET_BIND_AND_CONNECT if version >= _FIRST_WITH_NET else 0,
        _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS if version >= _FIRST_WITH_SCOPES else 0,
    )
    ruleset = kernel.syscall(kernel.LANDLOCK_CREATE_RULESET, attributes, size, 0)
    for path in readable:
        _allow(ruleset, path, _READ_FILE)
    for path in executable:
        _allow(ruleset, path, _READ_FILE | _EXECUTE)
    return ruleset


def restrict_self(ruleset: int) -> None:
    """Apply a rule set to this thread for good; it must have given up new privileges."""
    kernel.syscall(kernel.LANDLOCK_RESTRICT_SELF, ruleset, 0)


def entries_of_library(folder: str) -> list[str]:
    """List what may be read of a standard library: all but the packages installed into it."""
    entries = (entry for entry in Path(folder).iterdir() if entry.name not in PACKAGE_FOLDERS)
    return sorted(str(entry) for entry in entries)


def _filesystem_rights(version: int) -> int:
    if version >= _FIRST_WITH_IOCTL:
        return 16
    if version >= _FIRST_WITH_TRUNCATE:
        return 15
    return 14 if version >= _FIRST_WITH_REFER else 13


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        # Gone since it was listed, or not for us: then it is not for hooks either.
        return
    try:
        rights |= _READ_DIR if os.path.isdir(path) else 0  # noqa: PTH112 (also runs where importing late is impossible)
        kernel.syscall(
            kernel.LANDLOCK_ADD_RULE, ruleset, _RULE_PATH_BENEATH, struct.pack("<Qi", rights, fd), 0
        )
    finally:
        os.close(fd)
