"""Several processes share one queue, and may be killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from app.application.views import Delivery
from app.queue.records import Depth
from app.queue.sqlite import SqliteQueue
from app.vault.sealing import SealingVault

Make = Callable[..., Delivery]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
EMPTY = Depth(0, 0, 0)


CONSUMER_PROCESS = """
import asyncio, datetime, os, pathlib, sys
from app.queue.consumer import Consumer
from app.queue.sqlite import SqliteQueue
from app.vault.sealing import open_vault
def clock(): return datetime.datetime.now(datetime.UTC)
folder, database, marks = (pathlib.Path(argument) for argument in sys.argv[1:4])
lease = float(sys.argv[4])
vault = open_vault(folder / "master.keys", folder / "vault.db", clock)
queue = SqliteQueue(database, vault, clock)
async def deliver(delivery):
    mark = marks / delivery.invocation_id
    with open(marks / "log", "a", buffering=1) as log:
        try:
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            log.write(f"TWICE {delivery.invocation_id}\\n")
            return True
        await asyncio.sleep(0.005)
        mark.unlink()
        log.write(f"done {delivery.invocation_id}\\n")
    return True
async def main():
    consumer = Consumer(queue, deliver, clock, concurrency=4, lease=lease, poll=0.02)
    print("ready", flush=True)
    await consumer.run()
asyncio.run(main())
"""


def start_consumer(tmp_path: Path, path: Path, marks: Path, lease: float) -> subprocess.Popen[str]:
    arguments = [str(tmp_path), str(path), str(marks), str(lease)]
    child = subprocess.Popen(
        [sys.executable, "-c", CONSUMER_PROCESS, *arguments], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def end(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.wait()
    assert child.stdout is not None
    child.stdout.close()


def test_two_processes_never_run_one_delivery_at_the_same_time(
    queue: SqliteQueue,
    vault: SealingVault,
    delivery: Make,
    path: Path,
    tmp_path: Path,
    until: Until,
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    vault.protect("queue", b"")
    children = [start_consumer(tmp_path, path, marks, 30) for _ in range(2)]

    async def scenario() -> None:
        await asyncio.gather(*(queue.enqueue(delivery(f"i{number}")) for number in range(200)))
        await until(lambda: queue.depth() == EMPTY)

    try:
        asyncio.run(scenario())
    finally:
        for child in children:
            end(child)
    counts = Counter((marks / "log").read_text().splitlines())
    assert counts == Counter(f"done i{number}" for number in range(200))


def test_what_a_killed_consumer_was_running_is_run_by_the_next(
    queue: SqliteQueue,
    delivery: Make,
    path: Path,
    tmp_path: Path,
    clock: Any,
    until: Until,
    consuming: Any,
    recorder: Any,
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    deliver = recorder()

    async def scenario() -> None:
        await asyncio.gather(*(queue.enqueue(delivery(f"i{number}")) for number in range(300)))
        child = start_consumer(tmp_path, path, marks, 0.5)
        try:
            await until(lambda: queue.depth().waiting < 290)
        finally:
            end(child)
        done = set((marks / "log").read_text().split())
        async with consuming(queue, deliver, clock, poll=0.05):
            await until(lambda: queue.depth() == EMPTY)
        everything = {f"i{number}" for number in range(300)}
        assert done | set(deliver.ids) >= everything

    asyncio.run(scenario())
    # Only what was running when it was killed is run again.
    log = (marks / "log").read_text().splitlines()
    assert not any(entry.startswith("TWICE") for entry in log)
    assert len(log) + len(deliver.ids) <= 300 + 4
