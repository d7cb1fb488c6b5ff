"""The part that keeps things: ledger, projections, vault, journal and queue, without HTTP or hooks.

Every command opens what it needs and no more, beside a server that may be running: SQLite's locks
and the followers' positions keep several processes from getting into each other's way.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from app.answers.sqlite import SqliteAnswers
from app.application.history.time_travel import TimeTravel
from app.application.journal_views import Access, AccessKind
from app.application.ledger import Ledger
from app.application.ports import AuditLog
from app.bootstrap.ambient import user_name, utc_now
from app.bootstrap.data_directory import prepare_data_directory, require_ledger
from app.domain.revisions import Position
from app.eventstore.sqlite import CommitWatch, sqlite_environment
from app.journal.accesses import note_alone
from app.journal.reader import Reader
from app.journal.retention import Retention
from app.journal.sqlite import SqliteJournal, tell_nobody
from app.journal.store import OnStored
from app.queue.sqlite import SqliteQueue
from app.sessions.sqlite import SqliteSessions
from app.vault.age import AgeIdentities
from app.vault.sealing import SealingVault
from app.vault.sealing import open_vault as open_sealing_vault
from config.settings import Settings, load_settings
from projections.audit_log.stored import StoredAuditLog
from projections.event_log import StoredEventLog
from projections.follower import Follower
from projections.hook_table.history import TableHistory
from projections.hook_table.live import LiveHookTable
from projections.hook_table.stored import StoredHookTable
from projections.rebuild import Progress, rebuild
from projections.sqlite import SQLiteDatabase
from projections.transparency.stored import StoredTransparencyLog

CATCH_UP_SECONDS = 60.0
ANSWERS = "answers.db"
STORED_LINGER = 0.002
"""Seconds the stored views wait, so that the table in memory, which calls wait for, is first."""


@dataclass(frozen=True, slots=True)
class Storage:
    """What is true and what is derived from it, kept up to date while open."""

    settings: Settings
    ledger: Ledger
    log: StoredEventLog
    hooks: LiveHookTable
    stored_hooks: StoredHookTable
    stored_audit: StoredAuditLog
    history: TableHistory
    audit_caught_up: Callable[[Position, float], bool]
    transparency: StoredTransparencyLog
    followers: tuple[Follower, ...]
    vault: SealingVault

    @property
    def audit(self) -> AuditLog:
        """The audit log, for queries."""
        return self.stored_audit

    @property
    def past(self) -> TimeTravel:
        """The hooks as they were."""
        return TimeTravel(
            history=self.history,
            audit=self.stored_audit,
            clock=utc_now,
            caught_up=self.audit_caught_up,
        )


@contextlib.contextmanager
def open_storage(settings: Settings | None = None) -> Iterator[Storage]:
    """Open ledger, projections and vault; the projections have caught up on entry."""
    settings = settings or load_settings()
    prepare_data_directory(settings)
    with contextlib.ExitStack() as opened:
        ledger = Ledger(sqlite_environment(settings.database))
        opened.callback(ledger.close)
        database = SQLiteDatabase(settings.database)
        opened.callback(database.close)
        log = StoredEventLog(ledger.recorder, ledger.mapper)
        stored_hooks, stored_audit = StoredHookTable(database), StoredAuditLog(database)
        transparency = StoredTransparencyLog(database)
        hooks = LiveHookTable(log, stored_hooks.load_table)
        followers = tuple(
            Follower(
                view.name,
                log,
                start=view.position,
                apply=view.apply,
                linger=STORED_LINGER,
            )
            for view in (stored_hooks, stored_audit, transparency)
        )
        vault = opened.enter_context(_vault(settings))
        _follow(opened, settings, ledger, hooks, followers)
        yield Storage(
            settings=settings,
            ledger=ledger,
            log=log,
            hooks=hooks,
            stored_hooks=stored_hooks,
            stored_audit=stored_audit,
            history=TableHistory(stored_hooks, log),
            audit_caught_up=followers[1].wait,
            transparency=transparency,
            followers=followers,
            vault=vault,
        )


@contextlib.contextmanager
def open_existing_storage() -> Iterator[Storage]:
    """Open what a server has begun; where there is nothing, raise ``NotFound`` and make nothing."""
    require_ledger(settings := load_settings())
    with open_storage(settings) as storage:
        yield storage


@contextlib.contextmanager
def open_vault(settings: Settings | None = None) -> Iterator[SealingVault]:
    """Open the vault alone."""
    settings = settings or load_settings()
    prepare_data_directory(settings)
    with _vault(settings) as vault:
        yield vault


@contextlib.contextmanager
def open_age_identities(
    settings: Settings | None = None, vault: SealingVault | None = None
) -> Iterator[AgeIdentities]:
    """Open the keys that secrets in git are sealed to."""
    settings = settings or load_settings()
    with contextlib.nullcontext(vault) if vault else open_vault(settings) as opened:
        file = settings.data_dir / "age.db"
        with contextlib.closing(AgeIdentities(file, opened, utc_now)) as identities:
            yield identities


@contextlib.contextmanager
def open_journal(
    settings: Settings | None = None,
    vault: SealingVault | None = None,
    on_stored: OnStored = tell_nobody,
) -> Iterator[SqliteJournal]:
    """Open the journal; what was recorded is stored on exit. Content is kept only with a vault."""
    settings = settings or load_settings()
    prepare_data_directory(settings)
    journal = SqliteJournal(
        _journal_file(settings),
        utc_now,
        vault=vault,
        on_stored=on_stored,
        retention=Retention(
            age=timedelta(days=settings.journal_days),
            max_bytes=settings.journal_megabytes * 1024 * 1024,
            access_age=timedelta(days=settings.access_days),
        ),
    )
    with contextlib.closing(journal):
        yield journal


@contextlib.contextmanager
def open_journal_reader() -> Iterator[Reader]:
    """Open the journal for queries only, beside the server that writes it."""
    require_ledger(settings := load_settings())
    if not _journal_file(settings).exists():
        with open_journal(settings):
            pass
    with contextlib.closing(Reader(_journal_file(settings))) as reader:
        yield reader


def note_access(kind: AccessKind, command: str, subject: str) -> None:
    """Note in the journal that the person at the command line has seen something.

    Raises ``Stalled`` or ``Transient`` if the journal cannot be written.
    """
    access = Access(kind, client=f"cli:{user_name()}", route=command, subject=subject)
    note_alone(_journal_file(load_settings()), access, utc_now)


@contextlib.contextmanager
def open_queue(
    settings: Settings | None = None, vault: SealingVault | None = None
) -> Iterator[SqliteQueue]:
    """Open the queue; its payloads are encrypted by ``vault``, which is opened if not given."""
    settings = settings or load_settings()
    with contextlib.nullcontext(vault) if vault else open_vault(settings) as keys:
        queue = SqliteQueue(settings.data_dir / "queue.db", keys, utc_now)
        with contextlib.closing(queue):
            yield queue


@contextlib.contextmanager
def open_sessions(settings: Settings | None = None) -> Iterator[SqliteSessions]:
    """Open the sessions of the dashboard."""
    settings = settings or load_settings()
    prepare_data_directory(settings)
    with contextlib.closing(SqliteSessions(settings.data_dir / "sessions.db")) as sessions:
        yield sessions


@contextlib.contextmanager
def open_answers(settings: Settings, vault: SealingVault) -> Iterator[SqliteAnswers]:
    """Open the answers to requests that may be repeated; ``vault`` encrypts them."""
    answers = SqliteAnswers(settings.data_dir / ANSWERS, vault, utc_now)
    with contextlib.closing(answers):
        yield answers


def rebuild_projections(storage: Storage, tell: Callable[[Progress], None]) -> Position:
    """Replay every event into fresh tables of all views; return the position reached."""
    views = (storage.stored_hooks, storage.stored_audit, storage.transparency)
    for progress in rebuild(views, storage.log):
        tell(progress)
    return storage.stored_audit.position()


def _journal_file(settings: Settings) -> Path:
    return settings.data_dir / "journal.db"


def vault_file(settings: Settings) -> Path:
    """Return the file of the wrapped keys."""
    return settings.data_dir / "vault.db"


@contextlib.contextmanager
def _vault(settings: Settings) -> Iterator[SealingVault]:
    vault = open_sealing_vault(settings.key_file, vault_file(settings), utc_now)
    with contextlib.closing(vault):
        yield vault


def _follow(
    opened: contextlib.ExitStack,
    settings: Settings,
    ledger: Ledger,
    hooks: LiveHookTable,
    followers: tuple[Follower, ...],
) -> None:
    """Start the followers, wake them on every commit, and wait until they have caught up."""

    def wake() -> None:
        hooks.wake()
        for follower in followers:
            follower.wake()

    ledger.add_waker(wake)
    for follower in followers:
        opened.callback(follower.stop)
        follower.start()
    opened.callback(hooks.stop)
    hooks.start()
    watch = CommitWatch(settings.database, wake)
    opened.callback(watch.stop)
    watch.start()
    for follower in followers:
        follower.wait_until_settled(CATCH_UP_SECONDS)
