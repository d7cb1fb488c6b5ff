"""``hookledger.toml`` and ``triggers/*.toml``: what they say, and every problem at its line."""

from collections.abc import Mapping

import pytest

from app.domain.errors import Problem, Rejected
from app.domain.triggers.definitions import TriggerDefinition
from app.domain.triggers.repository_settings import (
    ManifestDefaults,
    RepositorySettings,
    read_repository_settings,
)

ORDER = b"""
title = "Order placed"
purpose = "Check an order."
mode = "chain"
on_error = "open"
timeout = "2s"
[payload]
type = "object"
required = ["total"]
properties.total = { type = "number" }
[result]
type = "object"
"""


def problems_of(
    settings: bytes | None = None, definitions: Mapping[str, bytes] | None = None
) -> tuple[Problem, ...]:
    with pytest.raises(Rejected) as refusal:
        read_repository_settings(settings, definitions or {})
    return refusal.value.problems


def test_nothing_said_leaves_everything_as_it_is() -> None:
    assert read_repository_settings(None, {}) == RepositorySettings()
    assert read_repository_settings(b"", {}) == RepositorySettings()


def test_the_default_timeout_holds_for_hooks_that_say_none() -> None:
    settings = read_repository_settings(b'[defaults]\ntimeout = "800ms"\n', {})
    assert settings.defaults.timeout_of("pre-user-registration") == 800


def test_a_trigger_s_timeout_goes_before_the_general_one() -> None:
    text = b'[defaults]\ntimeout = "1s"\n[triggers.send-phone-message]\ntimeout = "9s"\n'
    defaults = read_repository_settings(text, {}).defaults
    assert defaults.timeout_of("send-phone-message") == 9000
    assert defaults.timeout_of("pre-user-registration") == 1000
    assert ManifestDefaults().timeout_of("anything") == 5000


def test_a_custom_trigger_is_read_whole() -> None:
    settings = read_repository_settings(None, {"order-placed.toml": ORDER})
    assert settings.triggers == (
        TriggerDefinition(
            id="order-placed",
            custom=True,
            title="Order placed",
            purpose="Check an order.",
            mode="chain",
            on_error="open",
            timeout_ms=2000,
            payload={
                "type": "object",
                "required": ["total"],
                "properties": {"total": {"type": "number"}},
            },
            result={"type": "object"},
        ),
    )
    assert "order-placed" in settings.known_triggers
    assert settings.defaults.timeout_of("order-placed") == 2000


def test_a_definition_survives_being_written_as_text() -> None:
    (definition,) = read_repository_settings(None, {"order-placed.toml": ORDER}).triggers
    again = TriggerDefinition.from_members(__import__("json").loads(definition.text))
    assert again == definition


def test_an_optional_point_exists_once_it_is_named() -> None:
    assert "password-exchange" not in read_repository_settings(None, {}).known_triggers
    named = read_repository_settings(b"[triggers.password-exchange]\n", {})
    assert "password-exchange" in named.known_triggers


def test_unknown_settings_are_refused_at_their_lines() -> None:
    found = problems_of(b'[default]\n[defaults]\ntimeot = "1s"\ntimeout = "1h"\n')
    assert [(p.file, p.line, p.key) for p in found] == [
        ("hookledger.toml", 1, "default"),
        ("hookledger.toml", 3, "defaults.timeot"),
        ("hookledger.toml", 4, "defaults.timeout"),
    ]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (b'[triggers.order-placed]\nmode = "chain"', "triggers.order-placed"),
        (b'[triggers.generic]\nmode = "parallel"', "triggers.generic.mode"),
        (b'[triggers.generic]\non_error = "ignore"', "triggers.generic.on_error"),
        (b'[triggers.generic]\ntimeout = "1d"', "triggers.generic.timeout"),
        (b'[triggers.generic]\ntitle = "x"', "triggers.generic.title"),
        (b"[triggers]\ngeneric = 1", "triggers.generic"),
    ],
)
def test_what_a_trigger_of_auth0_cannot_be_told_is_refused(text: bytes, key: str) -> None:
    assert [(p.file, p.key) for p in problems_of(text)] == [("hookledger.toml", key)]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (b"title = 1", "title"),
        (b"blocking = 'yes'", "blocking"),
        (b"mode = 'both'", "mode"),
        (b"color = 'red'", "color"),
        (b"payload = 1", "payload"),
        (b"[payload]\ntype = 'objekt'", "payload"),
        (b"[payload]\n'$ref' = 'http://127.0.0.1:9/x.json'", "payload"),
        (b"[payload]\npattern = '(?=a)b'", "payload"),
        (b"[payload]\nconst = 1979-05-27", "payload"),
    ],
)
def test_a_definition_that_cannot_be_is_refused_in_its_file(text: bytes, key: str) -> None:
    found = problems_of(None, {"order-placed.toml": text})
    assert [(p.file, p.key) for p in found] == [("triggers/order-placed.toml", key)]


def test_a_trigger_of_auth0_has_no_file_of_its_own() -> None:
    (problem,) = problems_of(None, {"credentials-exchange.toml": b""})
    assert problem.file == "triggers/credentials-exchange.toml"
    assert "[triggers.credentials-exchange]" in problem.message


@pytest.mark.parametrize(
    "name", ["Order.toml", "a--b.toml", "-a.toml", "a_b.toml", f"{'x' * 65}.toml"]
)
def test_a_bad_id_is_refused(name: str) -> None:
    (problem,) = problems_of(None, {name: b""})
    assert problem.file == f"triggers/{name}"


def test_every_problem_of_every_file_comes_at_once() -> None:
    found = problems_of(b"x = 1", {"a.toml": b"x = 1", "b.toml": b"x ="})
    assert {p.file for p in found} == {"hookledger.toml", "triggers/a.toml", "triggers/b.toml"}


def test_there_is_a_bound_on_custom_triggers() -> None:
    (problem,) = problems_of(None, {f"t{n}.toml": b"" for n in range(101)})
    assert "100" in problem.message
