"""Invocations per second, everything on, against a bare JSON echo on the same server.

Rounds alternate between the two, so that a change of the machine's speed meets both; figures are
medians, and the ratio is taken round by round.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.domain.trigger_catalogue import CONTRACTS
from tests.benchmarks.processes import (
    Measured,
    cpu_seconds,
    hookledger,
    make_repository,
    starlette_floor,
)

TRIGGER = "pre-user-registration"
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True, slots=True)
class Round:
    """One run of the load generator."""

    rate: float
    """Answers per second."""
    median_ms: float
    p99_ms: float
    cpu_us: float
    """CPU time of the server process per answer, in microseconds."""
    failures: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both servers at one number of connections."""

    connections: int
    floor: Round
    ours: Round
    ratio: float
    """Median of the ratios of rates, ours to the floor, round by round."""


def measure(
    connections: tuple[int, ...] = (1, 16, 64), rounds: int = 7, seconds: int = 3
) -> list[Comparison]:
    """Compare at each number of connections."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        repository = make_repository(root, hooks=10)
        with hookledger(root, repository) as ours, starlette_floor(18999) as floor:
            script = root / "post.lua"
            script.write_text(_lua(ours.token))
            _load(ours, f"/v1/triggers/{TRIGGER}/invoke", script, 16, 2)
            _load(floor, "/echo", script, 16, 2)
            return [_compare(ours, floor, script, count, rounds, seconds) for count in connections]


def _compare(
    ours: Measured, floor: Measured, script: Path, connections: int, rounds: int, seconds: int
) -> Comparison:
    pairs = [
        (
            _load(floor, "/echo", script, connections, seconds),
            _load(ours, f"/v1/triggers/{TRIGGER}/invoke", script, connections, seconds),
        )
        for _ in range(rounds)
    ]
    return Comparison(
        connections,
        _median([pair[0] for pair in pairs]),
        _median([pair[1] for pair in pairs]),
        statistics.median(own.rate / bare.rate for bare, own in pairs),
    )


def _median(rounds: list[Round]) -> Round:
    return Round(
        rate=statistics.median(r.rate for r in rounds),
        median_ms=statistics.median(r.median_ms for r in rounds),
        p99_ms=statistics.median(r.p99_ms for r in rounds),
        cpu_us=statistics.median(r.cpu_us for r in rounds),
        failures=sum(r.failures for r in rounds),
    )


def _load(server: Measured, path: str, script: Path, connections: int, seconds: int) -> Round:
    before = cpu_seconds(server.pid)
    done = subprocess.run(
        [
            "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script),
            f"{server.address}{path}",
        ],
        check=True,
        capture_output=True,
        text=True,
    )  # fmt: skip
    used = cpu_seconds(server.pid) - before
    answers = int(_found(r"(\d+) requests in", done.stdout))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    return Round(
        rate=float(_found(r"Requests/sec:\s+([\d.]+)", done.stdout)),
        median_ms=_milliseconds(_found(r"^ +50% +(\S+)", done.stdout)),
        p99_ms=_milliseconds(_found(r"^ +99% +(\S+)", done.stdout)),
        cpu_us=used / max(answers, 1) * 1e6,
        failures=int(bad[1]) if bad else 0,
    )


def _lua(token: str) -> str:
    body = json.dumps(CONTRACTS[TRIGGER].example)
    return (
        'wrk.method = "POST"\n'
        f"wrk.body = [==[{body}]==]\n"
        'wrk.headers["Content-Type"] = "application/json"\n'
        f'wrk.headers["Authorization"] = "Bearer {token}"\n'
    )


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"the load generator printed something else:\n{text}")
    return found[1]


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * _UNITS[unit]
