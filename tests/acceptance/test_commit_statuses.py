"""A forge that was down while commits were applied and refused is told when both are back."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TRIGGER = "pre-user-registration"
PAYLOAD: dict[str, Any] = {"user": {}, "context": {"connection": {}}}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_states_of_commits_reach_the_forge_over_its_outage_and_our_restart(
    workspace: Any, start: Any
) -> None:
    port = free_port()
    token = workspace.root / "token"
    token.write_text("forge-token")
    workspace.environment["HOOKLEDGER_STATUSES"] = json.dumps(
        {
            "default": {
                "forge": "gitea",
                "api": f"http://127.0.0.1:{port}",
                "repository": "acme/hooks",
                "token_file": str(token),
            }
        }
    )
    told: list[tuple[str, str, str]] = []
    complete = threading.Event()

    with start() as server:
        workspace.remove_hooks(TRIGGER)
        workspace.write_hook(TRIGGER, "mine", "def hook(user, context):\n    return {}\n")
        good = workspace.commit("Good")
        server.until(TRIGGER, PAYLOAD, good)
        workspace.write_hook(TRIGGER, "mine", "def hook(user, context)\n")
        bad = workspace.commit("Bad")
        server.eventually("/v1/sync", lambda found: found["sources"][0]["state"] == "Rejected")

    class Forge(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            told.append((self.path.rpartition("/")[2], body["state"], body["description"]))
            self.send_response(201)
            self.send_header("content-length", "0")
            self.end_headers()
            if {good, bad} <= {sha for sha, _, _ in told}:
                complete.set()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", port), Forge) as forge:
        thread = threading.Thread(target=forge.serve_forever)
        thread.start()
        try:
            with start():
                assert complete.wait(60)
        finally:
            forge.shutdown()
            thread.join()
    states = {sha: (state, description) for sha, state, description in told}
    assert states[good] == ("success", "In force.")
    state, description = states[bad]
    assert state == "failure"
    assert description.startswith(f"hooks_repo/hooks/{TRIGGER}/mine/hook.py:1")
