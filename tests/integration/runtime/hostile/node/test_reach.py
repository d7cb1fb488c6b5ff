"""Hooks that reach for files, the network, native code and the inside of Node.js."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import orjson
import pytest

from app.domain.outcomes import OutcomeKind
from tests.integration.runtime.hostile.node.arena import NodeArena as Arena


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
