"""What stands between the repository, its forge and us: signatures, webhooks, commit statuses."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from app.application.syncing.commit_statuses import (
    CommitStatus,
    StatusAt,
    status_after,
    status_of_tip,
)
from app.application.syncing.receive_webhooks import WebhookDesk, WebhookTarget
from app.application.views import SourceRow
from app.bootstrap.ambient import utc_now
from app.bootstrap.storage import Storage
from app.domain.errors import Stalled
from app.domain.revisions import Position
from app.domain.sources.source import Source
from app.gitops.forges.outbox import Outbox
from app.gitops.forges.reporter import StatusReporter, StatusTarget
from app.gitops.signatures.policy import SignatureCheck, TrustRoots
from app.gitops.watcher import Watcher
from config.settings import Settings
from config.sources import SourceTable
from config.tables import WebhookSettings

_SHORTEST_SECRET = 16


def signature_check(settings: SourceTable) -> SignatureCheck:
    """Make the check of signatures; raise ``Stalled`` if it could not vouch for anybody."""
    roots = TrustRoots(
        allowed_signers=_file(settings.allowed_signers),
        revoked_signers=_file(settings.revoked_signers),
        gpg_keys=tuple(Path(name).expanduser() for name in settings.gpg_keys),
        gpg_fingerprints=frozenset(name.upper() for name in settings.gpg_fingerprints),
        signer_is_committer=settings.signer_is_committer,
    )
    return SignatureCheck(settings.verify, roots, utc_now)


def webhook_desk(
    settings: Settings, branches: Mapping[str, str], hint: Callable[[str], None]
) -> WebhookDesk:
    """Make the desk; ``branches`` are those that are followed, by source, ``hint`` takes a source.

    Raises ``Stalled`` for a source that is not followed, and for a secret that is missing or short.
    """
    targets = {}
    for source, configured in settings.webhooks.items():
        if source not in branches:
            raise Stalled(f"[webhooks.{source}] is for a source that is not followed.")
        read = partial(_secrets, source, configured)
        read()
        targets[source] = WebhookTarget(branches[source], read, partial(hint, source))
    return WebhookDesk(targets, utc_now)


@contextlib.contextmanager
def open_status_reporters(
    settings: Settings, storage: Storage, watched: Mapping[str, Watcher]
) -> Iterator[Sequence[StatusReporter]]:
    """Make a reporter for each source whose forge is told; ``watched`` are the followed sources.

    Raises ``Stalled`` for a source that is not followed.
    """
    if not settings.statuses:
        yield ()
        return
    for source in settings.statuses:
        if source not in watched:
            raise Stalled(f"[statuses.{source}] is for a source that is not followed.")
    outbox = Outbox(settings.data_dir / "statuses.db", utc_now)
    with contextlib.closing(outbox):
        yield [
            _reporter(settings, storage, outbox, source, watcher)
            for source, watcher in watched.items()
            if source in settings.statuses
        ]


def _reporter(
    settings: Settings,
    storage: Storage,
    outbox: Outbox,
    source: str,
    watcher: Watcher,
) -> StatusReporter:
    configured = settings.statuses[source]
    public = settings.public_url.rstrip("/")

    def row() -> SourceRow | None:
        return storage.hooks.table.sources.get(source)

    def look() -> CommitStatus | None:
        seen = watcher.status
        return status_of_tip(seen.tried, seen.settled, seen.last_error, row())

    def read(after: Position, limit: int) -> Sequence[StatusAt]:
        stream = Source.create_id(source)
        return [
            StatusAt(fact.position, status_after(fact.event) if fact.stream == stream else None)
            for fact in storage.log.select(after, limit)
        ]

    def start() -> Position:
        """Begin with how the source stands now: nobody asks for the statuses of all its history."""
        known = row()
        return Position(known.position - 1 if known else 0)

    return StatusReporter(
        StatusTarget(
            source=source,
            forge=configured.forge,
            api=configured.api.rstrip("/"),
            repository=configured.repository.strip("/"),
            token_file=Path(configured.token_file).expanduser(),
            link=f"{public}/v1/sync" if public else None,
        ),
        outbox,
        read=read,
        look=look,
        start=start,
        clock=utc_now,
    )


def _secrets(source: str, configured: WebhookSettings) -> Sequence[bytes]:
    found = [secret.get_secret_value() for secret in configured.secrets]
    if configured.secrets_file:
        file = Path(configured.secrets_file).expanduser()
        try:
            found += file.read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise Stalled(f"The file {file} of webhook secrets cannot be read: {error}.") from error
    if not found or any(len(secret) < _SHORTEST_SECRET for secret in found):
        raise Stalled(
            f"[webhooks.{source}] needs secrets of {_SHORTEST_SECRET} characters at least; "
            "`openssl rand -hex 32` makes one."
        )
    return [secret.encode() for secret in found]


def _file(name: str) -> Path | None:
    return Path(name).expanduser() if name else None
