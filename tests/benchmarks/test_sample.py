"""The benchmarks still run: a little of each that needs no load generator, and all tables."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.benchmarks import page_data, pages, report, scale, transparency, workers
from tests.benchmarks.__main__ import SAMPLE, SECTIONS
from tests.benchmarks.deployment import Latency
from tests.benchmarks.following import Following
from tests.benchmarks.load import Round, medians, ratio
from tests.benchmarks.page_data import Size
from tests.benchmarks.peers import Standing
from tests.benchmarks.throughput import Comparison


def round_of(rate: float, failures: int = 0) -> Round:
    return Round(rate, 0.5, 1.5, 50.0, 10.0, failures)


def test_workers_are_measured_and_reported() -> None:
    found = workers.measure(hooks=2, pairs_of_runners=1, starts_=1, kills=1)
    assert found.sandbox.ratio > 0
    assert found.starts.python_ms > 0
    assert found.starts.node is not None
    assert found.starts.node.reserve_ms > 0
    assert found.starts.fresh_ms > 0
    assert found.memory["python"].private > 0
    assert set(found.kill_ms) == {"a busy loop", "deaf to signals", "200 MB in use"}
    text = report.workers(found)
    assert "private memory of a warm Node.js hook" in text


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


def test_a_data_folder_is_filled_for_the_pages(tmp_path: Path) -> None:
    repository = page_data.fill(tmp_path, Size(events=200, hooks=5, invocations=30))
    assert len(list(repository.rglob("hook.toml"))) == 10
    assert {path.name for path in (tmp_path / "var").iterdir()} >= {"hookledger.db", "journal.db"}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no Chromium")
def test_every_page_is_loaded_and_reported() -> None:
    floor, *found = pages.measure(Size(events=2000, hooks=20, invocations=200), rounds=1)
    assert floor.of_floor == 1
    assert len(found) > 20
    assert all(each.transferred > floor.transferred for each in found)
    assert all(0 < each.server_ms < each.interactive_ms for each in found)


def test_pages_are_reported_with_their_ratio_first() -> None:
    text = pages.report([pages.Figures("overview", 58_400, 262.4, 64.2, 4.66)], Size())
    assert text.endswith("| overview | 4.7 | **262 ms** | 64 ms | **58 kB** |\n")


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
