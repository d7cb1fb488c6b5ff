"""Rotating master keys: old data stays readable, old keys can go, lost keys are named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.application.ports import Clock
from app.domain.errors import Conflict, NotFound, Stalled
from app.domain.hooks.secrets import SealedSecret
from app.vault.keyring import KeyRing
from app.vault.sealing import SealingVault

Reopen = Callable[[], SealingVault]


def test_rewrapping_changes_no_ciphertext_and_frees_the_old_key(
    vault: SealingVault, reopened: Reopen, key_file: Path
) -> None:
    secrets = [vault.seal("h", f"n{i}", f"v{i}") for i in range(5)]
    protected = vault.protect("queue", b"data")
    old = vault.keyring.current
    vault.keyring.rotate()
    steps: list[tuple[int, int]] = []
    assert vault.rewrap(lambda done, total: steps.append((done, total))) == 6
    assert steps == [(6, 6)]
    vault.retire(old.id)
    assert old.id not in key_file.read_text()
    for each in (vault, reopened()):
        assert [each.open("h", secret) for secret in secrets] == [f"v{i}" for i in range(5)]
        assert each.reveal("queue", protected) == b"data"


def test_a_crash_between_rotation_and_rewrapping_loses_nothing(
    vault: SealingVault, reopened: Reopen
) -> None:
    before = vault.seal("h", "before", "1")
    protected = vault.protect("queue", b"1")
    vault.keyring.rotate()
    vault.close()
    restarted = reopened()
    after = restarted.seal("h", "after", "2")
    assert restarted.open("h", before) == "1"
    assert restarted.open("h", after) == "2"
    assert restarted.reveal("queue", protected) == b"1"
    assert restarted.rewrap() == 2
    assert restarted.rewrap() == 0


def test_a_crash_in_the_middle_of_rewrapping_is_finished_by_the_next_one(
    vault: SealingVault, reopened: Reopen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.vault.sealing._BATCH", 2)
    secrets = [vault.seal("h", f"n{i}", f"v{i}") for i in range(5)]
    old = vault.keyring.current
    vault.keyring.rotate()

    class Crash(Exception):
        pass

    def crash(done: int, total: int) -> None:
        raise Crash

    with pytest.raises(Crash):
        vault.rewrap(crash)
    vault.close()
    restarted = reopened()
    assert [restarted.open("h", secret) for secret in secrets] == [f"v{i}" for i in range(5)]
    with pytest.raises(Conflict, match="still wraps 3 keys"):
        restarted.retire(old.id)
    assert restarted.rewrap() == 3
    restarted.retire(old.id)
    assert [restarted.open("h", secret) for secret in secrets] == [f"v{i}" for i in range(5)]


def test_the_bytes_wrapped_under_the_old_key_are_gone(vault: SealingVault, database: Path) -> None:
    secret = vault.seal("h", "n", "v")
    found = vault._table.find(secret.key_id)
    assert found is not None
    vault.keyring.rotate()
    vault.rewrap()
    files = database.parent.glob(f"{database.name}*")
    assert not any(found.wrapped in file.read_bytes() for file in files)


def test_new_data_is_protected_under_a_new_key_after_a_rotation(vault: SealingVault) -> None:
    before = vault.protect("queue", b"data")
    vault.keyring.rotate()
    after = vault.protect("queue", b"data")
    assert before[:27] != after[:27]
    assert vault.reveal("queue", before) == vault.reveal("queue", after) == b"data"


def test_two_processes_protect_under_one_key(vault: SealingVault, reopened: Reopen) -> None:
    other = reopened()
    assert vault.protect("queue", b"1")[:27] == other.protect("queue", b"2")[:27]
    assert other.reveal("queue", vault.protect("queue", b"1")) == b"1"


def test_keys_in_use_current_or_unknown_cannot_be_retired(vault: SealingVault) -> None:
    vault.seal("h", "n", "v")
    old = vault.keyring.current
    with pytest.raises(Conflict):
        vault.retire(old.id)
    vault.keyring.rotate()
    with pytest.raises(Conflict, match="still wraps 1 keys"):
        vault.retire(old.id)
    vault.rewrap()
    vault.retire(old.id)
    with pytest.raises(NotFound):
        vault.retire(old.id)


def test_a_lost_key_file_is_noticed_at_the_start_and_not_made_anew(
    vault: SealingVault, reopened: Reopen, key_file: Path
) -> None:
    vault.seal("h", "n", "v")
    key_id = vault.keyring.current.id
    vault.close()
    key_file.unlink()
    with pytest.raises(Stalled, match=key_id):
        reopened()
    assert not key_file.exists()


def test_a_wrong_key_file_is_noticed_at_the_start(
    vault: SealingVault, reopened: Reopen, key_file: Path, clock: Clock
) -> None:
    secret = vault.seal("h", "n", "v")
    key_id = vault.keyring.current.id
    vault.close()
    right = key_file.read_text()
    wrong = KeyRing(key_file.with_name("other"), clock).path
    key_file.write_text(wrong.read_text())
    with pytest.raises(Stalled, match=f"{key_file} does not hold the master key {key_id}"):
        reopened()
    key_file.write_text(right)
    assert reopened().open("h", secret) == "v"


def test_processes_that_start_and_seal_at_once_agree(
    key_file: Path, database: Path, reopened: Reopen
) -> None:
    program = f"""
import datetime, pathlib, sys
from app.vault.sealing import open_vault
clock = lambda: datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
vault = open_vault(pathlib.Path({str(key_file)!r}), pathlib.Path({str(database)!r}), clock)
for turn in range(10):
    secret = vault.seal("h", "n", sys.argv[1])
    gone = vault.seal("h", "n", sys.argv[1])
    vault.destroy([gone.key_id])
    if turn == 5:
        vault.keyring.rotate()
        vault.rewrap()
    print(secret.key_id, secret.ciphertext)
vault.close()
"""
    children = [
        subprocess.Popen([sys.executable, "-c", program, str(n)], stdout=subprocess.PIPE, text=True)
        for n in range(3)
    ]
    outputs = [child.communicate(timeout=60)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0, 0]
    vault = reopened()
    assert len(vault.keyring.keys) == 4
    for number, output in enumerate(outputs):
        for line in output.splitlines():
            key_id, ciphertext = line.split()
            assert vault.open("h", SealedSecret("n", key_id, ciphertext)) == str(number)
    vault.rewrap()
    for key in vault.keyring.keys[:-1]:
        vault.retire(key.id)
    assert len(vault.keyring.keys) == 1
