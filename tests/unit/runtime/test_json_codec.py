"""What a worker writes as JSON, the server can read; what it could not, is an error of the hook."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.runtime.inside.hook_errors import describe
from app.runtime.inside.json_codec import encode


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (2**63, 2**63),
        (2**70, float(2**70)),
        ({1: "a", None: "b"}, {"1": "a", "null": "b"}),
        (float("nan"), None),
        ("half of \ud83d", "half of ?"),
        ({"\udc00": [1, "Grüße"]}, {"?": [1, "Grüße"]}),
    ],
)
def test_what_is_written_can_be_read(value: Any, read: Any) -> None:
    assert orjson.loads(encode(value)) == read


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [10**400, 10**5000, {1: 10**400}, {1, 2}, b"bytes", object(), nested(300), nested(900)],
    ids=["infinite", "long", "member", "set", "bytes", "object", "deep", "deeper"],
)
def test_what_nobody_could_read_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError, RecursionError)):
        encode(value)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("half of \ud83d"),
        ValueError(10**400),
        OSError(2, "\udcff"),
    ],
    ids=["half", "number", "file"],
)
def test_the_text_of_an_error_can_be_read_whatever_it_holds(error: Exception) -> None:
    assert orjson.loads(describe(error, "hook.py"))["message"]


def test_members_of_an_error_can_be_read_whatever_they_are() -> None:
    error = ValueError("wrong")
    error.__dict__.update(
        text="\ud800", number=10**400, deep=nested(300), endless=float("inf"), many={1: 10**400}
    )
    error.__dict__["\ud800"] = 1
    members = orjson.loads(describe(error, "hook.py"))
    assert members["message"] == "wrong"
    assert members["endless"] == "inf"
    orjson.dumps(members)
