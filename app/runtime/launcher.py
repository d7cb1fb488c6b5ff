"""The server's side of the zygote: have workers forked, learn how they ended, restart it.

A worker is given by its number; requests and answers are JSON in one packet each, with descriptors
attached.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.domain.errors import Stalled
from app.domain.outcomes import HookVersion, Language
from app.runtime.inside.plans import Plan
from app.runtime.inside.zygote import MESSAGE_BYTES
from app.runtime.interpreter import ENVIRONMENT, command

logger = logging.getLogger("hookledger.runtime")

START_SECONDS = 20.0
LAUNCH_SECONDS = 10.0
_FIRST_DELAY, _LONGEST_DELAY = 0.05, 5.0

Exited = Callable[[int, int | None], None]
"""Told a worker's number and its exit code, minus the signal that killed it, or None (unknown)."""


@dataclass(frozen=True, slots=True)
class WorkerKind:
    """What must be known of a worker before it is forked; equal kinds are interchangeable."""

    language: Language
    packages: str | None
    memory_bytes: int

    @classmethod
    def of(cls, version: HookVersion) -> WorkerKind:
        """Return the kind of worker that a version needs."""
        return cls(version.language, version.packages, version.limits.memory_bytes)


class LauncherDown(Exception):
    """The zygote ended before it answered."""


class Launcher:
    """Starts workers; ``exited`` is told of each that ended."""

    def __init__(self, plan: Plan, exited: Exited) -> None:
        self._plan = plan
        self._exited = exited
        self._zygote: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._up: asyncio.Future[None] | None = None
        self._asked: dict[int, asyncio.Future[int]] = {}
        self._running: set[int] = set()
        self._restarting: asyncio.Task[None] | None = None
        self._stopped = False

    @property
    def pid(self) -> int | None:
        """Process id of the zygote's waiting half."""
        return self._zygote.pid if self._zygote is not None else None

    async def start(self) -> None:
        """Start the zygote and wait until it can fork; raise ``Stalled``."""
        try:
            await self._start_zygote()
        except (OSError, LauncherDown, TimeoutError) as error:
            await self.stop()
            raise Stalled(f"The process that starts workers did not start: {error}.") from error

    async def launch(
        self, number: int, uid: int | None, kind: WorkerKind, fds: Sequence[int]
    ) -> int:
        """Fork a worker with ``fds`` (connection, output); return its process descriptor.

        Raises ``OSError`` if it cannot be forked, ``LauncherDown`` if the zygote ended meanwhile.
        """
        if self._restarting is not None:
            await asyncio.shield(self._restarting)
        if self._control is None:
            raise LauncherDown("it is stopped")
        request = json.dumps(
            {
                "worker": number,
                "uid": uid,
                "language": kind.language,
                "packages": kind.packages,
                "memory": kind.memory_bytes,
            }
        ).encode()
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            socket.send_fds(self._control, [request], fds)
            return await asyncio.wait_for(answer, LAUNCH_SECONDS)
        except TimeoutError:
            self._lost()
            raise LauncherDown(f"it did not answer for {LAUNCH_SECONDS:g} s") from None
        finally:
            self._asked.pop(number, None)

    def runs(self, number: int) -> bool:
        """Tell whether there is a process of that number, whose end will be told."""
        return number in self._running

    async def stop(self) -> None:
        """End the zygote and all its workers, and wait until they are gone."""
        self._stopped = True
        if (restarting := self._restarting) is not None:
            restarting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await restarting
        self._let_go(LauncherDown("it is stopped"))
        await self._reap()

    async def _start_zygote(self) -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        with theirs:
            # Blocks for some milliseconds, at the start and after a crash of the zygote only.
            self._zygote = subprocess.Popen(  # noqa: ASYNC220 (its exit is seen by its socket)
                command(
                    "app.runtime.inside.zygote",
                    str(theirs.fileno()),
                    json.dumps(asdict(self._plan)),
                ),
                env=ENVIRONMENT,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        ours.setblocking(False)  # noqa: FBT003 (the name says it)
        self._up = loop.create_future()
        loop.add_reader(ours, self._receive)
        await asyncio.wait_for(self._up, START_SECONDS)

    def _receive(self) -> None:
        control = self._control
        while control is not None and control is self._control:
            try:
                data, fds, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 1)
            except BlockingIOError:
                return
            except OSError:
                data, fds = b"", []
            if not data:
                self._lost()
                return
            self._take(json.loads(data), fds)

    def _take(self, message: dict[str, Any], fds: list[int]) -> None:
        if "up" in message:
            if self._up is not None and not self._up.done():
                self._up.set_result(None)
            return
        number = message["worker"]
        if "exited" in message:
            self._running.discard(number)
            self._exited(number, message["exited"])
            return
        answer = self._asked.get(number)
        if "failed" in message:
            if answer is not None and not answer.done():
                answer.set_exception(OSError(message["failed"]))
            return
        self._running.add(number)
        if not fds:
            # None was left for its descriptor; it ends when its connection is closed.
            if answer is not None and not answer.done():
                answer.set_exception(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
        elif answer is not None and not answer.done():
            answer.set_result(fds[0])
        else:
            signal.pidfd_send_signal(fds[0], signal.SIGKILL)
            os.close(fds[0])

    def _lost(self) -> None:
        self._let_go(LauncherDown("it ended"))
        if not self._stopped and self._restarting is None:
            logger.error("the process that starts workers ended, and its workers with it")
            self._restarting = asyncio.ensure_future(self._restart())

    async def _restart(self) -> None:
        delay = _FIRST_DELAY
        try:
            while True:
                await self._reap()
                try:
                    await self._start_zygote()
                except (OSError, LauncherDown, TimeoutError) as error:
                    self._let_go(LauncherDown("it did not start"))
                    logger.error("the process that starts workers did not restart: %s", error)  # noqa: TRY400 (the message says all)
                    await asyncio.sleep(delay)
                    delay = min(delay * 2, _LONGEST_DELAY)
                else:
                    logger.info("the process that starts workers is back")
                    return
        finally:
            self._restarting = None

    def _let_go(self, reason: LauncherDown) -> None:
        """Close the control socket, which ends the zygote, and settle what waits for it."""
        control, self._control = self._control, None
        if control is not None:
            asyncio.get_running_loop().remove_reader(control)
            control.close()
        for answer in (self._up, *self._asked.values()):
            if answer is not None and not answer.done():
                answer.set_exception(reason)
        running, self._running = self._running, set()
        for number in running:
            self._exited(number, None)

    async def _reap(self) -> None:
        if self._zygote is not None:
            await asyncio.to_thread(_wait_or_kill, self._zygote)
            self._zygote = None


def _wait_or_kill(zygote: subprocess.Popen[bytes]) -> None:
    try:
        zygote.wait(timeout=5)
    except subprocess.TimeoutExpired:
        zygote.kill()
        zygote.wait()
