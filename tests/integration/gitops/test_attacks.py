"""What a hostile repository may try: nothing of it runs, hangs, or is taken for a good revision."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.domain.errors import HookledgerError, NotFound, Rejected, Stalled, Transient
from app.domain.plans.plan import DesiredState
from app.domain.revisions import CommitSha
from app.gitops import reading
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


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A program that leaves a trace when it runs."""
    program = tmp_path / "canary"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/canary-ran\nexit 0\n")
    program.chmod(0o755)
    return program


def use_everything(ours: LocalRepository) -> None:
    """Do all that can be done with a repository, whatever comes of it."""
    commit = ours.tip()
    for action in (
        lambda: ours.desired(commit, None),
        lambda: ours.resolve("main"),
        lambda: ours.resolve(commit[:8]),
        lambda: ours.resolve("v1"),
        lambda: ours.is_ancestor(commit, commit),
        lambda: ours.desired(CommitSha("1" * 40), None),
    ):
        try:
            action()
        except HookledgerError:
            continue


def test_configuration_of_the_repository_runs_nothing(
    theirs: GitRepository, ours: LocalRepository, canary: Path, tmp_path: Path
) -> None:
    theirs.commit_hook()
    theirs.git("tag", "-a", "-m", "x", "v1")
    for key, value in {
        "core.fsmonitor": str(canary),
        "core.hooksPath": str(canary.parent),
        "core.sshCommand": str(canary),
        "core.pager": str(canary),
        "core.alternateRefsCommand": str(canary),
        "diff.external": str(canary),
        "gpg.program": str(canary),
        "gpg.ssh.program": str(canary),
        "gpg.format": "ssh",
        "protocol.ext.allow": "always",
        "remote.origin.url": f"ext::{canary} %S",
        "remote.origin.uploadpack": str(canary),
        "remote.origin.promisor": "true",
        "remote.origin.partialclonefilter": "blob:none",
        "extensions.partialClone": "origin",
        "credential.helper": f"!{canary}",
        "alias.cat-file": f"!{canary}",
        "filter.x.smudge": str(canary),
        "safe.directory": "*",
    }.items():
        theirs.git("config", key, value)
    hooks = theirs.git_dir / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "reference-transaction", "post-index-change"):
        (hooks / name).symlink_to(canary)
    use_everything(ours)
    blob = theirs.git("rev-parse", f"HEAD:{HOOK}/hook.py")
    (theirs.git_dir / "objects" / blob[:2] / blob[2:]).unlink()
    use_everything(ours)
    assert not (tmp_path / "canary-ran").exists()


def test_configuration_of_a_borrowed_repository_runs_nothing(
    make: Callable[..., GitRepository],
    follow: Callable[..., LocalRepository],
    canary: Path,
    tmp_path: Path,
) -> None:
    lender = make("lender")
    lender.commit_hook()
    lender.git("clone", "--quiet", "--shared", str(lender.location), str(tmp_path / "theirs"))
    lender.git("config", "core.alternateRefsCommand", str(canary))
    lender.git("config", "core.fsmonitor", str(canary))
    use_everything(follow(tmp_path / "theirs"))
    assert not (tmp_path / "canary-ran").exists()


def test_alternates_that_lead_in_a_circle_or_nowhere_do_no_harm(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    theirs.commit_hook()
    (theirs.git_dir / "objects/info/alternates").write_text(
        f"{theirs.git_dir}/objects\n/dev/zero\n/nonexistent\n../../../../../../../..\n"
    )
    assert len(read(ours).hooks) == 1


def test_the_environment_of_the_server_does_not_count(
    theirs: GitRepository,
    ours: LocalRepository,
    make: Callable[..., GitRepository],
    canary: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    theirs.commit_hook()
    other = make("other")
    trace = tmp_path / "trace"
    for name, value in {
        "GIT_DIR": str(other.git_dir),
        "GIT_COMMON_DIR": str(other.git_dir),
        "GIT_WORK_TREE": str(other.location),
        "GIT_OBJECT_DIRECTORY": str(other.git_dir / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": "/nonexistent",
        "GIT_NAMESPACE": "x",
        "GIT_TRACE": str(trace),
        "GIT_EXEC_PATH": str(canary.parent),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": str(canary),
        "GIT_CONFIG_PARAMETERS": f"'core.pager'='{canary}'",
        "GIT_EXTERNAL_DIFF": str(canary),
        "GIT_SSH_COMMAND": str(canary),
        "GIT_REPLACE_REF_BASE": "refs/heads",
    }.items():
        monkeypatch.setenv(name, value)
    assert len(read(ours).hooks) == 1
    assert not trace.exists()
    assert not (tmp_path / "canary-ran").exists()


def test_replace_refs_change_nothing(theirs: GitRepository, ours: LocalRepository) -> None:
    theirs.commit_hook()
    good = theirs.git("rev-parse", f"HEAD:{HOOK}/hook.py")
    evil = theirs.blob(b"# EVIL\n")
    theirs.git("replace", good, evil)
    commit = theirs.git("rev-parse", "HEAD")
    theirs.commit({f"{HOOK}/hook.py": "# EVIL\n"})
    theirs.git("replace", commit, "HEAD")
    assert ours.desired(CommitSha(commit), None).hooks[0].script == SCRIPT


def test_content_that_is_not_what_its_id_says_is_noticed(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    theirs.commit_hook()
    blob = theirs.git("rev-parse", f"HEAD:{HOOK}/hook.py")
    swap_loose(theirs, blob, b"blob 7\0# EVIL\n")
    with pytest.raises(Stalled, match="not what its id says"):
        read(ours)
    swap_loose(theirs, blob, b"garbage", compress=False)
    with pytest.raises(Stalled, match="damaged"):
        read(ours)
    swap_loose(theirs, blob, f"blob {len(SCRIPT)}\0{SCRIPT}".encode())
    assert len(read(ours).hooks) == 1


def test_swapped_content_is_noticed_among_thousands_too(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    for number in range(120):
        theirs.write({f"hooks/pre-user-registration/h{number}/hook.toml": f"order = {number}\n"})
        theirs.write({f"hooks/pre-user-registration/h{number}/hook.py": f"# {number}\n"})
    theirs.commit({})
    blob = theirs.git("rev-parse", "HEAD:hooks/pre-user-registration/h7/hook.py")
    swap_loose(theirs, blob, b"blob 7\0# EVIL\n")
    with pytest.raises(Stalled, match=blob):
        read(ours)
    (theirs.git_dir / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(Stalled, match=f"lacks object {blob}"):
        read(ours)


@pytest.mark.parametrize("missing", [f"{HOOK}/hook.py", HOOK, "hooks", ""])
def test_a_missing_object_stalls_and_is_named(
    theirs: GitRepository, ours: LocalRepository, missing: str
) -> None:
    theirs.commit_hook()
    sha = theirs.git("rev-parse", f"HEAD:{missing}")
    (theirs.git_dir / "objects" / sha[:2] / sha[2:]).unlink()
    with pytest.raises(Stalled, match=f"lacks object {sha}"):
        read(ours)


@pytest.mark.parametrize("name", ["-x", "--upload-pack=touch x"])
def test_refs_that_look_like_options_are_never_resolved(
    theirs: GitRepository, ours: LocalRepository, name: str
) -> None:
    commit = theirs.commit_hook()
    (theirs.git_dir / "refs/heads" / name).write_text(f"{commit}\n")
    with pytest.raises(NotFound):
        ours.resolve(name)


@pytest.mark.parametrize(
    "content", ["ref: ../../../etc/passwd", "ref: refs/heads/../../config", "ref: refs/heads/main",
                "ref: refs/heads/-x y", "not hex", "x" * 10_000, "ref: HEAD", "-" * 40],
)  # fmt: skip
def test_a_ref_with_hostile_content_stalls_and_shows_nothing_of_it(
    theirs: GitRepository, ours: LocalRepository, content: str
) -> None:
    theirs.commit_hook()
    (theirs.git_dir / "refs/heads/main").write_text(f"{content}\n")
    with pytest.raises(Stalled) as stalled:
        ours.tip()
    assert content not in str(stalled.value)


def test_a_ref_that_is_no_plain_file_does_not_hang(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    theirs.commit_hook()
    ref = theirs.git_dir / "refs/heads/main"
    ref.unlink()
    os.mkfifo(ref)
    with pytest.raises(Stalled, match="not a plain file"):
        ours.tip()
    ref.unlink()
    ref.symlink_to("/dev/zero")
    with pytest.raises(Stalled, match="symbolic link"):
        ours.tip()
    ref.unlink()
    (theirs.git_dir / "packed-refs").symlink_to("/dev/zero")
    with pytest.raises(Stalled, match="symbolic link"):
        ours.tip()


def test_a_sha256_repository_stalls(theirs: GitRepository, ours: LocalRepository) -> None:
    theirs.commit_hook()
    (theirs.git_dir / "refs/heads/main").write_text("a" * 64 + "\n")
    with pytest.raises(Stalled, match="SHA-256"):
        ours.tip()


def test_a_reftable_repository_stalls(theirs: GitRepository, ours: LocalRepository) -> None:
    theirs.commit_hook()
    (theirs.git_dir / "reftable").mkdir()
    with pytest.raises(Stalled, match="reftable"):
        ours.tip()


def test_an_object_that_never_opens_is_given_up(
    theirs: GitRepository, ours: LocalRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs.commit_hook()
    blob = theirs.git("rev-parse", f"HEAD:{HOOK}/hook.py")
    file = theirs.git_dir / "objects" / blob[:2] / blob[2:]
    content = file.read_bytes()
    file.unlink()
    os.mkfifo(file)
    monkeypatch.setattr(reading, "READ_SECONDS", 0.5)
    with pytest.raises(Transient, match="too long"):
        read(ours)
    file.unlink()
    file.write_bytes(content)
    assert len(read(ours).hooks) == 1


def test_a_killed_git_is_started_again(theirs: GitRepository, ours: LocalRepository) -> None:
    theirs.commit_hook()
    read(ours)
    for process in git_children():
        os.kill(int(process.name), 9)
    assert len(read(ours).hooks) == 1


def test_git_may_not_take_all_memory(theirs: GitRepository, ours: LocalRepository) -> None:
    theirs.commit_hook()
    read(ours)
    (process,) = git_children()
    limits = (process / "limits").read_text().splitlines()
    (data,) = (line.split() for line in limits if line.startswith("Max data size"))
    assert data[3:5] == [str(1024**3)] * 2


def git_children() -> list[Path]:
    """Find the git processes that this process started and that still run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if int(parent) == os.getpid() and b"cat-file" in command:
            found.append(process)
    return found


def swap_loose(theirs: GitRepository, sha: str, content: bytes, *, compress: bool = True) -> None:
    """Put other content where git keeps the object ``sha``."""
    file = theirs.git_dir / "objects" / sha[:2] / sha[2:]
    file.unlink(missing_ok=True)
    file.write_bytes(zlib.compress(content) if compress else content)
