"""What a client of a hook's proxy can get out of it: what is listed, and nothing by any trick."""

from __future__ import annotations

import json
import socket
import ssl
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

REFUSED = b"HTTP/1.1 403 "


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def body(answer: bytes) -> Any:
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def connect(place: str) -> bytes:
    return f"CONNECT {place} HTTP/1.1\r\n\r\n".encode()


def send_forever(client: socket.socket) -> None:
    while True:
        client.sendall(b"x" * 1000)


def read_all(client: socket.socket) -> bytes:
    received = b""
    try:
        while data := client.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return received


def get(path: str = "/") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode()


# What is allowed


def test_a_tunnel_carries_bytes_both_ways(door: Any, target: Any) -> None:
    proxy = door(target.named)
    with proxy.tunnel(target.named) as client:
        client.sendall(get("/a"))
        assert b'"path": "/a"' in client.recv(65536)
    with proxy.tunnel(target.named.upper()):
        pass
    assert proxy.gateway.counters.connections == {"connected": 2}


def test_tls_goes_through_a_tunnel_from_end_to_end(
    door: Any, secure_target: Any, authority: Any
) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    plain = door(secure_target.named).tunnel(secure_target.named)
    with context.wrap_socket(plain, server_hostname="api.example.com") as client:
        client.sendall(get("/secret"))
        assert b'"path": "/secret"' in client.recv(65536)


def test_a_plain_request_is_passed_on(door: Any, target: Any) -> None:
    answer = door(target.named).ask(
        f"POST {target.named_url}/p?q=1 HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\n"
        "Proxy-Connection: keep-alive\r\n\r\nhi".encode()
    )
    assert status(answer) == 200
    seen = body(answer)
    assert (seen["method"], seen["path"], seen["body"]) == ("POST", "/p?q=1", "hi")
    assert seen["headers"]["host"] == target.named
    assert "proxy-connection" not in seen["headers"]


def test_a_server_that_speaks_first_is_heard(door: Any, line: Any) -> None:
    server = line(lambda connection: connection.sendall(b"220 hello"))
    with door(server.place).tunnel(server.place) as client:
        assert client.recv(100) == b"220 hello"
        assert client.recv(100) == b""


def test_either_side_may_end_first_and_still_be_answered(door: Any, line: Any) -> None:
    def echo(connection: socket.socket) -> None:
        said = b""
        while data := connection.recv(100):
            said += data
        connection.sendall(said[::-1])

    server = line(echo)
    with door(server.place).tunnel(server.place) as client:
        client.sendall(b"abc")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b"cba"


def test_much_goes_through(door: Any, line: Any) -> None:
    much = bytes(range(256)) * 16_384

    def talk(connection: socket.socket) -> None:
        connection.sendall(much)

    server = line(talk)
    proxy = door(server.place)
    with proxy.tunnel(server.place) as client:
        received = b"".join(iter(lambda: client.recv(65536), b""))
    assert received == much
    assert proxy.gateway.counters.bytes["received"] == len(much)


def test_connections_are_told_with_place_address_bytes_and_time(
    door: Any, target: Any, until: Any
) -> None:
    proxy = door(target.named)
    with proxy.tunnel(target.named) as client:
        client.sendall(get())
        client.recv(65536)
    until(lambda: bool(proxy.said))
    ((level, text),) = proxy.said
    assert level == "info"
    assert text.startswith(f"network: connected {target.named} (127.0.0.1): sent 46 B, received ")
    assert text.endswith(" s")


def test_a_connection_that_stays_open_is_told_when_a_call_ends_and_not_again(
    door: Any, target: Any, until: Any
) -> None:
    proxy = door(target.place)
    with proxy.tunnel(target.place) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        client.recv(65536)
        proxy.tell("report")
        proxy.tell("report")
    until(lambda: proxy.gateway.counters.open == 0)
    (text,) = proxy.lines()
    assert text.startswith(f"network: used {target.place}: sent 18 B, received ")
    assert text.endswith("; it stays open")


# Places that are not allowed


@pytest.mark.parametrize(
    "place",
    [
        "api.example.com:22", "api.example.com.:443", "evil.example:443", "127.0.0.1:{port}",
        "localhost:{port}", "2130706433:{port}", "0x7f000001:{port}", "0177.0.0.1:{port}",
        "127.1:{port}", "[::1]:{port}", "[::ffff:127.0.0.1]:{port}", "[::ffff:7f00:1]:{port}",
        "[0:0:0:0:0:0:0:1]:{port}", "0.0.0.0:{port}", "169.254.169.254:80", "[fe80::1]:{port}",
    ],
)  # fmt: skip
def test_a_place_that_is_not_listed_is_refused_by_whatever_name(
    door: Any, target: Any, place: str
) -> None:
    proxy = door("api.example.com:443", target.named)
    asked = place.format(port=target.port)
    assert proxy.ask(connect(asked)).startswith(REFUSED)
    assert target.connections == 0
    ((level, text),) = proxy.said
    assert level == "warning"
    assert text.startswith("network: refused: ")
    assert "not in this hook's `network` list" in text


@pytest.mark.parametrize(
    "place",
    [
        "user@api.example.com:443", "user:password@api.example.com:443", "api.example.com",
        "api.example.com:443@evil.example:443", "api.example.com:443#@evil.example:1",
        "http://api.example.com:443", "api.example.com:0443", "api.example.com:443,evil:1",
        "api.example.com\t:443", "api.example.com:443\r\nHost: evil.example", "[api.example.com]:443",
    ],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_is_not_read_at_all(door: Any, place: str) -> None:
    proxy = door("api.example.com:443")
    answer = proxy.ask(connect(place))
    assert status(answer) in (400, 403)
    if status(answer) == 403:
        assert b"api.example.com:443 is not" not in answer
    assert proxy.gateway.counters.connections["connected"] == 0


def test_a_line_break_in_a_host_cannot_add_a_header_or_a_request(door: Any, target: Any) -> None:
    proxy = door(target.named)
    answer = proxy.ask(
        f"GET http://{target.named}/\r\nX: y HTTP/1.1\r\n\r\n".encode(),
    )
    assert status(answer) == 400
    assert target.connections == 0


# Addresses that are not allowed


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1",
        "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fd00:ec2::254", "fe80::1", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_a_listed_name_that_leads_to_an_inner_address_is_refused(
    door: Any, target: Any, names: Any, address: str
) -> None:
    names.table["api.example.com"] = [[address]]
    proxy = door(target.named, opened=())
    answer = proxy.ask(connect(target.named))
    assert answer.startswith(REFUSED)
    assert f"{target.named} leads to {ip_address(address)}, ".encode() in answer
    assert b"egress_private_networks" in answer
    assert target.connections == 0


def test_a_name_is_resolved_once_for_each_connection(door: Any, target: Any, names: Any) -> None:
    names.table["api.example.com"] = [["127.0.0.1"], ["10.0.0.1"]]
    proxy = door(target.named)
    with proxy.tunnel(target.named) as client:
        client.sendall(get())
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        assert names.asked == ["api.example.com"]
    assert proxy.ask(connect(target.named)).startswith(REFUSED)
    assert names.asked == ["api.example.com"] * 2


def test_of_two_answers_the_inner_one_is_never_tried(door: Any, target: Any, names: Any) -> None:
    # Nothing listens there, so a connection that fell back would reach the target.
    names.table["api.example.com"] = [["127.0.0.2", "127.0.0.1"]]

    proxy = door(target.named, opened=(ip_network("127.0.0.2/32"),))
    assert status(proxy.ask(connect(target.named))) == 502
    assert target.connections == 0


def test_an_address_that_the_manifest_lists_literally_is_reached(door: Any, target: Any) -> None:
    with door(target.place, opened=()).tunnel(target.place) as client:
        client.sendall(get())
        assert client.recv(100).startswith(b"HTTP/1.1 200")


def test_a_name_that_is_none_and_a_port_that_nobody_listens_on_are_told_apart(
    door: Any, names: Any
) -> None:
    names.table["gone.example"] = [["no address"]]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = f"127.0.0.1:{listener.getsockname()[1]}"
    proxy = door("gone.example:1", free)
    assert b"could not find gone.example" in proxy.ask(connect("gone.example:1"))
    assert b"could not connect to" in proxy.ask(connect(free))
    assert proxy.gateway.counters.connections == {"failed": 2}


# Tricks within what is allowed


def test_what_is_pipelined_after_a_refusal_is_not_looked_at(door: Any, target: Any) -> None:
    proxy = door(target.named)
    answer = proxy.ask(connect("evil.example:443"), connect(target.named), get())
    assert answer.count(b"HTTP/1.1") == 1
    assert target.connections == 0


def test_what_is_pipelined_after_a_tunnel_is_the_targets(door: Any, line: Any) -> None:
    heard: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        while data := connection.recv(1000):
            heard.append(data)

    server = line(talk)
    second = connect("evil.example:443")
    answer = door(server.place).ask(connect(server.place) + second, read=False)
    assert answer == b""
    with door(server.place).tunnel(server.place) as client:
        client.sendall(second)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""
    assert b"".join(heard).endswith(second)


def test_a_second_plain_request_on_a_connection_goes_nowhere(
    door: Any, target: Any, line: Any
) -> None:
    other = line(lambda connection: connection.sendall(b"reached"))
    proxy = door(target.place, other.place)
    first = f"GET {target.url}/1 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
    second = f"GET http://{other.place}/2 HTTP/1.1\r\nConnection: close\r\n\r\n"
    answer = proxy.ask((first + second).encode())
    assert answer.count(b"HTTP/1.1 200") == 1
    assert [seen["body"] for seen in target.seen] == ["abc"]
    assert other.connections == []


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: 3\r\nContent-Length: 30",
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, identity",
        "Content-Length: +3",
        " Content-Length: 3",
    ],
)
def test_a_body_whose_end_is_unclear_is_refused(door: Any, target: Any, framing: str) -> None:
    request = f"POST {target.url}/ HTTP/1.1\r\n{framing}\r\n\r\nabc"
    assert status(door(target.place).ask(request.encode())) == 400
    assert target.connections == 0


def test_the_proxy_is_no_web_server(door: Any, target: Any) -> None:
    proxy = door(target.place)
    for request in (get(), b"OPTIONS * HTTP/1.1\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"\r\n\r\n"):
        assert status(proxy.ask(request)) == 400
    assert target.connections == 0


# Too much of it


def test_a_head_that_does_not_end_is_not_kept(door: Any) -> None:
    proxy = door("api.example.com:443", head_bytes=2048)
    answer = proxy.ask(b"CONNECT api.example.com:443 HTTP/1.1\r\nX: " + b"y" * 100_000)
    assert status(answer) == 431


def test_a_head_that_comes_too_slowly_is_not_waited_for(door: Any) -> None:
    proxy = door("api.example.com:443", head_seconds=0.1)
    assert status(proxy.ask(b"CONNECT api")) == 408


def test_a_client_that_says_nothing_and_leaves_is_no_news(door: Any, until: Any) -> None:
    proxy = door("api.example.com:443")
    proxy.connect().close()
    until(lambda: proxy.gateway.counters.open == 0)
    assert proxy.said == []


def test_a_target_that_does_not_take_connections_is_not_waited_for(
    door: Any, names: Any, line: Any
) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        place = f"127.0.0.1:{full.getsockname()[1]}"
        with socket.create_connection(full.getsockname()):
            answer = door(place, connect_seconds=0.2).ask(connect(place))
    assert status(answer) == 504
    assert b"it did not answer in time" in answer


def test_a_connection_on_which_nothing_is_said_ends(door: Any, line: Any) -> None:
    server = line(lambda connection: connection.recv(1))
    with door(server.place, idle_seconds=0.1).tunnel(server.place) as client:
        assert client.recv(1) == b""


@pytest.mark.parametrize("direction", ["sent", "received"])
@pytest.mark.parametrize("bound", ["bytes_per_connection", "bytes_per_call"])
def test_a_connection_carries_so_many_bytes_and_no_more(
    door: Any, line: Any, until: Any, direction: str, bound: str
) -> None:
    counts: list[int] = []

    def talk(connection: socket.socket) -> None:
        if direction == "received":
            while True:
                connection.sendall(b"x" * 1000)
        count = 0
        try:
            while data := connection.recv(65536):
                count += len(data)
        finally:
            counts.append(count)

    server = line(talk)
    proxy = door(server.place, **{bound: 50_000})
    with proxy.tunnel(server.place) as client:
        if direction == "sent":
            with pytest.raises(OSError):
                send_forever(client)
        else:
            counts.append(len(read_all(client)))
    until(lambda: bool(counts and proxy.said))
    assert counts[0] <= 50_000
    ((level, text),) = proxy.said
    assert level == "warning"
    assert f"may have 50 kB {direction}" in text


def test_each_call_has_bytes_of_its_own(door: Any, line: Any) -> None:
    def echo(connection: socket.socket) -> None:
        while data := connection.recv(65536):
            connection.sendall(data)

    server = line(echo)
    proxy = door(server.place, bytes_per_call=100)
    with proxy.tunnel(server.place) as client:
        for _ in range(5):
            proxy.tell("renew")
            client.sendall(b"x" * 90)
            received = b""
            while len(received) < 90:
                data = client.recv(100)
                assert data
                received += data
        client.sendall(b"x" * 90)
        assert len(read_all(client)) < 90


def test_connections_beyond_the_bound_wait_for_a_place(door: Any, target: Any) -> None:
    proxy = door(target.place, connections=2)
    first, second = proxy.tunnel(target.place), proxy.tunnel(target.place)
    with second, proxy.connect() as third:
        third.sendall(connect(target.place))
        first.close()
        assert third.recv(100).startswith(b"HTTP/1.1 200")


def test_a_connection_that_finds_no_place_is_told_so(door: Any, target: Any) -> None:
    proxy = door(target.place, connections=1, connect_seconds=0.1)
    with proxy.tunnel(target.place):
        answer = proxy.ask(connect(target.place))
    assert status(answer) == 503
    assert b"1 connections of this worker are open" in answer


def test_a_thousand_connections_are_no_more_than_those_that_may_be_open(
    door: Any, target: Any, until: Any
) -> None:
    proxy = door(target.place, open=20)
    clients: list[socket.socket] = []
    most = 0
    for number in range(1000):
        clients.append(proxy.connect())
        most = max(most, proxy.gateway.counters.open)
        if number >= 50:
            clients.pop(0).close()
    for client in clients:
        client.close()
    until(lambda: proxy.gateway.counters.open == 0)
    assert most <= 20
    assert len(proxy.said) <= 200, "what is said of them is bounded too"
    assert target.connections == 0

    def is_let_through() -> bool:
        # Connections that were given up before they were accepted are still being counted out.
        try:
            with proxy.tunnel(target.place):
                return True
        except ConnectionError:
            return False

    until(is_let_through)


def test_lines_are_bounded_and_begin_anew_with_each_call(door: Any) -> None:
    proxy = door("a.example:1", lines_per_call=3)
    for _ in range(5):
        proxy.ask(connect("b.example:1"))
    assert len(proxy.said) == 3
    assert proxy.lines()[-1].endswith("left out until the next call")
    proxy.tell("renew")
    proxy.ask(connect("b.example:1"))
    assert len(proxy.said) == 4


def test_when_the_worker_goes_every_connection_ends_and_none_is_made(
    door: Any, target: Any, until: Any
) -> None:
    proxy = door(target.place)
    with proxy.tunnel(target.place) as client:
        until(lambda: target.open == 1)
        proxy.tell("close")
        assert client.recv(1) == b""
        until(lambda: target.open == 0)
    assert proxy.ask(connect(target.place)) == b""


def test_a_client_that_vanishes_frees_its_target(door: Any, target: Any, until: Any) -> None:
    proxy = door(target.place)
    client = proxy.tunnel(target.place)
    until(lambda: target.open == 1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    client.close()
    until(lambda: target.open == 0)
    until(lambda: proxy.gateway.counters.open == 0)
