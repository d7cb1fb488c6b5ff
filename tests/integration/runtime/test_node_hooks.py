"""Node.js hooks: the same runner, the same isolation, many calls at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.domain.outcomes import Outcome, OutcomeKind, ScriptToCheck

MIB = 1 << 20


@pytest.fixture
def run(house: Any) -> Callable[..., Outcome]:
    """Run a script once: ``run(script, event, **options)``."""

    def once(script: str, event: object = None, **options: Any) -> Outcome:
        version = house.version(script, language="node", max_workers=1)
        outcome: Outcome = house.call(version, event, **options)
        return outcome

    return once


def test_a_hook_is_given_the_payload_and_answers_by_its_callback(run: Any) -> None:
    outcome = run("module.exports = (event, context, cb) => cb(null, { event })", {"é": [1, "𝄞"]})
    assert (outcome.kind, orjson.loads(outcome.data)) == (
        OutcomeKind.SUCCEEDED,
        {"event": {"é": [1, "𝄞"]}},
    )


def test_an_error_given_to_the_callback_is_the_hooks_own(run: Any) -> None:
    outcome = run("module.exports = (event, context, cb) => cb(new Error('no entry'))")
    assert outcome.kind is OutcomeKind.ERRORED
    assert orjson.loads(outcome.data)["message"] == "no entry"


def test_an_error_at_the_top_level_refuses_the_script(run: Any) -> None:
    outcome = run("throw new Error('at the top')")
    assert outcome.kind is OutcomeKind.ERRORED
    assert orjson.loads(outcome.data)["message"] == "at the top"


def test_many_calls_run_at_once(house: Any, payload: Any) -> None:
    # None is answered before the last has come.
    script = """
const waiting = [];
module.exports = (event, context, cb) => {
  waiting.push(() => cb(null, event * 2));
  if (waiting.length === 64) for (const answer of waiting) setTimeout(answer, Math.random() * 20);
};
"""
    version = house.version(script, language="node", max_workers=1)

    async def all_at_once() -> list[Outcome]:
        runs = (house.runner.run(version, payload(number)) for number in range(64))
        return list(await asyncio.gather(*runs))

    outcomes = house.do(all_at_once())
    assert [outcome.data for outcome in outcomes] == [b"%d" % (2 * n) for n in range(64)]


def test_a_call_that_comes_too_late_is_not_started_nor_its_neighbours_harmed(
    house: Any, payload: Any
) -> None:
    script = """
module.exports = (event, context, cb) => {
  if (event === 'block') { const end = Date.now() + 700; while (Date.now() < end); }
  setTimeout(() => cb(null, event), event === 'slow' ? 1000 : 0);
};
"""
    version = house.version(script, language="node", max_workers=1)

    async def some_late() -> list[Outcome]:
        run = house.runner.run
        await run(version, payload("first"))
        tasks = [asyncio.ensure_future(run(version, payload("slow")))]
        await asyncio.sleep(0.05)
        tasks.append(asyncio.ensure_future(run(version, payload("block"))))
        await asyncio.sleep(0.05)
        tasks.append(asyncio.ensure_future(run(version, payload("late", timeout=0.9))))
        return list(await asyncio.gather(*tasks))

    outcomes = house.do(some_late())
    assert [outcome.data for outcome in outcomes] == [b'"slow"', b'"block"', b'"late"']


def test_what_a_hook_logs_is_told_apart_by_call_and_bounded(house: Any) -> None:
    script = """
module.exports = (event, context, cb) => {
  for (let n = 0; n < event; n += 1) console.log('line', n);
  console.error('last');
  cb();
};
"""
    version = house.version(script, language="node", max_workers=1)
    assert house.call(version, 2, name="few").data is None
    assert house.lines_of("few") == ["line 0", "line 1", "last"]
    house.call(version, 5000, name="many")
    lines = house.lines_of("many")
    assert len(lines) == 65536 // 64 + 1
    assert lines[-1].startswith("3977 more lines were dropped")


def test_large_payloads_and_answers_go_through_whole(run: Any) -> None:
    text = "ä" * 300_000
    outcome = run("module.exports = (event, context, cb) => cb(null, event)", text)
    assert orjson.loads(outcome.data) == text


def test_an_error_that_nothing_caught_is_not_told_as_another_calls_own(
    house: Any, payload: Any
) -> None:
    script = """
module.exports = (event, context, cb) => {
  if (event === 'throw') setTimeout(() => { throw new Error('late'); }, 5);
  if (event === 'fine') cb(null, 'fine');
};
"""
    version = house.version(script, language="node", max_workers=1)

    async def together() -> list[Outcome]:
        run = house.runner.run
        await run(version, payload("fine"))
        return list(
            await asyncio.gather(*(run(version, payload(event)) for event in ("wait", "throw")))
        )

    innocent, guilty = house.do(together())
    assert guilty.kind is OutcomeKind.ERRORED
    assert orjson.loads(guilty.data)["message"] == "late"
    assert innocent.kind is OutcomeKind.CRASHED
    assert innocent.detail.endswith("nothing caught: Error: late")
    assert house.call(version, "fine").data == b'"fine"'


def test_a_deadline_is_kept_and_a_new_worker_takes_over(house: Any) -> None:
    script = "module.exports = (event, context, cb) => { if (event) for (;;); cb(null, 1); }"
    version = house.version(script, language="node", max_workers=1)
    assert house.call(version).data == b"1"
    outcome = house.call(version, "loop", timeout=0.4)
    assert (outcome.kind, outcome.ran < 1) == (OutcomeKind.TIMED_OUT, True)
    assert house.call(version).data == b"1"


def test_secrets_reach_the_hook_and_not_the_log(house: Any) -> None:
    script = """
module.exports = (event, context, cb) => {
  console.log('my', context.webtask.secrets.KEY);
  cb(null, context.webtask.secrets.KEY.length);
};
"""
    version = house.version(script, language="node", secrets={"KEY": "very-secret"})
    assert house.call(version, name="with-secret").data == b"11"
    (line,) = house.lines_of("with-secret")
    assert "very-secret" not in line


def test_a_script_that_changes_built_in_objects_is_still_answered(run: Any) -> None:
    outcome = run("""
const nothing = () => { throw new Error('mine now'); };
for (const name of ['slice', 'includes', 'split']) String.prototype[name] = nothing;
for (const name of ['utf8Slice', 'utf8Write', 'subarray', 'set']) Buffer.prototype[name] = nothing;
Buffer.allocUnsafe = Buffer.byteLength = Buffer.concat = nothing;
Map.prototype.get = Map.prototype.set = nothing;
Date.now = Number = String = nothing;
JSON.extra = 1;
Object.prototype.polluted = 'yes';
process.hrtime = nothing;
module.exports = (event, context, cb) => cb(null, 'fine');
""")
    assert (outcome.kind, outcome.data) == (OutcomeKind.SUCCEEDED, b'"fine"')


def test_a_worker_sees_nothing_of_the_machine(run: Any) -> None:
    outcome = run("""
const fs = require('fs');
const isOpen = (fd) => { try { fs.fstatSync(fd); return true; } catch { return false; } };
module.exports = (event, context, cb) => cb(null, {
  env: { ...process.env },
  arguments: [process.argv.length, process.execArgv],
  files: [0, 1, 2, 3].map(isOpen),
  zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  directory: process.cwd(),
});
""")
    seen = orjson.loads(outcome.data)
    assert seen == {
        "env": {},
        "arguments": [1, []],
        "files": [True, True, True, True],
        "zone": "UTC",
        "directory": "/",
    }


def test_calls_can_be_many_and_small(house: Any, payload: Any) -> None:
    version = house.version("module.exports = (e, c, cb) => cb(null, e)", language="node")

    async def stream() -> int:
        async def one(number: int) -> bool:
            outcome = await house.runner.run(version, payload(number))
            return bool(outcome.data == b"%d" % number)

        results = []
        for start in range(0, 2000, 50):
            results += await asyncio.gather(*(one(n) for n in range(start, start + 50)))
        return sum(results)

    assert house.do(stream()) == 2000


def test_memory_a_manifest_allows_can_be_used(house: Any) -> None:
    script = """
module.exports = (event, context, cb) => {
  const kept = [];
  for (let n = 0; n < event; n += 1) kept.push(Buffer.alloc(1 << 20, 1));
  cb(null, kept.length);
};
"""
    for mebibytes in (128, 256):
        version = house.version(script, language="node", memory_bytes=mebibytes * MIB)
        assert house.call(version, mebibytes - 16).data == b"%d" % (mebibytes - 16)


def test_without_node_its_hooks_are_refused_and_others_run(new_house: Any, tmp_path: Path) -> None:
    house = new_house(node=tmp_path / "node", node_reserve=2)
    try:
        house.do(house.runner.start())
        version = house.version("module.exports = (e, c, cb) => cb()", language="node")
        outcome = house.call(version)
        script = ScriptToCheck("hooks/a/hook.js", "node", version.script, ("event", "context"))
        (problem,) = house.do(house.runner.check([script]))
        python = house.call(house.version("def hook(event, context): return 1"))
    finally:
        house.close()
    assert outcome.kind is OutcomeKind.CRASHED
    for told in (outcome.detail, problem.message):
        assert "Node.js hooks cannot run here" in told
        assert str(tmp_path / "node") in told
        assert "Install Node.js" in told
    assert problem.file == "hooks/a/hook.js"
    assert python.data == b"1"
