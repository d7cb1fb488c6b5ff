"""What a hook cannot reach, whatever it does with sockets."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.runtime.egress.hooks.scripts import RAW, TRY


def test_a_place_that_is_not_listed_is_named_with_what_to_do(house: Any, target: Any) -> None:
    script = f"""{TRY}
import hookledger
def hook(event, context):
    assert issubclass(hookledger.NetworkDenied, hookledger.HttpError)
    return attempt(lambda: context.http.get(event))
"""
    version = house.hook(script, "api.example.com:443")
    name, text = house.answer(version, target.url, name="denied")
    message = f"{target.place} is not in this hook's `network` list; add it in hook.toml"
    assert (name, text) == ("NetworkDenied", f"{message}.")
    assert house.lines_of("denied") == [f"network: refused: {message}"]
    assert target.connections == 0


def test_a_hook_without_a_list_reaches_nothing_and_is_told_what_to_write(
    house: Any, target: Any
) -> None:
    script = f"""{RAW}
import os
def hook(event, context):
    address = tuple(event["address"])
    return [
        attempt(lambda: context.http.get(event["url"])),
        attempt(lambda: raw(address)),
        sorted(name for name in os.environ if "proxy" in name.lower()),
    ]
"""
    event = {"url": target.url, "address": ["127.0.0.1", target.port]}
    http, raw, names = house.answer(house.hook(script), event)
    text = f'The hook has no network: list "{target.place}" under `network` in hook.toml.'
    assert http == ["NetworkDenied", text]
    assert raw[0] == "PermissionError"
    assert names == []
    assert target.connections == 0


def test_whatever_a_socket_is_connected_to_it_is_the_proxy(house: Any, target: Any) -> None:
    script = f"""{RAW}
def hook(event, context):
    return [attempt(lambda: raw((host, port))) for host, port in event]
"""
    places = [
        ["127.0.0.1", target.port], ["0.0.0.0", target.port], ["169.254.169.254", 80],
        ["127.0.0.1", 8080], ["10.0.0.1", 53], ["1.1.1.1", 443],
    ]  # fmt: skip
    version = house.hook(script, target.place)
    for result in house.answer(version, places):
        assert result[0] == "worked"
        assert "HTTP/1.1 400 this is a hook's way out, a proxy" in result[1]
    assert target.connections == 0, "even a listed place is reached by asking the proxy only"


def test_ordinary_code_that_connects_past_the_proxy_is_told_so(house: Any, target: Any) -> None:
    script = f"""{TRY}
import socket, asyncio
async def hook(event, context):
    async def connect():
        return await asyncio.open_connection(*event)
    try:
        found = await connect()
    except OSError as error:
        found = [type(error).__name__, str(error)]
    return [attempt(lambda: socket.create_connection(tuple(event))), found]
"""
    version = house.hook(script, target.place)
    for name, text in house.answer(version, ["127.0.0.1", target.port]):
        assert name == "NetworkDenied"
        assert "a hook connects through its proxy only: use `context.http`" in text


@pytest.mark.parametrize(
    "making",
    [
        "_socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "_socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)",  # multipath TCP
        "_socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)",  # SCTP
        "_socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
        "_socket.socket(socket.AF_INET6, socket.SOCK_STREAM)",
        "_socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)",
        "_socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
        "_socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)",
        "_socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)",
        "_socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
        "_socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)",
    ],
)
def test_no_other_kind_of_socket_can_be_made(house: Any, making: str) -> None:
    script = f"{RAW}\ndef hook(event, context):\n    return attempt(lambda: {making})"
    assert house.answer(house.hook(script, "127.0.0.1:1"))[0] == "PermissionError"


def test_a_socket_cannot_serve_send_elsewhere_or_be_freed(house: Any, target: Any) -> None:
    script = f"""{RAW}
def connected():
    made = _socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.connect(("127.0.0.1", 3128))
    return made

def reconnected(address):
    made = connected()
    made.connect(address)
    made.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
    import select
    select.select([made], [], [], 2)
    return made.recv(300)

def hook(event, context):
    address = ("127.0.0.1", event)
    new = lambda: _socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    fast_open = 0x20000000
    return [
        attempt(lambda: reconnected(address)),
        attempt(lambda: new().bind(("127.0.0.1", 0))),
        attempt(lambda: new().listen(1)),
        attempt(lambda: connected().listen(1)),
        attempt(lambda: new().sendto(b"x", fast_open, address)),
        attempt(lambda: connected().sendmsg([b"x"], [], 0, address)),
        attempt(lambda: new().setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")),
        attempt(lambda: new().setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 1)),
        attempt(lambda: new().setsockopt(socket.IPPROTO_TCP, 19, 1)),
        attempt(lambda: new().setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)),
    ]
"""
    first, *others = house.answer(house.hook(script, target.place), target.port)
    assert "this is a hook's way out" in first[1]
    assert [name for name, _ in others] == ["PermissionError"] * len(others)
    assert target.connections == 0
