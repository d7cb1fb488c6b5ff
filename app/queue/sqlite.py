"""The ``DeliveryQueue`` port on a SQLite file, and what consumers and operators do with it.

Deliveries are run *at least once*: never lost after ``enqueue`` returned, but run again when a
server dies between running one and noting it. The invocation id is the same each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec

from app.application.ports import Clock, Vault
from app.application.views import Delivery, Page
from app.domain.errors import NotFound, Rejected
from app.queue.committer import Change, Committer
from app.queue.records import DeadLetter, Depth, Lease, Taken
from app.queue.register import Register
from app.sqlite_files import from_microseconds, to_microseconds

_PURPOSE = "queue"
_FORGOTTEN_AT_ONCE = 2

T = TypeVar("T")


class SqliteQueue:
    """Implements ``DeliveryQueue``. Safe for many threads, event loops and processes."""

    def __init__(
        self,
        path: Path,
        vault: Vault,
        clock: Clock,
        *,
        remember: timedelta = timedelta(days=1),
    ) -> None:
        """Open the file; raise ``Stalled`` if it is unusable.

        ``remember`` is how long the id of a finished delivery is refused a second run.
        """
        self._vault = vault
        self._clock = clock
        self._remember = remember
        self._committer = Committer(path)
        self._register = Register(path)
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    def close(self) -> None:
        """Commit what was submitted and close the file."""
        # First: the last connection to close empties the write-ahead log, which readers may not.
        self._register.close()
        self._committer.close()

    async def enqueue(self, delivery: Delivery) -> None:
        """Store, encrypted; on return it is on the disk. The same id twice is stored once.

        Raises ``Transient`` or ``Stalled`` when it could not be stored.
        """
        await self._change(lambda connection: self._insert(connection, delivery))
        self._notify()

    @contextlib.contextmanager
    def listening(self, listener: Callable[[], None]) -> Iterator[None]:
        """Have ``listener`` called, from any thread, whenever something became due here."""
        with self._lock:
            self._listeners.append(listener)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.remove(listener)

    async def take(self, owner: str, limit: int, lease: timedelta) -> Taken:
        """Lease up to ``limit`` due deliveries, the longest due first, to ``owner``."""
        return await self._change(lambda connection: self._take(connection, owner, limit, lease))

    def open(self, lease: Lease) -> Delivery:
        """Decrypt a delivery.

        Raises ``Rejected`` when it was altered and ``Stalled`` when its key is missing.
        """
        plain = self._vault.reveal(_PURPOSE, lease.sealed)
        try:
            invocation_id, trigger, caller, accepted, payload = msgspec.msgpack.decode(
                plain, type=tuple[str, str, str, int, bytes]
            )
        except msgspec.DecodeError as error:
            raise Rejected("The stored delivery is not of the known format.") from error
        if invocation_id != lease.invocation_id:
            raise Rejected("The stored delivery belongs to another invocation.")
        return Delivery(
            invocation_id, trigger, payload, caller, from_microseconds(accepted), lease.attempts
        )

    async def renew(self, owner: str, ids: Collection[str], lease: timedelta) -> frozenset[str]:
        """Prolong leases from now; return the ids that ``owner`` still holds."""
        until = to_microseconds(self._clock() + lease)

        def change(connection: sqlite3.Connection) -> frozenset[str]:
            return frozenset(
                invocation_id
                for invocation_id in ids
                if connection.execute(
                    "UPDATE deliveries SET due_at = ?"
                    " WHERE invocation_id = ? AND owner = ? AND died_at IS NULL",
                    (until, invocation_id, owner),
                ).rowcount
            )

        return await self._change(change)

    async def finish(self, invocation_id: str) -> None:
        """Remove a delivery that is done, whoever holds it now."""
        now = self._clock()

        def change(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM deliveries WHERE invocation_id = ?", (invocation_id,))
            connection.execute(
                "INSERT OR IGNORE INTO finished VALUES (?, ?)",
                (invocation_id, to_microseconds(now)),
            )
            connection.execute(
                "DELETE FROM finished WHERE invocation_id IN"
                " (SELECT invocation_id FROM finished WHERE at < ? ORDER BY at LIMIT ?)",
                (to_microseconds(now - self._remember), _FORGOTTEN_AT_ONCE),
            )

        await self._change(change)

    async def retry(self, lease: Lease, due: datetime, error: str) -> None:
        """Give a lease back after a failed attempt, to be taken again when ``due``."""
        await self._give_back(lease, "due_at = ?, error = ?", to_microseconds(due), error)

    async def bury(self, lease: Lease, error: str) -> None:
        """Make a delivery a dead letter: kept, but not tried again by itself."""
        now = to_microseconds(self._clock())
        await self._give_back(lease, "died_at = ?, error = ?", now, error)

    async def release(self, owner: str) -> None:
        """Give back all that ``owner`` holds, as if it had never been taken."""
        now = to_microseconds(self._clock())
        await self._change(
            lambda connection: (
                connection.execute(
                    "UPDATE deliveries SET owner = NULL, due_at = ?, attempts = attempts - 1"
                    " WHERE owner = ? AND died_at IS NULL",
                    (now, owner),
                ).rowcount
            )
        )
        self._notify()

    def depth(self) -> Depth:
        """Count the deliveries. Blocking: call it from a thread."""
        return self._register.depth(to_microseconds(self._clock()))

    def dead_letters(self, cursor: str | None, limit: int) -> Page[DeadLetter]:
        """Return a page of dead letters, newest first. Blocking: call it from a thread.

        Raises ``Rejected`` for a cursor that is not one of ours.
        """
        return self._register.dead_letters(cursor, limit)

    def redrive(self, invocation_id: str) -> None:
        """Make a dead letter due again, with all its attempts. Blocking.

        Raises ``NotFound`` when there is no such dead letter.
        """
        self._change_dead_letter(
            "UPDATE deliveries SET died_at = NULL, attempts = 0, due_at = :now",
            invocation_id,
        )
        self._notify()

    def discard(self, invocation_id: str) -> None:
        """Delete a dead letter. Blocking.

        Raises ``NotFound`` when there is no such dead letter.
        """
        self._change_dead_letter("DELETE FROM deliveries", invocation_id)

    async def _change(self, change: Change[T]) -> T:
        # Shielded: a change once submitted is made, so that a later one may rely on their order.
        return await asyncio.shield(asyncio.wrap_future(self._committer.submit(change)))

    def _notify(self) -> None:
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()

    def _insert(self, connection: sqlite3.Connection, delivery: Delivery) -> None:
        done = connection.execute(
            "SELECT 1 FROM finished WHERE invocation_id = ?", (delivery.invocation_id,)
        ).fetchone()
        if done:
            return
        accepted = to_microseconds(delivery.accepted_at)
        # All of it, so that no part of a row can be exchanged unnoticed.
        plain = msgspec.msgpack.encode(
            (
                delivery.invocation_id,
                delivery.trigger,
                delivery.caller,
                accepted,
                delivery.payload,
            )
        )
        connection.execute(
            "INSERT INTO deliveries"
            " (invocation_id, trigger_id, caller, accepted_at, sealed, attempts, due_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (invocation_id) DO NOTHING",
            (
                delivery.invocation_id,
                delivery.trigger,
                delivery.caller,
                accepted,
                self._vault.protect(_PURPOSE, plain),
                delivery.attempts,
                to_microseconds(self._clock()),
            ),
        )

    def _take(
        self, connection: sqlite3.Connection, owner: str, limit: int, lease: timedelta
    ) -> Taken:
        now = self._clock()
        rows = connection.execute(
            "SELECT sequence, invocation_id, attempts, sealed, owner IS NOT NULL, error"
            " FROM deliveries WHERE died_at IS NULL AND due_at <= ?"
            " ORDER BY due_at, sequence LIMIT ?",
            (to_microseconds(now), limit),
        ).fetchall()
        until = to_microseconds(now + lease)
        connection.executemany(
            "UPDATE deliveries SET owner = ?, due_at = ?, attempts = attempts + 1"
            " WHERE sequence = ?",
            [(owner, until, row[0]) for row in rows],
        )
        (next_due,) = connection.execute(
            "SELECT min(due_at) FROM deliveries WHERE died_at IS NULL"
        ).fetchone()
        return Taken(
            tuple(
                Lease(owner, invocation_id, attempts, sealed, bool(abandoned), error)
                for _, invocation_id, attempts, sealed, abandoned, error in rows
            ),
            None if next_due is None else from_microseconds(next_due),
        )

    async def _give_back(self, lease: Lease, assignments: str, *values: object) -> None:
        await self._change(
            lambda connection: (
                connection.execute(
                    f"UPDATE deliveries SET owner = NULL, {assignments}"  # noqa: S608 (constant clauses)
                    " WHERE invocation_id = ? AND owner = ? AND died_at IS NULL",
                    (*values, lease.invocation_id, lease.owner),
                ).rowcount
            )
        )

    def _change_dead_letter(self, statement: str, invocation_id: str) -> None:
        values = {"id": invocation_id, "now": to_microseconds(self._clock())}

        def change(connection: sqlite3.Connection) -> None:
            found = connection.execute(
                f"{statement} WHERE invocation_id = :id AND died_at IS NOT NULL", values
            )
            if not found.rowcount:
                raise NotFound(f"There is no dead letter of the invocation {invocation_id}.")

        self._committer.submit(change).result()
