"""Who serves, who leaves, and when another worker is started: decided without a process."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import pytest

from app.domain.outcomes import Lifecycle, Limits
from app.runtime.staff import Staff


@dataclass(eq=False)
class _FakeWorker:
    number: int = 1
    is_ready: bool = True
    load: int = 0
    taken: int = 0
    born: float = field(default_factory=monotonic)
    idle_since: float = 0.0
    is_quick: bool = False

    @property
    def has_room(self) -> bool:
        return self.is_ready and self.load < 2


FakeWorker: Any = _FakeWorker
"""Stands in where a ``Worker`` is asked for."""


def staff_of(*workers: Any, most: int = 2, **lifecycle: Any) -> Staff:
    staff = Staff(Lifecycle(**lifecycle), Limits(max_workers=most))
    staff.serving += workers
    return staff


# Warm


def test_a_call_that_waits_gets_a_worker_until_there_are_enough() -> None:
    assert staff_of().lacks(1, kept=False)
    assert staff_of(FakeWorker()).lacks(1, kept=False)
    assert not staff_of(FakeWorker(), FakeWorker()).lacks(9, kept=False)


def test_one_worker_starts_at_a_time() -> None:
    assert not staff_of(FakeWorker(is_ready=False)).lacks(9, kept=False)


def test_without_calls_only_what_is_kept_is_started() -> None:
    assert not staff_of().lacks(0, kept=False)
    assert staff_of().lacks(0, kept=True)
    assert not staff_of(FakeWorker()).lacks(0, kept=True)
    assert staff_of(FakeWorker(), most=4, min_ready=3).lacks(0, kept=True)
    assert not staff_of(*map(FakeWorker, range(3)), most=4, min_ready=3).lacks(0, kept=True)


def test_the_least_busy_worker_is_given_the_call() -> None:
    busy, idle = FakeWorker(load=1), FakeWorker(load=0)
    assert staff_of(busy, idle).with_room() is idle
    assert staff_of(FakeWorker(load=2), FakeWorker(is_ready=False)).with_room() is None


@pytest.mark.parametrize(
    ("lifecycle", "worker"),
    [
        ({"max_calls": 3}, {"taken": 3}),
        ({"max_age": 60.0}, {"born": monotonic() - 61}),
    ],
    ids=["calls", "age"],
)
def test_a_worker_that_served_its_time_goes_on_until_its_replacement_is_ready(
    lifecycle: dict[str, Any], worker: dict[str, Any]
) -> None:
    old = FakeWorker(1, load=1, **worker)
    staff = staff_of(old, most=1, **lifecycle)
    assert staff.lacks(0, kept=True)
    assert staff.with_room() == old
    new = FakeWorker(2, is_ready=False)
    staff.serving.append(new)
    assert not staff.lacks(5, kept=True)
    new.is_ready = True
    staff.relieve()
    assert (staff.serving, staff.leaving) == ([new], [old])
    assert staff.finished() == []
    old.load = 0
    assert staff.finished() == [old]


def test_each_replacement_relieves_one() -> None:
    first, second = FakeWorker(1, taken=9), FakeWorker(2, taken=9)
    staff = staff_of(first, second, FakeWorker(3), max_calls=5)
    staff.relieve()
    assert staff.leaving == [first]
    assert second in staff.serving


def test_workers_that_finish_their_calls_count_towards_the_most() -> None:
    staff = staff_of(FakeWorker(1, taken=1), most=2, max_calls=1)
    staff.leaving += [FakeWorker(2, load=1), FakeWorker(3, load=1)]
    assert not staff.lacks(1, kept=True)


def test_what_idles_beyond_the_kept_number_is_superfluous() -> None:
    workers = [FakeWorker(number, idle_since=10.0) for number in range(4)]
    workers[3].load = 1
    assert staff_of(*workers, min_ready=2).superfluous(20.0, kept=True) == [workers[2]]
    assert staff_of(*workers, min_ready=2).superfluous(20.0, kept=False) == workers[1:3]
    assert staff_of(*workers, min_ready=2).superfluous(5.0, kept=True) == []


@pytest.mark.parametrize("concurrency", [1, 3])
def test_concurrency_is_how_many_calls_a_worker_is_sent(concurrency: int) -> None:
    assert staff_of(concurrency=concurrency).most_in_flight == concurrency


# Fresh


def test_a_fresh_worker_takes_one_call_and_its_replacement_starts_with_it() -> None:
    worker = FakeWorker()
    staff = staff_of(worker, mode="fresh", most=4)
    assert staff.most_in_flight == 1
    assert not staff.lacks(0, kept=True)
    worker.load = 1
    staff.sent(worker)
    assert staff.with_room() is None
    assert staff.finished() == []
    assert staff.lacks(0, kept=True)
    assert not staff.lacks(0, kept=False)


def test_every_call_that_waits_for_a_fresh_worker_gets_one_started() -> None:
    starting = [FakeWorker(number, is_ready=False) for number in range(3)]
    assert staff_of(*starting, mode="fresh", most=9).lacks(4, kept=False)
    assert not staff_of(*starting, mode="fresh", most=9).lacks(3, kept=False)
    assert not staff_of(*starting, mode="fresh", most=3).lacks(9, kept=False)
    assert not staff_of(*starting, FakeWorker(is_ready=False), mode="fresh", most=9).lacks(
        9, kept=False
    ), "no more than four start at a time"


def test_the_end_of_a_fresh_worker_that_ran_its_call_is_nobodys_death() -> None:
    spare, used = FakeWorker(1), FakeWorker(2)
    staff = staff_of(spare, used, mode="fresh")
    staff.sent(used)
    assert staff.remove(2) is None
    assert staff.remove(1) is spare
    assert staff.remove(1) is None
    assert len(staff) == 0
