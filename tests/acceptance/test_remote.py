"""A repository elsewhere is fetched: its commits go live, and only who says so writes to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.conftest import Server, Workspace, serving

TRIGGER = "pre-user-registration"
PAYLOAD = {"user": {"email": "a@x.org"}, "context": {"connection": {}}}
SCRIPT = "def hook(user, context):\n    return {'user': {'app_metadata': {'from': 'afar'}}}\n"


@pytest.fixture
def remote(workspace: Workspace) -> Iterator[Server]:
    workspace.environment |= {
        "HOOKLEDGER_REPO": f"file://{workspace.repository}",
        "HOOKLEDGER_BRANCH": "main",
        "HOOKLEDGER_REMOTE": '{"protocols": ["file"], "poll_interval": 1}',
    }
    with serving(workspace) as server:
        yield server


def test_a_push_elsewhere_goes_live_by_polling_and_at_once_when_asked(
    remote: Server, workspace: Workspace
) -> None:
    [source] = remote.client.get("/v1/sync").json()["sources"]
    assert (source["state"], source["location"]) == ("Synced", f"file://{workspace.repository}")
    workspace.write_hook(TRIGGER, "block-disposable-mail", SCRIPT)
    commit = workspace.commit("Change it elsewhere")
    answer = remote.until(TRIGGER, PAYLOAD, commit)
    assert answer.json()["effects"]["user"]["app_metadata"] == {"from": "afar"}

    workspace.write_hook(TRIGGER, "block-disposable-mail", SCRIPT.replace("afar", "there"))
    asked = workspace.commit("Once more")
    assert remote.client.post("/v1/sync").json()["commit"] == asked
    assert remote.invoke(TRIGGER, PAYLOAD).headers["hookledger-revision"] == asked


def test_a_remote_repository_is_only_read(remote: Server) -> None:
    body = {"message": "x", "files": [{"path": "hookledger.toml", "content": ""}]}
    answer = remote.client.post("/v1/sync/commits", json=body)
    assert answer.status_code == 409
    assert "commit and push" in answer.json()["detail"]


def test_a_commit_through_the_server_is_pushed_and_in_force(workspace: Workspace) -> None:
    workspace.git("config", "receive.denyCurrentBranch", "ignore")
    workspace.environment |= {
        "HOOKLEDGER_REPO": f"file://{workspace.repository}",
        "HOOKLEDGER_BRANCH": "main",
        "HOOKLEDGER_REMOTE": '{"protocols": ["file"], "push": true}',
    }
    path = f"hooks/{TRIGGER}/block-disposable-mail/hook.py"
    body = {"message": "From the server", "files": [{"path": path, "content": SCRIPT}]}
    with serving(workspace) as server:
        answer = server.client.post("/v1/sync/commits", json=body)
        assert answer.status_code == 201, answer.text
        commit = answer.json()["commit"]
        assert workspace.git("rev-parse", "main") == commit
        assert server.invoke(TRIGGER, PAYLOAD).headers["hookledger-revision"] == commit


def test_an_address_with_a_password_or_a_helper_is_refused_at_the_start(
    workspace: Workspace,
) -> None:
    for address in ("https://ada:secret@git.example.com/x.git", "ext::sh -c true"):
        workspace.environment |= {"HOOKLEDGER_REPO": address, "HOOKLEDGER_BRANCH": "main"}
        refused = workspace.run("serve", check=False)
        assert refused.returncode == 1
        assert "secret" not in refused.stderr
