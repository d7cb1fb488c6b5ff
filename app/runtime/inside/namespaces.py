"""Namespaces: a world of its own with no network, no processes and hardly a file.

The expensive ones are made once, by the zygote; workers are born into them. Sources:
user_namespaces(7), pid_namespaces(7), pivot_root(2), mount_setattr(2).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from app.runtime.inside import kernel
from app.runtime.inside.landlock import PACKAGE_FOLDERS

FLAGS = {
    "user": 0x1000_0000,
    "pid": 0x2000_0000,
    "mount": 0x0002_0000,
    "network": 0x4000_0000,
    "ipc": 0x0800_0000,
    "uts": 0x0400_0000,
}
"""``CLONE_NEW*`` by the name we report."""

_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_MNT_DETACH = 2
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4

_ROOT = "/tmp"  # noqa: S108 (only a mount point, in a namespace of our own)


def enter(names: Sequence[str]) -> None:
    """Leave the named namespaces for new ones; a new pid namespace begins with the next child."""
    uid, gid = os.getuid(), os.getgid()
    if "user" in names:
        # Files in /proc belong to root while a process may not be dumped.
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
    flags = 0
    for name in names:
        flags |= FLAGS[name]
    kernel.unshare(flags)
    if "user" in names:
        # The same ids inside: a worker that gets out is nobody new.
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")


def build_tree(readable: Iterable[str]) -> None:
    """Make the root directory a read-only tree of just ``readable``, without /proc and /dev.

    The caller is in a mount namespace of its own.
    """
    # The server makes its files for itself alone; what is made here, others must pass through.
    os.umask(0o022)
    # Paths under the mount point vanish behind it, so everything is opened before.
    kept = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in readable]
    descriptors = os.open("/proc/self/fd", os.O_PATH | os.O_CLOEXEC)
    kernel.mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    kernel.mount("tmpfs", _ROOT, "tmpfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, "mode=755,size=1m")
    for path, fd in kept:
        _bind(path, fd)
        os.close(fd)
    os.close(descriptors)
    _make_read_only(_ROOT)
    os.chdir(_ROOT)
    kernel.syscall(kernel.PIVOT_ROOT[kernel.architecture()], b".", b".")
    kernel.unmount(".", _MNT_DETACH)
    os.chdir("/")


class NestedPids:
    """Gives every child a pid namespace of its own, inside the zygote's."""

    def __init__(self) -> None:
        self._own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def begin(self) -> None:
        """Have the next fork start a namespace."""
        kernel.unshare(FLAGS["pid"])

    def end(self) -> None:
        """Have forks stay here again; without it, no further namespace could be begun."""
        kernel.setns(self._own, FLAGS["pid"])


def _bind(path: str, fd: int) -> None:
    target = _ROOT + path
    source = f"/proc/self/fd/{fd}"
    if Path(source).is_dir():
        Path(target).mkdir(parents=True, exist_ok=True)
    else:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).touch()
    kernel.mount(source, target, "", _MS_BIND | _MS_REC)
    for folder in PACKAGE_FOLDERS:
        hidden = Path(target, folder)
        if hidden.is_dir():
            kernel.mount("tmpfs", str(hidden), "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755,size=4k")


def _make_read_only(target: str) -> None:
    # struct mount_attr {set, clear, propagation, user namespace}; adding to the flags that are
    # there, since an unprivileged namespace may not remove those of the mounts it inherited.
    attributes = struct.pack("<QQQQ", _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV, 0, 0, 0)
    kernel.syscall(
        kernel.MOUNT_SETATTR, _AT_FDCWD, os.fsencode(target), _AT_RECURSIVE, attributes, 32
    )


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
