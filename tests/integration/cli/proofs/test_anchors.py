"""Copies of checkpoints elsewhere contradict whoever rewrites the book of them too."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from app.bootstrap.storage import open_storage
from app.bootstrap.transparency import open_prover
from app.domain.errors import Stalled
from tests.integration.cli.proofs.installation import (
    EVENTS,
    SIGNED,
    rebuild,
    run,
    sign,
    tamper,
    verified,
)


def test_whoever_rewrites_the_book_too_is_contradicted_by_what_was_copied_elsewhere(
    var: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "copied"
    shutil.copy(var / "checkpoints", elsewhere)
    key = run("keys", "checkpoint").stdout.strip()
    tamper(var, "UPDATE stored_events SET topic = 'client.revoked' WHERE rowid = 500")
    for file in [*var.glob("checkpoints*"), *var.glob("hookledger.db-*")]:
        file.unlink()
    with contextlib.closing(sqlite3.connect(var / "hookledger.db")) as connection, connection:
        connection.execute("DROP TABLE projection_positions")
        for (table,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'transparency%'"
        ).fetchall():
            connection.execute(f"DROP TABLE {table}")
    with contextlib.suppress(Exception):
        sign()

    code, found = verified("--checkpoint", elsewhere, "--key", key)

    assert code == 3
    wheres = {each["where"] for each in found["checkpoints"]["contradicting"]}
    assert wheres == {str(elsewhere)}


def test_a_checkpoint_in_the_followed_repository_contradicts_too(
    var: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path / "repo"], check=True)
    monkeypatch.setenv("HOOKLEDGER_REPO", str(tmp_path / "repo"))
    monkeypatch.setenv("HOOKLEDGER_ANCHOR_REF", "refs/hookledger/checkpoints")
    assert run("clients", "create", "one more", "--scope", "read:audit").exit_code == 0
    sign()
    key = run("keys", "checkpoint").stdout.strip()
    for file in var.glob("checkpoints*"):
        file.unlink()
    code, found = verified("--key", key)
    assert (code, found["checkpoints"]["agreeing"]) == (0, 1)

    tamper(var, "UPDATE stored_events SET topic = 'x' WHERE rowid = 30")

    code, found = verified("--key", key)
    assert (code, found["first_bad_position"]) == (3, 30)
    (contradicting,) = found["checkpoints"]["contradicting"]
    assert contradicting["where"] == "refs/hookledger/checkpoints"


def test_checkpoints_are_pushed_to_a_repository_elsewhere_and_compared(
    var: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = tmp_path / "repo"
    subprocess.run(["git", "init", "--quiet", "--bare", repo], check=True)
    remote = (
        f'repo = "file://{repo}"\nbranch = "main"\nanchor_ref = "refs/hookledger/checkpoints"\n'
    )
    remote += '[remote]\nprotocols = ["file"]\npush = '
    (tmp_path / "settings.toml").write_text(f"{remote}false\n")
    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(tmp_path / "settings.toml"))
    with pytest.raises(Stalled, match=r"`remote.push = true`"):
        sign()
    (tmp_path / "settings.toml").write_text(f"{remote}true\n")
    assert run("clients", "create", "one more", "--scope", "read:audit").exit_code == 0
    sign()
    key = run("keys", "checkpoint").stdout.strip()
    for file in var.glob("checkpoints*"):
        file.unlink()

    code, found = verified("--key", key)
    assert (code, found["checkpoints"]["agreeing"], found["warnings"]) == (0, 1, [])

    tamper(var, "UPDATE stored_events SET topic = 'x' WHERE rowid = 30")
    code, found = verified("--key", key)
    (contradicting,) = found["checkpoints"]["contradicting"]
    assert contradicting["where"] == f"refs/hookledger/checkpoints of file://{repo}"

    repo.rename(tmp_path / "moved")
    assert "were not compared: " in verified()[1]["warnings"][-1]


@pytest.mark.parametrize("left", ["", "the first"])
def test_an_anchor_that_was_cut_short_is_warned_of(var: Path, left: str) -> None:
    """Whoever removes events together with the checkpoints that held them leaves a trace."""
    first = "".join((var / "checkpoints").read_text().splitlines(keepends=True)[:5])
    (var / "checkpoints").write_text(first if left else "")
    code, found = verified()
    assert code == 0
    (warning,) = found["warnings"]
    there = f"ends with the one of {SIGNED} events" if left else "holds none"
    assert f"{var}/checkpoints {there}, and there is one of {EVENTS}" in warning


def test_a_server_set_back_with_its_book_is_told_of_it_by_copies_elsewhere(var: Path) -> None:
    with open_storage() as storage, open_prover(storage) as prover:
        assert prover.anchoring_problem is None
    tamper(var, f"DELETE FROM stored_events WHERE rowid > {SIGNED}")
    with contextlib.closing(sqlite3.connect(var / "checkpoints.db")) as book, book:
        book.execute(f"DELETE FROM checkpoints WHERE size > {SIGNED}")
    rebuild()

    with open_storage() as storage, open_prover(storage) as prover:
        problem = str(prover.anchoring_problem)
    assert f"A checkpoint of {EVENTS} events is at {var}/checkpoints" in problem
    assert f"the store holds {SIGNED}: events were removed" in problem
    assert verified()[0] == 3


def test_checkpoints_of_another_log_at_the_same_anchor_are_not_ours(
    var: Path, tmp_path: Path
) -> None:
    """As where two servers follow one repository."""
    ours = (var / "checkpoints").read_text()
    origin = ours.partition("\n")[0]
    theirs = ours.replace(origin, "example.com/staging")
    (var / "checkpoints").write_text(theirs + ours)

    code, found = verified()
    assert (code, found["checkpoints"]["agreeing"]) == (0, 2)
    (warning,) = found["warnings"]
    assert "checkpoints of the log `example.com/staging` were not compared (2 of them)" in warning

    (tmp_path / "given").write_text(theirs)
    code, found = verified("--checkpoint", tmp_path / "given")
    assert (code, len(found["checkpoints"]["refused"])) == (3, 1)


def test_a_file_without_checkpoints_is_no_evidence(var: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    result = run("audit", "verify", "--checkpoint", tmp_path / "empty")
    assert result.exit_code == 1
    assert "holds no checkpoint" in str(result.exception)


def test_a_forged_checkpoint_is_refused(var: Path, tmp_path: Path) -> None:
    note = (var / "checkpoints").read_text().split("\n\n\u2014")[0]
    forged = (var / "checkpoints").read_text().replace(f"\n{SIGNED}\n", f"\n{SIGNED - 1}\n")
    assert note != forged
    (tmp_path / "forged").write_text(forged)

    code, found = verified("--checkpoint", tmp_path / "forged")

    assert (code, found["verdict"]) == (3, "altered")
    assert "signature" in found["checkpoints"]["refused"][0]
    assert str(tmp_path / "forged") in found["checkpoints"]["refused"][0]
