"""The benchmarks still run: a little of each that needs no load generator, and all tables."""

from __future__ import annotations

from tests.benchmarks import report, scale, transparency, workers
from tests.benchmarks.__main__ import SAMPLE, SECTIONS
from tests.benchmarks.deployment import Latency
from tests.benchmarks.following import Following
from tests.benchmarks.load import Round, medians, ratio
from tests.benchmarks.peers import Standing
from tests.benchmarks.throughput import Comparison


def round_of(rate: float, failures: int = 0) -> Round:
    return Round(rate, 0.5, 1.5, 50.0, 10.0, failures)


def test_workers_are_measured_and_reported() -> None:
    found = workers.measure(hooks=2, blocks=1, starts=1, kills=1)
    assert found.sandbox > 0
    assert found.cold_ms["python"] > 0
    assert found.private_mib > 0
    assert set(found.kill_ms) == {"a busy loop", "deaf to signals", "200 MB in use"}
    text = report.workers(found)
    assert "private memory of a warm Python hook" in text


def test_the_history_is_measured_and_reported() -> None:
    found = transparency.measure(3000, hooks=50)
    assert min(found.read, found.tree, found.hooks_and_tree, found.everything) > 0
    assert 0 < found.inclusion_ms <= found.inclusion_worst_ms
    text = report.history(found)
    assert "A log of 3,000 events" in text
    assert "| rebuild of the Merkle tree |" in text


def test_the_size_of_a_repository_is_measured_and_reported() -> None:
    smaller, larger = scale.measure((2, 20), 2)
    assert (smaller.hooks, larger.hooks) == (2, 20)
    assert 0 < smaller.median_ms <= smaller.p99_ms
    assert "| 20 | " in report.scale([smaller, larger])


def test_every_section_can_be_asked_for_alone() -> None:
    assert set(SAMPLE) < set(SECTIONS)


def test_rates_are_compared_round_by_round() -> None:
    ours, others = [round_of(10), round_of(300)], [round_of(20), round_of(100)]
    assert ratio(ours, others) == 1.75
    assert medians([round_of(1, 0), round_of(2, 7), round_of(9, 0)]) == round_of(2, 7)


def test_tables_put_the_ratio_before_the_figures() -> None:
    one = round_of(1000)
    table = report.throughput([Comparison(16, one, one, one, 1.25, 0.5, 20.0)]).splitlines()[-1]
    assert table.startswith("| 16 | **125%** | 50% | **+20 µs** | 1,000 / 1,000 / 1,000 |")
    standings = [Standing("ours", one, 1), Standing("theirs", one, 4.2)]
    lines = report.peers(standings, {"absent": "no such package"}).splitlines()
    assert lines[-2].startswith("| theirs | **4.2 x** |")
    assert lines[-1] == "| absent | not run | no such package |  |"
    assert "| 3.0 |" in report.deployment(Latency(10, 5, 30.0, 40.0, 50.0, 10.0))
    assert "| **98%** | 1,000 / 1,000 |" in report.following(Following(50, 16, one, one, 0.98))
