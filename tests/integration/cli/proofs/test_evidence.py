"""Evidence that a stranger verifies without a server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.proofs.installation import EVENTS, run


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
    "a second content that nothing signed": (
        first_event(lambda event: event.update(state_base64="Zm9yZ2Vk")),
        "two contents",
    ),
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


@pytest.mark.parametrize("mistake", ["junk", "mistyped"])
def test_a_mistyped_key_is_wrong_usage_and_accuses_nobody(bundle: Path, mistake: str) -> None:
    name, _, data = run("keys", "checkpoint").stdout.strip().split("+", 2)
    key = "junk" if mistake == "junk" else f"{name}+00000000+{data}"

    for command in (("verify-bundle", bundle), ("verify",)):
        result = run("audit", *command, "--key", key)
        assert result.exit_code == 2, result.output
        assert "--key" in result.output
        assert mistake in result.output


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
