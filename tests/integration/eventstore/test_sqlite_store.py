"""The store on a SQLite file: durable, shared between processes, and set up by one function."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from pathlib import Path

import pytest
from eventsourcing.application import LRUCache
from eventsourcing.persistence import OperationalError

from app.application.ledger import Ledger
from app.domain.aggregates import Meta, recorded_as
from app.domain.callers.client import Client
from app.domain.errors import Stalled, Transient
from app.domain.triggers.trigger import Trigger
from app.eventstore.sqlite import (
    CommitWatch,
    SQLiteEventStoreFactory,
    _configure,
    sqlite_environment,
)

META = Meta(actor="alice", origin="cli")

WRITER = """
    import sys
    from app.application.ledger import Ledger
    from app.domain.aggregates import Meta, recorded_as
    from app.domain.triggers.trigger import Trigger
    from app.eventstore.sqlite import sqlite_environment

    path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with Ledger(sqlite_environment(path)) as ledger, recorded_as(Meta(actor=name, origin="cli")):
        for number in range(count):
            ledger.record(Trigger(trigger=f"{name}-{number}"), Trigger(trigger=f"{name}-{number}x"))
"""


def writer(path: Path, name: str, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(path), name, str(count)],
        cwd=Path(__file__).parents[3],
    )


def test_connections_write_ahead_and_wait_for_the_disk(ledger: Ledger) -> None:
    factory = ledger.factory
    assert isinstance(factory, SQLiteEventStoreFactory)

    with factory.datastore.get_connection(commit=True) as connection:
        cursor = connection.cursor()
        settings = {}
        for pragma in ("journal_mode", "synchronous", "recursive_triggers", "busy_timeout"):
            cursor.execute(f"PRAGMA {pragma}")
            settings[pragma] = cursor.fetchone()[0]

    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,
        "recursive_triggers": 1,
        "busy_timeout": 15_000,
    }


def test_a_store_opened_again_holds_what_was_recorded(path: Path) -> None:
    with Ledger(sqlite_environment(path)) as ledger, recorded_as(META):
        ledger.record(Trigger(trigger="a"))

    with Ledger(sqlite_environment(path)) as ledger:
        found = ledger.find(Trigger, "trigger:a")

    assert found is not None
    assert found.trigger == "a"


def test_the_stored_state_can_be_read_by_any_tool(path: Path, ledger: Ledger) -> None:
    with recorded_as(META):
        ledger.record(Trigger(trigger="a"))

    with contextlib.closing(sqlite3.connect(path)) as connection:
        (state,) = connection.execute("SELECT CAST(state AS TEXT) FROM stored_events").fetchone()

    assert json.loads(state)["meta"] == {"actor": "alice", "origin": "cli"}


def test_an_event_of_a_newer_server_stops_the_loading_of_its_aggregate_only(
    path: Path, ledger: Ledger
) -> None:
    with recorded_as(META):
        ledger.record(Trigger(trigger="a"), Trigger(trigger="b"))
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO stored_events (originator_id, originator_version, topic, state) "
            "VALUES ('trigger:a', 2, 'trigger.chained', '{}')"
        )

    with pytest.raises(Stalled, match=r"`trigger:a`.*`trigger.chained`"):
        ledger.find(Trigger, "trigger:a")
    assert ledger.find(Trigger, "trigger:b") is not None


def test_processes_that_start_and_write_together_lose_nothing(path: Path) -> None:
    writers = [writer(path, name, 25) for name in ("a", "b", "c")]

    assert [process.wait(60) for process in writers] == [0, 0, 0]
    with Ledger(sqlite_environment(path)) as ledger:
        notifications = ledger.recorder.select_notifications(None, 1000)
    assert [n.id for n in notifications] == list(range(1, 151))
    # A transaction's events stand together: pairs were never interleaved.
    ids = [str(n.originator_id) for n in notifications]
    assert all(second == first + "x" for first, second in zip(ids[::2], ids[1::2], strict=True))


def test_threads_share_one_store(ledger: Ledger) -> None:
    def work(name: int) -> None:
        for number in range(10):
            with recorded_as(META):
                ledger.record(Trigger(trigger=f"{name}-{number}"))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    streams = Counter(n.originator_id for n in ledger.recorder.select_notifications(None, 1000))
    assert len(streams) == 80
    assert set(streams.values()) == {1}


def test_a_writer_waits_for_the_lock_and_then_says_so(path: Path) -> None:
    environment = sqlite_environment(path) | {"SQLITE_LOCK_TIMEOUT": "1"}
    with (
        Ledger(environment) as ledger,
        recorded_as(META),
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Transient, match="locked"):
            ledger.record(Trigger(trigger="a"))
        other.execute("ROLLBACK")

        assert ledger.record(Trigger(trigger="b")) == 1


def test_a_full_disk_is_told_as_what_passes_and_records_nothing(path: Path) -> None:
    with Ledger(sqlite_environment(path)) as ledger, recorded_as(META):
        ledger.record(Trigger(trigger="a"))
        factory = ledger.factory
        assert isinstance(factory, SQLiteEventStoreFactory)
        with factory.datastore.get_connection(commit=True) as connection:
            connection.cursor().execute("PRAGMA max_page_count = 1")  # SQLite takes what is in use

        with pytest.raises(Transient, match=r"disk is full.*Nothing was changed"):
            ledger.record(*(Trigger(trigger=f"{'b' * 400}{number}") for number in range(200)))
        assert ledger.head() == 1


def test_a_write_transaction_holds_the_lock_before_it_reads(path: Path, ledger: Ledger) -> None:
    # One that reads first and asks for the lock later fails when another committed in between.
    factory = ledger.factory
    assert isinstance(factory, SQLiteEventStoreFactory)

    with (
        contextlib.closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other,
        factory.datastore.transaction(commit=True),
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        other.execute("BEGIN IMMEDIATE")


def test_stray_settings_of_the_process_cannot_change_the_store(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in {
        "CIPHER_KEY": "0" * 32,
        "COMPRESSOR_TOPIC": "zlib",
        "MAPPER_TOPIC": "os:getcwd",
        "ORIGINATOR_ID_TYPE": "uuid",
        "IS_SNAPSHOTTING_ENABLED": "y",
        "CREATE_TABLE": "n",
        "AGGREGATE_CACHE_MAXSIZE": "0",
        "HOOKLEDGER_CIPHER_KEY": "0" * 32,
        "HOOKLEDGER_SQLITE_DBNAME": str(path) + ".elsewhere",
    }.items():
        monkeypatch.setenv(key, value)

    with Ledger(sqlite_environment(path)) as ledger, recorded_as(META):
        ledger.record(Trigger(trigger="a"))

        (stored,) = ledger.recorder.select_notifications(None, 10)
        assert b'"trigger":"a"' in stored.state
        assert isinstance(ledger.repository.cache, LRUCache)


def test_what_another_process_recorded_since_is_in_what_is_loaded_again(path: Path) -> None:
    with Ledger(sqlite_environment(path)) as here, Ledger(sqlite_environment(path)) as there:
        with recorded_as(META):
            here.record(Trigger(trigger="a"))
            stale = here.find(Trigger, Trigger.create_id("a"))
            changed = there.find(Trigger, Trigger.create_id("a"))
            assert stale is not None
            assert changed is not None
            changed.enable("01J")
            there.record(changed)
        again = here.find(Trigger, Trigger.create_id("a"))
        assert again is not None
        assert list(again.enabled) == ["01J"]
        assert not stale.enabled


def test_what_a_command_did_not_record_is_not_in_what_is_loaded_again(ledger: Ledger) -> None:
    with recorded_as(META):
        ledger.record(Trigger(trigger="a"))
        for _ in range(2):
            found = ledger.find(Trigger, Trigger.create_id("a"))
            assert found is not None
            assert not found.enabled
            found.enable("01J")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"SQLITE_DBNAME": ":memory:"}, "needs a file"),
        ({"ORIGINATOR_ID_TYPE": "uuid"}, "ORIGINATOR_ID_TYPE=text"),
    ],
)
def test_settings_that_would_lose_events_are_refused(
    path: Path, changes: dict[str, str], reason: str
) -> None:
    with pytest.raises(Stalled, match=reason):
        SQLiteEventStoreFactory(sqlite_environment(path) | changes)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperationalError, match=r"unable to open .*missing/events\.db"):
        Ledger(sqlite_environment(tmp_path / "missing" / "events.db"))


def test_a_file_held_by_another_program_is_named(path: Path) -> None:
    environment = sqlite_environment(path) | {"SQLITE_LOCK_TIMEOUT": "1"}
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OperationalError, match=r"locked: .*events\.db"):
            Ledger(environment)


def test_a_disk_without_write_ahead_logging_is_refused() -> None:
    # A database in memory cannot have it either.
    with (
        contextlib.closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises(Stalled, match="put the database on a local disk"),
    ):
        _configure(connection, "events.db")


def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    path = tmp_path / "50% of ?mode=memory#x ü.db"
    with pytest.raises(Stalled, match="needs a file"):
        SQLiteEventStoreFactory(sqlite_environment(path))

    path = tmp_path / "50% of ?mode=ro#x ü.db"
    with Ledger(sqlite_environment(path)) as ledger, recorded_as(META):
        ledger.record(
            Client.create("c", name="c", scopes=["read:hooks"], secret_hash="", token_hash="")
        )

    assert path.exists()


def test_the_watch_notices_commits_of_other_processes(path: Path, ledger: Ledger) -> None:
    assert ledger.head() == 0
    noticed = threading.Semaphore(0)

    with CommitWatch(path, noticed.release, interval=0.005):
        assert noticed.acquire(timeout=5), "it calls once at the start"
        process = writer(path, "a", 1)
        assert noticed.acquire(timeout=20)
        assert process.wait(20) == 0

    assert ledger.head() == 2
    assert not [t for t in threading.enumerate() if t.name == "commit-watch"]


def test_the_watch_stays_quiet_while_nobody_commits(path: Path, ledger: Ledger) -> None:
    assert ledger.head() == 0
    noticed = threading.Semaphore(0)

    with CommitWatch(path, noticed.release, interval=0.001):
        assert noticed.acquire(timeout=5)
        assert not noticed.acquire(timeout=0.1)


def test_the_watch_survives_a_database_it_cannot_open(tmp_path: Path) -> None:
    path = tmp_path / "later" / "events.db"
    noticed = threading.Semaphore(0)

    with CommitWatch(path, noticed.release, interval=0.005):
        assert noticed.acquire(timeout=5)
        path.parent.mkdir()
        assert noticed.acquire(timeout=5)


def test_a_watch_that_never_ran_can_be_stopped(path: Path) -> None:
    CommitWatch(path, lambda: None).stop()
