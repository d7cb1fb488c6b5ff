"""Finds out which isolation layers work here, and says what to do about the others."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from app.domain.errors import Stalled
from app.runtime.control_groups import ControlGroups
from app.runtime.inside import landlock
from app.runtime.inside.node_program import NodeProgram
from app.runtime.interpreter import ENVIRONMENT, command
from app.runtime.isolation import DATA_DIRECTORY, GROUPS, LANDLOCK, NODE, PACKAGES, LayerReport

_PATIENCE = 60.0

_NAMESPACE = (
    "Run as root with CAP_SYS_ADMIN, or allow unprivileged user namespaces "
    "(user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns); a container engine "
    "must not filter unshare and mount."
)
_REMEDIES = {
    "no-new-privileges": "Use a kernel of 3.5 or newer.",
    "seccomp": "Use a kernel with CONFIG_SECCOMP_FILTER, and an x86_64 or aarch64 machine.",
    LANDLOCK: "Use a kernel of 5.13 or newer with landlock in its `lsm=` list; a container "
    "engine must not filter the landlock_* calls.",
    "memory": "Use a kernel that enforces RLIMIT_AS.",
    "uid": "Run the server as an ordinary user, or grant CAP_SETUID and CAP_SETGID to root.",
    "processes": "Run the server as root, so that each worker gets a user id of its own; seccomp "
    "stops new processes in any case.",
    "process descriptors": "Use a kernel of 5.3 or newer; a container engine must not filter "
    "pidfd_open and pidfd_send_signal.",
    NODE: "Node.js, its libraries and this program's code must be readable by every user.",
    GROUPS: "Hooks are bounded without, by process. For a second bound: with systemd, "
    "`Delegate=memory pids cpu` for the service; in a container, a writable /sys/fs/cgroup with "
    "these controllers, and the server as the only process of its group.",
    PACKAGES: "Let every user read and pass through the folder, and those it is in.",
    DATA_DIRECTORY: "Put the data directory elsewhere, or install what is in the way elsewhere.",
    "egress": "Use a kernel of 5.9 or newer; a container engine must neither filter seccomp nor "
    "listen to it itself. Only hooks with a `network` list need it.",
    "standard library": "Install Python where every user may read it; until then hooks can import "
    "only what is imported ahead.",
}


def probe(
    worker_uid_base: int | None = None,
    *,
    namespaces: bool = True,
    node: NodeProgram | str | None = None,
    packages_root: Path | None = None,
    data_dir: Path | None = None,
) -> tuple[LayerReport, ...]:
    """Try every layer in a throw-away process; blocks for about 0.3 seconds.

    ``worker_uid_base`` is the first user id of workers if the server runs as root. Without
    ``namespaces`` these layers are not tried and count as not in force. ``node`` is what
    ``find_program`` returned; Node.js, ``packages_root`` and ``data_dir`` are looked at if given.
    Raises ``Stalled`` when not even the trying works.
    """
    wanted = {
        "uid": worker_uid_base or 0,
        "namespaces": namespaces,
        "node": asdict(node) if isinstance(node, NodeProgram) else None,
        "packages_root": None if packages_root is None else str(packages_root.resolve()),
        "data_dir": None if data_dir is None else str(data_dir.resolve()),
    }
    program = command("app.runtime.inside.probes", json.dumps(wanted), "")
    try:
        done = subprocess.run(
            program,
            env=ENVIRONMENT,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_PATIENCE,
            start_new_session=True,
        )
        results = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        said = getattr(error, "stderr", None) or b""
        raise Stalled(
            f"The isolation layers could not be tried: {error}. {said.decode(errors='replace')}"
        ) from error
    results.append([GROUPS, _try_groups()])
    if isinstance(node, str):
        results.append([NODE, node])
    found = {NODE: f"version {node.version}" if isinstance(node, NodeProgram) else ""}
    found |= _landlock_version()
    return tuple(_report(name, why_not, found.get(name, "")) for name, why_not in results)


def _report(name: str, why_not: str, found: str) -> LayerReport:
    if not why_not:
        return LayerReport(name, in_force=True, found=found)
    remedy = _NAMESPACE if name.endswith(" namespace") else _REMEDIES[name]
    return LayerReport(name, in_force=False, why_not=why_not, remedy=remedy)


def _landlock_version() -> dict[str, str]:
    try:
        return {LANDLOCK: f"version {landlock.abi()}"}
    except OSError:
        return {}


def _try_groups() -> str:
    """Return why no process can be bounded by a control group, or nothing."""
    try:
        with contextlib.closing(ControlGroups.open()) as groups, _start_glutton() as glutton:
            groups.place("doctor", glutton.pid, memory_bytes=0)
            glutton.communicate(b"go", timeout=_PATIENCE)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    killed = glutton.returncode == -signal.SIGKILL
    return "" if killed else "the limit was accepted but more memory was granted"


def _start_glutton() -> subprocess.Popen[bytes]:
    code = "import sys; sys.stdin.read(2); bytearray(b'x' * (256 << 20))"
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code],
        env=ENVIRONMENT,
        cwd="/",
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
