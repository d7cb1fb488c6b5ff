"""What commands print can hold a hook's words; they must not steer the terminal that shows them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.cli import output
from app.cli.logs import print_line

HOSTILE = "a\x1b[2Jb\x9b2Jc\u202ed\x7fe"
HARMLESS = "a\ufffd[2Jb\ufffd2Jc\ufffdd\ufffde"


def test_text_is_printed_without_what_steers_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output.console.print(f"said {HOSTILE}", markup=False)
    output.print_table(("LINE",), [(HOSTILE,)], empty="None.")
    printed = capsys.readouterr().out
    assert printed.count(HARMLESS) == 2
    assert all(character.isprintable() or character == "\n" for character in printed)


def test_a_line_of_a_hook_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_line(
        {
            "at": "2026-11-23T10:00:00+00:00",
            "level": "info",
            "invocation_id": None,
            "text": f"one\n2026-11-23 forged\r{HOSTILE}",
        }
    )
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize("terminal", [True, False])
def test_json_is_exact_for_programs_and_harmless_for_people(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    output.print_json_line({"text": HOSTILE})
    printed = capsys.readouterr().out
    text: Any = orjson.loads(printed)["text"]
    assert (text == HOSTILE) is not terminal
    assert ("\x9b" in printed) is not terminal
