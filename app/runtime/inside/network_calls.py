"""What a worker with a network may ask of the kernel besides: TCP sockets, and to connect them.

Whatever connects them is in ``notifications``: without its filter these rules must not be used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.runtime.inside.syscall_table import Condition, Rule

_AF_UNIX, _AF_INET = 1, 2
_STREAM = 1
_NONBLOCK, _CLOEXEC = 0o4000, 0o2000000
_STREAMS = tuple(_STREAM | flags for flags in (0, _CLOEXEC, _NONBLOCK, _NONBLOCK | _CLOEXEC))
_TCP = 6
_SOL_SOCKET = 1

_OPTIONS = (
    *(1, 2, 4, 5, 6, 7, 8, 9),
    *(12, 18, 20, 21, 66, 67),
)
"""Numbers common to both levels: reuse of addresses, buffers, keep-alive and time-outs of sockets;
delays, keep-alive and time-outs of TCP. Not among them: SO_BINDTODEVICE, SO_MARK, TCP_REPAIR."""

NETWORK_RULES = (
    # By protocol too: Landlock does not know multipath TCP.
    Rule(
        "socket",
        41,
        198,
        (
            Condition("one-of", 0, (_AF_INET,)),
            Condition("one-of", 1, _STREAMS),
            Condition("one-of", 2, (0, _TCP)),
        ),
    ),
    Rule("connect", 42, 203),
    Rule(
        "setsockopt",
        54,
        208,
        (Condition("one-of", 1, (_SOL_SOCKET, _TCP)), Condition("one-of", 2, _OPTIONS)),
    ),
    # A pair of datagram sockets could be connected anew, to somebody else's.
    Rule(
        "socketpair",
        53,
        199,
        (Condition("one-of", 0, (_AF_UNIX,)), Condition("one-of", 1, _STREAMS)),
    ),
)


def with_network(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Return the rules of a worker with a network, given those of one without."""
    return tuple(_merged(rules))


def _merged(rules: Sequence[Rule]) -> Iterator[Rule]:
    names = {rule.name for rule in NETWORK_RULES}
    yield from (rule for rule in rules if rule.name not in names)
    yield from NETWORK_RULES
