"""Hooks that lie: while they are loaded, to the server, and after their answer."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.outcomes import OutcomeKind
from tests.integration.runtime.hostile.node.arena import NodeArena as Arena


@pytest.mark.parametrize(
    ("top_level", "kind"),
    [
        ("for (;;) { process.reallyExit(0); }", OutcomeKind.CRASHED),
        ("require('child_process').execSync('true')", OutcomeKind.ERRORED),
        (
            "const kept = []; for (;;) kept.push(Buffer.alloc(1 << 20, 1));",
            OutcomeKind.OUT_OF_MEMORY,
        ),
        ("put(frame(0, 0x12, '0')); for (;;);", OutcomeKind.TIMED_OUT),
        ("put(frame(1, 0x14, '1')); for (;;);", OutcomeKind.VIOLATED),
        ("put(frame(0, 0x12, '0')); put(frame(0, 0x12, '0')); for (;;);", OutcomeKind.VIOLATED),
        ("for (;;) put(frame(0, 0x17, '\\0\\0'));", OutcomeKind.VIOLATED),
    ],
    ids=["exit", "process", "memory", "ready", "answer", "ready-twice", "flood"],
)
def test_the_top_level_of_a_script_can_do_no_more_than_a_call(
    arena: Arena, top_level: str, kind: OutcomeKind
) -> None:
    house = arena.house
    script = f"{FRAME}\n{top_level}\nmodule.exports = (event, context, cb) => cb(null, 1);"
    outcome = house.call(house.version(script, language="node", max_workers=1), timeout=2)
    assert outcome.kind is kind, outcome
    arena.strike("cb(null, 1);")


FRAME = """
const fs = require('fs');
const put = (data) => { while (data.length) try { data = data.subarray(fs.writeSync(3, data)); } catch (e) { if (e.code !== 'EAGAIN') throw e; } };
const frame = (number, kind, body = '') => {
  const data = Buffer.alloc(9 + Buffer.byteLength(body, 'latin1'));
  data.writeUInt32LE(data.length - 8, 0); data.writeUInt32LE(number, 4); data[8] = kind;
  data.write(body, 9, 'latin1');
  return data;
};
"""


@pytest.mark.parametrize(
    "body",
    [
        "put(require('crypto').randomBytes(100_000));",
        "put(Buffer.from('GET / HTTP/1.1'.repeat(100)));",
        "put(Buffer.from([255, 255, 255, 255, 1, 0, 0, 0]));",
        "put(Buffer.alloc(8));",
        "put(frame(99, 0x14, '1'));",
        "put(frame(0, 0x14, '1'));",
        "put(frame(1, 0x12, '0'));",
        "put(frame(0, 0x11, '[]'));",
        "put(frame(1, 0x77));",
        "put(frame(99, 0x16));",
        "put(frame(1, 0x16));",
        "put(frame(1, 0x17, '\\xff\\xff'));",
        "put(frame(0, 0x13, '{}'));",
        "for (;;) put(frame(0, 0x17, '\\0\\0'));",
        "put(frame(99, 0x17, '\\0\\0late'));",
        "for (;;) put(frame(1, 0x17, '\\0\\0' + 'x'.repeat(1000)));",
    ],
    ids=[
        "garbage", "text", "huge-length", "no-length", "forged-id", "id-0", "ready-again",
        "confined-again", "unknown-kind", "skip-another", "denied-start", "log-level",
        "load-failed", "flood-of-0", "log-for-another", "flood",
    ],
)  # fmt: skip
def test_a_worker_that_breaks_the_protocol_is_killed(arena: Arena, body: str) -> None:
    outcome = arena.strike(f"{FRAME}\n{body}\nawait new Promise(() => {{}});")
    assert outcome.kind is OutcomeKind.VIOLATED
    assert "killed" in outcome.detail
    assert outcome.ran < 4


@pytest.mark.parametrize("second", [1, 2, 0xFFFF_FFFF])
def test_an_answer_that_nobody_waits_for_costs_the_worker(arena: Arena, second: int) -> None:
    house = arena.house
    script = f"""{FRAME}
let calls = 0;
module.exports = (event, context, cb) => {{
  calls += 1;
  if (!event) return cb(null, calls);
  put(Buffer.concat([frame(1, 0x14, '7'), frame({second}, 0x14, '8')]));
}};
"""
    version = house.version(script, language="node", max_workers=1)
    assert house.call(version, "forge").data == b"7"
    assert house.call(version).data == b"1", "it is another process"


def test_a_huge_answer_is_refused(arena: Arena) -> None:
    outcome = arena.strike("cb(null, 'x'.repeat(5 << 20));")
    assert outcome.kind is OutcomeKind.VIOLATED
    assert "5242883" in outcome.detail


def test_huge_prints_are_cut_and_said_to_be(arena: Arena) -> None:
    house = arena.house
    before = len(house.lines)
    outcome = arena.strike("""
for (let n = 0; n < 20_000; n += 1) console.log('x'.repeat(1000));
cb(null, 'done');
""")
    assert outcome.data == b'"done"'
    texts = [line.text for line in house.lines[before:]]
    assert sum(map(len, texts)) < 70_000
    assert "lines were dropped" in texts[-1]


def test_floods_past_the_console_are_dropped(arena: Arena) -> None:
    house = arena.house
    before = len(house.lines)
    outcome = arena.strike("""
const fs = require('fs');
for (let n = 0; n < 20_000; n += 1) try { fs.writeSync(2, 'raw line\\n'.repeat(100)); } catch {}
cb(null, 'done');
""")
    assert outcome.data == b'"done"'
    assert 0 < len(house.lines) - before < 3000


def test_what_a_hook_leaves_running_stands_still(arena: Arena, until: Any) -> None:
    house = arena.house
    script = """
let count = 0;
module.exports = (event, context, cb) => {
  if (event === 'start') setInterval(() => { count += 1; }, 1);
  cb(null, count);
};
"""
    version = house.version(script, language="node", max_workers=1)
    before = set(house.processes())
    assert house.call(version, "start").kind is OutcomeKind.SUCCEEDED
    (process,) = set(house.processes()) - before
    until(lambda: house.processes().get(process) == "T")
    assert int(house.call(version, "look").data) > 0
