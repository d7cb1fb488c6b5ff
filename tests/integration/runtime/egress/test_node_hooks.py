"""Node.js hooks with a `network` list, confined at both levels: what they reach, and what not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.runtime.isolation import level_of

CLIENTS = {
    "http": """
const http = require('http');
module.exports = (event, context, cb) => http.get(event, (answer) => {
  let text = '';
  answer.on('data', (part) => { text += part; });
  answer.on('end', () => cb(null, [answer.statusCode, JSON.parse(text).path]));
}).on('error', cb);
""",
    "fetch": """
module.exports = async (event) => {
  const answer = await fetch(event);
  return [answer.status, (await answer.json()).path];
};
""",
    "hookledger": """
const { http } = require('hookledger');
module.exports = async (event) => {
  const answer = await http.get(event);
  return [answer.status, answer.json().path];
};
""",
}

ATTEMPT = """
const attempt = (open) => new Promise((done) => {
  try {
    const socket = open();
    socket.on('connect', () => done('connected'));
    socket.on('error', (error) => done(`${error.name}: ${error.message}`));
    setTimeout(() => done('nothing'), 2000);
  } catch (error) {
    done(`${error.name}: ${error.message}`);
  }
});
"""


@pytest.fixture(scope="module", params=["full", "container"])
def house(request: pytest.FixtureRequest, reports: Any, network_house: Any) -> Iterator[Any]:
    if request.param == "full" and level_of(reports) != "full":
        pytest.skip("this machine cannot isolate fully")

    async def resolve(host: str) -> list[Any]:
        from ipaddress import ip_address

        return [ip_address("127.0.0.1")]

    made = network_house(namespaces=request.param == "full", names=resolve)
    yield made
    made.close()


@pytest.mark.parametrize("client", sorted(CLIENTS))
def test_ordinary_clients_reach_what_the_manifest_lists(
    house: Any, target: Any, client: str
) -> None:
    version = house.hook(CLIENTS[client], target.named, language="node")
    assert house.answer(version, f"{target.named_url}/x?y=z") == [200, "/x?y=z"]


def test_certificates_are_checked_end_to_end(house: Any, secure_target: Any) -> None:
    version = house.hook(CLIENTS["hookledger"], secure_target.named, language="node")
    assert house.answer(version, f"{secure_target.named_url}/x") == [200, "/x"]


def test_what_is_not_listed_is_denied_with_what_to_add(house: Any, target: Any) -> None:
    script = ATTEMPT + (
        "const net = require('net');\n"
        "module.exports = (event) => attempt(() => net.connect(event.port, event.host));"
    )
    version = house.hook(script, "elsewhere.example:443", language="node")
    host, _, port = target.place.rpartition(":")
    told = house.answer(version, {"host": host, "port": int(port)})
    assert told.startswith("NetworkDenied")
    assert target.place in told
    assert target.connections == 0


def test_datagrams_and_raw_sockets_do_not_exist(house: Any, target: Any) -> None:
    script = """
const dgram = require('dgram');
module.exports = (event, context, cb) => {
  const socket = dgram.createSocket('udp4');
  socket.on('error', (error) => cb(null, error.code));
  socket.send('x', 53, '127.0.0.1', (error) => cb(null, error ? error.code : 'sent'));
};
"""
    version = house.hook(script, target.place, language="node")
    assert house.answer(version, None) in ("EPERM", "EACCES", "EAFNOSUPPORT")


def test_a_hook_that_undoes_the_tunnel_meets_the_proxy_and_nobody_else(
    house: Any, target: Any
) -> None:
    script = (
        ATTEMPT
        + """
const { TCP, TCPConnectWrap, constants } = process.binding('tcp_wrap');
module.exports = (event, context, cb) => {
  const handle = new TCP(constants.SOCKET);
  const asked = new TCPConnectWrap();
  asked.oncomplete = (status) => cb(null, status === 0 ? 'connected' : 'refused');
  const failed = handle.connect(asked, event.host, event.port);
  if (failed) cb(null, 'refused');
};
"""
    )
    version = house.hook(script, "elsewhere.example:443", language="node")
    host, _, port = target.place.rpartition(":")
    house.answer(version, {"host": host, "port": int(port)})
    assert target.connections == 0


WITHOUT_A_LIST = {
    "net": "const net = require('net');\n"
    "module.exports = (event) => attempt(() => net.connect(event.port, event.host));",
    "http": "const http = require('node:http');\n"
    "module.exports = (event) => attempt(() => http.get(event));",
    "hookledger": "const { http } = require('hookledger');\n"
    "module.exports = (event) => http.get(`http://${event.host}:${event.port}/`)\n"
    "  .catch((error) => `${error.name}: ${error.message}`);",
    "fetch": "module.exports = (event) => fetch(`http://${event.host}:${event.port}/`)\n"
    "  .catch((error) => `${error.cause.name}: ${error.cause.message}`);",
}


@pytest.mark.parametrize("way", sorted(WITHOUT_A_LIST))
def test_a_hook_without_a_list_reaches_nothing_and_is_told_what_to_write(
    house: Any, target: Any, way: str
) -> None:
    version = house.hook(ATTEMPT + WITHOUT_A_LIST[way], language="node")
    host, _, port = target.place.rpartition(":")
    for _ in range(2):
        told = house.answer(version, {"host": host, "port": int(port)})
        assert told.startswith("NetworkDenied")
        assert f'add "{target.place}" to network in hook.toml' in told
    assert target.connections == 0
