"""The README's tour, run as it is written; a line ``#> text`` must occur in what was printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

README = Path(__file__).resolve().parents[2] / "README.md"


def tour() -> list[str]:
    text = README.read_text()
    section = text[text.index("## Five-minute tour") : text.index("## The house")]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def as_script(block: str) -> str:
    """Run a block, keep what each command prints, and print each expectation with values put in."""
    lines = []
    for line in block.splitlines():
        if line.startswith("export "):
            continue
        if line.startswith("#> "):
            escaped = line[3:].replace('"', '\\"')
            lines.append(f'echo "@expect {escaped}"')
        else:
            lines.append(line)
    return "\n".join(lines)


def test_the_tour_prints_what_the_readme_says(workspace: Any, server: Any) -> None:
    blocks = tour()
    assert len(blocks) >= 4
    script = "set -e\n" + "\n".join(as_script(block) for block in blocks)
    environment = {
        **workspace.env(),
        "HOOKLEDGER_URL": server.address,
        "HOOKLEDGER_TOKEN": server.token,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=workspace.repository,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    printed = done.stdout.splitlines()
    seen: list[str] = []
    expectations = 0
    for line in printed:
        if line.startswith("@expect "):
            expectations += 1
            wanted = line.removeprefix("@expect ")
            assert any(wanted in said for said in (*seen, *done.stderr.splitlines())), (
                f"not printed: {wanted}\n{done.stdout}\n{done.stderr}"
            )
        else:
            seen.append(line)
    assert done.returncode == 0, done.stdout + done.stderr
    assert expectations == sum(block.count("#> ") for block in blocks)
