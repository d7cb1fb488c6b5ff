"""A runner with egress, at both levels of isolation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.runtime.isolation import level_of


@pytest.fixture(scope="module", params=["full", "container"])
def house(request: pytest.FixtureRequest, reports: Any, network_house: Any) -> Iterator[Any]:
    if request.param == "full" and level_of(reports) != "full":
        pytest.skip("this machine cannot isolate fully")
    names = type("Names", (), {"table": {}})()

    async def resolve(host: str) -> list[Any]:
        from ipaddress import ip_address

        return [ip_address(names.table.get(host, "127.0.0.1"))]

    made = network_house(namespaces=request.param == "full", names=resolve)
    made.names = names
    assert made.runner.level == request.param
    yield made
    made.close()
