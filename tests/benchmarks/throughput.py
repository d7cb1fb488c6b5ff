"""Invocations, everything on, against a bare JSON echo and against doing nothing at all.

The CPU time above the floor that sends the same bytes is the price of what hookledger does; both
ratios are taken round by round.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from app.domain.triggers.catalogue import CONTRACTS
from tests.benchmarks.load import Load, Round, medians, ratio
from tests.benchmarks.processes import (
    TRIGGER,
    Measured,
    floor,
    hookledger,
    make_repository,
)

_SERVERS_OWN = ("date", "server", "connection")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Three servers at one number of connections."""

    connections: int
    ours: Round
    echo: Round
    same: Round
    of_echo: float
    """Our rate by that of the Starlette JSON echo."""
    of_same: float
    """Our rate by that of the floor that sends the same bytes."""
    added_us: float
    """CPU time of our server process per answer above that floor's, in microseconds."""


def measure(
    connections: tuple[int, ...] = (1, 16, 64), rounds: int = 9, seconds: int = 2
) -> list[Comparison]:
    """Compare at each number of connections."""
    with tempfile.TemporaryDirectory() as folder, ours_and_echo(Path(folder)) as servers:
        load = Load(Path(folder), seconds)
        for server in servers.values():
            load.ask(server, 16)
        return [_compare(load, servers, count, rounds) for count in connections]


@contextlib.contextmanager
def ours_and_echo(root: Path, script: str = "hook.py") -> Iterator[dict[str, Measured]]:
    """Serve hookledger and both floors; raise ``RuntimeError`` if hookledger answers no 200."""
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(hookledger(root, make_repository(root, 10, script)))
        answer = root / "answer.json"
        answer.write_text(json.dumps(_one_answer(ours)))
        echo = stack.enter_context(floor("starlette_echo", answer))
        same = stack.enter_context(floor("same_bytes", answer))
        yield {"ours": ours, "echo": echo, "same": same}


def _one_answer(server: Measured) -> dict[str, object]:
    answer = httpx.post(
        server.address + server.path,
        json=CONTRACTS[TRIGGER].example,
        headers={"authorization": f"Bearer {server.token}"},
        timeout=30,
    )
    if answer.status_code != httpx.codes.OK:
        raise RuntimeError(f"hookledger answered {answer.status_code} {answer.text}".rstrip())
    headers = [pair for pair in answer.headers.multi_items() if pair[0] not in _SERVERS_OWN]
    return {"headers": headers, "body": answer.text}


def _compare(load: Load, servers: dict[str, Measured], connections: int, rounds: int) -> Comparison:
    measured = load.alternate(servers, connections, rounds)
    ours, echo, same = measured["ours"], measured["echo"], measured["same"]
    return Comparison(
        connections,
        medians(ours),
        medians(echo),
        medians(same),
        ratio(ours, echo),
        ratio(ours, same),
        statistics.median(a.server_us - b.server_us for a, b in zip(ours, same, strict=True)),
    )
