"""Hooks that git owns: the API shows them, stops them in an emergency, and changes nothing else."""

from __future__ import annotations

from typing import Any

import pytest

PRE = "pre-user-registration"


@pytest.mark.parametrize(
    ("body", "file"),
    [
        ({"script": "evil()"}, f"the script in `hooks/{PRE}/mine/`"),
        ({"name": "other"}, f"`hooks/{PRE}/mine/hook.toml`"),
        ({"dependencies": {"semver": "7.5.4"}}, f"`hooks/{PRE}/mine/hook.toml`"),
        ({"enabled": False, "script": "evil()"}, f"`hooks/{PRE}/mine/hook.toml`"),
        ({"enabled": False, "name": "mine"}, f"`hooks/{PRE}/mine/hook.toml`"),
    ],
)
def test_a_change_is_refused_with_the_file_to_commit(tenant: Any, body: Any, file: str) -> None:
    hook_id = tenant.commit_hook("mine")
    before = tenant.topics()
    answer = tenant.ask("PATCH", f"/hooks/{hook_id}", json=body)
    assert answer.status_code == 409
    assert answer.json()["errorCode"] == "hook_owned_by_source"
    assert file in answer.json()["message"]
    assert tenant.topics() == before
    assert tenant.enabled() == {"mine": True}


def test_a_deletion_is_refused_with_the_folder_to_remove(tenant: Any) -> None:
    hook_id = tenant.commit_hook("mine")
    answer = tenant.ask("DELETE", f"/hooks/{hook_id}")
    assert answer.status_code == 409
    assert answer.json()["errorCode"] == "hook_owned_by_source"
    assert f"`hooks/{PRE}/mine/`" in answer.json()["message"]
    assert tenant.enabled() == {"mine": True}


def test_disabling_alone_breaks_the_glass_and_enabling_mends_it(tenant: Any) -> None:
    hook_id = tenant.commit_hook("mine")
    stopped = tenant.ask("PATCH", f"/hooks/{hook_id}", json={"enabled": False})
    assert stopped.status_code == 200
    assert stopped.json()["enabled"] is False
    assert tenant.hooks.table.hooks[hook_id].break_glass
    assert tenant.told()[-1].data["break_glass"] is True
    assert tenant.told()[-1].actor == "client:client-0"
    started = tenant.ask("PATCH", f"/hooks/{hook_id}", json={"enabled": True})
    assert started.json()["enabled"] is True
    assert not tenant.hooks.table.hooks[hook_id].break_glass


def test_what_git_says_is_off_stays_off(tenant: Any) -> None:
    hook_id = tenant.commit_hook("mine", enabled=False)
    answer = tenant.ask("PATCH", f"/hooks/{hook_id}", json={"enabled": True})
    assert answer.status_code == 409
    assert answer.json()["errorCode"] == "hook_owned_by_source"
    assert "`enabled = true`" in answer.json()["message"]


@pytest.mark.parametrize("enabled", [True, False])
def test_a_program_that_writes_back_what_it_read_is_content(tenant: Any, enabled: bool) -> None:
    """Python's packages have names and versions that npm does not know."""
    hook_id = tenant.commit_hook("mine", enabled=enabled, dependencies={"PyYAML": "6.0"})
    before = tenant.topics()
    shown = tenant.ask("GET", f"/hooks/{hook_id}").json()
    body = {key: shown[key] for key in ("name", "script", "enabled", "dependencies")}
    answer = tenant.ask("PATCH", f"/hooks/{hook_id}", json=body)
    assert answer.status_code == 200
    assert answer.json() == shown
    assert tenant.topics() == before
    assert tenant.prepared == []


def test_its_name_cannot_be_taken(tenant: Any) -> None:
    tenant.commit_hook("mine")
    body = {"name": "Mine", "script": "x", "triggerId": PRE}
    assert tenant.ask("POST", "/hooks", json=body).json()["errorCode"] == "HookAlreadyExists"
    made = tenant.create(name="another")
    answer = tenant.ask("PATCH", f"/hooks/{made['id']}", json={"name": "mine"})
    assert answer.json()["errorCode"] == "HookAlreadyExists"


def test_its_secrets_may_be_written(tenant: Any) -> None:
    hook_id = tenant.commit_hook("mine")
    path = f"/hooks/{hook_id}/secrets"
    assert tenant.ask("POST", path, json={"KEY": "a"}).status_code == 201
    assert tenant.ask("PATCH", path, json={"KEY": "b"}).status_code == 201
    assert tenant.vault.values == {"k2": "b"}
    assert tenant.ask("DELETE", path, json=["KEY"]).status_code == 204
    assert tenant.vault.values == {}


def test_a_hook_of_the_api_that_is_enabled_takes_its_place_in_one_event(tenant: Any) -> None:
    hook_id = tenant.commit_hook("mine")
    tenant.create(name="ours", enabled=True)
    assert tenant.enabled() == {"mine": False, "ours": True}
    (told,) = [row for row in tenant.told() if row.type == "trigger.hook_enabled"][1:]
    assert told.data["replaced"] == [hook_id]
