"""The whole product, from outside: a repository, the command, a server, HTTP."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

COMMAND = [sys.executable, "-m", "app"]
SAMPLES = Path(__file__).resolve().parents[2] / "hooks_repo"
START_SECONDS = 30


@dataclass
class Workspace:
    """A repository of hooks and the data of a server that follows it."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def repository(self) -> Path:
        return self.root / "repository"

    @property
    def hooks(self) -> Path:
        return self.repository / "hooks_repo" / "hooks"

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.repository, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, message: str = "Change hooks") -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def write_hook(
        self, trigger: str, name: str, script: str, *, manifest: str = "enabled = true\n"
    ) -> None:
        folder = self.hooks / trigger / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "hook.py").write_text(script)
        (folder / "hook.toml").write_text(manifest)

    def remove_hooks(self, trigger: str) -> None:
        shutil.rmtree(self.hooks / trigger, ignore_errors=True)

    def run(
        self, *arguments: str, check: bool = True, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.root,
            env=self.env(),
            capture_output=True,
            text=True,
            check=False,
            input=stdin if stdin is not None else "",
            timeout=100,
        )
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str) -> Any:
        return orjson.loads(self.run(*arguments, "--json").stdout)

    def env(self) -> dict[str, str]:
        return {
            **os.environ,
            "HOOKLEDGER_REPO": str(self.repository),
            "HOOKLEDGER_DATA_DIR": str(self.root / "var"),
            "COLUMNS": "400",
            **self.environment,
        }


@dataclass
class Server:
    """A running server and a client that holds every scope."""

    process: subprocess.Popen[str]
    address: str
    token: str
    client: httpx.Client

    def invoke(self, trigger: str, payload: Any, **headers: str) -> httpx.Response:
        return self.client.post(
            f"/v1/triggers/{trigger}/invoke",
            content=orjson.dumps(payload),
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )

    def until(self, trigger: str, payload: Any, commit: str) -> httpx.Response:
        """Invoke until the answer comes from ``commit``."""
        deadline = threading.Event()
        for _ in range(500):
            answer = self.invoke(trigger, payload)
            if answer.headers.get("hookledger-revision") == commit:
                return answer
            deadline.wait(0.02)
        raise AssertionError(f"{commit} did not go live: {dict(answer.headers)} {answer.text}")

    def eventually(self, path: str, found: Any) -> Any:
        """Read ``path`` until ``found`` accepts the answer."""
        pause = threading.Event()
        for _ in range(500):
            answer = self.client.get(path).json()
            if found(answer):
                return answer
            pause.wait(0.02)
        raise AssertionError(f"{path} never came to it: {answer}")

    def eventually_following(self, count: int) -> None:
        """Wait until so many streams of log lines are open."""
        pause = threading.Event()
        for _ in range(500):
            if (
                f'hookledger_live_readers{{of="lines"}} {count}.0'
                in self.client.get("/metrics").text
            ):
                return
            pause.wait(0.02)
        raise AssertionError("nobody follows")


def trust(workspace: Workspace) -> ssl.SSLContext | bool:
    """Trust the workspace's own authority, if it has one."""
    authority = workspace.root / "var" / "tls" / "ca.pem"
    return ssl.create_default_context(cafile=authority) if authority.exists() else True


@contextlib.contextmanager
def serving(workspace: Workspace, *options: str) -> Iterator[Server]:
    with (workspace.root / "server.log").open("a") as log:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--quickstart", "--port", "0", *options],
            cwd=workspace.root,
            env=workspace.env(),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    watchdog = threading.Timer(START_SECONDS, process.kill)
    watchdog.start()
    try:
        address = token = ""
        assert process.stdout is not None
        for line in process.stdout:
            address = m[1] if (m := re.search(r"serves on (https?://\S+)", line)) else address
            token = m[1] if (m := re.search(r"(hlt_\S+)", line)) else token
            if address and token:
                break
        watchdog.cancel()
        assert token, (workspace.root / "server.log").read_text()
        headers = {"authorization": f"Bearer {token}"}
        trusted = trust(workspace)
        with httpx.Client(base_url=address, headers=headers, timeout=30, verify=trusted) as client:
            yield Server(process, address, token, client)
    finally:
        watchdog.cancel()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError("the server did not stop in time") from None
        finally:
            assert process.stdout is not None
            process.stdout.close()


def with_samples(root: Path) -> Workspace:
    made = Workspace(root)
    made.repository.mkdir()
    shutil.copytree(SAMPLES, made.repository / "hooks_repo")
    made.git("init", "--quiet", "--initial-branch", "main")
    made.commit("Start with the samples")
    return made


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return with_samples(tmp_path)


@pytest.fixture(scope="module")
def shared_workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return with_samples(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="module")
def shared_server(shared_workspace: Workspace) -> Iterator[Server]:
    """One server for all tests of a module."""
    with serving(shared_workspace) as running:
        yield running


@pytest.fixture
def server(workspace: Workspace) -> Iterator[Server]:
    with serving(workspace) as running:
        yield running


@pytest.fixture
def start(workspace: Workspace) -> Callable[..., AbstractContextManager[Server]]:
    """Start a server on the workspace; may be called again after the first has stopped."""
    return lambda *options: serving(workspace, *options)
