"""A commit becomes a desired state: whole, or only what differs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from app.domain.errors import NotFound, Rejected, Stalled
from app.domain.plans.plan import DesiredState
from app.domain.revisions import CommitSha, TreeSha
from app.gitops.source import LocalRepository

if TYPE_CHECKING:
    from tests.integration.gitops.conftest import GitRepository

HOOK = "hooks/pre-user-registration/no-throwaway"
OTHER = "hooks/send-phone-message/twilio"
SCRIPT = "def hook(user, context):\n    return {}\n"

Follow = Callable[..., LocalRepository]


def read(ours: LocalRepository, since: DesiredState | None = None) -> DesiredState:
    return ours.desired(ours.tip(), since.tree if since else None)


def names(state: DesiredState) -> list[str]:
    return sorted(hook.name for hook in state.hooks)


def messages(refusal: Rejected) -> str:
    return str(refusal)


def test_a_commit_becomes_a_desired_state(theirs: GitRepository, ours: LocalRepository) -> None:
    commit = theirs.commit(
        {f"{HOOK}/hook.toml": "enabled = true\n", f"{HOOK}/hook.py": SCRIPT, "README.md": "hi"},
        "Refuse throw-away\naddresses\n\nBecause of spam.",
    )
    state = read(ours)
    assert (state.commit, state.complete, state.removed) == (commit, True, frozenset())
    assert state.tree == theirs.git("rev-parse", "HEAD^{tree}")
    assert state.author == "Ada <ada@example.com>"
    assert state.committer == "Grace <grace@example.com>"
    assert state.message == "Refuse throw-away addresses"
    (hook,) = state.hooks
    assert (hook.name, hook.trigger, hook.path) == ("no-throwaway", "pre-user-registration", HOOK)
    assert (hook.script, hook.script_file, hook.enabled) == (SCRIPT, "hook.py", True)


def test_only_the_followed_folder_counts(theirs: GitRepository, follow: Follow) -> None:
    theirs.commit_hook()
    theirs.commit_hook(f"deploy/eu/{OTHER}")
    ours = follow(theirs.location, path="/deploy/eu/".strip("/"))
    state = read(ours)
    assert names(state) == ["twilio"]
    assert state.hooks[0].path == OTHER
    assert state.tree == theirs.git("rev-parse", "HEAD:deploy/eu")


def test_a_commit_elsewhere_leaves_the_tree_as_it_is(theirs: GitRepository, follow: Follow) -> None:
    theirs.commit_hook(f"here/{HOOK}")
    ours = follow(theirs.location, path="here")
    first = read(ours)
    theirs.commit({"docs/x.md": "x"})
    second = read(ours, first)
    assert second.tree == first.tree
    assert (second.hooks, second.removed, second.complete) == ((), frozenset(), False)


def test_only_changed_hooks_are_in_a_difference(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    theirs.commit_hook()
    theirs.commit_hook(OTHER)
    first = read(ours)
    theirs.commit({f"{OTHER}/hook.py": SCRIPT + "# new\n"})
    second = read(ours, first)
    assert not second.complete
    assert names(second) == ["twilio"]
    assert second.hooks[0].script.endswith("# new\n")
    assert second.removed == frozenset()


def test_added_removed_and_moved_hooks_are_in_a_difference(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    theirs.commit_hook()
    theirs.commit_hook(OTHER)
    first = read(ours)
    moved = "hooks/pre-user-registration/team-a/no-throwaway"
    (theirs.location / "hooks/pre-user-registration/team-a").mkdir()
    theirs.git("mv", HOOK, moved)
    theirs.git("rm", "-r", "--quiet", OTHER)
    theirs.commit_hook("hooks/credentials-exchange/claims")
    second = read(ours, first)
    assert not second.complete
    assert {hook.name: hook.path for hook in second.hooks} == {
        "no-throwaway": moved,
        "claims": "hooks/credentials-exchange/claims",
    }
    assert second.removed == {HOOK, OTHER}


def test_a_difference_may_span_many_commits_and_a_force_push(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    base = theirs.commit_hook()
    theirs.commit_hook(OTHER)
    first = read(ours)
    theirs.git("reset", "--quiet", "--hard", base)
    for number in range(3):
        theirs.commit({f"{HOOK}/hook.py": f"# {number}\n"})
    second = read(ours, first)
    assert (names(second), set(second.removed)) == (["no-throwaway"], {OTHER})
    assert second.hooks[0].script == "# 2\n"
    assert ours.is_ancestor(CommitSha(base), second.commit)
    assert not ours.is_ancestor(first.commit, second.commit)


def test_all_is_read_when_the_applied_tree_is_gone(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    base = theirs.commit_hook()
    theirs.commit_hook(OTHER)
    first = read(ours)
    theirs.git("reset", "--quiet", "--hard", base)
    theirs.git("reflog", "expire", "--expire=now", "--all")
    theirs.git("gc", "--quiet", "--prune=now")
    second = read(ours, first)
    assert second.complete
    assert names(second) == ["no-throwaway"]
    with pytest.raises(Stalled):
        ours.is_ancestor(first.commit, second.commit)


def test_a_folder_that_stops_being_a_hook_is_removed_and_those_below_it_are_found(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    theirs.commit_hook()
    first = read(ours)
    theirs.commit({f"{HOOK}/hook.toml": None})
    theirs.commit_hook(f"{HOOK}/inner")
    second = read(ours, first)
    assert (names(second), set(second.removed)) == (["inner"], {HOOK})
    theirs.git("rm", "-r", "--quiet", f"{HOOK}/inner")
    theirs.commit_hook()
    third = read(ours, second)
    assert (names(third), set(third.removed)) == (["no-throwaway"], {f"{HOOK}/inner"})


def test_a_group_that_becomes_a_hook_must_not_hold_others_even_unchanged_ones(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    theirs.commit_hook("hooks/send-phone-message/group/team/inner")
    first = read(ours)
    theirs.commit_hook("hooks/send-phone-message/group")
    with pytest.raises(Rejected, match=r"team/inner/hook\.toml: lies within another hook's folder"):
        read(ours, first)


def test_repository_settings_apply_to_all_so_all_is_read_when_they_change(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    theirs.commit_hook()
    first = read(ours)
    theirs.commit({"hookledger.toml": '[defaults]\ntimeout = "2s"\n'})
    second = read(ours, first)
    assert second.complete
    assert second.hooks[0].settings["timeout_ms"] == 2000


def test_a_script_edit_is_a_difference_even_right_after_a_restart(
    theirs: GitRepository, follow: Follow
) -> None:
    theirs.commit_hook()
    theirs.commit_hook(OTHER)
    tree = read(follow(theirs.location)).tree
    commit = CommitSha(theirs.commit({f"{HOOK}/hook.py": "# new\n"}))
    assert not follow(theirs.location).desired(commit, tree).complete


def test_one_name_in_two_folders_is_refused_and_both_are_named(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    theirs.commit_hook()
    theirs.commit_hook(OTHER, 'name = "no-throwaway"\n')
    with pytest.raises(Rejected) as refusal:
        read(ours)
    assert [p.file for p in refusal.value.problems] == [f"{HOOK}/hook.toml", f"{OTHER}/hook.toml"]
    for problem in refusal.value.problems:
        assert f"{HOOK}/hook.toml and {OTHER}/hook.toml" in problem.message


@pytest.mark.parametrize("restarted", [False, True])
def test_a_name_that_an_unchanged_hook_has_is_refused(
    theirs: GitRepository, follow: Follow, *, restarted: bool
) -> None:
    ours = follow(theirs.location)
    theirs.commit_hook()
    theirs.commit_hook(OTHER)
    first = read(ours)
    theirs.commit({f"{OTHER}/hook.toml": 'name = "no-throwaway"\n'})
    with pytest.raises(Rejected, match="is claimed by"):
        read(follow(theirs.location) if restarted else ours, first)
    theirs.commit({f"{OTHER}/hook.toml": 'name = "free"\n'})
    assert "free" in names(read(ours, first))


def test_every_problem_of_every_file_is_reported(theirs: GitRepository, follow: Follow) -> None:
    theirs.commit(
        {
            f"at/{HOOK}/hook.toml": "enabled = 1\ntimeout = 3\n",
            f"at/{OTHER}/hook.toml": "",
            f"at/{OTHER}/hook.py": b"\xff",
            f"at/{OTHER}/inner/hook.toml": "",
            "at/hooks/post-login/x/hook.toml": "",
            "at/hooks/post-login/x/hook.js": "1",
            "at/hookledger.toml": "default = 1\n",
            "at/triggers/custom.toml": "mode = 1\n",
        }
    )
    with pytest.raises(Rejected) as refusal:
        read(follow(theirs.location, path="at"))
    assert [(p.file, p.line, p.key) for p in refusal.value.problems] == [
        ("at/hookledger.toml", 1, "default"),
        ("at/hooks/post-login/x/hook.toml", None, "trigger"),
        (f"at/{HOOK}/hook.toml", None, "script"),
        (f"at/{HOOK}/hook.toml", 1, "enabled"),
        (f"at/{HOOK}/hook.toml", 2, "timeout"),
        (f"at/{OTHER}/hook.py", 1, None),
        (f"at/{OTHER}/inner/hook.toml", None, None),
        ("at/triggers/custom.toml", 1, "mode"),
    ]


def test_stray_files_and_folders_are_fine(theirs: GitRepository, ours: LocalRepository) -> None:
    theirs.commit(
        {
            f"{HOOK}/hook.toml": "",
            f"{HOOK}/hook.py": SCRIPT,
            f"{HOOK}/fixtures/a.json": "{}",
            f"{HOOK}/.gitignore": "x",
            f"{HOOK}/README.md": "x" * 2_000_000,
            f"{HOOK}/readme.md": "y",
            "hooks/README.md": "x",
            "triggers/README.md": "x",
        }
    )
    assert names(read(ours)) == ["no-throwaway"]


def test_a_custom_script_name_and_javascript_are_read(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    theirs.commit({f"{HOOK}/hook.toml": 'script = "main.js"\n', f"{HOOK}/main.js": "// js\n"})
    (hook,) = read(ours).hooks
    assert (hook.language, hook.script, hook.script_file) == ("node", "// js\n", "main.js")


def test_a_missing_folder_is_refused_and_never_an_empty_state(
    theirs: GitRepository, follow: Follow
) -> None:
    theirs.commit({"README.md": "no hooks here"})
    with pytest.raises(Rejected, match="no such folder"):
        read(follow(theirs.location))
    with pytest.raises(Rejected, match="no folder `deploy`"):
        read(follow(theirs.location, path="deploy"))
    with pytest.raises(Rejected, match=r"no folder `README.md/x`"):
        read(follow(theirs.location, path="README.md/x"))


def test_a_hooks_folder_without_hooks_is_an_empty_state(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    theirs.commit_hook()
    first = read(ours)
    theirs.git("rm", "-r", "--quiet", HOOK)
    theirs.commit({"hooks/README.md": "none for now"})
    second = read(ours, first)
    assert (second.hooks, set(second.removed)) == ((), {HOOK})


def test_an_unknown_commit_stalls(theirs: GitRepository, ours: LocalRepository) -> None:
    theirs.commit_hook()
    with pytest.raises(Stalled, match="lacks object"):
        ours.desired(CommitSha("1" * 40), None)
    with pytest.raises(NotFound):
        ours.desired(CommitSha("main"), None)


def test_an_unknown_applied_tree_means_reading_all(
    theirs: GitRepository, ours: LocalRepository
) -> None:
    theirs.commit_hook()
    assert ours.desired(ours.tip(), TreeSha("1" * 40)).complete


def test_thousands_of_hooks_are_read_as_one(theirs: GitRepository, ours: LocalRepository) -> None:
    theirs.write(
        {
            f"hooks/pre-user-registration/team-{number % 10}/h{number}/{name}": content
            for number in range(300)
            for name, content in (
                ("hook.toml", f"order = {number}\n"),
                ("hook.py", f"# {number}\n"),
            )
        }
    )
    theirs.commit({})
    state = read(ours)
    assert {hook.name: (hook.settings["order"], hook.script) for hook in state.hooks} == {
        f"h{number}": (number, f"# {number}\n") for number in range(300)
    }
