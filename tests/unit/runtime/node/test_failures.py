"""Failures that nobody caught: whose they are, and what becomes of the process."""

from __future__ import annotations

from typing import Any

import pytest

UNCAUGHT = [
    "setTimeout(() => { throw new Error('uncaught'); }, 1)",
    "setImmediate(() => { throw new Error('uncaught'); })",
    "process.nextTick(() => { throw new Error('uncaught'); })",
    "require('fs').stat('/', () => { throw new Error('uncaught'); })",
    "new (require('events'))().emit('error', new Error('uncaught'))",
]
UNHANDLED = [
    "Promise.reject(new Error('unhandled'))",
    "(async () => { await null; throw new Error('unhandled'); })()",
    "setTimeout(async () => { await null; throw new Error('unhandled'); }, 1)",
]


def fatal(node: Any) -> list[str]:
    return [event["message"] for event in node.events if event["event"] == "fatal"]


@pytest.mark.parametrize("code", UNCAUGHT)
def test_an_exception_that_nobody_catches_answers_its_call(node: Any, code: str) -> None:
    hook = node.hook(
        f"module.exports = (user, context, cb) => {{ if (user === 'throws') {{ {code}; }} }};"
    )
    other = hook.start({"user": "waits"})
    thrower = hook.start({"user": "throws"})
    assert hook.finish(thrower).error["message"] == "uncaught"
    assert hook.answers(other) == []


def test_an_exception_in_a_timer_tells_that_the_process_must_end(node: Any) -> None:
    hook = node.hook(
        "module.exports = (u, c, cb) => setImmediate(() => { throw new Error('end of it'); });"
    )
    number = hook.start()
    hook.finish(number)
    ends = [e for e in node.events if e["event"] in ("finish", "fatal")][-2:]
    assert [(e["event"], e.get("number"), e.get("message")) for e in ends] == [
        ("finish", number, None),
        ("fatal", None, "end of it"),
    ]


@pytest.mark.parametrize("code", UNHANDLED)
def test_a_rejection_that_nobody_handles_answers_its_call_and_no_more(node: Any, code: str) -> None:
    hook = node.hook(
        f"module.exports = (user, context, cb) => {{ if (user === 'rejects') {{ {code}; }} }};"
    )
    before = fatal(node)
    other = hook.start({"user": "waits"})
    rejecter = hook.start({"user": "rejects"})
    assert hook.finish(rejecter).error["message"] == "unhandled"
    assert hook.answers(other) == []
    assert fatal(node) == before


def test_a_failure_after_the_answer_is_a_line_of_its_call(node: Any) -> None:
    hook = node.hook(
        "module.exports = (u, c, cb) => { cb(null, 1); Promise.reject(new Error('late')); };"
    )
    answer = hook.call()
    assert answer.result == 1
    assert answer.texts[0] == "After its answer the call failed: Error: late"


def test_a_failure_that_belongs_to_no_call_is_a_line_of_none(node: Any) -> None:
    before = fatal(node)
    node.hook("Promise.reject(new Error('orphan')); module.exports = (u, c, cb) => cb();")
    line = node.wait_for("line", level="error")
    assert (line["scope"], line["stream"]) == (0, "log")
    assert line["text"] == "An error that belongs to no call: Error: orphan"
    assert fatal(node) == before


def test_an_exception_that_belongs_to_no_call_ends_the_process(node: Any) -> None:
    node.hook("setTimeout(() => { throw new Error('nobodys'); }, 1); module.exports = (u) => {};")
    assert node.wait_for("fatal")["message"] == "nobodys"
    line = next(e for e in reversed(node.events) if e.get("text", "").startswith("An error"))
    assert (line["scope"], line["level"]) == (0, "error")
    assert line["text"] == "An error that belongs to no call: Error: nobodys"


def test_a_rejection_is_attributed_to_its_call_among_many(node: Any) -> None:
    hook = node.hook(
        """module.exports = (user, context, cb) => {
          setTimeout(() => Promise.reject(new Error(user)), 1);
        };"""
    )
    numbers = [hook.start({"user": user}) for user in ("a", "b", "c")]
    assert [hook.finish(number).error["message"] for number in numbers] == ["a", "b", "c"]


def test_a_handled_rejection_is_nobodys_business(node: Any) -> None:
    hook = node.hook(
        "module.exports = (u, c, cb) => { Promise.reject(new Error('x')).catch(() => cb(null, 1)); };"
    )
    assert hook.call().result == 1


@pytest.mark.parametrize("code", ["", "0", "3"])
def test_a_hook_cannot_end_the_process_politely(node: Any, code: str) -> None:
    error = node.hook(f"module.exports = (u, c, cb) => process.exit({code});").call().error
    assert error["message"] == (
        f"The hook called process.exit({code}); a hook ends by calling its callback."
    )


def test_without_someone_to_tell_the_process_ends_by_itself(start_node: Any) -> None:
    node = start_node("without onFatal")
    hook = node.hook(
        "module.exports = (u, c, cb) => setTimeout(() => { throw new Error('x'); }, 1);"
    )
    number = hook.start()
    node.wait_for("finish", number=number)
    assert hook.answers(number)[0].error["message"] == "x"
    assert node.process.wait(10) == 70
