"""Run every benchmark and write ``docs/benchmarks.md``."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from tests.benchmarks import deployment, throughput

REPORT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"

_HEAD = """# Benchmarks

Measured by `make bench`, which writes this file. Machines differ and are noisy: read the ratios,
which compare two things in one run, rather than the absolute figures.

Machine of this run: {cores} cores, {system}, Python {python}.
"""

_THROUGHPUT = """
## Invocations against a bare JSON echo

One server process, everything on: authentication, payload check, isolation, journal, provenance.
The floor is a Starlette route that parses JSON and answers it, on uvicorn with uvloop and
httptools, in rounds that alternate. Load generator, server and worker share the machine's cores, so
ours, with two processes to the floor's one, is at a disadvantage on a small machine. CPU is that of
the server process per answer.

| connections | floor req/s | ours req/s | ours / floor | floor p50 / p99 ms | ours p50 / p99 ms | floor CPU µs | ours CPU µs |
|---|---|---|---|---|---|---|---|
{rows}
"""

_DEPLOYMENT = """
## From commit to answer

`git commit` has returned → the next answer names the commit; {commits} commits to one of {hooks}
hooks, asked again and again over one connection.

| median | 90 % within | worst | `git commit` itself, median | ratio |
|---|---|---|---|---|
| {median_ms:.1f} ms | {p90_ms:.1f} ms | {worst_ms:.1f} ms | {commit_ms:.1f} ms | {ratio:.1f} |
"""


def main() -> int:
    """Measure and write the report; the exit code says whether everything answered."""
    console = Console(stderr=True)
    if not _load_generator():
        console.print("wrk is missing: install Debian's package `wrk` and run this again.")
        return 1
    with console.status("commits, from commit to answer …"):
        latency = deployment.measure()
    with console.status("invocations, against the floor …"):
        comparisons = throughput.measure()
    rows = "\n".join(
        f"| {c.connections} | {c.floor.rate:,.0f} | {c.ours.rate:,.0f} | **{c.ratio:.0%}** "
        f"| {c.floor.median_ms:.2f} / {c.floor.p99_ms:.2f} "
        f"| {c.ours.median_ms:.2f} / {c.ours.p99_ms:.2f} "
        f"| {c.floor.cpu_us:.0f} | {c.ours.cpu_us:.0f} |"
        for c in comparisons
    )
    REPORT.write_text(
        _HEAD.format(
            cores=os.cpu_count(),
            system=f"{platform.system()} {platform.release()}",
            python=platform.python_version(),
        )
        + _THROUGHPUT.format(rows=rows)
        + _DEPLOYMENT.format(
            commits=latency.commits,
            hooks=latency.hooks,
            median_ms=latency.median_ms,
            p90_ms=latency.p90_ms,
            worst_ms=latency.worst_ms,
            commit_ms=latency.commit_ms,
            ratio=latency.median_ms / latency.commit_ms,
        )
    )
    Console().print(REPORT.read_text(), markup=False)
    return 1 if any(c.ours.failures or c.floor.failures for c in comparisons) else 0


def _load_generator() -> bool:
    if shutil.which("wrk") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "--yes", "--quiet", "wrk"], check=False)
    return shutil.which("wrk") is not None


if __name__ == "__main__":
    sys.exit(main())
