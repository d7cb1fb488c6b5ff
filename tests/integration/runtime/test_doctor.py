"""What the doctor finds besides the kernel's layers: Node.js, packages, the data directory."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.errors import Stalled
from app.runtime.doctor import probe
from app.runtime.inside.node_program import NodeProgram
from app.runtime.isolation import DATA_DIRECTORY, GROUPS, NODE, PACKAGES, LayerReport
from app.runtime.node_inspection import find_program, inspect


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may read, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def found(
    *,
    namespaces: bool = True,
    node: NodeProgram | str | None = None,
    packages_root: Path | None = None,
    data_dir: Path | None = None,
) -> dict[str, LayerReport]:
    reports = probe(
        210_000, namespaces=namespaces, node=node, packages_root=packages_root, data_dir=data_dir
    )
    return {report.name: report for report in reports}


@pytest.mark.parametrize("namespaces", [True, False])
def test_node_is_started_confined(namespaces: bool) -> None:
    program = find_program()
    assert isinstance(program, NodeProgram)
    report = found(namespaces=namespaces, node=program)[NODE]
    assert (report.in_force, report.found) == (True, f"version {program.version}")


@pytest.mark.parametrize("namespaces", [True, False])
def test_a_node_that_does_not_start_confined_is_not_used(namespaces: bool, folder: Path) -> None:
    program = find_program()
    assert isinstance(program, NodeProgram)
    report = found(namespaces=namespaces, node=NodeProgram(program.binary, (), "20.0.0"))[NODE]
    assert not report.in_force
    assert "did not start confined" in report.why_not


def test_a_node_that_is_none_is_told_apart(folder: Path) -> None:
    fake = folder / "node"
    assert "does not run" in str(find_program(fake))
    fake.write_text("#!/bin/sh\necho hello")
    fake.chmod(0o755)
    assert "does not run" in str(find_program(fake))
    fake.write_text('#!/bin/sh\necho \'{"version": "16.20.0", "sharedObjects": []}\'')
    with pytest.raises(Stalled, match=r"is Node\.js 16\.20\.0"):
        inspect(fake)


@pytest.mark.parametrize("namespaces", [True, False])
def test_packages_must_be_readable_by_workers(
    namespaces: bool, folder: Path, is_root: bool
) -> None:
    assert found(namespaces=namespaces, packages_root=folder)[PACKAGES].in_force
    if is_root:
        folder.chmod(0o700)
        report = found(namespaces=namespaces, packages_root=folder)[PACKAGES]
        assert not report.in_force
        assert str(folder) in report.why_not


def test_the_data_directory_is_below_nothing_that_hooks_read(folder: Path) -> None:
    packages = folder / "packages"
    packages.mkdir()
    assert found(packages_root=packages, data_dir=folder)[DATA_DIRECTORY].in_force
    for data_dir in (packages, packages / "below", Path(shutil.__file__).parent / "data"):
        report = found(packages_root=packages, data_dir=data_dir)[DATA_DIRECTORY]
        assert not report.in_force
        assert "hooks may read" in report.why_not


def test_groups_were_tried_or_it_is_said_what_is_lacking() -> None:
    report = found()[GROUPS]
    assert report.in_force != bool(report.why_not and report.remedy)


def test_the_version_of_landlock_is_told() -> None:
    report = found()["landlock"]
    assert report.in_force == report.found.startswith("version ")
