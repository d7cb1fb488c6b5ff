"""What has to be known of an installed Node.js to run it where nothing else can be seen."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from app.domain.errors import Stalled
from app.runtime.inside.node_program import NodeProgram
from app.runtime.inside.plans import LIBRARIES
from app.runtime.node_binary import MAJOR_VERSIONS, SUPPORTED, find_node

INSTALL = f"Install Node.js {SUPPORTED}, where every user may execute it."

_PATIENCE = 20.0

# Its own report lists what it loaded, which is exact where reading its headers would be a guess.
_QUESTION = """
process.report.excludeNetwork = true;
const { sharedObjects } = process.report.getReport();
console.log(JSON.stringify({ version: process.versions.node, sharedObjects }));
"""


def find_program(binary: Path | None = None) -> NodeProgram | str:
    """Find out about ``binary``, or else the usual Node.js; or say why it is no use.

    Blocks for about 0.1 seconds.
    """
    found = binary or find_node()
    if found is None:
        return f"There is no Node.js. {INSTALL}"
    try:
        return inspect(Path(found))
    except Stalled as stalled:
        return str(stalled)


def inspect(binary: Path) -> NodeProgram:
    """Ask Node.js for its version and libraries; raise ``Stalled`` if it cannot be used."""
    path = binary.resolve()
    try:
        answer = subprocess.run(
            [str(path), "-e", _QUESTION],
            env={},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_PATIENCE,
        ).stdout
        found = json.loads(answer)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        said = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip()
        raise Stalled(f"{path} does not run: {error}. {said}{INSTALL}") from error
    version = str(found["version"])
    if int(version.partition(".")[0]) not in MAJOR_VERSIONS:
        raise Stalled(f"{path} is Node.js {version}. {INSTALL}")
    # The kernel's own (linux-vdso) is no file.
    libraries = {name for name in found["sharedObjects"] if name.startswith("/")}
    beside = {str(Path(library).parent / name) for library in libraries for name in LIBRARIES}
    libraries |= {name for name in beside if Path(name).exists()}
    return NodeProgram(str(path), tuple(sorted(libraries)), version)
