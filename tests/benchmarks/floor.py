"""Floors, on the same server: a bare Starlette JSON echo, and an application that does nothing.

The second reads the body and answers the very bytes that hookledger answers, headers included: what
is spent above it is spent on authentication, checks, isolation, journal and provenance.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

ANSWER = "BENCHMARK_ANSWER"
"""Environment: file with the answer to give, as JSON with ``headers`` and ``body``."""


async def echo(request: Request) -> JSONResponse:
    return JSONResponse(await request.json())


starlette_echo = Starlette(routes=[Route("/", echo, methods=["POST"])])


class SameBytes:
    """Plain ASGI."""

    def __init__(self, file: Path) -> None:
        answer = json.loads(file.read_text())
        self._headers = [(name.encode(), value.encode()) for name, value in answer["headers"]]
        self._body = answer["body"].encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": list(self._headers)})
        await send({"type": "http.response.body", "body": self._body})


same_bytes = SameBytes(Path(os.environ[ANSWER])) if ANSWER in os.environ else None
