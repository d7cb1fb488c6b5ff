"""The packages a hook depends on: what is installed once and shared by all who want the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.domain.documents.values import is_exact_version, is_package_name
from app.domain.errors import Problem, Rejected
from app.domain.outcomes import Language
from app.domain.revisions import Digest, digest_of


@dataclass(frozen=True, slots=True)
class PackageSet:
    """Packages of one language in exact versions; the order in a manifest does not matter."""

    language: Language
    dependencies: tuple[tuple[str, str], ...]
    """Names and versions, in the order of the names; may be empty."""

    @classmethod
    def of(cls, language: Language, dependencies: Mapping[str, str]) -> PackageSet:
        """Make a set; raise ``Rejected`` for a name or version that is none.

        Manifests are checked when they are read. This is checked again because the installers are
        given it: what could be an option, an address or a path must not come that far.
        """
        problems = [
            Problem("is no package in one exact version", key=dependency_key(name))
            for name, version in dependencies.items()
            if not (is_package_name(name, language) and is_exact_version(version, language))
        ]
        if problems:
            raise Rejected("These packages cannot be installed.", problems=problems)
        return cls(language, tuple(sorted(dependencies.items())))

    @property
    def digest(self) -> Digest:
        """Hash of language, names and versions; not of the machine or of what they resolve to."""
        return digest_of(self.language.encode(), json.dumps(self.dependencies).encode())

    def __str__(self) -> str:
        """Write ``requests 2.32.3, six 1.16.0``."""
        return ", ".join(f"{name} {version}" for name, version in self.dependencies)


OnInstall = Callable[[int, int, PackageSet], None]
"""Told when an installation begins: its number, of how many, and what is installed."""


def dependency_key(name: str | None) -> str:
    """Return the key of a package in a manifest; of the whole table for None."""
    return f"dependencies.{name}" if name else "dependencies"
