"""From ``git commit`` returning to the first answer that names the commit."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from app.domain.triggers.catalogue import CONTRACTS
from tests.benchmarks.processes import (
    TRIGGER,
    git,
    hookledger,
    make_repository,
    write_version,
)

_GIVE_UP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds over all commits."""

    hooks: int
    commits: int
    median_ms: float
    p90_ms: float
    worst_ms: float
    commit_ms: float
    """Median time that ``git commit`` itself took: the peer to compare with."""


def measure(hooks: int = 100, commits: int = 50) -> Latency:
    """Commit again and again, and ask until the answer comes from the commit."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        repository = make_repository(root, hooks)
        with hookledger(root, repository) as server:
            headers = {"authorization": f"Bearer {server.token}"}
            with httpx.Client(base_url=server.address, headers=headers) as client:
                pairs = [_one(repository, client, number) for number in range(1, commits + 1)]
    lives = sorted(live for live, _ in pairs)
    return Latency(
        hooks=hooks,
        commits=commits,
        median_ms=statistics.median(lives),
        p90_ms=lives[int(len(lives) * 0.9) - 1],
        worst_ms=lives[-1],
        commit_ms=statistics.median(took for _, took in pairs),
    )


def _one(repository: Path, client: httpx.Client, version: int) -> tuple[float, float]:
    hook = repository / "hooks" / TRIGGER / "group-000" / "hook-00000"
    write_version(hook, version)
    git(repository, "add", "--all")
    before = time.perf_counter()
    git(repository, "commit", "--quiet", "--message", f"Version {version}")
    returned = time.perf_counter()
    sha = (repository / ".git" / "refs" / "heads" / "main").read_text().strip()
    while True:
        answer = client.post(f"/v1/triggers/{TRIGGER}/invoke", json=CONTRACTS[TRIGGER].example)
        now = time.perf_counter()
        if answer.headers.get("hookledger-revision") == sha:
            return (now - returned) * 1000, (returned - before) * 1000
        if now - returned > _GIVE_UP_SECONDS:
            raise RuntimeError(f"commit {sha} did not go live: {answer.status_code} {answer.text}")
