"""What a log says can hold a hook's words; they must not steer the terminal that shows them."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from app.telemetry import set_up_logging

HOSTILE = "a\x1b[2Jb\rc\x9b2Jd\u202ee\x07f\x7fg"


@pytest.fixture(autouse=True)
def former_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def test_control_characters_are_shown_as_one_that_does_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logging("info", "console")
    logging.getLogger("hookledger.test").warning("said %s", HOSTILE, extra={"more": HOSTILE})
    (line,) = capsys.readouterr().err.splitlines()
    assert "said a\ufffd[2Jb\ufffdc\ufffd2Jd\ufffde\ufffdf\ufffdg" in line
    assert line.isprintable()


def test_a_line_break_begins_no_line_that_looks_like_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logging("info", "console")
    logging.getLogger("hookledger.test").warning("one\n2026-11-23 [info] forged")
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("one")
    assert second.startswith("    2026-11-23 [info] forged")


def test_a_stack_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "console")
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("hookledger.test").exception("failed")
    assert "ValueError: broken\n" in capsys.readouterr().err
