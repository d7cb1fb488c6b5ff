"""The sample repository as it stands in this checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def samples() -> Path:
    return ROOT / "hooks_repo"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for a ``hook_folder`` once for each sample hook."""
    if "hook_folder" in metafunc.fixturenames:
        folders = sorted(path.parent for path in (ROOT / "hooks_repo/hooks").rglob("hook.py"))
        metafunc.parametrize("hook_folder", folders, ids=lambda folder: folder.name)
