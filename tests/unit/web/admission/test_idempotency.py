"""`Idempotency-Key`: what may be repeated, what is told, and what a key does not let through."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.domain.callers.client import SCOPES
from app.domain.errors import Rejected, Stalled
from app.web.protocol.problem_types import PROBLEM_TYPES
from app.web.routes import OPERATIONS

OTHER = "hlt_" + "z" * 43


def keyed(key: str = "key-1") -> list[tuple[bytes, bytes]]:
    return [(b"idempotency-key", key.encode())]


def suspend(site: Any, key: str = "key-1", reason: str = "an incident", **options: Any) -> Any:
    body = json.dumps({"reason": reason})
    return site.post("/v1/sync/suspend", body, headers=keyed(key), **options)


def test_what_invokes_or_appends_events_can_be_repeated_and_nothing_else() -> None:
    assert {f"{each.method} {each.path}" for each in OPERATIONS if each.repeatable} == {
        "POST /v1/triggers/{trigger}/invoke",
        "POST /api/v2/hooks",
        "PATCH /api/v2/hooks/{id}",
        "DELETE /api/v2/hooks/{id}",
        "POST /api/v2/hooks/{id}/secrets",
        "PATCH /api/v2/hooks/{id}/secrets",
        "DELETE /api/v2/hooks/{id}/secrets",
        "POST /v1/sync",
        "POST /v1/sync/suspend",
        "POST /v1/sync/resume",
        "POST /v1/sync/approve",
        "POST /v1/sync/rollback",
        "POST /v1/sync/commits",
    }


def test_a_repetition_gets_the_first_answer_marked_as_such(site: Any) -> None:
    first, again = suspend(site), suspend(site)
    assert first.status_code == again.status_code == 200
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.content == first.content
    assert again.headers["hookledger-position"] == first.headers["hookledger-position"] == "7"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert len(site.gitops.acts) == 1


def test_without_a_key_each_request_is_carried_out(site: Any) -> None:
    for _ in range(2):
        assert site.post("/v1/sync/suspend", '{"reason": "again"}').status_code == 200
    assert len(site.gitops.acts) == 2
    assert site.answers.kept == {}


@pytest.mark.parametrize(
    "other",
    [
        {"path": "/v1/sync/suspend", "body": '{"reason": "another"}'},
        {"path": "/v1/sync/resume", "body": '{"reason": "an incident"}'},
        {"path": "/v1/sync/suspend?source=default", "body": '{"reason": "an incident"}'},
    ],
)
def test_a_key_with_another_request_is_a_problem_and_nothing_is_done(
    site: Any, other: dict[str, str]
) -> None:
    suspend(site)
    answer = site.post(other["path"], other["body"], headers=keyed())
    assert answer.status_code == 422
    assert answer.json()["type"] == PROBLEM_TYPES["idempotency-key-reused"].uri
    assert len(site.gitops.acts) == 1


def test_a_key_belongs_to_the_client_that_sent_it(site: Any) -> None:
    site.let_in(OTHER, *SCOPES)
    suspend(site)
    answer = suspend(site, token=OTHER)
    assert (answer.status_code, "idempotent-replayed" in answer.headers) == (200, False)
    assert len(site.gitops.acts) == 2


def test_a_key_opens_nothing_for_a_client_that_may_not(site: Any) -> None:
    site.let_in(OTHER, "read:sync")
    suspend(site)
    assert suspend(site, token=OTHER).status_code == 403
    assert suspend(site, token=None).status_code == 401


def test_a_refusal_is_repeated_as_it_was(site: Any) -> None:
    site.gitops.refusal = Rejected("The manifest is not valid.")
    first = site.post("/v1/sync", headers=keyed())
    site.gitops.refusal = None
    again = site.post("/v1/sync", headers=keyed())
    assert (first.status_code, again.status_code) == (422, 422)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert site.post("/v1/sync", headers=keyed("key-2")).status_code == 200


def test_a_failure_of_the_server_is_not_kept(site: Any) -> None:
    site.gitops.refusal = Stalled("A person must act.")
    assert site.post("/v1/sync", headers=keyed()).status_code == 503
    site.gitops.refusal = None
    answer = site.post("/v1/sync", headers=keyed())
    assert (answer.status_code, "idempotent-replayed" in answer.headers) == (200, False)


def test_what_cannot_be_read_is_not_kept(site: Any) -> None:
    assert site.post("/v1/sync?colour=red", headers=keyed()).status_code == 400
    assert site.answers.kept == {}
    assert site.post("/v1/sync", headers=keyed()).status_code == 200


def test_a_key_in_quotes_is_the_key_within(site: Any) -> None:
    assert suspend(site, '"key-1"').status_code == 200
    assert suspend(site, "key-1").headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("key", ["", '""', "a b", "k" * 256, "schl\u00fcssel", '"half'])
def test_what_is_no_key_is_refused_before_anything_is_done(site: Any, key: str) -> None:
    answer = site.post("/v1/sync", headers=[(b"idempotency-key", key.encode())])
    assert answer.status_code == 400
    assert answer.json()["problems"][0]["key"] == "Idempotency-Key"
    assert site.gitops.runs == 0


def test_two_keys_are_refused(site: Any) -> None:
    assert site.post("/v1/sync", headers=[*keyed("a"), *keyed("b")]).status_code == 400
    assert site.gitops.runs == 0


def test_reads_ignore_the_key(site: Any) -> None:
    for _ in range(2):
        answer = site.get("/v1/hooks", headers=keyed())
        assert (answer.status_code, "idempotent-replayed" in answer.headers) == (200, False)
    assert site.answers.kept == {}
