"""Reads of the past: `as_of` wherever hooks are read, and what changed between two moments."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from msgspec import structs

from app.application.views import ActiveTable, HookRow, TriggerRow
from app.domain.hooks.secrets import SealedSecret
from app.domain.revisions import Position

PRE = "pre-user-registration"


def table(position: int, *hooks: HookRow) -> ActiveTable:
    enabled = tuple(hook.id for hook in hooks if hook.enabled)
    return ActiveTable(
        position=Position(position),
        hooks={hook.id: hook for hook in hooks},
        names={hook.name: hook.id for hook in hooks},
        triggers={PRE: TriggerRow(id=PRE, hooks=enabled, position=Position(position))},
    )


@pytest.fixture
def past(site: Any, make_hook: Any, make_event: Any) -> Any:
    """Made at 2, changed at 5, deleted at 8; the table of today knows nothing of it."""
    hook = make_hook(name="gone", enabled=True, script="old\n")
    secret = SealedSecret(name="KEY", key_id="k1", ciphertext="c2VhbGVk")
    changed = structs.replace(hook, script="new\n", secrets={"KEY": secret}, commit="d" * 40)
    site.history.tables = {2: table(2, hook), 5: table(5, changed), 8: table(8)}
    site.audit.rows = [
        make_event(8, type="hook.deleted", commit=None),
        make_event(5, type="source.revision_applied", commit="d" * 40),
        make_event(2, type="source.revision_applied"),
    ]
    return site


def test_a_deleted_hook_is_seen_in_the_past(past: Any) -> None:
    assert past.get("/v1/hooks/gone").status_code == 404
    answer = past.get("/v1/hooks/gone?as_of=2")
    assert answer.json()["script"] == "old\n"
    assert answer.json()["script_sha256"] == hashlib.sha256(b"old\n").hexdigest()
    assert answer.json()["as_of"] == 2
    assert answer.headers["hookledger-position"] == "2"
    assert past.get("/v1/hooks/gone?as_of=8").status_code == 404


def test_lists_are_answered_as_they_were(past: Any) -> None:
    hooks = past.get("/v1/hooks?as_of=5")
    assert [hook["name"] for hook in hooks.json()["hooks"]] == ["gone"]
    assert hooks.json()["position"] == 5
    assert hooks.headers["hookledger-position"] == "5"
    triggers = past.get("/v1/triggers?as_of=5")
    enabled = {row["id"]: row["enabled_hooks"] for row in triggers.json()["triggers"]}
    assert len(enabled[PRE]) == 1
    assert triggers.headers["hookledger-position"] == "5"
    assert past.get("/v1/hooks").json()["position"] == 7


def test_of_secrets_names_and_versions_are_told(past: Any) -> None:
    answer = past.get("/v1/hooks/gone/secrets?as_of=5")
    assert answer.json() == {"secrets": [{"name": "KEY", "version": "k1"}], "position": 5}
    assert "c2VhbGVk" not in past.get("/v1/hooks/gone?as_of=5").text


@pytest.mark.parametrize(
    ("moment", "position"),
    [("2", 2), ("dddddddd", 5), ("d" * 40, 5), ("2026-11-22T12:00:00Z", None)],
)
def test_a_moment_is_a_position_a_commit_or_a_time(
    past: Any, moment: str, position: int | None
) -> None:
    answer = past.get(f"/v1/hooks/gone?as_of={moment}")
    if position is None:  # events of these tests happen seconds after that
        assert answer.json()["problems"][0]["message"].startswith("lies before the first event")
    else:
        assert answer.json()["as_of"] == position


@pytest.mark.parametrize(
    "path", ["/v1/hooks", "/v1/triggers", "/v1/hooks/x", "/v1/hooks/x/secrets"]
)
def test_a_moment_that_is_none_is_a_problem(past: Any, path: str) -> None:
    for moment in ("9", "0", "yesterday", "2026-11-22", "2099-01-01T00:00:00Z"):
        answer = past.get(f"{path}?as_of={moment}")
        assert answer.status_code == 400
        assert answer.json()["problems"][0]["key"] == "as_of"
    answer = past.get(f"{path}?as_of=abcdef1")
    assert answer.status_code == 404
    assert "abcdef1" in answer.json()["detail"]


def test_what_changed_is_told_field_by_field(past: Any) -> None:
    answer = past.get("/v1/diff?from=2&to=5")
    assert answer.headers["hookledger-position"] == "5"
    (hook,) = answer.json()["hooks"]
    assert (hook["name"], hook["change"]) == ("gone", "changed")
    assert hook["fields"] == [
        {"field": "commit", "from": "c" * 40, "to": "d" * 40},
        {"field": "secrets.KEY", "from": None, "to": "k1"},
    ]
    assert hook["script"] == "--- gone@2\n+++ gone@5\n@@ -1 +1 @@\n-old\n+new\n"
    assert "c2VhbGVk" not in answer.text


def test_without_an_end_the_comparison_is_with_now(past: Any) -> None:
    answer = past.get("/v1/diff?from=dddddddd").json()
    assert (answer["from"], answer["to"]) == (5, 8)
    assert [hook["change"] for hook in answer["hooks"]] == ["retired"]
    assert answer["triggers"][0]["fields"] == [
        {"field": "enabled_hooks", "from": ["gone"], "to": []}
    ]


def test_a_comparison_needs_two_moments_that_are_some(past: Any) -> None:
    for query, key in (("", "from"), ("from=0", "from"), ("from=2&to=99", "to")):
        answer = past.get(f"/v1/diff?{query}")
        assert answer.status_code == 400
        assert answer.json()["problems"][0]["key"] == key


def test_many_hooks_come_in_pages(site: Any, make_hook: Any) -> None:
    hooks = [make_hook(id=f"H{number}", name=f"h{number}", enabled=False) for number in range(5)]
    site.history.tables = {1: table(1), 2: table(2, *hooks)}
    seen, cursor = [], ""
    while cursor is not None:
        page = site.get(f"/v1/diff?from=1&to=2&limit=2{cursor and f'&cursor={cursor}'}").json()
        seen += [hook["name"] for hook in page["hooks"]]
        cursor = page["next"]
    assert seen == [f"h{number}" for number in range(5)]
