"""What checkpoints outside say of the history when a server starts.

The book of checkpoints may have been set back together with the events: by whoever removed some,
or by a backup that was put back. Copies elsewhere remember.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.domain.errors import HookledgerError, Rejected
from app.domain.history.checkpoints import SignedCheckpoint, VerifierKey, opened_checkpoint
from app.eventstore.raw_events import RawEvents
from app.gitops.anchors import anchored_notes
from app.vault.checkpoint_file import last_notes
from app.vault.note_signatures import verify as verify_signature

_log = logging.getLogger("hookledger.transparency")


def lost_events(
    events: RawEvents,
    keys: tuple[VerifierKey, ...],
    file: Path,
    repositories: Iterable[Path],
    ref: str,
) -> str | None:
    """Return a sentence if a checkpoint outside, signed by one of ``keys``, is of more events.

    What cannot be read here is left to `audit verify`.
    """
    held = events.count()
    for where, note in _newest_notes(file, repositories, ref):
        try:
            signed: SignedCheckpoint = opened_checkpoint(note, keys, verify_signature)
        except Rejected:
            continue
        if signed.checkpoint.size > held:
            told = (
                f"A checkpoint of {signed.checkpoint.size} events is at {where}, but the store "
                f"holds {held}: events were removed, or an older backup was put back. "
                "Run `hookledger audit verify`."
            )
            _log.error("events_missing", extra={"reason": told})
            return told
    return None


def _newest_notes(file: Path, repositories: Iterable[Path], ref: str) -> Iterator[tuple[str, str]]:
    try:
        for note in last_notes(file):
            yield str(file), note
        for each in repositories:
            for note in anchored_notes(each, ref, most=1):
                yield f"{ref} of {each}", note
    except HookledgerError as error:
        _log.warning("checkpoints_not_read", extra={"reason": str(error)})
