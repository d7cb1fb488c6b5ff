"""Repositories of every shape are followed, whatever happens to them meanwhile."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.domain.errors import Rejected, Stalled
from app.domain.plans.plan import DesiredState
from app.domain.revisions import CommitSha
from app.gitops.source import LocalRepository, current_branch

if TYPE_CHECKING:
    from tests.integration.gitops.conftest import GitRepository

HOOK = "hooks/pre-user-registration/no-throwaway"
OTHER = "hooks/send-phone-message/twilio"
SCRIPT = "def hook(user, context):\n    return {}\n"

Follow = Callable[..., LocalRepository]


def read(ours: LocalRepository, since: DesiredState | None = None) -> DesiredState:
    return ours.desired(ours.tip(), since.tree if since else None)


def names(state: DesiredState) -> list[str]:
    return sorted(hook.name for hook in state.hooks)


def messages(refusal: Rejected) -> str:
    return str(refusal)


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the size and the time of the last change of all that is in a folder."""
    found = ((path, path.lstat()) for path in [folder, *folder.rglob("*")])
    return {str(path): (stat.st_size, stat.st_mtime_ns) for path, stat in found}


def test_an_empty_repository_a_missing_branch_and_no_repository_stall(
    theirs: GitRepository, follow: Follow, tmp_path: Path
) -> None:
    with pytest.raises(Stalled, match="no commits yet"):
        follow(theirs.location).tip()
    theirs.commit_hook()
    with pytest.raises(Stalled, match="no branch `gone`"):
        follow(theirs.location, branch="gone").tip()
    with pytest.raises(Stalled, match="does not exist"):
        follow(tmp_path / "nowhere").tip()
    with pytest.raises(Stalled, match="no git repository"):
        follow(tmp_path).tip()


def test_a_deleted_branch_stalls(theirs: GitRepository, ours: LocalRepository) -> None:
    theirs.commit_hook()
    ours.tip()
    theirs.git("checkout", "--quiet", "--detach")
    theirs.git("branch", "-D", "main")
    with pytest.raises(Stalled, match="no branch `main`"):
        ours.tip()


def test_packed_refs_and_gc_change_nothing_while_reading(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    for number in range(5):
        theirs.commit_hook(f"hooks/pre-user-registration/h{number}")
    commit, failures, done = ours.tip(), list[BaseException](), threading.Event()

    def keep_reading() -> None:
        try:
            while not done.is_set():
                assert ours.tip() == commit
                assert len(ours.desired(commit, None).hooks) == 5
        except BaseException as error:
            failures.append(error)

    reader = threading.Thread(target=keep_reading)
    reader.start()
    try:
        for _ in range(3):
            theirs.git("pack-refs", "--all")
            theirs.git("gc", "--quiet", "--prune=now")
            theirs.git("repack", "-a", "-d", "--quiet")
    finally:
        done.set()
        reader.join()
    assert failures == []


def test_following_writes_nothing_into_the_repository(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    """So it may be on a disk that can only be read, or belong to somebody else."""
    first = theirs.commit_hook()
    before = state_of(theirs.location)
    ours.resolve("main")
    state = read(ours)
    ours.is_ancestor(CommitSha(first), state.commit)
    assert state_of(theirs.location) == before


def test_threads_may_read_at_the_same_time(theirs: GitRepository, ours: LocalRepository) -> None:
    commits = [theirs.commit_hook(f"hooks/send-phone-message/sms{n}") for n in range(8)]
    with ThreadPoolExecutor(4) as threads:
        states = list(threads.map(lambda sha: ours.desired(CommitSha(sha), None), commits * 4))
    assert [len(state.hooks) for state in states] == list(range(1, 9)) * 4


def test_a_bare_repository_is_followed(make: Callable[..., GitRepository], follow: Follow) -> None:
    work, bare = make("work"), make("bare", bare=True)
    commit = work.commit_hook()
    work.git("push", "--quiet", str(bare.location), "main")
    ours = follow(bare.location)
    assert read(ours).commit == commit
    assert ours.refs == bare.location / "refs"


def test_a_linked_worktree_is_followed(
    theirs: GitRepository, follow: Follow, tmp_path: Path
) -> None:
    theirs.commit_hook()
    linked = tmp_path / "linked"
    theirs.git("worktree", "add", "--quiet", "-b", "side", str(linked))
    assert current_branch(linked) == "side"
    assert current_branch(theirs.location) == "main"
    assert follow(linked).refs == theirs.location / ".git" / "refs"
    assert names(read(follow(linked, branch="side"))) == ["no-throwaway"]
    assert follow(linked).resolve("HEAD") == theirs.git("rev-parse", "side")


def test_a_source_that_borrows_its_own_objects_is_followed(
    theirs: GitRepository, follow: Follow, tmp_path: Path
) -> None:
    theirs.commit_hook()
    theirs.git("clone", "--quiet", "--shared", str(theirs.location), str(tmp_path / "clone"))
    assert names(read(follow(tmp_path / "clone"))) == ["no-throwaway"]


def test_a_shallow_clone_is_followed_but_its_history_is_judged_no_further_than_it_is_told(
    theirs: GitRepository, follow: Follow, tmp_path: Path
) -> None:
    old = theirs.commit_hook()
    parent = theirs.commit_hook(OTHER)
    theirs.commit({f"{OTHER}/hook.py": "# changed\n"})
    theirs.git("clone", "--quiet", "--depth=1", theirs.location.as_uri(), str(tmp_path / "clone"))
    ours = follow(tmp_path / "clone")
    assert len(read(ours).hooks) == 2
    assert ours.is_ancestor(CommitSha(parent), ours.tip())
    with pytest.raises(Stalled, match="history is cut"):
        ours.is_ancestor(CommitSha(old), ours.tip())


def test_a_repository_swapped_for_another_is_followed_on(
    theirs: GitRepository, ours: LocalRepository, make: Callable[..., GitRepository], tmp_path: Path
) -> None:
    theirs.commit_hook()
    first = read(ours)
    another = make("another")
    another.commit_hook(OTHER)
    another.git("gc", "--quiet")
    theirs.location.rename(tmp_path / "old")
    another.location.rename(theirs.location)
    second = read(ours, first)
    assert second.complete
    assert names(second) == ["twilio"]


def test_a_repository_that_becomes_a_worktree_is_followed_on(
    theirs: GitRepository, ours: LocalRepository, make: Callable[..., GitRepository], tmp_path: Path
) -> None:
    first = theirs.commit_hook()
    assert ours.resolve(first[:10]) == first
    read(ours)
    another = make("another")
    another.commit_hook(OTHER)
    theirs.location.rename(tmp_path / "old")
    another.git("checkout", "--quiet", "--detach")
    another.git("worktree", "add", "--quiet", str(theirs.location), "main")
    commit = another.git("rev-parse", "main")
    assert ours.resolve(commit[:10]) == commit
    assert names(read(ours)) == ["twilio"]


def test_a_repository_that_begins_to_borrow_is_followed_on(
    theirs: GitRepository, ours: LocalRepository, make: Callable[..., GitRepository], tmp_path: Path
) -> None:
    theirs.commit_hook()
    read(ours)
    lender = make("lender")
    lender.commit_hook(OTHER)
    theirs.location.rename(tmp_path / "old")
    lender.git("clone", "--quiet", "--shared", str(lender.location), str(theirs.location))
    assert names(read(ours)) == ["twilio"]


@pytest.mark.parametrize("path", ["..", "a/../b", "/etc", "a\0b"])
def test_a_path_that_leads_out_is_refused_at_once(
    follow: Follow, tmp_path: Path, path: str
) -> None:
    with pytest.raises(Rejected, match="HOOKLEDGER_REPO_PATH"):
        follow(tmp_path, path=path)


def test_closing_leaves_no_process_and_reading_goes_on_after_it(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    theirs.commit_hook()
    read(ours)
    assert children() == ["git"]
    ours.close()
    assert children() == []
    assert names(read(ours)) == ["no-throwaway"]


def test_a_finished_read_leaves_no_deadline_behind(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    theirs.commit_hook()
    before = set(threading.enumerate())
    read(ours)
    assert set(threading.enumerate()) <= before


def test_the_mirror_is_private_and_mended(
    theirs: GitRepository, ours: LocalRepository, tmp_path: Path
) -> None:
    theirs.commit_hook()
    read(ours)
    mirror = tmp_path / "mirror-0"
    assert mirror.stat().st_mode & 0o777 == 0o700
    ours.close()
    (mirror / "config").write_text("[core\nbroken")
    (mirror / "objects/info/alternates").unlink()
    (mirror / "HEAD").unlink()
    mirror.chmod(0o755)
    assert names(read(ours)) == ["no-throwaway"]
    assert mirror.stat().st_mode & 0o777 == 0o700


def test_a_mirror_that_is_a_link_is_refused(
    theirs: GitRepository, ours: LocalRepository, tmp_path: Path
) -> None:
    theirs.commit_hook()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "mirror-0").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Stalled, match="not a directory of this user"):
        read(ours)


def test_a_mirror_of_somebody_else_is_refused(
    theirs: GitRepository, ours: LocalRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs.commit_hook()
    read(ours)
    monkeypatch.setattr("app.gitops.mirror.os.geteuid", lambda: 4_000_000)
    with pytest.raises(Stalled, match="not a directory of this user"):
        read(ours)


def children() -> list[str]:
    """List the git processes that this process started and that still exist."""
    listed = subprocess.run(["ps", "-o", "ppid=,comm=", "-A"], capture_output=True, text=True)
    own = str(Path("/proc/self").resolve().name)
    pairs = [line.split(None, 1) for line in listed.stdout.splitlines()]
    return [name for parent, name in pairs if parent == own and name.startswith("git")]
