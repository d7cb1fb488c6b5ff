"""``context.http``: HTTP within a call, to the places of the hook's `network` list.

It ends with the call's deadline, says what to add to the manifest when a place is not listed, and
waits when the other side asks for it. Redirects are answers: they are not followed, since what was
meant for one place must not go to another.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache, partial
from typing import Any, Protocol

from app.runtime.inside.http_connections import Connections
from app.runtime.inside.http_errors import NetworkDenied, RateLimited
from app.runtime.inside.http_messages import Params, Place, Request, Response, make_request
from app.runtime.inside.rate_limits import pause_before_next, pause_before_retry

_AT_ONCE = 8
_MOST_JITTER = 0.2
"""Seconds that are added to a pause, at most, so that many hooks do not come back at once."""


class Exchange(Protocol):
    """Sends one request; ``Connections.exchange``."""

    def __call__(self, request: Request, ends_at: float) -> Response:
        """Return the answer, by ``ends_at`` (monotonic seconds); raise ``HttpError``."""
        ...


class Client:
    """What a worker's calls share: connections, and when which place takes requests again."""

    def __init__(
        self,
        exchange: Exchange | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._exchange: Exchange = exchange or Connections().exchange
        self._clock = clock
        self._wall_clock = wall_clock
        self._sleep = sleep
        self._closed_until: dict[Place, float] = {}

    def send(self, request: Request, ends_at: float) -> Response:
        """Send a request, again if it was put off; raise ``HttpError``."""
        self._wait_for(request, ends_at)
        tried = 0
        while True:
            tried += 1
            response = self._exchange(request, ends_at)
            now = self._wall_clock()
            if (closed := pause_before_next(response.headers, now)) > 0:
                self._closed_until[request.place] = self._clock() + closed
            pause = pause_before_retry(
                request.method, response.status, response.headers, tried, now
            )
            if pause is None or not self._pause(pause, ends_at):
                return response

    def time_left(self, timeout: float | None, ends_at: float) -> float:
        """Return by when a request of ``timeout`` seconds must be answered."""
        return ends_at if timeout is None else min(self._clock() + timeout, ends_at)

    def _wait_for(self, request: Request, ends_at: float) -> None:
        closed = self._closed_until.pop(request.place, 0.0) - self._clock()
        if closed > 0 and not self._pause(closed, ends_at):
            self._closed_until[request.place] = self._clock() + closed
            raise RateLimited(
                f"{request.place} takes no further request for {closed:.1f} s, which is longer "
                f"than there is time for: not sent was {request}.",
                round(closed, 3),
            )

    def _pause(self, seconds: float, ends_at: float) -> bool:
        """Wait a little longer than asked; False, at once, if there is no time for it."""
        seconds += random.uniform(0, min(_MOST_JITTER, seconds + 0.01))  # noqa: S311 (no secret)
        if self._clock() + seconds >= ends_at:
            return False
        self._sleep(seconds)
        return True


class Http:
    """The methods of ``context.http`` in a ``def`` hook: each returns a ``Response``."""

    def __init__(self, client: Client | None, ends_at: float) -> None:
        """Make one for a call that ends at a moment (monotonic seconds); None: no network."""
        self._client = client
        self._ends_at = ends_at

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Params | None = None,
        json: Any = None,
        data: bytes | str | Params | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Send a request and return the answer, whatever its status.

        ``data`` as a mapping is sent as a form; ``timeout`` is in seconds, and never longer than
        the call may last. Raises ``HttpError`` if there is no answer, ``NetworkDenied`` if the
        place is not in the hook's `network` list, ``RateLimited`` if it takes none in time.
        """
        request = make_request(method, url, headers=headers, params=params, json=json, data=data)
        if self._client is None:
            raise NetworkDenied(
                f'The hook has no network: list "{request.place}" under `network` in hook.toml.'
            )
        return self._send(self._client, request, self._client.time_left(timeout, self._ends_at))

    def get(self, url: str, **options: Any) -> Any:
        """``request`` with GET."""
        return self.request("GET", url, **options)

    def head(self, url: str, **options: Any) -> Any:
        """``request`` with HEAD."""
        return self.request("HEAD", url, **options)

    def post(self, url: str, **options: Any) -> Any:
        """``request`` with POST."""
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Any) -> Any:
        """``request`` with PUT."""
        return self.request("PUT", url, **options)

    def patch(self, url: str, **options: Any) -> Any:
        """``request`` with PATCH."""
        return self.request("PATCH", url, **options)

    def delete(self, url: str, **options: Any) -> Any:
        """``request`` with DELETE."""
        return self.request("DELETE", url, **options)

    def _send(self, client: Client, request: Request, ends_at: float) -> Any:
        return client.send(request, ends_at)


class AsyncHttp(Http):
    """The same in an ``async def`` hook: what each method returns is to be awaited."""

    async def _send(self, client: Client, request: Request, ends_at: float) -> Response:
        # The thread logs for the call that it works for.
        work = partial(copy_context().run, client.send, request, ends_at)
        return await asyncio.get_running_loop().run_in_executor(_threads(), work)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="http")
