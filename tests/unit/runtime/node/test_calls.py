"""What a hook's function is given, and what counts as its answer."""

from __future__ import annotations

from typing import Any

import pytest

RETURN_ALL = "module.exports = function (...all) { const cb = all.pop(); cb(null, all); };"


def test_members_of_the_payload_come_by_position(node: Any) -> None:
    hook = node.hook(RETURN_ALL, parameters=("client", "scope", "audience"))
    payload = {"audience": "a", "scope": ["s"], "client": {"id": "c"}}
    assert hook.call(payload).result == [{"id": "c"}, ["s"], "a"]


def test_a_member_that_is_missing_is_undefined(node: Any) -> None:
    hook = node.hook(
        "module.exports = (client, scope, context, cb) => cb(null, String(scope));",
        parameters=("client", "scope", "context"),
    )
    assert hook.call({"client": {}}).result == "undefined"


def test_the_callback_is_the_last_argument(node: Any) -> None:
    hook = node.hook(
        "module.exports = function (u, c, cb) { cb(null, [arguments.length, typeof cb]); };"
    )
    assert hook.call().result == [3, "function"]


def test_context_is_the_payloads_with_webtask_added(node: Any) -> None:
    hook = node.hook(
        "module.exports = (user, context, cb) => cb(null, [context.ip, Object.keys(context)]);"
    )
    assert hook.call({"context": {"ip": "::1"}}).result == ["::1", ["ip", "webtask"]]


@pytest.mark.parametrize("payload", [{}, {"context": None}, {"context": "text"}, {"context": [1]}])
def test_context_is_an_object_whatever_was_sent(node: Any, payload: Any) -> None:
    hook = node.hook("module.exports = (user, context, cb) => cb(null, Object.keys(context));")
    assert hook.call(payload).result == ["webtask"]


def test_a_webtask_that_the_caller_sends_is_replaced(node: Any) -> None:
    hook = node.hook(
        "module.exports = (user, context, cb) => cb(null, context.webtask.secrets);",
        secrets={"KEY": "own"},
    )
    assert hook.call({"context": {"webtask": {"secrets": {"KEY": "sent"}}}}).result == {
        "KEY": "own"
    }


@pytest.mark.parametrize("payload", ["[]", "null", "3", '"text"'])
def test_a_payload_without_members_gives_undefined(node: Any, payload: str) -> None:
    hook = node.hook("module.exports = (user, context, cb) => cb(null, String(user));")
    assert hook.call(text=payload).result == "undefined"


def test_a_payload_that_is_no_json_is_an_error(node: Any) -> None:
    hook = node.hook(RETURN_ALL)
    assert "JSON" in hook.call(text="{").error["message"]


def test_the_second_argument_of_the_callback_is_the_result(node: Any) -> None:
    hook = node.hook("module.exports = (user, context, cb) => cb(null, { user });")
    assert hook.call({"user": {"a": [1, "ü"]}}).result == {"user": {"a": [1, "ü"]}}


@pytest.mark.parametrize("arguments", ["", "null", "undefined", "null, undefined", "'', undefined"])
def test_a_callback_without_a_result_answers_nothing(node: Any, arguments: str) -> None:
    answer = node.hook(f"module.exports = (user, context, cb) => cb({arguments});").call()
    assert (answer.kind, answer.json) == ("result", "")


def test_null_is_a_result(node: Any) -> None:
    assert node.hook("module.exports = (u, c, cb) => cb(null, null);").call().json == "null"


def test_an_answer_may_come_later(node: Any) -> None:
    hook = node.hook("module.exports = (u, c, cb) => setTimeout(cb, 1, null, 'late');")
    assert hook.call().result == "late"


def test_calls_overlap_and_keep_their_answers(node: Any) -> None:
    hook = node.hook(
        """let waiting = [];
        module.exports = (user, context, cb) => {
          waiting.push(() => cb(null, user));
          if (waiting.length === 3) waiting.reverse().forEach((answer) => answer());
        };"""
    )
    numbers = [hook.start({"user": user}) for user in "abc"]
    assert [hook.finish(number).result for number in numbers] == ["a", "b", "c"]


def test_a_second_callback_is_ignored_with_one_warning(node: Any) -> None:
    hook = node.hook(
        "module.exports = (u, c, cb) => { cb(null, 1); cb(null, 2); cb(new Error('3')); };"
    )
    answer = hook.call()
    assert answer.result == 1
    assert [(line["level"], line["stream"]) for line in answer.lines] == [("warning", "log")]
    assert answer.texts == ["The callback was called again; only its first call counts."]


@pytest.mark.parametrize(
    "value", ["loop", "10n", "() => 1", "Symbol('s')", "{ toJSON() { throw 1; } }"]
)
def test_a_result_that_is_not_json_is_an_error(node: Any, value: str) -> None:
    hook = node.hook(
        f"const loop = {{}}; loop.loop = loop; module.exports = (u, c, cb) => cb(null, {value});"
    )
    error = hook.call().error
    assert error["message"] == "Error when JSON serializing the result of the extension point"
    assert error["error_description"]


def test_globals_are_kept_between_calls(node: Any) -> None:
    hook = node.hook(
        "let calls = 0; module.exports = (u, c, cb) => cb(null, [calls += 1, global.n = (global.n || 0) + 1]);"
    )
    assert [hook.call().result, hook.call().result] == [[1, 1], [2, 2]]


def test_a_hook_that_never_answers_is_not_answered_for(node: Any) -> None:
    hook = node.hook("module.exports = (user, context, cb) => {};")
    number = hook.start()
    node.settle()
    assert hook.answers(number) == []
