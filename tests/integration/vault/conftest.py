"""A vault on real files, with a clock that stands still until it is moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.vault.keyring import KeyRing
from app.vault.sealing import SealingVault, open_vault


class MovableClock:
    """A clock port that a test moves by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "master.keys"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "vault.db"


@pytest.fixture
def ring(key_file: Path, clock: MovableClock) -> KeyRing:
    return KeyRing(key_file, clock)


@pytest.fixture
def reopened(
    key_file: Path, database: Path, clock: MovableClock
) -> Iterator[Callable[[], SealingVault]]:
    """Open the same files once more, as another process would."""
    opened: list[SealingVault] = []

    def reopen() -> SealingVault:
        opened.append(open_vault(key_file, database, clock))
        return opened[-1]

    yield reopen
    for vault in opened:
        vault.close()


@pytest.fixture
def vault(reopened: Callable[[], SealingVault]) -> SealingVault:
    return reopened()
