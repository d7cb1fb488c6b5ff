"""What an error of a hook looks like outside, in the shape of Auth0's envelope."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from app.runtime.inside.hook_errors import (
    STACK_CHARACTERS,
    describe,
    describe_unserialisable,
    hookledger_module,
    remember_source,
)

module: Any = hookledger_module()


def described(error: BaseException, file: str = "hook.py") -> dict[str, Any]:
    members: dict[str, Any] = json.loads(describe(error, file))
    return members


@pytest.mark.parametrize(
    "name",
    [
        "PreUserRegistrationError",
        "SendPhoneMessageError",
        "InvalidScopeError",
        "InvalidRequestError",
        "ServerError",
    ],
)
def test_auth0s_classes_are_told_by_their_name(name: str) -> None:
    members = described(getattr(module, name)("why"))
    assert (members["name"], members["message"]) == (name, "why")


def test_a_class_derived_from_them_has_its_own_name() -> None:
    class Banned(module.PreUserRegistrationError):  # type: ignore[misc]
        pass

    assert described(Banned("no"))["name"] == "Banned"


@pytest.mark.parametrize("name", ["PreUserRegistrationError", "SendPhoneMessageError"])
def test_the_text_for_people_is_the_first_unless_given(name: str) -> None:
    made = getattr(module, name)
    assert described(made("log text"))["friendlyMessage"] == "log text"
    assert described(made("log text", "for you"))["friendlyMessage"] == "for you"


def test_other_errors_have_no_name_unless_they_set_one() -> None:
    assert set(described(ValueError("x"))) == {"message", "stack"}
    named = ValueError("x")
    named.name = "Mine"  # type: ignore[attr-defined]
    assert described(named)["name"] == "Mine"


def test_an_errors_own_public_members_are_told_as_json_or_as_text() -> None:
    error = RuntimeError("x")
    vars(error).update(code=7, details={"a": [1]}, when=complex(1, 2), _hidden=1, nan=float("nan"))
    members = described(error)
    del members["stack"]
    assert members == {
        "message": "x",
        "code": 7,
        "details": {"a": [1]},
        "when": "(1+2j)",
        "nan": "nan",
    }


def test_an_error_without_text_is_told_by_its_class() -> None:
    assert described(KeyError())["message"] == "KeyError"


def test_leaving_the_interpreter_is_explained() -> None:
    assert "sys.exit(3)" in described(SystemExit(3))["message"]


def test_errors_that_cannot_be_written_are_told_all_the_same() -> None:
    class Hostile(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    class Nasty:
        __str__ = __repr__ = None  # type: ignore[assignment]

    error = Hostile()
    error.member = Nasty()  # type: ignore[attr-defined]
    members = described(error)
    assert "Hostile" in members["message"]
    assert members["member"] == "Nasty"


def raised(script: str) -> BaseException:
    remember_source("hook.py", script)
    try:
        exec(compile(script, "hook.py", "exec"), {})
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def test_the_stack_begins_in_the_script_and_shows_its_lines() -> None:
    stack = described(raised("def f():\n    raise ValueError('deep')\nf()"))["stack"]
    assert stack.splitlines()[1].startswith('  File "hook.py", line 3')
    assert "raise ValueError('deep')" in stack
    assert __file__ not in stack


def test_causes_are_part_of_the_stack() -> None:
    script = "try:\n    {}['k']\nexcept KeyError as e:\n    raise ValueError('outer') from e"
    stack = described(raised(script))["stack"]
    assert "direct cause" in stack
    assert "KeyError: 'k'" in stack


def test_a_stack_is_bounded() -> None:
    members = described(raised("raise ValueError('x' * 100_000)"))
    assert len(members["stack"]) < STACK_CHARACTERS + 10
    recursion = described(raised(f"def f(): f()\nf()  # {sys.getrecursionlimit()}"))
    assert "RecursionError" in recursion["stack"]


def test_a_result_that_is_no_json_has_auth0s_message_and_the_reason() -> None:
    members = json.loads(describe_unserialisable(TypeError("a set is not")))
    assert members == {
        "message": "Error when JSON serializing the result of the extension point",
        "error_description": "a set is not",
    }
