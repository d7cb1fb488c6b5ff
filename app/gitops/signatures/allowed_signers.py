"""Whose SSH keys count: OpenSSH's file of allowed signers (ssh-keygen(1)), and a list of revoked.

Each line: principals, options, type of key, key. Of the options ``namespaces``, ``valid-after`` and
``valid-before`` are honoured; ``cert-authority`` is refused, since certificates are not verified.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.domain.errors import Problem, Stalled
from app.gitops.signatures.ssh_keys import KEY_TYPES, fingerprint, key_type
from app.gitops.signatures.sshsig import NAMESPACE
from app.gitops.signatures.wire import Malformed

_MAX_BYTES = 1024 * 1024
_LINE = re.compile(
    r'(?P<principals>"[^"]+"|[^\s"]+)\s+'
    r'(?:(?P<options>[a-z-]+(?:="[^"]*")?(?:,[a-z-]+(?:="[^"]*")?)*)\s+)?'
    rf"(?P<type>{'|'.join(map(re.escape, KEY_TYPES))})\s+(?P<key>[A-Za-z0-9+/=]+)(?:\s.*)?\Z",
    re.IGNORECASE,
)
_OPTION = re.compile(r'([a-z-]+)(?:="([^"]*)")?(?:,|\Z)', re.IGNORECASE)
_TIME = re.compile(r"(\d{8})(?:(\d{4})(\d{2})?)?(Z?)\Z")
_REVOKED = re.compile(r"SHA256:[A-Za-z0-9+/]{43}\Z")


@dataclass(frozen=True, slots=True)
class AllowedSigner:
    """One line of the file."""

    principals: str
    """Patterns with commas between; ``!`` before one excludes."""
    key: bytes
    for_git: bool
    valid_after: datetime | None
    valid_before: datetime | None

    def is_valid_at(self, time: datetime) -> bool:
        return (self.valid_after is None or time >= self.valid_after) and (
            self.valid_before is None or time < self.valid_before
        )

    def covers(self, principal: str) -> bool:
        """Tell whether the key belongs to ``principal``; OpenSSH's PATTERNS, case-insensitive."""
        patterns = [pattern.lower() for pattern in self.principals.split(",")]
        excluded = (pattern[1:] for pattern in patterns if pattern.startswith("!"))
        name = principal.lower()
        if any(_matches(name, pattern) for pattern in excluded):
            return False
        return any(_matches(name, pattern) for pattern in patterns)


def read_allowed_signers(file: Path) -> tuple[AllowedSigner, ...]:
    """Read the file; raise ``Stalled`` with every bad line, and for a file without a key."""
    signers: list[AllowedSigner] = []
    problems: list[Problem] = []
    for number, line in _lines(file):
        try:
            signers.append(_parse(line))
        except _BadLine as error:
            problems.append(Problem(str(error), file=str(file), line=number))
    if not signers and not problems:
        problems.append(Problem("holds no key, so nobody could sign", file=str(file)))
    _stop_at(problems, file)
    return tuple(signers)


def read_revoked(file: Path) -> frozenset[str]:
    """Read fingerprints of keys that count no longer: one key or ``SHA256:…`` a line."""
    revoked: set[str] = set()
    problems: list[Problem] = []
    for number, line in _lines(file):
        words = line.split()
        if _REVOKED.match(words[0]):
            revoked.add(words[0])
            continue
        try:
            revoked.add(fingerprint(_parse(f"revoked {line}").key))
        except _BadLine:
            message = "is neither a public key nor a fingerprint `SHA256:…` (KRLs are not read)"
            problems.append(Problem(message, file=str(file), line=number))
    _stop_at(problems, file)
    return frozenset(revoked)


class _BadLine(Exception):
    """Says what is wrong with a line."""


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    try:
        with file.open("rb") as opened:
            data = opened.read(_MAX_BYTES + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise Stalled(f"The file {file} of SSH keys cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise Stalled(f"The file {file} of SSH keys is not text (KRLs are not read).") from None
    if len(data) > _MAX_BYTES:
        raise Stalled(f"The file {file} of SSH keys is larger than {_MAX_BYTES} bytes.")
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()


def _stop_at(problems: list[Problem], file: Path) -> None:
    if problems:
        raise Stalled(f"The file {file} of SSH keys cannot be used.", problems=problems)


def _parse(line: str) -> AllowedSigner:
    found = _LINE.match(line)
    if found is None:
        listed = ", ".join(KEY_TYPES)
        raise _BadLine(f"is not `principals [options] type key`; types are {listed}")
    options = dict(_options(found["options"] or ""))
    return AllowedSigner(
        principals=found["principals"].strip('"'),
        key=_key(found["type"], found["key"]),
        for_git=_is_for_git(options.get("namespaces")),
        valid_after=_time(options.get("valid-after")),
        valid_before=_time(options.get("valid-before")),
    )


def _options(written: str) -> Iterator[tuple[str, str]]:
    seen = set()
    for name, value in _OPTION.findall(written):
        known = name.lower()
        if known == "cert-authority":
            raise _BadLine("says `cert-authority`, but certificates are not verified; list keys")
        if known not in ("namespaces", "valid-after", "valid-before"):
            raise _BadLine(f"has the unknown option `{name}`")
        if known in seen or not value:
            raise _BadLine(f"has the option `{name}` twice or without a value")
        seen.add(known)
        yield known, value


def _key(kind: str, encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
        if key_type(key) == kind:
            return key
    except (binascii.Error, Malformed):
        pass
    raise _BadLine("has a key that is damaged, or not of the type before it")


def _is_for_git(namespaces: str | None) -> bool:
    if namespaces is None:
        return True
    return any(_matches(NAMESPACE, pattern) for pattern in namespaces.split(","))


def _time(written: str | None) -> datetime | None:
    """Read ``YYYYMMDD[HHMM[SS]]``, in UTC with a ``Z``, else in the server's time zone."""
    if written is None:
        return None
    found = _TIME.match(written)
    if found is not None:
        date, minutes, seconds, zone = found.groups()
        try:
            time = datetime.strptime(  # noqa: DTZ007 (the zone follows)
                f"{date}{minutes or '0000'}{seconds or '00'}", "%Y%m%d%H%M%S"
            )
        except ValueError:
            pass
        else:
            return time.replace(tzinfo=UTC) if zone else time.astimezone(UTC)
    raise _BadLine(f"has the time `{written}`, which is not YYYYMMDD[HHMM[SS]][Z]")


def _matches(text: str, pattern: str) -> bool:
    # fnmatch knows sets in brackets, which OpenSSH's patterns do not.
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))
