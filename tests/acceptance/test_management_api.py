"""The Management API of a real server, row by row as Auth0's clients were seen to call it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

PRE = "pre-user-registration"
HOOKS = "/api/v2/hooks"
MASK = "_VALUE_NOT_SHOWN_"
SCRIPT = "function (user, context, callback) { callback(null, { user }); }"
NOT_FOUND = {
    "statusCode": 404,
    "error": "Not Found",
    "message": "Error: Hook does not exist",
    "errorCode": "HookDoesNotExist",
}


def send(server: Any, method: str, path: str, **options: Any) -> httpx.Response:
    answer: httpx.Response = server.client.request(method, path, **options)
    return answer


def create(server: Any, name: str, **members: Any) -> dict[str, Any]:
    body = {"name": name, "script": SCRIPT, "triggerId": PRE} | members
    answer = send(server, "POST", HOOKS, json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_the_calls_of_every_client_are_answered(server: Any) -> None:
    """One test for the whole table: each row reads what the rows before it wrote."""
    owned = send(server, "GET", HOOKS).json()
    assert {hook["triggerId"] for hook in owned} >= {PRE}

    # Deploy CLI 8: the dry run's question, then the list.
    query = {"page": 0, "per_page": 100, "include_totals": "true"}
    dry = send(server, "GET", "/api/v2/clients", params=query)
    assert dry.json() == {"total": 0, "start": 0, "limit": 100, "clients": []}
    page = send(server, "GET", HOOKS, params=query).json()
    assert [key for key, value in page.items() if isinstance(value, list)] == ["hooks"]
    assert page["total"] == len(page["hooks"]) == len(owned)
    for hook in page["hooks"]:
        assert send(server, "GET", f"{HOOKS}/{hook['id']}").status_code == 200
        assert send(server, "GET", f"{HOOKS}/{hook['id']}/secrets").json() == {}

    # Create, with what the Deploy CLI always sends.
    first = create(server, "Wire Table", enabled=False, dependencies={})
    assert first["name"] == "wire-table"
    one = f"{HOOKS}/{first['id']}"
    shown = send(server, "GET", one, params={"fields": "id,name"}).json()
    assert shown == {"id": first["id"], "name": "wire-table"}
    assert send(server, "GET", one, content=b"null\n").json()["script"] == SCRIPT
    again = send(
        server, "POST", HOOKS, json={"name": "wire-table", "script": "x", "triggerId": PRE}
    )
    assert (again.status_code, again.json()["errorCode"]) == (409, "HookAlreadyExists")

    # Secrets.
    secrets = f"{one}/secrets"
    answer = send(server, "POST", secrets, json={"KEY": "hunter2-one", "OTHER": "hunter2-two"})
    assert (answer.status_code, answer.json()) == (201, {})
    assert send(server, "POST", secrets, json={"KEY": "x"}).status_code == 409
    answer = send(server, "PATCH", secrets, json={"KEY": "hunter2-three"})
    assert (answer.status_code, answer.json()) == (201, {})
    assert send(server, "PATCH", secrets, json={"NONE": "x"}).status_code == 404
    assert send(server, "GET", secrets).json() == {"KEY": MASK, "OTHER": MASK}
    answer = send(server, "DELETE", secrets, json=["OTHER"])
    assert (answer.status_code, answer.content) == (204, b"")

    # Update and delete.
    whole = {"name": "Wire Table", "script": SCRIPT, "enabled": True, "dependencies": {}}
    answer = send(server, "PATCH", one, json=whole)
    assert (answer.status_code, answer.json()) == (200, first | {"enabled": True})
    enabled = send(server, "GET", HOOKS, params={"enabled": "true", "triggerId": PRE}).json()
    assert [hook["id"] for hook in enabled] == [first["id"]]
    assert send(server, "PATCH", one, json={"triggerId": PRE}).status_code == 400
    assert send(server, "DELETE", one, json={}).status_code == 204
    for path in (one, secrets):
        gone = send(server, "GET", path)
        assert (gone.status_code, gone.json()) == (404, NOT_FOUND)

    # Refusals.
    bad = httpx.get(f"{server.address}{HOOKS}", headers={"authorization": "Bearer bad"})
    assert (bad.status_code, bad.json()["message"]) == (401, "Invalid token")
    assert send(server, "GET", "/api/v2/rules").json()["errorCode"] == "not_found"
    assert send(server, "PUT", HOOKS).json()["errorCode"] == "method_not_allowed"

    # The history tells it all, and no value.
    events = server.eventually(
        f"/v1/audit?hook={first['id']}&limit=100",
        lambda found: "hook.deleted" in [event["type"] for event in found["events"]],
    )["events"]
    assert {event["actor"].partition(":")[0] for event in events} == {"client"}
    assert {event["origin"] for event in events} == {"api"}
    assert "hunter2" not in repr(events)


def test_of_24_posts_that_race_for_a_name_one_makes_a_hook(server: Any) -> None:
    gate = threading.Barrier(24)

    def post(number: int) -> int:
        gate.wait(timeout=30)
        body = {"name": "raced", "script": str(number), "triggerId": PRE, "enabled": True}
        return send(server, "POST", HOOKS, json=body).status_code

    with ThreadPoolExecutor(24) as pool:
        statuses = sorted(pool.map(post, range(24)))
    assert statuses == [201, *[409] * 23]
    names = [hook["name"] for hook in send(server, "GET", HOOKS).json()]
    assert names.count("raced") == 1


def test_git_keeps_its_hooks_and_an_operator_can_stop_one(workspace: Any, server: Any) -> None:
    (owned,) = send(server, "GET", HOOKS, params={"triggerId": PRE, "enabled": "true"}).json()
    one = f"{HOOKS}/{owned['id']}"
    for answer in (send(server, "PATCH", one, json={"script": "x"}), send(server, "DELETE", one)):
        assert answer.status_code == 409
        assert answer.json()["errorCode"] == "hook_owned_by_source"
        assert f"hooks/{PRE}/{owned['name']}" in answer.json()["message"]
    assert send(server, "PATCH", one, json={"enabled": False}).status_code == 200
    assert server.invoke(PRE, {"user": {}, "context": {}}).status_code == 204
    shown = server.client.get(f"/v1/hooks/{owned['id']}").json()
    assert shown["break_glass"] is True


def test_what_was_written_survives_a_kill(start: Any) -> None:
    with start() as server:
        made = create(server, "kept", enabled=True)
        send(server, "POST", f"{HOOKS}/{made['id']}/secrets", json={"KEY": "value"})
        server.process.kill()
        server.process.wait()
    with start() as server:
        assert send(server, "GET", f"{HOOKS}/{made['id']}").json() == made
        assert send(server, "GET", f"{HOOKS}/{made['id']}/secrets").json() == {"KEY": MASK}
        body = {"name": "kept", "script": SCRIPT, "triggerId": PRE}
        assert send(server, "POST", HOOKS, json=body).status_code == 409
