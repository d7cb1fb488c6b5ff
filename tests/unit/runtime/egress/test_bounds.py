"""What a worker may use of the network, and how it is written."""

from __future__ import annotations

import pytest

from app.runtime.egress.bounds import Bounds, Budget, Counters, Exhausted, amount


def test_a_call_may_move_so_many_bytes_in_each_direction() -> None:
    counters = Counters()
    budget = Budget(Bounds(bytes_per_call=10), counters)
    budget.take("sent", 10)
    budget.take("received", 10)
    with pytest.raises(Exhausted, match="10 B received"):
        budget.take("received", 1)
    budget.renew()
    budget.take("received", 10)
    assert counters.bytes == {"sent": 10, "received": 21}


@pytest.mark.parametrize(
    ("count", "written"),
    [(0, "0 B"), (999, "999 B"), (1234, "1.23 kB"), (64 << 20, "67.1 MB"), (5 * 10**9, "5 GB")],
)
def test_amounts_are_written_for_people(count: int, written: str) -> None:
    assert amount(count) == written
