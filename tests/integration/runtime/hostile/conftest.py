"""What hostile hooks of both languages meet."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that every user of the machine may read and write: only isolation protects it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        database = folder / "hookledger.db"
        database.write_text("every event")
        database.chmod(0o666)
        yield folder
