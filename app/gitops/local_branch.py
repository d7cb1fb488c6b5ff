"""Moving a branch of a local repository to a commit that was made here.

Only the repository of this very user is written to, and by writing files: git runs in it for one
thing alone, to bring along a working tree in which the branch is checked out. Its hooks do not run.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.domain.errors import Conflict, Stalled
from app.gitops.environment import git_command
from app.gitops.layout import Layout, locate, read_text
from app.gitops.new_commits import NewCommit, store
from app.gitops.refs import read_head, read_ref

_SECONDS = 60.0


class LocalBranch:
    """One branch of a repository in the file system."""

    def __init__(self, location: Path, branch: str) -> None:
        self._location = location
        self._branch = branch.removeprefix("refs/heads/")

    def advance(self, commit: NewCommit) -> None:
        """Move the branch from the commit's parent to the commit, and a working tree with it.

        Raises ``Conflict`` when the branch has moved, or when changes in the working tree are in
        the way; ``Stalled`` when the repository may not be written. Then nothing has changed.
        """
        layout = locate(self._location)
        owner = layout.common_dir.stat().st_uid
        if owner != os.geteuid():
            raise Stalled(
                f"The repository {self._location} belongs to another user (uid {owner}), so "
                "nothing is written there; commit and push as that user."
            )
        with self._locked(layout) as lock:
            if read_ref(layout, f"refs/heads/{self._branch}") != commit.base:
                raise Conflict(
                    f"The branch `{self._branch}` has moved since {commit.base[:12]}; look at what "
                    "is there now, and try again."
                )
            self._refuse_other_worktrees(layout)
            store(commit.objects, layout.objects)
            if self._is_checked_out(layout):
                self._bring_along(layout, commit)
            lock.write_text(f"{commit.sha}\n")
            lock.replace(self._ref(layout))

    @contextmanager
    def _locked(self, layout: Layout) -> Iterator[Path]:
        """Hold the lock that git itself would take."""
        ref = self._ref(layout)
        lock = ref.with_name(f"{ref.name}.lock")
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
        except FileExistsError:
            raise Conflict(
                f"Somebody else is writing the branch `{self._branch}`; try again. If nobody is, "
                f"delete {lock}."
            ) from None
        except OSError as error:
            raise Stalled(f"{lock} cannot be written: {error.strerror}.") from error
        try:
            yield lock
        finally:
            lock.unlink(missing_ok=True)

    def _ref(self, layout: Layout) -> Path:
        return layout.refs / "heads" / self._branch

    def _is_checked_out(self, layout: Layout) -> bool:
        has_work_tree = (self._location / ".git").exists()
        return has_work_tree and read_head(layout) == self._branch

    def _refuse_other_worktrees(self, layout: Layout) -> None:
        folders = [layout.common_dir, *(layout.common_dir / "worktrees").glob("*")]
        for folder in folders:
            if folder == layout.git_dir:
                continue
            is_main = folder == layout.common_dir
            if is_main and folder.name != ".git":
                continue  # a bare repository's HEAD is no working tree's
            if read_head(Layout(folder, layout.common_dir)) == self._branch:
                named = (read_text(folder / "gitdir", 4096) or str(folder)).strip()
                raise Conflict(
                    f"The branch `{self._branch}` is checked out in another working tree "
                    f"({named}); commit there, or check out another branch in it."
                )

    def _bring_along(self, layout: Layout, commit: NewCommit) -> None:
        """Take the working tree to the new commit; files with changes of their own are refused."""
        self._git(layout, "update-index", "-q", "--refresh")
        done = self._git(layout, "read-tree", "-m", "-u", commit.base, commit.sha)
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace").strip().replace("\n", "; ")[:400]
            raise Conflict(
                f"The working tree {self._location} has changes that are in the way; commit them, "
                f"or put them aside. git says: {said}"
            )

    def _git(self, layout: Layout, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = git_command(layout.git_dir, [f"--work-tree={self._location}", *arguments])
        try:
            return subprocess.run(
                command,
                cwd=self._location,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
                umask=0o022,
            )
        except subprocess.TimeoutExpired as error:
            raise Stalled(f"git did not finish in {self._location}.") from error
