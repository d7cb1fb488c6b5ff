"""Stories of users: commit, invoke, ask the history; one happy and one unhappy for each trigger."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from app.domain.triggers.catalogue import CONTRACTS

BLOCKING = [c.id for c in CONTRACTS.values() if c.blocking]
NON_BLOCKING = [c.id for c in CONTRACTS.values() if not c.blocking]


def signature(trigger: str) -> str:
    return ", ".join(CONTRACTS[trigger].parameters)


def replace_hook(workspace: Any, trigger: str, body: str, message: str = "Replace the hook") -> str:
    workspace.remove_hooks(trigger)
    workspace.write_hook(trigger, f"my-{trigger}", f"def hook({signature(trigger)}):\n{body}\n")
    commit: str = workspace.commit(message)
    return commit


@pytest.mark.parametrize("trigger", BLOCKING)
def test_a_committed_hook_answers_and_the_history_says_who_made_it(
    workspace: Any, server: Any, trigger: str
) -> None:
    commit = replace_hook(workspace, trigger, "    print('at work')\n    return {'ran': True}")
    answer = server.until(trigger, CONTRACTS[trigger].example, commit)
    assert answer.status_code == 200
    assert answer.json()["data"] == {"ran": True}
    assert answer.headers["hookledger-hook"] == f"my-{trigger}"

    events = server.client.get(
        "/v1/audit", params={"commit": commit, "type": "hook.created"}
    ).json()
    assert [event["hook_name"] for event in events["events"]] == [f"my-{trigger}"]
    assert "ada@example.com" in json.dumps(events)

    invocation = answer.headers["hookledger-invocation"]
    records = server.eventually(
        f"/v1/invocations?commit={commit}", lambda found: found["invocations"]
    )
    assert invocation in [record["invocation_id"] for record in records["invocations"]]
    lines = server.eventually(f"/v1/logs?invocation={invocation}", lambda found: found["lines"])
    assert [line["text"] for line in lines["lines"]] == ["at work"]


@pytest.mark.parametrize("trigger", BLOCKING)
def test_an_error_of_the_hook_comes_back_as_its_own(
    workspace: Any, server: Any, trigger: str
) -> None:
    commit = replace_hook(workspace, trigger, "    raise ValueError('not today')")
    answer = server.until(trigger, CONTRACTS[trigger].example, commit)
    assert answer.status_code == 200
    assert answer.json()["status"] == "error"
    assert answer.json()["data"]["message"] == "not today"
    assert "hook.py" in answer.json()["data"]["stack"]
    assert "app/runtime" not in answer.json()["data"]["stack"]


@pytest.mark.parametrize("trigger", NON_BLOCKING)
def test_a_non_blocking_trigger_is_accepted_and_runs(
    workspace: Any, server: Any, trigger: str
) -> None:
    commit = replace_hook(workspace, trigger, "    print('ran for', user['username'])")
    answer = server.until(trigger, CONTRACTS[trigger].example, commit)
    assert answer.status_code == 202
    invocation = answer.headers["hookledger-invocation"]
    assert answer.json() == {"invocation_id": invocation, "status": "accepted"}
    lines = server.eventually(f"/v1/logs?invocation={invocation}", lambda found: found["lines"])
    assert [line["text"] for line in lines["lines"]] == ["ran for user1"]


@pytest.mark.parametrize("trigger", NON_BLOCKING)
def test_a_failing_non_blocking_run_is_recorded_and_tried_again(
    workspace: Any, server: Any, trigger: str
) -> None:
    commit = replace_hook(workspace, trigger, "    raise RuntimeError('gateway is down')")
    answer = server.until(trigger, CONTRACTS[trigger].example, commit)
    invocation = answer.headers["hookledger-invocation"]
    records = server.eventually(
        f"/v1/invocations?invocation={invocation}", lambda found: len(found["invocations"]) > 1
    )
    assert {record["error"] for record in records["invocations"]} == {"gateway is down"}


def test_a_bad_commit_is_refused_with_every_reason_and_the_last_good_one_serves_on(
    workspace: Any, server: Any
) -> None:
    trigger = "pre-user-registration"
    good = replace_hook(workspace, trigger, "    return {}")
    server.until(trigger, CONTRACTS[trigger].example, good)
    workspace.write_hook(trigger, f"my-{trigger}", "def hook(user):\n  return 1\n")
    workspace.write_hook(
        "send-phone-message", "second", "def hook(:\n", manifest='enabled = true\ntimeuot = "1s"\n'
    )
    bad = workspace.commit("Break several things")
    state = server.eventually("/v1/sync", lambda s: s["sources"][0]["state"] == "Rejected")
    problems = state["sources"][0]["problems"]
    files = {problem["file"] for problem in problems}
    assert any(file.endswith("second/hook.toml") for file in files)
    assert all(file.startswith("hooks_repo/hooks/") for file in files)
    assert state["sources"][0]["applied"] == good
    answer = server.invoke(trigger, CONTRACTS[trigger].example)
    assert (answer.status_code, answer.headers["hookledger-revision"]) == (200, good)
    refused = server.client.get("/v1/audit", params={"type": "source.revision_rejected"}).json()
    assert bad in json.dumps(refused)


def test_a_removed_folder_retires_its_hook(workspace: Any, server: Any) -> None:
    trigger = "pre-user-registration"
    server.until(trigger, CONTRACTS[trigger].example, workspace.git("rev-parse", "HEAD"))
    workspace.remove_hooks(trigger)
    workspace.commit("Remove the hook")
    server.eventually("/v1/hooks", lambda found: len(found["hooks"]) == 4)
    assert server.invoke(trigger, CONTRACTS[trigger].example).status_code == 204


def test_a_forced_push_back_to_an_older_commit_waits_for_a_person(
    workspace: Any, server: Any
) -> None:
    trigger = "send-phone-message"
    first = replace_hook(workspace, trigger, "    return {'n': 1}")
    server.until(trigger, CONTRACTS[trigger].example, first)
    second = replace_hook(workspace, trigger, "    return {'n': 2}")
    server.until(trigger, CONTRACTS[trigger].example, second)
    workspace.git("reset", "--quiet", "--hard", first)
    state = server.eventually("/v1/sync", lambda s: s["sources"][0]["state"] == "Held")
    held = state["sources"][0]["held"]
    assert [hold["guard"] for hold in held["holds"]] == ["force-push"]
    assert (
        server.invoke(trigger, CONTRACTS[trigger].example).headers["hookledger-revision"] == second
    )
    server.client.post(
        "/v1/sync/approve", json={"digest": held["digest"], "reason": "we did that"}
    ).raise_for_status()
    answer = server.until(trigger, CONTRACTS[trigger].example, first)
    assert answer.json()["data"] == {"n": 1}


def test_a_deleted_branch_keeps_the_hooks_and_says_so(workspace: Any, server: Any) -> None:
    trigger = "send-phone-message"
    good = replace_hook(workspace, trigger, "    return {'n': 1}")
    server.until(trigger, CONTRACTS[trigger].example, good)
    workspace.git("checkout", "--quiet", "--detach")
    workspace.git("branch", "--quiet", "--delete", "--force", "main")
    state = server.eventually("/v1/sync", lambda s: s["sources"][0]["state"] == "OutOfSync")
    assert "main" in state["sources"][0]["reason"]
    assert server.invoke(trigger, CONTRACTS[trigger].example).headers["hookledger-revision"] == good


def test_secrets_are_set_used_and_shown_nowhere(workspace: Any, server: Any) -> None:
    trigger = "send-phone-message"
    workspace.remove_hooks(trigger)
    workspace.write_hook(
        trigger,
        "sender",
        "def hook(recipient, text, context):\n"
        "    print('key', context.secrets['API_KEY'])\n"
        "    return {'length': len(context.secrets['API_KEY'])}\n",
        manifest='enabled = true\n[secrets]\nrequired = ["API_KEY"]\n',
    )
    commit = workspace.commit("Use a secret")
    server.eventually("/v1/hooks?name=sender", lambda found: found["hooks"])
    answer = server.invoke(trigger, CONTRACTS[trigger].example)
    assert answer.status_code >= 400
    assert "API_KEY" in answer.text

    value = "sk-live-0123456789abcdef"
    workspace.run("secrets", "set", "sender", "API_KEY", stdin=f"{value}\n")
    server.eventually(
        "/v1/hooks?name=sender", lambda found: found["hooks"][0]["secrets"] == ["API_KEY"]
    )
    answer = server.until(trigger, CONTRACTS[trigger].example, commit)
    assert answer.json()["data"] == {"length": len(value)}
    invocation = answer.headers["hookledger-invocation"]
    lines = server.eventually(f"/v1/logs?invocation={invocation}", lambda found: found["lines"])
    assert lines["lines"][0]["text"] == "key ***"

    for file in (workspace.root / "var").rglob("*"):
        if file.is_file():
            assert value.encode() not in file.read_bytes(), file
    for path in ("/v1/audit", "/v1/hooks/sender", "/v1/hooks/sender/history"):
        assert value not in server.client.get(path).text


def test_an_operator_stops_a_hook_at_once_and_git_does_not_bring_it_back_by_accident(
    workspace: Any, server: Any
) -> None:
    trigger = "pre-user-registration"
    first = replace_hook(workspace, trigger, "    return {'n': 1}")
    server.until(trigger, CONTRACTS[trigger].example, first)
    workspace.run("hooks", "disable", f"my-{trigger}", "--reason", "it misbehaves")
    server.eventually(f"/v1/hooks?name=my-{trigger}", lambda f: not f["hooks"][0]["enabled"])
    replace_hook(workspace, "send-phone-message", "    return {'other': True}")
    server.eventually("/v1/hooks?name=my-send-phone-message", lambda found: found["hooks"])
    assert server.invoke(trigger, CONTRACTS[trigger].example).status_code == 204
    mended = replace_hook(workspace, trigger, "    return {'n': 2}")
    assert server.until(trigger, CONTRACTS[trigger].example, mended).json()["data"] == {"n": 2}
    audit = server.client.get("/v1/audit", params={"text": "misbehaves"}).json()
    assert [event["type"] for event in audit["events"]] == ["trigger.hook_disabled"]


def test_a_demanded_position_is_waited_for(workspace: Any, server: Any) -> None:
    trigger = "send-phone-message"
    made = workspace.json("clients", "create", "watcher", "--scope", "invoke:triggers")
    position = server.eventually("/v1/audit?type=client.created", lambda f: f["events"])["events"][
        0
    ]["position"]
    answer = server.invoke(
        trigger, CONTRACTS[trigger].example, Hookledger_Min_Position=str(position)
    )
    assert answer.status_code == 200
    own = server.client.post(
        f"/v1/triggers/{trigger}/invoke",
        json=CONTRACTS[trigger].example,
        headers={"authorization": f"Bearer {made['access_token']}"},
    )
    assert own.status_code == 200
    assert (
        server.client.get(
            "/v1/audit", headers={"authorization": f"Bearer {made['access_token']}"}
        ).status_code
        == 403
    )
    workspace.run("clients", "revoke", made["client_id"])
    server.eventually("/v1/audit?type=client.revoked", lambda found: found["events"])
    assert (
        server.client.get(
            "/v1/hooks", headers={"authorization": f"Bearer {made['access_token']}"}
        ).status_code
        == 401
    )


def test_a_restart_serves_the_same_and_records_nothing(start: Any) -> None:
    with start() as first:
        before = first.client.get("/v1/hooks").json()["hooks"]
    with start() as second:
        assert second.client.get("/v1/hooks").json()["hooks"] == before
        synced = second.client.get("/v1/audit?type=source.revision_applied").json()["events"]
        assert len(synced) == 1


def test_the_audit_comes_as_csv_and_ndjson_too(server: Any) -> None:
    as_json = server.client.get("/v1/audit", params={"limit": 500}).json()["events"]
    as_csv = server.client.get("/v1/audit", params={"format": "csv"}).text
    as_lines = server.client.get("/v1/audit", params={"format": "ndjson"}).text
    assert len(list(csv.DictReader(io.StringIO(as_csv)))) == len(as_json)
    assert [json.loads(line)["position"] for line in as_lines.splitlines()] == [
        event["position"] for event in as_json
    ]


def test_the_fixtures_of_the_samples_pass(workspace: Any) -> None:
    results = workspace.json("test", str(workspace.repository / "hooks_repo"))
    assert len(results) >= 10
    assert [r for r in results if not r["passed"]] == []


def test_a_failing_fixture_says_what_differs(workspace: Any) -> None:
    fixture = next(workspace.hooks.glob("pre-user-registration/*/fixtures/*.json"))
    content = json.loads(fixture.read_text())
    content["expect"] = {"result": {"never": True}}
    fixture.write_text(json.dumps(content))
    done = workspace.run("test", str(workspace.repository / "hooks_repo"), check=False)
    assert done.returncode == 1
    assert "expected" in done.stdout
    assert "never" in done.stdout
