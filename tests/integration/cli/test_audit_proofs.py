"""Somebody changes the database behind the server's back, and `audit verify` says where."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.bootstrap.storage import open_storage, rebuild_projections
from app.bootstrap.transparency import open_prover
from app.cli.main import cli
from app.domain.errors import Stalled
from tests.benchmarks.event_log import generate

EVENTS = 900
SIGNED = 700
"""Events that the first checkpoint covers; a second one covers all."""


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


def use(patched: pytest.MonkeyPatch, folder: Path) -> None:
    patched.setenv("HOOKLEDGER_DATA_DIR", str(folder))
    patched.setenv("COLUMNS", "300")


def sign() -> str:
    with open_storage() as storage, open_prover(storage) as prover:
        return prover.checkpoint().signed.note


def tamper(folder: Path, *statements: str) -> None:
    """Do what somebody with write access to the file can do: drop the triggers first."""
    with contextlib.closing(sqlite3.connect(folder / "hookledger.db")) as connection, connection:
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'stored_events'"
        ).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.commit()
        for statement in statements:
            connection.executescript(statement)


def rebuild() -> None:
    with open_storage() as storage:
        rebuild_projections(storage, lambda _: None)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(each) for each in arguments])


def verified(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    result = run("audit", "verify", "--json", *arguments)
    return result.exit_code, json.loads(result.stdout)


def test_a_history_that_nobody_touched_is_intact(var: Path) -> None:
    before = (var / "hookledger.db").read_bytes()

    code, found = verified()

    assert (code, found["verdict"], found["events"]) == (0, "intact", EVENTS)
    assert found["checkpoints"] == {"agreeing": 2, "contradicting": [], "refused": []}
    assert (found["warnings"], found["messages"]) == ([], [])
    assert (var / "hookledger.db").read_bytes() == before


def test_it_is_verified_while_a_server_has_it_open_and_writes(var: Path) -> None:
    with open_storage() as storage:
        assert run("clients", "create", "one more", "--scope", "read:audit").exit_code == 0
        head = storage.ledger.head()
        code, found = verified()
    assert head > EVENTS
    assert (code, found["events"]) == (0, head)


SWAP = """
UPDATE stored_events SET rowid = -1 WHERE rowid = 301;
UPDATE stored_events SET rowid = 301 WHERE rowid = 305;
UPDATE stored_events SET rowid = 305 WHERE rowid = -1"""
INSERT = """
UPDATE stored_events SET rowid = -rowid - 1 WHERE rowid >= 400;
UPDATE stored_events SET rowid = -rowid WHERE rowid < 0;
INSERT INTO stored_events VALUES (400, 'client:EVIL', 1, 'client.created', x'7b7d')"""
ATTACKS = {
    "an actor changed": (
        (
            "UPDATE stored_events SET state = CAST(replace(CAST(state AS TEXT), 'actor', 'actos') AS BLOB)"
            " WHERE rowid = 123"
        ),
        123,
        "is not the one that was recorded",
    ),
    "a topic changed": (
        "UPDATE stored_events SET topic = 'hook.moved' WHERE rowid = 1",
        1,
        "is not the one that was recorded",
    ),
    "one removed": ("DELETE FROM stored_events WHERE rowid = 256", 256, "Event 256 is missing"),
    "one removed and the gap closed": (
        (
            "DELETE FROM stored_events WHERE rowid = 257;"
            "UPDATE stored_events SET rowid = rowid - 1 WHERE rowid > 257"
        ),
        257,
        "is not the one that was recorded",
    ),
    "one put in": (INSERT, 400, "is not the one that was recorded"),
    "two swapped": (SWAP, 301, "is not the one that was recorded"),
    "the end cut off": (
        "DELETE FROM stored_events WHERE rowid > 690",
        691,
        "Event 691 is missing, and everything after it",
    ),
    "everything removed": ("DELETE FROM stored_events", 1, "Event 1 is missing"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_first_event_that_was_touched_is_named(var: Path, attack: str) -> None:
    statements, position, sentence = ATTACKS[attack]
    tamper(var, statements)

    code, found = verified()

    assert (code, found["verdict"], found["first_bad_position"]) == (3, "altered", position)
    assert sentence in found["messages"][0]
    assert "somebody dropped it" in found["warnings"][0]
    printed = run("audit", "verify")
    assert (printed.exit_code, sentence in printed.output) == (3, True)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_tree_made_anew_after_the_change_is_contradicted_by_checkpoints(
    var: Path, attack: str
) -> None:
    statements, position, _ = ATTACKS[attack]
    tamper(var, statements)
    (var / "checkpoints").unlink()
    with contextlib.closing(sqlite3.connect(var / "hookledger.db")) as connection, connection:
        for (table,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'transparency%'"
        ).fetchall():
            connection.execute(f"DROP TABLE {table}")
        connection.execute("DELETE FROM projection_positions WHERE name LIKE 'transparency%'")
    with open_storage():
        pass

    code, found = verified()

    assert (code, found["verdict"], found["first_bad_position"]) == (3, "altered", None)
    first = found["checkpoints"]["contradicting"][0]["note"].splitlines()[1]
    assert first == str(SIGNED if position <= SIGNED else EVENTS)
    assert f"The checkpoint of {SIGNED} events (stored, key" in found["messages"][0]
    if attack not in ("the end cut off", "everything removed"):
        assert f"among number 1 to {SIGNED} was changed" in found["messages"][0]
        assert "made anew after the change" in found["messages"][1]
    else:
        assert "were removed" in found["messages"][0]


def test_a_change_between_two_checkpoints_is_narrowed_down_by_them(var: Path) -> None:
    tamper(var, "UPDATE stored_events SET topic = 'x' WHERE rowid = 800")
    rebuild_or_not = verified()
    assert rebuild_or_not[1]["first_bad_position"] == 800
    messages = rebuild_or_not[1]["messages"]
    assert f"among number {SIGNED + 1} to {EVENTS} was changed" in messages[1]


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


def test_a_damaged_tree_is_told_from_changed_events(var: Path) -> None:
    with contextlib.closing(sqlite3.connect(var / "hookledger.db")) as connection, connection:
        connection.execute(
            "UPDATE transparency_v1_g1_tiles SET hashes = zeroblob(length(hashes))"
            " WHERE level = 0 AND number = 1"
        )
    code, found = verified()
    assert (code, found["verdict"]) == (4, "damaged")
    assert "Run `hookledger rebuild`" in found["messages"][0]

    rebuild()
    assert verified()[0] == 0


def test_a_damaged_tree_above_the_leaves_is_noticed_too(var: Path) -> None:
    with contextlib.closing(sqlite3.connect(var / "hookledger.db")) as connection, connection:
        connection.execute(
            "UPDATE transparency_v1_g1_tiles SET hashes = zeroblob(length(hashes)) WHERE level = 1"
        )
    code, found = verified()
    assert (code, found["verdict"]) == (4, "damaged")


def test_tables_that_were_changed_are_damage_though_the_events_are_intact(var: Path) -> None:
    tables = "SELECT name FROM sqlite_master WHERE name LIKE 'audit_log%_events'"
    with contextlib.closing(sqlite3.connect(var / "hookledger.db")) as connection:
        ((table,),) = connection.execute(tables).fetchall()
    tamper(var, f"UPDATE {table} SET actor = 'nobody' WHERE position = 123")

    code, found = verified("--tables")
    assert (code, found["verdict"], found["first_bad_position"]) == (4, "damaged", None)
    assert "event 123 differs (actor)" in found["messages"][0]
    assert "Run `hookledger rebuild`." in found["messages"][1]
    assert verified()[0] == 0

    rebuild()
    assert verified("--tables")[0] == 0


def test_nothing_is_signed_for_a_history_that_was_changed(var: Path) -> None:
    tamper(var, "UPDATE stored_events SET topic = 'hook.moved' WHERE rowid = 40")
    with contextlib.suppress(Exception):
        rebuild()
    with contextlib.closing(sqlite3.connect(var / "hookledger.db")) as connection, connection:
        connection.execute("UPDATE transparency_v1_g1_tiles SET hashes = zeroblob(length(hashes))")

    with pytest.raises(Exception, match="contradicts the checkpoint of 900 events"):
        sign()


def test_a_database_without_checkpoints_is_verified_with_a_warning(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in var.glob("checkpoints*"):
        file.unlink()
    code, found = verified()
    assert (code, found["verdict"]) == (0, "intact")
    assert "No checkpoint was found" in found["warnings"][0]


def test_keys_are_rotated_and_old_checkpoints_still_verify(var: Path) -> None:
    before = run("keys", "checkpoint").stdout.split()
    new = run("keys", "rotate-checkpoint").stdout.strip()
    note = sign()

    assert run("keys", "checkpoint").stdout.split() == [new, *before]
    assert new.split("+")[0] in note
    code, found = verified()
    assert (code, found["checkpoints"]["agreeing"]) == (0, 3)
    code, found = verified("--key", new)
    (refused,) = found["checkpoints"]["refused"]
    assert code == 3
    assert refused.endswith("(2 of them)")


@pytest.fixture
def bundle(var: Path, tmp_path: Path) -> Path:
    path = tmp_path / "evidence.ndjson"
    result = run("audit", "export", "--proof", "--type", "hook", path)
    assert result.exit_code == 0, result.output
    return path


def lines_of(bundle: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in bundle.read_text().splitlines()]


def test_a_stranger_verifies_evidence_with_the_key_alone(
    bundle: Path, var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = run("keys", "checkpoint").stdout.strip()
    shutil.rmtree(var)

    result = run("audit", "verify-bundle", bundle, "--key", key)

    head, *events, end = lines_of(bundle)
    assert result.exit_code == 0, result.output
    assert f"{len(events)} events" in result.output
    assert end == {"events": len(events)}
    assert head["query"] == {"type": "hook"}
    assert {event["topic"].partition(".")[0] for event in events} == {"hook"}
    assert not var.exists()


def test_what_a_bundle_says_of_its_own_key_is_not_taken_for_granted(bundle: Path) -> None:
    result = run("audit", "verify-bundle", bundle)
    assert result.exit_code == 0
    assert "Compare it with one that you got elsewhere" in result.output


def test_ciphertexts_stay_at_home_unless_asked_for(bundle: Path, tmp_path: Path) -> None:
    withheld = [event for event in lines_of(bundle) if event.get("topic") == "hook.secret_set"]
    assert withheld
    assert all(event["state"] is None for event in withheld)
    assert '"ciphertext"' not in bundle.read_text()

    whole = tmp_path / "whole.ndjson"
    assert run("audit", "export", "--proof", "--sensitive", whole).exit_code == 0
    assert '\\"ciphertext\\"' in whole.read_text()
    assert len(lines_of(whole)) == EVENTS + 2
    assert run("audit", "verify-bundle", whole).exit_code == 0


def first_event(change: Callable[[dict[str, Any]], Any]) -> Callable[[list[str]], list[str]]:
    def alter(lines: list[str]) -> list[str]:
        number = next(n for n, line in enumerate(lines) if '"hook.script_changed"' in line)
        event = json.loads(lines[number])
        change(event)
        return [*lines[:number], json.dumps(event), *lines[number + 1 :]]

    return alter


FORGERIES: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "content": (
        first_event(lambda event: event.update(state=event["state"].replace("domain", "domein"))),
        "the content of event",
    ),
    "position": (first_event(lambda event: event.update(position=event["position"] - 1)), "event"),
    "stream": (first_event(lambda event: event.update(stream="hook:other")), "was altered"),
    "version": (first_event(lambda event: event.update(version=99)), "was altered"),
    "topic": (first_event(lambda event: event.update(topic="hook.moved")), "was altered"),
    "index": (first_event(lambda event: event.update(index=1)), "was altered"),
    "a hash cut off": (first_event(lambda event: event["proof"].pop()), "was altered"),
    "no hash": (first_event(lambda event: event.update(proof=["x"])), "base64 of 32 bytes"),
    "no number": (first_event(lambda event: event.update(position="7")), "Line"),
    "an unknown member": (first_event(lambda event: event.update(more=1)), "Line"),
    "a line removed": (lambda lines: [*lines[:5], *lines[6:]], "was made with"),
    "a line doubled": (lambda lines: [*lines[:5], lines[4], *lines[5:]], "or there twice"),
    "cut off": (lambda lines: lines[:-1], "is cut off"),
    "more after the end": (lambda lines: [*lines, lines[3]], "nothing may follow"),
    "another root": (
        lambda lines: [lines[0].replace(f"\\n{EVENTS}\\n", f"\\n{EVENTS - 1}\\n"), *lines[1:]],
        "signature",
    ),
    "empty": (lambda lines: [], "Line 1"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_evidence_that_was_altered_is_refused_with_the_line(bundle: Path, forgery: str) -> None:
    alter, sentence = FORGERIES[forgery]
    bundle.write_text("".join(f"{line}\n" for line in alter(bundle.read_text().splitlines())))

    result = run("audit", "verify-bundle", bundle)

    assert result.exit_code == 3
    assert sentence in result.output


def test_evidence_signed_by_somebody_else_is_refused(bundle: Path, var: Path) -> None:
    other = run("keys", "rotate-checkpoint").stdout.strip()

    result = run("audit", "verify-bundle", bundle, "--key", other)

    assert result.exit_code == 3
    assert "No known key signed" in result.output


def test_an_export_never_overwrites(bundle: Path) -> None:
    before = bundle.read_bytes()
    result = run("audit", "export", "--proof", bundle)
    assert result.exit_code == 1
    assert bundle.read_bytes() == before


def test_an_export_is_not_in_the_way_of_another(bundle: Path) -> None:
    """One that was killed, or goes on, has a file of its own."""
    other = bundle.with_name("other.partial")
    other.write_text("of somebody else")
    assert run("audit", "export", "--proof", bundle.with_name("other")).exit_code == 0
    assert other.read_text() == "of somebody else"
    assert bundle.with_name("other").stat().st_mode & 0o777 == 0o600
    result = run("audit", "export", "--proof", bundle / "nowhere" / "file")
    assert (
        str(result.exception)
        == f"{bundle / 'nowhere' / 'file'} cannot be written: Not a directory."
    )
