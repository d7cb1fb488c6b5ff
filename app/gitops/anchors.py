"""Checkpoints as commits in the followed repository, so that every clone of it holds copies.

Git is not run there: it would obey that repository's configuration and hooks, which others write.
Objects are files that anybody can make (zlib over a header and the content, named by the SHA-1 of
both), and a ref is replaced under the lock file that git itself takes. Symbolic links on the way
are not followed, lest somebody have us write elsewhere.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.application.ports import Clock
from app.domain.errors import Rejected, Stalled, Transient
from app.gitops.layout import Layout, locate, read_text
from app.gitops.mirror import Mirror
from app.gitops.objects import Objects, Oversized
from app.gitops.refs import is_ref_name, read_ref

MAX_NOTES = 200_000
"""Commits that are read back; one is made a minute at most by default."""

_FILE = "checkpoint"
_AUTHOR = "hookledger <hookledger@localhost>"
_MAX_CONFIG_BYTES = 1024 * 1024
_MAX_COMMIT_BYTES = 256 * 1024
_READ_SECONDS = 120.0
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PARENT = re.compile(rb"^parent ([0-9a-f]{40})$", re.MULTILINE)


class RefAnchor:
    """An ``Anchor``: each note a commit on the one before, at a ref of a local repository."""

    def __init__(self, location: Path, ref: str, clock: Clock) -> None:
        """Anchor at ``ref``, a full name; raises ``Rejected`` for one that git would not accept.

        Branches are refused: what is followed must not be moved by the server itself.
        """
        if not is_ref_name(ref) or not ref.startswith("refs/") or ref.startswith("refs/heads/"):
            raise Rejected(
                f"`{ref}` (HOOKLEDGER_ANCHOR_REF) is no full name of a ref outside `refs/heads/`, "
                "such as `refs/hookledger/checkpoints`."
            )
        self._location = location
        self._ref = ref
        self._clock = clock

    def __call__(self, note: str) -> None:
        """Commit a note; on return it is on the disk.

        Raises ``Stalled`` if the repository cannot be written, ``Transient`` if its ref is locked.
        """
        layout = locate(self._location)
        _refuse_sha256(layout)
        parent = read_ref(layout, self._ref)
        try:
            with _opened(layout.common_dir) as root, _below(root, ["objects"]) as objects:
                blob = _store(objects, b"blob", note.encode())
                entry = b"100644 " + _FILE.encode() + b"\0" + bytes.fromhex(blob)
                tree = _store(objects, b"tree", entry)
                commit = _store(objects, b"commit", self._commit(tree, parent, note))
                self._point_to(root, commit)
        except OSError as error:
            raise Stalled(
                f"The checkpoint cannot be written to {self._ref} of {self._location}: "
                f"{error.strerror}. Let the server's user write there, or unset "
                "HOOKLEDGER_ANCHOR_REF."
            ) from error

    def _commit(self, tree: str, parent: str | None, note: str) -> bytes:
        when = f"{int(self._clock().timestamp())} +0000"
        lines = [
            f"tree {tree}",
            *([f"parent {parent}"] if parent else []),
            f"author {_AUTHOR} {when}",
            f"committer {_AUTHOR} {when}",
        ]
        return "\n".join((*lines, "", note)).encode()

    def _point_to(self, root: int, commit: str) -> None:
        *folders, name = self._ref.split("/")
        with _below(root, folders) as folder:
            lock = f"{name}.lock"
            try:
                _write(folder, lock, f"{commit}\n".encode(), 0o644)
            except FileExistsError:
                raise Transient(f"{self._ref} of {self._location} is locked.") from None
            os.rename(lock, name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)


def anchored_notes(location: Path, ref: str, most: int = MAX_NOTES) -> list[str]:
    """Return up to ``most`` notes at a ref, the newest first; none if there is no such ref.

    Raises ``Stalled`` if the repository cannot be read.
    """
    layout = locate(location)
    commit = read_ref(layout, ref)
    notes: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        mirror = Mirror(Path(temporary) / "mirror")
        mirror.borrow(layout.objects)
        objects = Objects(mirror.directory)
        with contextlib.closing(objects), objects.deadline(_READ_SECONDS):
            while commit is not None and len(notes) < most:
                data = objects.read(commit, "commit", _MAX_COMMIT_BYTES)
                if isinstance(data, Oversized):
                    raise Stalled(f"Commit {commit} at {ref} is too large for a checkpoint.")
                head, _, note = data.partition(b"\n\n")
                notes.append(note.decode("utf-8", "replace"))
                parent = _PARENT.search(head)
                commit = parent[1].decode() if parent else None
    return notes


def _store(objects: int, kind: bytes, content: bytes) -> str:
    """Write a loose object, unless it is there; return its id."""
    data = kind + b" %d\0" % len(content) + content
    sha = hashlib.sha1(data).hexdigest()  # noqa: S324 (git's name for it)
    with _below(objects, [sha[:2]]) as folder:
        temporary = f"tmp_obj_{secrets.token_hex(8)}"
        _write(folder, temporary, zlib.compress(data), 0o444)
        os.rename(temporary, sha[2:], src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    return sha


def _write(folder: int, name: str, data: bytes, mode: int) -> None:
    """Write a new file as the repository's owner would have it."""
    descriptor = os.open(name, _NEW, 0o600, dir_fd=folder)
    try:
        if os.write(descriptor, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        _hand_over(descriptor, folder, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _hand_over(descriptor: int, folder: int, mode: int) -> None:
    """Give a file the owner of its folder: a server that runs as root must not lock git out."""
    os.fchmod(descriptor, mode)
    if os.geteuid() == 0:
        owner = os.fstat(folder)
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _below(folder: int, names: Sequence[str]) -> Iterator[int]:
    """Open a folder below another, making what is missing; no part may be a symbolic link."""
    with contextlib.ExitStack() as opened:
        for name in names:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=folder)
                made = os.open(name, _DIRECTORY, dir_fd=folder)
                opened.callback(os.close, made)
                _hand_over(made, folder, 0o755)
            inner = os.open(name, _DIRECTORY, dir_fd=folder)
            opened.callback(os.close, inner)
            folder = inner
        yield folder


def _refuse_sha256(layout: Layout) -> None:
    config = read_text(layout.common_dir / "config", _MAX_CONFIG_BYTES) or ""
    if "sha256" in config.lower():
        raise Stalled(
            f"The repository {layout.common_dir} names its objects by SHA-256, which is not "
            "supported; unset HOOKLEDGER_ANCHOR_REF."
        )
