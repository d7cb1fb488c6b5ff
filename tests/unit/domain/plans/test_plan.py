"""Plans: what a commit would change, and what makes it impossible."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.domain.errors import Rejected
from app.domain.plans.plan import (
    ActiveHook,
    ActiveTrigger,
    ChangeKind,
    DesiredHook,
    DesiredState,
    Plan,
)
from app.domain.plans.planning import plan
from app.domain.revisions import CommitSha, TreeSha
from app.domain.triggers.definitions import TriggerDefinition

OWNER = "source:default"
SETTINGS: dict[str, Any] = {
    "enabled": False,
    "order": 0,
    "timeout_ms": 5000,
    "network": [],
    "required_secrets": [],
    "prune": "auto",
}


def wanted(
    name: str = "a", *, script: str = "def hook(user, context): ...", **settings: Any
) -> DesiredHook:
    return DesiredHook(
        name=name,
        trigger="pre-user-registration",
        path=f"hooks/pre-user-registration/{name}",
        language="python",
        script=script,
        script_file="hook.py",
        dependencies={},
        settings=SETTINGS | settings,
    )


def state(
    *hooks: DesiredHook, removed: frozenset[str] = frozenset(), complete: bool = True
) -> DesiredState:
    return DesiredState(
        commit=CommitSha("c" * 40),
        tree=TreeSha("d" * 40),
        author="Ada <a@example.com>",
        committer="Ada <a@example.com>",
        message="m",
        hooks=hooks,
        removed=removed,
        complete=complete,
    )


def active(
    hook: DesiredHook, *, enabled: bool = False, owner: str = OWNER, break_glass: bool = False
) -> ActiveHook:
    return ActiveHook(
        id=f"ID-{hook.name}",
        name=hook.name,
        trigger=hook.trigger,
        owner=owner,
        path=hook.path,
        language=hook.language,
        script=hook.script,
        dependencies=hook.dependencies,
        settings=hook.settings,
        digest=hook.digest,
        enabled=enabled,
        break_glass=break_glass,
    )


def kinds(planned: Plan) -> list[tuple[str, str]]:
    return [(str(change.kind), change.name) for change in planned.changes]


def test_a_new_enabled_hook_is_created_and_then_enabled() -> None:
    planned = plan(state(wanted(enabled=True)), [], owner=OWNER)
    assert kinds(planned) == [("create", "a"), ("enable", "a")]


def test_the_same_state_plans_nothing() -> None:
    hook = wanted(enabled=True)
    assert plan(state(hook), [active(hook, enabled=True)], owner=OWNER).changes == ()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        (wanted(script="def hook(user, context): return {}"), "script"),
        (replace(wanted(), dependencies={"x": "1"}), "dependencies"),
        (wanted(timeout_ms=100), "settings"),
        (replace(wanted(), path="hooks/pre-user-registration/team/a"), "path"),
    ],
)
def test_an_update_names_what_it_changes(changed: DesiredHook, field: str) -> None:
    planned = plan(state(changed), [active(wanted())], owner=OWNER)
    assert [(c.kind, c.fields) for c in planned.changes] == [(ChangeKind.UPDATE, (field,))]


def test_a_hook_that_git_no_longer_has_is_retired_first() -> None:
    planned = plan(state(wanted("b")), [active(wanted("a"), enabled=True)], owner=OWNER)
    assert kinds(planned) == [("retire", "a"), ("create", "b")]


def test_a_partial_state_leaves_alone_what_it_does_not_mention() -> None:
    desired = state(wanted("b"), complete=False)
    assert kinds(plan(desired, [active(wanted("a"))], owner=OWNER)) == [("create", "b")]


def test_a_partial_state_retires_removed_folders_only() -> None:
    desired = state(removed=frozenset({wanted("a").path}), complete=False)
    planned = plan(desired, [active(wanted("a")), active(wanted("b"))], owner=OWNER)
    assert kinds(planned) == [("retire", "a")]


def test_a_hook_that_moves_keeps_its_identity() -> None:
    moved = replace(wanted("a"), path="hooks/pre-user-registration/team/a")
    desired = state(moved, removed=frozenset({wanted("a").path}), complete=False)
    planned = plan(desired, [active(wanted("a"))], owner=OWNER)
    assert [(c.kind, c.hook_id) for c in planned.changes] == [(ChangeKind.UPDATE, "ID-a")]


def test_another_name_in_the_same_folder_is_another_hook() -> None:
    renamed = replace(wanted("b"), path=wanted("a").path)
    planned = plan(state(renamed, complete=False), [active(wanted("a"))], owner=OWNER)
    assert kinds(planned) == [("retire", "a"), ("create", "b")]


def test_another_trigger_is_another_hook_with_the_same_name() -> None:
    other = replace(wanted("a"), trigger="send-phone-message")
    planned = plan(state(other), [active(wanted("a"))], owner=OWNER)
    assert kinds(planned) == [("retire", "a"), ("create", "a")]


def test_hooks_of_others_are_never_retired() -> None:
    theirs = active(wanted("theirs"), owner="api")
    assert plan(state(), [theirs], owner=OWNER).changes == ()


def test_a_name_that_belongs_to_somebody_else_refuses_the_commit() -> None:
    with pytest.raises(Rejected) as refusal:
        plan(state(wanted("a")), [active(wanted("a"), owner="api")], owner=OWNER)
    problem = refusal.value.problems[0]
    assert (problem.file, problem.key) == ("hooks/pre-user-registration/a/hook.toml", "name")
    assert "owned by `api`" in problem.message


def test_two_enabled_hooks_of_one_trigger_refuse_the_commit_naming_both() -> None:
    desired = state(wanted("a", enabled=True), wanted("b", enabled=True))
    with pytest.raises(Rejected) as refusal:
        plan(desired, [], owner=OWNER)
    assert [p.file for p in refusal.value.problems] == [
        "hooks/pre-user-registration/a/hook.toml",
        "hooks/pre-user-registration/b/hook.toml",
    ]


def test_an_enabled_hook_that_the_change_does_not_mention_still_counts() -> None:
    staying = active(wanted("a", enabled=True), enabled=True)
    with pytest.raises(Rejected, match="only one hook"):
        plan(state(wanted("b", enabled=True), complete=False), [staying], owner=OWNER)


def test_another_order_of_an_enabled_hook_is_told_to_its_trigger() -> None:
    before = active(wanted(enabled=True), enabled=True)
    planned = plan(state(wanted(enabled=True, order=3)), [before], owner=OWNER)
    assert [(str(c.kind), c.fields) for c in planned.changes] == [
        ("update", ("settings",)),
        ("enable", ()),
    ]


def test_a_hook_disabled_by_hand_stays_off_until_its_content_changes() -> None:
    hook = wanted(enabled=True)
    held = active(hook, enabled=False, break_glass=True)
    assert plan(state(hook), [held], owner=OWNER).changes == ()
    mended = wanted(script="def hook(user, context): return {}", enabled=True)
    assert kinds(plan(state(mended), [held], owner=OWNER)) == [("update", "a"), ("enable", "a")]


def test_a_hook_protected_from_pruning_stays_when_git_no_longer_has_it() -> None:
    planned = plan(state(), [active(wanted(prune=False)), active(wanted("b"))], owner=OWNER)
    assert (kinds(planned), planned.kept) == ([("retire", "b")], ("a",))


def test_a_hook_that_stays_still_takes_the_one_place_at_its_trigger() -> None:
    kept = active(wanted(prune=False, enabled=True), enabled=True)
    with pytest.raises(Rejected, match="`a`, `b`"):
        plan(state(wanted("b", enabled=True)), [kept], owner=OWNER)


def test_a_hook_that_would_stay_but_loses_its_name_is_refused() -> None:
    elsewhere = replace(wanted(), trigger="credentials-exchange")
    with pytest.raises(Rejected, match="prune"):
        plan(state(elsewhere), [active(wanted(prune=False))], owner=OWNER)


def test_a_custom_trigger_does_not_go_while_a_hook_of_it_stays() -> None:
    known = ActiveTrigger(
        "order-placed", OWNER, TriggerDefinition("order-placed", custom=True).text
    )
    kept = replace(active(wanted(prune=False)), trigger="order-placed")
    said = replace(state(), triggers=())
    with pytest.raises(Rejected, match="hooks that stay need it: a"):
        plan(said, [kept], owner=OWNER, triggers=[known])


def test_the_digest_names_content_not_just_kinds() -> None:
    one = plan(state(wanted(script="def hook(user, context): return 1")), [], owner=OWNER)
    two = plan(state(wanted(script="def hook(user, context): return 2")), [], owner=OWNER)
    assert kinds(one) == kinds(two)
    assert one.digest != two.digest


ORDER = TriggerDefinition("order-placed", custom=True, title="Order placed")
PRE_CHAIN = TriggerDefinition("pre-user-registration", custom=False, mode="chain")


def known(definition: TriggerDefinition, owner: str = OWNER) -> ActiveTrigger:
    return ActiveTrigger(definition.id, owner, definition.text)


def on(hook: DesiredHook, trigger: str) -> DesiredHook:
    return replace(hook, trigger=trigger)


def test_a_trigger_is_defined_before_its_hooks_are_made_and_goes_after_them() -> None:
    hook = on(wanted(enabled=True), "order-placed")
    planned = plan(replace(state(hook), triggers=(ORDER,)), [], owner=OWNER)
    assert kinds(planned) == [
        (ChangeKind.DEFINE, "order-placed"),
        (ChangeKind.CREATE, "a"),
        (ChangeKind.ENABLE, "a"),
    ]
    gone = plan(replace(state(), triggers=()), [active(hook)], owner=OWNER, triggers=[known(ORDER)])
    assert kinds(gone) == [(ChangeKind.RETIRE, "a"), (ChangeKind.UNDEFINE, "order-placed")]


def test_an_unchanged_definition_changes_nothing_and_another_text_does() -> None:
    same = replace(state(), triggers=(ORDER,))
    assert plan(same, [], owner=OWNER, triggers=[known(ORDER)]).changes == ()
    other = replace(ORDER, title="Order was placed")
    changed = plan(replace(state(), triggers=(other,)), [], owner=OWNER, triggers=[known(ORDER)])
    assert kinds(changed) == [(ChangeKind.DEFINE, "order-placed")]
    assert changed.digest != plan(same, [], owner=OWNER).digest


def test_a_state_that_says_nothing_of_triggers_leaves_them() -> None:
    partial = state(complete=False)
    assert plan(partial, [], owner=OWNER, triggers=[known(ORDER)]).changes == ()


def test_several_hooks_of_a_chain_may_be_enabled() -> None:
    both = (wanted("a", enabled=True), wanted("b", enabled=True))
    planned = plan(replace(state(*both), triggers=(PRE_CHAIN,)), [], owner=OWNER)
    assert planned.counts["enable"] == 2


def test_a_chain_that_becomes_single_again_must_leave_one_hook() -> None:
    both = (wanted("a", enabled=True), wanted("b", enabled=True))
    with pytest.raises(Rejected) as refusal:
        plan(
            replace(state(*both), triggers=()),
            [active(hook, enabled=True) for hook in both],
            owner=OWNER,
            triggers=[known(PRE_CHAIN)],
        )
    assert "chain" in refusal.value.problems[0].message


def test_a_trigger_of_another_source_cannot_be_taken() -> None:
    with pytest.raises(Rejected) as refusal:
        plan(
            replace(state(), triggers=(ORDER,)),
            [],
            owner=OWNER,
            triggers=[known(ORDER, "source:other")],
        )
    assert refusal.value.problems[0].file == "triggers/order-placed.toml"


def test_a_trigger_that_others_hooks_need_cannot_be_removed() -> None:
    foreign = active(on(wanted("theirs"), "order-placed"), owner="api")
    with pytest.raises(Rejected, match="applied") as refusal:
        plan(replace(state(), triggers=()), [foreign], owner=OWNER, triggers=[known(ORDER)])
    assert "theirs" in refusal.value.problems[0].message


def test_a_name_of_another_source_is_refused_and_both_owners_are_named() -> None:
    theirs = active(wanted("a"), owner="source:other")
    with pytest.raises(Rejected, match="owned by `source:other`, so `source:default` cannot"):
        plan(state(wanted("a")), [theirs], owner=OWNER)


def test_a_trigger_that_another_source_answers_is_not_taken_from_it() -> None:
    theirs = active(wanted("theirs", enabled=True), enabled=True, owner="source:other")
    with pytest.raises(Rejected) as refusal:
        plan(state(wanted("mine", enabled=True)), [theirs], owner=OWNER)
    (problem,) = refusal.value.problems
    assert (problem.file, problem.key) == ("hooks/pre-user-registration/mine/hook.toml", "enabled")
    assert "runs `theirs` of `source:other`, so `source:default`" in problem.message


@pytest.mark.parametrize(
    "theirs",
    [
        active(wanted("theirs"), owner="source:other"),
        active(wanted("theirs", enabled=True), enabled=True, owner="api"),
    ],
)
def test_a_trigger_that_no_other_source_answers_is_free(theirs: ActiveHook) -> None:
    planned = plan(state(wanted("mine", enabled=True)), [theirs], owner=OWNER)
    assert kinds(planned) == [("create", "mine"), ("enable", "mine")]


def test_a_hook_that_an_operator_stopped_does_not_dispute_its_trigger() -> None:
    mine = active(wanted("mine", enabled=True), break_glass=True)
    theirs = active(wanted("theirs", enabled=True), enabled=True, owner="source:other")
    assert plan(state(wanted("mine", enabled=True)), [mine, theirs], owner=OWNER).changes == ()


def test_hooks_of_several_sources_run_in_one_chain() -> None:
    chain = ActiveTrigger("pre-user-registration", "source:other", '{"mode": "chain"}')
    theirs = active(wanted("theirs", enabled=True), enabled=True, owner="source:other")
    desired = state(wanted("mine", enabled=True))
    planned = plan(desired, [theirs], owner=OWNER, triggers=[chain])
    assert kinds(planned) == [("create", "mine"), ("enable", "mine")]
