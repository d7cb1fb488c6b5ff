"""What a hostile Node.js hook tries; each test runs with every layer, and again without namespaces.

Each proves: the attack failed, and by which layer; the attacked call was answered in time; another
hook's warm worker went on, and so did the server; no process, shared memory or file is left over.
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

STOPPED_BY = {
    "seccomp": {"EPERM", "not open"},
    "Landlock": {"EACCES", "ERR_DLOPEN_FAILED"},
    "mount namespace": {"ENOENT", "ERR_DLOPEN_FAILED", "MODULE_NOT_FOUND"},
    # A file that cannot be read is no folder either, which is found out first.
    "its kind": {"ENOTDIR"},
    # Says what to write into the manifest; whoever goes past it meets seccomp.
    "advice": {"EACCES", "ECONNREFUSED"},
}
"""How a refusal looks, by the layer that it comes from."""

ATTEMPT = """
const named = (number) =>
  Object.assign(new Error(), { code: require('util').getSystemErrorName(number) });
const attempt = async (action) => {
  try { return { got: String(await action()) }; } catch (error) {
    const cause = error.cause?.code || error.info?.code || error.code || error.message;
    return { refused: String(cause) };
  }
};
"""


class Arena:
    """Attacks, watched."""

    def __init__(
        self,
        house: Any,
        until: Callable[[Callable[[], bool]], None],
        traces: Callable[[], set[str]],
    ) -> None:
        self.house = house
        self._until = until
        self._traces = traces
        self._victim = house.version(VICTIM, language="node", secrets={"KEY": SECRET})
        self._calls = 0
        self._see_victim()

    def strike(self, body: str, event: object = None, *, timeout: float = 8) -> Outcome:
        """Run the body of a hostile hook once; check all that must hold after any attack."""
        script = f"{ATTEMPT}\nmodule.exports = async (event, context, cb) => {{\n{body}\n}};"
        attacker = self.house.version(script, language="node", max_workers=1)
        baseline, traces = len(self.house.processes()), self._traces()
        began = time.monotonic()
        outcome: Outcome = self.house.call(attacker, event, timeout=timeout)
        assert time.monotonic() - began < 2 * timeout + 2, "the call was answered in time"
        self._see_victim()
        self._until(lambda: len(self.house.processes()) <= baseline + 1)
        assert self._traces() == traces, "something outlived it"
        return outcome

    def refuses(self, actions: str, event: object = None, *, by: tuple[str, ...]) -> None:
        """Try a list of functions; see which layers refused them."""
        outcome = self.strike(
            f"const found = [];\nfor (const action of {actions}) found.push(await attempt(action));"
            "\ncb(null, found);",
            event,
        )
        assert outcome.kind is OutcomeKind.SUCCEEDED, outcome
        answers = orjson.loads(outcome.data or b"[]")
        assert answers
        assert [answer["got"] for answer in answers if "got" in answer] == [], "an attack worked"
        explained = set().union(*(STOPPED_BY[layer] for layer in by))
        assert {answer["refused"] for answer in answers} <= explained, "stopped by something else"

    def _see_victim(self) -> None:
        self._calls += 1
        outcome = self.house.call(self._victim)
        # The count shows that it is still the same process.
        assert orjson.loads(outcome.data) == [self._calls, SECRET], outcome


@pytest.fixture(scope="module")
def arena(house: Any, until: Any, traces: Any) -> Arena:
    return Arena(house, until, traces)


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


def test_no_file_can_be_read(arena: Arena, open_folder: Path) -> None:
    paths = [
        "/etc/passwd", "/etc/hostname", "/", "/proc", "/proc/self/environ", "/sys", "/dev", "/root",
        "/home", "/tmp", "/usr", "/usr/bin", "/bin/sh", __file__, os.__file__, str(open_folder),
        str(open_folder / "hookledger.db"), "/etc/ssl/openssl.cnf",
    ]  # fmt: skip
    arena.refuses(
        """event.flatMap((path) => [
  () => require('fs').readFileSync(path), () => require('fs').readdirSync(path),
])""",
        paths,
        by=("Landlock", "mount namespace", "its kind"),
    )


def test_nothing_can_be_written(arena: Arena, open_folder: Path) -> None:
    before = sorted(open_folder.iterdir())
    arena.refuses(
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
        by=("seccomp",),
    )
    assert sorted(open_folder.iterdir()) == before
    assert (open_folder / "hookledger.db").read_text() == "every event"


def test_no_socket_reaches_anything(arena: Arena, open_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        tcp.settimeout(0.1)
        unix.bind(str(open_folder / "socket"))
        unix.listen()
        (open_folder / "socket").chmod(0o777)
        arena.refuses(
            """[
  () => {
    const { TCP, TCPConnectWrap, constants } = process.binding('tcp_wrap');
    const failed = new TCP(constants.SOCKET).connect(new TCPConnectWrap(), '127.0.0.1', event[0]);
    if (failed) throw named(failed);
  },
  () => new Promise((resolve, reject) => {
    const { Pipe, PipeConnectWrap, constants } = process.binding('pipe_wrap');
    const asked = new PipeConnectWrap();
    asked.oncomplete = (failed) => (failed ? reject(named(failed)) : resolve());
    const failed = new Pipe(constants.SOCKET).connect(asked, event[1]);
    if (failed) reject(named(failed));
  }),
  () => {
    const { UDP } = process.binding('udp_wrap');
    const failed = new UDP().bind('127.0.0.1', 0, 0);
    if (failed) throw named(failed);
  },
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
            by=("seccomp", "advice"),
        )
        with pytest.raises(TimeoutError):
            tcp.accept()
    (open_folder / "socket").unlink()


def test_native_code_comes_from_nowhere(arena: Arena, open_folder: Path) -> None:
    (open_folder / "addon.node").write_bytes(b"\x7fELF")
    arena.refuses(
        """[
  () => process.dlopen({ exports: {} }, `${event}/addon.node`),
  () => process.dlopen({ exports: {} }, '/lib/x86_64-linux-gnu/libcrypt.so.1'),
  () => require(`${event}/addon.node`),
]""",
        str(open_folder),
        by=("Landlock", "mount namespace"),
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


def test_becoming_another_program_changes_nothing(arena: Arena) -> None:
    before = len(arena.house.lines)
    outcome = arena.strike("""
if (!process.execve) return cb(null, 'cannot');
const folder = require('path').dirname(Object.keys(require.cache)[0]);
const code = `
  const tried = (action) => { try { return String(action()); } catch (error) { return error.code; } };
  require('fs').writeSync(2, JSON.stringify([
    tried(() => require('fs').readFileSync('/etc/passwd')),
    tried(() => require('child_process').execFileSync(process.execPath)),
    tried(() => process.kill(1, 'SIGKILL')),
    tried(() => require('fs').writeFileSync('/tmp/hookledger-was-here', 'x')),
  ]) + String.fromCharCode(10));
  const kept = []; for (;;) kept.push(Buffer.alloc(1 << 20, 1));`;
process.execve(process.execPath, ['node', `--openssl-config=${folder}/openssl.cnf`, '-e', code], {});
""")
    if outcome.data == b'"cannot"':
        return
    assert not outcome.kind.is_answer
    (told,) = (line.text for line in arena.house.lines[before:] if line.text.startswith('["'))
    read, *others = orjson.loads(told)
    assert read in ("ENOENT", "EACCES")
    assert others == ["EPERM"] * 3


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
