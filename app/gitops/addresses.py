"""Where a source lies: a path of this machine, or an address that git may be given.

Git takes an address for more than a place: ``ext::`` runs a program, a leading ``-`` is an option,
and a host that begins with ``-`` is an option to ssh. So an address is taken apart here, and only
what is known to be harmless is put before git.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from app.domain.documents.toml_documents import printable
from app.domain.errors import Rejected

Protocol = Literal["https", "ssh", "http", "file"]

SAFE_PROTOCOLS: tuple[Protocol, ...] = ("https", "ssh")
"""What is followed without being allowed by name: encrypted, and the server is authenticated."""

_KNOWN: tuple[Protocol, ...] = ("https", "ssh", "http", "file")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HELPER = re.compile(r"[A-Za-z0-9+.-]*::")
_SHORT_SSH = re.compile(r"(?:[^@/:]+@)?(?:\[[0-9A-Fa-f:.]+\]|[^/:\[\]]+):(?!//)")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f\\]|[^\x00-\x7f]")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*\Z")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\Z")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]+\Z")


@dataclass(frozen=True, slots=True)
class Address:
    """A remote repository; ``url`` may be put before git, and holds no secret."""

    url: str
    protocol: Protocol
    user: str | None


def is_remote(location: str) -> bool:
    """Tell whether ``location`` names a repository elsewhere; a path never does."""
    if _SCHEME.match(location) or _HELPER.match(location):
        return True
    return not location.startswith(("/", ".", "~")) and bool(_SHORT_SSH.match(location))


def parse_address(location: str, allowed: Collection[str] = SAFE_PROTOCOLS) -> Address:
    """Read the address of a remote repository; raise ``Rejected``, which shows no secret."""
    if _UNPRINTABLE.search(location):
        raise _refused(location, "holds blanks, backslashes or characters beyond ASCII")
    if location.startswith("-"):
        raise _refused(location, "begins with `-`, as an option of a program does")
    if _HELPER.match(location):
        raise _refused(location, "names a program that git would run (`…::`)")
    scheme = _SCHEME.match(location)
    if scheme is None:
        return _short_ssh(location, allowed)
    protocol = scheme[1].lower()
    for known in _KNOWN:
        if protocol == known:
            _check_allowed(location, known, allowed)
            return _file(location) if known == "file" else _network(location, known)
    raise _refused(location, f"has the protocol `{scheme[1]}`; known are {', '.join(_KNOWN)}")


def _network(location: str, protocol: Protocol) -> Address:
    try:
        parts = urlsplit(location)
        port, host, user = parts.port, parts.hostname or "", parts.username
    except ValueError as error:
        raise _refused(location, "is no address: its host or port cannot be read") from error
    if parts.password is not None:
        raise _refused(
            location,
            "holds a password, which `ps`, logs and error messages would show; put it into a file "
            "that only the server may read, and name that file in `token_file`",
        )
    if parts.query or parts.fragment or "?" in location or "#" in location:
        raise _refused(location, "holds `?` or `#`, which no repository's address needs")
    _check_place(location, host, user)
    if parts.path.strip("/") == "":
        raise _refused(location, "names a host but no repository on it")
    place = f"[{host}]" if ":" in host else host
    authority = f"{user}@{place}" if user is not None else place
    url = f"{protocol}://{authority}{f':{port}' if port is not None else ''}{parts.path}"
    return Address(url, protocol, user)


def _short_ssh(location: str, allowed: Collection[str]) -> Address:
    """Read ``user@host:path``, which git takes for ssh."""
    match = _SHORT_SSH.match(location)
    if match is None:
        raise _refused(location, "is neither a path of this machine nor an address")
    _check_allowed(location, "ssh", allowed)
    user, at, host = match[0].removesuffix(":").rpartition("@")
    _check_place(location, host.strip("[]"), user if at else None)
    path = location[match.end() :]
    if not path or path.startswith("-"):
        raise _refused(location, "names no path on its host")
    return Address(location, "ssh", user if at else None)


def _file(location: str) -> Address:
    path = location.partition("://")[2]
    if not path.startswith("/"):
        raise _refused(location, "names no path from the root, as in file:///srv/hooks.git")
    return Address(f"file://{path}", "file", None)


def _check_place(location: str, host: str, user: str | None) -> None:
    if user is not None and not _USER.match(user):
        raise _refused(location, "has a user name that could be taken for something else")
    if not (_HOST.match(host) or (":" in host and _IPV6.match(host))):
        raise _refused(location, "has no host, or one that could be taken for something else")


def _check_allowed(location: str, protocol: Protocol, allowed: Collection[str]) -> None:
    if protocol not in allowed:
        listed = ", ".join(allowed) or "none"
        raise _refused(
            location,
            f"has the protocol `{protocol}`, and allowed are {listed}; if you accept that nobody "
            "vouches for what arrives, add it to `protocols` of the source",
        )


def _refused(location: str, why: str) -> Rejected:
    return Rejected(f"The location `{shown(location)}` {why}.")


def shown(location: str) -> str:
    """Return a location as it may be shown: printable, cut, and without a password."""
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:…@", printable(location, 200))


def local_path(location: str) -> Path:
    """Return the absolute path of a local repository."""
    return Path(location).expanduser().absolute()
