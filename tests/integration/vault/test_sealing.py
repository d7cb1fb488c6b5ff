"""Secrets: sealed to one place, unreadable elsewhere, gone when destroyed."""

from __future__ import annotations

import base64
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.application.ports import Vault
from app.domain.errors import NotFound, Rejected, Stalled
from app.domain.hooks.secrets import SealedSecret
from app.vault.sealing import SealingVault

Reopen = Callable[[], SealingVault]
with_one_vault = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)


def wrapped_keys(database: Path) -> dict[str, bytes]:
    connection = sqlite3.connect(database)
    try:
        return dict(connection.execute("SELECT key_id, wrapped FROM wrapped_keys").fetchall())
    finally:
        connection.close()


def bytes_on_disk(database: Path) -> bytes:
    files = sorted(database.parent.glob(f"{database.name}*"))
    return b"".join(file.read_bytes() for file in files)


def test_it_is_a_vault(vault: SealingVault) -> None:
    port: Vault = vault
    assert port.open("h", port.seal("h", "n", "v")) == "v"


@with_one_vault
@given(hook=st.text(), name=st.text(), value=st.text())
def test_what_was_sealed_is_opened(vault: SealingVault, hook: str, name: str, value: str) -> None:
    assert vault.open(hook, vault.seal(hook, name, value)) == value


@with_one_vault
@given(
    sealed_for=st.tuples(st.text(max_size=3), st.text(max_size=3)),
    opened_for=st.tuples(st.text(max_size=3), st.text(max_size=3)),
)
def test_a_secret_opens_nowhere_else(
    vault: SealingVault, sealed_for: tuple[str, str], opened_for: tuple[str, str]
) -> None:
    secret = replace(vault.seal(*sealed_for, "v"), name=opened_for[1])
    if sealed_for == opened_for:
        assert vault.open(opened_for[0], secret) == "v"
    else:
        with pytest.raises(Rejected):
            vault.open(opened_for[0], secret)


def test_a_ciphertext_moved_to_another_key_is_refused(vault: SealingVault) -> None:
    one, other = vault.seal("h", "n", "one"), vault.seal("h", "n", "other")
    with pytest.raises(Rejected):
        vault.open("h", replace(one, key_id=other.key_id))


def test_a_wrapped_key_moved_to_another_row_does_not_open(
    vault: SealingVault, database: Path
) -> None:
    one, other = vault.seal("h", "n", "one"), vault.seal("h", "n", "other")
    overwrite_wrapped(database, one.key_id, wrapped_keys(database)[other.key_id])
    with pytest.raises(Stalled, match=one.key_id):
        vault.open("h", one)


def overwrite_wrapped(database: Path, key_id: str, wrapped: bytes) -> None:
    connection = sqlite3.connect(database)
    connection.execute("UPDATE wrapped_keys SET wrapped = ? WHERE key_id = ?", (wrapped, key_id))
    connection.commit()
    connection.close()


@pytest.mark.parametrize("position", [0, 5, 13, -1])
def test_tampered_bytes_are_refused(vault: SealingVault, position: int) -> None:
    secret = vault.seal("h", "n", "a value")
    sealed = bytearray(base64.b64decode(secret.ciphertext))
    sealed[position] ^= 1
    with pytest.raises(Rejected):
        vault.open("h", replace(secret, ciphertext=base64.b64encode(sealed).decode()))


@pytest.mark.parametrize("ciphertext", ["", "AAAA", "not base64", "é"])
def test_a_ciphertext_that_is_none_is_refused(vault: SealingVault, ciphertext: str) -> None:
    with pytest.raises(Rejected):
        vault.open("h", replace(vault.seal("h", "n", "v"), ciphertext=ciphertext))


def test_two_seals_of_one_value_have_nothing_in_common(vault: SealingVault) -> None:
    one, other = vault.seal("h", "n", "v"), vault.seal("h", "n", "v")
    assert one.key_id != other.key_id
    assert one.ciphertext != other.ciphertext


def test_errors_and_files_never_show_a_value(vault: SealingVault, database: Path) -> None:
    value = "correct horse battery staple"
    secret = vault.seal("h", "n", value)
    with pytest.raises(Rejected) as moved:
        vault.open("other", secret)
    with pytest.raises(Rejected) as broken:
        vault.seal("h", "n", value + "\ud800")
    for caught in (moved, broken):
        assert value not in repr(caught.value) + str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert value.encode() not in bytes_on_disk(database)
    assert value not in repr(secret)


def test_a_secret_survives_a_restart(vault: SealingVault, reopened: Reopen) -> None:
    secret = vault.seal("h", "n", "v")
    vault.close()
    assert reopened().open("h", secret) == "v"


def test_a_sealed_value_survives_kill_9(key_file: Path, database: Path, reopened: Reopen) -> None:
    program = f"""
import datetime, os, pathlib, signal
from app.vault.sealing import open_vault
def clock(): return datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
vault = open_vault(pathlib.Path({str(key_file)!r}), pathlib.Path({str(database)!r}), clock)
secret = vault.seal("h", "n", "a value")
print(secret.key_id, secret.ciphertext, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    child = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, timeout=60
    )
    assert child.returncode == -9
    assert reopened().open("h", SealedSecret("n", *child.stdout.split())) == "a value"


def test_every_key_is_flushed_to_the_disk_and_overwritten_when_deleted(vault: SealingVault) -> None:
    connection = vault._table._connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA secure_delete").fetchone() == (1,)


def test_a_destroyed_secret_is_not_found_and_the_rest_is(vault: SealingVault) -> None:
    gone, kept = vault.seal("h", "gone", "1"), vault.seal("h", "kept", "2")
    vault.destroy([gone.key_id, "unknown"])
    with pytest.raises(NotFound, match=gone.key_id):
        vault.open("h", gone)
    assert vault.open("h", kept) == "2"


def test_destroyed_keys_are_in_no_file(vault: SealingVault, database: Path) -> None:
    random_source = random.Random(1)
    live: list[SealedSecret] = []
    for round_ in range(12):
        live += [vault.seal("h", f"n{round_}-{i}", "v") for i in range(30)]
        before = wrapped_keys(database)
        random_source.shuffle(live)
        gone, live = live[:25], live[25:]
        on_disk = bytes_on_disk(database)
        assert all(before[secret.key_id] in on_disk for secret in gone)
        vault.destroy([secret.key_id for secret in gone])
        on_disk = bytes_on_disk(database)
        assert not any(before[secret.key_id] in on_disk for secret in gone)
        # Neither any part of one: each is 60 bytes, 32 of them the key.
        assert not any(before[secret.key_id][14:30] in on_disk for secret in gone)
        assert all(before[secret.key_id] in on_disk for secret in live)


def test_a_reader_in_another_process_only_delays_the_shredding(
    vault: SealingVault, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, marker = vault.seal("h", "n", "v"), vault.seal("h", "m", "v")
    wrapped = wrapped_keys(database)[secret.key_id]
    vault._table._connection.execute("PRAGMA busy_timeout = 10")
    reader = sqlite3.connect(database, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM wrapped_keys").fetchone()
    vault.destroy([secret.key_id])
    with pytest.raises(NotFound):
        vault.open("h", secret)
    reader.execute("COMMIT")
    reader.close()
    vault.destroy([])
    assert wrapped not in bytes_on_disk(database)
    assert vault.open("h", marker) == "v"


def test_the_sweep_destroys_only_old_keys_nobody_mentions(vault: SealingVault, clock: Any) -> None:
    known, orphan = vault.seal("h", "known", "1"), vault.seal("h", "orphan", "2")
    protected = vault.protect("queue", b"data")
    clock.advance(timedelta(hours=2))
    fresh = vault.seal("h", "fresh", "3")
    assert vault.sweep({known.key_id}, timedelta(hours=1)) == 1
    assert vault.open("h", known) == "1"
    assert vault.open("h", fresh) == "3"
    assert vault.reveal("queue", protected) == b"data"
    with pytest.raises(NotFound):
        vault.open("h", orphan)
    assert vault.sweep({known.key_id}, timedelta(hours=1)) == 0


def test_many_threads_share_one_vault(vault: SealingVault) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(15):
                hook, value = f"h{number}", f"{number}-{turn}"
                secret = vault.seal(hook, "n", value)
                assert vault.open(hook, secret) == value
                assert vault.reveal("p", vault.protect("p", value.encode())) == value.encode()
                vault.destroy([secret.key_id])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@with_one_vault
@given(purpose=st.text(max_size=20), data=st.binary(max_size=5000))
def test_what_was_protected_is_revealed(vault: SealingVault, purpose: str, data: bytes) -> None:
    assert vault.reveal(purpose, vault.protect(purpose, data)) == data


def test_protected_data_opens_for_its_purpose_only(vault: SealingVault) -> None:
    with pytest.raises(Rejected, match="audit"):
        vault.reveal("audit", vault.protect("queue", b"data"))


@with_one_vault
@given(st.data())
def test_altered_protected_data_is_refused(vault: SealingVault, data: st.DataObject) -> None:
    protected = bytearray(vault.protect("queue", b"payload"))
    bit = data.draw(st.integers(0, 8 * len(protected) - 1))
    protected[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Rejected):
        vault.reveal("queue", bytes(protected))


@pytest.mark.parametrize("rubbish", [b"", b"\x01", b"\x01" * 27, b"\xff" * 100])
def test_rubbish_is_refused(vault: SealingVault, rubbish: bytes) -> None:
    with pytest.raises(Rejected):
        vault.reveal("queue", rubbish)


def test_the_database_is_closed_to_others(vault: SealingVault, database: Path) -> None:
    vault.seal("h", "n", "v")
    files = list(database.parent.glob(f"{database.name}*"))
    assert len(files) == 3
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)


def test_a_database_of_a_newer_server_is_refused(database: Path, reopened: Reopen) -> None:
    reopened().close()
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(Stalled, match="format 99"):
        reopened()


def test_a_file_that_is_no_database_is_refused(database: Path, reopened: Reopen) -> None:
    database.write_bytes(b"not a database, but long enough to be taken for one" * 50)
    with pytest.raises(Stalled, match=str(database)):
        reopened()
