"""Triggers that a repository defines, chains, and the runner: by commit and over HTTP."""

from __future__ import annotations

from typing import Any

from app.domain.triggers.catalogue import CONTRACTS

PRE = "pre-user-registration"
ORDER = """
title = "Order placed"
purpose = "Check an order before it is stored."
mode = "chain"
[payload]
type = "object"
required = ["total"]
properties.total = { type = "number", minimum = 0 }
[result]
type = "object"
"""
ADD = """
def hook(event, context):
    former = context.get("effects", {})
    return {"seen": [*former.get("seen", []), NAME], "total": event["total"]}
"""


def define(workspace: Any, text: str = ORDER) -> None:
    folder = workspace.hooks.parent / "triggers"
    folder.mkdir(exist_ok=True)
    (folder / "order-placed.toml").write_text(text)


def write(workspace: Any, name: str, order: int) -> None:
    workspace.write_hook(
        "order-placed",
        name,
        f"NAME = {name!r}\n{ADD}",
        manifest=f"enabled = true\norder = {order}\n",
    )


def test_a_trigger_of_one_s_own_lives_from_commit_to_commit(workspace: Any, server: Any) -> None:
    define(workspace)
    write(workspace, "second", 2)
    write(workspace, "first", 1)
    commit = workspace.commit("Define a trigger and its hooks")

    answer = server.until("order-placed", {"total": 5}, commit).json()
    assert answer["effects"] == {"seen": ["first", "second"], "total": 5}
    assert [step["hook"] for step in answer["hooks"]] == ["first", "second"]

    refused = server.invoke("order-placed", {"total": -1}).json()
    assert refused["status"] == "error"
    assert refused["data"]["message"].startswith("event.total")

    listed = {t["id"]: t for t in server.client.get("/v1/triggers").json()["triggers"]}
    assert listed["order-placed"]["mode"] == "chain"
    assert listed["order-placed"]["owner"] == "source:default"
    document = server.client.get("/openapi.json").json()
    described = document["paths"]["/v1/triggers/order-placed/invoke"]["post"]
    assert described["summary"] == "Order placed"
    assert described["requestBody"]["content"]["application/json"]["schema"]["required"] == [
        "total"
    ]

    audit = server.client.get("/v1/audit", params={"type": "trigger.defined"}).json()["events"]
    assert [(e["trigger"], e["commit"]) for e in audit] == [("order-placed", commit)]

    workspace.remove_hooks("order-placed")
    (workspace.hooks.parent / "triggers" / "order-placed.toml").unlink()
    gone = workspace.commit("Remove the trigger")
    server.eventually("/v1/sync", lambda found: found["sources"][0]["applied"] == gone)
    assert server.invoke("order-placed", {"total": 5}).status_code == 404


def test_a_bad_definition_is_refused_whole_with_its_line(workspace: Any, server: Any) -> None:
    before = workspace.git("rev-parse", "HEAD")
    define(workspace, ORDER.replace('"object"', '"objekt"', 1))
    write(workspace, "first", 1)
    workspace.commit("Define a trigger badly")
    found = server.eventually("/v1/sync", lambda found: found["sources"][0]["problems"])
    source = found["sources"][0]
    assert source["applied"] == before
    assert [(p["file"], p["key"]) for p in source["problems"]] == [
        ("hooks_repo/triggers/order-placed.toml", "payload")
    ]
    assert source["problems"][0]["line"] is not None


def test_auth0_s_points_become_chains_by_one_line(workspace: Any, server: Any) -> None:
    workspace.remove_hooks(PRE)
    (workspace.hooks.parent / "hookledger.toml").write_text(f'[triggers.{PRE}]\nmode = "chain"\n')
    script = "def hook(user, context):\n    return {'user': {'app_metadata': {NAME: 1}}}\n"
    for name in ("a", "b"):
        workspace.write_hook(PRE, name, f"NAME = {name!r}\n{script}")
    commit = workspace.commit("Run two hooks")
    answer = server.until(PRE, CONTRACTS[PRE].example, commit).json()
    assert answer["effects"] == {"user": {"app_metadata": {"a": 1, "b": 1}}}


def test_a_draft_and_a_saved_hook_run_without_a_trace(workspace: Any, server: Any) -> None:
    script = "def hook(user, context):\n    print('draft of', user['email'])\n    return {'x': 1}\n"
    draft = {"language": "python", "script": script, "payload": CONTRACTS[PRE].example}
    head = server.client.get("/v1/hooks").headers["hookledger-position"]
    told = server.client.post(f"/v1/triggers/{PRE}/run", json=draft).json()
    assert told["outcome"] == "succeeded"
    assert told["result"]["data"] == {"x": 1}
    assert [line["text"] for line in told["logs"]] == ["draft of user1@example.com"]

    broken = {**draft, "script": "def hook(user, context)\n"}
    refused = server.client.post(f"/v1/triggers/{PRE}/run", json=broken)
    assert refused.status_code == 400
    assert refused.json()["problems"][0]["line"] == 1

    workspace.remove_hooks(PRE)
    workspace.write_hook(
        PRE, "asleep", "def hook(user, context):\n    return {'y': 2}\n", manifest=""
    )
    commit = workspace.commit("Keep a hook that is not enabled")
    server.eventually("/v1/sync", lambda found: found["sources"][0]["applied"] == commit)
    saved = server.client.post(
        "/v1/hooks/asleep/run", json={"payload": CONTRACTS[PRE].example}
    ).json()
    assert saved["result"]["data"] == {"y": 2}

    assert server.client.get("/v1/invocations").json()["invocations"] == []
    assert int(server.client.get("/v1/hooks").headers["hookledger-position"]) > int(head)


def test_the_command_sends_the_example_of_an_own_trigger_and_names_what_exists(
    workspace: Any, server: Any
) -> None:
    folder = workspace.repository / "hooks_repo" / "triggers"
    folder.mkdir()
    (folder / "order-placed.toml").write_text("[payload]\nexamples = [{ total = 12.5 }]\n")
    script = "def hook(event, context):\n    return {'paid': event['total']}\n"
    workspace.write_hook("order-placed", "cashier", script)
    server.until("order-placed", {"total": 1}, workspace.commit("Place orders"))
    flags = ("--url", server.address, "--token", server.token)
    said = workspace.run("invoke", "order-placed", *flags).stdout
    assert '"paid": 12.5' in said
    assert "hookledger-invocation: " in said
    assert '"paid": 12.5' in workspace.run("run", "cashier", "--saved", *flags).stdout
    refused = workspace.run("invoke", "order-place", *flags, check=False)
    assert "There is no trigger `order-place`; known are: " in refused.stderr
    assert "order-placed" in refused.stderr
