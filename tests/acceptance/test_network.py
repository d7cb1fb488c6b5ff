"""A hook that calls another system: committed, invoked, seen in logs and figures."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from app.domain.triggers.catalogue import CONTRACTS

TRIGGER = "send-phone-message"
PAYLOAD = CONTRACTS[TRIGGER].example


class Gateway(ThreadingHTTPServer):
    """A provider of messages, with what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        gateway = self
        self.sent: list[tuple[str, bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                gateway.sent.append((self.path, body))
                self.send_response(201)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None: ...

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway()
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def commit_sender(workspace: Any, port: int, network: str) -> str:
    workspace.remove_hooks(TRIGGER)
    script = f"""
def hook(recipient, text, context):
    answer = context.http.post("http://127.0.0.1:{port}/messages", json={{"to": recipient}})
    return {{"status": answer.status}}
"""
    workspace.write_hook(TRIGGER, "sender", script, manifest=f"enabled = true\n{network}\n")
    commit: str = workspace.commit("Send messages")
    return commit


def test_a_committed_hook_reaches_what_its_manifest_lists(
    workspace: Any, server: Any, gateway: Gateway
) -> None:
    port = gateway.server_port
    commit = commit_sender(workspace, port, f'network = ["127.0.0.1:{port}"]')
    answer = server.until(TRIGGER, PAYLOAD, commit)
    assert answer.json()["data"] == {"status": 201}
    assert {path for path, _ in gateway.sent} == {"/messages"}
    invocation = answer.headers["hookledger-invocation"]
    lines = server.eventually(f"/v1/logs?invocation={invocation}", lambda found: found["lines"])
    (line,) = lines["lines"]
    assert line["text"].startswith(f"network: used 127.0.0.1:{port}: sent ")
    figures = server.client.get("/metrics").text
    assert 'hookledger_egress_connections_total{verdict="connected"} 1.0' in figures
    assert 'hookledger_egress_bytes_total{direction="sent"}' in figures
    assert "hookledger_egress_open 1.0" in figures


def test_a_hook_that_lists_nothing_is_told_what_to_commit(
    workspace: Any, server: Any, gateway: Gateway
) -> None:
    port = gateway.server_port
    commit = commit_sender(workspace, port, "")
    answer = server.until(TRIGGER, PAYLOAD, commit)
    assert answer.json()["status"] == "error"
    message = f'The hook has no network: list "127.0.0.1:{port}" under `network` in hook.toml.'
    assert answer.json()["data"]["message"] == message
    assert gateway.sent == []


def test_a_place_of_credentials_is_the_operators_to_open(workspace: Any, start: Any) -> None:
    script = """
def hook(recipient, text, context):
    return {"status": context.http.get("http://169.254.169.254/").status}
"""
    manifest = 'enabled = true\nnetwork = ["169.254.169.254:80"]\n'
    workspace.remove_hooks(TRIGGER)
    workspace.write_hook(TRIGGER, "thief", script, manifest=manifest)
    commit = workspace.commit("Ask for credentials")
    with start() as server:
        answer = server.until(TRIGGER, PAYLOAD, commit)
    assert "the operator can allow it with the setting egress_private_networks" in answer.text


def test_a_file_of_certificates_that_cannot_be_used_stops_the_start(workspace: Any) -> None:
    file = workspace.root / "ca.pem"
    file.write_text("nothing of the kind")
    workspace.environment["HOOKLEDGER_EGRESS_CA_FILE"] = str(file)
    refused = workspace.run("serve", check=False)
    assert refused.returncode != 0
    assert f"{file} (egress_ca_file) holds no certificate" in refused.stdout + refused.stderr
