"""A data folder with a signed history."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.event_log import generate
from tests.integration.cli.proofs.installation import EVENTS, SIGNED, sign, tamper, use


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with 900 events and two checkpoints, as a server leaves it behind."""
    folder = tmp_path_factory.mktemp("lived") / "var"
    generate(folder / "hookledger.db", EVENTS, hooks=40)
    later = folder / "later.db"
    shutil.copy(folder / "hookledger.db", later)
    tamper(folder, f"DELETE FROM stored_events WHERE rowid > {SIGNED}")
    tamper(folder, f"UPDATE sqlite_sequence SET seq = {SIGNED}")
    with pytest.MonkeyPatch.context() as patched:
        use(patched, folder)
        sign()
        tamper(folder, f"ATTACH '{later}' AS later; INSERT INTO stored_events SELECT * FROM "
                       f"later.stored_events WHERE rowid > {SIGNED}")  # fmt: skip
        sign()
    later.unlink()
    return folder


@pytest.fixture
def var(lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in force."""
    folder = tmp_path / "var"
    shutil.copytree(lived, folder)
    use(monkeypatch, folder)
    return folder
