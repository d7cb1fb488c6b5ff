"""Python packages: wheels only, by the pip of the interpreter that runs hooks."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from app.domain.documents.packages import PackageSet
from app.domain.errors import Stalled, Transient
from app.runtime.dependencies import guarded_pip
from app.runtime.dependencies.installers import Failure, Resolved, interpreter_tag, refused
from app.runtime.dependencies.processes import Finished, Run, Workspace

_OPTIONS = (
    # Only then does it tell an index that is down from one that lacks the package.
    *("--verbose", "--verbose"),
    "--no-input",
    "--retries=2",
    "--no-color",
    "--disable-pip-version-check",
    "--progress-bar=off",
    "--root-user-action=ignore",
    "--no-warn-script-location",
    "--only-binary=:all:",
    "--no-compile",
)
_UNMATCHED = re.compile(
    r"satisfies the requirement (?P<name>[A-Za-z0-9._-]+)(?P<rest>[^\n]*?)"
    r"(?: \(from (?P<parent>(?!versions:)[^)]*)\))? \(from versions: (?P<versions>[^)]*)\)"
)
_CONFLICT = re.compile(r"The conflict is caused by:\n(?P<causes>(?:[ \t]+\S[^\n]*\n)+)")
_OTHER_PYTHON = re.compile(r"(?P<version>[^\s;]+) Requires-Python (?P<python>[^\s;]+)")
_UNREACHABLE = re.compile(
    r"connection broken by|Max retries exceeded|Read timed out|Connection reset|"
    r"Could not fetch URL \S+: (?!404 )|(?:5\d\d Server|429 Client) Error"
)
_UNKNOWN = re.compile(r"Could not fetch URL \S+/(?P<name>[^/\s]+)/: 404 ")
_STABLE = re.compile(r"[0-9.]+\Z")


class PipInstaller:
    """``interpreter`` is the one whose packages are wanted and whose pip is run."""

    def __init__(self, interpreter: str = sys.executable) -> None:
        self._interpreter = interpreter

    @property
    def tag(self) -> str:
        return interpreter_tag()

    async def install(self, wanted: PackageSet, workspace: Workspace, run: Run) -> list[Resolved]:
        """Install, then compile what was installed, which a read-only folder rules out later."""
        left, failures = dict(wanted.dependencies), list[Failure]()
        report = workspace.root / "report.json"
        while left:
            dry = ("--dry-run",) if failures else ()
            finished = await run(self._command(left, workspace, report, *dry))
            if finished.status == 0:
                break
            failure = read_failure(finished, left)
            failures.append(failure)
            if failure.package is None:
                break
            del left[failure.package]
        if failures:
            raise refused(failures)
        resolved = _read_report(report)
        await run(
            [
                *(self._interpreter, "-I", "-S", "-m", "compileall", "-q"),
                *("--invalidation-mode", "unchecked-hash", str(workspace.packages)),
            ]
        )
        return resolved

    def _command(
        self, packages: Mapping[str, str], workspace: Workspace, report: Path, *more: str
    ) -> list[str]:
        return [
            *(self._interpreter, "-I", str(guarded_pip.__file__), "install", *_OPTIONS, *more),
            *("--target", str(workspace.packages), "--report", str(report), "--"),
            *(f"{name}=={version}" for name, version in packages.items()),
        ]


def read_failure(finished: Finished, wanted: Mapping[str, str]) -> Failure:
    """Find in pip's words which package is at fault, and why.

    Raises ``Transient`` when the index could not be reached, ``Stalled`` when there is no pip.
    """
    said = f"{finished.output}\n{finished.errors}"
    if "No module named pip" in said:
        raise Stalled("This Python has no pip; add it with `python -m ensurepip`, then restart.")
    if "No space left on device" in said:
        raise Stalled("The disk is full, so no packages can be installed.")
    if _UNREACHABLE.search(said):
        raise Transient("The index of Python packages cannot be reached.", retry_after=10.0)
    if guarded_pip.REFUSAL in said:
        return Failure(None, "one of the packages would have to be built, or fetched by git")
    if unmatched := _UNMATCHED.search(finished.errors):
        return _unmatched(unmatched, said, wanted)
    if conflict := _CONFLICT.search(said):
        causes = "; ".join(line.strip() for line in conflict["causes"].splitlines())
        return Failure(None, f"the versions contradict each other: {causes}")
    return Failure(None, f"pip failed: {_last_words(finished.errors) or finished.status}")


def _unmatched(found: re.Match[str], said: str, wanted: Mapping[str, str]) -> Failure:
    name, offered = found["name"], [v.strip() for v in found["versions"].split(",")]
    asked = next((known for known in wanted if _same(known, name)), None)
    if asked is None or found["parent"]:
        parent = re.split(r"[^A-Za-z0-9._-]", found["parent"] or "")[0]
        due = next((known for known in wanted if _same(known, parent)), None)
        needs = f"it needs {name}{found['rest']}" if due else f"{name}{found['rest']} is needed"
        return Failure(due, f"{needs}, of which PyPI has no wheel for this Python")
    version = wanted[asked]
    for other in _OTHER_PYTHON.finditer(said):
        if other["version"] == version:
            python = ".".join(map(str, sys.version_info[:2]))
            needs = other["python"]
            return Failure(asked, f"{asked} {version} needs Python {needs}; this is {python}")
    if offered == ["none"]:
        unknown = any(_same(other["name"], asked) for other in _UNKNOWN.finditer(said))
        lacks = f"package {asked}" if unknown else f"wheel of {asked} for this Python"
        return Failure(asked, f"PyPI has no {lacks}")
    newest = next((v for v in reversed(offered) if _STABLE.match(v)), offered[-1])
    return Failure(
        asked,
        f"PyPI has no version {version} of {asked} as a wheel for this Python; "
        f"the newest it offers is {newest}",
    )


def _read_report(report: Path) -> list[Resolved]:
    """Read what pip installed (pip's installation report, version 1)."""
    resolved, failures = list[Resolved](), list[Failure]()
    for item in json.loads(report.read_bytes())["install"]:
        name, version = item["metadata"]["name"], item["metadata"]["version"]
        if item["is_direct"]:
            failures.append(Failure(None, f"{name} comes from an address, not from the index"))
        hashes = item["download_info"].get("archive_info", {}).get("hashes", {})
        integrity = next((f"{kind}-{value}" for kind, value in sorted(hashes.items())), None)
        resolved.append(Resolved(name, version, integrity))
    if failures:
        raise refused(failures)
    return sorted(resolved, key=lambda package: package.name)


def _same(name: str, other: str) -> bool:
    """Compare names as PyPI does (PEP 503)."""
    return _normal(name) == _normal(other)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _last_words(said: str) -> str:
    errors = [line for line in said.splitlines() if line.startswith("ERROR: ")]
    lines = errors or [line for line in said.splitlines() if line.strip()]
    return lines[-1].removeprefix("ERROR: ").strip() if lines else ""
