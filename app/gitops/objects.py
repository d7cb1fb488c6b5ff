"""Objects by id: read through git in our own mirror, limited in size, and hashed again.

A git process that stays answers in some 50 microseconds. Hundreds at once go through a process of
their own, some ten times faster an object.
"""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from app.domain.errors import Rejected, Stalled, Transient
from app.gitops.processes import GitProcesses

Kind = Literal["commit", "tree", "blob", "tag"]

_BULK_FROM = 200
"""From so many objects on, starting a process costs less than asking the one that stays."""
_MAX_BULK_BYTES = 256 * 1024 * 1024
_MAX_LINE = 256
_HEADERS = "--batch-check"
_CONTENTS = "--batch"


class MissingObject(Stalled):
    """The repository lacks an object that one of its own objects names."""


class DamagedObject(Stalled):
    """The content of an object is not what its id says."""


@dataclass(frozen=True, slots=True)
class Header:
    """What git says of an object before its content is read."""

    sha: str
    kind: str
    size: int


@dataclass(frozen=True, slots=True)
class Oversized:
    """Stands for an object that is larger than was allowed; its content was not read."""

    size: int


class Objects:
    """Reads objects; for one thread at a time."""

    def __init__(self, git_dir: Path) -> None:
        self._processes = GitProcesses(git_dir)
        self._staying: dict[str, Any] = {}
        self.deadline = self._processes.deadline

    def header(self, name: str) -> Header | None:
        """Look up an object by its id or a part of it; None if unknown or ambiguous.

        ``name`` goes to git as it is: hexadecimal digits and fixed text only.
        """
        for last in (False, True):
            try:
                header = _header_of(self._ask(_HEADERS, [name]), name)
            except (OSError, EOFError) as error:
                self.close()
                if last or self._processes.expired:
                    raise self._processes.failed(f"git ended when asked for {name}") from error
            else:
                if header is None:
                    # It may have said why, at length, into a pipe that nobody empties.
                    self.close()
                return header
        return None

    def read(self, sha: str, kind: Kind, limit: int) -> bytes | Oversized:
        """Return the content of an object of ``kind`` and at most ``limit`` bytes.

        Raises ``MissingObject``, or ``Stalled`` for content that is not what its id says.
        """
        return self.read_many([sha], kind, limit)[sha]

    def read_many(
        self, shas: Collection[str], kind: Kind, limit: int
    ) -> dict[str, bytes | Oversized]:
        """Read each of ``shas``; as ``read``, but in one round trip, and fast for thousands."""
        distinct = list(dict.fromkeys(shas))
        found: dict[str, bytes | Oversized] = {}
        try:
            if len(distinct) >= _BULK_FROM:
                self._read_bulk(distinct, kind, limit, found)
            while left := [sha for sha in distinct if sha not in found]:
                self._read_few(left, kind, limit, found)
        except BaseException:
            # Answers that nobody read would be taken for those to the next question.
            self.close()
            raise
        return found

    def _read_few(
        self, shas: list[str], kind: Kind, limit: int, found: dict[str, bytes | Oversized]
    ) -> None:
        """Ask for all at once, and read until git ends or must be ended: the first, at least."""
        for last in (False, True):
            try:
                stdout = self._ask(_CONTENTS, shas)
                for sha in shas:
                    found[sha] = self._content_of(stdout, sha, kind, limit)
                    if isinstance(found[sha], Oversized):
                        self.close()
                        return
            except (OSError, EOFError) as error:
                self.close()
                if shas[0] in found:
                    return
                if last or self._processes.expired:
                    raise self._damaged(shas[0]) from error
            else:
                return

    def _read_bulk(
        self, shas: list[str], kind: Kind, limit: int, found: dict[str, bytes | Oversized]
    ) -> None:
        self._find_oversized(shas, kind, limit, found)
        wanted = [sha for sha in shas if sha not in found]
        with self._answers(_CONTENTS, wanted) as stdout:
            for sha in wanted:
                try:
                    found[sha] = self._content_of(stdout, sha, kind, limit)
                except EOFError as error:
                    raise self._damaged(sha) from error

    def is_ancestor(self, old: str, new: str) -> bool:
        """Tell whether the history of commit ``new`` contains commit ``old``; both full ids."""
        process = self._processes.start(["merge-base", "--is-ancestor", old, new], None)
        try:
            _, errors = process.proc.communicate()
            status = process.proc.returncode
        finally:
            self._processes.end(process)
        if status not in (0, 1):
            said = errors.decode("utf-8", "replace").strip().replace("\n", "; ")
            raise self._processes.failed(f"its history is cut ({said[:200]})")
        return bool(status == 0)

    def first_parents(self, since: str, commit: str, limit: int) -> list[str] | None:
        """List ``commit`` and its first parents, newest first, that ``since`` did not come after.

        At most ``limit``; None if there is no commit ``since``. Both are full ids.
        """
        if self.header(f"{since}^{{commit}}") is None:
            return None
        arguments = ["rev-list", "--first-parent", f"--max-count={limit}", commit, f"^{since}"]
        process = self._processes.start(arguments, None)
        try:
            listed, _ = process.proc.communicate()
            status = process.proc.returncode
        finally:
            self._processes.end(process)
        if status != 0:
            raise self._processes.failed("its history is cut")
        return [line.decode() for line in listed.split()]

    def close(self) -> None:
        """End the git processes; the next read starts new ones."""
        self._staying.clear()
        self._processes.end_all()

    def _ask(self, option: str, names: list[str]) -> IO[bytes]:
        """Put questions to the process that stays; return where the answers will stand.

        Fewer than ``_BULK_FROM`` fit into the pipe, so that git need not have begun to answer.
        """
        process = self._staying.get(option)
        if process is None:
            process = self._processes.start(["cat-file", option], subprocess.PIPE)
            self._staying[option] = process
        process.stdin.write("".join(f"{name}\n" for name in names).encode())
        process.stdin.flush()
        stdout: IO[bytes] = process.stdout
        return stdout

    def _find_oversized(
        self, shas: list[str], kind: Kind, limit: int, found: dict[str, bytes | Oversized]
    ) -> None:
        total = 0
        with self._answers(_HEADERS, shas) as stdout:
            for sha in shas:
                try:
                    header = _check(_header_of(stdout, sha), sha, kind)
                except EOFError as error:
                    raise self._damaged(sha) from error
                if header.size > limit:
                    found[sha] = Oversized(header.size)
                else:
                    total += header.size
        if total > _MAX_BULK_BYTES:
            raise Rejected(
                f"The hooks of this commit are {total} bytes; the limit is {_MAX_BULK_BYTES}."
            )

    def _content_of(self, stdout: IO[bytes], sha: str, kind: Kind, limit: int) -> bytes | Oversized:
        """Read one answer; after ``Oversized`` its content still stands unread in the pipe.

        git announces the size before it reads the content, so it can be ended in time. Raises
        ``EOFError`` if it ended by itself, ``Stalled`` for content that ``sha`` does not name.
        """
        header = _check(_header_of(stdout, sha), sha, kind)
        if header.size > limit:
            return Oversized(header.size)
        content = stdout.read(header.size)
        if len(content) < header.size or not stdout.read(1):
            raise EOFError(sha)
        hashed = hashlib.sha1(f"{kind} {len(content)}\0".encode(), usedforsecurity=False)
        hashed.update(content)
        if hashed.hexdigest() != sha:
            raise self._damaged(sha)
        return content

    @contextlib.contextmanager
    def _answers(self, option: str, shas: list[str]) -> Iterator[IO[bytes]]:
        """Ask one process for all; its input is a file, so neither side waits for the other."""
        with tempfile.TemporaryFile() as questions:
            questions.write("".join(f"{sha}\n" for sha in shas).encode())
            questions.seek(0)
            process = self._processes.start(["cat-file", option, "--buffer"], questions)
            try:
                yield process.stdout
            finally:
                self._processes.end(process)

    def _damaged(self, sha: str) -> Stalled | Transient:
        said = f"the content of object {sha} is not what its id says; run `git fsck` in it"
        failed = self._processes.failed(said)
        return failed if isinstance(failed, Transient) else DamagedObject(str(failed))


def _header_of(stdout: IO[bytes], name: str) -> Header | None:
    """Read the line that announces an object; raise ``EOFError`` if git ended instead."""
    line = stdout.readline(_MAX_LINE)
    parts = line.decode("ascii", "replace").split()
    if not line.endswith(b"\n"):
        raise EOFError(name)
    if len(parts) == 3 and parts[2].isdecimal():  # noqa: PLR2004 (id, kind, size)
        return Header(parts[0], parts[1], int(parts[2]))
    return None


def _check(header: Header | None, sha: str, kind: Kind) -> Header:
    if header is None:
        raise MissingObject(
            f"The repository lacks object {sha}, or it is damaged; run `git fsck` in it, and if "
            "it is a partial clone, fetch what was left out."
        )
    if header.kind != kind:
        raise Stalled(f"Object {sha} is a {header.kind} where a {kind} belongs; run `git fsck`.")
    return header
