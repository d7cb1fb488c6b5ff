"""What stands between the repository, its forge and us: signatures, webhooks, commit statuses."""

from __future__ import annotations

from pathlib import Path

from app.bootstrap.ambient import utc_now
from app.gitops.signatures.policy import SignatureCheck, TrustRoots
from config.settings import Settings


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


def _file(name: str) -> Path | None:
    return Path(name).expanduser() if name else None
