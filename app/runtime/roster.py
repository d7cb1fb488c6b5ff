"""All workers of the server: has them started, bounds their number, tells them how they ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections import deque
from collections.abc import Iterator
from time import monotonic

from app.domain.outcomes import OutcomeKind
from app.runtime.alarms import Alarm
from app.runtime.egress.gateway import Gateway
from app.runtime.inside.zygote import Plan
from app.runtime.launcher import Launcher, LauncherDown
from app.runtime.pool import Pool
from app.runtime.workers import Worker

logger = logging.getLogger("hookledger.runtime")

_LOOK_AGAIN_SECONDS = 0.02

_NO_EGRESS = (
    "Hooks with a `network` list cannot run on this machine: connections cannot be kept to that "
    "list. `hookledger doctor` says why (egress)."
)
_ALWAYS = ("memory", "uid", "no-new-privileges")


class WorkerRoster:
    """Numbers workers from 0 to ``most`` - 1; a number decides the user id, when we run as root."""

    def __init__(
        self, plan: Plan, *, first_uid: int | None, most: int, gateway: Gateway | None = None
    ) -> None:
        """Make a roster that is not yet started; without a gateway no hook has a network."""
        optional = (("landlock", plan.landlock), ("seccomp", plan.seccomp))
        self._layers = frozenset((*_ALWAYS, *(name for name, wanted in optional if wanted)))
        self._gateway = gateway
        self._launcher = Launcher(plan, self._exited)
        self._first_uid = first_uid
        self._free = list(reversed(range(most)))
        self._workers: dict[int, tuple[Worker, Pool]] = {}
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

    async def stop(self) -> None:
        """End every process; the pools have let go of their workers."""
        self._stopped = True
        self._again.silence()
        await self._launcher.stop()
        await asyncio.gather(*self._starting, return_exceptions=True)

    def hire(self, pool: Pool) -> Worker | None:
        """Begin to start a worker; None if there is no room now, then ``grow`` is called later."""
        if self._stopped:
            return None
        if pool.version.network and self._gateway is None:
            pool.refused(OutcomeKind.CRASHED, None, _NO_EGRESS)
            return None
        if not self._free:
            self._make_room(pool)
            self._put_off(pool)
            return None
        try:
            # What the pipe cannot hold is the writer's loss: a full pipe must not hold a hook up.
            reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            logger.error("no worker can be started: %s", error)  # noqa: TRY400 (the message says all)
            self._put_off(pool)
            return None
        number = self._free.pop()
        layers = self._layers | ({"egress"} if pool.version.network else frozenset())
        worker = Worker(number, pool, layers, reading)
        self._workers[number] = (worker, pool)
        task = asyncio.ensure_future(self._start_worker(worker, pool, writing))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)
        return worker

    async def _start_worker(self, worker: Worker, pool: Pool, output: int) -> None:
        number = worker.number
        uid = None if self._first_uid is None else self._first_uid + number
        try:
            with contextlib.ExitStack() as stack:
                stack.callback(os.close, output)
                connection = stack.enter_context(await _connect(worker))
                fds = (connection.fileno(), output, *self._door(worker, pool))
                memory = pool.limits.memory_bytes
                descriptor = await self._launcher.launch(number, uid, memory, fds)
        except (OSError, LauncherDown) as error:
            if number in self._workers:
                again = isinstance(error, LauncherDown)
                worker.never_started(str(error), try_again=again)
                self._release(number)
        else:
            worker.attach(descriptor)

    def _door(self, worker: Worker, pool: Pool) -> Iterator[int]:
        """Give the worker a proxy if its hook may reach anything; yield what leads to it."""
        if self._gateway is not None and (hosts := pool.version.network):
            worker.egress = proxy = self._gateway.proxy(hosts, worker.network_line)
            yield proxy.open_door()

    def _exited(self, number: int, status: int | None) -> None:
        if number in self._workers:
            worker, _ = self._workers[number]
            worker.exited(status)
            self._release(number)

    def _release(self, number: int) -> None:
        del self._workers[number]
        self._free.append(number)
        if self._hungry and not self._stopped:
            self._feed()

    def _feed(self) -> None:
        """Let pools that found no room try again, in turn."""
        hungry, self._hungry = self._hungry, deque()
        for pool in hungry:
            pool.grow()

    def _put_off(self, pool: Pool) -> None:
        if pool not in self._hungry:
            self._hungry.append(pool)
        self._again.by(monotonic() + _LOOK_AGAIN_SECONDS)

    def _make_room(self, asking: Pool) -> None:
        """Retire the idle worker whose hook was longest unused, rather one that is not kept."""
        idle = [
            (pool.kept, pool.last_used, worker.number, pool, worker)
            for worker, pool in self._workers.values()
            if worker.is_ready and worker.load == 0 and pool is not asking
        ]
        if idle:
            *_, pool, worker = min(idle)
            pool.retire(worker)


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
