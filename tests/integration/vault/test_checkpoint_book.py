"""The book of checkpoints: keys that are made, kept and rotated, and what they signed."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import Rejected, Stalled
from app.domain.history.checkpoints import opened_checkpoint
from app.vault.checkpoint_book import SigningBook, read_book
from app.vault.checkpoint_file import CheckpointFile, last_notes, read_checkpoint_file
from app.vault.note_signatures import verify
from app.vault.sealing import SealingVault

ROOT = bytes(range(32))
ORIGIN = "hooks.example.com/a-tenant"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints.db"


@pytest.fixture
def open_book(
    path: Path, reopened: Callable[[], SealingVault], clock: Any
) -> Iterator[Callable[..., SigningBook]]:
    with contextlib.ExitStack() as opened:

        def open_it(origin: str = ORIGIN) -> SigningBook:
            book = SigningBook(path, reopened(), clock, origin=origin)
            opened.callback(book.close)
            return book

        yield open_it


def test_a_first_key_is_made_and_signs(open_book: Callable[..., SigningBook], clock: Any) -> None:
    book = open_book()
    assert book.newest() is None

    issued = book.issue(7, ROOT)

    (key,) = book.verifier_keys()
    assert str(key).startswith(f"{ORIGIN}+{key.key_id.hex()}+A")
    assert opened_checkpoint(issued.signed.note, (key,), verify).checkpoint.size == 7
    assert (issued.made_at, book.newest()) == (clock.now, issued)


def test_another_process_signs_with_the_same_key(open_book: Callable[..., SigningBook]) -> None:
    one, other = open_book(), open_book()
    assert one.verifier_keys() == other.verifier_keys()
    one.issue(3, ROOT)
    newest = other.newest()
    assert newest is not None
    assert newest.signed.checkpoint.size == 3


def test_many_processes_that_start_at_once_make_one_key(
    open_book: Callable[..., SigningBook],
) -> None:
    books: list[SigningBook] = []
    threads = [threading.Thread(target=lambda: books.append(open_book())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({book.verifier_keys() for book in books}) == 1


def test_a_log_keeps_its_name(open_book: Callable[..., SigningBook]) -> None:
    open_book()
    moved = open_book("elsewhere.example.com/a-tenant")
    assert moved.origin == ORIGIN
    moved.rotate()
    assert moved.origin == ORIGIN


def test_a_rotation_keeps_the_public_key_and_destroys_the_private_one(
    open_book: Callable[..., SigningBook], path: Path
) -> None:
    book, running = open_book(), open_book()
    old = book.issue(1, ROOT)
    with contextlib.closing(sqlite3.connect(path)) as file:
        (protected,) = file.execute("SELECT private FROM checkpoint_keys").fetchone()

    new = book.rotate()

    assert book.verifier_keys() == (new, old.signed.key)
    assert running.issue(2, ROOT).signed.key == new
    for file_of in (path, path.with_name(f"{path.name}-wal")):
        assert not file_of.exists() or protected not in file_of.read_bytes()
    assert opened_checkpoint(old.signed.note, book.verifier_keys(), verify) == old.signed


def test_the_file_is_private_and_the_key_in_it_protected(
    open_book: Callable[..., SigningBook], path: Path, tmp_path: Path, clock: Any
) -> None:
    from app.vault.keyring import KeyRing

    open_book()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    other = SealingVault(KeyRing(tmp_path / "other.key", clock), tmp_path / "other.db", clock)
    with (
        contextlib.closing(other),
        contextlib.closing(SigningBook(path, other, clock, origin=ORIGIN)) as book,
        pytest.raises(Rejected),
    ):
        book.issue(1, ROOT)


def test_a_verifier_needs_no_vault_and_changes_nothing(
    open_book: Callable[..., SigningBook], path: Path
) -> None:
    book = open_book()
    notes = tuple(book.issue(size, ROOT).signed.note for size in (1, 2, 9))
    book.rotate()
    before = path.read_bytes()

    content = read_book(path)

    assert (content.keys, content.notes) == (book.verifier_keys(), notes)
    assert path.read_bytes() == before
    assert read_book(path.with_name("absent")).keys == ()


def test_a_damaged_book_is_told(path: Path) -> None:
    path.write_bytes(b"no database" * 100)
    with pytest.raises(Stalled, match="cannot be read"):
        read_book(path)


def test_notes_are_appended_to_a_private_file(
    open_book: Callable[..., SigningBook], tmp_path: Path
) -> None:
    book, file = open_book(), tmp_path / "share" / "checkpoints"
    notes = [book.issue(size, ROOT).signed.note for size in (1, 2)]
    for note in notes:
        CheckpointFile(file)(note)

    assert read_checkpoint_file(file) == notes
    assert file.read_text() == f"{notes[0]}\n{notes[1]}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_last_note_of_a_long_file_is_found(
    open_book: Callable[..., SigningBook], tmp_path: Path
) -> None:
    book, file = open_book(), tmp_path / "checkpoints"
    assert last_notes(file) == []
    for size in range(600):
        CheckpointFile(file)(book.issue(size, ROOT).signed.note)
    newest = book.newest()
    assert file.stat().st_size > 65_536
    assert newest is not None
    assert last_notes(file) == [newest.signed.note]


def test_half_a_note_does_not_stay_to_spoil_the_next(
    open_book: Callable[..., SigningBook], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the disk is full."""
    book, file = open_book(), tmp_path / "checkpoints"
    notes = [book.issue(size, ROOT).signed.note for size in (1, 2, 3)]
    CheckpointFile(file)(notes[0])
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:9]))
    with pytest.raises(Stalled, match="No space left"):
        CheckpointFile(file)(notes[1])
    monkeypatch.undo()
    CheckpointFile(file)(notes[2])
    assert read_checkpoint_file(file) == [notes[0], notes[2]]


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Stalled, match="could not be appended"):
        CheckpointFile(tmp_path / "checkpoints")("note")
    assert not (tmp_path / "elsewhere").exists()
