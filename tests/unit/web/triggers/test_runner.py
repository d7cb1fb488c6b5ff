"""The runner over HTTP: what is asked, what is refused, what is told."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.domain.outcomes import Outcome, OutcomeKind
from app.domain.triggers.catalogue import CONTRACTS

PRE = "pre-user-registration"
PATH = f"/v1/triggers/{PRE}/run"
DRAFT = {"language": "python", "script": "def hook(u, c): ...", "payload": CONTRACTS[PRE].example}


def test_a_draft_s_run_is_told_whole(site: Any) -> None:
    site.runner.outcome = Outcome(OutcomeKind.SUCCEEDED, b'{"a": 1}')
    answer = site.post(PATH, orjson.dumps(DRAFT))
    assert answer.status_code == 200
    told = answer.json()
    assert (told["outcome"], told["result"]["data"], told["effects"]) == ("succeeded", {"a": 1}, {})
    assert (told["detail"], told["skipped"], told["logs"]) == (None, None, [])


def test_a_run_that_the_platform_ended_is_told_not_hidden(site: Any) -> None:
    site.runner.outcome = Outcome(OutcomeKind.TIMED_OUT, detail="too slow")
    told = site.post(PATH, orjson.dumps(DRAFT)).json()
    assert (told["outcome"], told["detail"], told["result"]) == ("timed_out", "too slow", None)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"language": "ruby"}, "language"),
        ({"script": 1}, "script"),
        ({"timeout_ms": 9}, "timeout_ms"),
        ({"timeout_ms": True}, "timeout_ms"),
        ({"secrets": {"a": 1}}, "secrets"),
        ({"headers": [1]}, "headers"),
        ({"scirpt": "x"}, "scirpt"),
    ],
)
def test_a_draft_that_makes_no_sense_is_refused_by_member(
    site: Any, change: dict[str, Any], key: str
) -> None:
    answer = site.post(PATH, orjson.dumps(DRAFT | change))
    assert answer.status_code == 400
    assert [problem["key"] for problem in answer.json()["problems"]] == [key]
    assert site.runner.calls == []


@pytest.mark.parametrize("missing", ["language", "script", "payload"])
def test_what_a_draft_needs_is_named_when_it_is_missing(site: Any, missing: str) -> None:
    draft = {key: value for key, value in DRAFT.items() if key != missing}
    answer = site.post(PATH, orjson.dumps(draft))
    assert missing in [problem["key"] for problem in answer.json()["problems"]]


def test_a_saved_hook_runs_by_name_or_id(site: Any, make_hook: Any) -> None:
    hook = make_hook("a-hook")
    site.put(hook)
    for reference in ("a-hook", hook.id):
        body = orjson.dumps({"payload": CONTRACTS[PRE].example})
        answer = site.post(f"/v1/hooks/{reference}/run", body)
        assert answer.json()["outcome"] == "succeeded"
    assert site.journal.records == []


def test_a_hook_that_is_not_there_cannot_be_run(site: Any) -> None:
    assert site.post("/v1/hooks/nobody/run", b'{"payload": {}}').status_code == 404


def test_running_needs_a_scope_of_its_own(site: Any) -> None:
    site.let_in("hlt_reader", "read:hooks")
    answer = site.post(PATH, orjson.dumps(DRAFT), token="hlt_reader")
    assert answer.status_code == 403
    assert "run:hooks" in answer.text
