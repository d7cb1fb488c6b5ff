"""The active-hook table as a fold: what each event changes, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from app.application.views import ActiveTable, HookRow
from app.domain.aggregates import Root
from app.domain.revisions import Position
from projections.hook_table.fold import fold

C1, C2 = "1" * 40, "2" * 40


def table(story: Any) -> ActiveTable:
    return fold(ActiveTable(), story.recorded)


def row(story: Any, hook_id: str = "A") -> HookRow:
    return table(story).hooks[hook_id]


def save(story: Any, aggregate: Root) -> Position:
    position: Position = story.save(aggregate)
    return position


def test_a_created_hook_can_be_found_by_id_and_name(story: Any) -> None:
    story.hook("A", "first", commit=C1)

    found = table(story).find_hook("first")

    assert found is not None
    assert found == table(story).find_hook("A")
    assert (found.id, found.trigger, found.owner) == ("A", "t", "source:main")
    assert (found.commit, found.position, found.enabled) == (C1, 1, False)
    assert found.created_at == found.updated_at


@pytest.mark.parametrize("command", ["change_script", "change_dependencies", "change_settings"])
def test_what_changes_the_running_code_moves_commit_position_and_version(
    story: Any, command: str
) -> None:
    hook, before = story.hook(commit=C1), row(story)
    arguments: dict[str, tuple[Any, ...]] = {
        "change_script": ("node", "// other"),
        "change_dependencies": ({"idna": "3.10"},),
        "change_settings": ({"order": 4},),
    }
    with story.meta(C2):
        getattr(hook, command)(*arguments[command], "another digest")
        position = save(story, hook)

    after = row(story)
    assert (after.commit, after.position, after.digest) == (C2, position, "another digest")
    assert after.version_key != before.version_key
    assert after.updated_at > before.updated_at
    assert after.created_at == before.created_at


def test_a_change_from_elsewhere_does_not_keep_the_name_of_a_commit(story: Any) -> None:
    hook = story.hook(commit=C1)
    with story.meta():
        hook.change_script("python", "# by hand", "another digest")
        save(story, hook)

    assert row(story).commit is None


def test_a_new_name_or_folder_is_not_a_new_version(story: Any) -> None:
    hook, before = story.hook(commit=C1), row(story)
    with story.meta(C2):
        hook.rename("second")
        hook.move("elsewhere")
        save(story, hook)

    after = row(story)
    assert (after.name, after.path) == ("second", "elsewhere")
    assert (after.commit, after.position) == (C1, 1)
    assert after.version_key == before.version_key
    assert table(story).names == {"second": "A"}


def test_two_hooks_may_swap_their_names_in_one_transaction(story: Any) -> None:
    first, second = story.hook("A", "first"), story.hook("B", "second")
    with story.meta():
        first.rename("second")
        second.rename("first")
        story.save(first, second)

    assert table(story).names == {"second": "A", "first": "B"}


def test_secrets_change_the_version_and_the_position_but_not_the_commit(story: Any) -> None:
    hook, created = story.hook(commit=C1), row(story)
    with story.meta():
        hook.set_secret(story.secret("KEY", "k1"))
        save(story, hook)
    set_once = row(story)
    with story.meta():
        hook.set_secret(story.secret("KEY", "k2"))
        position = save(story, hook)
    replaced = row(story)
    with story.meta():
        hook.remove_secret("KEY")
        save(story, hook)
    removed = row(story)

    assert replaced.secrets == {"KEY": story.secret("KEY", "k2")}
    assert (replaced.commit, replaced.position) == (C1, position)
    versions = [created.version_key, set_once.version_key, replaced.version_key]
    assert len(set(versions)) == 3
    assert removed.version_key == created.version_key
    assert removed.secrets == {}


def test_enabling_takes_over_from_the_enabled_one(story: Any) -> None:
    story.hook("A", "first", C1)
    story.hook("B", "second", C1)
    trigger = story.trigger()
    with story.meta(C2):
        trigger.enable("A")
        trigger.enable("B")
        position = save(story, trigger)

    now = table(story)
    assert now.active_hook("t") == now.hooks["B"]
    assert (now.hooks["A"].enabled, now.hooks["B"].enabled) == (False, True)
    assert (now.hooks["B"].commit, now.hooks["B"].position) == (C2, position)
    assert (now.triggers["t"].hooks, now.triggers["t"].position) == (("B",), position)


def test_enabling_by_hand_keeps_the_commit_that_made_the_code(story: Any) -> None:
    story.hook(commit=C1)
    trigger = story.trigger()
    with story.meta():
        trigger.enable("A")
        position = save(story, trigger)

    assert (row(story).commit, row(story).position) == (C1, position)


def test_break_glass_stays_until_the_hook_is_enabled_again(story: Any) -> None:
    story.hook()
    trigger = story.trigger()
    with story.meta():
        trigger.enable("A")
        trigger.disable("A", break_glass=True)
        save(story, trigger)
    assert (row(story).enabled, row(story).break_glass) == (False, True)
    assert table(story).active_hook("t") is None

    with story.meta():
        trigger.enable("A")
        save(story, trigger)
    assert (row(story).enabled, row(story).break_glass) == (True, False)


def test_a_trigger_may_be_told_of_a_hook_before_the_hook_itself(story: Any) -> None:
    trigger = story.trigger()
    with story.meta():
        trigger.enable("A")
        save(story, trigger)
    story.hook("A")

    assert row(story).enabled
    assert table(story).active_hook("t") == row(story)


def test_a_deleted_hook_leaves_the_table(story: Any) -> None:
    hook, trigger = story.hook(), story.trigger()
    with story.meta():
        trigger.enable("A")
        save(story, trigger)
        hook.delete()
        trigger.disable("A")
        story.save(hook, trigger)

    now = table(story)
    assert (dict(now.hooks), dict(now.names), now.triggers["t"].hooks) == ({}, {}, ())


def test_the_name_of_a_deleted_hook_may_already_be_another_ones(story: Any) -> None:
    first = story.hook("A", "first")
    story.hook("B", "first")
    with story.meta():
        first.delete()
        save(story, first)

    assert table(story).names == {"first": "B"}


def test_a_client_is_found_by_its_token_until_it_is_revoked(story: Any) -> None:
    client = story.client()
    assert table(story).tokens == {"th": "C"}
    assert table(story).clients["C"].scopes == {"read:hooks"}

    with story.meta():
        client.revoke()
        save(story, client)
    assert table(story).tokens == {}
    assert table(story).clients["C"].revoked


def test_a_source_shows_the_refused_commit_until_another_is_applied(story: Any) -> None:
    source = story.source()
    with story.meta():
        source.reject_revision(commit=C1, branch="main", problems=())
        save(story, source)
    refused = table(story).sources["main"]
    with story.meta():
        source.apply_revision(commit=C2, tree="t", branch="next", plan_digest="p", counts={})
        position = save(story, source)
    applied = table(story).sources["main"]

    assert (refused.applied, refused.rejected, refused.rejected_at is None) == (None, C1, False)
    assert (applied.applied, applied.tree, applied.branch) == (C2, "t", "next")
    assert (applied.rejected, applied.rejected_at, applied.problems) == (None, None, ())
    assert (applied.position, applied.applied_at is None) == (position, False)
