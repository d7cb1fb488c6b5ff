"""How a confined process becomes Node.js: what of it must be seen, its limits, its command line.

The code that it runs is ``node/worker.js``.
"""

from __future__ import annotations

import json
import os
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from app.runtime.inside import protocol

CODE = str(Path(__file__).parent / "node")

_MEBIBYTE = 1 << 20

_OUTSIDE_HEAP = 24 * _MEBIBYTE
"""Of a hook's memory, what is left to Node.js itself and to buffers when the heap is full."""

_SMALLEST_HEAP = 16 * _MEBIBYTE

_RESERVED = 64 * _MEBIBYTE
"""What Node.js has mapped to write to and hardly uses: 22 MiB idle, mostly stacks of its threads,
and 8 MiB for each of the four that it starts for files and the like."""


@dataclass(frozen=True, slots=True)
class NodeProgram:
    """An installed Node.js."""

    binary: str
    libraries: tuple[str, ...]
    """Paths of the shared libraries that it, or native code in packages, is linked with, the loader
    included."""
    version: str

    @property
    def executables(self) -> list[str]:
        """List what must be executable: the kernel executes the loader with the program."""
        return [self.binary, *self.libraries]


def memory_limit(memory_bytes: int) -> tuple[int, int]:
    """Return the resource limit that bounds a worker's memory, and its value.

    Not the address space: V8 reserves far more of it than it ever uses.
    """
    return resource.RLIMIT_DATA, memory_bytes + _RESERVED


def become(program: NodeProgram, memory_bytes: int, layers: tuple[str, ...]) -> NoReturn:
    """Say that this process is confined, and execute Node.js in it; raise ``OSError``."""
    os.write(3, protocol.message(0, protocol.CONFINED, json.dumps(layers).encode()))
    heap = max(memory_bytes - _OUTSIDE_HEAP, _SMALLEST_HEAP) // _MEBIBYTE
    command = (
        program.binary,
        f"--max-old-space-size={heap}",
        "--max-semi-space-size=1",
        "--v8-pool-size=1",
        "--no-global-search-paths",
        # One it may not read would end it at its start.
        f"--openssl-config={CODE}/openssl.cnf",
        f"{CODE}/worker.js",
    )
    os.execve(program.binary, command, {})  # noqa: S606 (nothing is started: it replaces us)
