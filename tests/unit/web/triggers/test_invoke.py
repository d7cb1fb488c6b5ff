"""Invoking over HTTP: envelopes, failures, provenance, and what never gets mixed up."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from app.domain.outcomes import LogLine, Outcome, OutcomeKind
from app.domain.revisions import Position
from app.domain.triggers.catalogue import CONTRACTS

PRE = "pre-user-registration"
POST = "post-user-registration"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_result_comes_as_an_envelope_with_its_provenance(site: Any, make_hook: Any) -> None:
    site.put(make_hook())
    site.runner.outcome = Outcome(
        OutcomeKind.SUCCEEDED, b'{"user": {"user_metadata": {"a": 1}}}', queued=0.0015, ran=0.25
    )
    answer = site.invoke()
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["effects"] == {"user": {"user_metadata": {"a": 1}}}
    assert answer.headers["hookledger-invocation"] == "INV0"
    assert answer.headers["hookledger-hook"] == "a-hook"
    assert answer.headers["hookledger-revision"] == "c" * 40
    assert answer.headers["hookledger-position"] == "9"
    timing = answer.headers["server-timing"]
    assert re.fullmatch(r"queue;dur=1\.500, run;dur=250\.000, total;dur=\d+\.\d{3}", timing)


def test_the_caller_and_the_payload_reach_the_run(site: Any, make_hook: Any) -> None:
    site.put(make_hook())
    body = b'{"user": {"n": 1}, "context": {"connection": {}}}'
    assert site.invoke(body).status_code == 200
    assert [call.payload for call in site.runner.calls] == [body]
    assert site.journal.records[0].caller == "client-0"


def test_an_error_of_the_hook_is_an_answer(site: Any, make_hook: Any) -> None:
    site.put(make_hook())
    site.runner.outcome = Outcome(OutcomeKind.ERRORED, b'{"name": "E", "message": "no"}')
    answer = site.invoke()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {"status": "error", "data": {"name": "E", "message": "no"}}
    assert answer.headers["hookledger-hook"] == "a-hook"


def test_a_hook_cannot_pass_its_result_off_as_a_problem(site: Any, make_hook: Any) -> None:
    site.put(make_hook())
    forged = b'{"type": "/problems/internal", "status": 500, "statusCode": 502}'
    site.runner.outcome = Outcome(OutcomeKind.SUCCEEDED, forged)
    answer = site.invoke()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["status"] == "success"


def test_a_payload_that_the_trigger_refuses_is_an_envelope(site: Any, make_hook: Any) -> None:
    site.put(make_hook())
    answer = site.invoke(b"{}")
    assert answer.status_code == 200
    assert answer.json()["status"] == "error"
    assert "Body.user" in answer.json()["data"]["message"]
    assert site.runner.calls == []


def test_a_hook_that_came_from_elsewhere_than_git_has_no_revision(
    site: Any, make_hook: Any
) -> None:
    site.put(make_hook(commit=None))
    answer = site.invoke()
    assert answer.status_code == 200
    assert "hookledger-revision" not in answer.headers


def test_no_enabled_hook_is_no_content(site: Any) -> None:
    answer = site.invoke()
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["hookledger-position"] == "7"
    assert "hookledger-invocation" in answer.headers
    assert "hookledger-hook" not in answer.headers
    assert "content-type" not in answer.headers


def test_a_non_blocking_trigger_is_accepted_once_it_is_stored(site: Any, make_hook: Any) -> None:
    site.put(make_hook(trigger=POST))
    answer = site.invoke(trigger=POST)
    assert answer.status_code == 202
    assert answer.json() == {"invocation_id": "INV0", "status": "accepted"}
    assert answer.headers["hookledger-revision"] == "c" * 40
    assert [delivery.invocation_id for delivery in site.queue.deliveries] == ["INV0"]


@pytest.mark.parametrize("trigger", [PRE, POST])
def test_an_invocation_that_is_sent_again_with_its_key_is_not_made_again(
    site: Any, make_hook: Any, trigger: str
) -> None:
    site.put(make_hook(trigger=trigger))
    key = [(b"idempotency-key", b"from-the-sign-up-form")]
    first, again = (site.invoke(trigger=trigger, headers=key) for _ in range(2))
    assert again.headers["idempotent-replayed"] == "true"
    same = ("hookledger-invocation", "hookledger-revision", "hookledger-position")
    assert [again.headers[name] for name in same] == [first.headers[name] for name in same]
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert len(site.runner.calls) + len(site.queue.deliveries) == 1
    reused = site.invoke(b'{"user":{"email":"b@example.com"},"context":{}}', trigger, headers=key)
    assert reused.json()["type"].endswith("idempotency-key-reused")


def test_a_failure_of_the_platform_is_no_answer_to_be_repeated(site: Any, make_hook: Any) -> None:
    site.put(make_hook())
    key = [(b"idempotency-key", b"k1")]
    site.runner.outcome = Outcome(OutcomeKind.CRASHED, detail="It ended.")
    assert site.invoke(headers=key).status_code == 502
    site.runner.outcome = Outcome(OutcomeKind.SUCCEEDED, b"{}")
    assert site.invoke(headers=key).status_code == 200


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (OutcomeKind.TIMED_OUT, 504),
        (OutcomeKind.OUT_OF_MEMORY, 502),
        (OutcomeKind.CRASHED, 502),
        (OutcomeKind.VIOLATED, 502),
        (OutcomeKind.OVERLOADED, 503),
    ],
)
def test_a_failure_of_the_platform_is_a_problem(
    site: Any, make_hook: Any, kind: OutcomeKind, status: int
) -> None:
    site.put(make_hook())
    line = LogLine("INV0", "01J", NOW, "info", "stdout", "so far so good")
    site.runner.outcome = Outcome(kind, detail="It was killed after 5 s.", logs=(line,), ran=5.0)
    answer = site.invoke()
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"]) == (status, status)
    assert problem["type"] == f"/problems/{kind.value.replace('_', '-')}"
    assert problem["detail"] == "It was killed after 5 s."
    assert problem["invocation_id"] == "INV0"
    assert problem["instance"] == "/v1/invocations?invocation=INV0"
    assert [said["text"] for said in problem["logs"]] == ["so far so good"]
    assert problem["remedy"]
    assert answer.headers["hookledger-revision"] == "c" * 40
    assert answer.headers["hookledger-invocation"] == "INV0"
    assert "run;dur=5000.000" in answer.headers["server-timing"]
    assert ("retry-after" in answer.headers) == (kind is OutcomeKind.OVERLOADED)


def test_an_unknown_trigger_is_not_found_and_the_known_ones_are_named(site: Any) -> None:
    answer = site.post("/v1/triggers/pre-registration/invoke", b"{}")
    assert answer.status_code == 404
    assert PRE in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'"\xff\xfe"', b"\xef\xbb\xbf{}", b"NaN", b"[" * 5000, b'{"a": 1} x'],
    ids=["empty", "open", "not-utf-8", "bom", "nan", "deep", "trailing"],
)
def test_a_body_that_is_no_json_is_rejected(site: Any, make_hook: Any, body: bytes) -> None:
    site.put(make_hook())
    answer = site.invoke(body)
    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/rejected"
    assert "JSON" in answer.json()["detail"]
    assert site.runner.calls == []


def test_query_parameters_are_refused(site: Any, make_hook: Any) -> None:
    site.put(make_hook())
    answer = site.post(f"/v1/triggers/{PRE}/invoke?min_position=3", b"{}")
    assert answer.status_code == 400
    assert site.runner.calls == []


def test_a_demanded_position_is_waited_for(site: Any, make_hook: Any) -> None:
    site.put(make_hook())
    site.hooks.coming = replace(site.hooks.table, position=Position(30))
    answer = site.invoke(headers=[(b"hookledger-min-position", b"30")])
    assert answer.status_code == 200
    assert site.hooks.table.position == 30


def test_a_position_that_does_not_come_is_a_transient_problem(site: Any, make_hook: Any) -> None:
    site.put(make_hook())
    answer = site.invoke(headers=[(b"hookledger-min-position", b"31")])
    assert answer.status_code == 503
    assert answer.json()["type"] == "/problems/transient"
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    "value", [b"", b"-1", b"1.0", b"0x1", b"1" * 40, b"5\r\nx-evil: 1", "٣".encode(), b"1,2"]
)
def test_a_position_that_is_no_number_is_rejected(site: Any, make_hook: Any, value: bytes) -> None:
    site.put(make_hook())
    answer = site.invoke(headers=[(b"hookledger-min-position", value)])
    assert answer.status_code == 400
    assert answer.json()["problems"][0]["key"] == "Hookledger-Min-Position"
    assert "x-evil" not in answer.headers
    assert site.runner.calls == []


def test_a_missing_secret_stalls_without_asking_for_a_retry(site: Any, make_hook: Any) -> None:
    hook = make_hook()
    site.put(structs.replace(hook, settings={**hook.settings, "required_secrets": ["KEY"]}))
    answer = site.invoke()
    assert answer.status_code == 503
    assert answer.json()["type"] == "/problems/stalled"
    assert "hookledger secrets set a-hook" in answer.json()["detail"]
    assert "retry-after" not in answer.headers


def test_an_unexpected_error_tells_a_number_and_nothing_else(
    site: Any, make_hook: Any, caplog: pytest.LogCaptureFixture
) -> None:
    site.put(make_hook())
    site.runner.raises = RuntimeError("password is hunter2")
    answer = site.invoke()
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    number = answer.json()["correlation_id"]
    logged = [record for record in caplog.records if record.getMessage() == "unexpected_error"]
    assert [vars(record)["correlation_id"] for record in logged] == [number]
    assert logged[0].exc_info


@pytest.mark.parametrize("name", ["a\r\nx-evil: 1", "a\nb", "snow\u2603", "a\x00b"])
def test_a_name_that_could_forge_a_header_fails_the_answer(
    site: Any, make_hook: Any, name: str
) -> None:
    site.put(structs.replace(make_hook(), name=name))
    answer = site.invoke()
    assert answer.status_code == 500
    assert answer.json()["type"] == "/problems/internal"
    assert "x-evil" not in answer.headers
    assert "hookledger-hook" not in answer.headers


def test_only_post_invokes(site: Any, make_hook: Any) -> None:
    site.put(make_hook())
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE"):
        answer = site.ask(method, f"/v1/triggers/{PRE}/invoke")
        assert answer.status_code == 405, method
        assert answer.headers["allow"] == "POST, OPTIONS"
    assert site.runner.calls == []


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda c: c.id)
def test_every_trigger_runs_its_example(site: Any, make_hook: Any, contract: Any) -> None:
    site.put(make_hook(trigger=contract.id))
    assert site.invoke(trigger=contract.id).status_code == (200 if contract.blocking else 202)
