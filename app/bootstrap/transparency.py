"""Signing for the history while the server runs, and verifying it without one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from app.application.history.evidence import CheckedEvidence, check_evidence
from app.application.history.issue_checkpoints import HistoryProver
from app.application.history.transparency_ports import Anchor
from app.application.history.verifications import Verification, VerificationDesk
from app.application.history.verify_history import (
    FoundCheckpoint,
    Progress,
    Report,
    verify_history,
)
from app.application.syncing.status import Check
from app.bootstrap.ambient import utc_now
from app.bootstrap.storage import Storage
from app.domain.checkpoints import (
    VerifierKey,
    opened_checkpoint,
    parse_verifier_key,
)
from app.domain.errors import HookledgerError, Rejected, Stalled
from app.eventstore.raw_events import RawEvents
from app.gitops.addresses import is_remote, local_path
from app.gitops.anchors import RefAnchor, anchored_notes
from app.vault.checkpoint_book import SigningBook, read_book
from app.vault.checkpoint_file import CheckpointFile, read_checkpoint_file
from app.vault.note_signatures import verify as verify_signature
from app.vault.sealing import SealingVault
from config.settings import Settings
from projections.transparency_reader import open_stored_tree

_log = logging.getLogger("hookledger.transparency")


@contextlib.contextmanager
def open_book(settings: Settings, vault: SealingVault) -> Iterator[SigningBook]:
    """Open the book of checkpoints, its keys protected by ``vault``."""
    book = SigningBook(book_file(settings), vault, utc_now, origin=origin(settings))
    with contextlib.closing(book):
        yield book


@contextlib.contextmanager
def open_prover(storage: Storage) -> Iterator[HistoryProver]:
    """Open what signs and proves, over an open storage."""
    settings = storage.settings
    with open_book(settings, storage.vault) as book:
        yield HistoryProver(
            storage.transparency, book, RawEvents(settings.database), anchors(settings)
        )


def anchors(settings: Settings) -> tuple[Anchor, ...]:
    """Return where checkpoints are put besides the book."""
    file = CheckpointFile(anchor_file(settings))
    if not settings.anchor_ref:
        return (file,)
    local = _local_repositories(settings)
    if not local:
        raise Stalled(
            "`anchor_ref` needs a local repository; unset it, or anchor by the file alone."
        )
    return (file, *(RefAnchor(each, settings.anchor_ref, utc_now) for each in local))


def origin(settings: Settings) -> str:
    """Name a log after the server's address and its tenant; blanks and plus signs are not allowed.

    Only a first start asks: a log keeps its name.
    """
    address = settings.address.partition("://")[2]
    return f"{address}/{quote(settings.tenant, safe='')}".replace("+", "%2B")


def book_file(settings: Settings) -> Path:
    return settings.data_dir / "checkpoints.db"


def anchor_file(settings: Settings) -> Path:
    return Path(settings.checkpoint_file or settings.data_dir / "checkpoints")


async def keep_signing(prover: HistoryProver, interval: float) -> None:
    """Issue a checkpoint whenever the log has grown, every ``interval`` seconds at most."""
    while True:
        try:
            await asyncio.to_thread(prover.checkpoint)
        except HookledgerError as error:
            _log.error("checkpoint_refused", extra={"reason": str(error)})
        except Exception:  # noqa: BLE001 (hooks go on running, and the next one may be signed)
            _log.exception("no checkpoint could be made")
        await asyncio.sleep(interval)


def signing_check(prover: HistoryProver) -> Check:
    """Say for ``/readyz`` whether the history is what was signed.

    That a checkpoint could not be put outside is told, but is no reason to stop serving.
    """
    if prover.contradiction is not None:
        return Check("checkpoints", ok=False, detail=prover.contradiction)
    return Check("checkpoints", ok=True, detail=prover.anchoring_problem or "signed and anchored")


def event_count(settings: Settings) -> int:
    """Return about how many events there are to verify."""
    return RawEvents(settings.database).count()


def verify_installation(
    settings: Settings,
    files: Sequence[Path] = (),
    keys: Sequence[str] = (),
    progress: Progress = lambda _: None,
) -> Verification:
    """Compare the database's events with its tree and all checkpoints; changes no file.

    ``files`` are further files of notes; ``keys`` (as ``name+hash+base64``) are trusted in place of
    those in the book. Raises ``Rejected`` for a malformed key, ``Stalled`` if files cannot be read.
    """
    # Read before the tree, and that before the events: what is compared later may only be more.
    book = read_book(book_file(settings))
    trusted = tuple(map(parse_verifier_key, keys)) or book.keys
    sources = [("stored", book.notes)]
    if anchor_file(settings).exists():
        sources.append(
            (str(anchor_file(settings)), tuple(read_checkpoint_file(anchor_file(settings))))
        )
    local = _local_repositories(settings) if settings.anchor_ref else ()
    for each in local:
        where = settings.anchor_ref if len(local) == 1 else f"{settings.anchor_ref} of {each}"
        sources.append((where, tuple(anchored_notes(each, settings.anchor_ref))))
    sources += [(str(file), tuple(read_checkpoint_file(file))) for file in files]
    found, refused = _opened(sources, trusted)
    events = RawEvents(settings.database)
    with open_stored_tree(settings.database) as tree:
        report = verify_history(events.blocks(), tree, found, progress)
    return Verification(report, tuple(refused), tuple(_warnings(events, found, report)))


@contextlib.contextmanager
def open_verifications(settings: Settings) -> Iterator[VerificationDesk]:
    """Open the desk for verifying while the server runs."""
    desk = VerificationDesk(
        lambda progress: verify_installation(settings, progress=progress),
        lambda: event_count(settings),
        utc_now,
    )
    with contextlib.closing(desk):
        yield desk


def verify_bundle(bundle: Path, keys: Sequence[str] = ()) -> CheckedEvidence:
    """Check a file of evidence by itself; raise ``Rejected`` that names the first wrong line.

    ``keys`` are trusted in place of those that the bundle names.
    """
    trusted = [parse_verifier_key(key) for key in keys]
    with bundle.open("rb") as lines:
        return check_evidence(lines, trusted, verify_signature)


def _local_repositories(settings: Settings) -> list[Path]:
    """Return the followed repositories that are here, each once."""
    repos = [table.repo for table in settings.followed.values()]
    return list(dict.fromkeys(local_path(each).resolve() for each in repos if not is_remote(each)))


def _opened(
    sources: Sequence[tuple[str, Sequence[str]]], keys: tuple[VerifierKey, ...]
) -> tuple[list[FoundCheckpoint], list[str]]:
    found, refused = [], []
    seen: set[str] = set()
    for where, notes in sources:
        for note in notes:
            if note in seen:
                continue
            seen.add(note)
            try:
                signed = opened_checkpoint(note, keys, verify_signature)
            except Rejected as error:
                refused.append(f"{where}: {error}")
            else:
                found.append(FoundCheckpoint(where, signed))
    return found, refused


def _warnings(events: RawEvents, found: Sequence[FoundCheckpoint], report: Report) -> Iterator[str]:
    if missing := events.missing_guards():
        yield (
            f"The table is not protected: {', '.join(missing)} is missing; somebody dropped it. "
            "The next start of the server puts it back."
        )
    if not found:
        yield "No checkpoint was found, so a tree that was made anew would not be noticed."
    if report.tree_size is None:
        yield "There is no stored tree to compare with; start the server once."
    elif (newer := report.events - report.tree_size) > 0:
        yield f"{newer} events are newer than the stored tree."
