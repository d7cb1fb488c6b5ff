"""A command waits for nothing that it does not use."""

from __future__ import annotations

import subprocess
import sys

import pytest

_HELP = "from typer.testing import CliRunner; from app.cli.main import cli; "


def loaded(module: str, before: str = "") -> set[str]:
    """Import a module in a fresh interpreter; return the names of all that came with it."""
    show = f"import sys, {module}; {before}print(*sorted(sys.modules), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", show],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.split())


def test_the_command_itself_loads_no_server() -> None:
    found = loaded("app.cli.main")
    assert "app.cli.on_demand" in found
    for absent in (
        "app.bootstrap",
        "app.web.protocol.endpoints",
        "app.gitops",
        "app.vault",
        "projections",
    ):
        assert absent not in found


def test_the_list_of_commands_is_shown_without_loading_them() -> None:
    found = loaded("app.cli.main", _HELP + "assert 'doctor' in CliRunner().invoke(cli).output; ")
    assert not [module for module in found if module.startswith("app.bootstrap")]


@pytest.mark.parametrize("command", ["hooks", "audit", "secrets", "logs", "invocations"])
def test_what_reads_the_tables_loads_no_git_no_runtime_and_no_tokens(command: str) -> None:
    found = loaded(f"app.cli.{command}")
    assert "app.bootstrap.storage" in found
    for absent in ("git", "joserfc", "app.runtime.runner", "app.web.routes", "app.web.dashboard"):
        assert absent not in found
