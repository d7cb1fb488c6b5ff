"""What is told of a commit: short, true, and nothing that the ledger does not bear out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, cast

import pytest
from msgspec import structs

from app.application.syncing.commit_statuses import (
    MAX_DESCRIPTION,
    CommitState,
    status_after,
    status_of_tip,
)
from app.application.views import SourceRow
from app.domain.aggregates import DomainEvent, Meta, recorded_as
from app.domain.errors import Problem
from app.domain.revisions import Position
from app.domain.sources.source import Source

SHA = "a" * 40
ROW = SourceRow("s", "/r", "main", "", "b" * 40, None, None, "c" * 40, None, (), Position(1))


def refused(*problems: Problem) -> Any:
    with recorded_as(Meta(actor="source:s", origin="git")):
        source = Source(source="s", location="/r", branch="main", path="")
        source.reject_revision(commit=SHA, branch="main", problems=problems)
        return status_after(cast("DomainEvent", source.collect_events()[-1]))


def test_a_refusal_tells_its_first_reason_on_one_line() -> None:
    told = refused(Problem("is\nnot valid", file="hook.toml", line=3), Problem("other"))
    assert (told.sha, told.state) == (SHA, CommitState.FAILURE)
    assert told.description == "hook.toml:3: is not valid (and 1 more)"


def test_a_description_fits_what_forges_allow() -> None:
    told = refused(Problem("long " * 100), Problem("other"))
    assert len(told.description) == MAX_DESCRIPTION
    assert told.description.endswith("… (and 1 more)")


def test_other_events_tell_nothing() -> None:
    with recorded_as(Meta(actor="source:s", origin="git")):
        [created] = Source(source="s", location="/r", branch="main", path="").collect_events()
    assert status_after(cast("DomainEvent", created)) is None
    assert status_after(None) is None


@pytest.mark.parametrize(
    ("settled", "error", "state"),
    [
        (None, None, CommitState.PENDING),
        (SHA, None, CommitState.SUCCESS),
        ("b" * 40, None, CommitState.PENDING),
        (SHA, "a registry is down", CommitState.ERROR),
    ],
)
def test_a_tip_that_no_event_tells_of(
    settled: str | None, error: str | None, state: CommitState
) -> None:
    told = status_of_tip(SHA, settled, error, ROW)
    assert told is not None
    assert told.state is state
    assert asdict(told)["sha"] == SHA


def test_a_refused_tip_is_the_ledgers_to_tell() -> None:
    assert status_of_tip(SHA, SHA, None, structs.replace(ROW, rejected=SHA)) is None
    assert status_of_tip(None, None, None, None) is None
