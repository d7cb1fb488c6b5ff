"""The load generator, and what it and the kernel say about one round."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from app.domain.triggers.catalogue import CONTRACTS
from tests.benchmarks.processes import TRIGGER, Measured, cpu_seconds, family

_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True, slots=True)
class Round:
    """One run of the load generator, or the medians of several."""

    rate: float
    """Answers per second."""
    median_ms: float
    p99_ms: float
    server_us: float
    """CPU time of the server process per answer, in microseconds, all threads."""
    workers_us: float
    """The same of all processes below it."""
    failures: float


class Load:
    """Asks servers in turns, so that a change of the machine's speed meets them all."""

    def __init__(self, folder: Path, seconds: int) -> None:
        self._folder = folder
        self._seconds = seconds

    def alternate(
        self, servers: Mapping[str, Measured], connections: int, rounds: int
    ) -> dict[str, list[Round]]:
        """Measure each server once a round."""
        measured: dict[str, list[Round]] = {name: [] for name in servers}
        for _ in range(rounds):
            for name, server in servers.items():
                measured[name].append(self.ask(server, connections))
        return measured

    def ask(self, server: Measured, connections: int) -> Round:
        """Measure one server once."""
        script = self._folder / "post.lua"
        script.write_text(_lua(server.token))
        below = family(server.pid)
        before, before_below = cpu_seconds(server.pid), _cpu_of(below)
        done = subprocess.run(
            [
                "wrk", "-t1", f"-c{connections}", f"-d{self._seconds}s", "--latency",
                "-s", str(script), f"{server.address}{server.path}",
            ],
            check=True,
            capture_output=True,
            text=True,
        )  # fmt: skip
        used, used_below = cpu_seconds(server.pid) - before, _cpu_of(below) - before_below
        answers = max(int(_found(r"(\d+) requests in", done.stdout)), 1)
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
        return Round(
            rate=float(_found(r"Requests/sec:\s+([\d.]+)", done.stdout)),
            median_ms=_milliseconds(_found(r"^ +50% +(\S+)", done.stdout)),
            p99_ms=_milliseconds(_found(r"^ +99% +(\S+)", done.stdout)),
            server_us=used / answers * 1e6,
            workers_us=used_below / answers * 1e6,
            failures=int(bad[1]) if bad else 0,
        )


def medians(rounds: Sequence[Round]) -> Round:
    """Return the median of each figure, but the worst count of failures."""
    named = {f.name: statistics.median(getattr(r, f.name) for r in rounds) for f in fields(Round)}
    return Round(**{**named, "failures": max(r.failures for r in rounds)})


def ratio(ours: Sequence[Round], others: Sequence[Round]) -> float:
    """Compare rates round by round; return the median."""
    return statistics.median(a.rate / b.rate for a, b in zip(ours, others, strict=True))


def _cpu_of(pids: Sequence[int]) -> float:
    total = 0.0
    for pid in pids:
        try:
            total += cpu_seconds(pid)
        except OSError:  # it has ended
            continue
    return total


def _lua(token: str) -> str:
    body = json.dumps(CONTRACTS[TRIGGER].example)
    return (
        'wrk.method = "POST"\n'
        f"wrk.body = [==[{body}]==]\n"
        'wrk.headers["Content-Type"] = "application/json"\n'
        + (f'wrk.headers["Authorization"] = "Bearer {token}"\n' if token else "")
    )


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"the load generator printed something else:\n{text}")
    return found[1]


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * _UNITS[unit]
