"""The event store in one SQLite file.

Why not the library's recorder as it is: it reuses the id of a deleted last row, lets rows be
changed, and opens write transactions with a plain ``BEGIN``, which fails at once when another
process committed in between. Here ids are never reused, the table refuses everything but appending
(for every program that opens the file, not only this one), and writers queue.

The file must be on a local disk: write-ahead logging needs shared memory.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from eventsourcing.persistence import Mapper, OperationalError, Transcoder
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteFactory,
    SQLiteTransaction,
)
from eventsourcing.utils import Environment, EnvType

from app.domain.errors import Stalled
from app.eventstore.mapper import EventMapper

EVENTS_TABLE = "stored_events"
LOCK_TIMEOUT = 15
"""Seconds a writer waits for the others; a commit takes milliseconds."""

# The key must be called `rowid`, which is what the library selects.
_TABLE = """
CREATE TABLE IF NOT EXISTS stored_events (
    rowid INTEGER PRIMARY KEY AUTOINCREMENT,
    originator_id TEXT NOT NULL,
    originator_version INTEGER NOT NULL,
    topic TEXT NOT NULL,
    state BLOB NOT NULL,
    UNIQUE (originator_id, originator_version)
)"""
_NO_UPDATE = """
CREATE TRIGGER IF NOT EXISTS stored_events_no_update BEFORE UPDATE ON stored_events
BEGIN SELECT RAISE(ABORT, 'stored_events is append-only'); END"""
_NO_DELETE = """
CREATE TRIGGER IF NOT EXISTS stored_events_no_delete BEFORE DELETE ON stored_events
BEGIN SELECT RAISE(ABORT, 'stored_events is append-only'); END"""
# REPLACE deletes without firing the trigger above, unless the connection asks for it
# (`recursive_triggers`); other programs' connections do not.
_NO_REPLACE = """
CREATE TRIGGER IF NOT EXISTS stored_events_no_replace BEFORE INSERT ON stored_events
WHEN EXISTS (SELECT 1 FROM stored_events WHERE rowid = NEW.rowid)
    OR EXISTS (
        SELECT 1 FROM stored_events
        WHERE originator_id = NEW.originator_id AND originator_version = NEW.originator_version
    )
BEGIN SELECT RAISE(ABORT, 'stored_events already holds this event'); END"""
# A row below the newest would never be seen by followers who are past it.
_AT_END = """
CREATE TRIGGER IF NOT EXISTS stored_events_at_end AFTER INSERT ON stored_events
WHEN NEW.rowid < (SELECT max(rowid) FROM stored_events) OR NEW.rowid < 1
BEGIN SELECT RAISE(ABORT, 'stored_events grows only at its end'); END"""
_SCHEMA = (_TABLE, _NO_UPDATE, _NO_DELETE, _NO_REPLACE, _AT_END)

_INSERT = """
INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (?, ?, ?, ?)"""

_log = logging.getLogger("hookledger.eventstore")


def sqlite_environment(path: str | Path) -> dict[str, str]:
    """Return every setting of the library that the store relies on.

    The library lays these over the process environment, so what is not named here could be changed
    from outside by accident (a stray ``CIPHER_KEY`` would encrypt the log).
    """
    return {
        "PERSISTENCE_MODULE": "app.eventstore.sqlite:SQLiteEventStoreFactory",
        "SQLITE_DBNAME": str(Path(path).absolute()),
        "SQLITE_LOCK_TIMEOUT": str(LOCK_TIMEOUT),
        "ORIGINATOR_ID_TYPE": "text",
        "CREATE_TABLE": "y",
        "SINGLE_ROW_TRACKING": "y",
        "IS_SNAPSHOTTING_ENABLED": "n",
        "MAPPER_TOPIC": "app.eventstore.mapper:EventMapper",
        "TRANSCODER_TOPIC": "",
        "COMPRESSOR_TOPIC": "",
        "CIPHER_TOPIC": "",
        "CIPHER_KEY": "",
        "APPLICATION_RECORDER_TOPIC": "",
        "TRACKING_RECORDER_TOPIC": "",
        "PROCESS_RECORDER_TOPIC": "",
        # What was loaded before is read on from there: a source has an event of each commit.
        "AGGREGATE_CACHE_MAXSIZE": "256",
        "AGGREGATE_CACHE_FASTFORWARD": "y",
        "AGGREGATE_CACHE_FASTFORWARD_SKIPPING": "n",
        "DEEPCOPY_FROM_AGGREGATE_CACHE": "y",
    }


class AppendOnlyRecorder(SQLiteApplicationRecorder):
    """Stores events in a table that can only grow, at its end."""

    def __init__(self, datastore: SQLiteDatastore) -> None:
        super().__init__(datastore, EVENTS_TABLE)
        self.insert_events_statement = _INSERT

    def construct_create_table_statements(self) -> list[str]:
        """Define table and triggers, each only if it is not there yet."""
        return list(_SCHEMA)


class SQLiteEventStoreFactory(SQLiteFactory):
    """Makes mapper and recorder; ``PERSISTENCE_MODULE`` of ``sqlite_environment`` names it."""

    application_recorder_class: type[SQLiteApplicationRecorder] = AppendOnlyRecorder

    def __init__(self, env: Environment | EnvType | None) -> None:
        # Without the application's name, which the library would look up first as a prefix: our
        # own settings are called HOOKLEDGER_* too.
        super().__init__(Environment(env=dict(env or {})))
        self._refuse_unfit_settings()
        library_pool = self.datastore.pool
        library_pool.close()
        self.datastore.pool = _DurablePool(
            db_name=library_pool.db_name,
            lock_timeout=library_pool.lock_timeout or LOCK_TIMEOUT,
            pool_timeout=2.0 * LOCK_TIMEOUT,
        )

    def mapper(
        self,
        transcoder: Transcoder | None = None,
        mapper_class: type[Mapper[Any]] | None = None,
    ) -> Mapper[Any]:
        """Return the domain's mapper, whatever the environment says."""
        del transcoder, mapper_class
        return EventMapper(compressor=self.compressor(), cipher=self.cipher())

    def _refuse_unfit_settings(self) -> None:
        if SQLiteConnectionPool.detect_memory_mode(self.datastore.pool.db_name):
            raise Stalled("The event store needs a file; a database in memory is lost on exit.")
        if self.datastore.originator_id_type != "text":
            raise Stalled(
                "The event store needs ORIGINATOR_ID_TYPE=text; use sqlite_environment()."
            )


class CommitWatch:
    """Calls ``on_commit`` when any connection, of any process, has committed to the file.

    Only a hint for followers, who poll anyway: it calls once at the start, may call for commits
    that concern nobody, and after an error calls to be on the safe side. Asking every 20 ms costs
    0.3 to 0.8 % of a core and wakes 10 ms after a foreign commit (median).
    """

    def __init__(
        self, path: str | Path, on_commit: Callable[[], None], interval: float = 0.02
    ) -> None:
        self._path = Path(path).absolute()
        self._on_commit = on_commit
        self._interval = interval
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; the file must exist."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="commit-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for its end; harmless if it never ran."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._watch()
            except sqlite3.Error as error:
                _log.warning("Watching %s for commits failed: %s; trying again", self._path, error)
                self._on_commit()
                self._stopping.wait(1.0)

    def _watch(self) -> None:
        with contextlib.closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            last: int | None = None
            while True:
                version = connection.execute("PRAGMA data_version").fetchone()[0]
                if version != last:
                    last = version
                    self._on_commit()
                if self._stopping.wait(self._interval):
                    return


class _ImmediateTransaction(SQLiteTransaction):
    def __enter__(self) -> SQLiteCursor:
        cursor = self.connection.cursor()
        try:
            # A deferred transaction that reads and then writes fails without waiting when somebody
            # else committed in between.
            cursor.execute("BEGIN IMMEDIATE" if self.commit else "BEGIN")
        except sqlite3.OperationalError as error:
            raise OperationalError(error) from error
        return cursor

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        try:
            super().__exit__(exc_type, exc_val, exc_tb)
        except BaseException:
            # A commit that failed (disk full) leaves the transaction open for the next borrower.
            with contextlib.suppress(sqlite3.Error):
                self.connection.rollback()
            raise


class _DurableConnection(SQLiteConnection):
    @contextlib.contextmanager
    def transaction(self, *, commit: bool) -> Iterator[SQLiteCursor]:
        # The library's cursor gives the driver's on entering, and calls that by its own name.
        with _ImmediateTransaction(self, commit=commit) as cursor, cursor as driver_cursor:
            yield cast("SQLiteCursor", driver_cursor)


class _DurablePool(SQLiteConnectionPool):
    def _create_connection(self) -> SQLiteConnection:
        try:
            connection = sqlite3.connect(
                self.db_name,
                timeout=self.lock_timeout or LOCK_TIMEOUT,
                isolation_level=None,
                check_same_thread=False,
            )
        except sqlite3.Error as error:
            raise OperationalError(f"{error}: {self.db_name}") from error
        try:
            _configure(connection, self.db_name)
        except BaseException:
            connection.close()
            raise
        return _DurableConnection(sqlite_conn=connection, max_age=self.max_age)


def _configure(connection: sqlite3.Connection, path: str) -> None:
    connection.row_factory = sqlite3.Row
    try:
        (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA recursive_triggers=ON")
    except sqlite3.OperationalError as error:
        raise OperationalError(f"{error}: {path}") from error
    if mode != "wal":
        raise Stalled(
            f"{path} cannot be opened with write-ahead logging (it stays `{mode}`); "
            "put the database on a local disk."
        )
