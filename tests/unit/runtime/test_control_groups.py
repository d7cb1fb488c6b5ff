"""Where control groups are looked for, and what is said when none can be made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.runtime.control_groups import ControlGroups, process_behind

V2 = "30 20 0:26 / {folder} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"


def opened(tmp_path: Path, mounts: str, own: str) -> ControlGroups:
    (tmp_path / "mountinfo").write_text(mounts)
    (tmp_path / "cgroup").write_text(own)
    return ControlGroups.open(tmp_path / "mountinfo", tmp_path / "cgroup")


def test_a_machine_without_groups_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no hierarchy"):
        opened(tmp_path, "22 1 0:21 / /proc rw - proc proc rw", "0::/")


def test_a_controller_that_was_not_given_is_named(tmp_path: Path) -> None:
    group = tmp_path / "system.slice" / "hookledger.service"
    group.mkdir(parents=True)
    (group / "cgroup.controllers").write_text("cpu pids\n")
    with pytest.raises(OSError, match=f"{group} was given no controller for memory"):
        opened(tmp_path, V2.format(folder=tmp_path), "0::/system.slice/hookledger.service\n")


def test_a_group_that_may_not_be_changed_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    with pytest.raises(FileNotFoundError, match=r"cgroup\.procs"):
        opened(tmp_path, V2.format(folder=tmp_path), "0::/\n")
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_dir()] == []


def test_both_hierarchies_of_version_1_get_groups(tmp_path: Path) -> None:
    for controller in ("memory", "pids"):
        (tmp_path / controller / "docker" / "abc").mkdir(parents=True)
    line = "30 20 0:26 {root} {folder} rw shared:9 - cgroup cgroup rw,{kind}"
    memory = line.format(root="/docker/abc", folder=tmp_path / "memory", kind="memory")
    pids = line.format(root="/", folder=tmp_path / "pids", kind="pids")
    own = "4:memory:/docker/abc\n8:pids:/docker/abc\n0::/"
    groups = opened(tmp_path, f"{memory}\n{pids}\n", own)
    # A container's group is the root of what it sees mounted.
    parents = [tmp_path / "memory", tmp_path / "pids" / "docker" / "abc"]
    found = [list(parent.glob(f"hookledger-{os.getpid()}-*")) for parent in parents]
    assert [len(folders) for folders in found] == [1, 1]
    groups.close()
    assert not any(list(parent.glob("hookledger-*")) for parent in parents)


def test_what_a_killed_server_left_is_removed(tmp_path: Path) -> None:
    for controller in ("memory", "pids"):
        (tmp_path / controller / "hookledger-1-0" / "worker-3").mkdir(parents=True)
    line = "30 20 0:26 / {folder} rw shared:9 - cgroup cgroup rw,{kind}"
    mounts = [line.format(folder=tmp_path / kind, kind=kind) for kind in ("memory", "pids")]
    opened(tmp_path, "\n".join(mounts), "4:memory:/\n8:pids:/\n").close()
    assert [list((tmp_path / kind).iterdir()) for kind in ("memory", "pids")] == [[], []]


def test_the_process_behind_a_descriptor_is_known() -> None:
    descriptor = os.pidfd_open(os.getpid())
    try:
        assert process_behind(descriptor) == os.getpid()
    finally:
        os.close(descriptor)
