"""Diffs: what a person reads before agreeing to a plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.domain.plans.diffs import FieldChange, diff_of
from app.domain.plans.plan import ActiveHook, Change, ChangeKind, DesiredHook
from app.domain.sources.change_requests import full_ref, how_to_get

SETTINGS: dict[str, Any] = {"enabled": True, "timeout_ms": 5000, "network": ["a.example:443"]}
WANTED = DesiredHook(
    name="a",
    trigger="t",
    path="hooks/t/a",
    language="python",
    script="one\ntwo\nthree\n",
    script_file="hook.py",
    dependencies={"idna": "3.10"},
    settings=SETTINGS,
)
ACTIVE = ActiveHook(
    id="ID",
    name="a",
    trigger="t",
    owner="source:default",
    path="hooks/t/a",
    language="python",
    script="one\ntwo\nthree\n",
    dependencies={"idna": "3.10"},
    settings=SETTINGS,
    digest="",
    enabled=True,
    break_glass=False,
)


def changed(wanted: DesiredHook, kind: ChangeKind = ChangeKind.UPDATE) -> Any:
    known = ACTIVE if kind is not ChangeKind.CREATE else None
    return diff_of(Change(kind, "a", "t", wanted.path, "ID", (), wanted), known)


def test_a_script_is_compared_line_by_line() -> None:
    diff = changed(replace(WANTED, script="one\n2\nthree\n"))
    assert diff.script.splitlines() == [
        "--- a/hooks/t/a/hook.py",
        "+++ b/hooks/t/a/hook.py",
        "@@ -1,3 +1,3 @@",
        " one",
        "-two",
        "+2",
        " three",
    ]
    assert diff.fields == ()


def test_manifests_are_compared_value_by_value() -> None:
    settings = SETTINGS | {"timeout_ms": 100, "network": ["a.example:443", "b.example:443"]}
    diff = changed(replace(WANTED, settings=settings, dependencies={"rich": "14.0.0"}))
    assert diff.fields == (
        FieldChange("dependencies.idna", "3.10", None),
        FieldChange("dependencies.rich", None, "14.0.0"),
        FieldChange("network", ["a.example:443"], ["a.example:443", "b.example:443"]),
        FieldChange("timeout_ms", 5000, 100),
    )
    assert (diff.network_added, diff.network_removed) == (("b.example:443",), ())
    assert diff.script == ""


def test_a_new_hook_shows_all_it_may_call() -> None:
    diff = changed(WANTED, ChangeKind.CREATE)
    assert diff.network_added == ("a.example:443",)
    assert diff.script.startswith("--- /dev/null\n+++ b/hooks/t/a/hook.py\n")


def test_enabling_has_no_lines_to_show() -> None:
    assert changed(WANTED, ChangeKind.ENABLE) is None


def test_a_script_nobody_would_read_is_not_compared() -> None:
    diff = changed(replace(WANTED, script="x\n" * 6000))
    assert diff.script == "The script is too long to compare here (3 and 6000 lines).\n"


def test_requests_are_found_by_their_short_names() -> None:
    assert full_ref("pull/7/head") == full_ref("refs/pull/7/head") == "refs/pull/7/head"
    assert full_ref("merge-requests/7/merge") == "refs/merge-requests/7/merge"
    assert full_ref("pull/x/head") == "pull/x/head"
    fetch = "git fetch origin refs/pull/7/head:refs/pull/7/head"
    assert fetch in how_to_get("pull/7/head")
    assert how_to_get("main") == ""
