"""The trigger ``generic``: a plain webtask."""

from __future__ import annotations

from typing import Any


def generic(node: Any, script: str) -> Any:
    return node.hook(script, trigger="generic", parameters=())


def test_two_parameters_are_the_webtasks_context_and_the_callback(node: Any) -> None:
    hook = generic(node, "module.exports = (ctx, cb) => cb(null, [ctx.body, ctx.query, ctx.id]);")
    number = hook.start({"a": 1}, {"query": {"q": "1"}})
    assert hook.finish(number).result == [{"a": 1}, {"q": "1"}, f"call-{number}"]


def test_an_error_is_answered_as_at_every_point(node: Any) -> None:
    error = generic(node, "module.exports = (ctx, cb) => cb(new Error('no'));").call().error
    assert error["message"] == "no"


def test_a_webtask_that_takes_no_callback_answers_by_returning(node: Any) -> None:
    assert generic(node, "module.exports = async (ctx) => ctx.body;").call({"a": 1}).result == {
        "a": 1
    }


def test_three_parameters_are_the_raw_form(node: Any) -> None:
    hook = generic(
        node,
        """module.exports = (ctx, req, res) => {
          res.setHeader('X-One', '1');
          res.writeHead(201, { 'Content-Type': 'text/plain' });
          res.write('made ');
          res.end(req.method + req.body.a + req.headers.host);
        };""",
    )
    assert hook.call({"a": 1}, {"headers": {"Host": "h"}}).result == {
        "statusCode": 201,
        "headers": {"x-one": "1", "content-type": "text/plain"},
        "body": "made POST1h",
    }


def test_the_request_is_a_stream_of_the_payload(node: Any) -> None:
    hook = generic(
        node,
        """module.exports = async (ctx, req, res) => {
          let text = ''; for await (const chunk of req) text += chunk;
          res.end(text);
        };""",
    )
    assert hook.call(text='{"a":  1}').result["body"] == '{"a":  1}'


def test_the_request_may_be_piped_to_the_response(node: Any) -> None:
    hook = generic(node, "module.exports = (ctx, req, res) => { req.pipe(res); };")
    assert hook.call(text="[1]").result == {"statusCode": 200, "headers": {}, "body": "[1]"}


def test_the_status_may_be_set_as_a_member(node: Any) -> None:
    hook = generic(
        node, "module.exports = (ctx, req, res) => { res.statusCode = 404; res.end(); };"
    )
    assert hook.call().result == {"statusCode": 404, "headers": {}, "body": ""}


def test_writing_after_the_end_is_an_error(node: Any) -> None:
    hook = generic(node, "module.exports = (ctx, req, res) => { res.end('a'); res.write('b'); };")
    assert hook.call().error["message"] == "write after end"


def test_an_exception_in_the_raw_form_is_an_error(node: Any) -> None:
    error = generic(node, "module.exports = (ctx, req, res) => { throw new Error('raw'); };").call()
    assert error.error["message"] == "raw"
