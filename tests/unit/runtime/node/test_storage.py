"""``context.webtask.storage``: one document for a hook, with the conflict model of webtasks."""

from __future__ import annotations

from typing import Any

import pytest


def steps(node: Any, body: str, **load: Any) -> Any:
    """Prepare a hook that works with ``storage``."""
    return node.hook(
        f"module.exports = (user, {{ webtask: {{ storage }} }}, cb) => {{ {body} }};", **load
    )


def test_it_is_empty_at_first(node: Any) -> None:
    hook = steps(node, "storage.get((error, data) => cb(null, [error, String(data)]));")
    assert hook.call().result == [None, "undefined"]


def test_what_is_set_is_there_for_later_calls(node: Any) -> None:
    hook = steps(
        node,
        """storage.get((error, data) => {
          const next = { n: (data ? data.n : 0) + 1 };
          storage.set(next, (failure) => cb(failure, next));
        });""",
    )
    assert [hook.call().result["n"] for _ in range(3)] == [1, 2, 3]


def test_hooks_do_not_share_it(node: Any) -> None:
    body = "storage.get((e, data) => storage.set({}, { force: true }, () => cb(null, !data)));"
    assert steps(node, body).call().result is True
    assert steps(node, body).call().result is True


def test_what_was_read_is_a_copy(node: Any) -> None:
    hook = steps(
        node,
        """const value = { n: 1 };
        storage.set(value, { force: true }, () => {
          value.n = 2;
          storage.get((e, data) => { data.n += 10; storage.get((f, again) => cb(null, again)); });
        });""",
    )
    assert hook.call().result == {"n": 1}


def test_setting_what_was_never_read_needs_force(node: Any) -> None:
    error = steps(node, "storage.set({ n: 1 }, cb);").call().error
    assert error["message"] == (
        "When calling storage.set without having called storage.get before, "
        "you must specify the .force option."
    )
    assert steps(node, "storage.set({ n: 1 }, { force: 1 }, cb);").call().kind == "result"


def test_a_change_by_another_call_is_a_conflict_with_the_others_data(node: Any) -> None:
    hook = node.hook(
        """let goOn;
        module.exports = (user, { webtask: { storage } }, cb) => storage.get(() => {
          if (user.wait) goOn = () => storage.set({ from: 'late' }, cb);
          else storage.set({ from: 'early' }, (error) => { cb(error); goOn(); });
        });"""
    )
    late = hook.start({"user": {"wait": True}, "context": {}})
    assert hook.call({"user": {}, "context": {}}).kind == "result"
    error = hook.finish(late).error
    assert (error["message"], error["code"]) == ("Item was modified since it was read.", 409)
    assert error["conflict"] == {"from": "early"}


def test_after_a_conflict_the_call_may_try_again(node: Any) -> None:
    hook = steps(
        node,
        """storage.get(() => storage.set({ n: 1 }, { etag: 'stale' }, (error) =>
          storage.set({ n: 2 }, (again) => cb(again, error.code))));""",
    )
    assert hook.call().result == 409


def test_force_overwrites_a_conflict(node: Any) -> None:
    hook = steps(
        node,
        """storage.set({ n: 1 }, { force: true }, () =>
          storage.set({ n: 2 }, { etag: null, force: true }, cb));""",
    )
    assert hook.call().kind == "result"


def test_an_etag_of_null_means_that_nothing_may_be_there(node: Any) -> None:
    hook = steps(node, "storage.set({ n: 1 }, { etag: null }, cb);")
    assert hook.call().kind == "result"
    assert hook.call().error["code"] == 409


@pytest.mark.parametrize("nothing", ["null", "undefined"])
def test_setting_nothing_deletes_the_document(node: Any, nothing: str) -> None:
    hook = steps(
        node,
        f"""storage.set(1, {{ force: true }}, () => storage.set({nothing}, () =>
          storage.get((e, data) => cb(null, String(data)))));""",
    )
    assert hook.call().result == "undefined"


def test_a_document_has_a_longest_size(node: Any) -> None:
    hook = steps(node, "storage.set('x'.repeat(500000), { force: true }, cb);")
    assert hook.call().error["code"] == 413


def test_a_document_is_json(node: Any) -> None:
    hook = steps(node, "storage.set(10n, { force: true }, cb);")
    assert "BigInt" in hook.call().error["message"]


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ("storage.get()", "Callback must be a function."),
        ("storage.get({})", "Callback must be a function."),
        ("storage.get('x', cb)", "Options must be an object."),
        ("storage.set(1, 'x', cb)", "Options must be an object."),
        ("storage.set(1, {}, 'x')", "Callback must be a function."),
    ],
)
def test_wrong_arguments_are_refused(node: Any, use: str, message: str) -> None:
    assert steps(node, f"{use};").call().error["message"] == message


def test_an_error_thrown_in_its_callback_belongs_to_the_call(node: Any) -> None:
    hook = steps(node, "storage.get(() => { throw new Error('inside'); });")
    assert hook.call().error["message"] == "inside"
