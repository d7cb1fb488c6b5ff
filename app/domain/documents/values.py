"""What the values of a manifest look like: durations, addresses, packages, and what is a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeGuard

from app.domain.documents.toml_documents import TomlDocument
from app.domain.errors import Problem
from app.domain.outcomes import Language

KEEP_SECRETS_OUT = (
    "seal it with `hookledger secrets seal`, or store it with `hookledger secrets set`, and treat "
    "what stands here as leaked: git's history keeps it"
)

_DURATION = re.compile(r"(?:(?P<ms>[0-9]{1,6})ms|(?P<s>[0-9]{1,3}(?:\.[0-9]{1,3})?)s)\Z")
_ADDRESS = re.compile(
    r"(?:\[[0-9A-Fa-f:.]{2,45}\]|(?=[^:]{1,253}:)[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?)"
    r":(?P<port>[1-9][0-9]{0,4})\Z"
)
_MAX_PORT = 65_535
_LOCAL = r"(?:\+[0-9A-Za-z][0-9A-Za-z.-]*)?"
_VERSION: Mapping[Language, re.Pattern[str]] = {
    "python": re.compile(
        r"(?:[0-9]+!)?[0-9]+(?:\.[0-9]+)*(?:(?:a|b|rc)[0-9]+)?"
        rf"(?:\.post[0-9]+)?(?:\.dev[0-9]+)?{_LOCAL}\Z"
    ),
    "node": re.compile(rf"[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z][0-9A-Za-z.-]*)?{_LOCAL}\Z"),
}
"""PEP 440 in its normal form, and Semantic Versioning 2."""
_MAX_VERSION_LENGTH = 100
_PACKAGE: Mapping[Language, re.Pattern[str]] = {
    "python": re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,212}[A-Za-z0-9])?\Z"),
    "node": re.compile(r"(?=.{1,214}\Z)(?:@[a-z0-9~][a-z0-9._~-]*/)?[a-z0-9~][a-z0-9._~-]*\Z"),
}
_CREDENTIAL = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|AKIA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{35}"
    r"|gh[oprsu]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{22}|glpat-[0-9A-Za-z_-]{20}"
    r"|[rs]k_live_[0-9A-Za-z]{16}|xox[abeoprs]-[0-9A-Za-z-]{10}|AGE-SECRET-KEY-1"
)
"""Forms that their issuers publish so that scanners can find them: AWS, Google, GitHub, GitLab,
Stripe, Slack, age, PEM."""


def parse_milliseconds(written: object) -> int | None:
    """Read ``"5s"``, ``"1.5s"`` or ``"500ms"``; None if it is no duration."""
    match = _DURATION.match(written) if isinstance(written, str) else None
    if match is None:
        return None
    return int(match["ms"]) if match["ms"] else round(float(match["s"]) * 1000)


def is_network_address(value: object) -> bool:
    """Tell whether ``value`` is ``host:port``; an IPv6 address stands in brackets."""
    match = _ADDRESS.match(value) if isinstance(value, str) else None
    return match is not None and int(match["port"]) <= _MAX_PORT


def is_exact_version(value: object, language: Language) -> TypeGuard[str]:
    """Tell whether ``value`` names one version, as PyPI or npm write it, and not a range."""
    return (
        isinstance(value, str)
        and len(value) <= _MAX_VERSION_LENGTH
        and _VERSION[language].match(value) is not None
    )


def is_package_name(name: str, language: Language) -> bool:
    """Tell whether PyPI (python) or npm (node) could have a package of this name."""
    return _PACKAGE[language].match(name) is not None


def refuse_credentials(document: TomlDocument) -> None:
    """Add a problem for each line with a well-known form of credential, comments included."""
    for number, line in enumerate(document.text.split("\n"), start=1):
        if _CREDENTIAL.search(line):
            message = f"holds what looks like a credential; {KEEP_SECRETS_OUT}"
            document.problems.append(Problem(message, file=document.file, line=number))
