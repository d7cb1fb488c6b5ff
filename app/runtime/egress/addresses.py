"""What kind of place an address is: the internet's, or somebody's own.

Sources: the IANA special-purpose address registries, as ``ipaddress`` knows them; RFC 6598 (carrier
NAT), RFC 6052 and 8215 (NAT64), RFC 3056 (6to4); the documentation of the clouds for metadata.
"""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_UNICAST = IPv6Network("2000::/3")
_SPECIAL = tuple(
    map(
        ip_network,
        ("192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "2001::/23", "2002::/16", "3fff::/20"),
    )
)
"""What some versions of Python take for public; 2002::/16 has IPv4 addresses in it."""
_METADATA = tuple(
    map(
        ip_network,
        (
            *("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32"),
            *("100.100.100.200", "168.63.129.16", "192.0.0.192"),
        ),
    )
)
"""Where machines of clouds get credentials without asking; link-local addresses as a whole."""
_OWN = tuple(
    map(
        ip_network,
        (
            *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
            *("::1/128", "fc00::/7"),
        ),
    )
)


def read_address(text: str) -> Address | None:
    """Read an address as it is always written; None for names, and for ``127.1`` or ``0x7f.1``."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Tell whether it is an ordinary address of the internet, and of nothing but it."""
    if is_metadata(address) or address.is_multicast or not address.is_global:
        return False
    if any(address in network for network in _SPECIAL):
        return False
    # Outside of it are addresses that have another one in them, and lead where that one does.
    return isinstance(address, IPv4Address) or address in _UNICAST


def is_metadata(address: Address) -> bool:
    """Tell whether clouds keep credentials of the machine there, or its neighbours are."""
    return any(address in network for network in _METADATA)


def is_own(address: Address) -> bool:
    """Tell whether it is this machine's, or one of a private network's."""
    return not is_metadata(address) and any(address in network for network in _OWN)
