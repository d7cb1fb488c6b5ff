"""What an address may be, and what it may not be taken for."""

from __future__ import annotations

import pytest

from app.domain.errors import Rejected
from app.gitops.addresses import is_remote, parse_address, shown

EVERY = ("https", "ssh", "http", "file")


@pytest.mark.parametrize(
    ("location", "protocol", "user"),
    [
        ("https://git.example.com/team/hooks.git", "https", None),
        ("https://oauth2@git.example.com:8443/hooks", "https", "oauth2"),
        ("HTTPS://git.example.com/hooks", "https", None),
        ("https://[::1]:8443/hooks.git", "https", None),
        ("ssh://git@git.example.com:22/hooks.git", "ssh", "git"),
        ("git@git.example.com:team/hooks.git", "ssh", "git"),
        ("git.example.com:hooks.git", "ssh", None),
        ("git@[::1]:hooks.git", "ssh", "git"),
    ],
)
def test_an_address_is_taken(location: str, protocol: str, user: str | None) -> None:
    assert is_remote(location)
    address = parse_address(location)
    assert (address.protocol, address.user) == (protocol, user)
    assert address.url.lower() == location.lower()


@pytest.mark.parametrize("location", ["/srv/hooks.git", ".", "./a:b", "../x", "~/hooks", "hooks"])
def test_a_path_is_no_address(location: str) -> None:
    assert not is_remote(location)


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("ext::sh -c touch% x", "blanks"),
        ("ext::sh", "a program that git would run"),
        ("fd::17", "a program that git would run"),
        ("https::https://x/y", "a program that git would run"),
        ("--upload-pack=x", "an option"),
        ("-oProxyCommand=x:y", "an option"),
        ("ssh://-oProxyCommand=touch/x", "no host"),
        ("git@-oProxyCommand=x:y", "no host"),
        ("-x@host:y", "an option"),
        ("host:-x", "no path"),
        ("ssh://git@host/", "no repository"),
        ("https://user:secret@host/x", "token_file"),
        ("ssh://user:secret@host/x", "token_file"),
        ("https://host/x?token=1", "`?`"),
        ("https://host/x#y", "`#`"),
        ("https:///x", "no host"),
        ("https://ho st/x", "blanks"),
        ("https://host\n/x", "blanks"),
        ("https://host/\u202ex", "beyond ASCII"),
        ("https://host:port/x", "host or port"),
        ("git://host/x", "has the protocol `git`"),
        ("http://host/x", "nobody vouches"),
        ("file:///srv/x", "nobody vouches"),
        ("javascript://x/y", "has the protocol"),
    ],
)
def test_what_could_be_taken_for_something_else_is_refused(location: str, why: str) -> None:
    with pytest.raises(Rejected) as refusal:
        parse_address(location)
    assert why in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_protocols_without_protection_are_taken_where_they_are_allowed_by_name() -> None:
    assert parse_address("http://127.0.0.1:1/x", EVERY).url == "http://127.0.0.1:1/x"
    assert parse_address("file:///srv/x.git", EVERY).url == "file:///srv/x.git"
    with pytest.raises(Rejected, match="no path from the root"):
        parse_address("file://srv/x", EVERY)


def test_a_password_is_not_shown() -> None:
    assert shown("https://user:secret@host/x") == "https://user:…@host/x"
