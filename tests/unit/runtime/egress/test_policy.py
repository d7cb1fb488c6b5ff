"""What a hook may reach, by its manifest, by addresses and by what the operator opened."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from app.runtime.egress.addresses import is_public, read_address
from app.runtime.egress.policy import Denied, Policy, Target, read_target

PUBLIC = ip_address("93.184.216.34")

INNER = [
    "127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "100.64.0.1", "100.127.255.255", "::1", "fd12:3456::1", "fc00::1",
]  # fmt: skip
NOBODYS = [
    "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "100.100.100.200", "168.63.129.16",
    "192.0.0.192", "192.0.0.9", "192.88.99.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::127.0.0.1", "::ffff:127.0.0.1",
    "::ffff:93.184.216.34", "64:ff9b::7f00:1", "64:ff9b::5db8:d822", "64:ff9b:1::a00:1",
    "2002:7f00:1::", "2001::1", "2001:db8::1", "100::1", "fe80::1", "fec0::1", "ff02::1",
    "fd00:ec2::254", "4000::1",
]  # fmt: skip


@pytest.mark.parametrize("text", ["93.184.216.34", "1.1.1.1", "2606:2800:220:1::1", "2a00:1450::5"])
def test_an_address_of_the_internet_is_public(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", [*INNER, *NOBODYS])
def test_an_address_that_is_somebodys_own_or_hides_another_is_not(text: str) -> None:
    address = ip_address(text)
    assert not is_public(address)
    with pytest.raises(Denied, match="egress_private_networks"):
        Policy(["api.example.com:443"]).usable(Target("api.example.com", 443), [address])


@pytest.mark.parametrize("text", INNER)
def test_an_own_address_is_reached_where_the_manifest_lists_it_literally(text: str) -> None:
    address = ip_address(text)
    entry = f"[{text}]:80" if address.version == 6 else f"{text}:80"
    policy = Policy([entry])
    target = read_target(entry)
    policy.check(target)
    assert policy.usable(target, [address]) == [address]


@pytest.mark.parametrize("text", NOBODYS)
def test_an_address_with_the_machines_credentials_is_the_operators_to_open(text: str) -> None:
    address = ip_address(text)
    entry = f"[{text}]:80" if address.version == 6 else f"{text}:80"
    target = read_target(entry)
    with pytest.raises(Denied):
        Policy([entry]).usable(target, [address])
    opened = Policy([entry], [ip_network(text)])
    assert opened.usable(target, [address]) == [address]


def test_localhost_is_this_machine_and_nothing_else_by_that_name() -> None:
    policy, target = Policy(["localhost:5432"]), Target("localhost", 5432)
    loopback = [ip_address("::1"), ip_address("127.0.0.1")]
    assert policy.usable(target, loopback) == loopback
    with pytest.raises(Denied):
        policy.usable(target, [ip_address("10.0.0.1")])


def test_the_operators_networks_are_open_to_names_too_but_only_if_listed() -> None:
    policy = Policy(["db.internal:5432"], [ip_network("10.0.0.0/8")])
    target = Target("db.internal", 5432)
    assert policy.usable(target, [ip_address("10.9.9.9")]) == [ip_address("10.9.9.9")]
    with pytest.raises(Denied, match=r"192\.168\.0\.1"):
        policy.usable(target, [ip_address("192.168.0.1")])
    with pytest.raises(Denied, match="not in this hook's `network` list"):
        policy.check(Target("10.9.9.9", 5432))


def test_of_the_addresses_of_a_name_only_those_that_may_be_are_tried() -> None:
    policy, target = Policy(["api.example.com:443"]), Target("api.example.com", 443)
    rebinding = [ip_address("127.0.0.1"), PUBLIC, ip_address("169.254.169.254")]
    assert policy.usable(target, rebinding) == [PUBLIC]


def test_a_name_without_addresses_is_no_refusal() -> None:
    assert Policy(["a.example:1"]).usable(Target("a.example", 1), []) == []


@pytest.mark.parametrize(
    "asked",
    [
        "api.example.com:22", "api.example.com.:443", "example.com:443", "xapi.example.com:443",
        "api.example.com.evil.example:443", "93.184.216.34:443", "sub.api.example.com:443",
    ],
)  # fmt: skip
def test_only_exactly_what_is_listed_is_allowed(asked: str) -> None:
    policy = Policy(["api.example.com:443"])
    with pytest.raises(Denied) as denied:
        policy.check(read_target(asked))
    assert str(denied.value) == f"{asked} is not in this hook's `network` list; add it in hook.toml"


def test_case_and_the_spelling_of_an_ipv6_address_do_not_matter() -> None:
    policy = Policy(["API.Example.com:443", "[2606:2800:220:1:0:0:0:1]:443"])
    policy.check(read_target("api.EXAMPLE.com:443"))
    policy.check(read_target("[2606:2800:220:1::1]:443"))


@pytest.mark.parametrize(
    "text",
    [
        "", "host", "host:", ":443", "host:0", "host:65536", "host:443x", "host:+443", "host: 443",
        "user@host:443", "user:pass@host:443", "host:443\r\nX: y", "ho st:443", "ho\0st:443",
        "http://host:443", "host:443/", "[::1]", "[::1", "[::1]:", "[fe80::1%eth0]:80", "::1:80",
        "[1.2.3.4]:x", "[host]:80", "hö.example:443", "-host:443", "host:44\uff13", "h" * 300 + ":1",
    ],
)  # fmt: skip
def test_what_is_no_target_is_not_read_as_one(text: str) -> None:
    with pytest.raises(ValueError):
        read_target(text)


@pytest.mark.parametrize("text", ["127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.01"])
def test_unusual_ways_to_write_an_address_make_a_name_of_it(text: str) -> None:
    assert read_address(text) is None
    policy, target = Policy([f"{text}:80"]), read_target(f"{text}:80")
    with pytest.raises(Denied):
        policy.usable(target, [ip_address("127.0.0.1")])


def test_an_entry_that_nothing_can_match_makes_no_difference() -> None:
    policy = Policy(["[::::]:80", "api.example.com:443"])
    policy.check(Target("api.example.com", 443))
