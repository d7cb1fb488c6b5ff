"""The same hook in Node.js and in Python: invocations a second, everything on, in turns."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.load import Load, Round, medians, ratio
from tests.benchmarks.processes import Measured, hookledger, make_repository

_SCRIPTS = {"python": "hook.py", "node": "hook.js"}


@dataclass(frozen=True, slots=True)
class Parity:
    """Both languages at one number of connections."""

    connections: int
    python: Round
    node: Round
    node_by_python: float
    """Median of the ratios of rates, round by round."""


def measure(connections: int = 16, rounds: int = 9, seconds: int = 2) -> Parity:
    """Compare the two; each has a server of its own."""
    with tempfile.TemporaryDirectory() as folder, _servers(Path(folder)) as servers:
        load = Load(Path(folder), seconds)
        load.alternate(servers, connections, 1)  # warms both
        measured = load.alternate(servers, connections, rounds)
    python, node = measured["python"], measured["node"]
    return Parity(connections, medians(python), medians(node), ratio(node, python))


@contextlib.contextmanager
def _servers(root: Path) -> Iterator[dict[str, Measured]]:
    with contextlib.ExitStack() as stack:
        servers = {}
        for language, script in _SCRIPTS.items():
            (root / language).mkdir()
            repository = make_repository(root / language, 10, script)
            servers[language] = stack.enter_context(hookledger(root / language, repository))
        yield servers
