"""Listing triggers and hooks: what is shown, what never is, filters and pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.application.acts import Act
from app.application.views import TriggerRow
from app.domain.hooks.secrets import SealedSecret
from app.domain.revisions import Position
from app.domain.triggers.catalogue import CONTRACTS

PRE, PHONE = "pre-user-registration", "send-phone-message"


def names(answer: Any) -> list[str]:
    return [hook["name"] for hook in answer.json()["hooks"]]


def test_triggers_come_with_their_contract_and_their_enabled_hooks(
    site: Any, make_hook: Any
) -> None:
    hook = make_hook()
    site.put(hook)
    answer = site.get("/v1/triggers").json()
    shown = {trigger["id"]: trigger for trigger in answer["triggers"]}
    assert list(shown) == list(CONTRACTS)
    assert shown[PRE]["enabled_hooks"] == [hook.id]
    assert shown[PRE]["parameters"] == ["user", "context"]
    assert shown[PRE]["example"] == CONTRACTS[PRE].example
    assert shown[PRE]["blocking"] is True
    assert (shown[PHONE]["enabled_hooks"], shown[PHONE]["position"]) == ([], 0)
    assert answer["position"] == 9


def test_a_hook_is_shown_with_everything_but_its_script(site: Any, make_hook: Any) -> None:
    hook = make_hook()
    site.put(hook)
    answer = site.get("/v1/hooks")
    assert answer.json()["hooks"] == [
        {
            "id": hook.id,
            "name": "a-hook",
            "trigger": PRE,
            "owner": "source:default",
            "path": f"hooks/{PRE}/a-hook",
            "language": "python",
            "enabled": True,
            "break_glass": False,
            "override": None,
            "digest": "d" * 64,
            "dependencies": {},
            "settings": dict(hook.settings),
            "secrets": [],
            "commit": "c" * 40,
            "position": 9,
            "version_key": "v1",
            "created_at": "2026-11-22T12:00:00Z",
            "updated_at": "2026-11-22T12:00:00Z",
        }
    ]
    assert answer.json()["position"] == 9
    assert answer.json()["next"] is None
    assert answer.headers["hookledger-position"] == "9"


def test_of_secrets_only_the_names_are_shown_anywhere(site: Any, make_hook: Any) -> None:
    sealed = {
        name: SealedSecret(name, "key-id-1", "Y2lwaGVydGV4dA==") for name in ("B_KEY", "A_KEY")
    }
    site.put(make_hook(secrets=sealed))
    for path in ("/v1/hooks", "/v1/hooks/a-hook", "/v1/triggers"):
        answer = site.get(path)
        assert "Y2lwaGVydGV4dA" not in answer.text
        assert "key-id-1" not in answer.text
    assert site.get("/v1/hooks").json()["hooks"][0]["secrets"] == ["A_KEY", "B_KEY"]


def test_one_hook_comes_with_its_script_by_name_or_id(site: Any, make_hook: Any) -> None:
    hook = make_hook()
    site.put(hook)
    by_name, by_id = site.get("/v1/hooks/a-hook"), site.get(f"/v1/hooks/{hook.id}")
    assert by_name.json() == by_id.json()
    assert by_name.json()["script"] == hook.script


def test_an_unknown_hook_is_not_found(site: Any) -> None:
    answer = site.get("/v1/hooks/nobody")
    assert answer.status_code == 404
    assert "`nobody`" in answer.json()["detail"]


def test_filters_are_combined(site: Any, make_hook: Any) -> None:
    site.put(
        make_hook("a"),
        make_hook("b", enabled=False),
        make_hook("c", trigger=PHONE, enabled=False),
    )
    assert names(site.get("/v1/hooks")) == ["a", "b", "c"]
    assert names(site.get(f"/v1/hooks?trigger={PRE}")) == ["a", "b"]
    assert names(site.get("/v1/hooks?enabled=false")) == ["b", "c"]
    assert names(site.get(f"/v1/hooks?enabled=false&trigger={PRE}")) == ["b"]
    assert names(site.get("/v1/hooks?name=c")) == ["c"]
    assert names(site.get("/v1/hooks?name=z")) == []


def test_pages_cover_every_hook_once_even_when_some_come_and_go(site: Any, make_hook: Any) -> None:
    site.put(*(make_hook(f"hook-{number:02}", enabled=False) for number in range(0, 20, 2)))
    seen: list[str] = []
    cursor = ""
    while True:
        page = site.get(f"/v1/hooks?limit=3{cursor}")
        seen += names(page)
        if page.json()["next"] is None:
            break
        cursor = f"&cursor={page.json()['next']}"
        site.put(make_hook("hook-01", enabled=False))
    assert seen == [f"hook-{number:02}" for number in range(0, 20, 2)]


def test_an_unknown_trigger_is_refused_naming_the_known(site: Any) -> None:
    answer = site.get("/v1/hooks?trigger=pre-registration")
    assert answer.status_code == 404
    assert PRE in answer.json()["detail"]


def test_several_enabled_hooks_are_listed_in_order(site: Any, make_hook: Any) -> None:
    first, second = make_hook("b"), make_hook("a")
    site.put(first, second)
    both = TriggerRow(PRE, (first.id, second.id), Position(12))
    site.hooks.table = replace(site.hooks.table, triggers={PRE: both})
    shown = {t["id"]: t for t in site.get("/v1/triggers").json()["triggers"]}
    assert shown[PRE]["enabled_hooks"] == [first.id, second.id]


@pytest.mark.parametrize(
    "path",
    ["/v1/triggers", "/v1/hooks", "/v1/hooks/a-hook", "/v1/sync", "/v1/invocations", "/v1/logs"],
)
def test_every_read_waits_for_a_demanded_position_and_says_its_own(
    site: Any, make_hook: Any, path: str
) -> None:
    site.put(make_hook())
    site.hooks.coming = replace(site.hooks.table, position=Position(30))
    assert site.get(path).headers["hookledger-position"] == "9"
    answer = site.get(path, headers=[(b"hookledger-min-position", b"30")])
    assert answer.status_code == 200
    assert answer.headers["hookledger-position"] == "30"
    late = site.get(path, headers=[(b"hookledger-min-position", b"31")])
    assert (late.status_code, late.headers["retry-after"]) == (503, "1")
    assert site.get(path, headers=[(b"hookledger-min-position", b"x")]).status_code == 400


def test_a_hook_disabled_by_hand_says_who_did_it_why_and_until_when(
    site: Any, make_hook: Any
) -> None:
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    act = Act("cli:ada", at, "too many", at + timedelta(hours=2))
    site.put(make_hook(enabled=False, break_glass=True, override=act))
    assert site.get("/v1/hooks/a-hook").json()["override"] == {
        "actor": "cli:ada",
        "at": "2026-11-22T12:00:00Z",
        "reason": "too many",
        "until": "2026-11-22T14:00:00Z",
    }
