"""How git is started: nothing inherited, nothing left to chance."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.domain.errors import Stalled
from app.gitops import environment
from app.gitops.environment import git_command


def test_git_starts_with_an_empty_environment_and_our_settings() -> None:
    command = git_command(Path("/m"), ["cat-file", "--batch"])
    assert command[0].endswith("/env")
    assert command[1] == "-i"
    assert command[-3].endswith("/git")
    assert command[-2:] == ["cat-file", "--batch"]
    variables = dict(part.split("=", 1) for part in command[2:-3])
    assert variables["GIT_DIR"] == "/m"
    assert variables["GIT_NO_REPLACE_OBJECTS"] == "1"
    count = int(variables["GIT_CONFIG_COUNT"])
    settings = {
        variables[f"GIT_CONFIG_KEY_{n}"]: variables[f"GIT_CONFIG_VALUE_{n}"] for n in range(count)
    }
    assert settings["core.fsmonitor"] == "false"
    assert settings["protocol.allow"] == "never"


def test_a_missing_git_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    environment.program.cache_clear()
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Stalled, match="not installed"):
        git_command(Path("/m"), [])
