"""Isolation layers, what they amount to, and whether that is enough to serve."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.domain.errors import Problem, Stalled
from app.domain.outcomes import Language
from app.runtime.inside.node_program import NodeProgram
from app.runtime.inside.plans import Plan

Policy = Literal["required", "best-effort"]
Level = Literal["full", "container", "insufficient"]

NODE = "Node.js"
GROUPS = "control groups"
LANDLOCK = "landlock"
PACKAGES = "packages"
DATA_DIRECTORY = "data directory"

NAMESPACES = ("user", "pid", "mount", "network", "ipc", "uts")


@dataclass(frozen=True, slots=True)
class LayerReport:
    """One layer, tried in a throw-away process."""

    name: str
    in_force: bool
    why_not: str = ""
    """What the kernel answered; empty if the layer is in force."""
    remedy: str = ""
    """What to grant or change to get it; empty if the layer is in force."""
    found: str = ""
    """What else is worth knowing of a layer in force."""


def level_of(reports: Iterable[LayerReport]) -> Level:
    """Name what the layers amount to.

    ``full``: all of them that count. ``container``: hooks are confined without namespaces, as in an
    unprivileged container. ``insufficient``: untrusted hooks must not run.
    """
    reports = tuple(reports)
    if missing(reports):
        return "insufficient"
    working = _in_force(reports)
    walls = {"landlock", *(f"{name} namespace" for name in NAMESPACES if name != "user")}
    return "full" if walls <= working else "container"


def missing(reports: Iterable[LayerReport]) -> list[Problem]:
    """List what stands between these layers and serving untrusted hooks; empty: nothing.

    The least is seccomp, a limit on memory, a user other than root, new privileges given up, and
    either Landlock or a mount namespace to keep files away.
    """
    reports = tuple(reports)
    working = _in_force(reports)
    needed = ["no-new-privileges", "seccomp", "memory", "uid", "process descriptors"]
    if "mount namespace" not in working:
        needed.append("landlock")
    by_name = {report.name: report for report in reports}
    if DATA_DIRECTORY in by_name:
        needed.append(DATA_DIRECTORY)
    return [
        _problem(by_name.get(name) or LayerReport(name, in_force=False))
        for name in needed
        if name not in working
    ]


def demand(policy: Policy, reports: Sequence[LayerReport]) -> None:
    """Raise ``Stalled``, with all that is missing, unless ``policy`` lets hooks run.

    Whatever the policy, hooks never run as root, nor where a worker cannot be killed for certain.
    """
    problems = missing(reports)
    if policy == "best-effort":
        indispensable = ("uid", "process descriptors", DATA_DIRECTORY)
        problems = [problem for problem in problems if problem.key in indispensable]
    if problems:
        raise Stalled(
            "Hooks cannot be isolated here, so none is run. Grant what is missing"
            + (
                ', or set isolation = "best-effort" (`serve --insecure`) to run trusted hooks only.'
                if policy == "required"
                else "."
            ),
            problems=problems,
        )


def plan_for(
    reports: Iterable[LayerReport],
    *,
    node: NodeProgram | str | None = None,
    packages_root: Path | None = None,
) -> Plan:
    """Use every layer that works, and Node.js if it ran in them."""
    working = _in_force(reports)
    usable = node if isinstance(node, NodeProgram) and NODE in working else None
    return Plan(
        namespaces=tuple(name for name in NAMESPACES if f"{name} namespace" in working),
        landlock="landlock" in working,
        seccomp="seccomp" in working,
        node=usable,
        packages_root=None if packages_root is None else str(packages_root.resolve()),
    )


def why_not(language: Language, reports: Iterable[LayerReport]) -> str:
    """Say why hooks in a language cannot run; nothing if they can."""
    if language == "python" or NODE in _in_force(reports):
        return ""
    report = next((report for report in reports if report.name == NODE), None)
    reason = "It was not looked for." if report is None else f"{report.why_not}. {report.remedy}"
    return f"Node.js hooks cannot run here. {reason}"


def has_egress(reports: Iterable[LayerReport]) -> bool:
    """Tell whether hooks can be kept to the places they may reach, and so be given a network."""
    return {"egress", "seccomp"} <= _in_force(reports)


def _in_force(reports: Iterable[LayerReport]) -> set[str]:
    return {report.name for report in reports if report.in_force}


def _problem(report: LayerReport) -> Problem:
    sentence = f"{report.why_not or 'it was not tried'}. {report.remedy}".strip()
    return Problem(sentence, key=report.name)
