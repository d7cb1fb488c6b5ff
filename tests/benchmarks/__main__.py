"""Run every benchmark and write ``docs/benchmarks.md``; ``--sample`` and ``--only`` write none."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.benchmarks import (
    deployment,
    event_log,
    following,
    history,
    pages,
    peers,
    report,
    scale,
    throughput,
    transparency,
    workers,
)
from tests.benchmarks.page_data import Size

REPORT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"

_CONSOLE = Console(stderr=True)


def main() -> int:
    """Measure and report; the exit code says whether everything answered."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--sample", action="store_true", help="a minute of it, printed only")
    parser.add_argument(
        "--only", action="append", choices=SECTIONS, help="this section, printed only; repeatable"
    )
    asked = parser.parse_args()
    if not _load_generator():
        _CONSOLE.print("wrk is missing: install Debian's package `wrk` and run this again.")
        return 1
    wanted = asked.only or (SAMPLE if asked.sample else SECTIONS)
    text = report.head(platform_of_this_run())
    for name in wanted:
        with _CONSOLE.status(f"{name} …"):
            text += SECTIONS[name](asked.sample)
    if not (asked.only or asked.sample):
        REPORT.write_text(text)
    Console().print(text, markup=False, soft_wrap=True)
    return 0


def _invocations(sample: bool) -> str:
    few: Mapping[str, Any] = {"connections": (16,), "rounds": 2, "seconds": 1} if sample else {}
    comparisons = throughput.measure(**few)
    if any(r.failures for c in comparisons for r in (c.ours, c.echo, c.same)):
        raise SystemExit("Some answers were no answers; these figures would mean nothing.")
    return report.throughput(comparisons)


def _workers(sample: bool) -> str:
    few = {"hooks": 20, "pairs_of_runners": 1, "starts_": 5, "kills": 1}
    return report.workers(workers.measure(**(few if sample else {})))


def _history(sample: bool) -> str:
    return report.history(transparency.measure(20_000 if sample else 1_000_000))


def _past(sample: bool) -> str:
    events, questions = (20_000, 20) if sample else (1_000_000, 500)
    times = history.measure(event_log.generate, events=events, questions=questions)
    return history.report(times, events)


def _pages(sample: bool) -> str:
    size = Size(20_000, 100, 2000) if sample else Size()
    return pages.report(pages.measure(size, 1 if sample else 5), size)


def _peers(_: bool) -> str:
    return report.peers(*peers.measure())


def _deployment(_: bool) -> str:
    return report.deployment(deployment.measure())


def _scale(sample: bool) -> str:
    return report.scale(scale.measure((10, 100), 5) if sample else scale.measure())


def _following(_: bool) -> str:
    return report.following(following.measure())


SECTIONS: Mapping[str, Callable[[bool], str]] = {
    "invocations": _invocations,
    "workers": _workers,
    "history": _history,
    "past": _past,
    "pages": _pages,
    "peers": _peers,
    "deployment": _deployment,
    "scale": _scale,
    "following": _following,
}
"""In the order of the report; each is told whether a sample will do."""
SAMPLE = ("invocations", "workers", "history", "scale")


def platform_of_this_run() -> str:
    """Describe the machine."""
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def _load_generator() -> bool:
    if shutil.which("wrk") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "--yes", "--quiet", "wrk"], check=False)
    return shutil.which("wrk") is not None


if __name__ == "__main__":
    sys.exit(main())
