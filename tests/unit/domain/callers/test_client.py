"""Clients: what they may be called, hold and carry."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.aggregates import Meta, recorded_as
from app.domain.callers.client import Client
from app.domain.errors import Rejected


def client(**given: Any) -> Client:
    members = {
        "name": "billing",
        "scopes": ["invoke:triggers"],
        "secret_hash": "s",
        "token_hash": "t",
    }
    with recorded_as(Meta(actor="ada", origin="cli")):
        return Client.create("01J8Z3Q7V9K2M4N6P8R0S2T4D0", **{**members, **given})


def test_a_client_carries_metadata_for_hooks() -> None:
    assert client(metadata={"plan": "gold"}).metadata == {"plan": "gold"}
    assert client().metadata == {}


@pytest.mark.parametrize(
    ("metadata", "key"),
    [
        ({str(number): "" for number in range(11)}, "metadata"),
        ({"": "gold"}, "metadata"),
        ({"n" * 256: "gold"}, "metadata"),
        ({"plan": "g" * 256}, "metadata.plan"),
    ],
)
def test_metadata_is_bounded_as_auth0_bounds_it(metadata: dict[str, str], key: str) -> None:
    with pytest.raises(Rejected) as refusal:
        client(metadata=metadata)
    assert [problem.key for problem in refusal.value.problems] == [key]


def test_metadata_as_large_as_they_may_be_are_taken() -> None:
    metadata = {f"{number:x}" * 255: "v" * 255 for number in range(10)}
    assert client(metadata=metadata).metadata == metadata
