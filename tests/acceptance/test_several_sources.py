"""Several repositories behind one server: each steered by itself, and one of them never answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

MESSAGE = "send-phone-message"
PAYLOAD = {"recipient": "1-808-555-5555", "text": "hi", "context": {}}
SCRIPT = "def hook(recipient, text, context):\n    return {}\n"


@pytest.fixture
def workspace(workspace: Any, tmp_path: Path) -> Iterator[Any]:
    """Follow the samples, a repository of another team, and a forge that never answers."""
    workspace.remove_hooks(MESSAGE)
    workspace.commit("Leave messages to the other team")
    other = type(workspace)(tmp_path / "other")
    other.repository.mkdir(parents=True)
    other.git("init", "--quiet", "--initial-branch", "main")
    other.write_hook(MESSAGE, "messages", SCRIPT)
    other.commit()
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        hung = f"http://127.0.0.1:{deaf.getsockname()[1]}/hooks.git"
        workspace.environment |= {
            "HOOKLEDGER_REPO": ".",
            "HOOKLEDGER_SOURCES": orjson.dumps(
                {
                    "samples": {"repo": str(workspace.repository), "path": "hooks_repo"},
                    "messages": {"repo": str(other.repository), "path": "hooks_repo"},
                    "hung": {
                        "repo": hung,
                        "branch": "main",
                        "remote": {"protocols": ["http"]},
                    },
                }
            ).decode(),
        }
        workspace.other = other
        yield workspace


def test_sources_are_served_and_steered_side_by_side(workspace: Any, start: Any) -> None:
    with start() as server:
        assert server.invoke(MESSAGE, PAYLOAD).headers["hookledger-hook"] == "messages"
        shown = server.client.get("/v1/sync").json()["sources"]
        states = {source["id"]: source["state"] for source in shown}
        assert (states["samples"], states["messages"]) == ("Synced", "Synced")
        assert states["hung"] == "Unknown"
        checks = {each["name"] for each in server.client.get("/readyz").json()["checks"]}
        assert {"source:samples", "source:messages", "task:watch:hung"} <= checks
        figures = server.client.get("/metrics").text
        assert 'hookledger_sync_state{source="messages",state="Synced"} 1.0' in figures

        here = {"HOOKLEDGER_URL": server.address, "HOOKLEDGER_TOKEN": server.token}
        workspace.environment |= here
        unnamed = workspace.run("sync", "suspend", "--reason", "x", check=False)
        assert unnamed.returncode == 1
        assert "name one of: samples, messages, hung" in unnamed.stderr
        named = ("--source", "messages")
        told = workspace.run("sync", "suspend", "--reason", "incident", *named).stdout
        assert "Source `messages` is suspended" in told
        workspace.other.write_hook(MESSAGE, "messages", SCRIPT + "# changed\n")
        second = workspace.other.commit()
        server.eventually("/v1/sync?source=messages", lambda s: s["sources"][0]["tip"] == second)
        assert workspace.json("sync", "status", *named)["state"] == "Suspended"
        workspace.run("sync", "resume", "--reason", "over", *named)
        server.until(MESSAGE, PAYLOAD, second)

        taken = "hooks_repo/hooks/pre-user-registration"
        (name, *_) = sorted(each.name for each in (workspace.repository / taken).iterdir())
        workspace.other.write_hook(MESSAGE, name, SCRIPT, manifest="")
        workspace.other.commit("Take a name")
        refused = workspace.run("plan", *named, check=False)
        assert refused.returncode == 1
        assert "owned by `source:samples`, so `source:messages` cannot" in refused.stderr
        server.eventually(
            "/v1/sync?source=messages", lambda s: s["sources"][0]["state"] == "Rejected"
        )
        assert workspace.run("sync", "rollback", second, "--reason", "x", *named).returncode == 0
        text = workspace.run("sync", "status").stdout
        assert text.index("samples") < text.index("messages") < text.index("hung")
