"""One invocation in full, and many in figures."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from app.application.journal_views import ExecutionQuery


def test_an_invocation_is_shown_with_its_runs_and_lines(
    site: Any, make_hook: Any, make_line: Any
) -> None:
    site.put(make_hook())
    invocation = site.invoke().headers["hookledger-invocation"]
    site.journal.stored = [make_line(2), make_line(1)]
    shown = site.get(f"/v1/invocations/{invocation}").json()
    assert [run["invocation_id"] for run in shown["runs"]] == [invocation]
    assert [line["sequence"] for line in shown["lines"]] == [1, 2]
    assert (shown["earlier_lines"], shown["recorded"]) == (False, False)
    assert site.journal.asked[-2][0] == ExecutionQuery(invocation_id=invocation)


def test_an_invocation_of_which_nothing_is_known_is_not_found(site: Any) -> None:
    assert site.get("/v1/invocations/01J").status_code == 404


def test_records_are_filtered_by_caller_time_and_error(site: Any) -> None:
    site.get("/v1/invocations?caller=c&min_ms=2.5&text=gateway")
    assert site.journal.asked[-1][0] == ExecutionQuery(caller="c", min_ms=2.5, text="gateway")
    assert site.get("/v1/invocations?min_ms=-1").status_code == 400


def test_figures_are_of_the_last_hour_unless_a_window_is_given(site: Any, now: Any) -> None:
    shown = site.get("/v1/invocations/stats?hook=a-hook").json()
    (asked,) = site.journal.asked_stats
    assert (asked.until, asked.since, asked.hook) == (now, now - timedelta(hours=1), "a-hook")
    assert shown["overall"] == {
        "runs": 1,
        "outcomes": {"errored": 1},
        "error_rate": 1.0,
        "failure_rate": 0.0,
        "total_ms": {"p50": 2, "p95": 3, "p99": 4},
        "ran_ms": {"p50": 1, "p95": 2, "p99": 3},
    }
    assert shown["hooks"][0]["hook_name"] == "a-hook"
    assert shown["series"][0]["total_ms"]["p50"] is None
