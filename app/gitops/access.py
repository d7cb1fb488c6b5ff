"""How a remote repository is reached: git and ssh are told file names, and never secrets.

A token is read by a helper that git runs when the server asks for it, so that it stands in no
argument, no variable, no configuration and no address. A deploy key is read by ssh itself.
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.domain.errors import Stalled
from app.gitops.addresses import Address
from app.gitops.environment import program

_MAX_TOKEN_BYTES = 8192
_SLOW_BYTES, _SLOW_SECONDS = 1000, 20
"""A server that sends less than so many bytes a second for so long is given up."""

ASKPASS = """#!/bin/sh
case "$1" in
Username*) printf '%s\\n' "$HOOKLEDGER_GIT_USER" ;;
*) exec head -n 1 -- "$HOOKLEDGER_GIT_TOKEN_FILE" ;;
esac
"""
"""Answers git's two questions; it holds no secret itself."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files that let the server in, and that say which server is the right one."""

    token_file: Path | None = None
    user: str = "x-access-token"
    """Name that goes with the token; forges that check tokens alone ignore it."""
    ssh_key_file: Path | None = None
    known_hosts_file: Path | None = None
    ca_file: Path | None = None
    """Certificates (PEM) that vouch for the server, in place of the system's."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a git process that fetches gets beside what every git process gets."""

    variables: Mapping[str, str]
    settings: Mapping[str, str]


def access(address: Address, credentials: Credentials, askpass: Path) -> Access:
    """Prepare a fetch; ``askpass`` is the file that holds ``ASKPASS``.

    Raises ``Stalled`` for a file that is needed and cannot be used.
    """
    variables: dict[str, str] = {"GIT_ALLOW_PROTOCOL": address.protocol}
    settings = {f"protocol.{address.protocol}.allow": "always"}
    if address.protocol == "ssh":
        variables |= _ssh(credentials)
    elif address.protocol in ("https", "http"):
        settings |= {
            "http.followRedirects": "false",
            "http.lowSpeedLimit": str(_SLOW_BYTES),
            "http.lowSpeedTime": str(_SLOW_SECONDS),
            "http.sslVerify": "true",
            "http.emptyAuth": "false",
        }
        if credentials.ca_file is not None:
            settings["http.sslCAInfo"] = str(_needed(credentials.ca_file, "ca_file"))
        if credentials.token_file is not None:
            read_token(credentials.token_file)
            variables |= {
                "GIT_ASKPASS": str(askpass),
                "HOOKLEDGER_GIT_USER": address.user or credentials.user,
                "HOOKLEDGER_GIT_TOKEN_FILE": str(credentials.token_file.absolute()),
            }
    return Access(variables, settings)


def secrets_of(address: Address, credentials: Credentials) -> Iterator[str]:
    """Yield every form in which a server could send a token back to have it shown."""
    if credentials.token_file is None:
        return
    try:
        token = read_token(credentials.token_file)
    except Stalled:
        return
    yield token
    basic = f"{address.user or credentials.user}:{token}"
    yield base64.b64encode(basic.encode()).decode()


def read_token(file: Path) -> str:
    """Return the first line of a token's file; raise ``Stalled``, without showing any of it."""
    try:
        with file.open("rb") as opened:
            data = opened.read(_MAX_TOKEN_BYTES + 1)
    except OSError as error:
        raise Stalled(f"The token file {file} cannot be read: {error.strerror}.") from error
    token = data.partition(b"\n")[0].strip()
    if not token or len(data) > _MAX_TOKEN_BYTES or not token.isascii():
        raise Stalled(f"The token file {file} does not hold a token on its first line.")
    return token.decode()


def _ssh(credentials: Credentials) -> dict[str, str]:
    if credentials.ssh_key_file is None or credentials.known_hosts_file is None:
        raise Stalled(
            "A source over ssh needs `ssh_key_file` (a deploy key without a passphrase) and "
            "`known_hosts_file` (the server's keys: `ssh-keyscan HOST`, compared with what the "
            "forge publishes)."
        )
    key = _needed(credentials.ssh_key_file, "ssh_key_file")
    hosts = _needed(credentials.known_hosts_file, "known_hosts_file")
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": _quoted(hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "UpdateHostKeys": "no",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "ProxyCommand": "none",
        "PermitLocalCommand": "no",
        "ControlPath": "none",
        "ForwardAgent": "no",
        "ClearAllForwardings": "yes",
        "ConnectTimeout": "10",
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
    }
    words = [program("ssh"), "-F", "/dev/null", "-i", str(key)]
    words += [f"-o{name}={value}" for name, value in options.items()]
    return {"GIT_SSH_COMMAND": shlex.join(words), "GIT_SSH_VARIANT": "ssh"}


def _needed(file: Path, setting: str) -> Path:
    if not file.is_file():
        raise Stalled(f"There is no file {file}, which `{setting}` of the source names.")
    return file.absolute()


def _quoted(file: Path) -> str:
    """Write a path as ssh reads one in an option: blanks and quotes would begin another."""
    return '"' + str(file).replace("\\", "\\\\").replace('"', '\\"') + '"'
