"""A ledger on a SQLite file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.application.ledger import Ledger
from app.eventstore.sqlite import sqlite_environment


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger(sqlite_environment(path)) as ledger:
        yield ledger
