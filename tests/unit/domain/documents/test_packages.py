"""Sets of packages: equal wants are one set, and nothing but a name and a version gets in."""

from __future__ import annotations

import pytest

from app.domain.documents.packages import PackageSet
from app.domain.errors import Rejected
from app.domain.outcomes import Language


def test_the_order_in_a_manifest_makes_no_difference() -> None:
    one = PackageSet.of("python", {"a": "1.0", "b": "2.0"})
    other = PackageSet.of("python", {"b": "2.0", "a": "1.0"})
    assert one == other
    assert one.digest == other.digest


def test_language_names_and_versions_make_a_difference() -> None:
    sets = [
        PackageSet.of("python", {"a": "1.0.0"}),
        PackageSet.of("node", {"a": "1.0.0"}),
        PackageSet.of("python", {"a": "1.0.1"}),
        PackageSet.of("python", {"b": "1.0.0"}),
        PackageSet.of("python", {"a": "1.0.0", "b": "1.0.0"}),
    ]
    assert len({one.digest for one in sets}) == len(sets)


@pytest.mark.parametrize(
    ("language", "name", "version"),
    [
        ("python", "--index-url=http://evil.example/", "1.0"),
        ("python", "-r", "1.0"),
        ("python", "../x", "1.0"),
        ("python", "x @ git+https://evil.example/x", "1.0"),
        ("python", "x[extra]", "1.0"),
        ("python", "x\n--pre", "1.0"),
        ("python", "x", ">=1.0"),
        ("python", "x", "1.0 --pre"),
        ("python", "x", "1.0; python_version > '3'"),
        ("python", "x", "git+https://evil.example/x"),
        ("python", "x", "1.*"),
        ("node", "--registry=http://evil.example/", "1.0.0"),
        ("node", "../x", "1.0.0"),
        ("node", "@scope/../x", "1.0.0"),
        ("node", "x", "npm:evil@1.0.0"),
        ("node", "x", "file:/etc"),
        ("node", "x", "git+https://evil.example/x.git"),
        ("node", "x", "https://evil.example/x.tgz"),
        ("node", "x", "evil/x"),
        ("node", "x", "latest"),
        ("node", "x", "^1.0.0"),
        ("node", "x", "1.0.0\n"),
    ],
)
def test_what_could_be_an_option_an_address_or_a_path_is_refused(
    language: Language, name: str, version: str
) -> None:
    with pytest.raises(Rejected) as refusal:
        PackageSet.of(language, {"fine": "1.0.0", name: version})
    assert [problem.key for problem in refusal.value.problems] == [f"dependencies.{name}"]
