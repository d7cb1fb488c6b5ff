"""``context.webtask``: what a hook knows of its request and of itself."""

from __future__ import annotations

from typing import Any

import pytest

REQUEST = {
    "headers": {"Host": "h", "REFERER": "https://example.com", "x-ok": "1"},
    "query": {"a": "query", "b": "query", "webtask_no_cache": "1"},
    "params": {"b": "params", "c": "params"},
}


def read(
    node: Any, expression: str, request: Any = REQUEST, payload: Any = None, **load: Any
) -> Any:
    """Return what an expression over ``webtask`` has for a value."""
    hook = node.hook(f"module.exports = (u, {{ webtask }}, cb) => cb(null, {expression});", **load)
    return hook.call(payload, request).result


def test_its_members_are_those_of_a_webtask(node: Any) -> None:
    assert sorted(read(node, "Object.keys(webtask)")) == [
        "body", "body_raw", "create_token", "create_token_url", "data", "headers", "id", "meta",
        "params", "query", "secrets", "storage", "token",
    ]  # fmt: skip


def test_secrets_are_the_hooks_own(node: Any) -> None:
    assert read(node, "webtask.secrets", secrets={"KEY": "k"}) == {"KEY": "k"}


def test_the_platforms_secret_is_hidden(node: Any) -> None:
    secrets = {"KEY": "k", "auth0-extension-secret": "platform"}
    assert read(node, "[webtask.secrets, webtask.data]", None, {}, secrets=secrets) == [
        {"KEY": "k"},
        {"KEY": "k"},
    ]


def test_secrets_cannot_be_changed(node: Any) -> None:
    hook = node.hook(
        """module.exports = (u, { webtask }, cb) => {
          const before = webtask.secrets.KEY; webtask.secrets.KEY = 'changed'; cb(null, before);
        };""",
        secrets={"KEY": "k"},
    )
    assert [hook.call().result, hook.call().result] == ["k", "k"]


@pytest.mark.parametrize("answer", ["context", "{ context }", "context.webtask"])
def test_a_hook_that_answers_with_its_context_tells_no_secret(node: Any, answer: str) -> None:
    hook = node.hook(
        f"module.exports = (user, context, cb) => cb(null, {answer});", secrets={"KEY": "s3cr3t"}
    )
    request = {"headers": {"Authorization": "Bearer t0k3n"}, "query": {"q": "kept"}}
    text = hook.call(None, request).json
    assert "kept" in text
    assert "s3cr3t" not in text
    assert "t0k3n" not in text


def test_names_of_headers_are_lower_case(node: Any) -> None:
    assert read(node, "webtask.headers") == {
        "host": "h",
        "referer": "https://example.com",
        "x-ok": "1",
    }


def test_the_query_is_without_the_platforms_names(node: Any) -> None:
    assert read(node, "webtask.query") == {"a": "query", "b": "query"}


def test_params_are_the_requests(node: Any) -> None:
    assert read(node, "webtask.params") == {"b": "params", "c": "params"}


def test_without_a_request_there_are_empty_objects(node: Any) -> None:
    expression = "[webtask.headers, webtask.query, webtask.params]"
    assert read(node, expression, None) == [{}, {}, {}]
    assert read(node, expression, {}) == [{}, {}, {}]


def test_body_is_the_payload_and_body_raw_its_text(node: Any) -> None:
    hook = node.hook(
        "module.exports = (u, { webtask }, cb) => cb(null, [webtask.body, webtask.body_raw]);"
    )
    text = '{ "user":  1 }'
    assert hook.call(text=text).result == [{"user": 1}, text]


def test_data_is_merged_from_query_params_secrets_and_what_the_body_adds(node: Any) -> None:
    payload = {"a": "body", "d": "body", "context": {}}
    secrets = {"c": "secret"}
    assert read(node, "webtask.data", REQUEST, payload, secrets=secrets) == {
        "a": "query",
        "b": "params",
        "c": "secret",
        "d": "body",
        "context": {},
    }


@pytest.mark.parametrize("payload", [[1, 2], "text", None])
def test_data_takes_nothing_of_a_body_without_members(node: Any, payload: Any) -> None:
    generic = node.hook(
        "module.exports = (webtask, cb) => cb(null, webtask.data);", trigger="generic"
    )
    assert generic.call(payload, text=None if payload else "null").result == {}


def test_meta_names_the_hook(node: Any) -> None:
    meta = read(node, "webtask.meta", name="my-hook", trigger="pre-user-registration")
    assert meta == {
        "auth0-extension": "runtime",
        "auth0-extension-name": "pre-user-registration",
        "hook-name": "my-hook",
    }


def test_meta_has_what_the_server_says(node: Any) -> None:
    meta = read(node, "webtask.meta", meta={"hook-name": "said", "commit": "abc"})
    assert (meta["hook-name"], meta["commit"]) == ("said", "abc")


def test_id_is_the_invocations(node: Any) -> None:
    hook = node.hook("module.exports = (u, { webtask }, cb) => cb(null, webtask.id);")
    number = hook.start()
    assert hook.finish(number).result == f"call-{number}"


def test_there_is_no_token(node: Any) -> None:
    assert read(node, "['token' in webtask, String(webtask.token)]") == [True, "undefined"]


@pytest.mark.parametrize("name", ["create_token", "create_token_url"])
def test_making_tokens_says_that_it_does_not_exist(node: Any, name: str) -> None:
    thrown = node.hook(f"module.exports = (u, c, cb) => c.webtask.{name}({{}});").call().error
    passed = node.hook(f"module.exports = (u, c, cb) => c.webtask.{name}({{}}, cb);").call().error
    for error in (thrown, passed):
        assert error["message"].startswith(f"context.webtask.{name} does not exist here")


def test_a_member_called_proto_changes_no_prototype(node: Any) -> None:
    hook = node.hook(
        "module.exports = (u, c, cb) => cb(null, [String(c.admin), String(c.webtask.data.admin)]);"
    )
    text = '{"__proto__": {"admin": 1}, "context": {"__proto__": {"admin": 1}}}'
    assert hook.call(text=text).result == ["undefined", "undefined"]


def test_a_hook_may_change_its_context_without_consequence(node: Any) -> None:
    hook = node.hook(
        """module.exports = (u, context, cb) => {
          const found = context.webtask.meta.changed || context.webtask.query.changed || null;
          context.webtask.meta.changed = 1; context.webtask.query.changed = 1; cb(null, found);
        };"""
    )
    assert [hook.call().result, hook.call().result] == [None, None]


def test_a_point_without_a_context_is_given_none(node: Any) -> None:
    hook = node.hook(
        "module.exports = (user, cb) => cb(null, [user, typeof cb]);", parameters=("user",)
    )
    assert hook.call({"user": 1, "context": {}}).result == [1, "function"]
