"""The bound on the memory of all workers: sizes, shares, and where a limit is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.domain.errors import Stalled
from app.runtime.memory import bound_of, granted

GIBIBYTE = 1 << 30


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine of 8 GiB without a control group."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal:  8388608 kB\nMemFree: 1 kB\n")
    (tmp_path / "sys/fs/cgroup/memory").mkdir(parents=True)
    return tmp_path


def test_a_size_is_taken_as_it_is(machine: Path) -> None:
    assert bound_of("2GiB", machine) == 2 * GIBIBYTE
    assert bound_of("512MiB", machine) == GIBIBYTE // 2


def test_a_share_is_of_the_machine(machine: Path) -> None:
    assert bound_of("75%", machine) == 6 * GIBIBYTE


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
def test_the_limit_of_a_container_counts(machine: Path, name: str) -> None:
    limit = machine / "sys/fs/cgroup" / name
    limit.write_text(f"{GIBIBYTE}\n")
    assert bound_of("50%", machine) == GIBIBYTE // 2
    limit.write_text("max\n")
    assert granted(machine) == 8 * GIBIBYTE
    limit.write_text("9223372036854771712\n")
    assert granted(machine) == 8 * GIBIBYTE


@pytest.mark.parametrize("text", ["", "75", "0%", "101%", "2gb", "-1GiB", "1.5GiB", "0GiB"])
def test_other_texts_are_refused(machine: Path, text: str) -> None:
    with pytest.raises(Stalled, match="max_memory"):
        bound_of(text, machine)


def test_a_machine_that_does_not_say_needs_a_size(tmp_path: Path) -> None:
    with pytest.raises(Stalled, match="set max_memory to a size"):
        bound_of("75%", tmp_path)
    assert bound_of("1GiB", tmp_path) == GIBIBYTE
