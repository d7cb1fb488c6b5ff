"""The filters of workers with a network, of both architectures, as the kernel interprets them."""

from __future__ import annotations

import struct

import pytest

from app.runtime.inside import notifications, seccomp
from app.runtime.inside.network_calls import NETWORK_RULES, with_network
from app.runtime.inside.seccomp import ALLOW, AUDIT_ARCH, EPERM, ERRNO, Instruction
from app.runtime.inside.syscall_table import RULES

REFUSED = ERRNO | EPERM
INET, INET6, UNIX, NETLINK, PACKET, VSOCK = 2, 10, 1, 16, 17, 40
STREAM, DGRAM, RAW, SEQPACKET = 1, 2, 3, 5
TCP, UDP, SCTP, MPTCP = 6, 17, 132, 262
NONBLOCK, CLOEXEC = 0o4000, 0o2000000
SOL_SOCKET, SOL_IP, SOL_TCP, SOL_IPV6 = 1, 0, 6, 41


def verdict(program: list[Instruction], architecture: str, number: int, *arguments: int) -> int:
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("<iIQ6Q", number, AUDIT_ARCH[architecture], 0, *padded)
    accumulator, position = 0, 0
    while True:
        code, if_true, if_false, constant = program[position]
        position += 1
        if code == seccomp.RETURN:
            return constant
        if code == seccomp.LOAD:
            accumulator = struct.unpack_from("<I", data, constant)[0]
            continue
        holds = {
            seccomp.JUMP_EQUAL: accumulator == constant,
            seccomp.JUMP_GREATER_EQUAL: accumulator >= constant,
            seccomp.JUMP_BITS: bool(accumulator & constant),
        }[code]
        position += if_true if holds else if_false


@pytest.fixture(params=["x86_64", "aarch64"])
def architecture(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def judge(architecture: str, name: str, *arguments: int) -> int:
    (rule,) = [rule for rule in NETWORK_RULES if rule.name == name]
    number = rule.number(architecture)
    assert number is not None
    program = seccomp.assemble(architecture, with_network(RULES))
    return verdict(program, architecture, number, *arguments)


@pytest.mark.parametrize("flags", [0, NONBLOCK, CLOEXEC, NONBLOCK | CLOEXEC])
def test_tcp_sockets_can_be_made(architecture: str, flags: int) -> None:
    assert judge(architecture, "socket", INET, STREAM | flags, 0) == ALLOW
    assert judge(architecture, "socket", INET, STREAM | flags, TCP) == ALLOW


@pytest.mark.parametrize(
    "arguments",
    [
        (INET, DGRAM, 0), (INET, DGRAM, UDP), (INET, RAW, 1), (INET, STREAM, MPTCP),
        (INET, STREAM, SCTP), (INET, SEQPACKET, SCTP), (INET6, STREAM, TCP), (UNIX, STREAM, 0),
        (UNIX, DGRAM, 0), (NETLINK, RAW, 0), (PACKET, RAW, 0), (VSOCK, STREAM, 0),
        (INET, STREAM | 1 << 30, 0),
    ],
)  # fmt: skip
def test_no_other_socket_can_be_made(architecture: str, arguments: tuple[int, ...]) -> None:
    assert judge(architecture, "socket", *arguments) == REFUSED


def test_pairs_are_of_streams_which_nothing_connects_anew(architecture: str) -> None:
    assert judge(architecture, "socketpair", UNIX, STREAM | CLOEXEC, 0) == ALLOW
    for kind in (DGRAM, SEQPACKET, DGRAM | CLOEXEC):
        assert judge(architecture, "socketpair", UNIX, kind, 0) == REFUSED
    assert judge(architecture, "socketpair", INET, STREAM, 0) == REFUSED


def test_options_are_those_of_ordinary_clients(architecture: str) -> None:
    for level, option in ((SOL_SOCKET, 2), (SOL_SOCKET, 9), (SOL_SOCKET, 7), (SOL_TCP, 1)):
        assert judge(architecture, "setsockopt", 3, level, option) == ALLOW
    device, mark, repair, transparent, fast_open = 25, 36, 19, 19, 30
    for level, option in (
        (SOL_SOCKET, device), (SOL_SOCKET, mark), (SOL_TCP, repair), (SOL_TCP, fast_open),
        (SOL_IP, 1), (SOL_IP, transparent), (SOL_IPV6, 1), (SOL_SOCKET, 62),
    ):  # fmt: skip
        assert judge(architecture, "setsockopt", 3, level, option) == REFUSED


def test_nothing_else_is_allowed_than_without_a_network(architecture: str) -> None:
    with_it = seccomp.assemble(architecture, with_network(RULES))
    without = seccomp.assemble(architecture)
    changed = {rule.number(architecture) for rule in NETWORK_RULES}
    for number in range(600):
        if number not in changed:
            here = verdict(with_it, architecture, number)
            assert here == verdict(without, architecture, number)


def test_the_server_is_notified_of_every_connect_and_of_nothing_else(architecture: str) -> None:
    program = notifications.program(architecture)
    connect = notifications.CONNECT[architecture]
    for number in range(600):
        wanted = notifications.USER_NOTIFICATION if number == connect else ALLOW
        assert verdict(program, architecture, number, 3, 0x7F00, 16) == wanted


def test_what_is_notified_of_is_what_is_allowed_besides(architecture: str) -> None:
    (rule,) = [rule for rule in NETWORK_RULES if rule.name == "connect"]
    assert rule.number(architecture) == notifications.CONNECT[architecture]
    assert judge(architecture, "connect", 3, 0x7F00, 16) == ALLOW


def test_calls_of_another_architecture_are_left_to_the_filter_that_ends_the_worker() -> None:
    other = notifications.program("aarch64")
    assert verdict(other, "x86_64", notifications.CONNECT["aarch64"]) == ALLOW
