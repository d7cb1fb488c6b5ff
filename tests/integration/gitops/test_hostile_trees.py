"""Contents that a hostile committer may craft: each is refused, fast, and with its reason."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from app.domain.errors import Rejected, Stalled
from app.domain.plans.plan import DesiredState
from app.domain.revisions import CommitSha
from app.gitops.source import LocalRepository

if TYPE_CHECKING:
    from tests.integration.gitops.conftest import GitRepository

HOOK = "hooks/pre-user-registration/no-throwaway"
SCRIPT = "def hook(user, context):\n    return {}\n"


def read(ours: LocalRepository) -> DesiredState:
    return ours.desired(ours.tip(), None)


def refusal_of(ours: LocalRepository) -> str:
    with pytest.raises(Rejected) as refusal:
        read(ours)
    return str(refusal.value)


@pytest.mark.parametrize(
    "name",
    ["..", ".", "a/b", "a\\b", ".git", ".GIT", ".Git ", "git~1", ".git.", ".git::$INDEX_ALLOCATION",
     ".g\u200cit", "\ufeff.git", "a\x1b[31m", "a\x7f", "a\nb", b"a\xff", "x" * 300],
)  # fmt: skip
def test_dangerous_names_are_refused_wherever_they_stand_below_hooks(
    theirs: GitRepository, ours: LocalRepository, name: str | bytes
) -> None:
    blob = theirs.blob(b"x")
    bad = theirs.tree(("100644", blob, name))
    theirs.commit_hooks_tree(theirs.tree(("40000", bad, "group")))
    assert "hooks/group/" in refusal_of(ours)
    as_folder = theirs.tree(("40000", theirs.tree(("100644", blob, "hook.toml")), name))
    theirs.commit_hooks_tree(as_folder)
    text = refusal_of(ours)
    assert "name" in text
    assert text.isprintable() or "\x1b" not in text
    text.encode()


def test_an_entry_that_stands_twice_is_refused(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    first, second = theirs.blob(b"1"), theirs.blob(b"2")
    hook = theirs.tree(("100644", first, "hook.toml"), ("100644", second, "hook.toml"))
    theirs.commit_hooks_tree(theirs.tree(("40000", hook, "h")))
    assert "stands twice" in refusal_of(ours)
    hooks = theirs.tree(("40000", theirs.tree(), "h"))
    theirs.commit_tree(theirs.tree(("40000", hooks, "hooks"), ("40000", theirs.tree(), "hooks")))
    assert "stands twice" in refusal_of(ours)


def test_folders_that_differ_only_by_case_are_refused(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    theirs.commit_hook("hooks/send-phone-message/twilio")
    theirs.commit_hook("hooks/send-phone-message/Twilio", 'name = "other"\n')
    assert "only by upper and lower case" in refusal_of(ours)


def test_symbolic_links_are_refused(theirs: GitRepository, ours: LocalRepository) -> None:
    theirs.commit_hook()
    (theirs.location / HOOK / "hook.py").unlink()
    (theirs.location / HOOK / "hook.py").symlink_to("/etc/passwd")
    theirs.commit({})
    assert "symbolic link" in refusal_of(ours)
    target = theirs.blob(b"../elsewhere")
    theirs.commit_tree(theirs.tree(("120000", target, "hooks")))
    assert "symbolic link" in refusal_of(ours)


def test_submodules_are_refused(theirs: GitRepository, ours: LocalRepository) -> None:
    theirs.commit_hooks_tree(theirs.tree(("160000", "1" * 40, "their-hooks")))
    assert "submodule" in refusal_of(ours)
    theirs.commit_tree(theirs.tree(("160000", "1" * 40, "hooks")))
    assert "submodule" in refusal_of(ours)


def test_links_and_submodules_outside_what_is_read_do_not_matter(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    theirs.commit_hook()
    hooks = theirs.git("rev-parse", "HEAD:hooks")
    theirs.commit_tree(
        theirs.tree(
            ("120000", theirs.blob(b"/etc"), "etc"),
            ("40000", hooks, "hooks"),
            ("160000", "1" * 40, "vendor"),
        )
    )
    assert len(read(ours).hooks) == 1


def test_entries_of_unknown_modes_and_wrong_types_are_refused(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    blob = theirs.blob(b"x")
    theirs.commit_hooks_tree(theirs.tree(("100000", blob, "x")))
    assert "unknown kind" in refusal_of(ours)
    theirs.commit_hooks_tree(theirs.tree(("40000", blob, "x")))
    with pytest.raises(Stalled, match="is a blob where a tree belongs"):
        read(ours)


def test_a_malformed_tree_is_refused(theirs: GitRepository, ours: LocalRepository) -> None:
    broken = theirs.git(
        "hash-object",
        "-w",
        "-t",
        "tree",
        "--literally",
        "--stdin",
        stdin=b"100644 hook.toml\0short",
    )
    theirs.commit_hooks_tree(theirs.tree(("40000", broken, "h")))
    assert "not a folder as git writes them" in refusal_of(ours)


def test_lfs_pointers_are_refused(theirs: GitRepository, ours: LocalRepository) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12\n"
    theirs.commit({f"{HOOK}/hook.toml": "", f"{HOOK}/hook.py": pointer})
    assert "Git LFS" in refusal_of(ours)
    theirs.commit({f"{HOOK}/hook.toml": pointer})
    assert f"{HOOK}/hook.toml: is kept in Git LFS" in refusal_of(ours)


def test_a_huge_file_is_refused_by_its_size_alone(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    theirs.commit({f"{HOOK}/hook.toml": "", f"{HOOK}/hook.py": b"\n" * 300_000_000})
    begun = time.monotonic()
    assert "is 300000000 bytes" in refusal_of(ours)
    assert time.monotonic() - begun < 2


def test_a_bomb_of_folders_is_refused_fast(theirs: GitRepository, ours: LocalRepository) -> None:
    below = theirs.tree(("100644", theirs.blob(b""), "hook.toml"))
    for _ in range(10):
        below = theirs.tree(*(("40000", below, f"d{number}") for number in range(10)))
    theirs.commit_hooks_tree(below)
    begun = time.monotonic()
    assert "more than 250000 files" in refusal_of(ours)
    assert time.monotonic() - begun < 10


def test_folders_nested_too_deeply_are_refused(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    below = theirs.tree(("100644", theirs.blob(b""), "README.md"))
    for _ in range(50):
        below = theirs.tree(("40000", below, "d"))
    theirs.commit_hooks_tree(below)
    assert "deeper than 12" in refusal_of(ours)


def test_a_folder_of_too_many_bytes_is_refused(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    blob = theirs.blob(b"")
    names = [f"{number:05}-{'x' * 200}" for number in range(20_000)]
    theirs.commit_hooks_tree(theirs.tree(*(("100644", blob, name) for name in names)))
    assert "more entries than fit" in refusal_of(ours)


def test_what_commits_claim_cannot_forge_lines_or_steer_a_terminal(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    theirs.commit_hook()
    tree = theirs.git("rev-parse", "HEAD^{tree}")
    raw = (
        f"tree {tree}\nauthor Eve\x1b[31m\x08 <eve@x> 1 +0000\n"
        f"committer {'x' * 5000} <c@x> 1 +0000\nencoding zlib\n\n\x1b]0;owned\x07\r\nsecond\u202e line\n"
    )
    commit = theirs.git(
        "hash-object", "-w", "-t", "commit", "--literally", "--stdin", stdin=raw.encode()
    )
    state = ours.desired(CommitSha(commit), None)
    assert state.author == "Eve[31m <eve@x>"
    assert len(state.committer) == 200
    assert state.message == "]0;owned second line"
