"""What stands between the repository, its forge and us: signatures, webhooks, commit statuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from app.application.receive_webhooks import WebhookDesk, WebhookTarget
from app.bootstrap.ambient import utc_now
from app.domain.errors import Stalled
from app.gitops.signatures.policy import SignatureCheck, TrustRoots
from config.settings import Settings, WebhookSettings

_SHORTEST_SECRET = 16


def signature_check(settings: Settings) -> SignatureCheck:
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
