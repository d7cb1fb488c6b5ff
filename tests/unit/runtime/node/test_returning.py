"""Hooks that return: when a return value is the answer, and when it must not be."""

from __future__ import annotations

from typing import Any

import pytest

WITHOUT_CALLBACK = [
    "async (user, context) => ({ user })",
    "async user => ({ user })",
    "async function (user, context) { return { user }; }",
    "async function named(user) { return { user }; }",
    "async (user, { webtask: { secrets } }) => ({ user })",
    "(user, context) => Promise.resolve({ user })",
    "(user, context) => ({ user })",
    "function (user, context) { return { user }; }",
    "({ async hook(user) { return { user }; } }).hook",
]

WITH_CALLBACK = [
    "async (user, context, cb) => { setImmediate(cb, null, 'called'); return 'returned'; }",
    "(user, context, cb) => { setImmediate(cb, null, 'called'); return 'returned'; }",
    "async (...all) => { setImmediate(all[2], null, 'called'); return 'returned'; }",
    "async (user, context = {}, cb) => { setImmediate(cb, null, 'called'); return 'returned'; }",
    "(user, { webtask } = {}, cb) => { setImmediate(cb, null, 'called'); return 'returned'; }",
    "function () { setImmediate(arguments[2], null, 'called'); return 'returned'; }",
    "async (user, context, cb = () => {}) => { setImmediate(cb, null, 'called'); return 'returned'; }",
    "(function (cb, user, context) { setImmediate(arguments[2], null, 'called'); }).bind(null)",
    "((inner) => (...all) => inner(...all))((u, c, cb) => setImmediate(cb, null, 'called'))",
]


@pytest.mark.parametrize("function", WITHOUT_CALLBACK)
def test_a_hook_that_takes_no_callback_answers_with_what_it_returns(
    node: Any, function: str
) -> None:
    hook = node.hook(f"module.exports = {function};")
    assert hook.call({"user": "u", "context": {}}).result == {"user": "u"}


@pytest.mark.parametrize("function", WITH_CALLBACK)
def test_where_a_callback_may_be_called_the_return_value_is_not_read(
    node: Any, function: str
) -> None:
    assert node.hook(f"module.exports = {function};").call().result == "called"


@pytest.mark.parametrize("function", ["async (user) => {}", "(user, context) => {}"])
def test_returning_nothing_answers_nothing(node: Any, function: str) -> None:
    answer = node.hook(f"module.exports = {function};").call()
    assert (answer.kind, answer.json) == ("result", "")


def test_an_async_hook_may_answer_by_its_callback(node: Any) -> None:
    hook = node.hook(
        "module.exports = async (u, c, cb) => { await null; cb(null, { ok: true }); };"
    )
    assert hook.call().result == {"ok": True}


def test_an_async_hook_that_does_not_call_back_is_not_answered_for(node: Any) -> None:
    hook = node.hook("module.exports = async (user, context, cb) => 'returned';")
    number = hook.start()
    node.settle()
    assert hook.answers(number) == []


@pytest.mark.parametrize("parameters", ["user, context", "user, context, cb", "...all"])
def test_a_rejection_is_answered_at_once(node: Any, parameters: str) -> None:
    hook = node.hook(
        f"module.exports = async ({parameters}) => {{ await null; throw new Error('rejected'); }};"
    )
    assert hook.call().error["message"] == "rejected"


@pytest.mark.parametrize(
    "function", ["async (user) => { throw undefined; }", "(u) => Promise.reject()"]
)
def test_a_rejection_without_a_reason_is_an_error_too(node: Any, function: str) -> None:
    assert node.hook(f"module.exports = {function};").call().error["message"] == "Unknown error"


def test_a_rejection_after_the_answer_is_a_line(node: Any) -> None:
    hook = node.hook(
        "module.exports = async (u, c, cb) => { cb(null, 1); await null; throw new Error('late'); };"
    )
    answer = hook.call()
    assert answer.result == 1
    assert answer.lines[0]["level"] == "error"
    assert answer.texts[0] == "After its answer the call failed: Error: late"


def test_a_result_that_is_returned_must_be_json_too(node: Any) -> None:
    error = node.hook("module.exports = async (user) => 10n;").call().error
    assert error["message"] == "Error when JSON serializing the result of the extension point"
    assert "BigInt" in error["error_description"]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("'😀'.slice(0, 1)", "\ufffd"),
        ("'a' + '😀'.slice(1)", "a\ufffd"),
        ("{ ['\\udc00']: ['\\ud83d', '😀', '\\\\ud83d', '\\\\\\ud83d'] }",
         {"\ufffd": ["\ufffd", "😀", "\\ud83d", "\\\ufffd"]}),
    ],
)  # fmt: skip
def test_half_a_character_is_written_as_one_that_nobody_knows(
    node: Any, value: str, read: Any
) -> None:
    assert node.hook(f"module.exports = (u, c, cb) => cb(null, {value});").call().result == read
    hook = node.hook(
        f"module.exports = (u, c, cb) => cb(Object.assign(new Error(), {{ v: {value} }}));"
    )
    assert hook.call().error["v"] == read
