"""Hooks in the style of Auth0's documentation, each fixture in the isolation of production."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

CORPUS = Path(__file__).resolve().parents[1] / "data" / "corpus"
FIXTURES = sorted(CORPUS.glob("hooks/*/*/fixtures/*.json"))
WRITTEN_PORT = "18650"
"""Of the gateway in the corpus; a copy gets the port that was free."""
INSTALL_SECONDS = 400

pytestmark = pytest.mark.timeout(INSTALL_SECONDS + 20)


class Gateway(BaseHTTPRequestHandler):
    """A gateway of text messages, and a directory that knows one person."""

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.headers["authorization"] == "Bearer right-token":
            self.answer(201, {"id": f"m-{message['to']}"})
        else:
            self.answer(401, {"message": "no such token"})

    def do_GET(self) -> None:
        if self.path == "/people?email=mira%40acme.example":
            self.answer(200, {"department": "sales"})
        else:
            self.answer(404, {"message": "nobody"})

    def answer(self, status: int, members: dict[str, str]) -> None:
        body = json.dumps(members).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        pass  # pytest shows what is written


@pytest.fixture(scope="module")
def gateway_port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def results(
    tmp_path_factory: pytest.TempPathFactory, gateway_port: int
) -> dict[str, dict[str, Any]]:
    """Run all fixtures once, packages freshly installed; what came of each, by its file."""
    copy = tmp_path_factory.mktemp("corpus")
    shutil.copytree(CORPUS, copy, dirs_exist_ok=True)
    for file in (path for path in copy.rglob("*.*") if path.is_file()):
        file.write_text(file.read_text().replace(WRITTEN_PORT, str(gateway_port)))
    done = subprocess.run(
        [sys.executable, "-m", "app", "test", str(copy), "--json"],
        env={**os.environ, "HOOKLEDGER_DATA_DIR": str(tmp_path_factory.mktemp("var"))},
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
    )
    assert done.returncode in (0, 1), done.stderr
    return {result["file"]: result for result in json.loads(done.stdout)}


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_the_fixture_comes_out_as_it_says(results: dict[str, dict[str, Any]], path: Path) -> None:
    result = results[str(path.relative_to(CORPUS))]
    assert result["failures"] == [], result


def test_every_hook_of_the_corpus_is_shown_at_work(results: dict[str, dict[str, Any]]) -> None:
    hooks = {path.parent.name for path in CORPUS.rglob("hook.toml")}
    assert {result["hook"] for result in results.values()} == hooks
    assert len(results) == len(FIXTURES)
