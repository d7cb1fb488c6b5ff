"""The guide for those who come from Auth0, run as it is written, on the sample export."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "migrating-from-auth0.md"
EXPORT = ROOT / "tests" / "data" / "auth0-export"
SERVING = "## 5."


def blocks(text: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def run(blocks: list[str], folder: Path, environment: dict[str, str]) -> None:
    """Run blocks in one shell; what ``#>`` says must have been printed before."""
    lines, here = ["set -e"], ""
    for line in "\n".join(blocks).splitlines():
        if here:
            lines.append(line)
            here = "" if line == here else here
        elif line.startswith("#> "):
            lines.append(f"echo '@expect {line[3:]}'")
        elif not line.startswith("export "):
            lines.append(line)
            here = match[1] if (match := re.search(r"<<'(\w+)'", line)) else ""
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
    )
    printed = f"{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, printed
    seen: list[str] = []
    for line in done.stdout.splitlines():
        said = " ".join(line.split())
        if line.startswith("@expect "):
            wanted = " ".join(line.removeprefix("@expect ").split())
            assert any(wanted in each for each in seen), f"not printed: {wanted}\n{printed}"
        else:
            seen.append(said)


@pytest.mark.timeout(240)
def test_the_guide_for_movers_prints_what_it_says(
    workspace: Any, start: Callable[..., Any]
) -> None:
    text = GUIDE.read_text()
    before, after = text.split(SERVING)
    assert len(blocks(before)) >= 5
    assert len(blocks(after)) >= 3
    shutil.copytree(EXPORT, workspace.root / "auth0-export")
    workspace.environment |= {
        "HOOKLEDGER_REPO": str(workspace.root / "moved"),
        "HOOKLEDGER_REPO_PATH": "",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    run(blocks(before), workspace.root, workspace.env())
    with start() as server:
        theirs = ("HOOKLEDGER_REPO", "HOOKLEDGER_DATA_DIR")
        reached = workspace.env() | {
            "HOOKLEDGER_URL": server.address,
            "HOOKLEDGER_TOKEN": server.token,
        }
        first, *others = blocks(after)
        run([first], workspace.root, reached)
        plain = {k: v for k, v in reached.items() if k not in (*theirs, "HOOKLEDGER_REPO_PATH")}
        run(others, workspace.root, plain)
    assert (workspace.root / "back" / "hooks" / "block-disposable-mail.json").is_file()
