"""Auth0's SDKs, as they come from their registries, manage hooks here.

What they return is compared with what the server itself says, never taken on trust.
"""

from __future__ import annotations

from typing import Any

import pytest

PRE = "pre-user-registration"
MASK = "_VALUE_NOT_SHOWN_"
SCRIPT = "module.exports = function (user, context, callback) {\n  // ünïcödé\t\n};\r\n"
SECRETS = {"KEY": "hunter2-first", "OTHER": "hunter2-second", "THIRD": 'hunter2-\u00fc "quoted"'}
CHANGED = "hunter2-changed"

NEWEST = [("node", "7.1.0"), ("sync", "6.8.0")]
LAST_4 = [("node", "4.37.1"), ("sync", "4.13.0")]
ASYNC = [("async", "6.8.0"), ("async", "4.13.0")]
BETWEEN = [("node", "6.4.0"), ("node", "5.14.1"), ("node", "3.7.2")]


def sdks(always: list[tuple[str, str]], matrix: list[tuple[str, str]]) -> pytest.MarkDecorator:
    """Try some SDKs always, and more where `make test-clients` asks for all."""
    given = [pytest.param(one, id="-".join(one)) for one in always]
    given += [pytest.param(one, id="-".join(one), marks=pytest.mark.matrix) for one in matrix]
    return pytest.mark.parametrize("sdk_command", given, indirect=True)


every_sdk = sdks(NEWEST + LAST_4 + ASYNC, BETWEEN)

SWITCHES = ("trigger.hook_enabled", "trigger.hook_disabled")
HISTORY = [
    "hook.created",
    "trigger.hook_enabled",
    "hook.script_changed",
    "hook.dependencies_changed",
    "trigger.hook_disabled",
    *["hook.secret_set"] * (len(SECRETS) + 1),
    "hook.secret_removed",
    "hook.deleted",
]

BY_STATUS = {
    400: "BadRequestError",
    403: "ForbiddenError",
    404: "NotFoundError",
    409: "ConflictError",
}
ONE_CLASS = {
    ("node", "3"): "SanitizedError",
    ("node", "4"): "ManagementApiError",
    ("sync", "4"): "Auth0Error",
    ("async", "4"): "Auth0Error",
}
"""Generations that have one class for all errors; the others have one by status."""


@pytest.fixture
def own(request: pytest.FixtureRequest) -> str:
    """Return a name that no other test uses on a server that many share."""
    kind, version = request.node.callspec.params["sdk_command"]
    return f"{kind} {version}".replace(".", "-")


def body(name: str, **members: Any) -> dict[str, Any]:
    return {"name": name, "script": SCRIPT, "triggerId": PRE} | members


@every_sdk
def test_an_sdk_manages_a_hook_and_its_secrets(using: Any, shared_tenant: Any, own: str) -> None:
    tenant = shared_tenant
    account = tenant.account()
    before = tenant.position()
    with using(tenant, account) as sdk:
        made = sdk.call("create", body(own, dependencies={"semver": "7.5.4"}, enabled=True))
        kept = tenant.hook(made["id"])
        assert made["name"] == own.replace(" ", "-") == kept["name"]
        assert kept["script"] == made["script"] == SCRIPT
        assert kept["enabled"] is made["enabled"] is True
        assert kept["dependencies"] == made["dependencies"] == {"semver": "7.5.4"}
        assert kept["owner"] == "api"
        assert sdk.call("get", made["id"]) == made

        changes = {"script": "'second'", "dependencies": {}, "enabled": False}
        changed = sdk.call("update", made["id"], changes)
        assert changed == made | changes == sdk.call("get", made["id"])
        kept = tenant.hook(made["id"])
        assert {key: kept[key] for key in changes} == changes

        assert sdk.call("secrets", made["id"]) == {}
        sdk.call("addSecrets", made["id"], SECRETS)
        sdk.call("updateSecrets", made["id"], {"KEY": CHANGED})
        sdk.call("deleteSecrets", made["id"], ["OTHER"])
        assert sdk.call("secrets", made["id"]) == {"KEY": MASK, "THIRD": MASK}

        sdk.call("delete", made["id"])
        assert tenant.hook(made["id"]) is None

    events = tenant.events(before)
    assert {event["actor"] for event in events} == {f"client:{account.id}"}
    types = [event["type"] for event in events]
    assert [name for name in types if name.startswith("hook.") or name in SWITCHES] == HISTORY
    assert tenant.traces_of(CHANGED, *SECRETS.values()) == []


@every_sdk
def test_an_sdk_reads_every_page(using: Any, shared_tenant: Any, own: str) -> None:
    names = [f"{own} page {number}".replace(" ", "-") for number in range(5)]
    with using(shared_tenant, shared_tenant.account()) as sdk:
        made = [sdk.call("create", body(name)) for name in names]
        listed = sdk.call("list", 2)
        assert [hook["name"] for hook in listed if hook["name"] in names] == names
        assert {hook["name"] for hook in listed} == set(shared_tenant.hooks())
        sdk.call("update", made[3]["id"], {"enabled": True})
        assert names[3] in [hook["name"] for hook in sdk.call("all")]
        for hook in made:
            sdk.call("delete", hook["id"])
    assert not set(names) & set(shared_tenant.hooks())


@every_sdk
def test_an_sdk_is_told_what_is_wrong(
    using: Any, shared_tenant: Any, own: str, request: pytest.FixtureRequest
) -> None:
    reader = shared_tenant.account("read:hooks")
    with using(shared_tenant, shared_tenant.account()) as sdk:
        made = sdk.call("create", body(f"{own} taken"))
        before = shared_tenant.position()
        nobody = "01KAQJ3M7T5Y1V9R2C8D4E6F0G"
        wrong = {
            (404, "HookDoesNotExist"): sdk.ask("get", nobody),
            (404, "SecretDoesNotExist"): sdk.ask("updateSecrets", made["id"], {"NONE": "x"}),
            (409, "HookAlreadyExists"): sdk.ask("create", body(f"{own} Taken")),
            (400, "invalid_body"): sdk.ask("create", body("no_underscores")),
        }
        with using(shared_tenant, reader) as other:
            refused = other.ask("create", body(f"{own} refused"))
            assert other.call("get", made["id"]) == made
        assert refused["error"]["message"].endswith("expected any of: create:hooks")
        assert shared_tenant.position() == before
        sdk.call("delete", made["id"])

    kind, version = request.node.callspec.params["sdk_command"]
    only_class = ONE_CLASS.get((kind, version.partition(".")[0]))
    for (status, code), answer in {**wrong, (403, "insufficient_scope"): refused}.items():
        error = answer["error"]
        assert (error["status"], error["class"]) == (status, only_class or BY_STATUS[status])
        assert error["code"] == (None if only_class == "SanitizedError" else code)


@sdks(NEWEST + LAST_4, ASYNC + BETWEEN)
def test_an_sdk_that_asks_too_often_waits_and_goes_on(
    using: Any, strict_tenant: Any, own: str
) -> None:
    account = strict_tenant.account()
    logged = len(strict_tenant.log())
    names = [f"{own} {number}".replace(" ", "-") for number in range(3)]
    with using(strict_tenant, account) as sdk:
        for name in names:
            sdk.call("create", body(name))
    assert set(names) <= set(strict_tenant.hooks())
    said = strict_tenant.log()[logged:].splitlines()
    lines = [line for line in said if f"client={account.id}" in line]
    assert any("status=429" in line for line in lines)
    assert sum("status=201" in line for line in lines) == len(names)
