"""Tells a forge how its commits stand: reads the ledger into the outbox, and sends from there.

An outage of the forge costs it news and nobody else anything: what could not be sent is tried again
with growing pauses for three days, over restarts too.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import anyio.to_thread
import httpx

from app.application.ports import Clock
from app.application.syncing.commit_statuses import Look, ReadStatuses
from app.domain.errors import HookledgerError, Transient
from app.domain.revisions import Position
from app.gitops.forges.apis import ForgeName, is_told, status_request
from app.gitops.forges.outbox import Outbox, Waiting

_log = logging.getLogger("hookledger.forges")

TIMEOUT_SECONDS = 10.0
MAX_ATTEMPTS = 440
"""With pauses of ten minutes, about three days."""
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 600.0
_MOST_DOUBLINGS = 10
_BATCH = 100
_MAX_ANSWER = 64 * 1024
_RETRY_AFTER_LIMIT = 3600


@dataclass(frozen=True, slots=True)
class StatusTarget:
    """Where the statuses of one source go."""

    source: str
    forge: ForgeName
    api: str
    """Address of the forge's API without a slash at the end; nothing else is ever called."""
    repository: str
    token_file: Path
    link: str | None
    """Page that explains the status; None: none."""

    @property
    def context(self) -> str:
        return f"hookledger/{self.source}"


class StatusReporter:
    """Reports one source's commits until cancelled."""

    def __init__(
        self,
        target: StatusTarget,
        outbox: Outbox,
        *,
        read: ReadStatuses,
        look: Look,
        start: Callable[[], Position],
        clock: Clock,
        pause: float = 1.0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """``start`` tells from where to read the ledger the first time; ``pause`` is in seconds."""
        self._target = target
        self._outbox = outbox
        self._read = read
        self._look = look
        self._start = start
        self._clock = clock
        self._pause = pause
        self._jitter = jitter

    async def run(self) -> None:
        """Report until cancelled; errors are logged, and what failed is tried again."""
        limits = httpx.Timeout(TIMEOUT_SECONDS)
        async with httpx.AsyncClient(timeout=limits, follow_redirects=False) as client:
            while True:
                try:
                    await anyio.to_thread.run_sync(self.collect)
                    await self.send(client)
                except HookledgerError as error:
                    _log.warning("statuses_not_reported", extra={"reason": str(error)})
                except Exception:  # noqa: BLE001 (a forge's oddity must not end the server)
                    _log.exception("statuses_not_reported")
                await asyncio.sleep(self._pause)

    def collect(self) -> None:
        """Record what the ledger says and, of the tip, what it does not say yet."""
        source = self._target.source
        # Looked at first: what had happened by then is in the ledger, which wins.
        tip = self._look()
        position = self._outbox.position(source)
        if position is None:
            position = self._start()
        while facts := self._read(position, _BATCH):
            position = facts[-1].position
            found = [fact.status for fact in facts if fact.status is not None]
            self._outbox.record(source, found, position)
        if tip is None:
            return
        known = self._outbox.knows(source, tip.sha)
        if known is None or not known.is_final:
            self._outbox.record(source, [tip], None)

    async def send(self, client: httpx.AsyncClient) -> None:
        """Send what is due; the first failure postpones that one alone and ends the round."""
        due = await anyio.to_thread.run_sync(self._outbox.due, self._target.source, _BATCH)
        for waiting in due:
            try:
                await self._send(client, waiting)
            except Transient as failure:
                self._put_off(waiting, failure)
                return
            self._outbox.settle(waiting)

    async def _send(self, client: httpx.AsyncClient, waiting: Waiting) -> None:
        target = self._target
        request = status_request(
            target.forge,
            target.repository,
            waiting.status,
            context=target.context,
            link=target.link,
            token=_token(target.token_file),
        )
        try:
            async with client.stream(
                "POST", target.api + request.path, headers=request.headers, json=request.body
            ) as answer:
                text = await _beginning(answer)
        except httpx.HTTPError as error:
            # The type alone: messages of proxies may quote headers.
            raise Transient(f"{target.api} did not answer ({type(error).__name__}).") from None
        if not is_told(target.forge, answer.status_code, text):
            raise Transient(
                f"{target.api} answered {answer.status_code} for {target.repository}"
                f"{_meaning(answer.status_code)}.",
                retry_after=_retry_after(answer),
            )

    def _put_off(self, waiting: Waiting, failure: Transient) -> None:
        facts = {"commit": waiting.status.sha, "reason": failure.message}
        if waiting.attempts + 1 >= MAX_ATTEMPTS:
            _log.error("status_given_up", extra=facts)
            self._outbox.settle(waiting)
            return
        doubled = _FIRST_PAUSE * 2.0 ** min(waiting.attempts, _MOST_DOUBLINGS)
        pause = min(doubled, _LONGEST_PAUSE) * (0.5 + self._jitter() / 2)
        seconds = max(pause, failure.retry_after)
        _log.warning("status_not_sent", extra=facts | {"retry_in": round(seconds, 1)})
        self._outbox.postpone(waiting, self._clock() + timedelta(seconds=seconds))


def _token(file: Path) -> str:
    """Read the token for each request, so that it may be replaced; raise ``Transient``."""
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Transient(f"The file {file} of a forge's token cannot be read: {error}.") from None
    if not token or not token.isprintable():
        raise Transient(f"The file {file} does not hold a forge's token and nothing else.")
    return token


async def _beginning(answer: httpx.Response) -> str:
    read = b""
    async for chunk in answer.aiter_bytes():
        read += chunk
        if len(read) > _MAX_ANSWER:
            break
    return read[:_MAX_ANSWER].decode("utf-8", "replace")


def _meaning(status: int) -> str:
    meanings = {
        401: ": the token is not accepted",
        403: ": the token may not write commit statuses, or asks too often",
        404: ": there is no such repository, or the token may not see it",
        422: ": it does not know the commit",
    }
    if 300 <= status < 400:  # noqa: PLR2004 (the class of redirections)
        return ", which is not followed: configure the address that it leads to"
    return meanings.get(status, "")


def _retry_after(answer: httpx.Response) -> float:
    said = answer.headers.get("retry-after", "")
    return float(min(int(said[:6]), _RETRY_AFTER_LIMIT)) if said.isdecimal() else 0.0
