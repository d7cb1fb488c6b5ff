"""Fixtures that gate a commit, results as JUnit, and the runner on the command line."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree as ET

from app.domain.triggers.catalogue import CONTRACTS

PRE = "pre-user-registration"
GATED = "enabled = true\n[tests]\nrequired = true\n"
SCRIPT = "def hook(user, context):\n    return {'user': {'app_metadata': {'plan': PLAN}}}\n"


def write(workspace: Any, plan: str, expected: str | None = "free") -> None:
    workspace.remove_hooks(PRE)
    workspace.write_hook(PRE, "gated", f"PLAN = {plan!r}\n{SCRIPT}", manifest=GATED)
    if expected is not None:
        folder = workspace.hooks / PRE / "gated" / "fixtures"
        folder.mkdir()
        effects = {"user": {"app_metadata": {"plan": expected}}}
        fixture = {"payload": CONTRACTS[PRE].example, "expect": {"effects": effects}}
        (folder / "plan.json").write_text(json.dumps(fixture))


def refusal(server: Any, words: str) -> Any:
    """Wait for a refused commit whose only problem says ``words``."""
    found = server.eventually(
        "/v1/sync",
        lambda told: [p for p in told["sources"][0]["problems"] if words in p["message"]],
    )
    (problem,) = found["sources"][0]["problems"]
    return problem


def test_a_hook_goes_live_only_if_its_fixtures_hold(workspace: Any, server: Any) -> None:
    write(workspace, "free")
    good = workspace.commit("Give everybody the free plan")
    server.until(PRE, CONTRACTS[PRE].example, good)

    write(workspace, "gold", expected="free")
    workspace.commit("Give everybody gold")
    assert refusal(server, "gold")["file"].endswith("gated/fixtures/plan.json")
    assert server.invoke(PRE, CONTRACTS[PRE].example).headers["hookledger-revision"] == good

    write(workspace, "gold", expected=None)
    workspace.commit("Drop the fixtures")
    assert refusal(server, "demands fixtures")["file"].endswith("gated/fixtures")


def test_results_are_written_for_continuous_integration(workspace: Any) -> None:
    write(workspace, "gold", expected="free")
    done = workspace.run("test", str(workspace.hooks.parent), "--junit", "results.xml", check=False)
    assert done.returncode == 1
    suites = {
        suite.get("name"): suite
        for suite in ET.parse(workspace.root / "results.xml").iter("testsuite")
    }
    assert suites["gated"].get("failures") == "1"
    failure = next(suites["gated"].iter("failure"))
    assert "gold" in (failure.get("message") or "")
    assert all(s.get("failures") == "0" for name, s in suites.items() if name != "gated")


def test_a_script_is_tried_from_the_command_line(workspace: Any, server: Any) -> None:
    script = workspace.root / "draft.py"
    script.write_text(
        "def hook(user, context):\n    print('hi')\n    return {'s': context.secrets['K']}\n"
    )
    options = ("--url", server.address, "--token", server.token)
    told = json.loads(
        workspace.run("run", PRE, str(script), "--secret", "K=v", *options, "--json").stdout
    )
    assert (told["outcome"], told["result"]["data"]) == ("succeeded", {"s": "v"})

    script.write_text("def hook(user, context):\n    raise ValueError('no')\n")
    failed = workspace.run("run", PRE, str(script), *options, check=False)
    assert failed.returncode == 1
    assert "errored" in failed.stdout

    write(workspace, "free")
    commit = workspace.commit("Give everybody the free plan")
    server.until(PRE, CONTRACTS[PRE].example, commit)
    payload = workspace.root / "payload.json"
    payload.write_text(json.dumps(CONTRACTS[PRE].example))
    saved = workspace.run("run", "gated", "--saved", "-p", str(payload), *options)
    assert "free" in saved.stdout
