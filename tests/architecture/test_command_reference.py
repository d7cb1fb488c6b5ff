"""The reference of the command line is what the commands themselves say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def test_the_command_line_reference_is_what_the_commands_say(tmp_path: Path) -> None:
    """``make docs`` writes it."""
    generated = tmp_path / "cli-reference.md"
    subprocess.run(
        [
            *(Path(sys.executable).with_name("typer"), "app.cli.main", "utils", "docs"),
            *("--name", "hookledger", "--title", "Command line reference"),
            *("--output", generated),
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    said = generated.read_text().replace("\b\nExamples:\n", "**Examples**:\n\n")
    said = said.replace("\n  hookledger ", "\n    hookledger ")
    assert (DOCS / "cli-reference.md").read_text() == said
