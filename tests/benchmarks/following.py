"""Invocations while many follow the log lines of each, against the same with nobody following.

The hook writes a line a call, so that every call reaches every reader. One reader never reads. One
server is asked in turns, with the streams open and without. The other readers are processes that do
nothing but read, so that the load generator need not wait for them in this one.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.benchmarks.load import Load, Round, medians, ratio
from tests.benchmarks.processes import Measured, git, hookledger, make_repository

_CHUNK = 1 << 16
_READER = """
import select, socket, sys
streams = [socket.socket(fileno=int(number)) for number in sys.argv[1:]]
while True:
    for each in select.select(streams, [], [])[0]:
        each.recv(65536) or sys.exit()
"""
_SCRIPT = (
    "def hook(user, context):\n    print('a line of an ordinary length, as hooks write them')\n"
)


@dataclass(frozen=True, slots=True)
class Following:
    """What readers cost."""

    readers: int
    connections: int
    followed: Round
    alone: Round
    of_alone: float
    """Rate with readers by that without, round by round."""


def measure(
    readers: int = 50, connections: int = 16, rounds: int = 9, seconds: int = 2
) -> Following:
    """Measure the same server in turns, with readers and without."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        repository = make_repository(root, 1)
        script = next(repository.glob("hooks/*/*/*/hook.py"))
        script.write_text(_SCRIPT)
        with hookledger(root, _committed(repository)) as server:
            load = Load(root, seconds)
            load.ask(server, connections)
            followed, alone = [], []
            for _ in range(rounds):
                alone.append(load.ask(server, connections))
                with following(server, readers):
                    followed.append(load.ask(server, connections))
    return Following(
        readers, connections, medians(followed), medians(alone), ratio(followed, alone)
    )


@contextlib.contextmanager
def following(server: Measured, readers: int) -> Iterator[None]:
    """Hold streams open; one of them is never read."""
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(_stream(server)) for _ in range(readers)]
        numbers = [each.fileno() for each in sockets[1:]]
        reading = subprocess.Popen(
            [sys.executable, "-c", _READER, *map(str, numbers)], pass_fds=numbers
        )
        try:
            yield
        finally:
            reading.kill()
            reading.wait()


@contextlib.contextmanager
def _stream(server: Measured) -> Iterator[socket.socket]:
    place = urlsplit(server.address)
    with socket.create_connection((place.hostname, place.port), timeout=30) as opened:
        opened.sendall(
            b"GET /v1/logs/stream HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer %s\r\n\r\n"
            % server.token.encode()
        )
        assert b" 200 " in opened.recv(_CHUNK)
        yield opened


def _committed(repository: Path) -> Path:
    git(repository, "commit", "--quiet", "--all", "--message", "Write a line")
    return repository
