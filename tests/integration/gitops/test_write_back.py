"""Commits that the server makes: what git sees of them, and what may never happen."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.domain.errors import Conflict, Rejected, Stalled
from app.gitops.local_branch import LocalBranch
from app.gitops.new_commits import NewCommit, Person
from app.gitops.source import LocalRepository
from app.gitops.write_back import WriteBack

if TYPE_CHECKING:
    from tests.integration.gitops.conftest import GitRepository

HOOK = "hooks/pre-user-registration/no-throwaway"
SCRIPT = f"{HOOK}/hook.py"
NEW = b"def hook(user, context):\n    return {'user': {}}\n"
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


class Writing:
    """A followed repository that the server may write to."""

    def __init__(self, theirs: GitRepository, ours: LocalRepository, mirror: Path) -> None:
        self.theirs = theirs
        self.ours = ours
        self._back = WriteBack(
            mirror,
            LocalBranch(theirs.location, "main"),
            Person("hookledger", "hookledger@example.com"),
            lambda: NOW,
        )
        theirs.commit_hook()

    def prepare(
        self,
        files: Mapping[str, bytes | None],
        *,
        author: str = "Ada Lovelace",
        message: str = "Change a hook",
    ) -> NewCommit:
        tip = self.ours.tip()
        self.ours.resolve(tip)
        return self._back.prepare(
            tip, files, author=author, email="ada@example.com", message=message
        )

    def publish(self, commit: NewCommit) -> None:
        self._back.publish(commit)

    def write(self, files: Mapping[str, bytes | None]) -> str:
        commit = self.prepare(files)
        self.publish(commit)
        return commit.sha


@pytest.fixture
def writing(
    theirs: GitRepository, follow: Callable[..., LocalRepository], tmp_path: Path
) -> Writing:
    return Writing(theirs, follow(theirs.location), tmp_path / "mirror-0")


@pytest.fixture
def bare(
    make: Callable[..., GitRepository], follow: Callable[..., LocalRepository], tmp_path: Path
) -> Writing:
    """A bare repository, filled from a clone."""
    work = make("work")
    work.commit_hook()
    bare = make("bare", bare=True)
    work.git("push", "--quiet", str(bare.location), "main")
    bare.commit_hook = lambda *_: ""  # type: ignore[method-assign]  # it has its hook
    return Writing(bare, follow(bare.location), tmp_path / "mirror-0")


def test_a_commit_is_what_git_would_have_made(bare: Writing) -> None:
    sha = bare.write({SCRIPT: NEW})
    git = bare.theirs.git
    assert git("rev-parse", "main") == sha == bare.ours.tip()
    assert git("log", "-1", "--format=%an <%ae>|%cn <%ce>|%s|%ct", "main") == (
        "Ada Lovelace <ada@example.com>|hookledger <hookledger@example.com>|Change a hook|"
        f"{int(NOW.timestamp())}"
    )
    assert git("show", f"main:{SCRIPT}") == NEW.decode().strip()
    assert git("diff", "--name-only", "main~", "main") == SCRIPT
    git("fsck", "--strict", "--no-dangling")


def test_files_and_folders_are_added_and_vanish_when_empty(bare: Writing) -> None:
    other = "hooks/send-phone-message/team-a/compose"
    bare.write({f"{other}/hook.toml": b"", f"{other}/hook.py": NEW, f"{HOOK}-2/hook.toml": b""})
    listed = bare.theirs.git("ls-tree", "-r", "--name-only", "main").split()
    assert listed == sorted(
        (
            *(SCRIPT, f"{HOOK}/hook.toml", f"{HOOK}-2/hook.toml"),
            *(f"{other}/hook.py", f"{other}/hook.toml"),
        )
    )
    bare.write({path: None for path in listed if not path.startswith(HOOK + "/")})
    assert bare.theirs.git("ls-tree", "-r", "--name-only", "main").split() == [
        SCRIPT,
        f"{HOOK}/hook.toml",
    ]
    bare.theirs.git("fsck", "--strict", "--no-dangling")


def test_a_prepared_commit_is_read_by_us_and_seen_by_nobody_else(writing: Writing) -> None:
    before = writing.theirs.git("rev-parse", "main")
    prepared = writing.prepare({SCRIPT: NEW})
    [hook] = writing.ours.desired(prepared.sha, None).hooks
    assert hook.script == NEW.decode()
    assert writing.theirs.git("rev-parse", "main") == before
    assert not list((writing.theirs.git_dir / "objects").rglob(f"*{prepared.sha[2:]}"))


def test_a_branch_that_has_moved_is_left_alone(writing: Writing) -> None:
    prepared = writing.prepare({SCRIPT: NEW})
    moved = writing.theirs.commit({"README.md": "hello"})
    with pytest.raises(Conflict, match="has moved"):
        writing.publish(prepared)
    assert writing.theirs.git("rev-parse", "main") == moved


def test_a_branch_that_somebody_else_is_writing_is_left_alone(writing: Writing) -> None:
    prepared = writing.prepare({SCRIPT: NEW})
    lock = writing.theirs.git_dir / "refs/heads/main.lock"
    lock.touch()
    with pytest.raises(Conflict, match="Somebody else"):
        writing.publish(prepared)
    assert lock.exists()


def test_a_packed_branch_moves_too(writing: Writing) -> None:
    writing.theirs.git("pack-refs", "--all")
    assert writing.write({SCRIPT: NEW}) == writing.theirs.git("rev-parse", "main")


def test_a_working_tree_comes_along(writing: Writing) -> None:
    script = writing.theirs.location / SCRIPT
    writing.theirs.write({"notes.txt": "mine"})
    writing.write({SCRIPT: NEW})
    assert script.read_bytes() == NEW
    assert script.stat().st_mode & 0o777 == 0o644
    assert writing.theirs.git("status", "--porcelain") == "?? notes.txt"


def test_changes_in_a_working_tree_are_never_overwritten(writing: Writing) -> None:
    script = writing.theirs.location / SCRIPT
    script.write_text("# my own, not committed yet\n")
    before = writing.theirs.git("rev-parse", "main")
    with pytest.raises(Conflict, match="in the way"):
        writing.write({SCRIPT: NEW})
    assert script.read_text() == "# my own, not committed yet\n"
    assert writing.theirs.git("rev-parse", "main") == before
    assert writing.theirs.git("status", "--porcelain") == f"M {SCRIPT}"


def test_a_working_tree_elsewhere_that_has_the_branch_is_not_pulled_from_under(
    writing: Writing, tmp_path: Path
) -> None:
    writing.theirs.git("checkout", "--quiet", "-b", "topic")
    writing.theirs.git("worktree", "add", "--quiet", str(tmp_path / "linked"), "main")
    with pytest.raises(Conflict, match="another working tree"):
        writing.write({SCRIPT: NEW})
    writing.theirs.git("worktree", "remove", str(tmp_path / "linked"))
    writing.write({SCRIPT: NEW})
    assert (writing.theirs.location / SCRIPT).read_bytes() != NEW


def test_nothing_is_committed_when_nothing_changes(writing: Writing) -> None:
    same = (writing.theirs.location / SCRIPT).read_bytes()
    with pytest.raises(Rejected, match="Nothing would change"):
        writing.prepare({SCRIPT: same, "hooks/nowhere/hook.py": None})


def test_an_author_cannot_forge_a_header(writing: Writing) -> None:
    author = "Eve <root@example.com> 0 +0000\ncommitter Root\ngpgsig x"
    sha = writing.prepare({SCRIPT: NEW}, author=author, message="x\n\nparent 0\0").sha
    seen = writing.ours.desired(sha, None)
    assert seen.author == "Eve root@example.com 0 +0000 committer Root gpgsig x <ada@example.com>"
    assert seen.committer == "hookledger <hookledger@example.com>"


def test_no_program_of_the_repository_runs(writing: Writing, tmp_path: Path) -> None:
    """Hooks, and settings that name programs, as somebody who can write there might leave them."""
    marker = tmp_path / "executed"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {marker}\n")
    program.chmod(0o755)
    hooks = writing.theirs.git_dir / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("reference-transaction", "post-checkout", "post-index-change", "post-commit"):
        (hooks / name).symlink_to(program)
    for key in ("core.fsmonitor", "core.sshCommand", "gpg.program", "core.editor", "core.pager"):
        writing.theirs.git("config", key, str(program))
    writing.theirs.git("config", "core.hooksPath", str(hooks))
    marker.unlink(missing_ok=True)
    writing.write({SCRIPT: NEW})
    assert (writing.theirs.location / SCRIPT).read_bytes() == NEW
    assert not marker.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a repository somebody else's")
def test_a_repository_of_another_user_is_not_written_to(bare: Writing) -> None:
    prepared = bare.prepare({SCRIPT: NEW})
    os.chown(bare.theirs.git_dir, 12345, 12345)
    with pytest.raises(Stalled, match="another user"):
        bare.publish(prepared)
