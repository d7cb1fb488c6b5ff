"""Each command's help ends with examples, and each example is one the command takes."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from app.cli.examples import EXAMPLES
from app.cli.main import cli


def leaves(command: Any, path: str = "") -> dict[str, Any]:
    """Return every command that does something, by what is typed."""
    below = getattr(command, "commands", None)
    if below is None:
        return {path: command}
    found: dict[str, Any] = {}
    for name, each in below.items():
        found |= leaves(each, f"{path} {name}".strip())
    return found


COMMANDS = leaves(typer.main.get_command(cli))


def test_every_command_has_an_example() -> None:
    assert sorted(EXAMPLES) == sorted(COMMANDS)


@pytest.mark.parametrize("path", sorted(COMMANDS))
def test_an_example_is_what_the_command_takes(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("hooks_repo/hooks/pre-user-registration/block-disposable-mail", "auth0-export"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("evidence.json", "call.json"):
        (tmp_path / name).touch()
    for example in EXAMPLES[path]:
        assert example.startswith(path)
        words = shlex.split(example.partition(" < ")[0])[len(path.split()) :]
        COMMANDS[path].make_context(path, words)
    assert f"hookledger {EXAMPLES[path][0]}" in COMMANDS[path].epilog


@pytest.mark.parametrize(
    "group", ["", *sorted({path.split()[0] for path in COMMANDS if " " in path})]
)
def test_no_summary_in_a_list_of_commands_is_cut_off(group: str) -> None:
    shown = CliRunner().invoke(cli, [*group.split(), "--help"], terminal_width=80).output
    listed = shown.partition("Commands:")[2].splitlines()
    assert len(listed) > 1
    assert [line for line in listed if line.endswith("...")] == []
