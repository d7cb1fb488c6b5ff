"""Control groups: the kernel's count of all memory and threads of a worker, whatever they are for.

A second wall behind resource limits: those count address space or private memory, by process; a
group counts pages, the kernel's included. Nothing else depends on it, since few servers may make
groups. Sources: ``Documentation/admin-guide/cgroup-v2.rst`` and ``cgroup-v1/memory.rst``.

Version 2 gives limits only to groups whose parent holds no process, so the server moves itself
into a group of its own beside those of its workers.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from dataclasses import dataclass
from pathlib import Path

_PROCESSES = 96
"""Threads count; more than the resource limit allows, which refuses with a better error."""

_BESIDE = 128 << 20
"""What a group counts besides the hook's memory: pages of Node.js and libraries, the kernel's."""

_ONE_PROCESSOR = "100000 100000"

_PREFIX = "hookledger-"
_SERVER = "server"
_MEMBERS = "cgroup.procs"
_HANDED_DOWN = "cgroup.subtree_control"

_MOUNTS = Path("/proc/self/mountinfo")
_OWN = Path("/proc/self/cgroup")

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class _Hierarchy:
    """A folder of groups, one a worker."""

    root: Path
    kind: str
    """``v2``, or the one controller of version 1."""

    def make(self, name: str, memory_bytes: int) -> Path:
        """Make a group, or set its limits anew."""
        group = self.root / name
        group.mkdir(parents=True, exist_ok=True)
        memory = str(memory_bytes + _BESIDE)
        if self.kind == "memory":
            with_swap = group / "memory.memsw.limit_in_bytes"
            # The bound with swap may never be the lower one, as a former worker's could be.
            _write_if_there(with_swap, "-1")
            _write(group / "memory.limit_in_bytes", memory)
            _write_if_there(with_swap, memory)
        elif self.kind == "pids":
            _write(group / "pids.max", str(_PROCESSES))
        else:
            _write(group / "memory.max", memory)
            _write(group / "pids.max", str(_PROCESSES))
            for optional, value in (
                ("memory.swap.max", "0"),
                ("memory.oom.group", "1"),
                ("cpu.max", _ONE_PROCESSOR),
            ):
                _write_if_there(group / optional, value)
        return group


class _Home:
    """Version 2: where the server was, and where it makes room for limits below."""

    def __init__(self, folder: Path, root: Path) -> None:
        self._folder = folder
        self._root = root
        self._given: dict[Path, list[str]] = {}
        """Controllers that we handed down, by group."""

    def leave(self) -> None:
        """Move the server one down, and hand controllers down; raise ``OSError``."""
        server = self._root / _SERVER
        server.mkdir()
        _write(server / _MEMBERS, str(os.getpid()))
        for group in (self._folder, self._root):
            before = (group / _HANDED_DOWN).read_text().split()
            wanted = [name for name in ("memory", "pids", "cpu") if name not in before]
            for name in wanted:
                try:
                    _write(group / _HANDED_DOWN, f"+{name}")
                except OSError:
                    # A bound on processor time can be done without.
                    if name != "cpu":
                        raise
                else:
                    self._given.setdefault(group, []).append(name)

    def come_back(self) -> None:
        """Undo all that."""
        for group in (self._root, self._folder):
            for name in self._given.pop(group, ()):
                with contextlib.suppress(OSError):
                    _write(group / _HANDED_DOWN, f"-{name}")
        with contextlib.suppress(OSError):
            _write(self._folder / _MEMBERS, str(os.getpid()))
        with contextlib.suppress(OSError):
            (self._root / _SERVER).rmdir()


class ControlGroups:
    """Groups of one server; made by ``open``, gone after ``close``."""

    def __init__(self, hierarchies: tuple[_Hierarchy, ...], home: _Home | None = None) -> None:
        """Make the folders that groups will be in."""
        self._hierarchies = hierarchies
        self._home = home
        for hierarchy in hierarchies:
            _sweep(hierarchy.root.parent)
            hierarchy.root.mkdir()

    @classmethod
    def open(cls, mounts: Path = _MOUNTS, own: Path = _OWN) -> ControlGroups:
        """Make a folder of groups where we may; raise ``OSError`` saying why we may not."""
        folders = _own_folders(mounts.read_text(), own.read_text())
        name = f"{_PREFIX}{os.getpid()}-{next(_numbers)}"
        if "memory" in folders and "pids" in folders:
            return cls(tuple(_Hierarchy(folders[kind] / name, kind) for kind in ("memory", "pids")))
        if "v2" not in folders:
            raise OSError("no hierarchy of control groups is mounted")
        folder = folders["v2"]
        lacking = {"memory", "pids"} - set((folder / "cgroup.controllers").read_text().split())
        if lacking:
            raise OSError(f"{folder} was given no controller for {' and '.join(sorted(lacking))}")
        home = _Home(folder, folder / name)
        made = cls((_Hierarchy(folder / name, "v2"),), home)
        try:
            home.leave()
        except OSError:
            made.close()
            raise
        return made

    def place(self, name: str, process: int, memory_bytes: int) -> None:
        """Move a process, given by its number outside of all namespaces, into a group of its own.

        Raises ``OSError``, also if the process is gone. May take 10 ms.
        """
        for hierarchy in self._hierarchies:
            group = hierarchy.make(name, memory_bytes)
            _write(group / _MEMBERS, str(process))

    def close(self) -> None:
        """Remove the groups, whose processes have ended."""
        for hierarchy in self._hierarchies:
            _remove_groups_in(hierarchy.root)
        if self._home is not None:
            self._home.come_back()
        for hierarchy in self._hierarchies:
            with contextlib.suppress(OSError):
                hierarchy.root.rmdir()


def process_behind(descriptor: int) -> int:
    """Return the number, as we see it, of the process behind a descriptor; 0 if it is gone.

    Also 0 if it cannot be found out, for lack of a descriptor to read it with.
    """
    try:
        lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines()
    except OSError:
        return 0
    number = next(int(line.split()[1]) for line in lines if line.startswith("Pid:"))
    return max(number, 0)


def _own_folders(mounts: str, own: str) -> dict[str, Path]:
    """Map ``v2`` and each controller of version 1 to the folder of the group we are in."""
    paths = {}
    for line in own.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(",") if controllers else ["v2"]:
            paths[controller] = path
    folders = {}
    for line in mounts.splitlines():
        fields, _, filesystem = line.partition(" - ")
        kind, _, options = filesystem.split(" ", 2)
        _, _, _, root, target, *_ = fields.split()
        if kind not in ("cgroup", "cgroup2"):
            continue
        named = ["v2"] if kind == "cgroup2" else options.replace(" ", ",").split(",")
        for controller in named:
            if controller in paths:
                # A container sees its group as the root of what is mounted.
                inside = os.path.relpath(paths[controller], root)
                folders[controller] = Path(target, "" if inside.startswith("..") else inside)
    return folders


def _sweep(folder: Path) -> None:
    """Remove what servers left that were killed; a group with a process in it refuses to go."""
    for root in folder.glob(f"{_PREFIX}*"):
        _remove_groups_in(root)
        with contextlib.suppress(OSError):
            root.rmdir()


def _remove_groups_in(root: Path) -> None:
    with contextlib.suppress(OSError):
        for group in root.iterdir():
            with contextlib.suppress(OSError):
                group.rmdir()


def _write_if_there(path: Path, text: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        _write(path, text)


def _write(path: Path, text: str) -> None:
    # Never made, as a mistyped name would be in an ordinary folder.
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
