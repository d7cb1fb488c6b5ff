"""What others serve the same hook with, in the same rounds; installed by name into a folder to go.

None of them isolates one hook from another as hookledger does; workerd and deno keep JavaScript in
an isolate of V8.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.load import Load, Round, medians, ratio
from tests.benchmarks.processes import Measured, free_port, served
from tests.benchmarks.throughput import ours_and_echo

_PATIENCE = 300.0

Command = Callable[[Path, int], list[str]]
"""Writes what is to be served into a folder and returns the command that serves it on a port."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody else's way."""

    name: str
    install: tuple[str, ...]
    """Arguments of ``pip install`` or ``npm install``; the first says which."""
    command: Command


@dataclass(frozen=True, slots=True)
class Standing:
    """Medians at one number of connections; ``ours`` is our rate by its rate."""

    name: str
    figures: Round
    ours: float


def _functions_framework(folder: Path, port: int) -> list[str]:
    (folder / "main.py").write_text(
        "def hook(request):\n"
        "    request.get_json()\n"
        "    return {'user': {'user_metadata': {'v': 0}}}\n"
    )
    program = str(folder / "venv" / "bin" / "functions-framework")
    return [program, "--source", "main.py", "--target", "hook", "--host", "127.0.0.1", "--port", str(port)]  # fmt: skip


def _functions_framework_node(folder: Path, port: int) -> list[str]:
    (folder / "server.js").write_text(
        "const functions = require('@google-cloud/functions-framework');\n"
        "const {getTestServer} = require('@google-cloud/functions-framework/testing');\n"
        "functions.http('hook', (request, response) => {\n"
        "  response.json({user: {user_metadata: {v: 0}}, seen: !!request.body});\n});\n"
        # Its own command listens on every interface.
        "getTestServer('hook').listen(Number(process.argv[2]), '127.0.0.1');\n"
    )
    return ["node", "server.js", str(port)]


def _workerd(folder: Path, port: int) -> list[str]:
    (folder / "hook.js").write_text(
        "export default {async fetch(request) {\n"
        "  await request.json();\n"
        "  return Response.json({user: {user_metadata: {v: 0}}});\n}};\n"
    )
    (folder / "config.capnp").write_text(
        'using Workerd = import "/workerd/workerd.capnp";\n'
        "const config :Workerd.Config = (\n"
        '  services = [(name = "main", worker = .hook)],\n'
        f'  sockets = [(name = "http", address = "127.0.0.1:{port}", http = (), service = "main")]\n'
        ");\n"
        "const hook :Workerd.Worker = (\n"
        '  modules = [(name = "hook", esModule = embed "hook.js")],\n'
        '  compatibilityDate = "2025-01-01",\n'
        ");\n"
    )
    return [str(folder / "node_modules" / ".bin" / "workerd"), "serve", "config.capnp"]


def _deno(folder: Path, port: int) -> list[str]:
    (folder / "hook.ts").write_text(
        f"Deno.serve({{hostname: '127.0.0.1', port: {port}}}, async (request) => {{\n"
        "  await request.json();\n"
        "  return Response.json({user: {user_metadata: {v: 0}}});\n});\n"
    )
    return [str(folder / "venv" / "bin" / "deno"), "run", "--allow-net=127.0.0.1", "hook.ts"]


PEERS = (
    Peer("functions-framework (Python)", ("pip", "functions-framework"), _functions_framework),
    Peer(
        "@google-cloud/functions-framework (Node.js)",
        ("npm", "@google-cloud/functions-framework"),
        _functions_framework_node,
    ),
    Peer("workerd", ("npm", "workerd"), _workerd),
    Peer("deno", ("pip", "deno"), _deno),
)


def measure(
    connections: int = 16, rounds: int = 5, seconds: int = 2
) -> tuple[list[Standing], dict[str, str]]:
    """Measure ours, the echo, a Node.js hook and all peers; say why some could not be had."""
    servers: dict[str, Measured] = {}
    absent: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        root = Path(folder)
        (root / "python").mkdir()
        (root / "node").mkdir()
        own = stack.enter_context(ours_and_echo(root / "python"))
        servers |= {"hookledger, Python hook": own["ours"], "Starlette JSON echo": own["echo"]}
        try:
            node = stack.enter_context(ours_and_echo(root / "node", "hook.js"))
            servers["hookledger, Node.js hook"] = node["ours"]
        except RuntimeError as error:
            absent["hookledger, Node.js hook"] = str(error).splitlines()[0][:200]
        load = Load(root, seconds)
        for number, peer in enumerate(PEERS):
            try:
                server = stack.enter_context(_serve(peer, root / f"peer-{number}"))
                if load.ask(server, connections).failures:
                    raise RuntimeError("it does not answer 200")
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                absent[peer.name] = str(error).splitlines()[0][:200]
            else:
                servers[peer.name] = server
        measured = load.alternate(servers, connections, rounds)
    ours = measured["hookledger, Python hook"]
    return [
        Standing(name, medians(theirs), ratio(ours, theirs)) for name, theirs in measured.items()
    ], absent


@contextlib.contextmanager
def _serve(peer: Peer, folder: Path) -> Iterator[Measured]:
    folder.mkdir()
    _install(peer, folder)
    port = free_port()
    command = peer.command(folder, port)
    with served(command, dict(os.environ), port, folder) as process:
        yield Measured(process.pid, f"http://127.0.0.1:{port}")


def _install(peer: Peer, folder: Path) -> None:
    tool, package = peer.install
    if tool == "pip":
        _run([sys.executable, "-m", "venv", "venv"], folder)
        _run(["venv/bin/pip", "install", "--quiet", package], folder)
    else:
        _run(["npm", "install", "--silent", "--no-audit", "--no-fund", package], folder)


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=_PATIENCE)
