"""Whoever runs the server sees what hooks do, live and later, and who looked."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from app.domain.triggers.catalogue import CONTRACTS

PRE = "pre-user-registration"
PAYLOAD = CONTRACTS[PRE].example
SECRET = "correct-horse-battery-staple"
SCRIPT = """
import base64

def hook(user, context):
    key = context.secrets["API_KEY"]
    print("in full", key)
    print("encoded", base64.b64encode(("user:" + key).encode()).decode())
    print("first", key[:12])
    print(key[12:], "second")
    return {"user": {"user_metadata": {"leak": key}}}
"""


def write_hook(workspace: Any, script: str = SCRIPT) -> str:
    workspace.remove_hooks(PRE)
    workspace.write_hook(PRE, "observed", script)
    settings = workspace.repository / "hooks_repo" / "hookledger.toml"
    settings.write_text(f'[triggers.{PRE}]\nrecord = "masked"\nmask = ["email"]\n')
    commit: str = workspace.commit()
    return commit


def test_secrets_and_masked_members_are_in_no_line_and_no_recording_but_accesses_tell_who_looked(
    workspace: Any, start: Callable[..., AbstractContextManager[Any]]
) -> None:
    commit = write_hook(workspace)
    workspace.run("sync", "--once")
    workspace.run("secrets", "set", "observed", "API_KEY", stdin=SECRET)
    with start() as server:
        answer = server.until(PRE, PAYLOAD, commit)
        assert answer.json()["effects"]["user"]["user_metadata"]["leak"] == SECRET
        invocation = answer.headers["hookledger-invocation"]
        detail = server.eventually(
            f"/v1/invocations/{invocation}", lambda found: found.get("lines")
        )
        assert [line["text"] for line in detail["lines"]] == [
            "in full ***",
            "encoded dXNlcjp***",
            "first ***",
            "*** second",
        ]
        for guess in (SECRET, SECRET[:6], SECRET[-6:], SECRET.upper(), SECRET[4:10]):
            found = server.client.get("/v1/logs", params={"text": guess}).json()
            assert found == {"lines": [], "next": None, "previous": None}
        found = server.client.get("/v1/logs", params={"text": "IN FULL", "trigger": PRE}).json()
        assert {line["text"] for line in found["lines"]} == {"in full ***"}
        assert detail["recorded"] is True
        recording = server.client.get(f"/v1/invocations/{invocation}/recording").json()
        (kept,) = recording["recordings"]
        assert kept["payload"]["user"]["password"] == kept["payload"]["user"]["email"] == "***"
        assert kept["payload"]["user"]["username"] == "user1"
        assert kept["result"]["user"]["user_metadata"]["leak"] == "***"
        httpx.get(f"{server.address}/v1/hooks")
        server.client.get("/v1/audit?format=ndjson")
        wanted = {"denied", "exported", "payload_read", "secret_opened"}
        accesses = server.eventually(
            "/v1/access", lambda found: {each["kind"] for each in found["accesses"]} == wanted
        )
        opened = next(e for e in accesses["accesses"] if e["kind"] == "secret_opened")
        assert "secret:API_KEY key:" in opened["subject"]
        stats = server.client.get("/v1/invocations/stats").json()
        assert stats["overall"]["outcomes"] == {"succeeded": stats["overall"]["runs"]}
        assert stats["hooks"][0]["commit"] == commit
        listed = workspace.json("audit", "access", "--kind", "denied")
        assert listed[0]["route"] == "GET /v1/hooks"
    shown = workspace.json("invocations", "show", invocation)
    assert [run["kind"] for run in shown["runs"]] == ["succeeded"]
    assert "observed" in workspace.run("invocations", "stats").stdout
    assert invocation in workspace.run("invocations", "list", "--min-ms", "0.001").stdout
    written = b"".join(file.read_bytes() for file in (workspace.root / "var").glob("journal.db*"))
    assert SECRET.encode() not in written
    assert b"user1@example.com" not in written


def test_logs_are_followed_over_a_restart_of_the_server_and_end_with_the_token(
    workspace: Any, start: Callable[..., AbstractContextManager[Any]]
) -> None:
    commit = write_hook(workspace, "def hook(user, context):\n    print(user['username'])\n")
    with start() as server:
        port, token = urlsplit(server.address).port, server.token
        server.until(PRE, PAYLOAD, commit)
        made = workspace.json("clients", "create", "follower", "--scope", "read:invocations")
        command = ["-m", "app", "logs", "--follow", "--json", "--url", server.address]
        follower = subprocess.Popen(
            [sys.executable, *command],
            cwd=workspace.root,
            env={**workspace.env(), "HOOKLEDGER_TOKEN": made["access_token"]},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        watchdog = threading.Timer(60, follower.kill)
        watchdog.start()
        server.eventually_following(1)
        for name in ("one", "two"):
            server.invoke(PRE, {**PAYLOAD, "user": {**PAYLOAD["user"], "username": name}})
        assert follower.stdout is not None
        got = [orjson.loads(follower.stdout.readline())["text"] for _ in range(2)]
        assert got == ["one", "two"]
    assert token
    with start("--port", str(port)) as server:
        server.invoke(PRE, {**PAYLOAD, "user": {**PAYLOAD["user"], "username": "three"}})
        assert orjson.loads(follower.stdout.readline())["text"] == "three"
        workspace.run("clients", "revoke", made["client_id"])
        _, said = follower.communicate(timeout=30)
    watchdog.cancel()
    assert follower.returncode == 1
    assert "no longer valid" in said or "not valid" in said


def test_a_reader_that_never_reads_does_not_hold_up_the_end_of_the_server(
    workspace: Any, start: Callable[..., AbstractContextManager[Any]]
) -> None:
    commit = write_hook(workspace, "def hook(user, context):\n    print('x' * 16_000)\n")
    with start() as server:
        server.until(PRE, PAYLOAD, commit)
        place = urlsplit(server.address)
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((place.hostname, place.port))
        head = f"GET /v1/logs/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {server.token}\r\n\r\n"
        deaf.sendall(head.encode())
        server.eventually_following(1)
        for _ in range(300):
            assert server.invoke(PRE, PAYLOAD).status_code == 200
    # The server had to stop within 15 s, of which it gives requests 10.
    assert server.process.returncode == 0
    deaf.close()
    log = (workspace.root / "server.log").read_text()
    assert "timeout graceful shutdown exceeded" not in log


def test_a_server_that_was_killed_says_what_may_be_missing(
    workspace: Any, start: Callable[..., AbstractContextManager[Any]]
) -> None:
    commit = write_hook(workspace, "def hook(user, context):\n    print('line')\n")
    with start() as server:
        server.until(PRE, PAYLOAD, commit)
        server.eventually("/v1/logs", lambda found: found["lines"])
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    with start() as server:
        lines = server.client.get("/v1/logs?level=warning").json()["lines"]
        assert "up to 200 ms of records and log lines may be missing" in lines[0]["text"]
