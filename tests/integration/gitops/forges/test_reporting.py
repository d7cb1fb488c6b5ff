"""A forge is told every commit's state once, whatever fails in between."""

from __future__ import annotations

import logging
from typing import Any

import pytest

TOKEN = "forge-token-0123456789"


@pytest.mark.parametrize(
    ("kind", "path", "header", "state"),
    [
        ("github", "/repos/acme/hooks/statuses/", ("authorization", f"Bearer {TOKEN}"), "failure"),
        (
            "gitea",
            "/api/v1/repos/acme/hooks/statuses/",
            ("authorization", f"token {TOKEN}"),
            "failure",
        ),
        (
            "forgejo",
            "/api/v1/repos/acme/hooks/statuses/",
            ("authorization", f"token {TOKEN}"),
            "failure",
        ),
        ("gitlab", "/api/v4/projects/acme%2Fhooks/statuses/", ("private-token", TOKEN), "failed"),
    ],
)
def test_each_forge_is_told_in_its_own_way(
    reports: Any, forge: Any, kind: str, path: str, header: tuple[str, str], state: str
) -> None:
    reports.kind = kind
    reports.happens("a", "failure", "hook.py:3: is not Python")
    reports.work(reports.server())
    [(told_path, headers, body)] = forge.told
    assert told_path == path + "a" * 40
    assert headers[header[0]] == header[1]
    context = body["name"] if kind == "gitlab" else body["context"]
    assert (body["state"], body["description"], context, body["target_url"]) == (
        state,
        "hook.py:3: is not Python",
        "hookledger/default",
        "https://hooks.example.com/v1/sync",
    )


def test_a_state_is_told_once_over_rounds_and_restarts(reports: Any, forge: Any) -> None:
    reports.happens("a")
    reports.work(reports.server(), rounds=3)
    reports.events.append(None)
    reports.work(reports.server(), rounds=3)
    assert forge.states == ["success"]


def test_an_outage_loses_nothing_and_ends_with_the_newest_states(reports: Any, forge: Any) -> None:
    reports.address = "http://127.0.0.1:9"
    reports.happens("a")
    reports.happens("b", "failure", "no")
    reports.work(reports.server(), rounds=3)
    reports.happens("b")
    reports.address = ""
    server = reports.server()
    reports.later(3600)
    reports.work(server)
    assert [(path[-1], body["state"]) for path, _, body in forge.told] == [
        ("a", "success"),
        ("b", "success"),
    ]


def test_a_refusal_is_tried_again_with_growing_pauses(
    reports: Any, forge: Any, caplog: pytest.LogCaptureFixture
) -> None:
    forge.answer = (401, {}, b"bad credentials")
    reports.happens("a")
    server = reports.server()
    with caplog.at_level(logging.WARNING):
        reports.work(server, rounds=5)
        assert len(forge.told) == 1, "not before it is due"
        reports.later(1.1)
        reports.work(server, rounds=5)
        reports.later(1.1)
        reports.work(server, rounds=5)
    assert len(forge.told) == 2
    assert TOKEN not in caplog.text
    said = [record.__dict__["reason"] for record in caplog.records]
    assert "the token is not accepted" in said[0]
    forge.answer = (201, {}, b"{}")
    reports.later(2)
    reports.work(server)
    reports.later(9999)
    reports.work(server)
    assert len(forge.told) == 3


def test_a_forge_that_asks_for_a_pause_gets_it(reports: Any, forge: Any) -> None:
    forge.answer = (429, {"retry-after": "120"}, b"")
    reports.happens("a")
    server = reports.server()
    reports.work(server)
    reports.later(119)
    reports.work(server)
    assert len(forge.told) == 1
    reports.later(2)
    reports.work(server)
    assert len(forge.told) == 2


def test_one_commit_the_forge_does_not_know_does_not_hold_up_the_others(
    reports: Any, forge: Any
) -> None:
    forge.answer = (422, {}, b"No commit found")
    reports.happens("a")
    server = reports.server()
    reports.work(server)
    forge.answer = (201, {}, b"{}")
    reports.happens("b")
    reports.work(server)
    assert [path[-1] for path, _, _ in forge.told] == ["a", "b"]


def test_redirections_are_not_followed(reports: Any, forge: Any) -> None:
    forge.answer = (307, {"location": f"{forge.address}/elsewhere"}, b"")
    reports.happens("a")
    reports.work(reports.server())
    assert [path for path, _, _ in forge.told] == ["/repos/acme/hooks/statuses/" + "a" * 40]


def test_a_state_that_gitlab_has_already_is_told(reports: Any, forge: Any) -> None:
    reports.kind = "gitlab"
    forge.answer = (400, {}, b'{"message": "Cannot transition status via :enqueue from :pending"}')
    reports.tip = reports.status("a", "pending")
    server = reports.server()
    reports.work(server)
    reports.later(9999)
    reports.work(server)
    assert len(forge.told) == 1


def test_a_tip_is_pending_then_in_error_then_what_the_ledger_says(reports: Any, forge: Any) -> None:
    server = reports.server()
    for state in ("pending", "pending", "error", "pending"):
        reports.tip = reports.status("a", state, state)
        reports.work(server)
    reports.happens("a")
    reports.work(server)
    assert forge.states == ["pending", "error", "pending", "success"]


def test_what_was_seen_of_the_tip_never_takes_back_what_the_ledger_says(
    reports: Any, forge: Any
) -> None:
    reports.tip = reports.status("a", "pending")
    reports.happens("a", "failure", "no")
    server = reports.server()
    reports.work(server)
    reports.tip = reports.status("a", "success")
    reports.work(server, rounds=2)
    assert forge.states == ["failure"]


def test_a_commit_may_fail_and_succeed_in_turn(reports: Any, forge: Any) -> None:
    server = reports.server()
    for state in ("success", "failure", "success"):
        reports.happens("a", state)
        reports.work(server)
    assert forge.states == ["success", "failure", "success"]


def test_the_first_time_only_the_present_is_told(reports: Any, forge: Any) -> None:
    for sha in "abc":
        reports.happens(sha)
    reports.begin = 2
    reports.work(reports.server())
    assert [path[-1] for path, _, _ in forge.told] == ["c"]


@pytest.mark.parametrize("token", [None, "", "two\nlines", "ü"])
def test_a_token_that_cannot_be_used_sends_nothing(
    reports: Any, forge: Any, token: str | None
) -> None:
    reports.happens("a")
    server = reports.server()
    file = reports.folder / "token"
    if token is None:
        file.unlink()
    else:
        file.write_text(token)
    reports.work(server)
    assert forge.told == []
    file.write_text(TOKEN)
    reports.later(60)
    reports.work(server)
    assert forge.states == ["success"]


def test_a_status_is_given_up_in_the_end(reports: Any, forge: Any) -> None:
    forge.answer = (404, {}, b"")
    reports.happens("a")
    server = reports.server()
    for _ in range(500):
        reports.later(601)
        reports.work(server)
    assert len(forge.told) == 440
    assert reports.opened[-1].waiting() == 0


def test_what_is_settled_is_forgotten_after_a_month(reports: Any, forge: Any) -> None:
    reports.happens("a")
    server = reports.server()
    reports.work(server)
    reports.later(31 * 86_400)
    reports.happens("b")
    reports.work(server)
    assert reports.opened[-1].knows("default", "a" * 40) is None
