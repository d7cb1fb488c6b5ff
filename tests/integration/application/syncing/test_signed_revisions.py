"""Who vouches for a revision is part of every event it causes; without that nothing is applied."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.errors import Problem, Rejected
from app.domain.signers import Signer

SIGNER = Signer("ssh", "SHA256:abc", "grace@example.com")
MEMBERS = {"method": "ssh", "fingerprint": "SHA256:abc", "principal": "grace@example.com"}


def test_every_event_of_a_signed_revision_names_the_signer(world: Any) -> None:
    commit = world.repository.commit(world.make_hook("a", enabled=True))
    world.repository.signers[commit] = SIGNER
    world.run(world.reconciler.sync())
    facts = world.log.select(0, 100)
    assert {fact.event.meta["commit"] for fact in facts} == {commit}
    assert [fact.event.meta["signer"] for fact in facts] == [MEMBERS] * len(facts)
    assert world.caught_up().table.sources["default"].signer == MEMBERS


def test_an_unsigned_revision_is_refused_before_its_files_are_read(world: Any) -> None:
    commit = world.repository.commit(world.make_hook("a", enabled=True))
    world.repository.unsigned[commit] = (Problem(f"commit {commit[:12]} is not signed"),)
    with pytest.raises(Rejected):
        world.run(world.reconciler.sync())
    assert world.repository.read == []
    assert world.topics() == ["source.created", "source.revision_rejected"]
    row = world.caught_up().table.sources["default"]
    assert (row.rejected, row.problems[0]["message"]) == (
        commit,
        f"commit {commit[:12]} is not signed",
    )
    with pytest.raises(Rejected):
        world.run(world.reconciler.plan(commit))


def test_signatures_are_demanded_since_the_commit_in_force(world: Any) -> None:
    first = world.repository.commit(world.make_hook("a"))
    world.run(world.reconciler.sync())
    refused = world.repository.commit(world.make_hook("a", "y"))
    world.repository.unsigned[refused] = (Problem("not signed"),)
    with pytest.raises(Rejected):
        world.run(world.reconciler.sync())
    last = world.repository.commit(world.make_hook("a", "z"))
    world.run(world.reconciler.sync())
    assert world.repository.verified == [(first, None), (refused, first), (last, first)]
    assert world.caught_up().table.sources["default"].signer is None
