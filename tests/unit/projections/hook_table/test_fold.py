"""What holds for the fold as a whole: complete, pure, cheap, and strict with what it is given."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from msgspec import structs

from app.application.views import ActiveTable
from app.eventstore.mapper import EVENTS
from projections.event_log import PoisonEvent
from projections.hook_table.draft import Keys
from projections.hook_table.fold import fold, fold_with_changes, touched


def table(story: Any) -> ActiveTable:
    return fold(ActiveTable(), story.recorded)


def test_the_fold_knows_every_event_that_can_be_stored(story: Any) -> None:
    story.every_kind()

    assert {fact.topic for fact in story.recorded} == set(EVENTS)
    assert table(story).position == len(story.recorded)


def test_an_event_that_is_not_understood_stops_the_fold(story: Any) -> None:
    story.hook()
    story.unknown()

    with pytest.raises(PoisonEvent, match=r"Event 2 \(`hook.sharded` of `hook:x`\)") as caught:
        table(story)
    assert (caught.value.position, caught.value.topic) == (2, "hook.sharded")


def test_an_event_known_to_the_domain_but_not_to_the_fold_stops_it(story: Any) -> None:
    story.hook()
    newer = structs.replace(story.recorded[0], topic="hook.cloned")

    with pytest.raises(PoisonEvent, match="no rule"):
        fold(ActiveTable(), [newer])


def test_a_language_nobody_can_run_stops_the_fold(story: Any) -> None:
    story.hook()
    fact = story.recorded[0]

    with pytest.raises(PoisonEvent, match="unknown language `cobol`"):
        fold(ActiveTable(), [structs.replace(fact, event=replace(fact.event, language="cobol"))])


def test_an_event_that_contradicts_the_ones_before_stops_the_fold(story: Any) -> None:
    hook = story.hook()
    with story.meta():
        hook.rename("second")
        story.save(hook)

    with pytest.raises(PoisonEvent, match="contradicts"):
        fold(ActiveTable(), story.recorded[1:])


def test_the_table_before_is_left_as_it_was_and_shared_where_nothing_changed(story: Any) -> None:
    story.hook("A", "first")
    story.client()
    before = table(story)
    story.hook("B", "second")
    after = fold(before, story.recorded[2:])

    assert set(before.hooks) == {"A"}
    assert set(after.hooks) == {"A", "B"}
    assert after.clients is before.clients
    assert after.tokens is before.tokens
    with pytest.raises(TypeError):
        after.hooks["C"] = before.hooks["A"]  # type: ignore[index]


def test_the_changes_name_the_rows_that_must_be_written(story: Any) -> None:
    first = story.hook("A", "first")
    story.hook("B", "second")
    trigger = story.trigger()
    before = table(story)
    with story.meta():
        trigger.enable("B")
        first.delete()
        story.save(trigger, first)

    _, changed = fold_with_changes(before, story.recorded[3:])

    assert changed == Keys(hooks={"A", "B"}, triggers={"t"})


def test_the_touched_rows_suffice_to_fold(story: Any) -> None:
    story.every_kind()
    facts = story.recorded

    for number in range(len(facts)):
        before = fold(ActiveTable(), facts[:number])
        keys = touched(facts[number : number + 3])
        keys.hooks.update(*(before.triggers[k].hooks for k in keys.triggers & set(before.triggers)))
        part = ActiveTable(
            hooks={key: value for key, value in before.hooks.items() if key in keys.hooks},
            triggers={key: value for key, value in before.triggers.items() if key in keys.triggers},
            clients={key: value for key, value in before.clients.items() if key in keys.clients},
            tokens=before.tokens,
            sources={key: value for key, value in before.sources.items() if key in keys.sources},
        )
        whole, changed = fold_with_changes(before, facts[number : number + 3])
        partly, changed_partly = fold_with_changes(part, facts[number : number + 3])

        assert changed_partly == changed
        assert all(partly.hooks.get(key) == whole.hooks.get(key) for key in changed.hooks)
        assert all(partly.triggers[key] == whole.triggers[key] for key in changed.triggers)


def test_a_new_hook_needs_the_row_of_its_trigger_which_may_know_it_already(story: Any) -> None:
    story.hook()

    assert touched(story.recorded) == Keys(hooks={"A"}, triggers={"t"})


def test_one_event_is_cheap_on_a_table_of_10_000_hooks(story: Any) -> None:
    hook = story.hook("A", "first")
    one = table(story).hooks["A"]
    rows = {f"{n}": structs.replace(one, id=f"{n}", name=f"n{n}") for n in range(10_000)} | {
        "A": one
    }
    big = ActiveTable(
        hooks=MappingProxyType(rows), names={value.name: key for key, value in rows.items()}
    )
    with story.meta():
        hook.change_script("python", "# other", "other")
        story.save(hook)

    def fastest(work: Callable[[], object]) -> float:
        durations = []
        for _ in range(20):
            started = time.perf_counter()
            work()
            durations.append(time.perf_counter() - started)
        return min(durations)

    # The floor is one copy of the dictionary; row by row, it would take 25 times as long.
    assert fastest(lambda: fold(big, story.recorded[1:])) < 4 * fastest(rows.copy) + 0.0001
