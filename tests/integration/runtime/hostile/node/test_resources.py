"""Hooks that take time, memory and processes: no more than they may."""

from __future__ import annotations

import os

import orjson
import pytest

from app.domain.outcomes import OutcomeKind
from tests.integration.runtime.hostile.node.arena import NodeArena as Arena


@pytest.mark.parametrize(
    "body",
    [
        "for (;;);",
        "/(a+)+$/.test('a'.repeat(64) + 'b');",
        "process.on('SIGTERM', () => {}); for (;;) { try { for (;;); } catch {} }",
        "await new Promise(() => {});",
        "const turn = () => { Promise.resolve().then(turn); }; turn();",
        "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);",
        "// never answers",
    ],
    ids=["loop", "regex", "signals", "promise", "microtasks", "atomics", "no-callback"],
)
def test_a_hook_does_not_outlive_its_deadline(arena: Arena, body: str) -> None:
    outcome = arena.strike(body, timeout=1)
    assert outcome.kind is OutcomeKind.TIMED_OUT
    assert 1 <= outcome.ran < 2


@pytest.mark.parametrize(
    "body",
    [
        "const kept = []; for (;;) kept.push(new Array(10_000).fill(1.5));",
        "const kept = []; for (;;) kept.push(Buffer.alloc(1 << 20, 1));",
        "const kept = []; for (;;) kept.push(new SharedArrayBuffer(1 << 20));",
        "const kept = []; for (;;) kept.push(new WebAssembly.Memory({ initial: 160 }));",
        "cb(null, Buffer.alloc(2 ** 31, 1).length);",
    ],
    ids=["heap", "buffers", "shared-buffers", "wasm", "at-once"],
)
def test_a_hook_does_not_get_more_memory_than_it_may(arena: Arena, body: str) -> None:
    outcome = arena.strike(body, timeout=10)
    assert outcome.kind is OutcomeKind.OUT_OF_MEMORY, outcome
    assert "256 MiB" in outcome.detail


def test_too_many_threads_harm_only_their_worker(arena: Arena) -> None:
    outcome = arena.strike("""
const { Worker } = require('worker_threads');
const threads = [];
for (let n = 0; n < 200; n += 1) threads.push(new Worker('for (;;);', { eval: true }));
setTimeout(() => cb(null, threads.length), 200);
""")
    assert outcome.kind is not OutcomeKind.SUCCEEDED


def test_no_process_can_be_made(arena: Arena) -> None:
    arena.refuses(
        """[
  () => require('child_process').execSync('true'),
  () => require('child_process').execFileSync(process.execPath, ['-v']),
  () => { const { error } = require('child_process').spawnSync(process.execPath); throw error; },
  () => new Promise((resolve, reject) =>
    require('child_process').spawn('/bin/true').on('error', reject).on('exit', resolve)),
  () => require('child_process').fork('/hook.js'),
  () => new Promise((resolve, reject) => {
    require('cluster').setupPrimary({ exec: '/hook.js' });
    require('cluster').fork().on('error', reject).on('online', resolve);
  }),
]""",
        by=("seccomp",),
    )


def test_no_other_process_can_be_reached(arena: Arena) -> None:
    targets = [os.getpid(), *arena.house.processes()]
    arena.refuses(
        """[
  ...[-1, 1, process.ppid, ...event].map((pid) => () => process.kill(pid, 'SIGKILL')),
  ...event.map((pid) => () => require('os').setPriority(pid, 19)),
  ...event.map((pid) => () => require('fs').readFileSync(`/proc/${pid}/environ`)),
  () => require('fs').readdirSync('/proc'),
  () => process.setuid(0), () => process.setgid(0), () => process.setgroups([0]),
  () => process.chdir('/tmp'),
  () => require('fs').chownSync('/', 1, 1),
]""",
        targets,
        by=("seccomp", "Landlock", "mount namespace"),
    )


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        ("process.reallyExit(3);", OutcomeKind.CRASHED, "exit code 3"),
        ("process.abort();", OutcomeKind.CRASHED, "SIG"),
        ("require('fs').closeSync(3); for (;;);", OutcomeKind.VIOLATED, "connection"),
    ],
    ids=["exit", "abort", "hang-up"],
)
def test_a_worker_that_ends_is_an_error_of_the_call(
    arena: Arena, body: str, kind: OutcomeKind, told: str
) -> None:
    outcome = arena.strike(body)
    assert (outcome.kind, told in outcome.detail) == (kind, True), outcome


def test_leaving_is_no_answer(arena: Arena) -> None:
    assert arena.strike("process.exit(0);").kind is not OutcomeKind.SUCCEEDED


@pytest.mark.parametrize(
    "body",
    [
        "setTimeout(() => { throw new Error('late'); }, 5);",
        "process.nextTick(() => { throw new Error('late'); });",
    ],
)
def test_an_error_thrown_late_answers_the_call(arena: Arena, body: str) -> None:
    outcome = arena.strike(body)
    assert outcome.kind is OutcomeKind.ERRORED
    assert orjson.loads(outcome.data or b"")["message"] == "late"


def test_a_second_answer_is_not_heard(arena: Arena) -> None:
    house = arena.house
    script = "module.exports = (e, c, cb) => { cb(null, e); cb(null, 'again'); setTimeout(cb, 5); }"
    version = house.version(script, language="node", max_workers=1)
    for number in range(20):
        assert house.call(version, number).data == b"%d" % number
