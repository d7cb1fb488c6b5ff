"""Run every benchmark and write ``docs/benchmarks.md``; ``--sample`` runs a little and writes none."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from tests.benchmarks import (
    deployment,
    following,
    peers,
    report,
    throughput,
    transparency,
    workers,
)

REPORT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"

T = TypeVar("T")

_CONSOLE = Console(stderr=True)


def main() -> int:
    """Measure and report; the exit code says whether everything answered."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--sample", action="store_true", help="a minute of it, printed only")
    sample: bool = parser.parse_args().sample
    if not _load_generator():
        _CONSOLE.print("wrk is missing: install Debian's package `wrk` and run this again.")
        return 1
    few = {"connections": (16,), "rounds": 2, "seconds": 1}
    comparisons = _with("invocations", lambda: throughput.measure(**(few if sample else {})))  # type: ignore[arg-type]
    fewer = {"hooks": 20, "blocks": 4, "starts": 5, "kills": 1}
    figures = _with("workers", lambda: workers.measure(**(fewer if sample else {})))
    text = [
        report.head(platform_of_this_run()),
        report.throughput(comparisons),
        report.workers(figures),
        report.history(
            _with("history", lambda: transparency.measure(20_000 if sample else 1_000_000))
        ),
    ]
    if not sample:
        standings, absent = _with("peers", peers.measure)
        latency = _with("commits, from commit to answer", deployment.measure)
        followed = _with("invocations while others follow", following.measure)
        text += [
            report.peers(standings, absent),
            report.deployment(latency),
            report.following(followed),
        ]
        REPORT.write_text("".join(text))
    Console().print("".join(text), markup=False)
    every = [r for c in comparisons for r in (c.ours, c.echo, c.same)]
    return 1 if any(r.failures for r in every) else 0


def platform_of_this_run() -> str:
    """Describe the machine."""
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def _with(what: str, measure: Callable[[], T]) -> T:
    with _CONSOLE.status(f"{what} …"):
        return measure()


def _load_generator() -> bool:
    if shutil.which("wrk") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "--yes", "--quiet", "wrk"], check=False)
    return shutil.which("wrk") is not None


if __name__ == "__main__":
    sys.exit(main())
