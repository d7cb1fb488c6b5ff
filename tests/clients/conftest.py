"""A server over TLS that stands where Auth0 stood, and the clients that Auth0 publishes.

The clients are installed by name and version from their registries, once, into ``.cache/clients``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.runtime.node_binary import find_node, find_npm
from tests.acceptance.conftest import Server, Workspace, serving

CHECKOUT = Path(__file__).resolve().parents[2]
INSTALLED = CHECKOUT / ".cache" / "clients"
DRIVERS = Path(__file__).resolve().parent / "drivers"
SCOPES = ("read:hooks", "create:hooks", "update:hooks", "delete:hooks")


@dataclass(frozen=True)
class Account:
    """What a program needs to ask the server for tokens."""

    id: str
    secret: str


@dataclass
class Tenant:
    """A server in the place of an Auth0 tenant."""

    server: Server
    workspace: Workspace
    _accounts: dict[tuple[str, ...], Account] = field(default_factory=dict)

    @property
    def domain(self) -> str:
        return f"localhost:{httpx.URL(self.server.address).port}"

    @property
    def environment(self) -> dict[str, str]:
        """Have a program trust the server's own authority, and nothing of ours reach it."""
        authority = str(self.workspace.root / "var" / "tls" / "ca.pem")
        trusting = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return kept | dict.fromkeys(trusting, authority)

    def account(self, *scopes: str) -> Account:
        """Return the client that has some scopes, or all that hooks need; made when first asked."""
        if scopes not in self._accounts:
            flags = [part for scope in scopes or SCOPES for part in ("--scope", scope)]
            made = self.workspace.json("clients", "create", "client under test", *flags)
            self._accounts[scopes] = Account(made["client_id"], made["client_secret"])
        return self._accounts[scopes]

    def hook(self, name: str) -> dict[str, Any] | None:
        """Return a hook as the server's own interface shows it, with its script; None if none."""
        answer = self.server.client.get(f"/v1/hooks/{name}")
        return None if answer.status_code == 404 else dict(answer.raise_for_status().json())

    def hooks(self) -> dict[str, dict[str, Any]]:
        """Return all hooks by name, with their scripts."""
        listed = self.server.client.get("/v1/hooks?limit=200").raise_for_status().json()["hooks"]
        return {hook["name"]: self.hook(hook["id"]) or {} for hook in listed}

    def position(self) -> int:
        """Return how many events were ever recorded."""
        figures = self.server.client.get("/metrics").text
        line = next(
            x for x in figures.splitlines() if x.startswith('hookledger_position{of="ledger')
        )
        return int(float(line.split()[-1]))

    def events(self, after: int) -> list[dict[str, Any]]:
        """Return the events after a position, oldest first, once all are in the audit log."""
        head = self.position()
        self.server.eventually(
            "/v1/audit?limit=1", lambda page: page["events"][0]["position"] == head
        )
        found = self.server.client.get("/v1/audit?format=ndjson").text.splitlines()
        events = sorted(map(json.loads, found), key=lambda event: int(event["position"]))
        return [event for event in events if event["position"] > after]

    def log(self) -> str:
        return (self.workspace.root / "server.log").read_text()

    def traces_of(self, *values: str) -> list[str]:
        """Return the files, below the server's folder, and the routes that hold a value."""
        kept = [path for path in self.workspace.root.rglob("*") if path.is_file()]
        own = [path for path in kept if not path.is_relative_to(self.workspace.root / "input")]
        said = {str(path): path.read_bytes() for path in own} | {
            route: self.server.client.get(route).content
            for route in ("/v1/audit?format=ndjson", "/v1/hooks", "/v1/logs", "/metrics")
        }
        return [name for name, text in said.items() if any(v.encode() in text for v in values)]


Opening = Callable[..., AbstractContextManager[Tenant]]


@contextlib.contextmanager
def open_tenant(root: Path, **settings: str) -> Iterator[Tenant]:
    """Serve a repository that holds no hooks, over TLS."""
    workspace = Workspace(root, {f"HOOKLEDGER_{name.upper()}": settings[name] for name in settings})
    workspace.hooks.mkdir(parents=True)
    (workspace.hooks / ".gitkeep").touch()
    workspace.git("init", "--quiet", "--initial-branch", "main")
    workspace.commit("Start without hooks")
    with serving(workspace, "--local-tls") as server:
        yield Tenant(server, workspace)


@pytest.fixture
def tenant(tmp_path: Path) -> Iterator[Tenant]:
    with open_tenant(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def shared_tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    """Serve all tests that look at nothing but hooks of their own."""
    with open_tenant(tmp_path_factory.mktemp("shared")) as opened:
        yield opened


@pytest.fixture(scope="session")
def strict_tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    """Serve one request that writes at once, and two a second."""
    limits = json.dumps({"management": {"burst": 1, "per_second": 2}})
    with open_tenant(tmp_path_factory.mktemp("strict"), rate_limits=limits) as opened:
        yield opened


@dataclass(frozen=True)
class Node:
    """The Node.js that runs hooks runs their former clients too."""

    binary: Path
    npm: list[str]

    def install(self, package: str, version: str) -> Path:
        """Return the folder of an npm package."""
        folder = INSTALLED / f"npm-{package}-{version}"
        options = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
        install = [*self.npm, "install", "--prefix", str(folder), *options]
        install_once(folder, [*install, f"{package}@{version}"])
        return folder / "node_modules" / package


@pytest.fixture(scope="session")
def node() -> Node:
    binary, npm = find_node(), find_npm()
    assert binary is not None
    assert npm is not None
    return Node(binary, npm)


def install_python(package: str, version: str) -> Path:
    """Return the interpreter of a virtual environment that holds a package of PyPI."""
    folder = INSTALLED / f"pypi-{package}-{version}"
    python = folder / "bin" / "python"
    create = [sys.executable, "-m", "venv", str(folder)]
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    install_once(folder, create, [*install, f"{package}=={version}"])
    return python


def install_once(folder: Path, *steps: list[str]) -> None:
    """Install unless an earlier run did, to the end; fail with what the installer said."""
    done = folder / ".complete"
    if done.exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for step in steps:
        ran = subprocess.run(step, capture_output=True, text=True, timeout=110, check=False)
        assert ran.returncode == 0, f"{step[-1]} cannot be installed: {ran.stdout}{ran.stderr}"
    done.touch()


class Sdk:
    """One SDK in a process of its own: a line of JSON for a call, a line for what came of it."""

    def __init__(self, command: list[str], tenant: Tenant, account: Account) -> None:
        self._process = subprocess.Popen(
            [*command, tenant.domain],
            env=tenant.environment
            | {"AUTH0_CLIENT_ID": account.id, "AUTH0_CLIENT_SECRET": account.secret},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, call: str, *arguments: Any) -> dict[str, Any]:
        """Return ``{"value": …}``, or ``{"error": {"class", "status", "code"}}``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([call, *arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the SDK's process ended at {call}"
        return dict(json.loads(line))

    def call(self, call: str, *arguments: Any) -> Any:
        answer = self.ask(call, *arguments)
        assert "error" not in answer, f"{call}: {answer}"
        return answer["value"]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        if self._process.wait(timeout=20) != 0:
            raise AssertionError("the SDK's process did not end well")


Using = Callable[..., AbstractContextManager[Sdk]]


@pytest.fixture
def sdk_command(request: pytest.FixtureRequest, node: Node) -> list[str]:
    """Return the command that drives the SDK that the test is about, without the domain."""
    kind, version = request.param
    major = version.partition(".")[0]
    if kind == "node":
        folder = node.install("auth0", version)
        return [str(node.binary), str(DRIVERS / "sdk.cjs"), str(folder), major]
    python = install_python("auth0-python", version)
    return [str(python), str(DRIVERS / "sdk.py"), major, kind]


@pytest.fixture
def using(sdk_command: list[str]) -> Using:
    """Have the SDK under test speak to a tenant, for an account."""

    @contextlib.contextmanager
    def use(tenant: Tenant, account: Account) -> Iterator[Sdk]:
        sdk = Sdk(sdk_command, tenant, account)
        try:
            yield sdk
        finally:
            sdk.close()

    return use
