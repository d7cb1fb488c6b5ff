"""What differs between two tables, told so that a person sees it and no secret does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from app.application.history import table_diff
from app.application.history.table_diff import FieldChange, HookChange, diff_tables
from app.application.views import ActiveTable, HookRow, SourceRow, TriggerRow
from app.domain.hooks.secrets import SealedSecret
from app.domain.revisions import Position

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def hook(name: str = "greeter", **members: Any) -> HookRow:
    row = HookRow(
        id=f"ID-{name}",
        name=name,
        trigger="t",
        owner="api",
        path=None,
        language="python",
        script="one\ntwo\n",
        digest="d1",
        dependencies={},
        settings={"order": 0},
        secrets={},
        enabled=False,
        break_glass=False,
        commit=None,
        position=Position(1),
        version_key="v",
        created_at=NOW,
        updated_at=NOW,
    )
    return structs.replace(row, **members)


def table(position: int, *hooks: HookRow, **members: Any) -> ActiveTable:
    rows = {row.id: row for row in hooks}
    return ActiveTable(position=Position(position), hooks=rows, **members)


def secret(key_id: str) -> SealedSecret:
    return SealedSecret("KEY", key_id, "sealed")


def trigger(*hook_ids: str) -> TriggerRow:
    return TriggerRow("t", hook_ids, Position(1))


def test_equal_tables_do_not_differ() -> None:
    later = structs.replace(hook(), position=Position(9), updated_at=NOW.replace(year=2027))
    diff = diff_tables(table(1, hook()), table(2, later))
    assert (diff.hooks, diff.triggers, diff.sources, diff.next) == ((), (), (), None)
    assert (diff.before, diff.after) == (1, 2)


@pytest.mark.parametrize(
    ("members", "change"),
    [
        ({"enabled": True}, FieldChange("enabled", before=False, after=True)),
        ({"name": "x"}, FieldChange("name", "greeter", "x")),
        ({"settings": {"order": 5}}, FieldChange("settings.order", 0, 5)),
        ({"settings": {}}, FieldChange("settings.order", 0, None)),
        ({"dependencies": {"idna": "3"}}, FieldChange("dependencies.idna", None, "3")),
        ({"secrets": {"KEY": secret("k1")}}, FieldChange("secrets.KEY", None, "k1")),
    ],
)
def test_a_changed_member_is_told(members: dict[str, Any], change: FieldChange) -> None:
    (found,) = diff_tables(table(1, hook()), table(2, structs.replace(hook(), **members))).hooks
    assert found.fields == (change,)
    assert (found.change, found.script) == (HookChange.CHANGED, "")


def test_of_a_secret_only_versions_are_told() -> None:
    before, after = hook(secrets={"KEY": secret("k1")}), hook(secrets={"KEY": secret("k2")})
    diff = diff_tables(table(1, before), table(2, after))
    assert diff.hooks[0].fields == (FieldChange("secrets.KEY", "k1", "k2"),)
    assert "sealed" not in repr(diff)


def test_a_new_hook_and_one_that_is_gone_are_told_whole() -> None:
    created, retired = diff_tables(table(1, hook("b")), table(2, hook("a"))).hooks
    assert (created.change, retired.change) == (HookChange.CREATED, HookChange.RETIRED)
    assert created.script == "--- /dev/null\n+++ a@2\n@@ -0,0 +1,2 @@\n+one\n+two\n"
    assert retired.script == "--- b@1\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-one\n-two\n"
    assert FieldChange("name", None, "a") in created.fields
    assert FieldChange("settings.order", 0, None) in retired.fields


def test_a_missing_end_of_line_is_a_difference() -> None:
    (found,) = diff_tables(table(1, hook()), table(2, hook(script="one\ntwo", digest="d2"))).hooks
    assert found.script.endswith("-two\n+two\n\\ No newline at end of file\n")


def test_scripts_too_long_to_compare_are_shown_as_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(table_diff, "MAX_COMPARED_LINES", 3)
    after = hook(script="one\nsix\n", digest="d2")
    (found,) = diff_tables(table(1, hook()), table(2, after)).hooks
    assert found.script == (
        "--- greeter@1\n+++ greeter@2\n@@ -1,2 +1,2 @@\n-one\n-two\n+one\n+six\n"
    )


def test_what_triggers_run_and_sources_applied_is_told() -> None:
    source = SourceRow("main", "/x", "main", "", "c1", None, None, None, None, (), Position(1))
    before = table(
        1, hook("a"), hook("b"), triggers={"t": trigger("ID-a")}, sources={"main": source}
    )
    after = replace(
        before,
        position=Position(2),
        triggers={"t": trigger("ID-b", "ID-a")},
        sources={"main": structs.replace(source, applied="c2", position=Position(2))},
    )
    diff = diff_tables(before, after)
    assert diff.triggers[0].fields == (FieldChange("enabled_hooks", ["a"], ["b", "a"]),)
    assert diff.sources[0].fields == (FieldChange("applied", "c1", "c2"),)
    assert diff.hooks == ()


def test_pages_hold_every_hook_once_even_with_one_name() -> None:
    gone = [hook("same"), hook("b")]
    new = [structs.replace(hook("same"), id="ID-other"), hook("a"), hook("c")]
    before, after = table(1, *gone), table(2, *new)
    seen: list[tuple[str, str]] = []
    beyond: str | None = ""
    while beyond is not None:
        page = diff_tables(before, after, beyond=beyond, limit=1)
        seen += [(each.name, each.change) for each in page.hooks]
        beyond = page.next
    assert seen == [
        ("a", "created"),
        ("b", "retired"),
        ("c", "created"),
        ("same", "created"),
        ("same", "retired"),
    ]
