"""What an error of a hook looks like outside, and Auth0's classes of errors."""

from __future__ import annotations

from typing import Any

import pytest

ALL = {
    "ExtensibilityUserError",
    "PreUserRegistrationError",
    "SendPhoneMessageError",
    "InvalidScopeError",
    "InvalidRequestError",
    "ServerError",
}
REGISTRATION = {"ExtensibilityUserError", "PreUserRegistrationError"}
SCOPES = {
    "credentials-exchange": {
        "ExtensibilityUserError", "InvalidScopeError", "InvalidRequestError", "ServerError",
    },
    "pre-user-registration": REGISTRATION,
    "post-user-registration": REGISTRATION,
    "post-change-password": REGISTRATION,
    "send-phone-message": {"ExtensibilityUserError", "SendPhoneMessageError"},
    "password-exchange": {"ExtensibilityUserError"},
    "generic": {"ExtensibilityUserError"},
    "invoice-approval": ALL,
}  # fmt: skip


def failing(node: Any, expression: str, **load: Any) -> Any:
    """Call a hook that calls back with an error."""
    return node.hook(f"module.exports = (u, c, cb) => cb({expression});", **load).call().error


@pytest.mark.parametrize("trigger", SCOPES)
def test_a_point_sees_its_own_classes_as_globals(node: Any, trigger: str) -> None:
    names = sorted(ALL)
    hook = node.hook(
        f"module.exports = (u, cb) => cb(null, {names}.filter((n) => n in globalThis));",
        trigger=trigger,
        parameters=("user",),
    )
    assert set(hook.call().result) == SCOPES[trigger]


def test_the_classes_are_no_enumerable_globals(node: Any) -> None:
    hook = node.hook("module.exports = (u, c, cb) => cb(null, Object.keys(globalThis));")
    assert not ALL & set(hook.call().result)


@pytest.mark.parametrize("name", sorted(ALL))
def test_auth0s_classes_are_told_by_their_name(node: Any, name: str) -> None:
    error = failing(node, f"new {name}('why')")
    assert (error["name"], error["message"]) == (name, "why")
    assert error["stack"].startswith("Error: why") or error["stack"].startswith(f"{name}: why")


@pytest.mark.parametrize("name", ["PreUserRegistrationError", "SendPhoneMessageError"])
def test_the_text_for_people_is_the_first_unless_given(node: Any, name: str) -> None:
    assert failing(node, f"new {name}('log')")["friendlyMessage"] == "log"
    assert failing(node, f"new {name}('log', 'for you')")["friendlyMessage"] == "for you"


def test_a_class_derived_from_auth0s_has_its_own_name(node: Any) -> None:
    hook = node.hook(
        """class Banned extends PreUserRegistrationError {}
        module.exports = (u, c, cb) => cb(new Banned('no'));"""
    )
    assert hook.call().error["name"] == "Banned"


def test_auth0s_classes_are_errors_and_related(node: Any) -> None:
    hook = node.hook(
        """const error = new ServerError('x');
        module.exports = (u, c, cb) => cb(null, [error instanceof Error, error instanceof ExtensibilityUserError]);"""
    )
    assert hook.call().result == [True, True]


@pytest.mark.parametrize("name", ["Error", "TypeError", "RangeError"])
def test_builtin_errors_have_no_name(node: Any, name: str) -> None:
    assert set(failing(node, f"new {name}('x')")) == {"message", "stack"}


def test_all_own_members_are_told_enumerable_or_not(node: Any) -> None:
    error = failing(
        node,
        """Object.defineProperty(Object.assign(new Error('x'), { statusCode: 400, code: 'c', name: 'Mine' }),
          'hidden', { value: { deep: [1] } })""",
    )
    assert (error["statusCode"], error["code"], error["name"]) == (400, "c", "Mine")
    assert error["hidden"] == {"deep": [1]}


def test_members_without_json_are_left_out(node: Any) -> None:
    error = failing(node, "Object.assign(new Error('x'), { f() {}, u: undefined })")
    assert set(error) == {"message", "stack"}


@pytest.mark.parametrize(
    ("thrown", "message"),
    [
        ("'text'", "text"),
        ("7", "7"),
        ("true", "true"),
        ("{ message: 'of an object', statusCode: 400 }", "of an object"),
        ("{}", "[object Object]"),
        ("Object.create(null)", "Unknown error"),
        ("Symbol('s')", "Symbol(s)"),
    ],
)
def test_what_is_no_error_is_wrapped_in_one(node: Any, thrown: str, message: str) -> None:
    error = failing(node, thrown)
    assert set(error) == {"message", "stack"}
    assert error["message"] == message


def test_an_error_of_another_realm_is_an_error(node: Any) -> None:
    error = failing(
        node, "require('vm').runInNewContext('Object.assign(new Error(`x`), {code: 3})')"
    )
    assert (error["message"], error["code"]) == ("x", 3)


@pytest.mark.parametrize("member", ["error", "10n", "{ toJSON() { throw new Error('no'); } }"])
def test_an_error_that_is_not_json_says_so(node: Any, member: str) -> None:
    hook = node.hook(
        f"""module.exports = (u, c, cb) => {{
          const error = new PreUserRegistrationError('log', 'for you');
          error.member = {member};
          cb(error);
        }};"""
    )
    error = hook.call().error
    assert error["message"].startswith("Error serializing error: ")
    assert error["error_description"] == "log"
    assert (error["name"], error["friendlyMessage"]) == ("PreUserRegistrationError", "for you")
    assert "member" not in error


def test_a_member_that_throws_when_read_does_not_hide_the_others(node: Any) -> None:
    error = failing(
        node,
        "Object.defineProperty(new Error('x'), 'bad', { get() { throw new Error('unreadable'); } })",
    )
    assert error["message"] == "x"
    assert "unreadable" in error["bad"]


def test_an_exception_is_answered_with_what_was_thrown(node: Any) -> None:
    hook = node.hook(
        "module.exports = (u, c, cb) => { throw new InvalidScopeError('not yours'); };"
    )
    error = hook.call().error
    assert (error["name"], error["message"]) == ("InvalidScopeError", "not yours")


def test_an_exception_after_the_answer_is_a_line(node: Any) -> None:
    hook = node.hook("module.exports = (u, c, cb) => { cb(null, 1); throw new Error('late'); };")
    answer = hook.call()
    assert answer.result == 1
    assert answer.texts[0] == "After its answer the call failed: Error: late"


def test_stacks_name_the_scripts_own_lines(node: Any) -> None:
    hook = node.hook(
        """// line 1
        function inner() {
          throw new Error('here');
        }
        module.exports = (u, c, cb) => inner();"""
    )
    frames = hook.call().error["stack"].split("\n")[1:]
    assert "hook.js:3:" in frames[0]
    assert "hook.js:5:" in frames[1]


def test_stacks_show_no_frames_of_ours(node: Any) -> None:
    stack = failing(node, "new Error('x')")["stack"]
    assert "hook.js:1:" in stack
    assert "inside/node" not in stack
    assert "async_hooks" not in stack


def test_a_long_stack_is_cut_in_the_middle(node: Any) -> None:
    stack = failing(node, "Object.assign(new Error('x'), { stack: 'a'.repeat(50000) })")["stack"]
    assert len(stack) == 16_384 + 3
