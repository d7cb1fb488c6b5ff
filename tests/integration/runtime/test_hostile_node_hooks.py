"""What a hostile Node.js hook tries; each test runs with every layer, and again without namespaces.

After each attack another hook's warm worker must have gone on, and no process be left over.
"""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.domain.outcomes import Outcome, OutcomeKind

VICTIM = """
let calls = 0;
module.exports = (event, context, cb) => cb(null, [++calls, context.webtask.secrets.KEY]);
"""
SECRET = "the-victim's-secret"

ATTEMPT = """
const attempt = async (action) => {
  try { return { got: String(await action()) }; } catch (error) {
    return { refused: String(error.code || error.message) };
  }
};
"""


class Arena:
    """Attacks, watched."""

    def __init__(self, house: Any, until: Callable[[Callable[[], bool]], None]) -> None:
        self.house = house
        self._until = until
        self._victim = house.version(VICTIM, language="node", secrets={"KEY": SECRET})
        self._calls = 0
        self._see_victim()

    def strike(self, body: str, event: object = None, *, timeout: float = 8) -> Outcome:
        """Run the body of a hostile hook once; check all that must hold after any attack."""
        script = f"{ATTEMPT}\nmodule.exports = async (event, context, cb) => {{\n{body}\n}};"
        attacker = self.house.version(script, language="node", max_workers=1)
        baseline = len(self.house.processes())
        began = time.monotonic()
        outcome: Outcome = self.house.call(attacker, event, timeout=timeout)
        assert time.monotonic() - began < 2 * timeout + 2, "the call was answered in time"
        self._see_victim()
        self._until(lambda: len(self.house.processes()) <= baseline + 1)
        return outcome

    def refusals(self, actions: str, event: object = None) -> list[str]:
        """Try a list of functions; return how each was refused."""
        outcome = self.strike(
            f"const found = [];\nfor (const action of {actions}) found.push(await attempt(action));"
            "\ncb(null, found);",
            event,
        )
        assert outcome.kind is OutcomeKind.SUCCEEDED, outcome
        answers = orjson.loads(outcome.data or b"[]")
        assert answers
        assert [answer["got"] for answer in answers if "got" in answer] == [], "an attack worked"
        return [answer["refused"] for answer in answers]

    def _see_victim(self) -> None:
        self._calls += 1
        outcome = self.house.call(self._victim)
        # The count shows that it is still the same process.
        assert orjson.loads(outcome.data) == [self._calls, SECRET], outcome


@pytest.fixture(scope="module")
def arena(house: Any, until: Any) -> Arena:
    return Arena(house, until)


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that every user of the machine may read and write: only isolation protects it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "hookledger.db").write_text("every event")
        (folder / "hookledger.db").chmod(0o666)
        yield folder


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
    arena.refusals(
        """[
  () => require('child_process').execSync('true'),
  () => require('child_process').execFileSync(process.execPath, ['-v']),
  () => { const { error } = require('child_process').spawnSync(process.execPath); throw error; },
  () => new Promise((resolve, reject) =>
    require('child_process').spawn('/bin/true').on('error', reject).on('exit', resolve)),
  () => require('child_process').fork('/hook.js'),
  () => new Promise((resolve, reject) => {
    require('cluster').fork().on('error', reject).on('online', resolve);
  }),
]"""
    )


def test_no_other_process_can_be_reached(arena: Arena) -> None:
    targets = [os.getpid(), *arena.house.processes()]
    arena.refusals(
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


def test_no_file_can_be_read(arena: Arena, open_folder: Path) -> None:
    paths = [
        "/etc/passwd", "/etc/hostname", "/", "/proc", "/proc/self/environ", "/sys", "/dev", "/root",
        "/home", "/tmp", "/usr", "/usr/bin", "/bin/sh", __file__, os.__file__, str(open_folder),
        str(open_folder / "hookledger.db"), "/etc/ssl/openssl.cnf",
    ]  # fmt: skip
    arena.refusals(
        """event.flatMap((path) => [
  () => require('fs').readFileSync(path), () => require('fs').readdirSync(path),
])""",
        paths,
    )


def test_nothing_can_be_written(arena: Arena, open_folder: Path) -> None:
    before = sorted(open_folder.iterdir())
    arena.refusals(
        """['/tmp', '/dev/shm', '.', event, require('path').dirname(process.execPath)].flatMap((base) => {
  const fs = require('fs');
  return [
    () => fs.writeFileSync(`${base}/new`, 'owned'), () => fs.mkdirSync(`${base}/made`),
    () => fs.symlinkSync('/', `${base}/link`), () => fs.chmodSync(base, 0o777),
    () => fs.mkdtempSync(`${base}/x`), () => fs.unlinkSync(`${base}/hookledger.db`),
    () => fs.truncateSync(`${base}/hookledger.db`), () => fs.utimesSync(base, 1, 1),
    () => fs.renameSync(`${base}/hookledger.db`, `${base}/gone`),
    () => fs.watch(base),
  ];
})""",
        str(open_folder),
    )
    assert sorted(open_folder.iterdir()) == before
    assert (open_folder / "hookledger.db").read_text() == "every event"


def test_no_socket_reaches_anything(arena: Arena, open_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        tcp.settimeout(0.1)
        unix.bind(str(open_folder / "socket"))
        unix.listen()
        (open_folder / "socket").chmod(0o777)
        arena.refusals(
            """[
  ...[{ port: event[0], host: '127.0.0.1' }, { path: event[1] }, { path: '\\0abstract' }].map(
    (address) => () => new Promise((resolve, reject) =>
      require('net').connect(address).on('connect', resolve).on('error', reject))),
  () => fetch(`http://127.0.0.1:${event[0]}/`),
  () => new Promise((resolve, reject) =>
    require('http').get(`http://127.0.0.1:${event[0]}/`, resolve).on('error', reject)),
  () => new Promise((resolve, reject) => {
    const socket = require('dgram').createSocket('udp4').on('error', reject);
    socket.send('leak', event[0], '127.0.0.1', (error) => (error ? reject(error) : resolve()));
  }),
  () => require('dns').promises.resolve('example.com'),
  () => require('dns').promises.lookup('example.com'),
  () => new Promise((resolve, reject) =>
    require('net').createServer().on('error', reject).listen(0, '127.0.0.1', resolve)),
  () => { require('inspector').open(0, '127.0.0.1'); if (!require('inspector').url()) throw new Error('not open'); },
]""",
            [tcp.getsockname()[1], str(open_folder / "socket")],
        )
        with pytest.raises(TimeoutError):
            tcp.accept()
    (open_folder / "socket").unlink()


def test_native_code_comes_from_nowhere(arena: Arena, open_folder: Path) -> None:
    (open_folder / "addon.node").write_bytes(b"\x7fELF")
    arena.refusals(
        """[
  () => process.dlopen({ exports: {} }, `${event}/addon.node`),
  () => process.dlopen({ exports: {} }, '/lib/x86_64-linux-gnu/libcrypt.so.1'),
  () => require(`${event}/addon.node`),
]""",
        str(open_folder),
    )


@pytest.mark.parametrize(
    "body",
    [
        """
const options = { file: '/bin/true', args: ['true'], stdio: [{ type: 'ignore' }] };
const done = process.binding('spawn_sync').spawn(options);
if (done.pid || !done.error) cb(null, done);""",
        "process.binding('fs').open('/etc/passwd', 0, 0); for (;;);",
        "cb(null, process._linkedBinding('os').getHostname());",
    ],
)
def test_the_inside_of_node_leads_nowhere(arena: Arena, body: str) -> None:
    outcome = arena.strike(body, timeout=2)
    assert outcome.kind is not OutcomeKind.SUCCEEDED


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
        "put(frame(99, 0x17, '\\0\\0late'));",
        "for (;;) put(frame(1, 0x17, '\\0\\0' + 'x'.repeat(1000)));",
    ],
    ids=[
        "garbage", "text", "huge-length", "no-length", "forged-id", "id-0", "ready-again",
        "confined-again", "unknown-kind", "skip-another", "log-for-another", "flood",
    ],
)  # fmt: skip
def test_a_worker_that_breaks_the_protocol_is_killed(arena: Arena, body: str) -> None:
    outcome = arena.strike(f"{FRAME}\n{body}\nawait new Promise(() => {{}});")
    assert outcome.kind is OutcomeKind.VIOLATED
    assert "killed" in outcome.detail
    assert outcome.ran < 4


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
