"""Write files to a source on behalf of somebody: commit, look what it would do, publish, sync.

The commit is planned before anybody but this server can see it, so what would be refused never
reaches the branch. Its author is who asked, its committer the server.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio.to_thread

from app.application.syncing.results import SyncResult
from app.application.syncing.source_ports import SourceRepository, SourceWriter
from app.domain.errors import Conflict, Problem, Rejected
from app.domain.plans.plan import Plan
from app.domain.revisions import CommitSha

MAX_FILES = 100
MAX_FILE_BYTES = 1024 * 1024
MAX_MESSAGE = 2000

_SETTINGS_FILE = "hookledger.toml"
_FOLDERS = ("hooks", "triggers")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*\Z")
"""As ``trees`` accepts a name when it reads it back."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who asked, as it is written into the commit; a claim of this server's."""

    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChanges:
    """What is to be committed; paths are relative to the folder that the source follows."""

    files: Mapping[str, str | None]
    """Path to the whole new content; None removes the file."""
    message: str
    expected: CommitSha | None = None
    """The commit that the changes were made upon; None: whatever the branch's tip is."""


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """Files of a folder, by their paths from the folder that the source follows."""

    commit: CommitSha
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Published:
    """What came of it."""

    commit: CommitSha
    plan: Plan
    sync: SyncResult


class FileCommitter:
    """The use case, for one source."""

    def __init__(
        self,
        *,
        path: str,
        repository: SourceRepository,
        writer: SourceWriter,
        plan: Callable[[str], Awaitable[Plan]],
        sync: Callable[[], Awaitable[SyncResult]],
    ) -> None:
        """``path`` is the folder in the repository that the source follows; empty for its root."""
        self._prefix = f"{path}/" if path else ""
        self._repository = repository
        self._writer = writer
        self._plan = plan
        self._sync = sync

    async def read(self, folder: str) -> FolderFiles:
        """Return the files below a folder as the branch's tip has them.

        Raises ``NotFound`` when it has no such folder.
        """
        tip = await self._tip()
        found = await anyio.to_thread.run_sync(self._writer.read, tip, f"{self._prefix}{folder}")
        start = len(self._prefix)
        return FolderFiles(tip, {path[start:]: content for path, content in found.items()})

    async def commit(self, changes: FileChanges, author: Author) -> Published:
        """Commit, publish and sync.

        Raises ``Rejected`` with every problem of the request or of the revision it would make,
        ``Conflict`` when the branch has moved, ``Stalled`` or ``Transient`` when the source cannot
        be written. Then the branch is as it was.
        """
        check(changes)
        tip = await self._tip()
        if changes.expected not in (None, tip):
            raise Conflict(
                f"The branch has moved from {changes.expected} to {tip}; look at what is there "
                "now, and try again."
            )
        files = {
            f"{self._prefix}{path}": None if text is None else text.encode("utf-8", "replace")
            for path, text in changes.files.items()
        }

        def prepare() -> Any:
            return self._writer.prepare(
                tip, files, author=author.name, email=author.email, message=changes.message
            )

        prepared = await anyio.to_thread.run_sync(prepare)
        try:
            planned = await self._plan(prepared.sha)
        except Rejected as refusal:
            sentence = "Nothing was committed, since the commit would be refused."
            raise Rejected(sentence, problems=refusal.problems) from refusal
        await anyio.to_thread.run_sync(self._writer.publish, prepared)
        return Published(prepared.sha, planned, await self._sync())

    async def _tip(self) -> CommitSha:
        """Return the branch's tip, once it can be read."""
        tip = await anyio.to_thread.run_sync(self._repository.tip)
        return await anyio.to_thread.run_sync(self._repository.resolve, tip)


def check(changes: FileChanges) -> None:
    """Raise ``Rejected`` with every problem that can be seen without the repository."""
    problems = [
        problem
        for path, text in changes.files.items()
        if (problem := _wrong_with(path, text)) is not None
    ]
    if not changes.files:
        problems.append(Problem("at least one file is needed", key="files"))
    if len(changes.files) > MAX_FILES:
        problems.append(Problem(f"at most {MAX_FILES} at once", key="files"))
    if not changes.message.strip() or len(changes.message) > MAX_MESSAGE:
        problems.append(Problem(f"must have 1 to {MAX_MESSAGE} characters", key="message"))
    if "\0" in changes.message:
        problems.append(Problem("holds a NUL character", key="message"))
    if problems:
        raise Rejected("Nothing was committed.", problems=problems)


def _wrong_with(path: str, text: str | None) -> Problem | None:
    parts = path.split("/")
    if not all(_NAME.match(part) for part in parts):
        return Problem("is no path that a hook's file can have", file=path)
    if path != _SETTINGS_FILE and (parts[0] not in _FOLDERS or len(parts) == 1):
        folders = " or ".join(f"`{folder}/`" for folder in _FOLDERS)
        return Problem(f"is neither below {folders} nor `{_SETTINGS_FILE}`", file=path)
    if text is not None and len(text) > MAX_FILE_BYTES:
        return Problem(f"is larger than {MAX_FILE_BYTES} bytes", file=path)
    return None
