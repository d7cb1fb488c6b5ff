"""Signing for the history while the server runs, and verifying it without one."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections import Counter
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
    Verdict,
    verify_history,
)
from app.application.syncing.status import Check
from app.bootstrap.ambient import utc_now
from app.bootstrap.repositories import anchor_refs
from app.bootstrap.storage import Storage
from app.bootstrap.witnesses import lost_events
from app.domain.errors import HookledgerError, Rejected, Stalled
from app.domain.history.checkpoints import (
    VerifierKey,
    opened_checkpoint,
    parse_checkpoint,
    parse_note,
    parse_verifier_key,
)
from app.eventstore.mapper import EventMapper
from app.eventstore.raw_events import RawEvents
from app.gitops.addresses import is_remote, local_path
from app.gitops.anchors import RefAnchor, anchored_notes
from app.gitops.pushed_anchors import PushedAnchor, fetched_notes
from app.vault.checkpoint_book import SigningBook, read_book
from app.vault.checkpoint_file import CheckpointFile, read_checkpoint_file
from app.vault.note_signatures import verify as verify_signature
from app.vault.sealing import SealingVault
from config.settings import Settings
from projections.event_log import StoredEventLog
from projections.table_check import check_tables
from projections.transparency.reader import open_stored_tree

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
    here, elsewhere = anchors(settings)
    with contextlib.ExitStack() as opened:
        book = opened.enter_context(open_book(settings, storage.vault))
        for each in elsewhere:
            opened.callback(each.close)
        events, ref = RawEvents(settings.database), settings.anchor_ref
        local = _local_repositories(settings) if ref else ()
        lost = lost_events(events, book.verifier_keys(), anchor_file(settings), local, ref)

        def late() -> str | None:
            problems = (lost, *(each.problem for each in elsewhere))
            return " ".join(filter(None, problems)) or None

        yield HistoryProver(storage.transparency, book, events, (*here, *elsewhere), late)


def anchors(settings: Settings) -> tuple[tuple[Anchor, ...], tuple[PushedAnchor, ...]]:
    """Return where checkpoints are put besides the book: on this machine, and elsewhere."""
    file, ref = CheckpointFile(anchor_file(settings)), settings.anchor_ref
    if not ref:
        return (file,), ()
    local, remote = _local_repositories(settings), anchor_refs(settings)
    if not local and not remote:
        raise Stalled(
            "`anchor_ref` needs a repository that the server may write: a local one, or "
            "`remote.push = true`. Unset it to anchor by the file alone."
        )
    return (file, *(RefAnchor(each, ref, utc_now) for each in local)), tuple(
        PushedAnchor(each, settings.data_dir / "anchors" / source, utc_now)
        for source, each in remote.items()
    )


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
    tables: Progress | None = None,
) -> Verification:
    """Compare the database's events with its tree and all checkpoints; changes no file.

    ``files`` are further files of notes; ``keys`` (as ``name+hash+base64``) are trusted in place of
    those in the book. With ``tables``, which is told the progress of this part, what people read
    and the server runs is compared with the events as well. Raises ``Rejected`` for a malformed
    key, ``Stalled`` if files cannot be read.
    """
    # Read before the tree, and that before the events: what is compared later may only be more.
    book = read_book(book_file(settings))
    trusted = tuple(map(parse_verifier_key, keys)) or book.keys
    file = anchor_file(settings)
    in_file = tuple(read_checkpoint_file(file)) if file.exists() else ()
    sources = [("stored", book.notes), (str(file), in_file)]
    local = _local_repositories(settings) if settings.anchor_ref else ()
    for each in local:
        where = settings.anchor_ref if len(local) == 1 else f"{settings.anchor_ref} of {each}"
        sources.append((where, tuple(anchored_notes(each, settings.anchor_ref))))
    unread = []
    for remote in anchor_refs(settings).values():
        try:
            sources.append((str(remote), tuple(fetched_notes(remote))))
        except HookledgerError as error:
            unread.append(f"The checkpoints at {remote} were not compared: {error}")
    anchored = sources[1:]
    sources += [(str(file), _given(file)) for file in files]
    found, refused, others = _opened(sources, trusted, given=len(files))
    events = RawEvents(settings.database)
    with open_stored_tree(settings.database) as tree:
        report = verify_history(events.blocks(), tree, found, progress)
    if tables is not None and report.verdict is Verdict.INTACT:
        report = _with_tables(report, settings, tables)
    behind = _behind(anchored, book.notes, found)
    warnings = (*_warnings(events, found, report), *behind, *unread, *others)
    return Verification(report, tuple(refused), warnings)


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


def _with_tables(report: Report, settings: Settings, progress: Progress) -> Report:
    log = StoredEventLog(RawEvents(settings.database), EventMapper())
    found = check_tables(settings.database, log, progress)
    if not found:
        return report
    remedy = "The events are intact, what is made of them is not. Run `hookledger rebuild`."
    return dataclasses.replace(report, verdict=Verdict.DAMAGED, messages=(*found, remedy))


def _local_repositories(settings: Settings) -> list[Path]:
    """Return the followed repositories that are here, each once."""
    repos = [table.repo for table in settings.followed.values()]
    return list(dict.fromkeys(local_path(each).resolve() for each in repos if not is_remote(each)))


def _given(file: Path) -> tuple[str, ...]:
    notes = tuple(read_checkpoint_file(file))
    if not notes:
        raise Rejected(f"{file} holds no checkpoint to compare with.")
    return notes


def _behind(
    anchored: Sequence[tuple[str, Sequence[str]]],
    stored: Sequence[str],
    found: Sequence[FoundCheckpoint],
) -> Iterator[str]:
    """Tell of places outside that lack what is stored, as they do when somebody cut them short."""
    sizes = {each.signed.note: each.size for each in found}
    newest = max((sizes.get(note, 0) for note in stored), default=0)
    for where, notes in anchored:
        size = max((sizes.get(note, 0) for note in notes), default=0)
        if size < newest:
            ends = f"ends with the one of {size} events" if size else "holds none"
            yield (
                f"Of the checkpoints, {where} {ends}, and there is one of {newest}: the newest "
                "could not be written there, or somebody cut it short."
            )


def _opened(
    sources: Sequence[tuple[str, Sequence[str]]], keys: tuple[VerifierKey, ...], *, given: int
) -> tuple[list[FoundCheckpoint], list[str], list[str]]:
    """Return what keys of ours signed, what they should have, and what is of other logs.

    Others may put theirs at the same anchor; the last ``given`` sources must hold none.
    """
    found, refused, others = [], Counter[str](), Counter[str]()
    names = {key.name for key in keys}
    seen: set[str] = set()
    for number, (where, notes) in enumerate(sources):
        shared = number < len(sources) - given
        for note in notes:
            if note in seen:
                continue
            try:
                origin = parse_checkpoint(parse_note(note).text).origin
                if shared and origin not in names:
                    others[f"{where}: checkpoints of the log `{origin}` were not compared"] += 1
                    continue
                seen.add(note)
                signed = opened_checkpoint(note, keys, verify_signature)
            except Rejected as error:
                refused[f"{where}: {error}"] += 1
            else:
                found.append(FoundCheckpoint(where, signed))
    return found, _counted(refused), _counted(others)


def _counted(sentences: Counter[str]) -> list[str]:
    return [
        sentence if number == 1 else f"{sentence} ({number} of them)"
        for sentence, number in sentences.items()
    ]


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
