"""Runs hooks, isolated: the ``Runner`` port over pools of worker processes.

Every version has processes of its own, so that a global of one hook, or a leak, is not another's.
Not here on purpose: threads (a hook cannot be killed in one), a process per call (3 ms and 340
calls a second), sub-interpreters (one address space, one set of descriptors: no boundary).
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from functools import partial
from time import monotonic

from app.application.ports import Clock
from app.domain.errors import Problem, Stalled
from app.domain.outcomes import Call, HookVersion, Outcome, OutcomeKind, ScriptToCheck
from app.runtime.alarms import Alarm
from app.runtime.checker import Checker
from app.runtime.doctor import probe
from app.runtime.egress.bounds import Counters
from app.runtime.egress.gateway import Gateway
from app.runtime.isolation import (
    LayerReport,
    Level,
    Policy,
    demand,
    has_egress,
    level_of,
    plan_for,
)
from app.runtime.pool import OnLog, Pool
from app.runtime.roster import WorkerRoster
from app.runtime.tickets import Ticket
from app.runtime.workers import LOAD_SECONDS

logger = logging.getLogger("hookledger.runtime")

DEFAULT_FIRST_UID = 210_000

_TICK_SECONDS = 1.0
_FREEZE_AFTER = 1.0
"""Idle seconds after which a worker's process is stopped until its next call."""
_SHRINK_AFTER = 30.0
_LINGER = 15.0
"""Idle seconds of a version that nobody asked to keep."""

_STOPPING = "The server is stopping."
_NO_NODE = "Node.js hooks are not supported by this version of hookledger; write it in Python."


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
        namespaces: bool = True,
        gateway: Gateway | None = None,
    ) -> None:
        """Make a runner that is not yet started.

        ``worker_uid_base`` is the first of ``max_workers_total`` user ids that hooks run as if the
        server runs as root. Without ``namespaces`` none is used, though they may work.
        ``gateway`` is the way out of hooks with a network, closed by ``stop``; one to the internet
        alone if not given.
        """
        self._policy = isolation
        self._on_log = on_log
        self._clock = clock
        self._first_uid = worker_uid_base if worker_uid_base is not None else DEFAULT_FIRST_UID
        self._most = max_workers_total
        self._namespaces = namespaces
        self._gateway = gateway or Gateway()
        self._pools: dict[str, Pool] = {}
        self._roster: WorkerRoster | None = None
        self._checker: Checker | None = None
        self._tick = Alarm(self._keep_house)
        self._stopped = False
        self.layers: tuple[LayerReport, ...] = ()
        """What was found when trying each layer at the start."""

    @property
    def level(self) -> Level:
        """What the layers in force amount to."""
        return level_of(self.layers)

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
        self.layers = await asyncio.to_thread(probe, self._first_uid, namespaces=self._namespaces)
        demand(self._policy, self.layers)
        if self.level == "insufficient":
            logger.warning("hooks are not sufficiently isolated here; run only hooks you trust")
        first_uid = self._first_uid if os.getuid() == 0 else None
        self._roster = WorkerRoster(
            plan_for(self.layers),
            first_uid=first_uid,
            most=self._most,
            gateway=self._gateway if has_egress(self.layers) else None,
        )
        await self._roster.start()
        self._checker = Checker(self._roster, self._clock)
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
            if version.language != "python":
                return Outcome(OutcomeKind.CRASHED, detail=_NO_NODE)
            pool = self._open(version)
        ticket = Ticket(call, asyncio.get_running_loop().create_future())
        pool.submit(ticket)
        return await ticket.future

    async def prepare(self, versions: Sequence[HookVersion]) -> None:
        """Keep workers warm for just these versions; others finish their calls and retire.

        Returns when each has a worker ready, or was refused, or took too long to load.
        """
        if self._stopped:
            return
        wanted = {version.key: version for version in versions if version.language == "python"}
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
            pool.retire_idle(now - _SHRINK_AFTER, keep=1)
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
