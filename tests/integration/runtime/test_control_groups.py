"""Workers in control groups, where the server may make some."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.domain.outcomes import OutcomeKind
from app.runtime.control_groups import ControlGroups
from app.runtime.isolation import GROUPS, LayerReport


@pytest.fixture(autouse=True)
def allowed(reports: tuple[LayerReport, ...]) -> None:
    (report,) = (report for report in reports if report.name == GROUPS)
    if not report.in_force:
        pytest.skip(f"this server may make no control groups ({report.why_not})")


def groups_of(process: int) -> list[str]:
    lines = Path(f"/proc/{process}/cgroup").read_text().splitlines()
    return [line for line in lines if "/hookledger-" in line]


def test_each_worker_is_in_a_group_that_bounds_it(new_house: Any, until: Any) -> None:
    house = new_house(node_reserve=1)
    try:
        house.do(house.runner.start())
        until(lambda: house.runner.reserve == 1)
        version = house.version("def hook(event, context): return 1")
        assert house.call(version).kind is OutcomeKind.SUCCEEDED
        workers = sorted(house.processes())[2:]
        until(lambda: all(groups_of(process) for process in workers))
        assert len({groups_of(process)[0] for process in workers}) == 2
        groups = {line.split(":")[2] for process in workers for line in groups_of(process)}
    finally:
        house.close()
    left = [path for name in groups for path in Path("/sys/fs/cgroup").glob(f"*{name}")]
    assert left == []


def test_a_group_is_used_again_whatever_its_former_worker_was_given() -> None:
    with contextlib.closing(ControlGroups.open()) as groups:
        for mebibytes in (64, 512, 64):
            with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as one:
                groups.place("worker-7", one.pid, mebibytes << 20)
                assert groups_of(one.pid)
