"""All workers of the server: has them started, bounds their number and memory, hears their ends.

Counted is the memory that workers may use, not what they use: what is promised to each is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import NamedTuple

from app.domain.errors import Stalled
from app.domain.outcomes import OutcomeKind
from app.runtime.alarms import Alarm
from app.runtime.control_groups import ControlGroups, process_behind
from app.runtime.egress.gateway import Gateway
from app.runtime.inside.plans import Plan
from app.runtime.launcher import Launcher, LauncherDown, WorkerKind
from app.runtime.owners import Owner
from app.runtime.pool import Pool
from app.runtime.reserve import Reserve
from app.runtime.workers import Worker

logger = logging.getLogger("hookledger.runtime")

_LOOK_AGAIN_SECONDS = 0.02

_NO_EGRESS = (
    "Hooks with a `network` list cannot run on this machine: connections cannot be kept to that "
    "list. `hookledger doctor` says why (egress)."
)
_ALWAYS = ("memory", "uid", "no-new-privileges")

_MEBIBYTE = 1 << 20


class _Entry(NamedTuple):
    worker: Worker
    pool: Pool | None
    """None for a worker in reserve."""
    kind: WorkerKind


class WorkerRoster:
    """Numbers workers from 0 to ``most`` - 1; a number decides the user id, when we run as root.

    What they may use together is at most ``most_memory`` bytes.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        first_uid: int | None,
        most: int,
        most_memory: int,
        reserve: int,
        groups: ControlGroups | None = None,
        gateway: Gateway | None = None,
    ) -> None:
        """Make a roster; ``reserve`` Node.js workers are started ahead, if the plan has any.

        Workers are put into ``groups``, which the roster then owns. Without a gateway no hook has
        a network.
        """
        optional = (("landlock", plan.landlock), ("seccomp", plan.seccomp))
        self._layers = frozenset((*_ALWAYS, *(name for name, wanted in optional if wanted)))
        self._gateway = gateway
        self._launcher = Launcher(plan, self._exited)
        self._first_uid = first_uid
        self._groups = groups
        self._free = list(reversed(range(most)))
        self._free_memory = self._most_memory = most_memory
        self._workers: dict[int, _Entry] = {}
        self._packages_root = plan.packages_root
        self.reserve = Reserve(0 if plan.node is None else reserve, self._start_ahead)
        self._hungry: deque[Pool] = deque()
        self._again = Alarm(self._feed)
        self._starting: set[asyncio.Task[None]] = set()
        self._stopped = False

    @property
    def launcher_pid(self) -> int | None:
        """Process id of the process that starts workers."""
        return self._launcher.pid

    async def start(self) -> None:
        """Start what starts workers; raise ``Stalled``."""
        await self._launcher.start()
        self.reserve.fill()

    async def stop(self) -> None:
        """End every process; the pools have let go of their workers."""
        self._stopped = True
        self._again.silence()
        self.reserve.end()
        await self._launcher.stop()
        await asyncio.gather(*self._starting, return_exceptions=True)
        if self._groups is not None:
            await asyncio.to_thread(self._groups.close)

    def hire(self, pool: Pool) -> Worker | None:
        """Begin to start a worker; None if there is no room now, then ``grow`` is called later."""
        if self._stopped:
            return None
        kind = WorkerKind.of(pool.version)
        if pool.version.network and self._gateway is None:
            pool.refused(OutcomeKind.CRASHED, None, _NO_EGRESS)
            return None
        if kind.memory_bytes > self._most_memory:
            pool.refused(OutcomeKind.OVERLOADED, None, self._never(kind.memory_bytes))
            return None
        taken = self.reserve.take(pool.version)
        if taken is not None:
            self._workers[taken.number] = _Entry(taken, pool, kind)
            taken.adopt(pool)
            return taken
        worker = self._start(pool, kind, pool) if self._has_room_for(kind) else None
        if worker is None:
            self._put_off(pool)
            if pool.is_waited_for:
                self._make_room(pool)
        return worker

    def packages_folder(self, name: str) -> str:
        """Return the path of a folder of packages, as workers see it; raise ``Stalled``."""
        if self._packages_root is None:
            raise Stalled("The hook needs packages, but there is no folder for packages.")
        return f"{self._packages_root}/{name}"

    def _has_room_for(self, kind: WorkerKind) -> bool:
        return bool(self._free) and kind.memory_bytes <= self._free_memory

    def _start_ahead(self, owner: Owner, kind: WorkerKind) -> Worker | None:
        """Start one for the reserve, which leaves hooks half of the places and of the memory."""
        left = self._free_memory - kind.memory_bytes
        if self._stopped or self._hungry or len(self._free) <= len(self._workers):
            return None
        return self._start(owner, kind, None) if left >= self._most_memory // 2 else None

    def _start(self, owner: Owner, kind: WorkerKind, pool: Pool | None) -> Worker | None:
        try:
            # What the pipe cannot hold is the writer's loss: a full pipe must not hold a hook up.
            reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            owner.refused(OutcomeKind.CRASHED, None, f"No worker can be started: {error}.")
            return None
        number = self._free.pop()
        self._free_memory -= kind.memory_bytes
        hosts = pool.version.network if pool is not None else ()
        layers = self._layers | ({"egress"} if hosts else frozenset())
        worker = Worker(number, owner, layers, reading)
        self._workers[number] = _Entry(worker, pool, kind)
        task = asyncio.ensure_future(self._start_worker(worker, kind, writing, hosts))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)
        return worker

    def shortage(self, pool: Pool) -> str:
        """Say why a pool gets no worker, completing the sentence "No worker was free: …"."""
        if self._free and pool.limits.memory_bytes > self._free_memory:
            return (
                f"the {self._most_memory // _MEBIBYTE} MiB that all together may use were given to "
                "other hooks that were busy"
            )
        return "all that may run at once were busy with other hooks"

    async def _start_worker(
        self, worker: Worker, kind: WorkerKind, output: int, hosts: Sequence[str]
    ) -> None:
        number = worker.number
        uid = None if self._first_uid is None else self._first_uid + number
        try:
            with contextlib.ExitStack() as stack:
                stack.callback(os.close, output)
                connection = stack.enter_context(await _connect(worker))
                fds = (connection.fileno(), output, *self._door(worker, hosts))
                descriptor = await self._launcher.launch(number, uid, kind, fds)
        except (OSError, LauncherDown) as error:
            if number in self._workers:
                again = isinstance(error, LauncherDown)
                worker.never_started(str(error), try_again=again)
                if not self._launcher.runs(number):
                    self._release(number)
        else:
            process = 0 if self._groups is None else process_behind(descriptor)
            worker.attach(descriptor)
            if self._groups is not None and process:
                await self._place(self._groups, number, process, kind)

    async def _place(
        self, groups: ControlGroups, number: int, process: int, kind: WorkerKind
    ) -> None:
        """Bound a worker by a group; it starts meanwhile, within limits of its own."""
        try:
            await asyncio.to_thread(groups.place, f"worker-{number}", process, kind.memory_bytes)
        except ProcessLookupError:
            return
        except OSError as error:
            logger.warning("a worker is in no control group: %s", error)

    def _door(self, worker: Worker, hosts: Sequence[str]) -> Iterator[int]:
        """Give the worker a proxy if its hook may reach anything; yield what leads to it."""
        if self._gateway is not None and hosts:
            worker.egress = proxy = self._gateway.proxy(hosts, worker.network_line)
            yield proxy.open_door()

    def _exited(self, number: int, status: int | None) -> None:
        if number in self._workers:
            self._workers[number].worker.exited(status)
            self._release(number)

    def _release(self, number: int) -> None:
        self._free_memory += self._workers.pop(number).kind.memory_bytes
        self._free.append(number)
        if self._hungry and not self._stopped:
            self._feed()

    def _feed(self) -> None:
        """Let pools that found no room try again: in turn, those first for which a call waits."""
        hungry, self._hungry = self._hungry, deque()
        for pool in sorted(hungry, key=lambda pool: not pool.is_waited_for):
            pool.grow()

    def _put_off(self, pool: Pool) -> None:
        if pool not in self._hungry:
            self._hungry.append(pool)
        if pool.is_waited_for:
            self._again.by(monotonic() + _LOOK_AGAIN_SECONDS)

    def _make_room(self, asking: Pool) -> None:
        """Retire one in reserve, or the idle ones of the hooks longest unused, rather not kept.

        No more than it takes, once those that are already ending have ended.
        """
        slots, memory = len(self._free), self._free_memory
        idle: list[tuple[bool, float, int, Pool, Worker]] = []
        for worker, pool, kind in self._workers.values():
            if pool is None:
                continue
            if worker not in pool.workers:
                slots, memory = slots + 1, memory + kind.memory_bytes
            elif worker.is_ready and worker.load == 0 and pool is not asking:
                idle.append((pool.kept, pool.last_used, worker.number, pool, worker))
        if (not slots or memory < asking.limits.memory_bytes) and self.reserve.give_way():
            return
        for *_, pool, worker in sorted(idle):
            if slots and memory >= asking.limits.memory_bytes:
                return
            slots, memory = slots + 1, memory + pool.limits.memory_bytes
            pool.retire(worker)

    def _never(self, memory: int) -> str:
        return (
            f"A process of this hook may use {memory // _MEBIBYTE} MiB, but all processes together "
            f"only {self._most_memory // _MEBIBYTE} MiB: lower `memory` in the hook's [process], "
            "or raise the server's `max_memory`."
        )


async def _connect(worker: Worker) -> socket.socket:
    """Connect a worker's server side; return the end that its process is to have."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setblocking(False)  # noqa: FBT003 (the name says it)
    try:
        await asyncio.get_running_loop().create_unix_connection(lambda: worker, sock=ours)
    except BaseException:
        ours.close()
        theirs.close()
        raise
    return theirs
