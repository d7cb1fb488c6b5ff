"""A hook that git owns is changed through the server: a commit, in force when the answer comes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from tests.acceptance.conftest import Server, Workspace

TRIGGER = "pre-user-registration"
HOOK = "block-disposable-mail"
PAYLOAD = {"user": {"email": "a@x.org"}, "context": {"connection": {}}}
SCRIPT = "def hook(user, context):\n    return {'user': {'app_metadata': {'edited': True}}}\n"
BROKEN = "def hook(user, context:\n"


def edit(server: Server, workspace: Workspace, *arguments: str, stdin: str | None = None) -> str:
    flags = ("--url", server.address, "--token", server.token)
    done = workspace.run("hooks", "edit", HOOK, *arguments, *flags, check=False, stdin=stdin)
    return done.stdout + done.stderr


def test_an_edited_hook_is_committed_and_in_force(server: Server, workspace: Workspace) -> None:
    said = edit(server, workspace, "--content", "-", "-m", "Mark the edited", stdin=SCRIPT)
    commit = workspace.git("rev-parse", "HEAD")
    assert commit[:12] in said
    assert workspace.git("log", "-1", "--format=%an|%cn|%s") == (
        "quickstart|hookledger|Mark the edited"
    )
    answer = server.invoke(TRIGGER, PAYLOAD)
    assert answer.headers["hookledger-revision"] == commit
    assert answer.json()["effects"]["user"]["app_metadata"] == {"edited": True}
    assert workspace.git("status", "--porcelain") == ""


def test_a_server_with_the_relative_paths_of_the_defaults_commits_too(
    workspace: Workspace, start: Callable[..., AbstractContextManager[Server]]
) -> None:
    workspace.environment |= {
        "HOOKLEDGER_REPO": "repository",
        "HOOKLEDGER_DATA_DIR": "var",
    }
    with start() as server:
        edit(server, workspace, "--content", "-", "-m", "Mark the edited", stdin=SCRIPT)
    assert workspace.git("log", "-1", "--format=%s") == "Mark the edited"


def test_a_script_that_would_be_refused_is_not_committed(
    server: Server, workspace: Workspace
) -> None:
    before = workspace.git("rev-parse", "HEAD")
    said = edit(server, workspace, "--content", "-", stdin=BROKEN)
    assert "hook.py:1" in said
    assert workspace.git("rev-parse", "HEAD") == before
    [source] = server.client.get("/v1/sync").json()["sources"]
    assert (source["state"], source["applied"]) == ("Synced", before)


def test_the_editor_of_the_person_is_used(server: Server, workspace: Workspace) -> None:
    workspace.environment["EDITOR"] = "sed -i s/mailinator.com/mailinator.example/"
    said = edit(server, workspace)
    assert "in force at position" in said
    assert "mailinator.example" in workspace.git("show", "HEAD")
    workspace.environment["EDITOR"] = "true"
    assert "nothing is committed" in edit(server, workspace)
