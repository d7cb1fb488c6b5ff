"""Commits that the server makes are pushed to a remote repository: forward, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.domain.errors import Conflict, Stalled
from app.gitops.new_commits import NewCommit, Person
from app.gitops.remote import RemoteRepository
from app.gitops.write_back import WriteBack

if TYPE_CHECKING:
    from tests.integration.gitops.conftest import GitRepository, GitServer

SCRIPT = "hooks/pre-user-registration/no-throwaway/hook.py"
NEW = b"def hook(user, context):\n    return {'user': {}}\n"
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TOKEN = "ghp_SECRETSECRETSECRET"

Fetch = Callable[..., RemoteRepository]


@pytest.fixture
def url(theirs: GitRepository, server: GitServer) -> str:
    theirs.commit_hook()
    theirs.git("config", "http.receivepack", "true")
    theirs.git("config", "receive.denyCurrentBranch", "ignore")
    return f"{server.address}/theirs/.git"


@pytest.fixture
def prepare(tmp_path: Path) -> Callable[[RemoteRepository], tuple[WriteBack, NewCommit]]:
    def prepare_commit(ours: RemoteRepository) -> tuple[WriteBack, NewCommit]:
        server = Person("hookledger", "hookledger@example.com")
        back = WriteBack(tmp_path / "mirrors" / "fetched", ours, server, lambda: NOW)
        tip = ours.refresh()
        ours.resolve(tip)
        return back, back.prepare(
            tip,
            {SCRIPT: NEW},
            author="Ada Lovelace",
            email="ada@example.com",
            message="Change a hook",
        )

    return prepare_commit


def test_a_commit_is_pushed_on_top_of_its_parent_and_is_the_tip_at_once(
    theirs: GitRepository,
    fetch: Fetch,
    url: str,
    prepare: Callable[..., tuple[WriteBack, NewCommit]],
) -> None:
    theirs.git("branch", "other")
    ours = fetch(url)
    back, commit = prepare(ours)
    before = theirs.git("rev-parse", "main")
    back.publish(commit)
    assert theirs.git("rev-parse", "main") == commit.sha == ours.tip()
    assert theirs.git("rev-parse", "main^", "other").split() == [before, before]
    said = theirs.git("log", "-1", "--format=%an <%ae> by %cn: %s", "main")
    assert said == "Ada Lovelace <ada@example.com> by hookledger: Change a hook"
    assert theirs.git("show", f"main:{SCRIPT}") == NEW.decode().rstrip()


def test_a_branch_that_moved_meanwhile_stays_as_it_is(
    theirs: GitRepository,
    fetch: Fetch,
    url: str,
    prepare: Callable[..., tuple[WriteBack, NewCommit]],
) -> None:
    back, commit = prepare(fetch(url))
    theirs.commit_hook("hooks/send-phone-message/twilio")
    moved = theirs.git("rev-parse", "main")
    with pytest.raises(Conflict, match="has moved meanwhile"):
        back.publish(commit)
    assert theirs.git("rev-parse", "main") == moved


def test_a_token_opens_the_door_and_a_refused_one_is_not_shown(
    theirs: GitRepository,
    fetch: Fetch,
    url: str,
    server: GitServer,
    prepare: Callable[..., tuple[WriteBack, NewCommit]],
    tmp_path: Path,
) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    server.token = TOKEN
    back, commit = prepare(fetch(url, token_file=token))
    server.token = "another"
    with pytest.raises(Stalled) as refused:
        back.publish(commit)
    assert TOKEN not in str(refused.value)
    server.token = TOKEN
    back.publish(commit)
    assert theirs.git("rev-parse", "main") == commit.sha


def test_a_repository_that_refuses_says_why_on_one_line(
    theirs: GitRepository,
    fetch: Fetch,
    url: str,
    prepare: Callable[..., tuple[WriteBack, NewCommit]],
) -> None:
    hook = theirs.git_dir / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nprintf 'only\\033[31m by review\\nplease\\n' >&2\nexit 1\n")
    hook.chmod(0o755)
    back, commit = prepare(fetch(url))
    before = theirs.git("rev-parse", "main")
    with pytest.raises(Stalled, match="refuses the commit") as refused:
        back.publish(commit)
    assert "by review" in str(refused.value)
    assert str(refused.value).isprintable()
    assert theirs.git("rev-parse", "main") == before


def test_a_repository_that_may_only_be_read_stalls(
    theirs: GitRepository,
    fetch: Fetch,
    url: str,
    prepare: Callable[..., tuple[WriteBack, NewCommit]],
) -> None:
    theirs.git("config", "http.receivepack", "false")
    back, commit = prepare(fetch(url))
    with pytest.raises(Stalled):
        back.publish(commit)
    assert theirs.git("rev-parse", "main") != commit.sha


def test_hooks_in_the_mirror_do_not_run(
    fetch: Fetch,
    url: str,
    prepare: Callable[..., tuple[WriteBack, NewCommit]],
    tmp_path: Path,
) -> None:
    back, commit = prepare(fetch(url))
    for name in ("pre-push", "reference-transaction"):
        hook = tmp_path / "mirrors" / "fetched" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        hook.chmod(0o755)
    back.publish(commit)
    assert not (tmp_path / "ran").exists()
