"""Checks scripts by compiling them in a worker that is confined like any other.

A compiler can be made to eat memory or time by its input, so the server never compiles a script.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import MappingProxyType

import orjson

from app.application.ports import Clock
from app.domain.errors import Problem
from app.domain.outcomes import (
    Call,
    HookVersion,
    Language,
    Limits,
    LogLine,
    Outcome,
    OutcomeKind,
    ScriptToCheck,
)
from app.runtime.isolation import LayerReport, why_not
from app.runtime.pool import Pool, Roster
from app.runtime.tickets import Ticket

CHECK_SECONDS = 5.0

_AT_ONCE = 4
_ATTEMPTS = 3
_MEBIBYTE = 1 << 20

_MEMORY = {"python": 512 * _MEBIBYTE, "node": Limits().memory_bytes}
"""A Node.js worker of the usual size comes from the reserve."""


class Checker:
    """Keeps a worker warm that compiles, for each language once one of its scripts came."""

    def __init__(self, roster: Roster, clock: Clock, reports: Sequence[LayerReport]) -> None:
        self._roster = roster
        self._clock = clock
        self._reports = reports
        self._pools: dict[Language, Pool] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def check(self, scripts: Sequence[ScriptToCheck]) -> list[Problem]:
        """Return the problems of each script, in the order of the scripts."""
        found = await asyncio.gather(*(self._check(script) for script in scripts))
        return [problem for problems in found for problem in problems]

    def end(self, detail: str) -> None:
        """Let go of the workers."""
        for pool in self._pools.values():
            pool.end(detail)

    def _pool(self, language: Language) -> Pool:
        if language not in self._pools:
            version = HookVersion(
                key=f"checker of {language}",
                hook_id="",
                name="script checker",
                trigger="",
                language=language,
                script="",
                parameters=(),
                open_secrets=lambda: MappingProxyType({}),
                limits=Limits(memory_bytes=_MEMORY[language], max_workers=2),
            )
            pool = Pool(version, self._roster, on_log=_ignore, clock=self._clock, checks=True)
            self._pools[language] = pool
        return self._pools[language]

    async def _check(self, script: ScriptToCheck) -> list[Problem]:
        if reason := why_not(script.language, self._reports):
            return [Problem(reason, file=script.file)]
        request = {
            "script": script.script,
            "parameters": script.parameters,
            "file": script.file,
        }
        async with self._turns:
            call = Call(f"check {script.file}", orjson.dumps(request), CHECK_SECONDS)
            return _problems(script, await self._run(self._pool(script.language), call))

    async def _run(self, pool: Pool, call: Call) -> Outcome:
        """Run; again if the call never started, which another script may have caused."""
        for _ in range(_ATTEMPTS):
            ticket = Ticket(call, asyncio.get_running_loop().create_future())
            pool.submit(ticket)
            outcome = await ticket.future
            if outcome.kind is not OutcomeKind.OVERLOADED:
                break
        return outcome


def _problems(script: ScriptToCheck, outcome: Outcome) -> list[Problem]:
    if outcome.kind is not OutcomeKind.SUCCEEDED:
        reason = outcome.detail or (outcome.data or b"").decode("utf-8", "replace")
        return [Problem(f"The script could not be compiled: {reason}", file=script.file)]
    try:
        return [
            Problem(str(found["message"]), file=script.file, line=found["line"])
            for found in orjson.loads(outcome.data or b"[]")
        ]
    except (orjson.JSONDecodeError, TypeError, KeyError):
        # A compiler that was taken over by its input says what it likes.
        return [Problem("The script broke the process that compiles it.", file=script.file)]


def _ignore(_line: LogLine) -> None:
    """Drop it: a compiler that warns says nothing that a problem does not say."""
