"""Data keys without a secret: what a crash between sealing a value and recording it leaves."""

from __future__ import annotations

import logging
from datetime import timedelta

from app.bootstrap.storage import Storage

ORPHAN_AGE = timedelta(hours=1)

_log = logging.getLogger("hookledger.server")


def sweep_orphans(storage: Storage) -> None:
    """Destroy data keys that no secret needs, if it is known for certain which are needed.

    A table that stopped at a newer server's event lacks the secrets set after it: to sweep then
    would destroy them for ever.
    """
    state = storage.hooks.state()
    if state.error is not None or state.lag:
        _log.warning("orphans_not_swept", extra={"reason": state.error or "the table is behind"})
        return
    known = {
        secret.key_id
        for hook in storage.hooks.table.hooks.values()
        for secret in hook.secrets.values()
    }
    storage.vault.sweep(known, ORPHAN_AGE)
