"""What Prometheus is told of the invocations that passed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from app.application.journal_views import ExecutionRecord
from app.bootstrap.metrics import CountingJournal, expose
from app.domain.outcomes import OutcomeKind
from app.domain.revisions import Position

_LABELS = ("trigger", "outcome", "le")


class FakeJournal:
    def __init__(self) -> None:
        self.records: list[ExecutionRecord] = []

    def record(self, execution: ExecutionRecord) -> None:
        self.records.append(execution)


def execution(trigger: str, kind: OutcomeKind, ran_ms: float) -> ExecutionRecord:
    return ExecutionRecord(
        invocation_id="INV",
        at=datetime(2026, 11, 23, tzinfo=UTC),
        trigger=trigger,
        hook_id=None,
        hook_name=None,
        commit=None,
        position=Position(1),
        caller="c",
        kind=kind,
        error=None,
        queued_ms=0.0,
        ran_ms=ran_ms,
        total_ms=ran_ms,
        request_bytes=0,
        response_bytes=0,
    )


def counting() -> tuple[CountingJournal, CollectorRegistry, Any]:
    registry, journal = CollectorRegistry(), FakeJournal()
    return CountingJournal(journal, registry), registry, journal  # type: ignore[arg-type]


def samples(registry: CollectorRegistry) -> dict[tuple[str, tuple[str, ...]], float]:
    families = text_string_to_metric_families(expose(registry).decode())
    return {
        (sample.name, tuple(sample.labels[label] for label in _LABELS if label in sample.labels)): (
            sample.value
        )
        for family in families
        for sample in family.samples
    }


def test_invocations_are_counted_by_trigger_and_outcome_and_passed_on() -> None:
    counts, registry, journal = counting()
    for trigger, kind in (
        ("one", OutcomeKind.SUCCEEDED),
        ("one", OutcomeKind.SUCCEEDED),
        ("one", OutcomeKind.TIMED_OUT),
        ("two", OutcomeKind.SUCCEEDED),
    ):
        counts.record(execution(trigger, kind, 1.0))
    told = samples(registry)
    assert told["hookledger_invocations_total", ("one", "succeeded")] == 2
    assert told["hookledger_invocations_total", ("one", "timed_out")] == 1
    assert told["hookledger_invocations_total", ("two", "succeeded")] == 1
    assert len(journal.records) == 4


def test_runs_of_every_outcome_fall_into_the_histogram_of_their_trigger() -> None:
    counts, registry, _ = counting()
    counts.record(execution("one", OutcomeKind.SUCCEEDED, 0.5))
    counts.record(execution("one", OutcomeKind.ERRORED, 2.0))
    counts.record(execution("one", OutcomeKind.TIMED_OUT, 60_000.0))
    told = samples(registry)
    name = "hookledger_run_seconds_bucket"
    assert [told[name, ("one", bound)] for bound in ("0.0005", "0.001", "0.0025", "10.0")] == [
        1,
        1,
        2,
        2,
    ]
    assert told[name, ("one", "+Inf")] == told["hookledger_run_seconds_count", ("one",)] == 3
    assert told["hookledger_run_seconds_sum", ("one",)] == 60.0025


def test_nothing_was_counted_before_the_first_invocation() -> None:
    assert samples(counting()[1]) == {}
