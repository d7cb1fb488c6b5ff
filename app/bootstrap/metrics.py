"""Figures for Prometheus: counted where invocations pass, read from the parts on request."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from app.application.journal_views import ExecutionRecord
from app.application.observing.following import Live
from app.application.observing.live import Feed
from app.application.ports import Recorder
from app.bootstrap.storage import Storage
from app.domain.outcomes import LogLine, OutcomeKind
from app.journal.sqlite import SqliteJournal
from app.queue.sqlite import SqliteQueue
from app.runtime.egress.bounds import Counters, Direction, Verdict

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BOUNDS = (*map(floatToGoString, _BUCKETS), "+Inf")


@dataclass(slots=True)
class _Runs:
    """The runs of one trigger that ended in one way."""

    in_bucket: list[int] = field(default_factory=lambda: [0] * len(_BOUNDS))
    seconds: float = 0.0


class CountingJournal(Collector):
    """A way into the journal that counts what passes.

    Plain numbers, because the library's counters take a lock for each: only the event loop counts.
    """

    def __init__(self, journal: Recorder, registry: CollectorRegistry) -> None:
        self._journal = journal
        self._runs: defaultdict[tuple[str, OutcomeKind], _Runs] = defaultdict(_Runs)
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        counted = dict(self._runs)
        invocations = CounterMetricFamily(
            "hookledger_invocations", "Invocations by outcome.", labels=["trigger", "outcome"]
        )
        for (trigger, kind), runs in counted.items():
            invocations.add_metric([trigger, kind.value], sum(runs.in_bucket))
        yield invocations
        seconds = HistogramMetricFamily(
            "hookledger_run_seconds", "How long hooks ran.", labels=["trigger"]
        )
        for trigger in sorted({trigger for trigger, _ in counted}):
            every = [runs for (of, _), runs in counted.items() if of == trigger]
            below = accumulate(map(sum, zip(*(runs.in_bucket for runs in every), strict=True)))
            seconds.add_metric(
                [trigger], list(zip(_BOUNDS, below, strict=True)), sum(r.seconds for r in every)
            )
        yield seconds

    def record(self, execution: ExecutionRecord) -> None:
        runs = self._runs[execution.trigger, execution.kind]
        ran = execution.ran_ms / 1000
        runs.in_bucket[bisect_left(_BUCKETS, ran)] += 1
        runs.seconds += ran
        self._journal.record(execution)

    def log(self, line: LogLine) -> None:
        self._journal.log(line)


class StateCollector(Collector):
    """Positions, lags and depths, as of the moment they are asked for."""

    def __init__(self, storage: Storage, queue: SqliteQueue, journal: SqliteJournal) -> None:
        self._storage = storage
        self._queue = queue
        self._journal = journal

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        position = GaugeMetricFamily("hookledger_position", "Newest position.", labels=["of"])
        lag = GaugeMetricFamily("hookledger_lag", "Positions behind the ledger.", labels=["of"])
        states = [self._storage.hooks.state(), *(f.state() for f in self._storage.followers)]
        for state in states:
            position.add_metric([state.name], state.position)
            lag.add_metric([state.name], state.lag)
        position.add_metric(["ledger"], self._storage.ledger.head())
        yield position
        yield lag
        table = self._storage.hooks.table
        yield GaugeMetricFamily("hookledger_hooks", "Hooks that exist.", len(table.hooks))
        queue = GaugeMetricFamily("hookledger_deliveries", "Deliveries.", labels=["state"])
        depth = self._queue.depth()
        for name, count in (
            ("waiting", depth.waiting),
            ("running", depth.running),
            ("dead", depth.dead),
        ):
            queue.add_metric([name], count)
        yield queue
        dropped = GaugeMetricFamily(
            "hookledger_journal_dropped", "What the journal could not keep.", labels=["what"]
        )
        counters = self._journal.counters
        dropped.add_metric(["executions"], counters.dropped_executions)
        dropped.add_metric(["lines"], counters.dropped_lines)
        yield dropped
        yield CounterMetricFamily(
            "hookledger_accesses", "Refusals and looks at what is guarded.", counters.accesses
        )


class LiveCollector(Collector):
    """Who follows what happens, and how much of it they were too slow for."""

    def __init__(self, live: Live) -> None:
        self._feeds: tuple[tuple[str, Feed[Any]], ...] = (
            ("lines", live.lines),
            ("executions", live.executions),
        )

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        readers = GaugeMetricFamily("hookledger_live_readers", "Open streams.", labels=["of"])
        dropped = CounterMetricFamily(
            "hookledger_live_dropped", "What readers were too slow for.", labels=["of"]
        )
        for name, feed in self._feeds:
            readers.add_metric([name], feed.readers)
            dropped.add_metric([name], feed.dropped)
        yield readers
        yield dropped


class EgressCollector(Collector):
    """What hooks did over the network since the start."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        connections = CounterMetricFamily(
            "hookledger_egress_connections", "Connections of hooks.", labels=["verdict"]
        )
        for verdict in get_args(Verdict):
            connections.add_metric([verdict], self._counters.connections[verdict])
        yield connections
        moved = CounterMetricFamily(
            "hookledger_egress_bytes", "Bytes of hooks over the network.", labels=["direction"]
        )
        for direction in get_args(Direction):
            moved.add_metric([direction], self._counters.bytes[direction])
        yield moved
        yield GaugeMetricFamily(
            "hookledger_egress_open", "Connections of hooks that are open.", self._counters.open
        )


def expose(registry: CollectorRegistry) -> bytes:
    """Write all figures in Prometheus' text format."""
    return generate_latest(registry)
