"""Query parameters: what is read, and everything that is refused, all at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from app.domain.errors import Rejected
from app.web.protocol.parameters import CURSOR, LIMIT, SINCE, UNTIL, choice, flag, parse_query, text
from app.web.routes import OPERATIONS

KNOWN = (
    text("name", "n"),
    flag("enabled", "e"),
    choice("kind", "k", ("a", "b")),
    SINCE,
    UNTIL,
    LIMIT,
    CURSOR,
)


def complaints(query: bytes) -> dict[str | None, str]:
    with pytest.raises(Rejected) as refused:
        parse_query(query, KNOWN)
    return {problem.key: problem.message for problem in refused.value.problems}


def test_what_is_not_given_has_its_default() -> None:
    values = parse_query(b"", KNOWN)
    assert values == {
        "name": None, "enabled": None, "kind": None, "since": None, "until": None,
        "limit": 50, "cursor": None,
    }  # fmt: skip


def test_given_values_are_parsed() -> None:
    values = parse_query(
        b"name=a+b%20c&enabled=false&kind=b&since=2026-11-22T13:00:00%2B01:00&limit=500", KNOWN
    )
    assert values["name"] == "a b c"
    assert values["enabled"] is False
    assert values["kind"] == "b"
    assert values["since"] == datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert values["limit"] == 500


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-11-22T12:00:00Z", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("2026-11-22t12:00:00z", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("2026-11-22T12:00:00.25Z", datetime(2026, 11, 22, 12, 0, 0, 250000, tzinfo=UTC)),
        ("2026-11-22T14:00:00+02:00", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("2026-11-22T07:00:00-05:00", datetime(2026, 11, 22, 12, tzinfo=UTC)),
    ],
)
def test_times_are_rfc_3339_even_with_an_unencoded_plus(written: str, meant: datetime) -> None:
    assert parse_query(f"since={written}".encode(), KNOWN)["since"] == meant
    assert parse_query(f"since={quote(written)}".encode(), KNOWN)["since"] == meant


@pytest.mark.parametrize(
    "written",
    [
        "", "yesterday", "2026-11-22", "2026-11-22T12:00:00", "2026-13-22T12:00:00Z",
        "2026-11-22T25:00:00Z", "1764000000", "2026-11-22T12:00:00+99:00", "0001-01-01T00:00:00+14:00",
        "2026-11-22T12:00:00Z\n", "٢٠٢٦-11-22T12:00:00Z",
    ],
)  # fmt: skip
def test_other_times_are_refused_with_an_example(written: str) -> None:
    assert "2026-11-22T12:00:00Z" in complaints(f"since={quote(written)}".encode())["since"]


@pytest.mark.parametrize(
    "written", ["0", "501", "-1", "1.5", "", "ten", "1e2", "9" * 5000, "\u0665"]
)
def test_a_limit_is_1_to_500(written: str) -> None:
    assert "from 1 to 500" in complaints(f"limit={quote(written)}".encode())["limit"]


@pytest.mark.parametrize("written", ["", "a%00b", "a%0d%0ab", "%1b[31m", "x" * 1001])
def test_texts_are_neither_empty_nor_long_nor_full_of_controls(written: str) -> None:
    assert "name" in complaints(f"name={written}".encode())


def test_words_outside_the_choice_are_refused_naming_the_choice() -> None:
    assert "a, b" in complaints(b"kind=c")["kind"]
    assert "`true` or `false`" in complaints(b"enabled=yes")["enabled"]


def test_unknown_names_are_refused_naming_the_known() -> None:
    assert "known are: name, enabled" in complaints(b"nmae=x")["nmae"]


def test_a_parameter_is_given_once() -> None:
    assert "only once" in complaints(b"name=a&name=b")["name"]


def test_everything_wrong_is_told_at_once() -> None:
    assert set(complaints(b"limit=0&wrong=1&kind=c&since=now")) == {
        "limit",
        "wrong",
        "kind",
        "since",
    }


@pytest.mark.parametrize("query", [b"name=%ff%fe", b"name=\xff", b"&".join([b"a=1"] * 101)])
def test_what_is_no_query_string_is_refused(query: bytes) -> None:
    with pytest.raises(Rejected, match="percent-encoded UTF-8"):
        parse_query(query, KNOWN)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.id)
def test_every_route_refuses_parameters_it_does_not_know(site: Any, operation: Any) -> None:
    path = (
        operation.path.replace("{slug}", "rejected").replace("{id}", "x").replace("{trigger}", "x")
    )
    answer = site.ask(operation.method, f"{path}?as_off=7")
    assert answer.status_code == 400
    assert "as_off" in answer.text or operation.id == "invokeTrigger"
