"""Finds out which isolation layers work here, and says what to do about the others."""

from __future__ import annotations

import json
import subprocess

from app.domain.errors import Stalled
from app.runtime.interpreter import ENVIRONMENT, command
from app.runtime.isolation import LayerReport

_PATIENCE = 60.0

_NAMESPACE = (
    "Run as root with CAP_SYS_ADMIN, or allow unprivileged user namespaces "
    "(user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns); a container engine "
    "must not filter unshare and mount."
)
_REMEDIES = {
    "no-new-privileges": "Use a kernel of 3.5 or newer.",
    "seccomp": "Use a kernel with CONFIG_SECCOMP_FILTER, and an x86_64 or aarch64 machine.",
    "landlock": "Use a kernel of 5.13 or newer with landlock in its `lsm=` list; a container "
    "engine must not filter the landlock_* calls.",
    "memory": "Use a kernel that enforces RLIMIT_AS.",
    "uid": "Run the server as an ordinary user, or grant CAP_SETUID and CAP_SETGID to root.",
    "processes": "Run the server as root, so that each worker gets a user id of its own; seccomp "
    "stops new processes in any case.",
    "process descriptors": "Use a kernel of 5.3 or newer; a container engine must not filter "
    "pidfd_open and pidfd_send_signal.",
    "egress": "Use a kernel of 5.9 or newer; a container engine must neither filter seccomp nor "
    "listen to it itself. Only hooks with a `network` list need it.",
    "standard library": "Install Python where every user may read it; until then hooks can import "
    "only what is imported ahead.",
}


def probe(
    worker_uid_base: int | None = None, *, namespaces: bool = True
) -> tuple[LayerReport, ...]:
    """Try every layer in a throw-away process; blocks for about 0.2 seconds.

    ``worker_uid_base`` is the first user id of workers if the server runs as root. Without
    ``namespaces`` these layers are not tried and count as not in force. Raises ``Stalled`` when not
    even the trying works.
    """
    program = command(
        "app.runtime.inside.probes", str(worker_uid_base or 0), json.dumps(namespaces)
    )
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
    return tuple(_report(name, why_not) for name, why_not in results)


def _report(name: str, why_not: str) -> LayerReport:
    if not why_not:
        return LayerReport(name, in_force=True)
    remedy = _NAMESPACE if name.endswith(" namespace") else _REMEDIES[name]
    return LayerReport(name, in_force=False, why_not=why_not, remedy=remedy)
