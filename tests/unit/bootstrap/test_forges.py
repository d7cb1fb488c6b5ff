"""Settings on signatures either vouch for somebody or stop the start."""

from __future__ import annotations

import pytest

from app.bootstrap.forges import signature_check
from app.domain.errors import Stalled
from config.settings import load_settings


@pytest.mark.parametrize("mode", ["head", "range"])
def test_demanding_signatures_without_a_key_stops_the_start(mode: str) -> None:
    with pytest.raises(Stalled, match="no key is configured"):
        signature_check(load_settings(verify=mode))


def test_nothing_is_demanded_unless_it_is_configured() -> None:
    assert signature_check(load_settings()) is not None
