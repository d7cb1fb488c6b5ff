"""Execution records and log lines over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from app.application.journal_views import ExecutionQuery, ExecutionRecord, LogQuery, StoredLine
from app.domain.outcomes import LogLine, OutcomeKind
from app.domain.revisions import Position

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def record(invocation: str = "INV0") -> ExecutionRecord:
    return ExecutionRecord(
        invocation_id=invocation,
        at=NOW,
        trigger="pre-user-registration",
        hook_id="01JA",
        hook_name="a-hook",
        commit="c" * 40,
        position=Position(9),
        caller="client-0",
        kind=OutcomeKind.TIMED_OUT,
        error="It took too long.",
        queued_ms=0.25,
        ran_ms=5000.0,
        total_ms=5001.5,
        request_bytes=300,
        response_bytes=0,
    )


def test_records_are_shown_with_sizes_and_times(site: Any) -> None:
    site.journal.records = [record()]
    answer = site.get("/v1/invocations").json()
    assert answer["next"] is None
    shown = answer["invocations"][0]
    assert shown["at"] == "2026-11-22T12:00:00Z"
    assert shown["kind"] == "timed_out"
    assert (shown["ran_ms"], shown["request_bytes"]) == (5000.0, 300)


def test_every_filter_of_records_reaches_the_journal(site: Any) -> None:
    site.journal.records = [record(str(number)) for number in range(3)]
    answer = site.get(
        "/v1/invocations?trigger=t&hook=h&commit=c&kind=crashed&invocation=I&unsuccessful=true"
        "&since=2026-11-22T12:00:00Z&until=2026-11-22T13:00:00Z&limit=2&cursor=x"
    )
    assert answer.json()["next"] == "more"
    query = ExecutionQuery(
        trigger="t",
        hook="h",
        commit="c",
        kind=OutcomeKind.CRASHED,
        invocation_id="I",
        since=NOW,
        until=NOW.replace(hour=13),
        unsuccessful=True,
    )
    assert site.journal.asked == [(query, "x", 2)]


def test_an_unknown_outcome_is_refused_naming_the_known(site: Any) -> None:
    answer = site.get("/v1/invocations?kind=failed")
    assert answer.status_code == 400
    assert "timed_out" in answer.json()["problems"][0]["message"]


def test_lines_are_shown_with_their_place(site: Any) -> None:
    site.journal.stored = [StoredLine(3, LogLine("INV0", "01JA", NOW, "info", "stdout", "hello"))]
    assert site.get("/v1/logs").json() == {
        "lines": [
            {
                "sequence": 3,
                "invocation_id": "INV0",
                "hook_id": "01JA",
                "at": "2026-11-22T12:00:00Z",
                "level": "info",
                "stream": "stdout",
                "text": "hello",
            }
        ],
        "next": None,
        "previous": None,
    }


def test_every_filter_of_lines_reaches_the_journal(site: Any, make_hook: Any) -> None:
    hook = make_hook()
    site.put(hook)
    query = "&level=error&since=2026-11-22T12:00:00Z&until=2026-11-22T13:00:00Z&limit=7&cursor=x"
    for name in ("a-hook", hook.id):
        site.get(f"/v1/logs?invocation=I&hook={name}{query}")
        wanted = LogQuery("I", hook.id, "error", NOW, NOW.replace(hour=13))
        assert site.journal.asked.pop() == (wanted, "x", 7)


def test_lines_are_looked_for_by_trigger_and_text(site: Any, make_hook: Any) -> None:
    hook = make_hook()
    site.put(hook)
    site.get(f"/v1/logs?trigger={hook.trigger}&text=A+part")
    assert site.journal.asked.pop()[0] == LogQuery(hooks=(hook.id,), text="A part")
    site.get("/v1/logs?trigger=post-change-password")
    assert site.journal.asked.pop()[0] == LogQuery(hooks=())


@pytest.mark.parametrize("path", ["/v1/logs", "/v1/logs/stream", "/v1/invocations/stream"])
def test_a_trigger_that_is_none_is_told_with_those_there_are(site: Any, path: str) -> None:
    answer = site.get(f"{path}?trigger=no-such")
    assert answer.status_code == 404
    assert "no trigger `no-such`; known are: credentials-exchange" in answer.json()["detail"]


def test_lines_of_a_deleted_hook_are_asked_for_by_id(site: Any) -> None:
    gone = "01JDQZ3T9V5W8X2Y4Z6A7B8C9D"
    assert site.get(f"/v1/logs?hook={gone}").status_code == 200
    assert site.journal.asked[-1][0].hook == gone
    answer = site.get("/v1/logs?hook=gone-hook")
    assert answer.status_code == 400
    assert answer.json()["problems"][0]["key"] == "hook"


@pytest.mark.parametrize("level", ["fatal", "INFO", ""])
def test_an_unknown_level_is_refused(site: Any, level: str) -> None:
    assert site.get(f"/v1/logs?level={level}").status_code == 400


def test_an_invocation_over_http_shows_up(site: Any, make_hook: Any) -> None:
    site.put(make_hook())
    invocation = site.invoke().headers["hookledger-invocation"]
    shown = site.get("/v1/invocations").json()["invocations"]
    assert [(item["invocation_id"], item["caller"]) for item in shown] == [(invocation, "client-0")]
