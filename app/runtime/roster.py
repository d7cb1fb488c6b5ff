"""All workers of the server: has them started, bounds their number, tells them how they ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections import deque
from time import monotonic

from app.domain.errors import Stalled
from app.runtime.alarms import Alarm
from app.runtime.inside.plans import Plan
from app.runtime.launcher import Launcher, LauncherDown, WorkerKind
from app.runtime.owners import Owner
from app.runtime.pool import Pool
from app.runtime.reserve import Reserve
from app.runtime.workers import Worker

logger = logging.getLogger("hookledger.runtime")

_LOOK_AGAIN_SECONDS = 0.02

_ALWAYS = ("memory", "uid", "no-new-privileges")


class WorkerRoster:
    """Numbers workers from 0 to ``most`` - 1; a number decides the user id, when we run as root."""

    def __init__(self, plan: Plan, *, first_uid: int | None, most: int, reserve: int) -> None:
        """Make a roster; ``reserve`` Node.js workers are started ahead, if the plan has any."""
        optional = (("landlock", plan.landlock), ("seccomp", plan.seccomp))
        self._layers = frozenset((*_ALWAYS, *(name for name, wanted in optional if wanted)))
        self._launcher = Launcher(plan, self._exited)
        self._first_uid = first_uid
        self._free = list(reversed(range(most)))
        self._workers: dict[int, tuple[Worker, Pool | None]] = {}
        """Those in reserve are no pool's."""
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

    def hire(self, pool: Pool) -> Worker | None:
        """Begin to start a worker; None if there is no room now, then ``grow`` is called later."""
        if self._stopped:
            return None
        taken = self.reserve.take(pool.version)
        if taken is not None:
            self._workers[taken.number] = (taken, pool)
            taken.adopt(pool)
            return taken
        worker = self._start(pool, WorkerKind.of(pool.version), pool) if self._free else None
        if worker is None:
            self._make_room(pool)
            self._put_off(pool)
        return worker

    def packages_folder(self, name: str) -> str:
        """Return the path of a folder of packages, as workers see it; raise ``Stalled``."""
        if self._packages_root is None:
            raise Stalled("The hook needs packages, but there is no folder for packages.")
        return f"{self._packages_root}/{name}"

    def _start_ahead(self, owner: Owner, kind: WorkerKind) -> Worker | None:
        if self._stopped or self._hungry or len(self._free) <= len(self._workers):
            return None
        return self._start(owner, kind, None)

    def _start(self, owner: Owner, kind: WorkerKind, pool: Pool | None) -> Worker | None:
        try:
            # What the pipe cannot hold is the writer's loss: a full pipe must not hold a hook up.
            reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            logger.error("no worker can be started: %s", error)  # noqa: TRY400 (the message says all)
            return None
        number = self._free.pop()
        worker = Worker(number, owner, self._layers, reading)
        self._workers[number] = (worker, pool)
        task = asyncio.ensure_future(self._start_worker(worker, kind, writing))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)
        return worker

    async def _start_worker(self, worker: Worker, kind: WorkerKind, output: int) -> None:
        number = worker.number
        uid = None if self._first_uid is None else self._first_uid + number
        try:
            with contextlib.ExitStack() as stack:
                stack.callback(os.close, output)
                connection = stack.enter_context(await _connect(worker))
                fds = (connection.fileno(), output)
                descriptor = await self._launcher.launch(number, uid, kind, fds)
        except (OSError, LauncherDown) as error:
            if number in self._workers:
                again = isinstance(error, LauncherDown)
                worker.never_started(str(error), try_again=again)
                self._release(number)
        else:
            worker.attach(descriptor)

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
        """Retire one in reserve, or the idle one whose hook was longest unused, rather not kept."""
        if self.reserve.give_way():
            return
        idle = [
            (pool.kept, pool.last_used, worker.number, pool, worker)
            for worker, pool in self._workers.values()
            if pool is not None and worker.is_ready and worker.load == 0 and pool is not asking
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
