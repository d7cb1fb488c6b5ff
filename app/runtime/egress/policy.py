"""What one hook may reach: the ``host:port`` entries of its manifest, and nothing by another name.

A name is resolved here, once for each connection, and every address it has is judged before one is
tried: a name that is allowed does not make an address allowed that is not the internet's.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.runtime.egress.addresses import (
    Address,
    Network,
    is_metadata,
    is_own,
    is_public,
    read_address,
)

SETTING = "egress_private_networks"

_LOCALHOST = "localhost"
_TARGET = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})))"
    r":(?P<port>[1-9][0-9]{0,4})\Z"
)
_MOST_PORT = 65_535


class Denied(Exception):
    """A hook may not reach this; the text says what, and why."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a connection is to lead; the host in lower case, an IPv6 address in its short form."""

    host: str
    port: int

    def __str__(self) -> str:
        """Write it as a manifest does."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_target(text: str) -> Target:
    """Read ``host:port``, an IPv6 address in brackets; raise ``ValueError``."""
    match = _TARGET.match(text)
    if match is None or int(match["port"]) > _MOST_PORT:
        raise ValueError(f"{text[:300]!a} is not host:port")
    if match["v6"] is None:
        return Target(match["name"].lower(), int(match["port"]))
    address = read_address(match["v6"])
    if address is None:
        raise ValueError(f"{text[:300]!a} has no IPv6 address in its brackets")
    return Target(str(address), int(match["port"]))


class Policy:
    """The rules of one hook version, on a server whose operator opened the networks ``opened``."""

    def __init__(self, entries: Iterable[str], opened: Sequence[Network] = ()) -> None:
        self.entries = tuple(entries)
        self._targets = frozenset(_readable(self.entries))
        self._opened = tuple(opened)

    def check(self, target: Target) -> None:
        """Raise ``Denied`` unless the manifest names the target."""
        if target not in self._targets:
            raise Denied(f"{target} is not in this hook's `network` list; add it in hook.toml")

    def usable(self, target: Target, addresses: Iterable[Address]) -> list[Address]:
        """Return those of a target's addresses that may be tried; raise ``Denied`` if none may."""
        addresses = list(addresses)
        usable = [address for address in addresses if self._may_try(target, address)]
        if addresses and not usable:
            raise Denied(_explain(target, addresses[0]))
        return usable

    def _may_try(self, target: Target, address: Address) -> bool:
        if is_public(address) or any(address in network for network in self._opened):
            return True
        literally = str(address) == target.host
        by_name = target.host == _LOCALHOST and address.is_loopback
        return is_own(address) and (literally or by_name)


def _readable(entries: Iterable[str]) -> Iterator[Target]:
    for entry in entries:
        # What is in brackets and no address can be reached by nobody.
        with contextlib.suppress(ValueError):
            yield read_target(entry)


def _explain(target: Target, address: Address) -> str:
    open_it = f"the operator can allow it with the setting {SETTING}"
    if is_metadata(address):
        return f"{target} leads to {address}, where machines keep what is theirs alone; {open_it}"
    listed = "" if not is_own(address) else ", or list the address itself"
    return f"{target} leads to {address}, which is not of the public internet; {open_it}{listed}"
