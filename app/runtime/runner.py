"""Runs hooks, isolated: the ``Runner`` port over pools of worker processes.

Every version has processes of its own, so that a global of one hook, or a leak, is not another's.
Not here on purpose: threads (a hook cannot be killed in one), sub-interpreters (one address space,
one set of descriptors: no boundary), forks of a process that has run the script (warm in disguise).
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import monotonic

from app.application.ports import Clock
from app.domain.errors import Problem, Stalled
from app.domain.outcomes import Call, HookVersion, Outcome, OutcomeKind, ScriptToCheck
from app.runtime import verdicts
from app.runtime.alarms import Alarm
from app.runtime.checker import Checker
from app.runtime.control_groups import ControlGroups
from app.runtime.doctor import probe
from app.runtime.egress.bounds import Counters
from app.runtime.egress.gateway import Gateway
from app.runtime.isolation import (
    GROUPS,
    LayerReport,
    Level,
    Policy,
    demand,
    has_egress,
    level_of,
    plan_for,
    why_not,
)
from app.runtime.memory import DEFAULT_MEMORY, bound_of
from app.runtime.node_inspection import find_program
from app.runtime.pool import OnLog, Pool
from app.runtime.roster import WorkerRoster
from app.runtime.stages import LOAD_SECONDS
from app.runtime.tickets import Ticket

logger = logging.getLogger("hookledger.runtime")

DEFAULT_FIRST_UID = 210_000

_TICK_SECONDS = 1.0
_FREEZE_AFTER = 1.0
"""Idle seconds after which a worker's process is stopped until its next call."""
_SHRINK_AFTER = 30.0
_LINGER = 15.0
"""Idle seconds of a version that nobody asked to keep."""

_STOPPING = "The server is stopping."


class IsolatedRunner:
    """The port; one for the server, started and stopped on its event loop."""

    def __init__(
        self,
        *,
        isolation: Policy,
        on_log: OnLog,
        clock: Clock,
        worker_uid_base: int | None = None,
        max_workers_total: int = 64,
        max_memory: str = DEFAULT_MEMORY,
        namespaces: bool = True,
        node: Path | None = None,
        node_reserve: int = 2,
        packages_root: Path | None = None,
        data_dir: Path | None = None,
        gateway: Gateway | None = None,
    ) -> None:
        """Make a runner that is not yet started.

        ``worker_uid_base`` is the first of ``max_workers_total`` user ids that hooks run as if the
        server runs as root. All workers together may use ``max_memory``, a size as
        ``memory.bound_of`` reads it. Without ``namespaces`` none is used, though they may work.
        ``node`` is the Node.js to use (None: the one on the search path, if there is one);
        ``node_reserve`` of its workers are started ahead. Below ``packages_root`` are the folders
        that ``HookVersion.packages`` names. No hook may be let into ``data_dir``.
        ``gateway`` is the way out of hooks with a network, closed by ``stop``; one to the internet
        alone if not given.
        """
        self._policy = isolation
        self._on_log = on_log
        self._clock = clock
        self._first_uid = worker_uid_base if worker_uid_base is not None else DEFAULT_FIRST_UID
        self._most = max_workers_total
        self._most_memory = bound_of(max_memory)
        self._namespaces = namespaces
        self._node = node
        self._node_reserve = node_reserve
        self._packages_root = packages_root
        self._data_dir = data_dir
        self._gateway = gateway or Gateway()
        self._pools: dict[str, Pool] = {}
        self._roster: WorkerRoster | None = None
        self._checker: Checker | None = None
        self._tick = Alarm(self._keep_house)
        self._stopped = False
        self._new_future: Callable[[], asyncio.Future[Outcome]]
        """The loop's; to ask for the loop is a system call."""
        self.layers: tuple[LayerReport, ...] = ()
        """What was found when trying each layer at the start."""

    @property
    def level(self) -> Level:
        """What the layers in force amount to."""
        return level_of(self.layers)

    @property
    def reserve(self) -> int:
        """How many Node.js workers wait for a script."""
        return self._roster.reserve.waiting if self._roster is not None else 0

    @property
    def egress(self) -> Counters:
        """What hooks did over the network."""
        return self._gateway.counters

    @property
    def launcher_pid(self) -> int | None:
        """Process id under which all workers are, for whoever watches processes."""
        return self._roster.launcher_pid if self._roster is not None else None

    async def start(self) -> None:
        """Find out how hooks can be confined, and start what starts workers.

        Raises ``Stalled``, listing what is missing, if the isolation policy is not met.
        """
        self._new_future = asyncio.get_running_loop().create_future
        node = await asyncio.to_thread(find_program, self._node)
        self.layers = await asyncio.to_thread(
            probe,
            self._first_uid,
            namespaces=self._namespaces,
            node=node,
            packages_root=self._packages_root,
            data_dir=self._data_dir,
        )
        demand(self._policy, self.layers)
        if self.level == "insufficient":
            logger.warning("hooks are not sufficiently isolated here; run only hooks you trust")
        first_uid = self._first_uid if os.getuid() == 0 else None
        grouped = any(report.name == GROUPS and report.in_force for report in self.layers)
        self._roster = WorkerRoster(
            plan_for(self.layers, node=node, packages_root=self._packages_root),
            first_uid=first_uid,
            most=self._most,
            most_memory=self._most_memory,
            reserve=self._node_reserve,
            groups=ControlGroups.open() if grouped else None,
            gateway=self._gateway if has_egress(self.layers) else None,
        )
        await self._roster.start()
        self._checker = Checker(self._roster, self._clock, self.layers)
        self._tick.by(monotonic() + _TICK_SECONDS)
        logger.info("hooks are isolated, level %s", self.level)

    async def stop(self) -> None:
        """Settle every call and end every process; nothing is left when this returns."""
        self._stopped = True
        self._tick.silence()
        for pool in self._pools.values():
            pool.end(_STOPPING)
        self._pools.clear()
        if self._checker is not None:
            self._checker.end(_STOPPING)
        if self._roster is not None:
            await self._roster.stop()
        self._gateway.close()
        # Connections that were aborted are closed in the next round of the loop.
        await asyncio.sleep(0)

    async def run(self, version: HookVersion, call: Call) -> Outcome:
        """Run once; never raises for anything the hook or its worker does."""
        pool = self._pools.get(version.key)
        if pool is None:
            if self._stopped:
                return Outcome(OutcomeKind.OVERLOADED, detail=_STOPPING)
            if reason := why_not(version.language, self.layers):
                return Outcome(OutcomeKind.CRASHED, detail=reason)
            pool = self._open(version)
        ticket = Ticket(call, self._new_future())
        pool.submit(ticket)
        return await ticket.future

    def distrust(self, version: HookVersion, outcome: Outcome) -> None:
        """Kill the worker that gave an answer which cannot be read, if it still runs."""
        pool = self._pools.get(version.key)
        for worker in pool.workers if pool is not None else ():
            if worker.number == outcome.worker:
                worker.end(*verdicts.violated("answered with something that is not JSON"))

    async def prepare(self, versions: Sequence[HookVersion]) -> None:
        """Keep workers warm for just these versions; others finish their calls and retire.

        Returns when each has a worker ready, or was refused, or took too long to load.
        """
        if self._stopped:
            return
        wanted = {v.key: v for v in versions if not why_not(v.language, self.layers)}
        for key, pool in self._pools.items():
            pool.released = pool.released or (pool.kept and key not in wanted)
            pool.kept = key in wanted
        self._retire_unwanted(linger=0.0)
        loop = asyncio.get_running_loop()
        settled: list[asyncio.Future[None]] = []
        # More than can live at once would only drive each other out.
        for version in list(wanted.values())[: self._most]:
            pool = self._pools.get(version.key) or self._open(version)
            pool.kept, pool.released = True, False
            pool.grow()
            future: asyncio.Future[None] = loop.create_future()
            pool.when_settled(partial(_resolve, future))
            settled.append(future)
        if settled:
            await asyncio.wait(settled, timeout=LOAD_SECONDS + 1)

    def expect(self, versions: Sequence[HookVersion]) -> None:
        """Start a worker for each that will soon be enabled; it is let go if nothing comes of it.

        A version that is not made one to keep, by ``prepare``, ends as any that idles.
        """
        for version in versions:
            if not self._stopped and version.language == "python":
                pool = self._pools.get(version.key) or self._open(version)
                pool.start_ahead()

    async def check(self, scripts: Sequence[ScriptToCheck]) -> Sequence[Problem]:
        """Compile, without running, each script, isolated; say what is wrong and where."""
        if self._checker is None:
            raise Stalled("The runner is not started, so no script can be checked.")
        return await self._checker.check(scripts)

    def _open(self, version: HookVersion) -> Pool:
        if self._roster is None:
            raise Stalled("The runner is not started, so no hook can run.")
        pool = Pool(version, self._roster, on_log=self._on_log, clock=self._clock)
        self._pools[version.key] = pool
        return pool

    def _keep_house(self) -> None:
        now = monotonic()
        for pool in self._pools.values():
            pool.keep_house(now - _SHRINK_AFTER)
            for worker in pool.workers:
                if worker.load == 0 and worker.idle_since < now - _FREEZE_AFTER:
                    worker.freeze()
        self._retire_unwanted(linger=_LINGER)
        self._tick.by(now + _TICK_SECONDS)

    def _retire_unwanted(self, linger: float) -> None:
        since = monotonic() - linger
        unwanted = [pool for pool in self._pools.values() if not pool.kept and pool.is_idle]
        for pool in unwanted:
            if pool.released or pool.last_used <= since:
                del self._pools[pool.version.key]
                pool.end(_STOPPING)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
