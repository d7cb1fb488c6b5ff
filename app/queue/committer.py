"""Group commit: one thread runs the changes of many callers in shared transactions.

Making a transaction durable costs a flush of the disk, whatever is in it. While one is flushed
the next changes gather; they then share the next flush.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from app.domain.errors import Transient
from app.queue.database import QUEUE_FILE, open_database

_MOST_AT_ONCE = 1000

T = TypeVar("T")
Change = Callable[[sqlite3.Connection], T]
"""Runs statements, in a savepoint of its own; what it returns is the caller's result."""


@dataclass(frozen=True, slots=True)
class _Job:
    change: Change[Any]
    future: Future[Any] = field(default_factory=Future)


class Committer:
    """Owns the only connection of this process that writes. Thread-safe."""

    def __init__(self, path: Path) -> None:
        """Open the file and start the thread; raise ``Stalled`` if it is unusable."""
        self._path = path
        self._connection = open_database(path)
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        # Daemon: what a caller still waits for was not promised to anybody.
        self._thread = threading.Thread(target=self._run, name="queue-committer", daemon=True)
        self._thread.start()

    def submit(self, change: Change[T]) -> Future[T]:
        """Run a change soon; the future is done when the change is on the disk.

        It carries what the change raised, or ``Transient`` or ``Stalled`` for the file's errors;
        in all these cases nothing of the change was stored.
        """
        job = _Job(change)
        with self._lock:
            if self._closed:
                raise Transient("The queue is closed: the server is stopping.")
            self._jobs.put(job)
        return job.future

    def close(self) -> None:
        """Commit what was submitted, and close the file."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            goes_on = True
            while goes_on:
                jobs, goes_on = self._gather()
                self._commit(jobs)
        finally:
            self._connection.close()

    def _gather(self) -> tuple[list[_Job], bool]:
        """Wait for a job, then take all that wait with it; False when there will be no more."""
        jobs: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == _MOST_AT_ONCE:
                break
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
        wanted = [each for each in jobs if each.future.set_running_or_notify_cancel()]
        return wanted, job is not None

    def _commit(self, jobs: list[_Job]) -> None:
        results: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            results = [(job.future, *self._apply(job.change)) for job in jobs]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            failure = QUEUE_FILE.told(self._path, error)
            failure.__cause__ = error
            results = [(job.future, None, failure) for job in jobs]
        for future, result, exception in results:
            if exception is None:
                future.set_result(result)
            else:
                future.set_exception(exception)

    def _apply(self, change: Change[Any]) -> tuple[Any, BaseException | None]:
        """Run one change so that its failure undoes nothing else."""
        self._connection.execute("SAVEPOINT change")
        try:
            result = change(self._connection)
        except sqlite3.OperationalError:
            # Of the file, not of this change: the whole transaction is in doubt.
            raise
        except Exception as error:  # noqa: BLE001 (handed to whoever submitted the change)
            self._connection.execute("ROLLBACK TO change")
            if isinstance(error, sqlite3.Error):
                return None, QUEUE_FILE.told(self._path, error)
            return None, error
        self._connection.execute("RELEASE change")
        return result, None
