"""What watches the server at work: journal, live feeds, figures, and the record of accesses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from app.application.callers.access_ports import AccessLog
from app.application.journal_views import Access, StoredExecution, StoredLine
from app.application.observing.following import Live, open_live
from app.application.ports import Vault
from app.bootstrap.metrics import CountingJournal, LiveCollector
from app.bootstrap.storage import Storage, open_journal
from app.domain.hooks.secrets import SealedSecret
from app.journal.sqlite import SqliteJournal
from app.journal.store import Stored


class NotedVault:
    """A ``Vault`` that notes which version of which secret was opened."""

    def __init__(self, vault: Vault, accesses: AccessLog) -> None:
        self._vault = vault
        self._accesses = accesses
        self.seal = vault.seal
        self.destroy = vault.destroy
        self.protect = vault.protect
        self.reveal = vault.reveal

    def open(self, hook_id: str, secret: SealedSecret) -> str:
        """Decrypt; counted once it is done, by hook, secret, version and day."""
        value = self._vault.open(hook_id, secret)
        subject = f"hook:{hook_id} secret:{secret.name} key:{secret.key_id}"
        self._accesses.note(Access("secret_opened", subject=subject))
        return value


@dataclass(frozen=True, slots=True)
class Observation:
    """What the rest of the server writes into, and reads from."""

    journal: SqliteJournal
    recorder: CountingJournal
    """The way into the journal for all that happens."""
    live: Live
    vault: Vault
    """The storage's, for everybody who opens secrets of hooks."""


@contextlib.contextmanager
def open_observation(storage: Storage, registry: CollectorRegistry) -> Iterator[Observation]:
    """Open the journal and all that hangs on it; what was recorded is stored on exit."""
    settings, table = storage.settings, storage.hooks

    def trigger_of(hook_id: str) -> str | None:
        hook = table.table.hooks.get(hook_id)
        return hook.trigger if hook is not None else None

    live = open_live(
        trigger_of,
        most=settings.live_readers,
        most_of_a_client=settings.live_readers_per_client,
    )

    def tell(stored: Stored) -> None:
        live.lines.publish(StoredLine(*each) for each in stored.lines)
        live.executions.publish(StoredExecution(*each) for each in stored.executions)

    with open_journal(settings, storage.vault, tell) as journal:
        recorder = CountingJournal(journal, registry)
        registry.register(LiveCollector(live))
        yield Observation(journal, recorder, live, NotedVault(storage.vault, journal))
