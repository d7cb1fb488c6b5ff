"""The arena of attacks in Python."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.runtime.hostile.python.arena import PythonArena


@pytest.fixture(scope="module")
def arena(house: Any, attempt: str, until: Any, traces: Any) -> PythonArena:
    return PythonArena(house, attempt, until, traces)
