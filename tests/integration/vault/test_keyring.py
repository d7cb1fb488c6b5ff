"""The master key file: who may read it, what it may hold, and how it changes."""

from __future__ import annotations

import os
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.domain.errors import Conflict, NotFound, Stalled
from app.vault.keyring import KeyRing

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def noon() -> datetime:
    return NOON


def test_the_first_run_makes_a_file_only_its_owner_can_read(key_file: Path) -> None:
    previous = os.umask(0)
    try:
        ring = KeyRing(key_file, noon)
    finally:
        os.umask(previous)
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(key_file.parent.stat().st_mode) & 0o077 == 0
    assert len(ring.keys) == 1
    assert ring.current.created_at == NOON
    assert list(key_file.parent.iterdir()) == [key_file]


def test_the_file_explains_itself_and_is_read_back(key_file: Path) -> None:
    made = KeyRing(key_file, noon)
    lines = key_file.read_text().splitlines()
    assert lines[0].startswith("# hookledger master keys")
    assert len([line for line in lines if not line.startswith("#")]) == 1
    assert KeyRing(key_file, noon).keys == made.keys


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o644, 0o601])
def test_a_file_open_to_others_is_refused(key_file: Path, ring: KeyRing, mode: int) -> None:
    key_file.chmod(mode)
    with pytest.raises(Stalled, match=rf"mode {mode:04o}.*chmod 600"):
        KeyRing(key_file, noon)


def test_a_file_that_only_its_owner_may_read_is_fine(key_file: Path, ring: KeyRing) -> None:
    key_file.chmod(0o400)
    assert KeyRing(key_file, noon).keys == ring.keys


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(key_file: Path, ring: KeyRing) -> None:
    os.chown(key_file, 12345, -1)
    with pytest.raises(Stalled, match="belongs to user 12345"):
        KeyRing(key_file, noon)


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Stalled, match=str(tmp_path)):
        KeyRing(tmp_path, noon)


def test_rotation_adds_a_key_and_makes_it_current(key_file: Path, ring: KeyRing) -> None:
    first = ring.current
    second = ring.rotate()
    assert ring.keys == (first, second)
    assert KeyRing(key_file, noon).current == second
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600


def test_a_rotation_elsewhere_is_noticed(key_file: Path, ring: KeyRing) -> None:
    second = KeyRing(key_file, noon).rotate()
    assert ring.current == second
    assert ring.key(second.id) == second


def test_concurrent_rotations_lose_no_key(key_file: Path, ring: KeyRing) -> None:
    rings = [KeyRing(key_file, noon) for _ in range(8)]
    threads = [threading.Thread(target=each.rotate) for each in rings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ring.keys) == 9


def test_concurrent_first_runs_agree_on_one_key(key_file: Path) -> None:
    rings: list[KeyRing] = []
    start = threading.Barrier(8)

    def first_run() -> None:
        start.wait()
        rings.append(KeyRing(key_file, noon))

    threads = [threading.Thread(target=first_run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({ring.current.id for ring in rings}) == 1
    assert len(rings) == 8


def test_a_file_left_by_a_crashed_writer_is_not_in_the_way(key_file: Path, ring: KeyRing) -> None:
    left = key_file.with_name(f".{key_file.name}.new")
    left.write_text("half a f")
    ring.rotate()
    assert not left.exists()
    assert len(KeyRing(key_file, noon).keys) == 2


def test_an_unknown_key_is_named_with_the_file(key_file: Path, ring: KeyRing) -> None:
    with pytest.raises(Stalled, match=f"{key_file} does not hold the master key mk-0000"):
        ring.key("mk-0000")


def test_the_current_key_and_unknown_keys_cannot_be_removed(ring: KeyRing) -> None:
    with pytest.raises(Conflict):
        ring.remove(ring.current.id)
    with pytest.raises(NotFound):
        ring.remove("mk-0000")
    old = ring.current
    ring.rotate()
    ring.remove(old.id)
    assert old not in ring.keys


def test_every_damaged_line_is_named_but_never_quoted(key_file: Path, ring: KeyRing) -> None:
    header = key_file.read_text().splitlines()[0]
    key_id, encoded, created = key_file.read_text().splitlines()[-1].split()
    other = KeyRing(key_file.with_name("other"), noon)
    _, foreign, _ = other.path.read_text().splitlines()[-1].split()
    key_file.write_text(
        "\n".join(
            [
                header,
                f"{key_id} {encoded}",
                f"{key_id} {encoded[:-4]} {created}",
                f"{key_id} {foreign} {created}",
                f"{key_id} {encoded} yesterday",
                f"{key_id} {encoded} 2026-01-01T00:00:00",
                f"{key_id} ?{encoded[1:]} {created}",
                f"{key_id} {encoded} {created}",
                f"{key_id} {encoded} {created}",
            ]
        )
    )
    with pytest.raises(Stalled) as caught:
        KeyRing(key_file, noon)
    assert [problem.line for problem in caught.value.problems] == [2, 3, 4, 5, 6, 7, 9]
    assert {problem.file for problem in caught.value.problems} == {str(key_file)}
    assert encoded[2:10] not in str(caught.value)
    assert foreign[2:10] not in str(caught.value)


@pytest.mark.parametrize("content", ["", "# hookledger master keys, format 2\n", "PEM\n"])
def test_an_unknown_format_is_refused_at_line_one(
    key_file: Path, ring: KeyRing, content: str
) -> None:
    key_file.write_text(content)
    with pytest.raises(Stalled) as caught:
        KeyRing(key_file, noon)
    assert caught.value.problems[0].line == 1


def test_keys_do_not_show_themselves(ring: KeyRing) -> None:
    assert repr(ring.current.material) not in repr(ring.keys)
    assert "material" not in repr(ring.current)


def test_loaded_keys_serve_on_when_the_file_vanishes(key_file: Path, ring: KeyRing) -> None:
    current = ring.current
    key_file.unlink()
    assert ring.current == current
    assert ring.key(current.id) == current
