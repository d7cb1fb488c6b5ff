"""What workers of one language may read and ask of the kernel, and what they become."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from app.runtime.inside import (
    kernel,
    landlock,
    node_program,
    protocol,
    sandbox,
    seccomp,
)
from app.runtime.inside.network_calls import with_network
from app.runtime.inside.node_program import NodeProgram
from app.runtime.inside.syscall_table import NODE_RULES, RULES, Rule
from app.runtime.inside.worker import Worker, serve

_RULESETS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Layers:
    """Which layers that differ by language are in force here."""

    landlock: bool
    seccomp: bool


class Profile:
    """Confines and runs workers of one language."""

    def __init__(
        self,
        layers: Layers,
        *,
        readable: Iterable[str],
        executable: Iterable[str] = (),
        rules: Sequence[Rule],
        memory_limit: Callable[[int], tuple[int, int]],
        become: Callable[[int, tuple[str, ...]], NoReturn],
    ) -> None:
        """Make a profile.

        ``memory_limit`` names, for a worker's bytes of memory, the resource limit and its value;
        ``become`` makes a worker of a confined process, given its memory and the layers in force.
        """
        self._memory_limit = memory_limit
        self._become = become
        self._filter = self._network_filter = None
        if layers.seccomp:
            machine = kernel.architecture()
            self._filter = seccomp.encode(seccomp.assemble(machine, rules))
            self._network_filter = seccomp.encode(seccomp.assemble(machine, with_network(rules)))
        self._landlock = layers.landlock
        self._readable = tuple(readable)
        self._executable = tuple(executable)
        self._rulesets: dict[tuple[str, int], int] = {}
        self._bare = self._build() if layers.landlock else None

    def ruleset(self, packages: str | None) -> int | None:
        """Return the rule set of workers that may also read the folder ``packages``.

        None where there is no Landlock. Raises ``OSError`` if there is no such folder.
        """
        if packages is None:
            return self._bare
        # A folder that was removed and made again is another one.
        key = packages, Path(packages).stat().st_ino
        if not self._landlock:
            return None
        if key not in self._rulesets:
            if len(self._rulesets) >= _RULESETS_KEPT:
                os.close(self._rulesets.pop(next(iter(self._rulesets))))
            self._rulesets[key] = self._build(packages)
        return self._rulesets[key]

    def run(
        self,
        request: Mapping[str, Any],
        fds: tuple[int, int, int],
        ruleset: int | None,
        door: int | None = None,
    ) -> NoReturn:
        """Confine this process, forked for the purpose, and be the worker that was asked for.

        ``request`` has ``memory`` (bytes) and ``uid`` (None: stay who we are); ``fds`` are nothing
        to read, the connection, and where output goes; ``door`` leads to the proxy of a worker that
        has a network.
        """
        try:
            door = None if door is None else _move_up(door)
            kept = _arrange_descriptors(*fds, ruleset)
            memory = request["memory"]
            layers = sandbox.confine(
                sandbox.Confinement(
                    memory=self._memory_limit(memory),
                    uid=request["uid"],
                    ruleset=kept,
                    filter=self._filter if door is None else self._network_filter,
                    first_closed=4,
                    door=door,
                )
            )
            self._become(memory, layers)
        except BaseException as error:  # noqa: BLE001 (nothing may return to whoever forked us)
            with contextlib.suppress(OSError):
                os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(protocol.EXIT_UNCONFINED)

    def _build(self, *folders: str) -> int:
        return landlock.build_ruleset((*self._readable, *folders), self._executable)


def python_profile(layers: Layers, readable: Iterable[str], forked: Worker) -> Profile:
    """Make the profile of workers that stay what they are forked from."""
    entries = [entry for path in readable for entry in _entries(path)]
    return Profile(
        layers,
        readable=entries,
        rules=RULES,
        memory_limit=lambda memory_bytes: (resource.RLIMIT_AS, memory_bytes),
        become=partial(_serve_python, forked),
    )


def node_profile(layers: Layers, program: NodeProgram) -> Profile:
    """Make the profile of workers that become Node.js."""
    return Profile(
        layers,
        readable=[node_program.CODE],
        executable=program.executables,
        rules=NODE_RULES,
        memory_limit=node_program.memory_limit,
        become=partial(node_program.become, program),
    )


def _serve_python(forked: Worker, _memory_bytes: int, layers: tuple[str, ...]) -> NoReturn:
    serve(forked, socket.socket(fileno=3), layers)


def _arrange_descriptors(
    nothing: int, connection: int, output: int, ruleset: int | None
) -> int | None:
    """Leave 0 to 3 to the worker; return where the rule set is now, until 4 up are closed."""
    # First out of the way of 0 to 3, whatever numbers we were given.
    high = [_move_up(fd) for fd in (nothing, output, output, connection)]
    kept = None if ruleset is None else _move_up(ruleset)
    for target, fd in enumerate(high):
        os.dup2(fd, target)
    return kept


def _move_up(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD, 16)


def _entries(path: str) -> list[str]:
    return landlock.entries_of_library(path) if os.path.isdir(path) else [path]  # noqa: PTH112 (symmetry with landlock)
