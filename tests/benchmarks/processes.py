"""Servers and repositories to measure, started on loopback and ended again."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.floor import ANSWER

_PYTHON = sys.executable
_PATIENCE = 30.0
TRIGGER = "pre-user-registration"

_SCRIPTS = {
    "hook.py": "def hook(user, context):\n    return {'user': {'user_metadata': {'v': VERSION}}}\n",
    "hook.js": "module.exports = function (user, context, cb) {\n"
    "  cb(null, {user: {user_metadata: {v: VERSION}}});\n};\n",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """A server under measurement, and where it is asked."""

    pid: int
    address: str
    token: str = ""
    path: str = "/"
    link: str = ""
    """Opens the dashboard once."""


def git(repository: Path, *arguments: str) -> str:
    """Run git on a repository of ours, without anybody's configuration."""
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Bench",
        "GIT_AUTHOR_EMAIL": "bench@example.com",
        "GIT_COMMITTER_NAME": "Bench",
        "GIT_COMMITTER_EMAIL": "bench@example.com",
    }
    done = subprocess.run(
        ["git", *arguments],
        cwd=repository,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def make_repository(root: Path, hooks: int, script: str = "hook.py") -> Path:
    """Make a repository with ``hooks`` hooks, of which one is enabled and answers a version."""
    repository = root / "repository"
    folder = repository / "hooks" / TRIGGER
    for number in range(hooks):
        hook = folder / f"group-{number // 100:03d}" / f"hook-{number:05d}"
        hook.mkdir(parents=True)
        write_version(hook, 0, script)
        (hook / "hook.toml").write_text(f"enabled = {'true' if number == 0 else 'false'}\n")
    git(repository, "init", "--quiet", "--initial-branch", "main")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "Start")
    return repository


def write_version(hook: Path, version: int, script: str = "hook.py") -> None:
    """Write the script so that its answer tells the version."""
    (hook / script).write_text(_SCRIPTS[script].replace("VERSION", str(version)))


@contextlib.contextmanager
def hookledger(root: Path, repository: Path, **settings: str) -> Iterator[Measured]:
    """Serve ``repository``, everything on; ``settings`` are variables of the environment."""
    environment = {
        **os.environ,
        "HOOKLEDGER_REPO": str(repository),
        "HOOKLEDGER_REPO_PATH": "",
        "HOOKLEDGER_DATA_DIR": str(root / "var"),
        "HOOKLEDGER_LOG_LEVEL": "error",
        **settings,
    }
    command = [_PYTHON, "-m", "app", "serve", "--quickstart", "--port", "0"]
    with _process(command, environment) as process:
        address = token = link = ""
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r"serves on (http://\S+)", line):
                address = found[1]
            if found := re.search(r"(\S+/login#\S+)", line):
                link = found[1]
            if found := re.search(r"(hlt_\S+)", line):
                token = found[1]
            if address and token:
                break
        yield Measured(process.pid, address, token, f"/v1/triggers/{TRIGGER}/invoke", link)


@contextlib.contextmanager
def floor(application: str, answer: Path) -> Iterator[Measured]:
    """Serve a floor on uvicorn with uvloop and httptools, as hookledger is served."""
    port = free_port()
    command = [
        _PYTHON, "-m", "uvicorn", f"tests.benchmarks.floor:{application}", "--port", str(port),
        "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--lifespan", "off",
    ]  # fmt: skip
    environment = {**os.environ, ANSWER: str(answer)}
    with served(command, environment, port) as process:
        yield Measured(process.pid, f"http://127.0.0.1:{port}")


@contextlib.contextmanager
def served(
    command: list[str], environment: dict[str, str], port: int, folder: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a server until the port answers, and end it; raise ``RuntimeError`` if it does not."""
    with _process(command, environment, subprocess.STDOUT, folder) as process:
        assert process.stdout is not None
        drained = threading.Thread(target=process.stdout.read, daemon=True)
        drained.start()
        end = time.monotonic() + _PATIENCE
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{command[0]} does not serve")
            time.sleep(0.05)
        yield process


def free_port() -> int:
    """Find a port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def family(pid: int) -> list[int]:
    """List the processes below ``pid``; of one that ends meanwhile, nothing more."""
    found = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found += [int(child), *family(int(child))]
    return found


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, all its threads, in seconds."""
    nanoseconds = sum(
        int((thread / "schedstat").read_text().split()[0])
        for thread in Path(f"/proc/{pid}/task").iterdir()
    )
    return nanoseconds / 1e9


@contextlib.contextmanager
def _process(
    command: list[str],
    environment: dict[str, str],
    stderr: int | None = None,
    folder: Path | None = None,
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=folder
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        watchdog = threading.Timer(15, process.kill)
        watchdog.start()
        process.wait()
        watchdog.cancel()
        assert process.stdout is not None
        process.stdout.close()
