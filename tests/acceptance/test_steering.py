"""Steering a source: by command and over HTTP, with and without a server beside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

TRIGGER = "send-phone-message"
PAYLOAD = {"recipient": "+1", "text": "hello", "context": {}}


def write(workspace: Any, number: int, name: str = "sender") -> str:
    script = f"def hook(recipient, text, context):\n    return {{'n': {number}}}\n"
    workspace.write_hook(TRIGGER, name, script)
    commit: str = workspace.commit(f"Answer {number}")
    return commit


def only_hook(workspace: Any) -> str:
    """Have one hook at the trigger, beside the samples of others."""
    workspace.remove_hooks(TRIGGER)
    return write(workspace, 1)


def status(workspace: Any) -> Any:
    return workspace.json("sync", "status")


def state_becomes(server: Any, state: str) -> Any:
    found = server.eventually("/v1/sync", lambda s: s["sources"][0]["state"] == state)
    return found["sources"][0]


def running(server: Any, workspace: Any) -> str:
    """Return the script that is in force, as a client sees it."""
    script: str = server.client.get("/v1/hooks/sender").json()["script"]
    return script


# By command, without a server


def test_an_emptied_repository_is_held_shown_approved_and_then_applied(workspace: Any) -> None:
    workspace.run("sync", "--once")
    for trigger in workspace.hooks.iterdir():
        workspace.remove_hooks(trigger.name)
    workspace.hooks.mkdir(exist_ok=True)
    (workspace.hooks / "README.md").write_text("No hooks any more.")
    commit = workspace.commit("Remove everything")
    planned = workspace.run("plan", "--json", check=False)
    assert planned.returncode == 2
    assert "empty" in [hold["guard"] for hold in orjson.loads(planned.stdout)["holds"]]
    held = workspace.run("sync", "--once", check=False)
    assert (held.returncode, "is held" in held.stdout) == (3, True)
    found = status(workspace)
    assert (found["state"], found["held"]["commit"]) == ("Held", commit)
    assert f"sync approve {found['held']['digest']}" in workspace.run("sync", "status").stdout
    refused = workspace.run("sync", "approve", "0" * 64, check=False)
    assert (refused.returncode, found["held"]["digest"] in refused.stderr) == (1, True)
    workspace.run("sync", "approve", found["held"]["digest"], "--reason", "we move away")
    workspace.run("sync", "--once")
    assert status(workspace)["state"] == "Synced"
    assert workspace.json("hooks", "list") == []
    history = workspace.run("audit", "query", "--type", "source", "--format", "json").stdout
    approval = next(e for e in orjson.loads(history) if e["type"] == "source.plan_approved")
    assert (approval["reason"], approval["commit"]) == ("we move away", commit)


def test_a_rollback_by_command_skips_the_bad_commit_and_no_other(workspace: Any) -> None:
    good = only_hook(workspace)
    workspace.run("sync", "--once")
    bad = write(workspace, 2)
    workspace.run("sync", "--once")
    workspace.run("sync", "rollback", good[:10], "--reason", "it is wrong")
    found = status(workspace)
    assert (found["state"], found["applied"], found["skipped"]) == ("OutOfSync", good, [bad])
    assert "it is wrong" in found["reason"]
    assert workspace.run("sync", "--once", check=False).returncode == 3
    mended = write(workspace, 3)
    workspace.run("sync", "--once")
    assert (status(workspace)["state"], status(workspace)["applied"]) == ("Synced", mended)
    never = workspace.run("sync", "rollback", "main~9", "--reason", "x", check=False)
    assert never.returncode == 1


@pytest.mark.parametrize("act", ["suspend", "rollback"])
def test_an_act_that_others_will_ask_about_needs_a_reason(workspace: Any, act: str) -> None:
    given = ["HEAD"] if act == "rollback" else []
    assert workspace.run("sync", act, *given, check=False).returncode == 2


@pytest.mark.parametrize(
    "until", ["yesterday", "2020-01-01T00:00:00Z", "2030-01-01T00:00:00", "0h"]
)
def test_a_time_that_cannot_be_is_refused(workspace: Any, until: str) -> None:
    refused = workspace.run("sync", "suspend", "--reason", "x", "--until", until, check=False)
    assert (refused.returncode, "--until" in refused.stderr) == (1, True)


def test_a_plan_is_read_by_people_and_programs_alike(workspace: Any) -> None:
    workspace.run("sync", "--once")
    assert workspace.run("plan").returncode == 0
    workspace.git("checkout", "--quiet", "-b", "request")
    only_hook(workspace)
    workspace.write_hook(
        TRIGGER,
        "sender",
        "def hook(recipient, text, context):\n    print('\x1b[2J')\n    return {}\n",
        manifest='enabled = true\nnetwork = ["sms.example.com:443"]\n'
        '[secrets]\nrequired = ["API_KEY"]\n',
    )
    sha = workspace.commit("Send messages")
    workspace.git("checkout", "--quiet", "main")
    workspace.git("update-ref", "refs/pull/7/head", sha)
    printed = workspace.run("plan", "pull/7/head", check=False)
    assert printed.returncode == 2
    assert "may call sms.example.com:443" in printed.stdout
    assert "API_KEY of sender" in printed.stdout
    assert "+def hook(recipient, text, context):" in printed.stdout
    assert "\x1b[2J" not in printed.stdout
    missing = workspace.run("plan", "pull/8/head", check=False)
    assert (missing.returncode, "git fetch origin" in missing.stderr) == (1, True)
    assert status(workspace)["state"] == "Synced"


# Beside a server


def test_a_server_follows_what_is_suspended_and_resumed_by_command(
    workspace: Any, server: Any
) -> None:
    first = only_hook(workspace)
    server.eventually("/v1/sync", lambda s: s["sources"][0]["applied"] == first)
    workspace.run("sync", "suspend", "--reason", "incident 4711", "--until", "2h")
    source = state_becomes(server, "Suspended")
    assert "incident 4711" in source["reason"]
    second = write(workspace, 2)
    server.eventually("/v1/sync", lambda s: s["sources"][0]["tip"] == second)
    answer = server.client.post("/v1/sync").json()
    assert (answer["status"], "'n': 1" in running(server, workspace)) == ("suspended", True)
    workspace.run("sync", "resume", "--reason", "over")
    server.eventually("/v1/sync", lambda s: s["sources"][0]["applied"] == second)
    assert "'n': 2" in running(server, workspace)


def test_a_server_applies_what_is_approved_by_command(workspace: Any, start: Any) -> None:
    workspace.environment["HOOKLEDGER_SYNC_POLICY"] = '{"approval": "manual"}'
    with start() as server:
        held = state_becomes(server, "Held")["held"]
        assert [hold["guard"] for hold in held["holds"]] == ["approval"]
        assert server.client.get("/v1/hooks").json()["hooks"] == []
        workspace.run("sync", "approve", held["digest"], "--reason", "the first one")
        assert state_becomes(server, "Synced")["held"] is None
        assert server.client.get("/v1/hooks").json()["hooks"] != []


def test_a_rollback_over_http_is_in_force_when_it_answers(workspace: Any, server: Any) -> None:
    good = only_hook(workspace)
    server.eventually("/v1/sync", lambda s: s["sources"][0]["applied"] == good)
    bad = write(workspace, 2)
    server.eventually("/v1/sync", lambda s: s["sources"][0]["applied"] == bad)
    body = {"commit": good, "reason": "messages are lost"}
    answer = server.client.post("/v1/sync/rollback", json=body)
    assert (answer.status_code, answer.json()["status"]) == (200, "applied")
    position = answer.headers["hookledger-position"]
    hook = server.client.get(
        "/v1/hooks/sender", headers={"hookledger-min-position": position}
    ).json()
    assert "'n': 1" in hook["script"]
    again = server.client.post("/v1/sync/rollback", json=body).json()
    assert again["status"] == "unchanged"
    source = state_becomes(server, "OutOfSync")
    assert (source["skipped"], source["rollback"]["reason"]) == ([bad], "messages are lost")
    forward = server.client.post("/v1/sync/rollback", json=body | {"commit": "main"})
    assert forward.json()["status"] == "applied"
    assert state_becomes(server, "Synced")["applied"] == bad


def test_a_suspension_over_http_shows_who_and_why(server: Any) -> None:
    state_becomes(server, "Synced")
    body = {"reason": "audit week"}
    suspended = server.client.post("/v1/sync/suspend", json=body).json()["sources"][0]
    assert (suspended["state"], suspended["suspension"]["reason"]) == ("Suspended", "audit week")
    assert suspended["suspension"]["actor"].startswith("client:")
    resumed = server.client.post("/v1/sync/resume", json=body).json()["sources"][0]
    assert resumed["suspension"] is None


def test_a_hook_disabled_until_a_time_comes_back_by_itself(workspace: Any, server: Any) -> None:
    commit = only_hook(workspace)
    server.eventually("/v1/sync", lambda s: s["sources"][0]["applied"] == commit)
    until = datetime.now(UTC) + timedelta(seconds=8)
    disable = ("hooks", "disable", "sender", "--reason", "too many", "--until", until.isoformat())
    workspace.run(*disable)
    source = state_becomes(server, "OutOfSync")
    assert "too many" in source["reason"]
    state_becomes(server, "Synced")
    assert server.client.get("/v1/hooks/sender").json()["enabled"]
    events = server.client.get("/v1/audit", params={"type": "source.drift_healed"}).json()["events"]
    assert [event["commit"] for event in events] == [commit]


def test_a_plan_is_asked_of_a_server_by_a_pipeline(workspace: Any, server: Any) -> None:
    state_becomes(server, "Synced")
    made = workspace.json("clients", "create", "pipeline", "--scope", "plan:sync")
    asking = ("--url", server.address, "--token", made["access_token"])
    assert workspace.run("plan", *asking).returncode == 0
    workspace.git("checkout", "--quiet", "-b", "request")
    only_hook(workspace)
    changed = workspace.run("plan", "request", *asking, check=False)
    assert (changed.returncode, "create sender" in changed.stdout) == (2, True)
    workspace.write_hook(TRIGGER, "sender", "def hook(:\n")
    workspace.commit("Break it")
    refused = workspace.run("plan", "request", *asking, check=False)
    assert (refused.returncode, "sender/hook.py:1" in refused.stderr) == (1, True)
    nobody = workspace.run("plan", "--url", server.address, "--token", "hlt_x", check=False)
    assert nobody.returncode == 1


def test_the_figures_tell_the_state(server: Any) -> None:
    state_becomes(server, "Synced")
    figures = server.client.get("/metrics").text
    assert 'hookledger_sync_state{source="default",state="Synced"} 1.0' in figures
    assert 'hookledger_sync_state{source="default",state="Held"} 0.0' in figures
    assert 'hookledger_sync_drift{source="default"} 0.0' in figures
