"""Checkpoints as commits: git reads them, and nothing of the repository's is run or followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import Rejected, Stalled, Transient
from app.gitops.anchors import RefAnchor, anchored_notes

REF = "refs/hookledger/checkpoints"
NOTE = (
    "site/tenant\n{}\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\u2014 site/tenant AAAAAAAA\n"
)


def clock() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


def anchor(repository: Any, ref: str = REF) -> RefAnchor:
    return RefAnchor(repository.location, ref, clock)


@pytest.fixture
def repository(make: Callable[..., Any]) -> Any:
    made = make("theirs")
    made.commit({"README": "hooks"})
    return made


def test_git_finds_each_note_as_a_commit_on_the_one_before(repository: Any) -> None:
    put = anchor(repository)
    for size in (1, 2, 3):
        put(NOTE.format(size))

    assert repository.git("rev-list", "--count", REF) == "3"
    assert repository.git("show", f"{REF}:checkpoint") == NOTE.format(3).strip()
    assert repository.git("log", "-1", "--format=%B", f"{REF}~1") == NOTE.format(2).strip()
    assert repository.git("log", "-1", "--format=%an %ct", REF) == "hookledger 1767225600"
    assert repository.git("fsck", "--strict", "--full") == ""
    assert repository.git("status", "--porcelain") == ""


def test_the_notes_are_read_back_newest_first_also_after_git_packed_them(repository: Any) -> None:
    put = anchor(repository)
    put(NOTE.format(1))
    repository.git("gc", "--quiet")
    repository.git("pack-refs", "--all")
    put(NOTE.format(2))

    assert anchored_notes(repository.location, REF) == [NOTE.format(2), NOTE.format(1)]
    assert anchored_notes(repository.location, "refs/hookledger/none") == []


def test_a_clone_that_fetches_the_ref_holds_a_copy(repository: Any, tmp_path: Path) -> None:
    anchor(repository)(NOTE.format(5))
    clone = type(repository)(tmp_path / "clone")
    clone.git("fetch", "--quiet", str(repository.location), "refs/hookledger/*:refs/hookledger/*")
    assert anchored_notes(clone.location, REF) == [NOTE.format(5)]


def test_nothing_that_the_repository_configures_is_run(repository: Any, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    hooks = repository.git_dir / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("reference-transaction", "pre-receive", "update", "post-update", "post-commit"):
        (hooks / name).symlink_to(program)
    with (repository.git_dir / "config").open("a") as config:
        config.write(f"[core]\n\tfsmonitor = {program}\n\tsshCommand = {program}\n")

    anchor(repository)(NOTE.format(1))
    anchored_notes(repository.location, REF)

    assert not ran.exists()


@pytest.mark.parametrize("place", ["refs/hookledger", "objects/LINK"])
def test_links_that_lead_elsewhere_are_not_followed(
    repository: Any, tmp_path: Path, place: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if place.startswith("objects"):
        for number in range(256):
            folder = repository.git_dir / "objects" / f"{number:02x}"
            if not folder.exists():
                folder.symlink_to(elsewhere)
    else:
        (repository.git_dir / place).symlink_to(elsewhere)

    with pytest.raises(Stalled):
        anchor(repository)(NOTE.format(1))

    assert list(elsewhere.iterdir()) == []


def test_a_locked_ref_is_tried_again_later(repository: Any) -> None:
    put = anchor(repository)
    put(NOTE.format(1))
    lock = repository.git_dir / f"{REF}.lock"
    lock.touch()
    with pytest.raises(Transient, match="locked"):
        put(NOTE.format(2))
    lock.unlink()
    put(NOTE.format(3))
    assert anchored_notes(repository.location, REF) == [NOTE.format(3), NOTE.format(1)]


@pytest.mark.parametrize("ref", ["refs/heads/main", "HEAD", "refs/../x", "checkpoints", "refs/a b"])
def test_a_ref_that_is_followed_or_none_is_refused(repository: Any, ref: str) -> None:
    with pytest.raises(Rejected, match="ANCHOR_REF"):
        anchor(repository, ref)


def test_a_repository_of_another_object_format_is_left_alone(repository: Any) -> None:
    with (repository.git_dir / "config").open("a") as config:
        config.write("[extensions]\n\tobjectFormat = sha256\n")
    with pytest.raises(Stalled, match="SHA-256"):
        anchor(repository)(NOTE.format(1))


def test_what_is_written_is_readable_for_the_repositorys_other_users(repository: Any) -> None:
    before = os.umask(0o077)
    try:
        anchor(repository)(NOTE.format(1))
    finally:
        os.umask(before)
    commit = repository.git("rev-parse", REF)
    file = repository.git_dir / "objects" / commit[:2] / commit[2:]
    assert stat.S_IMODE(file.stat().st_mode) == 0o444
    assert stat.S_IMODE(file.parent.stat().st_mode) & 0o055 == 0o055
    assert file.stat().st_uid == (repository.git_dir / "objects").stat().st_uid
    assert stat.S_IMODE((repository.git_dir / REF).stat().st_mode) == 0o644
