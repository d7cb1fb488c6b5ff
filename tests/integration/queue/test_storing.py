"""An accepted delivery is on the disk, once, encrypted, whatever happens next."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.application.ports import DeliveryQueue
from app.application.views import Delivery
from app.domain.errors import Rejected, Stalled, Transient
from app.queue.records import Depth, Taken
from app.queue.sqlite import SqliteQueue

Open = Callable[[], SqliteQueue]
Make = Callable[..., Delivery]
LEASE = timedelta(seconds=30)


def take(queue: SqliteQueue, limit: int = 100, owner: str = "me") -> Taken:
    return asyncio.run(queue.take(owner, limit, LEASE))


def taken(queue: SqliteQueue, limit: int = 100) -> list[Delivery]:
    return [queue.open(lease) for lease in take(queue, limit).leases]


def test_it_is_a_delivery_queue(queue: SqliteQueue, delivery: Make) -> None:
    port: DeliveryQueue = queue
    asyncio.run(port.enqueue(delivery()))
    assert taken(queue) == [delivery()]


def test_a_delivery_survives_kill_9_right_after_it_was_accepted(
    path: Path, tmp_path: Path, open_queue: Open
) -> None:
    program = f"""
import asyncio, datetime, os, pathlib, signal
from app.application.views import Delivery
from app.queue.sqlite import SqliteQueue
from app.vault.sealing import open_vault
def clock(): return datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
folder = pathlib.Path({str(tmp_path)!r})
vault = open_vault(folder / "master.keys", folder / "vault.db", clock)
queue = SqliteQueue(pathlib.Path({str(path)!r}), vault, clock)
async def main():
    await asyncio.gather(*(queue.enqueue(Delivery(f"i{{n}}", "t", b"p", "c", clock())) for n in range(20)))
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    child = subprocess.run([sys.executable, "-c", program], timeout=60)
    assert child.returncode == -9
    assert sorted(each.invocation_id for each in taken(open_queue())) == sorted(
        f"i{n}" for n in range(20)
    )


def test_every_commit_is_flushed_to_the_disk(queue: SqliteQueue) -> None:
    connection = queue._committer._connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_same_id_is_stored_once(queue: SqliteQueue, open_queue: Open, delivery: Make) -> None:
    async def scenario() -> None:
        await asyncio.gather(
            *(each.enqueue(delivery()) for each in (queue, open_queue()) for _ in range(5))
        )

    asyncio.run(scenario())
    assert len(taken(queue)) == 1


def test_an_id_that_is_running_done_or_dead_is_not_run_again(
    queue: SqliteQueue, delivery: Make, clock: Any
) -> None:
    async def scenario() -> None:
        for name in ("running", "done", "dead"):
            await queue.enqueue(delivery(name))
        leases = {lease.invocation_id: lease for lease in (await queue.take("me", 9, LEASE)).leases}
        await queue.finish("done")
        await queue.bury(leases["dead"], "failed")
        for name in ("running", "done", "dead"):
            await queue.enqueue(delivery(name))
        assert (await queue.take("me", 9, LEASE)).leases == ()
        assert queue.depth() == Depth(waiting=0, running=1, dead=1)

    asyncio.run(scenario())


def test_ids_of_done_deliveries_are_forgotten_after_a_day(
    queue: SqliteQueue, delivery: Make, clock: Any, path: Path
) -> None:
    async def scenario() -> None:
        for number in range(3):
            await queue.finish(f"old{number}")
        clock.advance(timedelta(days=1, minutes=1))
        for number in range(3):
            await queue.finish(f"new{number}")
        await queue.enqueue(delivery("new1"))
        await queue.enqueue(delivery("old1"))
        assert [each.invocation_id for each in (await queue.take("me", 9, LEASE)).leases] == [
            "old1"
        ]

    asyncio.run(scenario())
    connection = sqlite3.connect(path)
    assert sorted(connection.execute("SELECT invocation_id FROM finished")) == [
        ("new0",),
        ("new1",),
        ("new2",),
    ]
    connection.close()


def test_payloads_are_unreadable_on_the_disk_and_closed_to_others(
    queue: SqliteQueue, delivery: Make, path: Path
) -> None:
    asyncio.run(queue.enqueue(delivery(payload=b"a very private payload")))
    files = list(path.parent.glob(f"{path.name}*"))
    assert len(files) == 3
    assert not any(b"private" in file.read_bytes() for file in files)
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)


def test_an_exchanged_or_altered_delivery_is_refused(
    queue: SqliteQueue, delivery: Make, path: Path
) -> None:
    for name in ("one", "two"):
        asyncio.run(queue.enqueue(delivery(name)))
    one, two = take(queue).leases
    with pytest.raises(Rejected, match="another invocation"):
        queue.open(replace(one, sealed=two.sealed))
    with pytest.raises(Rejected):
        queue.open(replace(one, sealed=one.sealed[:-1] + bytes([one.sealed[-1] ^ 1])))


def test_concurrent_deliveries_share_the_flushing(queue: SqliteQueue, delivery: Make) -> None:
    statements: list[str] = []
    queue._committer._connection.set_trace_callback(statements.append)

    async def scenario() -> None:
        await asyncio.gather(*(queue.enqueue(delivery(f"i{number}")) for number in range(200)))

    asyncio.run(scenario())
    assert sum(statement == "COMMIT" for statement in statements) < 20
    assert queue.depth().waiting == 200


def test_a_failing_change_spares_those_it_shares_a_transaction_with(
    queue: SqliteQueue, delivery: Make
) -> None:
    nonsense: Any = None
    bad = replace(delivery("bad"), accepted_at=nonsense)

    async def scenario() -> list[Any]:
        changes = [queue.enqueue(each) for each in (delivery("one"), bad, delivery("two"))]
        return await asyncio.gather(*changes, return_exceptions=True)

    results = asyncio.run(scenario())
    assert [type(result) for result in results] == [type(None), TypeError, type(None)]
    assert [each.invocation_id for each in taken(queue)] == ["one", "two"]


def test_a_locked_file_is_a_passing_trouble_and_nothing_is_half_stored(
    queue: SqliteQueue, delivery: Make, path: Path
) -> None:
    queue._committer._connection.execute("PRAGMA busy_timeout = 10")
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(Transient, match=str(path)):
        asyncio.run(queue.enqueue(delivery()))
    blocker.execute("ROLLBACK")
    blocker.close()
    assert taken(queue) == []
    asyncio.run(queue.enqueue(delivery()))
    assert taken(queue) == [delivery()]


def test_deliveries_are_taken_in_the_order_they_came(queue: SqliteQueue, delivery: Make) -> None:
    names = [f"i{number}" for number in range(30)]
    for name in names:
        asyncio.run(queue.enqueue(delivery(name)))
    assert [each.invocation_id for _ in range(3) for each in taken(queue, 10)] == names


def test_a_taken_delivery_is_due_again_when_its_lease_ends(
    queue: SqliteQueue, delivery: Make, clock: Any
) -> None:
    asyncio.run(queue.enqueue(delivery()))
    first = take(queue)
    assert first.next_due is not None
    assert take(queue).leases == ()
    clock.advance(LEASE)
    (again,) = take(queue, owner="you").leases
    assert (again.attempts, again.abandoned) == (1, True)
    assert asyncio.run(queue.renew("me", ["i1"], LEASE)) == frozenset()
    assert asyncio.run(queue.renew("you", ["i1", "i2"], LEASE)) == {"i1"}


def test_a_lease_that_was_lost_can_no_longer_be_given_back(
    queue: SqliteQueue, delivery: Make, clock: Any
) -> None:
    asyncio.run(queue.enqueue(delivery()))
    (lost,) = take(queue).leases
    clock.advance(LEASE)
    take(queue, owner="you")
    asyncio.run(queue.bury(lost, "late"))
    asyncio.run(queue.retry(lost, clock(), "late"))
    asyncio.run(queue.release("me"))
    assert queue.depth() == Depth(waiting=0, running=1, dead=0)


def test_releasing_undoes_the_taking(queue: SqliteQueue, delivery: Make) -> None:
    asyncio.run(queue.enqueue(delivery()))
    take(queue)
    asyncio.run(queue.release("me"))
    (lease,) = take(queue).leases
    assert (lease.attempts, lease.abandoned) == (0, False)


def test_many_threads_and_loops_share_one_queue(queue: SqliteQueue, delivery: Make) -> None:
    def work(number: int) -> None:
        for turn in range(10):
            asyncio.run(queue.enqueue(delivery(f"{number}-{turn}")))
            queue.depth()

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(6)))
    assert len(taken(queue)) == 60


def test_a_closed_queue_says_so(queue: SqliteQueue, delivery: Make) -> None:
    queue.close()
    with pytest.raises(Transient, match="closed"):
        asyncio.run(queue.enqueue(delivery()))
    with pytest.raises(Stalled, match="closed"):
        queue.depth()


def test_a_queue_of_a_newer_server_is_refused(
    queue: SqliteQueue, path: Path, open_queue: Open
) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(Stalled, match="format 99"):
        open_queue()


def test_a_file_that_is_no_database_is_refused(path: Path, open_queue: Open) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, but long enough to be taken for one" * 50)
    with pytest.raises(Stalled, match=str(path)):
        open_queue()
