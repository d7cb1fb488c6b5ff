"""What a hook writes: whole lines, each told apart by call, level and stream."""

from __future__ import annotations

from typing import Any

import pytest


def written(node: Any, body: str) -> list[tuple[str, str, str]]:
    """Return level, stream and text of the lines that a call writes."""
    hook = node.hook(f"module.exports = (user, context, cb) => {{ {body}; cb(); }};")
    return [(line["level"], line["stream"], line["text"]) for line in hook.call().lines]


@pytest.mark.parametrize(
    ("method", "level", "stream"),
    [
        ("log", "info", "stdout"),
        ("info", "info", "stdout"),
        ("debug", "debug", "stdout"),
        ("dir", "info", "stdout"),
        ("warn", "warning", "stderr"),
        ("error", "error", "stderr"),
    ],
)
def test_each_method_of_the_console_has_its_level(
    node: Any, method: str, level: str, stream: str
) -> None:
    assert written(node, f"console.{method}({{ a: 1 }})") == [(level, stream, "{ a: 1 }")]


def test_arguments_are_formatted_as_by_nodejs(node: Any) -> None:
    assert written(node, "console.log('%s has %d: %j', 'a', 2, [3], 'more')") == [
        ("info", "stdout", "a has 2: [3] more")
    ]


def test_each_line_of_a_text_is_a_line(node: Any) -> None:
    assert [text for *_, text in written(node, "console.log('a\\n\\nb')")] == ["a", "", "b"]


def test_an_empty_call_writes_an_empty_line(node: Any) -> None:
    assert written(node, "console.log()") == [("info", "stdout", "")]


def test_a_failed_assertion_is_a_warning(node: Any) -> None:
    assert written(node, "console.assert(false, 'no')") == [
        ("warning", "stderr", "Assertion failed: no")
    ]


def test_a_trace_is_an_error_with_the_scripts_line(node: Any) -> None:
    lines = written(node, "console.trace('here')")
    assert lines[0] == ("error", "stderr", "Trace: here")
    assert "hook.js:1:" in lines[1][2]


@pytest.mark.parametrize("way", ["console.error(error)", "require('hookledger').log.error(error)"])
def test_stacks_end_where_the_hooks_code_does(node: Any, way: str) -> None:
    body = f"const inner = () => {{ const error = new Error('no'); {way}; }}; inner()"
    lines = [text for *_, text in written(node, body)]
    assert lines[0] == "Error: no"
    assert ["at inner" in line for line in lines[1:]] == [True, False]
    assert all("hook.js:1:" in line for line in lines[1:])


def test_frames_that_only_look_like_ours_do_not_hide_what_follows(node: Any) -> None:
    body = "console.error('Error: a\\n    at x (y.js:1:1)\\nand more\\n    at z (y.js:2:2)')"
    assert len(written(node, body)) == 4


def test_a_table_is_drawn(node: Any) -> None:
    assert len(written(node, "console.table([{ a: 1 }, { a: 2 }])")) == 6


def test_counts_and_times_are_lines(node: Any) -> None:
    lines = written(node, "console.count('n'); console.time('t'); console.timeEnd('t')")
    assert lines[0] == ("info", "stdout", "n: 1")
    assert lines[1][2].startswith("t: ")


def test_a_group_indents_the_lines_of_its_call_alone(node: Any) -> None:
    hook = node.hook(
        """module.exports = (user, context, cb) => {
          if (user === 'plain') { console.log('plain'); return cb(); }
          console.group('outer'); console.group(); console.log('a\\nb'); console.groupEnd();
          setTimeout(() => { console.warn('c'); console.groupEnd(); console.log('d'); cb(); }, 2);
        };"""
    )
    grouped = hook.start({"user": "grouped"})
    assert hook.call({"user": "plain"}).texts == ["plain"]
    assert hook.finish(grouped).texts == ["outer", "    a", "    b", "  c", "d"]


def test_lines_of_calls_that_overlap_are_told_apart(node: Any) -> None:
    hook = node.hook(
        """module.exports = async (user, context) => {
          for (let turn = 0; turn < 3; turn += 1) {
            console.log(user, turn);
            await new Promise(setImmediate);
            await null;
          }
        };"""
    )
    numbers = [hook.start({"user": user}) for user in "ab"]
    texts = [hook.finish(number).texts for number in numbers]
    assert texts == [["a 0", "a 1", "a 2"], ["b 0", "b 1", "b 2"]]


@pytest.mark.parametrize(("stream", "level"), [("stdout", "info"), ("stderr", "error")])
def test_the_processs_streams_are_captured_by_line(node: Any, stream: str, level: str) -> None:
    body = (
        f"process.{stream}.write('a'); process.{stream}.write('b\\nc'); process.{stream}.write('')"
    )
    assert written(node, body) == [(level, stream, "ab"), (level, stream, "c")]


def test_console_and_stream_share_a_line_as_in_nodejs(node: Any) -> None:
    assert written(node, "process.stdout.write('a'); console.log('b')") == [
        ("info", "stdout", "ab")
    ]


@pytest.mark.parametrize(
    "chunk", ["Buffer.from('é')", "new Uint8Array([195, 169])", "'w6k=', 'base64'"]
)
def test_bytes_are_text_in_utf8(node: Any, chunk: str) -> None:
    assert written(node, f"process.stdout.write({chunk})") == [("info", "stdout", "é")]


def test_a_callback_of_write_is_called(node: Any) -> None:
    hook = node.hook(
        "module.exports = (u, c, cb) => process.stdout.write('x\\n', () => cb(null, 1));"
    )
    assert hook.call().result == 1


def test_a_stream_may_be_piped_to_the_output(node: Any) -> None:
    hook = node.hook(
        """const { Readable } = require('stream');
        module.exports = (u, c, cb) => {
          const source = Readable.from(['a\\n', 'b\\n']);
          source.on('end', () => cb()); source.pipe(process.stdout);
        };"""
    )
    assert hook.call().texts == ["a", "b"]


def test_the_output_survives_being_closed(node: Any) -> None:
    body = "process.stdout.end('a\\n'); process.stdout.destroy(); console.log('b')"
    assert [text for *_, text in written(node, body)] == ["a", "b"]


def test_a_text_without_line_breaks_is_not_kept_for_ever(node: Any) -> None:
    lines = written(node, "for (let n = 0; n < 40; n += 1) process.stdout.write('x'.repeat(1000))")
    assert sum(len(text) for *_, text in lines) == 40_000
    assert len(lines) > 1


def test_lines_of_the_loading_belong_to_no_call(node: Any) -> None:
    hook = node.hook("console.log('a'); process.stdout.write('b'); module.exports = (u) => {};")
    assert [(line["scope"], line["text"]) for line in hook.lines] == [(0, "a"), (0, "b")]


def test_a_line_after_the_answer_still_names_its_call(node: Any) -> None:
    hook = node.hook(
        "module.exports = (u, c, cb) => { cb(); console.log('after'); process.stdout.write('x'); };"
    )
    assert hook.call().texts == ["after", "x"]


def test_partial_lines_come_before_the_answer(node: Any) -> None:
    hook = node.hook("module.exports = (u, c, cb) => { process.stdout.write('x'); cb(); };")
    number = hook.start()
    hook.finish(number)
    kinds = [e["event"] for e in node.events if number in (e.get("scope"), e.get("number"))]
    assert kinds == ["line", "finish"]


def test_a_warning_of_nodejs_is_a_line(node: Any) -> None:
    hook = node.hook(
        "module.exports = (u, c, cb) => { process.emitWarning('old', 'DeprecationWarning'); setImmediate(cb); };"
    )
    answer = hook.call()
    assert [(line["level"], line["text"]) for line in answer.lines] == [
        ("warning", "DeprecationWarning: old")
    ]


def test_the_module_console_is_captured_too(node: Any) -> None:
    assert written(node, "require('console').log('a'); const { log } = console; log('b')") == [
        ("info", "stdout", "a"),
        ("info", "stdout", "b"),
    ]


@pytest.mark.parametrize(
    ("method", "level"),
    [("debug", "debug"), ("info", "info"), ("warn", "warning"), ("error", "error")],
)
def test_the_logger_writes_to_the_log(node: Any, method: str, level: str) -> None:
    assert written(node, f"require('hookledger').log.{method}('%s\\nb', 'a')") == [
        (level, "log", "a"),
        (level, "log", "b"),
    ]
