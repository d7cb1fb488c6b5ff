"""Identities of age: what was sealed stays readable over rotations, by this server alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import Rejected
from app.vault.age import AgeIdentities, seal_to
from app.vault.keyring import KeyRing
from app.vault.sealing import SealingVault

Open = Callable[..., AgeIdentities]


@pytest.fixture
def vault(ring: KeyRing, database: Path, clock: Any) -> Iterator[SealingVault]:
    with contextlib.closing(SealingVault(ring, database, clock)) as opened:
        yield opened


@pytest.fixture
def identities(vault: SealingVault, clock: Any, tmp_path: Path) -> Iterator[Open]:
    with contextlib.ExitStack() as opened:

        def open_identities(name: str = "age.db") -> AgeIdentities:
            made = AgeIdentities(tmp_path / name, vault, clock)
            opened.callback(made.close)
            return made

        yield open_identities


def test_what_is_sealed_to_the_recipient_is_opened(identities: Open) -> None:
    age = identities()
    sealed = seal_to(age.recipient, b"values")
    assert sealed.startswith(b"-----BEGIN AGE ENCRYPTED FILE-----")
    assert age.open(sealed) == b"values"
    assert identities().recipient == age.recipient


def test_another_server_cannot_open_it_nor_can_anybody_change_it(identities: Open) -> None:
    age, other = identities(), identities("other.db")
    sealed = seal_to(age.recipient, b"values")
    with pytest.raises(Rejected, match="sealed for another server"):
        other.open(sealed)
    for damaged in (sealed[:60] + b"A" + sealed[61:], sealed[:-60], b"", b"age-encryption.org/v1"):
        with pytest.raises(Rejected):
            age.open(damaged)


def test_a_rotation_reads_the_former_and_seals_to_the_new(identities: Open) -> None:
    age, running = identities(), identities()
    former = seal_to(age.recipient, b"values")
    new = age.rotate()
    assert running.recipient == new, "a running server notices"
    assert running.open(former) == b"values"
    assert (running.is_current(former), running.is_current(seal_to(new, b""))) == (False, True)
    assert len(age.recipients()) == 2


def test_it_survives_a_rotation_of_the_master_key(
    identities: Open, ring: KeyRing, vault: SealingVault
) -> None:
    age = identities()
    sealed = seal_to(age.recipient, b"values")
    former = ring.current.id
    ring.rotate()
    vault.rewrap()
    vault.retire(former)
    assert age.open(sealed) == b"values"


def test_no_private_key_is_in_the_file(identities: Open, tmp_path: Path) -> None:
    identities().rotate()
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("age.db*"))
    assert b"AGE-SECRET-KEY" not in stored
    assert all(file.stat().st_mode & 0o077 == 0 for file in tmp_path.glob("age.db*"))


def test_values_are_compared_with_what_is_stored(identities: Open, vault: SealingVault) -> None:
    age = identities()
    secret = vault.seal("hook", "KEY", "välue")
    assert age.holds("hook", secret, "välue")
    assert not age.holds("hook", secret, "value")
    assert not age.holds("other", secret, "välue")
    vault.destroy([secret.key_id])
    assert not age.holds("hook", secret, "välue")


def test_what_is_no_recipient_is_refused() -> None:
    with pytest.raises(Rejected, match="no recipient"):
        seal_to("age1nonsense", b"values")
