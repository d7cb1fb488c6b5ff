"""Servers and repositories to measure, started on loopback and ended again."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PYTHON = sys.executable
_ECHO = "def hook(user, context):\n    return {'user': {'user_metadata': {'v': VERSION}}}\n"


@dataclass(frozen=True, slots=True)
class Measured:
    """A server under measurement."""

    pid: int
    address: str
    token: str = ""


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


def make_repository(root: Path, hooks: int) -> Path:
    """Make a repository with ``hooks`` hooks, of which one is enabled and echoes a version."""
    repository = root / "repository"
    folder = repository / "hooks" / "pre-user-registration"
    for number in range(hooks):
        hook = folder / f"group-{number // 100:03d}" / f"hook-{number:05d}"
        hook.mkdir(parents=True)
        write_version(hook, 0)
        (hook / "hook.toml").write_text(f"enabled = {'true' if number == 0 else 'false'}\n")
    git(repository, "init", "--quiet", "--initial-branch", "main")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "Start")
    return repository


def write_version(hook: Path, version: int) -> None:
    """Write the script so that its answer tells the version."""
    (hook / "hook.py").write_text(_ECHO.replace("VERSION", str(version)))


@contextlib.contextmanager
def hookledger(root: Path, repository: Path) -> Iterator[Measured]:
    """Serve ``repository``, everything on."""
    environment = {
        **os.environ,
        "HOOKLEDGER_REPO": str(repository),
        "HOOKLEDGER_REPO_PATH": "",
        "HOOKLEDGER_DATA_DIR": str(root / "var"),
        "HOOKLEDGER_DATABASE_URL": f"sqlite:///{root}/var/hookledger.db",
        "HOOKLEDGER_LOG_LEVEL": "warning",
    }
    command = [_PYTHON, "-m", "app", "serve", "--quickstart", "--port", "0"]
    with _process(command, environment) as process:
        address = token = ""
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r"serves on (http://\S+)", line):
                address = found[1]
            if found := re.search(r"(hlt_\S+)", line):
                token = found[1]
            if address and token:
                break
        yield Measured(process.pid, address, token)


@contextlib.contextmanager
def starlette_floor(port: int) -> Iterator[Measured]:
    """Serve the floor on uvicorn with uvloop and httptools, as hookledger is served."""
    command = [
        _PYTHON, "-m", "uvicorn", "tests.benchmarks.floor:app", "--port", str(port), "--loop", "uvloop",
        "--http", "httptools", "--no-access-log", "--log-level", "info",
    ]  # fmt: skip
    with _process(command, dict(os.environ), stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Uvicorn running" in line:
                break
        yield Measured(process.pid, f"http://127.0.0.1:{port}")


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, in seconds."""
    nanoseconds = sum(
        int((thread / "schedstat").read_text().split()[0])
        for thread in Path(f"/proc/{pid}/task").iterdir()
    )
    return nanoseconds / 1e9


@contextlib.contextmanager
def _process(
    command: list[str], environment: dict[str, str], stderr: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True
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
