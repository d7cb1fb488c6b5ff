"""A Node.js hook that attacks, through the server: each attack fails, a victim and all else live on."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.domain.triggers.catalogue import CONTRACTS

SCRIPT = Path(__file__).resolve().parents[1] / "data" / "hostile" / "hook.js"
TRIGGER = "pre-user-registration"
VICTIM = "send-phone-message"
EXAMPLE = CONTRACTS[TRIGGER].example
SECRET = "the-secret-of-the-victim-0451"
VICTIM_SCRIPT = """
let calls = 0;
module.exports = (recipient, text, context, cb) => {
  calls += 1;
  cb(null, { calls, length: context.webtask.secrets.KEY.length });
};
"""

REFUSED = [
    "reads_passwd", "reads_the_database", "reads_the_master_key", "reads_the_servers_environment",
    "lists_processes", "writes_a_file", "runs_a_program", "forks", "kills_the_server",
    "kills_everything", "opens_a_socket", "calls_the_server", "listens", "asks_for_a_name",
    "loads_native_code", "leaves", "answers_a_circle",
]  # fmt: skip
ENDED = {
    "loops": "timed-out",
    "backtracks": "timed-out",
    "never_answers": "timed-out",
    "is_deaf_to_signals": "timed-out",
    "answers_by_a_getter_that_loops": "timed-out",
    "fills_the_heap": "out-of-memory",
    "fills_buffers": "out-of-memory",
    "aborts": "crashed",
    "leaves_for_real": "crashed",
    "answers_and_leaves": "crashed",
    "answers_far_too_much": "violated",
    "fails_with_far_too_much": "violated",
    "answers_too_deep": "violated",
    "writes_garbage_to_its_connection": "violated",
    "closes_the_envelope_with_its_answer": "violated",
}
WITHOUT_EFFECT = [
    "pollutes_every_object", "pollutes_by_its_answer", "writes_effects_of_its_own",
    "replaces_what_writes_json", "floods_the_log", "leaves_timers_behind", "tells_all_it_sees",
]  # fmt: skip
STATUS = {"timed-out": 504, "out-of-memory": 502, "crashed": 502, "violated": 502}


@pytest.fixture(scope="module")
def strike(shared_workspace: Any, shared_server: Any) -> Callable[[str], httpx.Response]:
    """Run an attack; check what must hold after any."""
    workspace, server = shared_workspace, shared_server
    manifest = 'script = "hook.js"\nenabled = true\n'
    workspace.remove_hooks(TRIGGER)
    workspace.remove_hooks(VICTIM)
    for trigger, name, script, more in (
        (TRIGGER, "attacker", SCRIPT.read_text(), 'timeout = "3s"\n'),
        (VICTIM, "victim", VICTIM_SCRIPT, '[secrets]\nrequired = ["KEY"]\n'),
    ):
        folder = workspace.hooks / trigger / name
        folder.mkdir(parents=True)
        (folder / "hook.js").write_text(script)
        (folder / "hook.toml").write_text(manifest + more)
    commit = workspace.commit("Attack")
    server.eventually("/v1/hooks?name=victim", lambda found: found["hooks"])
    workspace.run("secrets", "set", "victim", "KEY", stdin=f"{SECRET}\n")
    server.eventually(
        "/v1/hooks?name=victim", lambda found: found["hooks"][0]["secrets"] == ["KEY"]
    )
    server.until(TRIGGER, EXAMPLE, commit)
    calls = victim_calls(server, commit)
    known = {
        "database": f"{workspace.root}/var/hookledger.db",
        "key": f"{workspace.root}/var/master.key",
        "port": int(server.address.rsplit(":", 1)[1]),
        "server": server.process.pid,
    }

    def run(attack: str) -> httpx.Response:
        payload = {**EXAMPLE, "user": {"attack": attack, "known": known}}
        answer: httpx.Response = server.invoke(TRIGGER, payload)
        # The count shows that the victim's process is still the same.
        victim = server.invoke(VICTIM, CONTRACTS[VICTIM].example).json()
        assert victim["data"] == {"calls": next(calls), "length": len(SECRET)}
        assert server.invoke(TRIGGER, EXAMPLE).json()["data"] == {"calm": True}
        assert server.client.get("/healthz").status_code == 200
        assert server.process.poll() is None
        assert SECRET not in answer.text
        assert server.token not in answer.text
        return answer

    return run


def victim_calls(server: Any, commit: str) -> Iterator[int]:
    first = server.until(VICTIM, CONTRACTS[VICTIM].example, commit).json()["data"]["calls"]
    return itertools.count(first + 1)


@pytest.mark.parametrize("attack", REFUSED)
def test_what_it_may_not_do_is_an_error_of_the_hook(
    strike: Callable[[str], httpx.Response], attack: str
) -> None:
    answer = strike(attack)
    assert (answer.status_code, answer.json()["status"]) == (200, "error"), answer.text
    assert "is not a function" not in answer.json()["data"]["message"]


@pytest.mark.parametrize("attack", ENDED)
def test_a_process_that_goes_too_far_is_ended_and_the_caller_told_why(
    strike: Callable[[str], httpx.Response], attack: str
) -> None:
    answer = strike(attack)
    assert answer.json()["type"] == f"/problems/{ENDED[attack]}", answer.text
    assert answer.status_code == STATUS[ENDED[attack]]


@pytest.mark.parametrize("attack", WITHOUT_EFFECT)
def test_what_it_changes_in_its_own_process_has_no_effect_outside(
    strike: Callable[[str], httpx.Response], attack: str
) -> None:
    answer = strike(attack)
    envelope = answer.json()
    assert (answer.status_code, envelope["status"]) == (200, "success"), answer.text
    assert envelope["effects"] == {}
    assert set(envelope) == {"statusCode", "headers", "status", "data", "effects"}


def test_every_attack_is_made() -> None:
    written = re.findall(r"^  (\w+): \(", SCRIPT.read_text(), re.MULTILINE)
    assert sorted(written) == sorted([*REFUSED, *ENDED, *WITHOUT_EFFECT])
