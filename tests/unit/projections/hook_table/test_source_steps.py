"""What the table says of a source after people and guards had their say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from app.application.views import ActiveTable, SourceRow
from app.domain.plans.plan import Change, ChangeKind, Plan
from app.domain.revisions import CommitSha, TreeSha
from app.domain.sources.guards import Guard, Hold
from projections.hook_table.fold import fold

C1, C2, C3 = "1" * 40, "2" * 40, "3" * 40
UNTIL = datetime(2026, 12, 24, tzinfo=UTC)
HOLD = Hold(Guard.APPROVAL, "it waits")


def plan_of(commit: str, *names: str) -> Plan:
    changes = tuple(Change(ChangeKind.CREATE, name, "t", f"hooks/{name}", None) for name in names)
    return Plan(CommitSha(commit), TreeSha("f" * 40), changes)


class Scene:
    def __init__(self, story: Any) -> None:
        self.story = story
        self.source = story.source()

    def by(self, actor: str, reason: str | None = None) -> Any:
        return self.story.meta(actor=actor, reason=reason)

    def row(self) -> SourceRow:
        self.story.save(self.source)
        return fold(ActiveTable(), self.story.recorded).sources["main"]

    def applied(self, commit: str) -> SourceRow:
        with self.by("source:main"):
            self.source.apply_revision(
                commit=commit, tree="f" * 40, branch="main", plan_digest=commit, counts={}
            )
            return self.row()


@pytest.fixture
def scene(story: Any) -> Iterator[Scene]:
    with story.meta():
        yield Scene(story)


def test_a_held_plan_is_shown_with_who_approved_it_until_it_is_applied(scene: Scene) -> None:
    planned = plan_of(C1, "a")
    with scene.by("source:main"):
        scene.source.hold_plan(planned, branch="main", holds=(HOLD,))
        held = scene.row().held
    assert held is not None
    assert (held.commit, held.digest, held.approval) == (C1, planned.digest, None)
    assert [change["name"] for change in held.changes] == ["a"]
    with scene.by("client:ada", "looked at it"):
        scene.source.approve_plan(planned.digest)
        held = scene.row().held
    assert held is not None
    assert held.approval is not None
    assert (held.approval.actor, held.approval.reason) == ("client:ada", "looked at it")
    assert scene.applied(C1).held is None


def test_another_plan_takes_the_place_of_the_held_one_without_its_approval(scene: Scene) -> None:
    first, second = plan_of(C1, "a"), plan_of(C2, "a")
    scene.source.hold_plan(first, branch="main", holds=(HOLD,))
    scene.source.approve_plan(first.digest)
    scene.source.hold_plan(second, branch="main", holds=(HOLD,))
    held = scene.row().held
    assert held is not None
    assert (held.commit, held.approval) == (C2, None)


def test_a_refused_commit_and_a_held_one_take_each_others_place(scene: Scene) -> None:
    scene.source.hold_plan(plan_of(C1, "a"), branch="main", holds=(HOLD,))
    scene.source.reject_revision(commit=C2, branch="main", problems=())
    row = scene.row()
    assert (row.held, row.rejected) == (None, C2)
    scene.source.hold_plan(plan_of(C3, "a"), branch="main", holds=(HOLD,))
    row = scene.row()
    assert (row.held is not None, row.rejected) == (True, None)


def test_a_suspension_says_who_why_and_until_when(scene: Scene) -> None:
    with scene.by("cli:ada", "incident"):
        scene.source.suspend(UNTIL)
        suspension = scene.row().suspension
    assert suspension is not None
    assert (suspension.actor, suspension.reason, suspension.until) == ("cli:ada", "incident", UNTIL)
    scene.source.resume()
    assert scene.row().suspension is None


def test_a_rollback_is_remembered_until_another_commit_is_applied(scene: Scene) -> None:
    scene.applied(C1)
    scene.applied(C2)
    with scene.by("cli:ada", "it is bad"):
        scene.source.roll_back(plan_of(C1), branch="main", skipped=[C2])
        row = scene.row()
    assert (row.applied, row.skipped) == (C1, (C2,))
    assert row.rollback is not None
    assert (row.rollback.previous, row.rollback.act.reason) == (C2, "it is bad")
    row = scene.applied(C3)
    assert (row.rollback, row.skipped) == (None, (C2,))
    assert [each.commit for each in row.history] == [C3, C1, C2, C1]


def test_only_the_newest_commits_are_remembered(scene: Scene) -> None:
    for number in range(30):
        row = scene.applied(f"{number:040x}")
    assert [int(each.commit, 16) for each in row.history] == list(range(29, 9, -1))


def test_healing_leaves_the_source_as_it_was(scene: Scene) -> None:
    before = scene.applied(C1)
    scene.source.heal_drift(plan_of(C1, "a"))
    assert scene.row() == before
