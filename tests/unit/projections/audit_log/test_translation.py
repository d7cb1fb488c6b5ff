"""The audit log tells each event for people, and tells no secret."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from app.application.views import AuditRow
from app.domain.sources.sync_runs import SyncRun
from projections.audit_log.translation import (
    Label,
    audit_row,
    concerned_hook,
    label_after,
    searchable,
)
from projections.event_log import Recorded

COMMIT = "c" * 40


def told(facts: Sequence[Recorded]) -> list[AuditRow]:
    labels: dict[str | None, Label | None] = {}
    rows = []
    for fact in facts:
        hook = concerned_hook(fact)
        labels[hook] = label_after(fact, labels.get(hook))
        rows.append(audit_row(fact, labels[hook]))
    return rows


def only(story: Any, topic: str) -> AuditRow:
    (row,) = [row for row in told(story.recorded) if row.type == topic]
    return row


def test_every_event_becomes_a_row(story: Any) -> None:
    story.every_kind()

    rows = told(story.recorded)

    assert [row.position for row in rows] == [fact.position for fact in story.recorded]
    assert all(row.subject == fact.stream for row, fact in zip(rows, story.recorded, strict=True))
    assert all(
        row.at == fact.event.timestamp for row, fact in zip(rows, story.recorded, strict=True)
    )


def test_no_row_holds_ciphertext_hashes_or_code(story: Any) -> None:
    story.every_kind()

    for row in told(story.recorded):
        text = msgspec.json.encode(row).decode() + searchable(row)
        for hidden in ("sealed under", "very private", '"sh"', '"th"', "secret_hash", "ciphertext"):
            assert hidden not in text


def test_a_script_is_told_by_digest_and_size(story: Any) -> None:
    story.every_kind()

    script = b"# very private\n"
    assert only(story, "hook.script_changed").data["script"] == {
        "sha256": hashlib.sha256(script).hexdigest(),
        "bytes": len(script),
        "lines": 1,
    }


def test_the_members_that_matter_are_kept(story: Any) -> None:
    story.every_kind()

    assert (
        only(story, "hook.secret_removed").data.items() >= {"name": "KEY", "key_id": "k1"}.items()
    )
    assert only(story, "hook.settings_changed").data["settings"]["timeout_ms"] == 1
    assert only(story, "client.created").data == {
        "name": "c",
        "scopes": ["read:hooks"],
        "metadata": {},
    }


def test_who_did_it_and_what_git_claims_are_told(story: Any) -> None:
    with story.meta(COMMIT, actor="watcher", correlation_id="corr", reason="moved"):
        story.hook()  # its own, inner meta: from the API
    story.hook("B", "second", commit=COMMIT)

    by_hand, by_git = told(story.recorded)

    assert (by_hand.actor, by_hand.origin, by_hand.commit) == ("alice", "api", None)
    assert (by_git.origin, by_git.source, by_git.commit) == ("git", "main", COMMIT)
    assert by_git.data["commit_by"] == {"author": "Ada", "committer": "Grace"}
    assert "commit_by" not in by_hand.data


def test_reason_and_correlation_id_are_told(story: Any) -> None:
    trigger = story.trigger()
    with story.meta(correlation_id="corr", reason="it loops"):
        trigger.enable("A")
        story.save(trigger)

    row = told(story.recorded)[-1]
    assert (row.correlation_id, row.reason) == ("corr", "it loops")


def test_a_hook_goes_by_the_name_it_had_at_that_time(story: Any) -> None:
    hook = story.hook("A", "first")
    trigger = story.trigger()
    with story.meta():
        trigger.enable("A")
        story.save(trigger)
        hook.rename("second")
        story.save(hook)
        trigger.disable("A")
        story.save(trigger)
        hook.delete()
        story.save(hook)

    names = [(row.type, row.hook_name) for row in told(story.recorded) if row.hook == "A"]
    assert names == [
        ("hook.created", "first"),
        ("trigger.hook_enabled", "first"),
        ("hook.renamed", "second"),
        ("trigger.hook_disabled", "second"),
        ("hook.deleted", "second"),
    ]


def test_every_event_of_a_hook_names_its_trigger(story: Any) -> None:
    story.every_kind()

    rows = [row for row in told(story.recorded) if row.type.startswith(("hook.", "trigger."))]
    assert {row.trigger for row in rows} == {"t"}


def test_a_reserved_name_is_told_with_its_hook(story: Any) -> None:
    story.every_kind()

    row = only(story, "hook_name.reserved")
    assert (row.hook, row.hook_name) == ("A", "first")


@pytest.mark.parametrize(
    "topic", ["source.revision_applied", "sync_run.completed", "sync_run.repeated"]
)
def test_events_of_a_sync_name_source_and_commit(story: Any, topic: str) -> None:
    story.every_kind()

    row = only(story, topic)
    assert (row.source, row.commit) == ("main", COMMIT)


def test_an_unknown_event_is_shown_without_its_members_values(story: Any) -> None:
    state = {
        "timestamp": "2027-01-02T03:04:05Z",
        "meta": {"actor": "bob", "origin": "api", "commit": COMMIT, "source": 5},
        "password": "sesame",
    }
    story.unknown(state=msgspec.json.encode(state), stream="hook:A")

    (row,) = told(story.recorded)

    assert (row.type, row.actor, row.commit, row.source) == ("hook.sharded", "bob", COMMIT, None)
    assert row.at == datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert row.hook == "A"
    assert row.data["members"] == ["password"]
    assert "does not know" in row.data["not_understood"]
    assert "sesame" not in searchable(row)


@pytest.mark.parametrize(
    "state", [b"", b"[]", b"\xff", b'{"timestamp": "soon"}', b'{"meta": []}', b'{"meta": null}']
)
def test_a_damaged_event_is_shown_too(story: Any, state: bytes) -> None:
    story.unknown(state=state)

    (row,) = told(story.recorded)

    assert (row.actor, row.origin, row.position) == ("unknown", "unknown", 1)
    assert row.at.tzinfo is not None


def test_a_row_is_found_by_all_it_tells(story: Any) -> None:
    story.every_kind()

    text = searchable(only(story, "hook.dependencies_changed"))

    for word in ("hook.dependencies_changed", "alice", "first", "idna", "3.10", COMMIT, "Grace"):
        assert word in text


def test_events_of_a_source_name_it_though_no_commit_caused_them(story: Any) -> None:
    story.source()

    row = only(story, "source.created")
    assert (row.source, row.commit, row.hook, row.trigger) == ("main", None, None, None)


def test_a_sync_run_names_its_commit_by_itself(story: Any) -> None:
    with story.meta():
        run = SyncRun(source="main", commit=COMMIT, changes=[])
        run.repeat([])
        story.save(run)

    assert [(row.source, row.commit) for row in told(story.recorded)] == [("main", COMMIT)] * 2
