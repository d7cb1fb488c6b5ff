"""Kill -9 at random instants: a revision is in the store whole or not at all, and tables agree."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Any

import orjson
import pytest

HOOKS = 100
TRIGGER = "send-phone-message"
COMMAND = [sys.executable, "-m", "app"]


def write_all(workspace: Any, version: int) -> str:
    for number in range(HOOKS):
        workspace.write_hook(
            TRIGGER,
            f"hook-{number:03d}",
            f"def hook(recipient, text, context):\n    return {{'version': {version}}}\n",
            manifest=f"enabled = {'true' if number == 0 else 'false'}\n",
        )
    commit: str = workspace.commit(f"Version {version} of {HOOKS} hooks")
    return commit


def scripts(workspace: Any) -> Counter[str]:
    database = sqlite3.connect(f"file:{workspace.root}/var/hookledger.db?mode=ro", uri=True)
    latest: dict[str, str] = {}
    try:
        rows = database.execute(
            "SELECT originator_id, state FROM stored_events"
            " WHERE topic IN ('hook.created', 'hook.script_changed') ORDER BY rowid"
        ).fetchall()
    except sqlite3.OperationalError:
        rows = []
    finally:
        database.close()
    for hook, state in rows:
        latest[hook] = orjson.loads(state)["script"]
    return Counter(latest.values())


def views(workspace: Any) -> tuple[Any, str]:
    hooks = workspace.json("hooks", "list")
    audit = workspace.run("audit", "query", "--format", "ndjson", "--limit", "100000").stdout
    return hooks, audit


def kill_during_syncs(workspace: Any, kills: int) -> None:
    shutil.rmtree(workspace.hooks)
    (workspace.root / "var").mkdir(exist_ok=True)
    started = time.perf_counter()
    write_all(workspace, 0)
    workspace.run("sync", "--once")
    took = time.perf_counter() - started
    chance = random.Random(20261122)
    interrupted = 0
    for version in range(1, kills + 1):
        before = scripts(workspace)
        write_all(workspace, version)
        process = subprocess.Popen(
            [*COMMAND, "sync", "--once"],
            cwd=workspace.root,
            env=workspace.env(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # Spread over all of its time, so that some come early even if it takes less than before.
        instant = 0.15 + 0.85 * (version - 1 + chance.random()) / kills
        threading.Event().wait(instant * took)
        process.send_signal(signal.SIGKILL)
        process.wait()
        after = scripts(workspace)
        assert len(after) == 1, f"half a revision: {after}"
        assert after.total() == before.total() or not before
        interrupted += after == before
        if version % 10 == 0 or version == kills:
            live = views(workspace)
            workspace.run("rebuild")
            assert views(workspace) == live
    workspace.run("sync", "--once")
    assert scripts(workspace).keys() == {
        f"def hook(recipient, text, context):\n    return {{'version': {kills}}}\n"
    }
    assert interrupted, "no kill came before the commit: the instants are chosen badly"


def test_a_killed_sync_leaves_the_whole_revision_or_none_of_it(workspace: Any) -> None:
    kill_during_syncs(workspace, kills=4)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_thirty_killed_syncs_leave_whole_revisions_only(workspace: Any) -> None:
    kill_during_syncs(workspace, kills=30)


def test_a_killed_rollback_leaves_one_whole_commit_or_the_other(workspace: Any) -> None:
    shutil.rmtree(workspace.hooks)
    commits = []
    started = time.perf_counter()
    for version in range(2):
        commits.append(write_all(workspace, version))
        workspace.run("sync", "--once")
    took = (time.perf_counter() - started) / 2
    chance = random.Random(20261123)
    for attempt in range(6):
        process = subprocess.Popen(
            [*COMMAND, "sync", "rollback", commits[attempt % 2], "--reason", "try"],
            cwd=workspace.root,
            env=workspace.env(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        threading.Event().wait(chance.uniform(0.3, 1.0) * took)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert len(scripts(workspace)) == 1, "half a rollback"
        status = workspace.json("sync", "status")
        version = commits.index(status["applied"])
        (script,) = scripts(workspace)
        assert f"'version': {version}" in script
    workspace.run("sync", "rollback", commits[0], "--reason", "for good")
    assert workspace.run("sync", "--once", check=False).returncode == 3
    assert workspace.json("sync", "status")["skipped"] == [commits[1]]


def test_a_killed_server_comes_back_as_it_was(workspace: Any, start: Any) -> None:
    with start() as server:
        answer = server.client.get("/v1/hooks").json()
        server.process.kill()
        server.process.wait()
    with start() as server:
        again = server.client.get("/v1/hooks").json()
        assert again["hooks"] == answer["hooks"]


def test_an_answer_is_repeated_by_the_server_that_comes_after_a_killed_one(
    workspace: Any, start: Any
) -> None:
    made = workspace.json("clients", "create", "pipeline", "--scope", "create:hooks")
    headers = {
        "authorization": f"Bearer {made['access_token']}",
        "idempotency-key": "9b1f7b1e-64ac-4c1a-8f0e-3c4a9e7d2b11",
    }
    body = {"name": "made-once", "script": "module.exports = 1", "triggerId": TRIGGER}
    with start() as server:
        first = server.client.post("/api/v2/hooks", json=body, headers=headers)
        assert first.status_code == 201
        server.process.kill()
        server.process.wait()
    with start() as server:
        again = server.client.post("/api/v2/hooks", json=body, headers=headers)
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["idempotent-replayed"] == "true"
        named = [hook["name"] for hook in server.client.get("/api/v2/hooks").json()]
        assert named.count("made-once") == 1


def test_a_killed_server_leaves_no_worker_behind(workspace: Any, start: Any) -> None:
    with start() as server:
        pid = server.process.pid
        children = subprocess.run(
            ["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True, check=False
        ).stdout.split()
        assert children
        server.process.kill()
        server.process.wait()
        pause = threading.Event()
        for _ in range(100):
            alive = subprocess.run(
                ["ps", "-o", "pid=", "-p", ",".join(children)],
                capture_output=True,
                text=True,
                check=False,
            ).stdout.split()
            if not alive:
                return
            pause.wait(0.05)
        raise AssertionError(f"still alive: {alive}")
