"""The arena of attacks in JavaScript."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.runtime.hostile.node.arena import NodeArena


@pytest.fixture(scope="module")
def arena(house: Any, until: Any, traces: Any) -> NodeArena:
    return NodeArena(house, until, traces)
